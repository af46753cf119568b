"""A trace as a space-time diagram: where every lane, event and message stands, as plain geometry.

Owns the layout that all pictures of a race share: a lane for every host, a row for every event worth one,
time downwards with idle stretches folded, messages as arrows from the place where they were sent to the
place where they arrived. It draws nothing: whoever draws decides on pixels' colours, not on places.

All lengths are in units of the picture (pixels, before scaling); y grows downwards.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from harness.deviations import CutLink
from harness.model import HostName
from harness.narrate import event_phrase
from harness.narrate.events import message_label
from harness.narrate.lanes import hosts_of
from harness.narrate.selection import IDLE_NS, Row, folded_words, idle_words, rows_of
from harness.narrate.units import instant, instant_digits
from harness.plan import Plan
from harness.report.lifelines import Stretch, stretches
from harness.trace import (
    AnswerSent,
    DecisionTaken,
    DeviationFired,
    EffectExecuted,
    Event,
    ForgerySent,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    OutcomeReported,
    Trace,
)

ROW_HEIGHT: Final = 32
"""Two lines of small print: what a narrow screen needs."""


_FOLDED_DRAWN_MAX: Final = 8
"""So many folded messages can be told apart within the height of one row."""


class StepKind(StrEnum):
    """What a row tells."""

    EVENT = "event"
    MESSAGE = "message"
    FAULT = "fault"
    FOLDED = "folded"
    IDLE = "idle"


class Sign(StrEnum):
    """How an event is drawn on its lane."""

    PLAIN = "plain"
    ANSWER = "answer"
    DECISION = "decision"
    EFFECT = "effect"
    OUTCOME = "outcome"
    CRASH = "crash"
    RESTART = "restart"
    HOSTILE = "hostile"


_SIGNS: Final[Mapping[type[object], Sign]] = {
    AnswerSent: Sign.ANSWER,
    DecisionTaken: Sign.DECISION,
    EffectExecuted: Sign.EFFECT,
    OutcomeReported: Sign.OUTCOME,
    HostCrashed: Sign.CRASH,
    HostRestarted: Sign.RESTART,
    ForgerySent: Sign.HOSTILE,
}


@dataclass(frozen=True, slots=True)
class Step:
    """One row: when, on which host, what; ``place`` is that of its last event in the trace."""

    y: int
    clock: str
    host: str
    words: str
    kind: StepKind
    place: int
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Dot:
    """One event on a lane."""

    lane: int
    y: int
    sign: Sign
    marked: bool


@dataclass(frozen=True, slots=True)
class Arrow:
    """One message from lane to lane; a lost one ends halfway, a faint one carries nothing published."""

    source: int
    source_y: int
    target: int
    target_y: int
    lost: bool = False
    faint: bool = False
    marked: bool = False


@dataclass(frozen=True, slots=True)
class Cut:
    """A stretch of time in which nothing passes between two lanes."""

    one: int
    other: int
    from_y: int
    to_y: int


@dataclass(frozen=True, slots=True)
class Diagram:
    """The whole picture; a lane's number is its place in ``lanes``."""

    lanes: tuple[HostName, ...]
    steps: tuple[Step, ...]
    dots: tuple[Dot, ...]
    arrows: tuple[Arrow, ...]
    cuts: tuple[Cut, ...]
    stretches: tuple[Stretch, ...]
    height: int


def diagram(trace: Trace, marked: Collection[int], plan: Plan | None = None, *, rows_max: int) -> Diagram:
    """Lay out ``trace``; ``marked`` holds the places of the events that show a violation.

    ``plan`` adds when its cuts end, which no event tells. At most about ``rows_max`` events have a row.
    """
    events = trace.events
    rows = rows_of(events, marked, rows_max)
    shown = [events[place] for row in rows if row.shown for place in row.places]
    lanes = tuple(host for host in hosts_of(events) if any(_involves(event, host) for event in shown))
    sheet = _Sheet(events, instant_digits(tuple(event.at for event in shown)))
    for row in rows:
        sheet.add(row)
    sheet.place_waiting(sheet.next_y)
    numbers = {host: number for number, host in enumerate(lanes)}
    height = sheet.next_y
    return Diagram(
        lanes=lanes,
        steps=tuple(sheet.steps),
        dots=tuple(_dots(rows, events, numbers, sheet.ys)),
        arrows=tuple(_arrows(rows, events, numbers, sheet.ys)),
        cuts=tuple(_cuts(events, plan, numbers, sheet)),
        stretches=stretches(events, lanes, sheet.ys, height),
        height=height,
    )


def _involves(event: Event, host: HostName) -> bool:
    if isinstance(event, MessageMoved):
        return host in (event.source, event.target)
    return event.host == host


