"""What the pattern uses of Ably: a realtime connection, channels, headers and the verified user claim.

Owns the vocabulary that the rest of this package sees. Two clients stand behind it: the channel client over
simulated messages (``over_messages``) and the vendor's own SDK over sockets (``over_sdk``).

Invariant: ``client_id`` and ``role`` of an incoming message were written by the service.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, Protocol, TypeAlias

from pydantic import JsonValue

from harness.adapter import Machine
from harness.messaging import ChannelError

REQUEST: Final = "approval-request"
RESPONSE: Final = "approval-response"
TOOL_CALL_ID: Final = "toolCallId"

AUTHORISATION_CODES: Final = range(40100, 40200)
"""Ably's codes for what a token does not permit, or for a token that is no good."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One message as the pattern's code reads it; ``role`` is ``extras.userClaim``."""

    name: str
    data: JsonValue
    tool_call_id: str
    client_id: str
    role: str | None
    serial: str

    def field(self, key: str) -> JsonValue:
        """Return a field of the payload, None where there is none."""
        return self.data.get(key) if isinstance(self.data, dict) else None


Listener: TypeAlias = Callable[[Incoming], None]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of history, latest message first, and how to ask for the next one."""

    items: tuple[Incoming, ...]
    next: "Callable[[], Awaitable[Page]] | None"


class ApprovalChannel(Protocol):
    """One session's channel. Every coroutine raises ChannelError where it is refused or cannot be done."""

    def subscribe(self, name: str | None, listener: Listener) -> None:
        """Hand live messages called ``name`` (None: all) to ``listener``; call it before attaching."""

    def on_discontinuity(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when live messages may have been missed."""

    async def attach(self) -> None:
        """Attach without rewind."""

    async def publish(self, name: str, data: JsonValue, tool_call_id: str = "") -> None:
        """Publish, with the tool call's id in the headers; returns once it is acknowledged."""

    async def history(self) -> Page:
        """Return the latest page of what was published before this attachment, or so far."""


class Realtime(Protocol):
    """One connection, opened by itself and kept open."""

    @property
    def connected(self) -> bool:
        """Whether the connection stands."""

    def on_state(self, callback: Callable[[str], None]) -> None:
        """Call ``callback`` with each new connection state, as Ably names them."""

    def channel(self, name: str) -> ApprovalChannel:
        """Return a channel by its name."""

    async def close(self) -> None:
        """End the connection."""


class Dial(Protocol):
    """Connects machines to the service of one run."""

    def __call__(self, machine: Machine, token: str) -> Realtime:
        """Connect from ``machine`` as the holder of ``token``."""

    async def close(self) -> None:
        """End what would outlive the run."""


def channel_of(tenant: str, session: str) -> str:
    """Return the name of a session's channel."""
    return f"approvals:{tenant}:{session}"


def is_refusal(error: ChannelError) -> bool:
    """Return whether the service refused for want of authority, rather than being out of reach."""
    return error.code in AUTHORISATION_CODES


def headers_of(tool_call_id: str) -> dict[str, str] | None:
    """Return the headers of a message about a tool call, None for one about none."""
    return {TOOL_CALL_ID: tool_call_id} if tool_call_id else None
