"""Reports written to a folder.

Owns the boundary to report plug-ins: one that raises is named and the others are still written, and none
writes outside the folder that the user named.
"""

import sys
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from harness.catalog import Catalog, Plugin, UnknownNameError
from harness.cli.errors import UserError
from harness.report import FinishedRun, Report


def chosen_reports(catalog: Catalog, formats: Sequence[str]) -> list[Plugin[Report]]:
    """Return the reports named by ``formats``, all where none is named; raises UserError."""
    try:
        return [catalog.report(name) for name in formats or catalog.reports]
    except UnknownNameError as error:
        raise UserError(f'{error} "hitl list reports" shows all.') from error


def write_reports(
    run: FinishedRun, reports: Sequence[Plugin[Report]], folder: Path
) -> tuple[list[Path], bool]:
    """Write every report into ``folder``; returns the files to open, and whether all came out."""
    first: list[Path] = []
    complete = True
    for plugin in reports:
        files = _rendered(plugin, run)
        if files is None:
            complete = False
            continue
        written = [_write(folder, plugin.name, name, content) for name, content in files.items()]
        first.extend(written[:1])
    return first, complete


def _rendered(plugin: Plugin[Report], run: FinishedRun) -> Mapping[str, str | bytes] | None:
    """Return a report's files, which may be none; None where the report failed."""
    try:
        return plugin.value.render(run)
    except Exception as error:  # noqa: BLE001 - the one boundary to report plug-ins
        frame = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{frame.filename}:{frame.lineno}"
        text = f"the report {plugin.name} failed: {type(error).__name__}: {error} ({place})"
        print(f"hitl: {text}", file=sys.stderr)
        return None


def _write(folder: Path, report: str, name: str, content: str | bytes) -> Path:
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"the report {report} wants to write {name!r}, which lies outside {folder}.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode(errors="replace"))
    except OSError as error:
        raise UserError(f"{path}: cannot be written: {error.strerror}. Choose another folder.") from error
    return path
