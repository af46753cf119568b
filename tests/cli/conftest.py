"""The command line called in this process, its output captured, its run folders in a temporary place."""

from pathlib import Path

import pytest

from harness.cli import main
from tests.cli.calling import PLUGIN, Done, Hitl


@pytest.fixture
def hitl(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> Hitl:
    """Return a function that runs ``hitl`` with the given words, in an empty folder, 100 columns wide."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str) -> Done:
        code = main(list(words))
        captured = capsys.readouterr()
        return Done(code, captured.out, captured.err)

    return run


@pytest.fixture
def plugin() -> str:
    """Return the path of the plug-in with the two tiny adapters."""
    return str(PLUGIN)
