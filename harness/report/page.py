"""A finished run as a page of text: every violation, the matrix, and how it ended.

Owns the layout that the terminal and the text report share. It knows widths and tones, no colours.
"""

import textwrap
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final

from harness.narrate import Line, Span, Tone, boundary_places, listing, plan_sentence, plural
from harness.narrate.verdicts import LEGEND, NOT_JUDGED, SKIPPED, ending, wording
from harness.properties import Status
from harness.report import FinishedRun, Violation
from harness.report.difference import ROWS_IN_TEXT, difference_lines, nearest_sentence
from harness.report.differing import comparison
from harness.results import AdapterResult, ExitCode, Result, Verdict

_INDENT: Final = "  "
_LABEL_WIDTH: Final = 9
_CELL_WIDTH: Final = 19
"""The widest wording of a verdict and two blanks."""
_BLANK: Final[Line] = ()


def run_page(run: FinishedRun, width: int, code: ExitCode) -> Iterator[Line]:
    """Yield the whole page; no line is wider than ``width`` where words allow."""
    for violation in run.violations():
        yield from violation_block(violation, width)
        yield _BLANK
    yield from matrix(run.result, width)
    yield from failures(run.result, width)
    yield from unjudged(run.result, width)
    yield _BLANK
    if run.folder:
        yield (Span("results in ", Tone.FAINT), Span(run.folder))
    end = ending(run.result, code)
    yield from _wrapped(end.words, width, end.tone, first=f"{end.symbol} ")


def violation_block(violation: Violation, width: int) -> Iterator[Line]:
    """Yield one violation: what happened, what was promised, by which plan, seen how, replayed how."""
    verdict, counterexample = violation.verdict, violation.counterexample
    shown = wording(verdict)
    yield (
        Span(f"{shown.symbol} ", shown.tone),
        Span(f"{violation.adapter}  {verdict.property} {verdict.guarantee}", Tone.TITLE),
        Span(
            f"  {shown.words}" + (f" ({verdict.level.value})" if "(" not in shown.words else ""), shown.tone
        ),
    )
    yield from _labelled("finding", counterexample.finding.sentence, width)
    yield from _labelled("promise", violation.statement, width)
    if verdict.claim is not None:
        yield from _labelled("claim", f'"{verdict.claim.sentence}" {verdict.claim.link}'.strip(), width)
    yield from _labelled("plan", plan_sentence(counterexample.plan, violation.trace), width)
    compared = comparison(violation, ROWS_IN_TEXT)
    yield from _labelled("nearest", nearest_sentence(violation, compared), width)
    if verdict.expected is not None:
        yield from _labelled("known", f"{verdict.expected.reason} {verdict.expected.link}".strip(), width)
    if violation.trace.events:
        yield _BLANK
        marked = boundary_places(violation.trace, counterexample.finding.events)
        for line in listing(violation.trace, marked, width - len(_INDENT)):
            yield (Span(_INDENT), *line)
        yield _BLANK
    if compared is not None and compared.part:
        for line in difference_lines(compared, width - len(_INDENT)):
            yield (Span(_INDENT), *line)
        yield _BLANK
    found = f"found after {plural(counterexample.found_after, 'run')} of {counterexample.scenario}"
    yield from _labelled("search", f"{found}; ✗ marks what shows it", width)
    if violation.replay:
        yield (
            Span(_INDENT),
            Span("replay".ljust(_LABEL_WIDTH), Tone.LABEL),
            Span(violation.replay, Tone.COMMAND),
        )
    if violation.replay and not violation.repeatable:
        yield from _labelled("", "plays it again in real time, where it may come out differently", width)


def _labelled(label: str, text: str, width: int) -> Iterator[Line]:
    room = max(width - len(_INDENT) - _LABEL_WIDTH, 20)
    for number, piece in enumerate(textwrap.wrap(text, room, break_long_words=False)):
        head = label if number == 0 else ""
        yield (Span(_INDENT), Span(head.ljust(_LABEL_WIDTH), Tone.LABEL), Span(piece))


