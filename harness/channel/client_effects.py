"""Client effects: what the shell around a client must carry out, and what it learns.

Owns the vocabulary between the sans-IO client and its shell. Named tuples, because a client that connects
and attaches emits a dozen (0.4 us each, where a frozen dataclass costs 0.9 us on the reference machine);
tell them apart by their class, never by comparing values. Does not decide anything.
"""

from typing import NamedTuple, NewType, TypeAlias

from harness.channel.client_states import ChannelState, ConnectionState
from harness.channel.commands import Command, Connect
from harness.channel.errors import ErrorInfo
from harness.channel.events import Attached
from harness.channel.history import HistoryPage
from harness.channel.messages import Message

Token = NewType("Token", int)
"""Names one thing that was asked for; exactly one :class:`Resolved` or :class:`Rejected` carries it."""

Result: TypeAlias = Attached | HistoryPage | tuple[str | None, ...] | None
"""Of an attach, a history request, a publish or operation (its serials), and of anything else."""


class OpenTransport(NamedTuple):
    """Open a transport and pass ``connect`` to the service; tag what comes back with ``attempt``."""

    attempt: int
    connect: Connect


class SendCommand(NamedTuple):
    """Carry ``command`` to the service on the transport of ``attempt``, in order."""

    attempt: int
    command: Command


class DiscardTransport(NamedTuple):
    """Close the transport of ``attempt`` at once; nothing that still arrives on it counts."""

    attempt: int


class SetTimer(NamedTuple):
    """Call ``tick`` at ``at_ns``; replaces the timer set before, ``None`` cancels it."""

    at_ns: int | None


class Resolved(NamedTuple):
    """What ``token`` stands for has succeeded."""

    token: Token
    result: Result


class Rejected(NamedTuple):
    """What ``token`` stands for has failed or its answer never came.

    ``may_have_happened`` says that it was sent and its outcome is unknown: it is not a refusal.
    """

    token: Token
    error: ErrorInfo
    may_have_happened: bool


class ConnectionChanged(NamedTuple):
    """The connection moved; ``previous == current`` is an update (RTN24)."""

    previous: ConnectionState
    current: ConnectionState
    reason: ErrorInfo | None


class ChannelChanged(NamedTuple):
    """A channel moved; ``previous == current`` is an update (RTL12)."""

    channel: str
    previous: ChannelState
    current: ChannelState
    reason: ErrorInfo | None


class Delivered(NamedTuple):
    """A message arrived."""

    channel: str
    message: Message


class Discontinuity(NamedTuple):
    """Messages of a channel that was attached before may have been lost; read its history (RTL12)."""

    channel: str
    error: ErrorInfo | None


class TokenNeeded(NamedTuple):
    """The credentials expired or soon will: answer with ``authorise`` or ``renewal_failed``."""

    reason: ErrorInfo | None


ClientEffect: TypeAlias = (
    OpenTransport
    | SendCommand
    | DiscardTransport
    | SetTimer
    | Resolved
    | Rejected
    | ConnectionChanged
    | ChannelChanged
    | Delivered
    | Discontinuity
    | TokenNeeded
)
ClientEffects: TypeAlias = tuple[ClientEffect, ...]


class Issued(NamedTuple):
    """The token of what was asked for, and the effects to carry out now."""

    token: Token
    effects: ClientEffects
