"""Two runs side by side: the broken one and the nearest that keeps the promise, from where they part.

Owns the alignment that every picture of the difference shares: both runs as the rows that a diagram of them
would have, the same ones opposite each other. It draws nothing.

Invariant: all rows before the first difference are the same in both runs, to the nanosecond.
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from difflib import SequenceMatcher
from itertools import takewhile, zip_longest
from typing import Final

from harness.narrate.events import event_phrase, message_label
from harness.narrate.selection import Row, boundary_places, rows_of
from harness.narrate.units import instant, instant_digits
from harness.report import Violation
from harness.trace import Event, MessageMoved, Trace

_BEFORE: Final = 3
"""So many rows that both have lead up to the first difference."""
_ALIGNED_MAX: Final = 150
"""Rows of either run that are looked for in the other from the first difference on; it takes their square."""


@dataclass(frozen=True, slots=True)
class Told:
    """One row of one run."""

    clock: str
    host: str
    words: str
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Pair:
    """A row of both runs, or of one; ``first`` is true where they part."""

    broken: Told | None
    kept: Told | None
    first: bool = False

    @property
    def kind(self) -> str:
        """Return "same", "moved" (at another time), or in which run it is: "broken", "kept", "other"."""
        if self.broken is None or self.kept is None:
            return "kept" if self.broken is None else "broken"
        if _what(self.broken) != _what(self.kept):
            return "other"
        return "same" if self.broken.clock == self.kept.clock else "moved"


@dataclass(frozen=True, slots=True)
class Comparison:
    """Where two runs part, with the rows around it.

    ``common`` rows are the same from the start, ``until`` the time of the last of them; ``more_broken`` and
    ``more_kept`` rows follow those that are shown.
    """

    pairs: tuple[Pair, ...]
    common: int
    until: str
    more_broken: int
    more_kept: int

    @property
    def part(self) -> bool:
        """Whether any row differs."""
        return any(pair.first for pair in self.pairs)


def comparison(violation: Violation, rows_max: int) -> Comparison | None:
    """Compare a violation with its nearest passing run, None where there is none that can be shown.

    At most ``rows_max`` pairs of rows stand from the first difference on.
    """
    trace, nearest = violation.trace, violation.nearest
    if violation.counterexample.nearest is None or not trace.events or not nearest.events:
        return None
    marked = boundary_places(trace, violation.counterexample.finding.events)
    broken_rows, kept_rows = _shown(trace, marked), _shown(nearest, ())
    places = [(trace.events, row) for row in broken_rows] + [(nearest.events, row) for row in kept_rows]
    digits = instant_digits(tuple(events[row.places[0]].at for events, row in places))
    broken = [_told(trace.events, row, digits) for row in broken_rows]
    kept = [_told(nearest.events, row, digits) for row in kept_rows]
    alike = takewhile(lambda pair: _same(*pair), zip(broken, kept, strict=False))
    common = sum(1 for _ in alike)
    end = common + _ALIGNED_MAX
    after = list(_aligned(broken[common:end], kept[common:end]))[:rows_max]
    if after:
        after[0] = replace(after[0], first=True)
    before = zip(
        broken[max(common - _BEFORE, 0) : common], kept[max(common - _BEFORE, 0) : common], strict=True
    )
    return Comparison(
        pairs=(*(Pair(one, other) for one, other in before), *after),
        common=common,
        until=broken[common - 1].clock if common else "",
        more_broken=len(broken) - common - sum(pair.broken is not None for pair in after),
        more_kept=len(kept) - common - sum(pair.kept is not None for pair in after),
    )


def _shown(trace: Trace, marked: Collection[int]) -> list[Row]:
    return [row for row in rows_of(trace.events, marked, len(trace.events)) if row.shown]


def _told(events: Sequence[Event], row: Row, digits: int) -> Told:
    event = events[row.places[0]]
    clock = instant(event.at, digits=digits)
    if not isinstance(event, MessageMoved):
        return Told(clock, event.host, event_phrase(event), row.marked)
    moves = [it for it in (events[place] for place in row.places) if isinstance(it, MessageMoved)]
    targets = ", ".join(dict.fromkeys(it.target for it in moves))
    lost = "" if event.moved == "delivered" else f" ({event.moved})"
    return Told(clock, f"{event.source} → {targets}", f"{message_label(event.label)}{lost}", row.marked)


def _what(told: Told) -> tuple[str, str]:
    return told.host, told.words


def _same(one: Told, other: Told) -> bool:
    return (one.clock, *_what(one)) == (other.clock, *_what(other))


def _aligned(broken: Sequence[Told], kept: Sequence[Told]) -> Iterator[Pair]:
    matcher = SequenceMatcher(None, [_what(it) for it in broken], [_what(it) for it in kept], autojunk=False)
    for _, from_, to, other_from, other_to in matcher.get_opcodes():
        for one, other in zip_longest(broken[from_:to], kept[other_from:other_to]):
            yield Pair(one, other)
