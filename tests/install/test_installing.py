"""Rules about installations: whole or not at all, noticed when outdated, and plain about what went wrong."""

import sys
from pathlib import Path

import pytest

import harness.install.standing
from harness.adapter import NpmRequires, PythonRequires
from harness.install import building
from harness.install.building import install, own_requirements
from harness.install.folders import ENVS_VARIABLE, NotInstalledError, part_of
from harness.install.node import MODULES_VARIABLE, Node, node_variables
from harness.install.standing import Where, missing, standing
from harness.install.steps import InstallError
from tests.install.toylib import wheel, write_lock

FAKE_NPM = """
import json, pathlib, sys
assert sys.argv[1] == "ci", sys.argv
lock = json.loads(pathlib.Path("package-lock.json").read_text())
if "fail" in lock:
    sys.exit(lock["fail"])
for name in lock["packages"]:
    pathlib.Path(name).mkdir(parents=True)
"""


@pytest.fixture
def requires(tmp_path: Path, envs: Path) -> PythonRequires:  # noqa: ARG001 - sets where environments go
    """Return what needs the toy in version 1.0, and nothing is installed."""
    lock = tmp_path / "requirements.txt"
    write_lock(lock, wheel(tmp_path / "wheels", "hitl-toylib", "1.0"))
    return PythonRequires("toy", "hitl-toylib", "hitl_toylib", lock)


@pytest.fixture
def npm(tmp_path: Path, envs: Path, monkeypatch: pytest.MonkeyPatch) -> NpmRequires:  # noqa: ARG001 - as above
    """Return what needs an npm package; npm is a small program that makes its folders."""
    program = tmp_path / "npm.py"
    program.write_text(FAKE_NPM, encoding="utf-8")
    node = Node(Path(sys.executable), (sys.executable, str(program)))
    for module in (building, harness.install.standing):
        monkeypatch.setattr(module, "find_node", lambda: node)
    (tmp_path / "package.json").write_text("{}", encoding="utf-8")
    lock = tmp_path / "package-lock.json"
    lock.write_text('{"packages": {"node_modules/@toy/left": {"version": "3.1.4"}}}', encoding="utf-8")
    return NpmRequires("toy", "@toy/left", lock)


def told(requires: PythonRequires | NpmRequires) -> list[str]:
    said: list[str] = []
    install([requires], said.append)
    return said


def test_an_installation_is_made_once_and_again_when_its_lock_changes(
    requires: PythonRequires, tmp_path: Path
) -> None:
    assert standing(requires).where is Where.NOWHERE
    assert told(requires) == [f"installing hitl-toylib 1.0 into {part_of(requires).folder}"]
    assert told(requires) == ["hitl-toylib 1.0: installed apart"]
    write_lock(requires.lock, wheel(tmp_path / "wheels", "hitl-toylib", "2.0"))
    assert missing([requires]) == "hitl-toylib 2.0: outdated, its lock changed"
    assert told(requires) == [f"installing hitl-toylib 2.0 into {part_of(requires).folder}"]
    assert standing(requires).version == "2.0"


def test_a_wheel_that_is_not_the_locked_one_is_refused_and_the_former_installation_stands(
    requires: PythonRequires, envs: Path
) -> None:
    told(requires)
    before = requires.lock.read_text(encoding="utf-8")
    write_lock(requires.lock, requires.lock.parent / "wheels" / "hitl_toylib-1.0-x", digest="0" * 64)
    with pytest.raises(InstallError, match=r"(?s)failed:.*\n  .*find out why before you lock it anew"):
        told(requires)
    assert [path.name for path in (envs / "toy").iterdir()] == [part_of(requires).folder.name]
    requires.lock.write_text(before, encoding="utf-8")
    assert standing(requires).where is Where.APART


