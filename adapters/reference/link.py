"""Insisting: asking the channel service again until it answers, through every outage that passes.

Owns the difference between a refusal, which is final and raised, and an outage, which is waited out without
a timer where the connection itself says when it is back.

Invariant: what was asked may reach the service more than once, never less than once unless it was refused.
Every message of this protocol bears its own id, so that a repetition changes nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from harness.messaging import ChannelClient, ChannelError, RemoteChannel

T = TypeVar("T")

PASSING_CODES: Final = frozenset({50003, 80002, 80003, 90000, 90001, 90007})
"""No answer in time, connection suspended or lost, channel detached, not attached yet, attach unanswered."""
RETRY_S: Final = 1.0
"""Between two attempts on a standing connection, where a channel is still attaching again."""


class Link:
    """A client of the channel service that does not give up."""

    def __init__(self, client: ChannelClient) -> None:
        self.client = client
        self._connected: asyncio.Future[None] | None = None
        client.on_state(self._moved)

    def channel(self, name: str) -> RemoteChannel:
        """Return the channel called ``name``."""
        return self.client.channel(name)

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        """Return the answer to ``ask``, asking again after each outage; raises ChannelError for a refusal."""
        while True:
            try:
                return await ask()
            except ChannelError as error:
                if error.code not in PASSING_CODES:
                    raise
            await self._outage_over()

    async def _outage_over(self) -> None:
        if self.client.state == "connected":
            await asyncio.sleep(RETRY_S)
            return
        if self._connected is None:
            self._connected = asyncio.get_running_loop().create_future()
        await self._connected

    def _moved(self, state: str) -> None:
        if state in ("connected", "failed", "closed") and self._connected is not None:
            waiting, self._connected = self._connected, None
            waiting.set_result(None)