@dataclass(slots=True)
class _Sheet:
    """The rows as they are placed from top to bottom; ``ys`` is where each event of the trace stands."""

    events: Sequence[Event]
    digits: int
    steps: list[Step] = field(default_factory=list)
    ys: dict[int, int] = field(default_factory=dict)
    next_y: int = ROW_HEIGHT // 2
    last_y: int = 0
    last_ns: int = 0
    waiting: list[int] = field(default_factory=list)
    """Places without a row of their own: they go between the rows around them."""

    def add(self, row: Row) -> None:
        """Place a row, or have its events wait for the next one."""
        if not row.shown and not row.folded:
            self.waiting.extend(row.places)
            return
        first = self.events[row.places[0]]
        gap_ns = first.at - self.last_ns
        if gap_ns >= IDLE_NS and row.shown:
            self._fold_idle(first.at, gap_ns)
        y = self._take()
        self.last_ns = self.events[row.places[-1]].at
        if row.folded:
            self._spread(row.places, y - ROW_HEIGHT // 2, y + ROW_HEIGHT // 2)
            words = folded_words(self.events, row)
            self.steps.append(Step(y, self._clock(first.at), "", words, StepKind.FOLDED, row.places[-1]))
            return
        self.ys |= dict.fromkeys(row.places, y)
        self.steps.append(self._told(row, y))

    def place_waiting(self, until_y: int) -> None:
        """Spread what waits between the last row and ``until_y``."""
        self._spread(self.waiting, self.last_y, until_y)
        self.waiting.clear()

    def y_at(self, at_ns: int) -> int:
        """Return the height just above the first row that is not before ``at_ns``."""
        places = (place for place, event in enumerate(self.events) if event.at >= at_ns)
        later = next((self.ys[place] for place in places if place in self.ys), self.next_y)
        return max(later - ROW_HEIGHT // 2, 0)

    def _take(self) -> int:
        y = self.next_y
        self.place_waiting(y)
        self.last_y, self.next_y = y, y + ROW_HEIGHT
        return y

    def _fold_idle(self, at_ns: int, gap_ns: int) -> None:
        """Take a row for idle time; what waits and is nearer to its end goes below it."""
        middle_ns = at_ns - gap_ns // 2
        below = [place for place in self.waiting if self.events[place].at > middle_ns]
        self.waiting = self.waiting[: len(self.waiting) - len(below)]
        last_place = self.steps[-1].place if self.steps else 0
        y = self._take()
        self.steps.append(Step(y, "", "", idle_words(gap_ns), StepKind.IDLE, last_place))
        self.waiting = below

    def _spread(self, places: Sequence[int], from_y: int, to_y: int) -> None:
        for number, place in enumerate(places, start=1):
            self.ys[place] = from_y + (to_y - from_y) * number // (len(places) + 1)

    def _clock(self, at_ns: int) -> str:
        return instant(at_ns, digits=self.digits)

    def _told(self, row: Row, y: int) -> Step:
        event = self.events[row.places[0]]
        clock, place = self._clock(event.at), row.places[-1]
        if not isinstance(event, MessageMoved):
            kind = StepKind.FAULT if isinstance(event, _FAULTS) else StepKind.EVENT
            return Step(y, clock, event.host, event_phrase(event), kind, place, row.marked)
        moves = [it for it in (self.events[at] for at in row.places) if isinstance(it, MessageMoved)]
        targets = ", ".join(dict.fromkeys(it.target for it in moves))
        lost = event.moved != "delivered"
        words = message_label(event.label) + (f" ({event.moved})" if lost else "")
        kind = StepKind.FAULT if lost else StepKind.MESSAGE
        return Step(y, clock, f"{event.source} → {targets}", words, kind, place, row.marked)


_FAULTS: Final = (HostCrashed, HostRestarted, DeviationFired)


def _dots(
    rows: Sequence[Row], events: Sequence[Event], numbers: Mapping[HostName, int], ys: Mapping[int, int]
) -> Iterator[Dot]:
    for row in rows:
        event = events[row.places[0]] if row.shown else None
        if event is None or isinstance(event, MessageMoved) or event.host not in numbers:
            continue
        sign = _SIGNS.get(type(event), Sign.PLAIN)
        yield Dot(numbers[event.host], ys[row.places[0]], sign, row.marked)


def _arrows(
    rows: Sequence[Row], events: Sequence[Event], numbers: Mapping[HostName, int], ys: Mapping[int, int]
) -> Iterator[Arrow]:
    sent: dict[int, int] = {}
    for row in rows:
        for place in row.places:
            event = events[place]
            if not isinstance(event, MessageMoved):
                continue
            if event.moved == "sent":
                sent[event.message] = place
            if event.moved not in ("delivered", "lost", "held") or len(row.told) > _FOLDED_DRAWN_MAX:
                continue
            if event.source not in numbers or event.target not in numbers or event.source == event.target:
                continue
            yield Arrow(
                source=numbers[event.source],
                source_y=ys[sent.get(event.message, place)],
                target=numbers[event.target],
                target_y=ys[place],
                lost=event.moved != "delivered",
                faint=not row.shown,
                marked=row.marked,
            )


def _cuts(
    events: Sequence[Event], plan: Plan | None, numbers: Mapping[HostName, int], sheet: _Sheet
) -> Iterator[Cut]:
    deviations = plan.deviations if plan is not None else ()
    for event in events:
        if not isinstance(event, DeviationFired) or event.index >= len(deviations):
            continue
        cut = deviations[event.index]
        if isinstance(cut, CutLink) and cut.one in numbers and cut.other in numbers:
            one, other = sorted((numbers[cut.one], numbers[cut.other]))
            from_y, to_y = sheet.y_at(cut.at_ns), sheet.y_at(cut.at_ns + cut.for_ns)
            yield Cut(one, other, from_y, max(to_y, from_y + ROW_HEIGHT // 2))
