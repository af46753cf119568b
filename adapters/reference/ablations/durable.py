"""Faults in what survives crashes and disconnects, and in what every screen comes to show.

Owns the ablations of P13, P16, P17, P21 and P25.
"""

import asyncio
from collections.abc import Iterator
from functools import partial
from typing import Final

from harness.adapter import Environment, Machine
from harness.feed import Feed
from harness.messaging import EPOCH_NS, ChannelError, Message
from harness.model import (
    CallId,
    Choice,
    Decision,
    JsonValue,
    Outcome,
    Receipt,
    ReceiptStatus,
    RequestId,
    Style,
    ToolCall,
)

from .. import wire
from ..adapter import Parts
from ..agent import ReferenceAgent
from ..arbiter import Answer, Arbiter
from ..hostile import HostileDevice
from ..request import Request, State
from ..session import Session
from ..store import DiskStore, Store
from ..wire import Data, StateNotice
from .variant import ablation

_REGISTRATION_S: Final = 0.05
_WAITER_S: Final = 0.2
"""Connecting, attaching and reading history take an agent some 40 ms before it asks."""
_DAY_S: Final = 24 * 3_600.0
_ERRORS: Final = (
    ReceiptStatus.UNAUTHORISED,
    ReceiptStatus.INVALID,
    ReceiptStatus.UNKNOWN_REQUEST,
    ReceiptStatus.EXPIRED,
)
_LIVE_WINDOW_MS: Final = 120_000


class MemoryStore:
    """Keeps records in the process."""

    def __init__(self) -> None:
        self._records: dict[CallId, Request] = {}

    def load(self, call: CallId) -> Request | None:
        """Return the record of ``call``."""
        return self._records.get(call)

    def replace(self, before: Request | None, after: Request) -> bool:
        """Write ``after`` if ``before`` is what is there."""
        if self._records.get(after.call) != before:
            return False
        self._records[after.call] = after
        return True

    def all(self) -> Iterator[Request]:
        """Yield every record."""
        yield from [self._records[call] for call in sorted(self._records)]


class UnsyncedStore(DiskStore):
    """Writes, and leaves it to the machine when that becomes durable."""

    def _swap(self, call: CallId, expected: bytes | None, written: bytes) -> bool:
        if self._find(call) != expected:
            return False
        self._disk.write(f"request/{call}", written)
        return True


class AsksUnderNewId(ReferenceAgent):
    """Asks for a call that is under way under a new id after each restart."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Make the request known anew."""
        found = self.store.load(call.id)
        if found is not None:
            again = RequestId(f"{call.id}.{self._machine.host.incarnation}")
            asked = {**wire.request_data(found), "request": again}
            self._session(found.channel).publish_soon(wire.REQUEST, asked)
            self._machine.observe.request_published(again, call.id, call.arguments)
        return await super().call_tool(call)


class CardsKept(HostileDevice):
    """Leaves the card of an answered request where it is."""

    def _retire(self, notice: StateNotice) -> None:
        card = self._cards.get(notice.request)
        super()._retire(notice)
        if card is not None:
            self._cards[notice.request] = card


class ClickSettles(HostileDevice):
    """Shows a request as settled by the click on it, whatever became of the click."""

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Believe in the click."""
        receipt = await super().respond(request, decision)
        state = State.EXECUTED if decision.choice is Choice.APPROVED else State.REJECTED
        self._notices[request] = StateNotice(request, state, decision.choice, self._person.id)
        self._cards.pop(request, None)
        return receipt


class SweptCards(HostileDevice):
    """Sweeps what has been lying about for a day off the screen."""

    def _learn(self, channel: str, name: str | None, data: Data) -> None:
        super()._learn(channel, name, data)
        if name == wire.REQUEST:
            loop = asyncio.get_running_loop()
            loop.call_later(_DAY_S, self._cards.pop, RequestId(str(data["request"])), None)


class OneErrorField(HostileDevice):
    """Has one place for errors: whatever is refused shows on the newest card, as if that had ended."""

    def _told(self, answer: str, addressee: JsonValue, receipt: Receipt) -> None:
        mine = addressee == self._person.id and answer in self._waiting
        super()._told(answer, addressee, receipt)
        if mine and self._cards and receipt.status in _ERRORS:
            newest = next(reversed(self._cards))
            self._cards.pop(newest)
            self._notices[newest] = StateNotice(newest, State.CANCELLED)


class AnnouncesOnce(ReferenceAgent):
    """Announces a decision when it is made, and never again."""

    async def _resume(self, session: Session) -> None:
        try:
            await session.open()
        except ChannelError:
            return


class FirstPageOnly(Feed):
    """Reads one page of history."""

    async def _history(self) -> list[Message]:
        page = await self._link.insist(partial(self._page, None))
        fresh = [message for message in page.items if message.serial > self._last_serial]
        return fresh[::-1]


class LivePushOnly(Feed):
    """Reads no history at all."""

    async def _history(self) -> list[Message]:
        return []


class LiveWindowOnly(Feed):
    """Reads as much history as a rewind of two minutes holds."""

    async def _history(self) -> list[Message]:
        missed = await super()._history()
        newest_ms = self._now_ms()
        return [message for message in missed if newest_ms - message.timestamp_ms <= _LIVE_WINDOW_MS]

    def _now_ms(self) -> int:
        loop = asyncio.get_running_loop()
        return int(loop.time() * 1000) + EPOCH_NS // 1_000_000


class GapsIgnored(Feed):
    """Takes no notice of live messages that were missed."""

    def _missed(self) -> None:
        self._missed_more = self._catching_up


class FirstPageDevice(HostileDevice):
    """Reads its channels with :class:`FirstPageOnly`."""

    FEED = FirstPageOnly


class LivePushDevice(HostileDevice):
    """Reads its channels with :class:`LivePushOnly`."""

    FEED = LivePushOnly


class LiveWindowDevice(HostileDevice):
    """Reads its channels with :class:`LiveWindowOnly`."""

    FEED = LiveWindowOnly


class GapsIgnoredDevice(HostileDevice):
    """Reads its channels with :class:`GapsIgnored`."""

    FEED = GapsIgnored


class RegistersLate(ReferenceAgent):
    """Makes a request known, and registers a moment later who waits for what happens from then on."""

    async def _step(self, call: ToolCall, request: Request) -> None:
        if request.state is State.PENDING and request.deadline_ns is None:
            await asyncio.sleep(_WAITER_S)
            await self._change(request)
        else:
            await super()._step(call, request)


class BuffersEarly(ReferenceAgent):
    """Notes answers that come before the wait is registered, and never looks at the notes."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._registered: set[CallId] = set()

    async def _ask(self, request: Request) -> None:
        await super()._ask(request)
        await asyncio.sleep(_REGISTRATION_S)
        self._registered.add(request.call)

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        noted = request.state is State.PENDING and request.call not in self._registered
        return Receipt(ReceiptStatus.COUNTED) if noted else super()._ruled(request, answer)


