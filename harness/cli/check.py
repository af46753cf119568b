"""``hitl check``: recorded logs in, verdicts with line numbers out.

Owns where logs come from (files, folders of runs, standard input), on which terms they are judged, the page
and the exit code. Reading and judging are in :mod:`harness.audit`.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Final

from rich.console import Console

from harness.audit.judging import Checked, CheckedProperty, Shown, check_log, check_record, unjudgeable
from harness.audit.log import Doubt, Log
from harness.audit.mapped import read_mapped
from harness.audit.mapping import Mapping, MappingError, read_mapping
from harness.audit.reader import read_logs
from harness.audit.source import LogError, lines_of
from harness.catalog import Catalog
from harness.cli.errors import UserError
from harness.cli.paint import paint
from harness.cli.plugins import catalog_with
from harness.narrate import Line, Span, Tone, plural
from harness.properties import PROPERTIES, Status, Terms
from harness.results import ExitCode

STANDARD_INPUT: Final = "-"
_TRACE_FILE: Final = "trace.jsonl"
_LINES_SHOWN: Final = 6
_FINDINGS_SHOWN: Final = 10
"""Findings of one property on the page; JSON has them all."""


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    sources: tuple[str, ...]
    mapping: str | None
    as_json: bool
    allow_inconclusive: bool
    plugins: tuple[str, ...]


def check(request: Request) -> int:
    """Judge every source and return the exit code; raises UserError for one that cannot be read."""
    checked = list(_checked(request))
    if request.as_json:
        sys.stdout.write(
            json.dumps(check_record(checked), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
        )
    else:
        paint(Console(), _page(checked))
    return _exit_code(checked, allow_inconclusive=request.allow_inconclusive).value


def _exit_code(checked: Sequence[Checked], *, allow_inconclusive: bool) -> ExitCode:
    if any(it.violated for it in checked):
        return ExitCode.VIOLATED
    if all(it.conclusive for it in checked) or allow_inconclusive:
        return ExitCode.CONFORMANT
    return ExitCode.INCONCLUSIVE


def _checked(request: Request) -> Iterator[Checked]:
    try:
        mapping = None if request.mapping is None else read_mapping(request.mapping)
        catalog = None if mapping is not None else catalog_with(request.plugins)
        for source in request.sources:
            name, opened = _opened(source)
            with opened as stream:
                if mapping is not None:
                    yield _under_mapping(read_mapped(lines_of(stream, name), name, mapping), mapping)
                elif catalog is not None:
                    logs = read_logs(lines_of(stream, name), name)
                    yield from (_as_declared(log, catalog) for log in logs)
    except (LogError, MappingError) as error:
        raise UserError(str(error)) from error


def _opened(source: str) -> tuple[str, AbstractContextManager[BinaryIO]]:
    if source == STANDARD_INPUT:
        return "standard input", nullcontext(sys.stdin.buffer)
    path = Path(source)
    path = path / _TRACE_FILE if path.is_dir() else path
    try:
        return path.as_posix(), path.open("rb")
    except OSError as error:
        raise UserError(
            f"{path}: cannot be read: {error.strerror}. Give a log, a folder with a {_TRACE_FILE}, or - for "
            "standard input."
        ) from error


def _under_mapping(log: Log, mapping: Mapping) -> Checked:
    terms = Terms(mapping.semantics.style, mapping.semantics.on_unauthorised)
    return check_log(log, terms, without=unjudgeable(mapping))


def _as_declared(log: Log, catalog: Catalog) -> Checked:
    """Judge one of this tool's traces on the terms of its adapter, if that is installed."""
    plugin = catalog.adapters.get(log.trace.adapter)
    if plugin is None:
        unknown = {
            "P20": f"the adapter {log.trace.adapter or '(unnamed)'} is not installed: its style is open"
        }
        return check_log(log, Terms(), without=unknown)
    manifest = plugin.value.manifest
    terms = Terms(manifest.style, manifest.on_unauthorised)
    return check_log(log, terms, offers=manifest.offers)


def _page(checked: Sequence[Checked]) -> Iterator[Line]:
    for log in checked:
        yield from _log_page(log)
        yield ()
    violations = sum(it.status is Status.VIOLATED for log in checked for it in log.verdicts)
    broken = sum(log.violated for log in checked)
    tone = Tone.BAD if broken else Tone.GOOD if all(it.conclusive for it in checked) else Tone.DOUBTFUL
    summary = f"{plural(len(checked), 'log')} checked: "
    summary += f"{plural(violations, 'property', 'properties')} violated in {broken} of them"
    doubtful = sum(not log.conclusive for log in checked)
    summary += f", {doubtful} not judged in full" if doubtful else ""
    yield (Span(summary, tone),)


def _log_page(log: Checked) -> Iterator[Line]:
    of_adapter = f", adapter {log.adapter}" if log.adapter else ""
    yield (
        Span(log.log, Tone.TITLE),
        Span(
            f"  {plural(log.events, 'event')} in {plural(log.lines_read, log.place)}{of_adapter}", Tone.FAINT
        ),
    )
    if log.since:
        yield (Span(f"  times count from {log.since}", Tone.FAINT),)
    for reservation in log.reservations:
        place = f"{log.place} {reservation.line}: " if reservation.line else ""
        tone = Tone.FAINT if reservation.doubt is Doubt.NOTHING else Tone.DOUBTFUL
        yield (Span(f"  ! {place}{reservation.reason}", tone),)
    for verdict in log.verdicts:
        yield from _findings(verdict, verdict.findings, "✗", Tone.BAD, log.place)
        yield from _findings(verdict, verdict.unknown, "?", Tone.DOUBTFUL, log.place)
    for label, ids in _by_status(log.verdicts):
        yield (Span(f"  {label:<13}", Tone.LABEL), Span(" ".join(ids)))


def _findings(
    verdict: CheckedProperty, shown: Sequence[Shown], sign: str, tone: Tone, place: str
) -> Iterator[Line]:
    name = PROPERTIES[verdict.property].guarantee.value
    for finding in shown[:_FINDINGS_SHOWN]:
        level = "" if sign == "?" else f" ({finding.level.value})"
        lines = f"  [{_places(finding.lines, place)}]" if finding.lines else ""
        yield (
            Span(f"  {sign} {verdict.property} {name}{level}: ", tone),
            Span(finding.sentence),
            Span(lines, Tone.FAINT),
        )
    if len(shown) > _FINDINGS_SHOWN:
        yield (Span(f"    and {len(shown) - _FINDINGS_SHOWN} more like it", tone),)


def _places(lines: Sequence[int], place: str) -> str:
    more = ", ..." if len(lines) > _LINES_SHOWN else ""
    word = place if len(lines) == 1 else f"{place}s"
    return f"{word} {', '.join(map(str, lines[:_LINES_SHOWN]))}{more}"


def _by_status(verdicts: Iterable[CheckedProperty]) -> Iterator[tuple[str, list[str]]]:
    """Yield the ids of what holds, of what the log leaves open, and of what it says nothing about."""
    groups: dict[str, list[str]] = {
        "holds": [],
        "violated": [],
        "open": [],
        "not seen": [],
        "not offered": [],
    }
    for verdict in verdicts:
        match verdict.status:
            case Status.HOLDS | Status.VIOLATED | Status.NOT_OFFERED:
                groups[verdict.status.value].append(verdict.property)
            case Status.INCONCLUSIVE:
                groups["open" if verdict.unknown else "not seen"].append(verdict.property)
    return ((label, ids) for label, ids in groups.items() if ids)
