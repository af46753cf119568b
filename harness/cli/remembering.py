"""What ``hitl trend`` shows, and how every run gets there.

Owns where the store lies, and that a store that cannot be written is told and never spoils a run.
"""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from rich.console import Console

from harness.cli.errors import UserError
from harness.cli.paint import paint
from harness.results import Result
from harness.trend.page import trend_page
from harness.trend.store import FILE_NAME, RunStamp, TrendError, TrendStore


def print_trend(adapters: Sequence[str], last: int, runs_folder: Path, *, as_json: bool) -> int:
    """Print what the ``last`` runs said of ``adapters``, none meaning all; raises UserError."""
    store = _store_of(runs_folder)
    try:
        points = store.points(adapters, last)
    except FileNotFoundError as error:
        raise UserError(f'{error}: no run is remembered there. "hitl run" remembers each.') from error
    except TrendError as error:
        raise UserError(str(error)) from error
    if not points:
        raise UserError(f"{store.file}: no run of {', '.join(adapters) or 'anything'} is remembered there.")
    if as_json:
        print(json.dumps([asdict(point) for point in points], indent=1, sort_keys=True))
    else:
        paint(Console(), trend_page(points))
    return 0


def remember(result: Result, folder: Path, harness: str, exit_code: int) -> None:
    """Add the run in ``folder`` to the store; where that fails, say so on standard error."""
    try:
        _store_of(folder.parent).add(result, RunStamp(folder.as_posix(), harness, exit_code))
    except TrendError as error:
        print(f"hitl: this run is not in the trend: {error}", file=sys.stderr)


def _store_of(runs_folder: Path) -> TrendStore:
    """Return the store beside the run folders."""
    return TrendStore(runs_folder.parent / FILE_NAME)