class AnswersGoNowhere(ReferenceAgent):
    """Acknowledges answers after a restart, and hands them to the process that is gone."""

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        if self._machine.host.incarnation > 1 and request.state is State.PENDING:
            return Receipt(ReceiptStatus.COUNTED)
        return super()._ruled(request, answer)


class ListensOnce(ReferenceAgent):
    """Stops listening to a request after the first answer, whether or not that decided it."""

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        if request.call in self._deaf:
            return Receipt(ReceiptStatus.ALREADY_DECIDED)
        self._deaf.add(request.call)
        return super()._ruled(request, answer)

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._deaf: set[CallId] = set()


DURABLE: Final = (
    ablation(
        "records-kept-in-memory",
        Parts(store=lambda _environment, _machine: MemoryStore()),
        "P13",
        report="executor #1347: pending approvals lost on restart",
    ),
    ablation(
        "records-written-and-not-synced",
        Parts(store=lambda environment, _machine: UnsyncedStore(environment.shared_disk)),
        "P13",
        report="synthetic: the power goes before the page cache does",
    ),
    ablation(
        "asked-under-a-new-id-after-a-restart",
        Parts(agent=AsksUnderNewId),
        "P13",
        report="langgraph #5952: an answered interrupt fires again",
    ),
    ablation(
        "parked-cards-are-swept-off-the-screen",
        Parts(device=SweptCards),
        "P13",
        report="lobu PR #2055: the sweep includes what is pending",
    ),
    ablation(
        "an-old-error-shows-on-the-newest-card",
        Parts(device=OneErrorField),
        "P16",
        report="openclaw #98392: one global error field",
    ),
    ablation(
        "answered-cards-are-not-retired",
        Parts(device=CardsKept),
        "P16",
        report="langgraph #5952: answered requests are not retired",
    ),
    ablation(
        "the-click-settles-the-card",
        Parts(device=ClickSettles),
        "P16",
        report="KiroCrew PR #5233: the POST failed, the card says approved",
    ),
    ablation(
        "decisions-announced-only-once",
        Parts(agent=AnnouncesOnce),
        "P16",
        report="synthetic: a crash between decision and announcement",
    ),
    ablation(
        "first-page-of-history-only",
        Parts(device=FirstPageDevice),
        "P17",
        report="ARTEX PR #133: pending pushed off the first history page",
    ),
    ablation(
        "live-push-only",
        Parts(device=LivePushDevice),
        "P17",
        report="octomux PR #146: cards are not sent again on reconnect",
    ),
    ablation(
        "two-minutes-of-history-only",
        Parts(device=LiveWindowDevice),
        "P17",
        report="synthetic: the rewind window is taken for the history",
    ),
    ablation(
        "gaps-in-the-live-stream-ignored",
        Parts(device=GapsIgnoredDevice),
        "P16",
        report="synthetic: a reconnect beyond the live window goes unnoticed",
    ),
    ablation(
        "publish-then-register",
        Parts(agent=RegistersLate),
        "P21",
        report="inngest #1433: the answer comes before the wait is registered",
    ),
    ablation(
        "early-answers-noted-and-never-used",
        Parts(agent=BuffersEarly),
        "P21",
        report="inngest #1433: the same, with a buffer that nobody drains",
    ),
    ablation(
        "answers-after-a-restart-go-nowhere",
        Parts(agent=AnswersGoNowhere),
        "P25",
        report="agent-framework #7125: the approval is dropped on one continuation path",
    ),
    ablation(
        "only-the-first-answer-is-listened-to",
        Parts(agent=ListensOnce),
        "P25",
        report="synthetic: one refused answer closes the ear",
    ),
)
