"""A recorded log ready for judging: its events, where each stood, and what is wrong with the whole.

Owns the reservations: what is known to be amiss with a log, line by line, and on what it casts doubt. This
module reads nothing and judges nothing.
"""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from harness.trace import Event, Trace

_NAMED_MAX: Final = 20
"""Reservations of one kind that are told in full; the others are counted."""


class Doubt(StrEnum):
    """What a reservation casts doubt on."""

    NOTHING = "nothing"
    """Told for the record: it takes nothing away."""
    ABSENCE = "absence"
    """Events are missing: that something is not in the log does not mean that it did not happen."""
    TIME = "time"
    """Clocks disagree: the order of lines is used, durations and deadlines are not judged."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """One thing that is amiss, at a line of the log (0: with the log as a whole)."""

    line: int
    reason: str
    doubt: Doubt


@dataclass(slots=True)
class Reservations:
    """Collects reservations; of each kind it keeps the first in full, so that a bad log costs no memory."""

    named: list[Reservation] = field(default_factory=list)
    _counted: Counter[str] = field(default_factory=Counter)

    def add(self, line: int, reason: str, doubt: Doubt, *, kind: str) -> None:
        """Add a reservation of ``kind``."""
        self._counted[kind] += 1
        if self._counted[kind] <= _NAMED_MAX:
            self.named.append(Reservation(line, reason, doubt))

    def all(self) -> tuple[Reservation, ...]:
        """Return what was added, and how many more there were of each kind."""
        more = [
            Reservation(0, f"{count - _NAMED_MAX} more of this kind: {kind}", Doubt.NOTHING)
            for kind, count in self._counted.items()
            if count > _NAMED_MAX
        ]
        return (*self.named, *more)


@dataclass(frozen=True, slots=True)
class Log:
    """One log: its trace, the place at which each event stood, and what is to be said about the whole.

    A place is a line, or a record of a document, from 1 on; ``place`` says which. ``lines_read`` counts all
    of them, those that say nothing of approvals included. ``since`` is the time from which the trace counts.
    """

    name: str
    trace: Trace
    lines: Sequence[int]
    reservations: tuple[Reservation, ...]
    lines_read: int
    place: str = "line"
    since: str = ""

    def doubts(self) -> frozenset[Doubt]:
        """Return everything on which some reservation casts doubt."""
        return frozenset(it.doubt for it in self.reservations)


@dataclass(slots=True)
class LogBuilder:
    """Puts a log together, event by event; line numbers take eight bytes each."""

    name: str
    events: list[Event] = field(default_factory=list)
    lines: "array[int]" = field(default_factory=lambda: array("Q"))
    reservations: Reservations = field(default_factory=Reservations)

    def add(self, line: int, event: Event) -> None:
        """Add the next event."""
        self.events.append(event)
        self.lines.append(line)

    def log(self, lines_read: int, *, adapter: str = "", scenario: str = "") -> Log:
        """Return what was put together."""
        trace = Trace(tuple(self.events), adapter, scenario)
        return Log(self.name, trace, self.lines, self.reservations.all(), lines_read)
