"""The feed: history and live messages as one stream, in order, without gaps or repetition."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from harness.channel.history import HistoryQuery
from harness.feed import PAGE_SIZE, Feed, Link
from harness.messaging import Attachment, HistoryPage, Message

T = TypeVar("T")


def message(number: int) -> Message:
    serial = f"{number:06}"
    return Message(
        name="n", data=number, client_id="agent", serial=serial, timestamp_ms=0, id=serial, extras={}
    )


@dataclass
class FakeChannel:
    """A channel whose service already ordered ``log``; ``during`` runs while a history page is on its way."""

    log: list[Message]
    during: Callable[["FakeChannel"], None] = lambda _channel: None
    live: Callable[[Message], None] = lambda _message: None
    missed: Callable[[], None] = lambda: None
    pages: int = 0
    calls: list[str] = field(default_factory=list)

    def subscribe(self, callback: Callable[[Message], None]) -> None:
        self.calls.append("subscribe")
        self.live = callback

    def on_discontinuity(self, callback: Callable[[], None]) -> None:
        self.missed = callback

    async def attach(self, rewind: str | None = None) -> Attachment:
        assert rewind == "1"
        self.calls.append("attach")
        for newest in self.log[-1:]:
            self.live(newest)
        return Attachment(f"{len(self.log):06}", has_backlog=bool(self.log))

    async def history(
        self, *, limit: int, direction: str = "backwards", until_attach: bool = False, cursor: object = None
    ) -> HistoryPage:
        assert (direction, until_attach) == ("backwards", False)
        await asyncio.sleep(0)
        self.pages += 1
        end = len(self.log) if cursor is None else cast("int", cursor)
        start = max(0, end - limit)
        during, self.during = self.during, lambda _channel: None
        during(self)
        return HistoryPage(
            tuple(reversed(self.log[start:end])), cast("HistoryQuery", start) if start else None
        )

    def publish(self, number: int) -> None:
        self.log.append(message(number))
        self.live(self.log[-1])


@dataclass
class FakeLink:
    """A link to one channel that never fails."""

    only: FakeChannel

    def channel(self, name: str) -> FakeChannel:
        assert name == "room"
        return self.only

    async def insist(self, ask: Callable[[], Awaitable[T]]) -> T:
        return await ask()


def heard_by(channel: FakeChannel, act: Callable[[], None] = lambda: None) -> list[list[int]]:
    batches: list[list[int]] = []
    tasks: list[asyncio.Task[None]] = []

    def hear(batch: Sequence[Message]) -> None:
        batches.append([int(str(it.data)) for it in batch])

    def spawn(work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        tasks.append(asyncio.ensure_future(work))
        return tasks[-1]

    async def run() -> None:
        feed = Feed(cast("Link", FakeLink(channel)), "room", hear, spawn)
        await feed.open()
        act()
        await asyncio.gather(*tasks)

    asyncio.run(run())
    return batches


def test_it_listens_before_it_attaches() -> None:
    channel = FakeChannel([])
    heard_by(channel)
    assert channel.calls == ["subscribe", "attach"]


def test_a_channel_that_holds_nothing_yet_is_not_asked_for_history() -> None:
    channel = FakeChannel([])
    assert heard_by(channel, lambda: channel.publish(1)) == [[1]]
    assert channel.pages == 0


def test_all_pages_of_history_come_first_and_in_order() -> None:
    numbers = list(range(2 * PAGE_SIZE + 7))
    assert heard_by(FakeChannel([message(number) for number in numbers])) == [numbers]


def test_a_live_message_during_catch_up_waits_its_turn() -> None:
    channel = FakeChannel([message(1), message(2)], during=lambda it: it.publish(3))
    assert heard_by(channel) == [[1, 2], [3]]


def test_a_message_that_history_and_live_delivery_both_hold_is_heard_once() -> None:
    channel = FakeChannel([message(number) for number in range(2 * PAGE_SIZE)])
    channel.during = lambda it: it.live(message(2 * PAGE_SIZE - 1))
    assert heard_by(channel) == [list(range(2 * PAGE_SIZE))]


def test_live_messages_follow_one_by_one() -> None:
    channel = FakeChannel([message(1)])

    def publish_two() -> None:
        channel.publish(2)
        channel.publish(3)

    assert heard_by(channel, publish_two) == [[1], [2], [3]]


def test_a_message_delivered_twice_is_heard_once() -> None:
    channel = FakeChannel([message(1)])

    def deliver_twice() -> None:
        channel.live(message(2))
        channel.live(message(2))

    assert heard_by(channel, deliver_twice) == [[1], [2]]


def test_what_was_missed_is_caught_up_from_the_last_message_heard() -> None:
    channel = FakeChannel([message(number) for number in range(3 * PAGE_SIZE)])

    def miss() -> None:
        channel.log += [message(1_000), message(1_001)]
        channel.pages = 0
        channel.missed()
        channel.publish(1_002)

    assert heard_by(channel, miss)[1:] == [[1_000, 1_001, 1_002]]
    assert channel.pages == 1


def test_a_gap_during_catch_up_is_caught_up_too() -> None:
    def miss_again(channel: FakeChannel) -> None:
        channel.log.append(message(2))
        channel.missed()

    assert heard_by(FakeChannel([message(1)], during=miss_again)) == [[1, 2]]
