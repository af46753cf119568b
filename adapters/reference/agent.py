"""The agent side: runs gated tool calls, judges answers, and carries approved calls out once.

Owns the order of durable writes and everything that follows them. Every change of a request goes through
:meth:`ReferenceAgent.advance`: first the compare-and-set in the store, then the report, the announcement
and the wake-up. A crash between any two steps is mended at the next boot, because everything is derived
from the store and the channel's history.

Invariant: the side effect starts only after a durable claim, and a claim without a result is reported as
unknown, never tried again. A pending request holds one future, and a timer only if it has a deadline.
"""

import asyncio
from typing import ClassVar, Final

from harness.adapter import Environment, Machine
from harness.feed import Link
from harness.messaging import ChannelError
from harness.model import (
    CallId,
    Outcome,
    Receipt,
    ReceiptStatus,
    RequestId,
    Style,
    ToolCall,
    ToolFailedError,
)

from . import request as requests
from . import wire
from .arbiter import Answer, Arbiter, Case, Ruling
from .request import Request, State
from .session import Listener, Session
from .store import Store
from .wire import MalformedAnswer, StateNotice

_TIMER_NS_MIN: Final = 1_000
"""A float of seconds resolves no finer after a month, so a shorter timer could fire without time passing."""

_TOLD_BY_ANNOUNCEMENT: Final = (
    ReceiptStatus.DECIDED,
    ReceiptStatus.ALREADY_DECIDED,
    ReceiptStatus.EXPIRED,
    ReceiptStatus.CANCELLED,
)
"""The announcement that a request is no longer pending names the answer that decided it, if one did; it is
the receipt of that answer and of every other one, those included that are still on their way."""


def channel_of(tenant: str, session: str) -> str:
    """Return the name of a session's channel."""
    return f"approvals:{tenant}:{session}"


