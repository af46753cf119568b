"""Lanes over time: from where to where each host is up, or without power.

Owns what an event says about the host that it happens on. It knows heights, not what is drawn there.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from harness.model import HostName
from harness.trace import DeviationFired, Event, HostCrashed, MessageMoved, Quiet


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a lane; ``up`` is whether its host has power."""

    lane: int
    from_y: int
    to_y: int
    up: bool


def stretches(
    events: Sequence[Event], lanes: Sequence[HostName], ys: Mapping[int, int], height: int
) -> tuple[Stretch, ...]:
    """Return all pieces of ``lanes``; a lane begins with the first event of its host."""
    numbers = {host: number for number, host in enumerate(lanes)}
    since: dict[HostName, tuple[int, bool]] = {}
    pieces: list[Stretch] = []
    for place, event in enumerate(events):
        for host, up in _powers(event):
            if host not in numbers or since.get(host, (0, not up))[1] == up:
                continue
            if host in since:
                pieces.append(Stretch(numbers[host], since[host][0], ys[place], not up))
            since[host] = (ys[place], up)
    pieces.extend(Stretch(numbers[host], from_y, height, up) for host, (from_y, up) in since.items())
    return tuple(sorted(pieces, key=lambda it: (it.lane, it.from_y)))


def _powers(event: Event) -> Iterator[tuple[HostName, bool]]:
    """Yield which hosts an event shows to have power, or to have lost it."""
    match event:
        case HostCrashed(host=host):
            yield host, False
        case MessageMoved(moved="delivered", source=source, target=target):
            yield target, True
        case MessageMoved(moved="sent", source=source):
            yield source, True
        case MessageMoved() | DeviationFired() | Quiet():
            return
        case _:
            yield event.host, True
