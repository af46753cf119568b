"""The frame: one atomic step of a channel, and the seam through which frames become durable.

Owns the unit of order (one publish or one operation, one channel serial) and the :class:`Store` contract.
Does not order, merge or deliver.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

from harness.channel.messages import Message


@dataclass(frozen=True, slots=True)
class Frame:
    """One publish or operation as ordered by the channel.

    The messages of a publish are creations; an operation holds exactly one message: the whole merged
    message for an update or delete, only the added data for an append.
    """

    channel_serial: str
    id: str
    connection_id: str | None
    timestamp_ms: int
    messages: tuple[Message, ...]
    idempotency_key: str | None = None
    ephemeral: bool = False


class Store(Protocol):
    """Where a service keeps what must survive it.

    Called synchronously, before the publisher is acknowledged.
    """

    def append(self, channel: str, frame: Frame) -> None:
        """Make ``frame`` durable; raising leaves the channel unchanged and the publish unacknowledged."""

    def load(self, channel: str) -> Iterable[Frame]:
        """Return the frames of a channel in the order in which they were appended."""


class VolatileStore:
    """Keeps nothing: the default of a service whose state may die with it."""

    def append(self, channel: str, frame: Frame) -> None:
        """Forget ``frame``."""

    def load(self, channel: str) -> Iterable[Frame]:  # noqa: ARG002 - the contract's signature
        """Return nothing."""
        return ()
