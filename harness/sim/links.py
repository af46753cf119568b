"""Owns the vocabulary of the network.

What a transmission is, what can become of it, and the state of one link.

Invariant: everything here is data. A link is directed and is named by the hosts at its two ends; it is cut or
whole, and counts what was put on it. What happens to a message is decided by the owner's `fate` and carried
out by `network`.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Final, Literal, NamedTuple, Protocol, cast

TransmissionKind = Literal["message", "connection"]
NetworkEventKind = Literal["sent", "delivered", "lost", "held", "connected", "closed"]
CloseReason = Literal["closed", "reset", "refused", "timed out"]
"""closed: the other end closed; reset: the connection broke; refused and timed out: it never came to be."""


class Transmission(NamedTuple):
    """One message or connection attempt put on a link.

    A NamedTuple because there is one for every message sent.

    `number` counts from 0 for each directed link, connection attempts apart from messages. `size` is in
    bytes, 0 for messages that are objects.
    """

    source: str
    target: str
    kind: TransmissionKind
    number: int
    label: str
    size: int


@dataclass(frozen=True, slots=True)
class Fate:
    """What becomes of a transmission.

    `delay_ns` on top of the latency, 0 (lost), 1 or more copies, or a reset.

    On byte streams a lost message resets the connection and further copies are ignored: TCP hides the rest.
    """

    delay_ns: int = 0
    copies: int = 1
    reset: bool = False


UNHINDERED = Fate()
"""The calm world: delivered once, after the link's latency."""


class NetworkEvent(NamedTuple):
    """What the recorder is told; a NamedTuple because it is made twice for every message.

    `message_id` numbers messages over the whole run; -1 for events of a connection.
    """

    kind: NetworkEventKind
    message_id: int
    source: str
    target: str
    label: str
    at_ns: int


network_event: Final = cast(
    "Callable[[tuple[NetworkEventKind, int, str, str, str, int]], NetworkEvent]",
    partial(tuple.__new__, NetworkEvent),
)
"""Make an event of its fields in a tuple, in a third of the time that the class's own constructor takes."""


class Held(Protocol):
    """Something that a cut link holds back."""

    def release(self) -> None:
        """Continue, now that the link is healed."""
        ...


@dataclass(slots=True)
class Link:
    """The state of one directed link.

    `latency_ns` None means the network's default; `waiting` is what a cut holds.
    """

    source: str
    target: str
    latency_ns: int | None = None
    cut: bool = False
    messages: int = 0
    connections: int = 0
    waiting: list[Held] = field(default_factory=list)
