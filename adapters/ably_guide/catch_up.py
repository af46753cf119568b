"""A channel without gaps: its history up to the attachment, then what is live, each message once.

Owns what the published pattern leaves out: paging through history, however long, after every attachment that
missed something, and asking again after an outage. Messages are handed on in batches, in the order in which
they come: what overtook another on its way through a client does not make that one a repetition.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from pydantic import JsonValue

from harness.messaging import ChannelError

from .transport import ApprovalChannel, Incoming, Page, Realtime

T = TypeVar("T")
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

PASSING_CODES: Final = frozenset({50003, 80002, 80003, 90000, 90001, 90007})
"""Ably's codes for no answer in time, a lost or suspended connection, and a channel not attached for now."""
RETRY_S: Final = 1.0
"""Between attempts while the connection stands and only the channel is not attached yet."""


class GaplessChannel:
    """One channel of ``realtime``; ``hear`` gets every message once."""

    def __init__(
        self, realtime: Realtime, name: str, hear: Callable[[Sequence[Incoming]], None], spawn: Spawn
    ) -> None:
        self.name = name
        self._realtime = realtime
        self._channel: ApprovalChannel = realtime.channel(name)
        self._hear = hear
        self._spawn = spawn
        self._opening: asyncio.Task[None] | None = None
        self._last_serial = ""
        self._heard: set[str] = set()
        self._held: list[Incoming] = []
        self._behind = True
        self._missed_more = False
        self._back: asyncio.Future[None] | None = None
        realtime.on_state(self._on_state)

    async def open(self) -> None:
        """Attach and hand on everything so far, once; raises ChannelError where the service refuses."""
        if self._opening is None:
            self._opening = self._spawn(self._open())
        await self._opening

    async def publish(self, name: str, data: JsonValue, tool_call_id: str) -> None:
        """Publish, through outages; raises ChannelError where the service refuses."""
        await self.open()
        await self._insist(lambda: self._channel.publish(name, data, tool_call_id))

    def publish_soon(self, name: str, data: JsonValue, tool_call_id: str) -> None:
        """Publish in the background; what the service refuses is dropped."""
        self._spawn(self._unless_refused(partial(self.publish, name, data, tool_call_id)))

    async def _open(self) -> None:
        self._channel.subscribe(None, self._live)
        self._channel.on_discontinuity(self._missed)
        await self._insist(self._channel.attach)
        await self._catch_up()

    def _live(self, message: Incoming) -> None:
        if self._behind:
            self._held.append(message)
        else:
            self._hand_on([message])

    def _missed(self) -> None:
        self._missed_more = True
        if not self._behind:
            self._behind = True
            self._spawn(self._unless_refused(self._catch_up))

    async def _catch_up(self) -> None:
        missed: list[Incoming] = []
        self._missed_more = True
        while self._missed_more:
            self._missed_more = False
            missed = await self._history()
        held, self._held = self._held, []
        self._behind = False
        self._hand_on(missed)
        self._hand_on(held)

    async def _history(self) -> list[Incoming]:
        missed: list[Incoming] = []
        older: Callable[[], Awaitable[Page]] | None = self._channel.history
        while older is not None:
            page = await self._insist(older)
            missed += page.items
            seen = page.items and page.items[-1].serial <= self._last_serial
            older = None if seen else page.next
        missed.reverse()
        return missed

    def _hand_on(self, messages: Sequence[Incoming]) -> None:
        fresh = []
        for message in messages:
            if message.serial not in self._heard:
                self._heard.add(message.serial)
                fresh.append(message)
        self._last_serial = max([self._last_serial, *(message.serial for message in fresh)])
        if fresh:
            self._hear(fresh)

    async def _insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await ask()
            except ChannelError as error:
                if error.code not in PASSING_CODES:
                    raise
            if self._realtime.connected:
                await asyncio.sleep(RETRY_S)
            else:
                self._back = self._back or asyncio.get_running_loop().create_future()
                await self._back

    def _on_state(self, state: str) -> None:
        if self._back is not None and state in ("connected", "failed", "closed"):
            back, self._back = self._back, None
            back.set_result(None)

    async def _unless_refused(self, work: Callable[[], Awaitable[None]]) -> None:
        try:
            await work()
        except ChannelError:
            return
