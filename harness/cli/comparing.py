"""What ``hitl compare`` does: two run folders read, their differences printed.

Owns the exit code: 1 where anything became worse.
"""

import json
from pathlib import Path

from rich.console import Console

from harness.cli.errors import UserError
from harness.cli.paint import paint
from harness.compare import compare, comparison_record
from harness.compare.page import comparison_markdown, comparison_page
from harness.plan import PlanError
from harness.report import FinishedRun
from harness.report.run_file import RunFolderError, read_run
from harness.results import ExitCode


def print_comparison(before: Path, after: Path, output: str) -> int:
    """Print what changed, as ``text``, ``markdown`` or ``json``; raises UserError."""
    old, new = read(before), read(after)
    comparison = compare(old.result, new.result, old.made_with, new.made_with)
    names = before.as_posix(), after.as_posix()
    if output == "json":
        print(json.dumps(comparison_record(comparison), indent=1, sort_keys=True, ensure_ascii=False))
    elif output == "markdown":
        print("\n".join(comparison_markdown(comparison, *names)))
    else:
        paint(Console(), comparison_page(comparison, *names))
    return (ExitCode.VIOLATED if comparison.worse else ExitCode.CONFORMANT).value


def read(folder: Path) -> FinishedRun:
    """Return the run in ``folder``; raises UserError where it cannot be read."""
    try:
        return read_run(folder)
    except (RunFolderError, PlanError) as error:
        raise UserError(str(error)) from error
