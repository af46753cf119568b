"""What of a trace is worth a row, and what is folded away.

Owns the choice that every picture of a trace shares: the chatter of connections, screens that say nothing
new, long idle times and, where a trace is long, what is far from the point are folded. What shows the
violation always has a row. It draws nothing.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from enum import IntEnum
from itertools import groupby
from typing import Final

from harness.narrate.units import duration, plural
from harness.plan import DAY, MINUTE, SECOND
from harness.trace import DeviationFired, Event, MessageMoved, Quiet, ScreenShown, SettledShown, Trace

IDLE_NS: Final = 20 * SECOND
"""Longer gaps are folded: nothing in a calm exchange takes more than a few seconds."""
_ROUNDING: Final = ((DAY, 60 * MINUTE), (60 * MINUTE, MINUTE), (0, SECOND))
"""Gaps of at least this length are told to the nearest of this unit."""
_CHATTER_UNTOLD_MAX: Final = 3
"""So many messages that carry nothing (acknowledgements and the like) go without saying."""
_TOLD_FAULTS: Final = ("delay-message", "duplicate-message", "cut-link", "reset-link", "skew-clock")
"""Deviations whose effect no other line shows at the moment it sets in."""


class _Weight(IntEnum):
    """How much an event matters to a reader."""

    NOTHING = 0
    CHATTER = 1
    MESSAGE = 2
    EVENT = 3
    MARKED = 4


@dataclass(frozen=True, slots=True)
class Row:
    """Events that are shown together, folded together, or passed over together.

    ``places`` are places in the trace; ``told`` those of them that a folded row counts.
    """

    places: tuple[int, ...]
    shown: bool = False
    marked: bool = False
    folded: bool = False
    told: tuple[int, ...] = ()


def rows_of(events: Sequence[Event], marked: Collection[int], rows_max: int) -> tuple[Row, ...]:
    """Return all events as rows in their order, at most ``rows_max`` of them shown.

    ``marked`` holds the places of the events that show a violation. More events than rows are thinned
    out: messages first, then what is farthest from a marked event. One message that reaches several hosts
    at one instant is one row.
    """
    weights = _weights(events, frozenset(marked))
    return tuple(_rows(events, weights, _chosen(weights, rows_max)))


def folded_words(events: Sequence[Event], row: Row) -> str:
    """Return what a folded row hides: "12 messages and 1 event"."""
    messages = sum(isinstance(events[place], MessageMoved) for place in row.told)
    others = len(row.told) - messages
    counts = [plural(messages, "message")] * (messages > 0) + [plural(others, "event")] * (others > 0)
    return " and ".join(counts)


def idle_words(gap_ns: int) -> str:
    """Return a long gap without the digits that nobody reads: "2 min later"."""
    unit = next(unit for least, unit in _ROUNDING if gap_ns >= least)
    return f"{duration((gap_ns + unit // 2) // unit * unit)} later"


def boundary_places(trace: Trace, seqs: Collection[int]) -> frozenset[int]:
    """Return where events stand in a full trace, given their places among the events at the boundary.

    Properties judge a trace without the movements on the network; its pictures show them.
    """
    at_boundary = [place for place, event in enumerate(trace.events) if not isinstance(event, MessageMoved)]
    return frozenset(at_boundary[seq] for seq in seqs if seq < len(at_boundary))


@dataclass(slots=True)
class _Scene:
    """What is known while a trace is read from top to bottom."""

    shown: dict[str, tuple[object, ...]] = field(default_factory=dict)
    quiet: bool = False


def _weights(events: Sequence[Event], marked: frozenset[int]) -> list[_Weight]:
    scene = _Scene()
    weights = []
    for place, event in enumerate(events):
        weight = _weight(event, scene)
        weights.append(_Weight.MARKED if place in marked else weight)
    return weights


def _weight(event: Event, scene: _Scene) -> _Weight:
    match event:
        case MessageMoved():
            return _message_weight(event)
        case ScreenShown(device=device, cards=cards):
            news = scene.shown.get(device, ()) != cards
            scene.shown[device] = cards
            return _Weight.EVENT if news and not scene.quiet else _Weight.NOTHING
        case DeviationFired(deviation=deviation):
            return _Weight.EVENT if deviation in _TOLD_FAULTS else _Weight.NOTHING
        case SettledShown():
            return _Weight.NOTHING
        case Quiet():
            scene.quiet = True
            return _Weight.EVENT
        case _:
            return _Weight.EVENT


def _message_weight(event: MessageMoved) -> _Weight:
    """Return the weight of a movement; a label of one word carries nothing that anybody published."""
    if event.moved in ("lost", "held"):
        return _Weight.EVENT
    if event.moved != "delivered":
        return _Weight.NOTHING
    return _Weight.MESSAGE if " " in event.label else _Weight.CHATTER


def _chosen(weights: Sequence[_Weight], rows_max: int) -> frozenset[int]:
    """Return the places that get a row."""
    for least in (_Weight.MESSAGE, _Weight.EVENT):
        places = [place for place, weight in enumerate(weights) if weight >= least]
        if len(places) <= rows_max:
            return frozenset(places)
    marks = [place for place in places if weights[place] is _Weight.MARKED] or [len(weights)]
    near = sorted(places, key=lambda place: (min(abs(place - mark) for mark in marks), place))
    return frozenset(near[:rows_max]) | frozenset(mark for mark in marks if mark < len(weights))


def _rows(events: Sequence[Event], weights: Sequence[_Weight], chosen: frozenset[int]) -> list[Row]:
    rows: list[Row] = []
    for is_chosen, group in groupby(range(len(events)), key=chosen.__contains__):
        places = tuple(group)
        if not is_chosen:
            told = tuple(place for place in places if weights[place] > _Weight.NOTHING)
            folded = len(told) > _CHATTER_UNTOLD_MAX or any(weights[it] > _Weight.CHATTER for it in told)
            rows.append(Row(places, folded=folded, told=told))
            continue
        for place in places:
            marked = weights[place] is _Weight.MARKED
            last = next((at for at in reversed(range(len(rows))) if rows[at].shown or rows[at].folded), None)
            if last is not None and not marked and _fans_out(rows[last], place, events):
                rows[last] = replace(rows[last], places=(*rows[last].places, place))
            else:
                rows.append(Row((place,), shown=True, marked=marked))
    return rows


def _fans_out(row: Row, place: int, events: Sequence[Event]) -> bool:
    """Return whether an event is one more delivery of the message that a row shows."""
    first, more = events[row.places[0]], events[place]
    if row.marked or row.folded:
        return False
    if not isinstance(first, MessageMoved) or not isinstance(more, MessageMoved):
        return False
    same = (first.at, first.source, first.label) == (more.at, more.source, more.label)
    return same and first.moved == more.moved == "delivered"
