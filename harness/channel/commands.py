"""Commands: everything a client can ask of the service, one frozen class each.

Owns the vocabulary from client to service. Does not validate; whoever executes a command does.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias

from harness.channel.history import HistoryQuery
from harness.channel.messages import Message
from harness.channel.modes import Mode
from harness.channel.names import NO_PARAMS
from harness.channel.presence import PresenceMessage


@dataclass(frozen=True, slots=True)
class Connect:
    """Open a connection, or continue one.

    ``credentials`` is whatever the service's ``Authenticate`` function reads. ``client_id`` is a claimed
    identity. ``resume`` and ``recover`` carry an earlier connection key and follow the same rules (spec
    RTN15, RTN16). ``remain_present_ms`` is how long its members stay present once its transport is lost,
    ``None`` for the service's own choice.
    """

    credentials: object
    client_id: str | None = None
    resume: str | None = None
    recover: str | None = None
    echo: bool = True
    remain_present_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Attach:
    """Subscribe to a channel. ``channel_serial`` continues after it; ``modes=None`` asks for the default set.

    Known ``params``: ``rewind``, ``rewindLimit``, ``appendMode``, ``echo``, ``modes``; others are ignored.
    """

    channel: str
    modes: Mode | None = None
    params: Mapping[str, str] = NO_PARAMS
    channel_serial: str | None = None


@dataclass(frozen=True, slots=True)
class Detach:
    """Leave a channel."""

    channel: str


@dataclass(frozen=True, slots=True)
class Publish:
    """Publish messages as one atomic frame. ``msg_serial`` counts frames of the connection (spec RTN7b)."""

    channel: str
    msg_serial: int
    messages: tuple[Message, ...]
    params: Mapping[str, str] = NO_PARAMS


@dataclass(frozen=True, slots=True)
class Operate:
    """Update, delete or append to (``message.action``) the message that ``message.serial`` names."""

    channel: str
    msg_serial: int
    message: Message


@dataclass(frozen=True, slots=True)
class Announce:
    """Enter, update or leave presence. Shares the count of ``msg_serial`` with publishes."""

    channel: str
    msg_serial: int
    messages: tuple[PresenceMessage, ...]


@dataclass(frozen=True, slots=True)
class Resync:
    """Ask for the members of an attached channel again (spec RTP19)."""

    channel: str


@dataclass(frozen=True, slots=True)
class History:
    """Ask for one page of history; the answer carries ``request_id``."""

    request_id: int
    channel: str
    query: HistoryQuery


@dataclass(frozen=True, slots=True)
class Authorise:
    """Replace the connection's credentials in place (spec RTC8)."""

    credentials: object


@dataclass(frozen=True, slots=True)
class Ping:
    """Ask for a sign of life with the same id (spec RTN13e)."""

    id: str


@dataclass(frozen=True, slots=True)
class Close:
    """End the connection for good; its state is discarded at once."""


Command: TypeAlias = (
    Attach | Detach | Publish | Operate | Announce | Resync | History | Authorise | Ping | Close
)
"""What may arrive on an established connection."""
