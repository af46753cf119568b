"""Verdicts over time as a page of text: a row for every promise, a sign for every run.

Owns the layout. The newest run stands at the right; rows that only ever held are told in one line.
"""

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from harness.narrate import Line, Span, Tone, plural
from harness.properties import Status
from harness.trend.store import Point

_SIGNS: Final = {
    Status.HOLDS: ("✓", Tone.GOOD),
    Status.VIOLATED: ("✗", Tone.BAD),
    Status.INCONCLUSIVE: ("?", Tone.DOUBTFUL),
    Status.NOT_OFFERED: ("-", Tone.FAINT),
}
_ABSENT: Final = ("·", Tone.FAINT)
_LABEL_WIDTH: Final = 34


def trend_page(points: Sequence[Point]) -> Iterator[Line]:
    """Yield the page about ``points``, which are in the order of their runs."""
    runs = list(dict.fromkeys(point.run for point in points))
    days = [point.at for point in points]
    yield (
        Span(f"{plural(len(runs), 'run')} ", Tone.HEADER),
        Span(f"from {days[0]} to {days[-1]} (UTC); the newest at the right", Tone.FAINT),
    )
    by_adapter = sorted(points, key=lambda it: it.adapter)
    for adapter, group in groupby(by_adapter, key=lambda it: it.adapter):
        yield ()
        yield from _adapter_rows(adapter, list(group), runs)
    yield ()
    signs = "   ".join(f"{sign} {status.value.replace('-', ' ')}" for status, (sign, _) in _SIGNS.items())
    yield (Span(f"{signs}   · not played", Tone.FAINT),)


def _adapter_rows(adapter: str, points: Sequence[Point], runs: Sequence[int]) -> Iterator[Line]:
    newest = max(points, key=lambda it: it.run)
    yield (Span(adapter, Tone.TITLE), Span(f"  {newest.version}", Tone.FAINT))
    steady = 0
    names = dict.fromkeys((it.property, it.guarantee) for it in points)
    for name, guarantee in sorted(names, key=lambda it: (len(it[0]), it[0])):
        row = {it.run: it for it in points if it.property == name}
        said = {it.status for it in row.values()}
        if said <= {Status.HOLDS} or said <= {Status.NOT_OFFERED}:
            steady += said == {Status.HOLDS}
            continue
        yield (
            Span(f"  {name:<4}{guarantee}"[:_LABEL_WIDTH].ljust(_LABEL_WIDTH)),
            *(_sign(row.get(run)) for run in runs),
            Span(f"  {_since(list(row.values()))}", Tone.FAINT),
        )
    if steady:
        yield (Span(f"  {plural(steady, 'promise')} held in every run", Tone.GOOD),)


def _sign(point: Point | None) -> Span:
    return Span(*(_ABSENT if point is None else _SIGNS[point.status]))


def _since(points: Sequence[Point]) -> str:
    """Return since when the newest verdict stands."""
    newest = points[-1]
    standing = []
    for point in reversed(points):
        if point.status is not newest.status:
            break
        standing.append(point)
    known = ", known" if newest.known and newest.status is Status.VIOLATED else ""
    words = f"{newest.status.value.replace('-', ' ')}{known}"
    if len(standing) == len(points):
        return f"{words} in all {plural(len(points), 'run')}" if len(points) > 1 else words
    return f"{words} since {standing[-1].at}"
