"""``hitl report``: run folders rendered again, without running anything.

Owns which run is meant where none is named, and where the files of several runs go. Reading a run is
:mod:`harness.report.run_file`, writing files is :mod:`harness.cli.reporting`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.cli.comparing import read
from harness.cli.errors import UserError
from harness.cli.plugins import catalog_with
from harness.cli.reporting import chosen_reports, write_reports
from harness.report.run_file import RESULT_FILE
from harness.results import ExitCode


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; no ``runs`` means the newest one of ``runs_folder``."""

    runs: tuple[Path, ...]
    formats: tuple[str, ...]
    out: Path
    plugins: tuple[str, ...]
    runs_folder: Path


def report(request: Request) -> int:
    """Render what ``request`` names and return the exit code; raises UserError.

    Everything is read before anything is written.
    """
    reports = chosen_reports(catalog_with(request.plugins), request.formats)
    folders = request.runs or (_newest(request.runs_folder),)
    _refuse_ambiguity(folders)
    runs = [replace(read(folder), plugins=request.plugins) for folder in folders]
    complete = True
    for folder, run in zip(folders, runs, strict=True):
        for note in run.notes:
            print(f"hitl: {note}", file=sys.stderr)
        out = request.out if len(runs) == 1 else request.out / folder.resolve().name
        first, whole = write_reports(run, reports, out)
        for path in first:
            print(path)
        complete = complete and whole
    return ExitCode.CONFORMANT.value if complete else ExitCode.HARNESS_AT_FAULT.value


def _newest(runs_folder: Path) -> Path:
    """Return the last run that has a result."""
    results = runs_folder.glob(f"*/{RESULT_FILE}")
    numbered = [(int(path.parent.name), path.parent) for path in results if path.parent.name.isdecimal()]
    if not numbered:
        raise UserError(f'{runs_folder}: no run lies there. Name a run folder, or do "hitl run" first.')
    return max(numbered)[1]


def _refuse_ambiguity(folders: Sequence[Path]) -> None:
    names = [folder.resolve().name for folder in folders]
    for name in names:
        if names.count(name) > 1:
            raise UserError(
                f"two of the runs are called {name}: their files would be mixed. Render them apart."
            )
