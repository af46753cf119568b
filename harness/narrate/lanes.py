"""Hosts as columns: which hosts a listing shows, and how one row is drawn over them.

Owns the geometry: where each lane stands, what it looks like while its host is up, down or not there
yet, and how an arrow crosses the lanes between two hosts. It knows nothing of what events mean.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from harness.model import HostName
from harness.plan import SERVICE_HOST
from harness.trace import (
    AnswerSent,
    BodyEntered,
    DeviceJoined,
    EffectExecuted,
    Event,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    OutcomeReported,
    ReceiptGiven,
    RequestPublished,
    ScreenShown,
    SettledShown,
    ToolCalled,
)

_GAP: Final = 2
UP: Final = "│"
DOWN: Final = "┊"
ABSENT: Final = " "
IDLE: Final = "⋮"
EVENT: Final = "●"
POWER_LOST: Final = "X"


_ON_AGENTS: Final = (ToolCalled, RequestPublished, BodyEntered, EffectExecuted, OutcomeReported)
_ON_DEVICES: Final = (DeviceJoined, ScreenShown, SettledShown, AnswerSent, ReceiptGiven)
_ON_EITHER: Final = (HostCrashed, HostRestarted)


def hosts_of(events: Iterable[Event]) -> tuple[HostName, ...]:
    """Return the hosts that take part: agents, the channel service, devices in the order they join."""
    agents: dict[HostName, None] = {}
    services: dict[HostName, None] = {}
    others: dict[HostName, None] = {}
    for event in events:
        if isinstance(event, _ON_AGENTS):
            agents.setdefault(event.host)
        elif isinstance(event, _ON_DEVICES + _ON_EITHER):
            others.setdefault(event.host)
        elif isinstance(event, MessageMoved):
            for host in (event.source, event.target):
                (services if host == SERVICE_HOST else others).setdefault(host)
    rest = [host for host in others if host not in agents and host not in services]
    return (*agents, *services, *rest)


@dataclass(frozen=True, slots=True)
class Lanes:
    """The columns of one listing; ``places`` maps a host to the column of its line."""

    header: tuple[str, ...]
    places: Mapping[HostName, int]
    width: int

    @classmethod
    def of(cls, hosts: Sequence[HostName], width_max: int) -> "Lanes":
        """Return lanes for ``hosts`` headed by their names, or by letters where names are too wide."""
        names = [name.split("-") for name in hosts]
        named = cls._headed(hosts, names)
        if named.width <= width_max:
            return named
        letters = [[chr(ord("A") + place % 26)] for place in range(len(hosts))]
        return cls._headed(hosts, letters)

    @classmethod
    def _headed(cls, hosts: Sequence[HostName], names: Sequence[Sequence[str]]) -> "Lanes":
        depth = max((len(words) for words in names), default=0)
        rows = [""] * depth
        places: dict[HostName, int] = {}
        at = 0
        for host, words in zip(hosts, names, strict=True):
            places[host] = at
            for row, word in enumerate(words):
                rows[row] = rows[row].ljust(at) + word
            at += max(map(len, words)) + _GAP
        return cls(tuple(row.ljust(at) for row in rows), places, at)

    def legend(self) -> str:
        """Return which letter stands for which host, nothing where lanes bear the names."""
        letters = self.header[0].split() if self.header else []
        named = len(self.header) > 1 or any(len(letter) > 1 for letter in letters)
        return "" if named else ", ".join(f"{a} {b}" for a, b in zip(letters, self.places, strict=True))

    def row(self, looks: Mapping[HostName, str]) -> str:
        """Return one row; ``looks`` gives the sign of each lane."""
        cells = [" "] * self.width
        for host, place in self.places.items():
            cells[place] = looks.get(host, ABSENT)
        return "".join(cells)

    def arrow(
        self,
        looks: Mapping[HostName, str],
        source: HostName,
        targets: Sequence[HostName],
        *,
        lost: bool,
    ) -> str:
        """Return a row with arrows from ``source`` to ``targets``; a lost one ends halfway."""
        cells = list(self.row(looks))
        start = self.places[source]
        ends = [self.places[target] for target in targets]
        passed = [self.places[host] for host, look in looks.items() if look in (UP, DOWN)]
        for end in sorted(ends, key=lambda place: -abs(place - start)):
            step = 1 if end > start else -1
            stop = start + (end - start) // 2 if lost else end
            for place in range(start + step, stop, step):
                if place in passed:
                    cells[place] = UP if place in ends else "┼"
                else:
                    cells[place] = "─"
            if lost:
                cells[stop] = "x"
        for end in ends if not lost else ():
            step = 1 if end > start else -1
            cells[end - step] = ">" if step > 0 else "<"
        cells[start] = _junction({end > start for end in ends})
        return "".join(cells)


def _junction(ways: Collection[bool]) -> str:
    """Return the sign where arrows leave a lane: to the right (True), to the left, or both ways."""
    return "┼" if len(ways) > 1 else "├" if True in ways else "┤"