def matrix(result: Result, width: int) -> Iterator[Line]:
    """Yield the table of verdicts: a row for every property, a column for every adapter."""
    every_row = _rows(result.adapters)
    rows = {name: it for name, it in every_row.items() if _offered(result.adapters, it)}
    if not every_row:
        yield (Span("nothing was judged", Tone.DOUBTFUL),)
        return
    left = max(map(len, every_row)) + 2
    per_table = max((width - left) // _CELL_WIDTH, 1)
    adapters = iter(result.adapters)
    while columns := tuple(islice(adapters, per_table)):
        yield from _header(columns, left)
        for name, property_id in rows.items():
            yield (Span(name.ljust(left)), *_cells(columns, property_id))
        yield _BLANK
    silent = [" ".join(name.split()) for name in every_row if name not in rows]
    if silent:
        yield from _wrapped(", ".join(silent), width, Tone.FAINT, first="- not offered: ")
    yield (Span(LEGEND, Tone.FAINT),)


def _offered(adapters: Sequence[AdapterResult], property_id: str) -> bool:
    """Return whether any adapter offers a property."""
    verdicts = [_verdict(adapter, property_id) for adapter in adapters]
    return any(verdict is not None and verdict.status is not Status.NOT_OFFERED for verdict in verdicts)


def _rows(adapters: Sequence[AdapterResult]) -> dict[str, str]:
    """Return the ids of all judged properties by the heading of their row."""
    verdicts = [verdict for adapter in adapters for verdict in adapter.verdicts]
    return {f"{verdict.property:<3} {verdict.guarantee}": verdict.property for verdict in verdicts}


def _header(columns: Sequence[AdapterResult], left: int) -> Iterator[Line]:
    names = [textwrap.wrap(column.adapter.replace("-", "- "), _CELL_WIDTH - 2) for column in columns]
    names = [[row.replace("- ", "-") for row in rows] for rows in names]
    depth = max(map(len, names))
    for row in range(depth):
        cells = [rows[row] if row < len(rows) else "" for rows in names]
        yield (Span(" " * left + "".join(cell.ljust(_CELL_WIDTH) for cell in cells).rstrip(), Tone.TITLE),)
    runs = "".join(plural(column.runs, "run").ljust(_CELL_WIDTH) for column in columns)
    yield (Span(" " * left + runs.rstrip(), Tone.FAINT),)
    if any(column.lane != "virtual" for column in columns):
        lanes = "".join(f"{column.lane} lane".ljust(_CELL_WIDTH) for column in columns)
        yield (Span(" " * left + lanes.rstrip(), Tone.FAINT),)


def _cells(columns: Sequence[AdapterResult], property_id: str) -> Iterator[Span]:
    for column in columns:
        verdict = _verdict(column, property_id)
        absent = SKIPPED if column.skipped else NOT_JUDGED
        shown = absent if verdict is None else wording(verdict)
        yield Span(str(shown).ljust(_CELL_WIDTH), shown.tone)


def _verdict(column: AdapterResult, property_id: str) -> Verdict | None:
    return next((verdict for verdict in column.verdicts if verdict.property == property_id), None)


def failures(result: Result, width: int) -> Iterator[Line]:
    """Yield what adapters did wrong themselves; the rest of the matrix stands beside it."""
    for adapter in result.adapters:
        if adapter.failures:
            yield _BLANK
            yield (Span(f"! {adapter.adapter}: the adapter itself failed, which is no verdict", Tone.BAD),)
        for text in adapter.failures:
            yield from _wrapped(text, width, Tone.PLAIN, first="  - ")


def unjudged(result: Result, width: int) -> Iterator[Line]:
    """Yield what was skipped, what is inconclusive, which expectations no longer hold, and why."""
    for adapter in result.adapters:
        if adapter.skipped:
            text = f"{adapter.adapter} was skipped: {adapter.skipped}"
            yield from _wrapped(text, width, SKIPPED.tone, first=f"{SKIPPED.symbol} ")
        for verdict in adapter.verdicts:
            shown = wording(verdict)
            if shown.symbol in "?!":
                why = verdict.note or _stale(verdict)
                text = f"{adapter.adapter} {verdict.property} {verdict.guarantee}: {why}"
                yield from _wrapped(text, width, shown.tone, first=f"{shown.symbol} ")


def _wrapped(text: str, width: int, tone: Tone, *, first: str) -> Iterator[Line]:
    for number, piece in enumerate(textwrap.wrap(text, max(width - len(first), 20))):
        yield (Span((first if number == 0 else " " * len(first)) + piece, tone),)


def _stale(verdict: Verdict) -> str:
    reason = verdict.expected.reason if verdict.expected is not None else ""
    return (
        f'listed as a known violation ("{reason}") but none was found: remove the entry, or run more examples'
    )