class ReferenceAgent:
    """One agent process over a durable store that other processes may share."""

    SESSION: ClassVar[type[Session]] = Session

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        self.store = store
        self._machine = machine
        self._directory = environment.directory
        self._arbiter = arbiter
        self._style = style
        self._link = Link(machine.connect(environment.agent_token))
        self._sessions: dict[str, Session] = {}
        self._asking: set[RequestId] = set()
        self._known: set[RequestId] = set()
        self._changes: dict[CallId, asyncio.Future[None]] = {}
        self._carrying_out: set[CallId] = set()

    def recover(self) -> None:
        """Give up what an earlier incarnation had claimed, and open every session that the store knows."""
        known = tuple(self.store.all())
        for request in known:
            if request.state is State.CLAIMED and self._was_lost(request):
                self.advance(request, requests.lost(request))
        for channel in dict.fromkeys(request.channel for request in known if request.channel):
            self._machine.host.spawn(self._resume(self._session(channel)))

    def end(self) -> None:
        """Let go of every session; nothing more will be asked of this process."""
        for session in self._sessions.values():
            session.end()
        self._sessions.clear()

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run one gated call to its end, from wherever the store says it stands."""
        request = self.store.load(call.id)
        if request is None:
            await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
            request = self._create(call)
        if request.state is State.PENDING:
            self._ask_soon(request)
        while not request.settled:
            await self._step(call, request)
            request = self._reload(call.id)
        return requests.outcome(request)

    async def cancel(self, call: CallId) -> bool:
        """Cancel a call; returns whether it ended cancelled rather than decided or expired."""
        if self.store.load(call) is None and self.store.replace(None, requests.never_asked(call)):
            return True
        while (request := self._reload(call)).state is State.PENDING:
            overdue = request.overdue(self._machine.now_ns())
            ended = requests.expired(request) if overdue else requests.cancelled(request)
            if not self.advance(request, ended):
                await asyncio.sleep(0)
        return request.state is State.CANCELLED

    def advance(self, before: Request, after: Request) -> bool:
        """Take one step durably, then let everybody know.

        False where another writer was first, or where this process is being cut off from its store; who
        tries again yields first, so that a process that is over never spins.
        """
        if not self.store.replace(before, after):
            return False
        if after.state is before.state:
            return True
        observe, vote = self._machine.observe, after.decision
        match after.state:
            case State.APPROVED | State.REJECTED:
                assert vote is not None, "a decided request names its vote"
                observe.decision_taken(
                    after.id,
                    vote.choice,
                    person=vote.person,
                    role=vote.role,
                    arguments=after.granted,
                    call=after.call,
                )
            case State.EXPIRED:
                observe.request_expired(after.id, call=after.call)
            case _:
                pass
        self._wake(after.call)
        if after.state is not State.CLAIMED:
            self._session(after.channel).announce_soon(after)
        return True

    async def _step(self, call: ToolCall, request: Request) -> None:
        match request.state:
            case State.PENDING if request.overdue(self._machine.now_ns()):
                await self._advance_or_yield(request, requests.expired(request))
            case State.APPROVED:
                await self._carry_out(call, request)
            case State.CLAIMED if self._was_lost(request):
                await self._advance_or_yield(request, requests.lost(request))
            case _:
                await self._change(request)

    async def _carry_out(self, call: ToolCall, request: Request) -> None:
        if self._style is Style.REINVOKING:
            await call.before_gate(call.arguments, True)  # noqa: FBT003 - the contract's signature
        claimed = requests.claimed(request, self._machine.host.name)
        self._carrying_out.add(call.id)
        try:
            if await self._advance_or_yield(request, claimed):
                await self._advance_or_yield(claimed, await self._tried(call, claimed))
        finally:
            self._carrying_out.discard(call.id)

    async def _advance_or_yield(self, before: Request, after: Request) -> bool:
        if self.advance(before, after):
            return True
        await asyncio.sleep(0)
        return False

    async def _tried(self, call: ToolCall, claimed: Request) -> Request:
        """Carry out the side effect with exactly what was granted; return the request after it."""
        try:
            result = await call.effect(claimed.granted)
        except ToolFailedError as error:
            return requests.failed(claimed, str(error))
        return requests.succeeded(claimed, result)

    def _was_lost(self, request: Request) -> bool:
        """Whether an earlier incarnation of this worker claimed the request and died."""
        return request.worker == self._machine.host.name and request.call not in self._carrying_out

    async def _change(self, request: Request) -> None:
        """Wait until the request changed or its deadline came."""
        loop = asyncio.get_running_loop()
        change = self._changes.get(request.call)
        if change is None:
            change = self._changes[request.call] = loop.create_future()
        if request.state is not State.PENDING or request.deadline_ns is None:
            await change
            return
        left_ns = max(request.deadline_ns - self._machine.now_ns(), _TIMER_NS_MIN)
        timer = loop.call_later(left_ns / 1e9, self._wake, request.call)
        try:
            await change
        finally:
            timer.cancel()

    def _wake(self, call: CallId) -> None:
        change = self._changes.pop(call, None)
        if change is not None:
            change.set_result(None)

    def _create(self, call: ToolCall) -> Request:
        request = requests.requested(call, channel_of(call.tenant, call.session))
        return request if self.store.replace(None, request) else self._reload(call.id)

    def _reload(self, call: CallId) -> Request:
        request = self.store.load(call)
        assert request is not None, "records are never deleted"
        return request

    def _session(self, channel: str) -> Session:
        session = self._sessions.get(channel)
        if session is None:
            listener = Listener(self._asked, self._answered, self._announced)
            session = self.SESSION(self._link, channel, listener, self._machine.host.spawn)
            self._sessions[channel] = session
        return session

    async def _resume(self, session: Session) -> None:
        """Announce what an earlier incarnation decided and could not announce any more."""
        try:
            await session.open()
        except ChannelError:
            return
        for request in self.store.all():
            if request.channel != session.name or request.state is State.PENDING:
                continue
            announced = session.announced.get(request.id)
            data = wire.state_data(request)
            if announced is None or announced.rank < wire.read_state(data).rank:
                await session.publish(wire.STATE, data)

    def _ask_soon(self, request: Request) -> None:
        if request.id not in self._asking:
            self._asking.add(request.id)
            self._machine.host.spawn(self._ask(request))

    async def _ask(self, request: Request) -> None:
        """Make the request known unless the channel already holds it; a refusal cancels it."""
        session = self._session(request.channel)
        try:
            await session.open()
            if request.id not in session.asked:
                await session.publish(wire.REQUEST, wire.request_data(request))
        except ChannelError as error:
            refused = requests.cancelled(request, f"the request could not be made known: {error}")
            self.advance(request, refused)
        else:
            self._asked(session, request.id)

    def _asked(self, session: Session, request_id: RequestId) -> None:
        """Report a request of ours as made known, once its echo or its acknowledgement came."""
        if request_id not in self._asking or request_id in self._known:
            return
        self._known.add(request_id)
        request = self.store.load(CallId(request_id))
        if request is not None and request.state is State.PENDING and request.channel == session.name:
            self._machine.observe.request_published(request.id, request.call, request.arguments)

    def _answered(self, session: Session, answer: Answer | MalformedAnswer) -> None:
        """Judge one answer, and tell its device what became of it."""
        request = self.store.load(CallId(answer.request))
        if request is None:
            if answer.request not in session.asked:
                self._tell(session, answer, Receipt(ReceiptStatus.UNKNOWN_REQUEST))
            return
        if isinstance(answer, MalformedAnswer):
            self._tell(session, answer, Receipt(ReceiptStatus.INVALID, note=answer.why))
            return
        receipt = self._ruled(request, answer)
        if receipt is not None and receipt.status not in _TOLD_BY_ANNOUNCEMENT:
            self._tell(session, answer, receipt)

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        """Judge an answer and make the ruling durable; None where this process is cut off from its store."""
        while True:
            ruling = self._ruling(request, answer)
            if ruling.request is request:
                if request.state is not State.PENDING:
                    self._wake(request.call)
                return ruling.receipt
            if self.advance(request, ruling.request):
                return ruling.receipt
            before, request = request, self._reload(request.call)
            if request == before:
                return None

    def _ruling(self, request: Request, answer: Answer) -> Ruling:
        arbiter, standing = self._arbiter, self._directory.standing
        return arbiter.rule(Case(request, answer, standing, self._machine.now_ns(), arbiter.admits))

    def _tell(self, session: Session, answer: Answer | MalformedAnswer, receipt: Receipt) -> None:
        session.publish_soon(wire.RECEIPT, wire.receipt_data(answer, receipt))

    def _announced(self, notice: StateNotice) -> None:
        """Look again at a request that another process of the same store may have settled."""
        self._wake(CallId(notice.request))
