"""``hitl compare`` and ``hitl trend``: what changed between two runs, and over many.

Owns their options and help texts. What they lead to is imported when they run.
"""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final

import typer

_RUNS_DIR: Final = Path(".hitl/runs")
_LAST: Final = 30


class Format(StrEnum):
    """How a comparison is printed."""

    TEXT = "text"
    MARKDOWN = "markdown"
    JSON = "json"


def compare(
    before: Annotated[Path, typer.Argument(metavar="BEFORE", help="The run folder to compare with.")],
    after: Annotated[Path, typer.Argument(metavar="AFTER", help="The run folder in question.")],
    *,
    output: Annotated[Format, typer.Option("--format", help="How to print it.")] = Format.TEXT,
) -> int:
    """Show what changed between two runs: verdicts, versions and circumstances.

    Exit codes: 0 nothing became worse, 1 something did, 2 a run cannot be read.
    """
    from harness.cli.comparing import print_comparison  # noqa: PLC0415 - `hitl --help` starts at once

    return print_comparison(before, after, output.value)


def trend(
    adapters: Annotated[
        list[str] | None, typer.Argument(metavar="[ADAPTER]...", help="Of which; default: all.")
    ] = None,
    *,
    last: Annotated[int, typer.Option(min=1, metavar="N", help="How many runs back.")] = _LAST,
    as_json: Annotated[bool, typer.Option("--json", help="Print the verdicts as JSON.")] = False,
    runs_dir: Annotated[Path, typer.Option(metavar="DIR", help="Where run folders lie.")] = _RUNS_DIR,
) -> int:
    """Show how verdicts went over the last runs.

    Exit codes: 0 shown, 2 there is nothing to show or the store cannot be read.
    """
    from harness.cli.remembering import print_trend  # noqa: PLC0415 - `hitl --help` starts at once

    return print_trend(adapters or [], last, runs_dir, as_json=as_json)
