"""What ships: one top-level package that carries the plug-in folders, and a source archive that can test."""

import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path
from typing import Final

import pytest
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

ROOT: Final = Path(__file__).parent.parent
PLUGIN_FOLDERS: Final = ("adapters", "scenarios", "reports")


@pytest.fixture(scope="module")
def wheel_members(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    (built,) = WheelBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("wheel")))
    return frozenset(zipfile.ZipFile(built).namelist())


@pytest.fixture(scope="module")
def sdist_members(tmp_path_factory: pytest.TempPathFactory) -> frozenset[str]:
    (built,) = SdistBuilder(str(ROOT)).build(directory=str(tmp_path_factory.mktemp("sdist")))
    with tarfile.open(built) as archive:
        return frozenset(name.partition("/")[2] for name in archive.getnames())


def test_the_wheel_installs_one_top_level_name(wheel_members: frozenset[str]) -> None:
    tops = {name.partition("/")[0] for name in wheel_members}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"harness"}


def test_the_wheel_carries_every_module_and_every_plug_in(wheel_members: frozenset[str]) -> None:
    for path in (ROOT / "harness").rglob("*.py"):
        assert path.relative_to(ROOT).as_posix() in wheel_members
    for folder in PLUGIN_FOLDERS:
        for path in (ROOT / folder).rglob("*.py"):
            assert f"harness/{path.relative_to(ROOT).as_posix()}" in wheel_members


def test_expectations_ship_beside_their_adapters(wheel_members: frozenset[str]) -> None:
    for path in (ROOT / "adapters").rglob("expectations.toml"):
        assert f"harness/{path.relative_to(ROOT).as_posix()}" in wheel_members


def test_neither_archive_carries_what_a_run_left_behind(
    wheel_members: frozenset[str], sdist_members: frozenset[str]
) -> None:
    for name in wheel_members | sdist_members:
        parts = Path(name).parts
        assert not {"__pycache__", ".hitl", ".nox", ".hypothesis", ".git"} & set(parts), name


def test_the_source_archive_can_run_the_tests(sdist_members: frozenset[str]) -> None:
    for name in ("noxfile.py", "pyproject.toml", "README.md", "LICENSE", "tests/test_packaging.py"):
        assert name in sdist_members


WITHOUT_EXTRAS: Final = """
import sys
sys.modules |= dict.fromkeys({missing!r})
from harness.cli import main
sys.exit(main(["run", "reference", "--examples", "1", "--runs-dir", sys.argv[1], "--allow-inconclusive"]))
"""


def test_a_base_installation_runs_without_what_only_extras_bring(tmp_path: Path) -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = [name for names in project["optional-dependencies"].values() for name in names]
    missing = [re.split(r"[^a-z0-9_]", name)[0] for name in extras]
    script = WITHOUT_EXTRAS.format(missing=missing)
    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], cwd=ROOT, check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "plug-in left out" not in done.stderr


def test_types_are_announced(wheel_members: frozenset[str]) -> None:
    assert "harness/py.typed" in wheel_members
