"""Rules about adapters whose packages are installed apart: one matrix, the same bytes, nothing left over."""

import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from harness.catalog import Catalog, load_catalog
from harness.cli import running
from harness.install.folders import ENVS_VARIABLE
from tests.cli.calling import Done, Hitl
from tests.cli.conftest import hitl
from tests.install.waiting import PATIENCE_S, gone, wait_until

__all__ = ["hitl"]

FEW: Final = ("--scenario", "role_rejection", "--examples", "8")


@pytest.fixture
def toy(installed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, hitl: Hitl) -> Hitl:
    """Return ``hitl`` with the toys among its plug-ins and their environments built."""
    plugin, home = installed
    monkeypatch.setenv(ENVS_VARIABLE, str(home))

    def run(*words: str) -> Done:
        return hitl(*words, "--plugin", str(plugin))

    return run


def only_the_toys(monkeypatch: pytest.MonkeyPatch, plugin: Path, *names: str) -> None:
    def catalogue(_plugins: object) -> Catalog:
        every = load_catalog([str(plugin)])
        return replace(every, adapters={name: every.adapters[name] for name in names})

    monkeypatch.setattr(running, "catalog_with", catalogue)


def test_adapters_whose_packages_exclude_each_other_stand_in_one_matrix(toy: Hitl) -> None:
    done = toy("run", "toy-two", "reference", "toy-one", *FEW, "--json")
    rows = json.loads(done.out)["adapters"]
    assert [row["adapter"] for row in rows] == ["toy-two", "reference", "toy-one"]
    assert all(row["runs"] >= 8 and not row["failures"] for row in rows), rows
    assert done.code == 1, "the toys believe everybody"
    folders = {path.name for path in Path(".hitl/runs/001").iterdir()}
    assert folders == {"environment.json", "result.json", "toy-one-P9", "toy-two-P9"}
    assert not list(Path(".hitl").glob("worker-*")), "workers leave nothing behind"


def test_what_was_found_apart_is_shrunk_shown_and_replayed_like_anything_else(toy: Hitl) -> None:
    done = toy("run", "toy-one", *FEW)
    assert done.out.startswith("✗ toy-one  P9 authority  violated (must)")
    folder = Path(".hitl/runs/001/toy-one-P9")
    saved = json.loads((folder / "plan.json").read_text(encoding="utf-8"))
    replayed = toy("replay", str(folder))
    assert replayed.code == 0
    text = (folder / "plan.json").read_text(encoding="utf-8").replace(saved["digest"], "0" * 64)
    (folder / "plan.json").write_text(text, encoding="utf-8")
    assert toy("replay", str(folder)).code == 1, "a worker says when it came out differently"


def test_a_result_is_the_same_bytes_here_and_apart(
    toy: Hitl, installed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ("run", "toy-one", *FEW, "--json", "--seed", "3")
    apart = toy(*words)
    monkeypatch.syspath_prepend(str(next((installed[0].parent / "wheels").glob("*-1.0-*"))))
    try:
        assert "importable here" in toy("list", "adapters").out
        here = toy(*words)
    finally:
        sys.modules.pop("hitl_toylib", None)
    assert here.out == apart.out


def test_an_adapter_that_lacks_something_is_refused_by_name_with_what_to_type(toy: Hitl) -> None:
    done = toy("run", "toy-lost", *FEW)
    assert done.code == 2
    assert done.err.splitlines() == [
        "hitl: toy-lost: hitl-toylib 1.0: not installed; type: hitl adapter install toy-lost"
    ]


@pytest.mark.parametrize(("ci", "code"), [("", 1), ("true", 2)])
def test_under_all_it_is_skipped_aloud_and_a_skip_fails_where_ci_is_true(
    toy: Hitl, installed: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch, ci: str, code: int
) -> None:
    monkeypatch.setenv("CI", ci)
    only_the_toys(monkeypatch, installed[0], "toy-lost", "toy-one")
    done = toy("run", "--all", *FEW, "--report", "out")
    assert done.code == code
    assert "- skipped" in done.out
    reason = "hitl-toylib 1.0: not installed; type: hitl adapter install toy-lost"
    assert f"- toy-lost was skipped: {reason}" in " ".join(done.out.split())
    assert "1 skipped" in done.out
    for report in ("junit.xml", "summary.md", "report.txt", "result.json"):
        text = " ".join((Path("out") / report).read_text(encoding="utf-8").replace("\\", "").split())
        assert reason in text, report


def test_a_worker_that_dies_is_a_fault_of_its_adapter_and_the_matrix_completes(toy: Hitl) -> None:
    done = toy("run", "toy-mortal", "reference", *FEW)
    assert done.code == 2
    assert "! toy-mortal: the adapter itself failed" in done.out
    assert "was killed by signal 9 and left no result" in " ".join(done.out.split())
    assert "✓ holds" in done.out


@pytest.fixture
def played(
    installed: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """Yield a long run that is being played apart, and the process of its worker."""
    plugin, home = installed
    marker = tmp_path / "marker"
    monkeypatch.setenv(ENVS_VARIABLE, str(home))
    monkeypatch.setenv("HITL_TOY_MARKER", str(marker))
    words = ["run", "toy-one", "--plugin", str(plugin), "--runs-dir", str(tmp_path / "hitl" / "runs")]
    command = [sys.executable, "-m", "harness.cli", *words, "--examples", "100000", "--scenario", "quorum"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: marker.exists() and marker.read_text(encoding="utf-8").endswith("\n"))
            yield process, int(marker.read_text(encoding="utf-8"))
        finally:
            process.kill()


def test_control_c_reaches_the_worker_and_leaves_what_is_known(
    played: tuple[subprocess.Popen[str], int], tmp_path: Path
) -> None:
    process, worker = played
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 130, err
    assert "Traceback" not in err
    result = json.loads((tmp_path / "hitl" / "runs" / "001" / "result.json").read_text(encoding="utf-8"))
    assert result["interrupted"] is True
    assert [(row["adapter"], row["runs"] > 0) for row in result["adapters"]] == [("toy-one", True)]
    assert gone(worker)
    assert not list((tmp_path / "hitl").glob("worker-*"))


def test_a_worker_ends_when_the_one_that_waits_for_it_is_killed(
    played: tuple[subprocess.Popen[str], int],
) -> None:
    process, worker = played
    assert not gone(worker)
    process.kill()
    wait_until(lambda: gone(worker))