def test_a_lock_that_would_break_the_harness_itself_is_refused(
    requires: PythonRequires, tmp_path: Path
) -> None:
    write_lock(requires.lock, wheel(tmp_path / "wheels", "simpy", "1.0"))
    rival = PythonRequires("toy", "simpy", "hitl_no_such_module", requires.lock)
    with pytest.raises(InstallError, match="exclude those that the harness needs"):
        told(rival)
    assert "simpy>=4.1" in list(own_requirements())


def test_a_registry_that_cannot_be_reached_is_told_as_such(
    requires: PythonRequires, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = requires.lock.read_text(encoding="utf-8").splitlines()
    requires.lock.write_text("--index-url http://127.0.0.1:9/simple\n" + lines[-1], encoding="utf-8")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)
    with pytest.raises(InstallError, match="Can the package registry be reached"):
        told(requires)


def test_a_place_that_cannot_be_written_is_named_with_what_to_do(
    requires: PythonRequires, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "taken").write_text("a file", encoding="utf-8")
    monkeypatch.setenv(ENVS_VARIABLE, str(tmp_path / "taken"))
    with pytest.raises(InstallError, match=r"taken.*name another folder in HITL_ENVS"):
        told(requires)


def test_a_half_built_environment_counts_for_nothing_and_is_replaced(requires: PythonRequires) -> None:
    folder = part_of(requires).folder
    (folder / "lib").mkdir(parents=True)
    assert standing(requires).where is Where.NOWHERE
    told(requires)
    assert standing(requires).where is Where.APART


@pytest.mark.parametrize("text", [None, "hitl-toylib>=1.0\n", "other==1.0\n"])
def test_a_lock_without_an_exact_version_is_refused_by_its_name(
    requires: PythonRequires, text: str | None
) -> None:
    requires.lock.unlink()
    if text is not None:
        requires.lock.write_text(text, encoding="utf-8")
    with pytest.raises(NotInstalledError, match=r"requirements\.txt: "):
        standing(requires)


def test_an_importable_package_of_the_locked_version_needs_no_installation(
    requires: PythonRequires, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(next((requires.lock.parent / "wheels").iterdir())))
    assert standing(requires).where is Where.HERE
    assert told(requires) == ["hitl-toylib 1.0: importable here"]


def test_an_importable_package_of_another_version_serves_until_the_locked_one_is_installed(
    requires: PythonRequires, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(wheel(tmp_path / "elsewhere", "hitl-toylib", "0.9")))
    assert (standing(requires).where, standing(requires).version) == (Where.HERE, "0.9")
    told(requires)
    assert (standing(requires).where, standing(requires).version) == (Where.APART, "1.0")


def test_npm_packages_are_installed_from_their_lock_and_found_by_a_variable(npm: NpmRequires) -> None:
    with pytest.raises(NotInstalledError, match=r"@toy/left.*hitl adapter install toy$"):
        node_variables(npm)
    assert told(npm) == [f"installing @toy/left 3.1.4 into {part_of(npm).folder}"]
    modules = Path(node_variables(npm)[MODULES_VARIABLE])
    assert (modules / "node_modules" / "@toy" / "left").is_dir()
    assert told(npm) == ["@toy/left 3.1.4: installed apart"]


@pytest.mark.parametrize(
    ("said", "advice"),
    [
        ("npm error code EAI_AGAIN", "Can the package registry be reached"),
        ("npm error code EINTEGRITY", "find out why before you lock it anew"),
        ("can only install packages when your package.json", "npm install --package-lock-only"),
        ("npm error code E418", "what it said last"),
    ],
)
def test_what_npm_complains_of_is_shown_with_what_to_do(npm: NpmRequires, said: str, advice: str) -> None:
    npm.lock.write_text(
        f'{{"fail": "{said}", "packages": {{"node_modules/@toy/left": {{"version": "3.1.4"}}}}}}',
        encoding="utf-8",
    )
    with pytest.raises(InstallError, match=advice) as caught:
        told(npm)
    assert f"\n  {said}\n" in str(caught.value)
    assert not part_of(npm).folder.exists()
