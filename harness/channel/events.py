"""Events and effects: everything the service says, and what its caller must do about it.

Owns the vocabulary from service to client. Events are frozen values; the two that are made once per
subscriber, :class:`Deliver` and :class:`Send`, are named tuples because they are most of the work of a
publish (building a frozen dataclass of six fields costs 1.0 us, a named tuple 0.4 us on the reference
machine). Does not decide anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple, NewType, TypeAlias

from harness.channel.errors import ErrorInfo
from harness.channel.history import HistoryPage
from harness.channel.messages import Message
from harness.channel.modes import Mode
from harness.channel.presence import PresenceMessage

TransportId = NewType("TransportId", int)
"""Names one transport (socket, pipe) of the caller's; never reuse one."""


@dataclass(frozen=True, slots=True)
class Connected:
    """The connection stands. ``error`` set means that a resume failed and this is a new connection (RTN15c7).

    Also answers a successful :class:`~harness.channel.commands.Authorise`, with the same ids (RTC8a1).
    ``heartbeat_ms`` is the longest silence to expect, 0 if the service sends no heartbeats.
    """

    connection_id: str
    connection_key: str
    client_id: str | None
    state_ttl_ms: int
    message_bytes_max: int
    heartbeat_ms: int
    error: ErrorInfo | None


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The transport is being given up; the connection's state is kept for a resume (RTN15h)."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class ConnectionFailed:
    """The connection is refused or ended for a reason that a mere retry will not cure (RTN15i)."""

    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class Attached:
    """The channel is attached; any backlog follows. ``resumed`` promises that nothing was lost (RTL2f).

    ``channel_serial`` is where delivery on this attachment starts if ``resumed``, else the present.
    ``error`` set without ``resumed`` names a discontinuity that is not fatal.
    """

    channel: str
    channel_serial: str
    modes: Mode
    params: Mapping[str, str]
    resumed: bool
    has_backlog: bool
    error: ErrorInfo | None
    has_presence: bool = False
    """Whether the members follow in :class:`PresenceSync` pages; if not, there are none (spec RTP1)."""


@dataclass(frozen=True, slots=True)
class Detached:
    """The channel is not attached any more."""

    channel: str
    error: ErrorInfo | None = None


@dataclass(frozen=True, slots=True)
class ChannelFailed:
    """An attach was refused or an attachment ended for want of rights; the connection lives on (RTL14)."""

    channel: str
    error: ErrorInfo


class Deliver(NamedTuple):
    """One frame of messages for one attachment; ``id`` is ``<connection id>:<msg serial>`` (spec TM2a)."""

    channel: str
    channel_serial: str
    id: str
    connection_id: str | None
    timestamp_ms: int
    messages: tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class PresenceChanged:
    """Members entered, left or changed; ``id`` as in :class:`Deliver`."""

    channel: str
    channel_serial: str
    id: str
    connection_id: str | None
    timestamp_ms: int
    messages: tuple[PresenceMessage, ...]


@dataclass(frozen=True, slots=True)
class PresenceSync:
    """One page of the members at the time of the attach (spec RTP18). The cursor is empty on the last."""

    channel: str
    sync_id: str
    cursor: str
    messages: tuple[PresenceMessage, ...]


@dataclass(frozen=True, slots=True)
class Ack:
    """A publish or operation was ordered; one serial per message, ``None`` where it is no longer known."""

    msg_serial: int
    serials: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Nack:
    """A publish or operation was refused as a whole."""

    msg_serial: int
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class HistoryAnswered:
    """The page that a history request asked for."""

    request_id: int
    page: HistoryPage


@dataclass(frozen=True, slots=True)
class HistoryRefused:
    """A history request was refused."""

    request_id: int
    error: ErrorInfo


@dataclass(frozen=True, slots=True)
class AuthPrompt:
    """The token is about to expire; send new credentials (RTN22)."""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """Sign of life: of the service's own accord, or with the ``id`` of a ping."""

    id: str | None = None


@dataclass(frozen=True, slots=True)
class Closed:
    """The connection ended at the client's wish."""


Event: TypeAlias = (
    Connected
    | Disconnected
    | ConnectionFailed
    | Attached
    | Detached
    | ChannelFailed
    | Deliver
    | PresenceChanged
    | PresenceSync
    | Ack
    | Nack
    | HistoryAnswered
    | HistoryRefused
    | AuthPrompt
    | Heartbeat
    | Closed
)


class Send(NamedTuple):
    """Carry ``event`` to the client at the other end of ``transport``, in order."""

    transport: TransportId
    event: Event


class CloseTransport(NamedTuple):
    """Close ``transport`` once everything sent before has been carried."""

    transport: TransportId


Effect: TypeAlias = Send | CloseTransport
Effects: TypeAlias = tuple[Effect, ...]
