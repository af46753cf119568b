"""For clients that must miss nothing: a link that does not give up, and a channel as one ordered stream.

Owns insisting. :class:`Link` tells a refusal, which is final and raised, from an outage, which is waited out
without a timer where the connection itself says when it is back. What was asked may reach the service more
than once, never less than once unless it was refused: messages bear ids of their own, so that a repetition
changes nothing.

Owns the joint between history and live messages. :class:`Feed` subscribes before it attaches, pages through
all of history, and holds live messages back meanwhile; where the channel says that live messages were missed
it does the same again from the last message handed on. What both hold is told by its serial. The point of
attachment is no bound here: the service refuses one that is older than its live window, as after a long cut.
It attaches with a rewind of one message, for the sake of what the answer says: where nothing comes before the
point of attachment there is no history to ask for, which spares every first client of a session a round trip.

Invariant: messages are handed on in channel order, without gaps and without repetition, in batches: what
was missed comes as one batch, live messages come one by one.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from functools import partial
from typing import Any, Final, TypeAlias, TypeVar

from harness.channel.history import HistoryQuery
from harness.messaging import ChannelClient, ChannelError, HistoryPage, Message, RemoteChannel
from harness.model import JsonValue

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


Hear: TypeAlias = Callable[[Sequence[Message]], None]
Spawn: TypeAlias = Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]]

PAGE_SIZE: Final = 100
_NEWEST: Final = "1"
"""A rewind by the newest message, if there is any."""


class Feed:
    """The gapless stream of the channel ``name``; ``hear`` gets the batches, ``spawn`` starts a catch-up."""

    def __init__(self, link: Link, name: str, hear: Hear, spawn: Spawn) -> None:
        self._link = link
        self._channel = link.channel(name)
        self._hear = hear
        self._spawn = spawn
        self._last_serial = ""
        self._held: list[Message] = []
        self._catching_up = True
        self._missed_more = False

    async def open(self) -> None:
        """Attach and hand on everything so far; raises ChannelError where the service refuses."""
        self._channel.subscribe(self._live)
        self._channel.on_discontinuity(self._missed)
        attached = await self._link.insist(partial(self._channel.attach, rewind=_NEWEST))
        missed = await self._missed_so_far() if attached.has_backlog or self._missed_more else []
        self._go_live(missed, attached.serial)

    def end(self) -> None:
        """Hand on nothing more."""
        self._hear = _nobody_hears

    async def publish(self, name: str, data: dict[str, JsonValue]) -> None:
        """Publish on the channel; raises ChannelError where the service refuses."""
        await self._link.insist(lambda: self._channel.publish(name, data))

    def _live(self, message: Message) -> None:
        if self._catching_up:
            self._held.append(message)
        else:
            self._hand_on([message])

    def _missed(self) -> None:
        self._missed_more = True
        if not self._catching_up:
            self._catching_up = True
            self._spawn(self._catch_up_or_stop())

    async def _catch_up_or_stop(self) -> None:
        """Catch up; where the service refuses, this feed is over and whoever publishes next is told."""
        try:
            await self._catch_up()
        except ChannelError:
            return

    async def _catch_up(self) -> None:
        self._go_live(await self._missed_so_far(), self._last_serial)

    async def _missed_so_far(self) -> list[Message]:
        while True:
            self._missed_more = False
            missed = await self._history()
            if not self._missed_more:
                return missed

    def _go_live(self, missed: list[Message], from_serial: str) -> None:
        """Hand on what was missed, then what was held; up to ``from_serial`` nothing is live."""
        self._hand_on(missed)
        self._last_serial = max(self._last_serial, from_serial)
        held, self._held = self._held, []
        self._catching_up = False
        self._hand_on(held)

    async def _history(self) -> list[Message]:
        """Return what history holds after the last message handed on, oldest first, whatever its length."""
        missed: list[Message] = []
        cursor: HistoryQuery | None = None
        while True:
            page = await self._link.insist(partial(self._page, cursor))
            fresh = [message for message in page.items if message.serial > self._last_serial]
            missed += fresh
            cursor = page.next
            if cursor is None or len(fresh) < len(page.items):
                missed.reverse()
                return missed

    async def _page(self, cursor: HistoryQuery | None) -> HistoryPage:
        return await self._channel.history(limit=PAGE_SIZE, cursor=cursor)

    def _hand_on(self, messages: list[Message]) -> None:
        batch = []
        for message in messages:
            if message.serial > self._last_serial:
                self._last_serial = message.serial
                batch.append(message)
        if batch:
            self._hear(batch)


def _nobody_hears(_messages: Sequence[Message]) -> None:
    """Take the place of who listened to a feed that has ended."""
