"""The hardened approver and runner: the protocol's two calls over durable tickets.

Owns the order of durable writes and what follows each. ``request_approval`` opens a ticket or finds the one
that an earlier process left, and returns once that is decided; the runner executes under a claim. Every
change goes through :meth:`Desk.advance`: first the compare-and-set, then the report, the announcement, the
wake-up.

Invariant: a decision is durable before it is reported, announced or acted upon, and the tool runs only after
a durable claim.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Final

from pydantic import JsonValue, TypeAdapter

from harness.adapter import Environment, Machine
from harness.feed import Feed, Link
from harness.messaging import ChannelError, Message
from harness.model import (
    CallId,
    Choice,
    Outcome,
    OutcomeStatus,
    PersonId,
    Policy,
    ReceiptStatus,
    RequestId,
    ToolCall,
    ToolFailedError,
)

from .admission import flaw, has_quorum, objection, with_vote
from .channel import REQUEST, RESPONSE, channel_of, from_agent
from .notices import (
    RECEIPT,
    STATE,
    Answer,
    Notice,
    keep_later,
    notice_data,
    read_answer,
    read_notice,
    receipt_data,
)
from .protocol import (
    ApprovalRequest,
    ApprovalResponse,
    Manager,
    context_text,
    params_of,
    payload_of,
    tool_request,
)
from .runner import OUTCOMES, context_of, seconds_left
from .tickets import State, Ticket, Tickets, moved

DURABLE_APPROVER: Final = "durable_channel_approver"
_NS_PER_S: Final = 1_000_000_000
_TIMER_NS_MIN: Final = 1_000
"""A float of seconds resolves no finer after a month, so a shorter timer could fire without time passing."""
_POLICY: Final = TypeAdapter(Policy)


class Desk:
    """The tickets of one agent process, and what it hears and says about them. An approver."""

    plugin_id = DURABLE_APPROVER

    def __init__(self, machine: Machine, environment: Environment) -> None:
        self.machine = machine
        self.tickets = Tickets(environment.shared_disk)
        self._directory = environment.directory
        self._link = Link(machine.connect(environment.agent_token))
        self._sessions: dict[str, Session] = {}
        self._asking: set[str] = set()
        self._known: set[str] = set()
        self._changes: dict[str, asyncio.Future[None]] = {}

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Take no configuration: whom to ask stands in each request's context."""

    async def teardown(self) -> None:
        """Hold nothing that outlives the process."""

    def recover(self) -> None:
        """Take up what an earlier process left: hear what came meanwhile, announce what it could not."""
        known = tuple(self.tickets.all())
        for ticket in known:
            if ticket.state is State.CLAIMED and ticket.worker == self.machine.host.name:
                reason = f"{ticket.worker} stopped while the tool was running"
                self.advance(ticket, moved(ticket, State.UNKNOWN, reason=reason))
        for channel in dict.fromkeys(ticket.channel for ticket in known):
            self.machine.host.spawn(self._announce_again(self._session(channel)))

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Return what became of the request, once it is no longer pending."""
        ticket = self.tickets.load(request["request_id"])
        if ticket is None:
            self.tickets.replace(None, self._opened(request))
            ticket = self.load(request["request_id"])
        if ticket.state is State.PENDING and ticket.request_id not in self._asking:
            self._asking.add(ticket.request_id)
            self.machine.host.spawn(self._ask(ticket, request))
        while (ticket := self.load(request["request_id"])).state is State.PENDING:
            if not ticket.overdue(self.machine.now_ns()):
                await self.change(ticket)
            elif not self.advance(ticket, self._timed_out(ticket)):
                await asyncio.sleep(0)
        return ticket.response

    def load(self, request_id: str) -> Ticket:
        """Return a ticket that exists."""
        ticket = self.tickets.load(request_id)
        assert ticket is not None, "tickets are never deleted"
        return ticket

    def advance(self, before: Ticket, after: Ticket) -> bool:
        """Take a step durably, then report, announce and wake; False where another writer was first."""
        if not self.tickets.replace(before, after):
            return False
        if after.state is before.state:
            return True
        request, call = RequestId(after.request_id), CallId(after.call)
        if before.state is State.PENDING:
            if after.choice is not None:
                self.machine.observe.decision_taken(
                    request,
                    after.choice,
                    person=after.approver,
                    role=after.role,
                    arguments=after.effective,
                    call=call,
                )
            elif after.state is State.TIMEOUT:
                self.machine.observe.request_expired(request, call=call)
        if after.state is not State.CLAIMED:
            self._session(after.channel).publish_soon(STATE, notice_data(after))
        self.wake(after.request_id)
        return True

    async def change(self, ticket: Ticket) -> None:
        """Wait until a ticket may have changed, or its deadline came while it is pending."""
        loop, key = asyncio.get_running_loop(), ticket.request_id
        change = self._changes.get(key)
        if change is None:
            change = self._changes[key] = loop.create_future()
        if ticket.state is not State.PENDING or ticket.deadline_ns is None:
            await change
            return
        left_ns = max(ticket.deadline_ns - self.machine.now_ns(), _TIMER_NS_MIN)
        timer = loop.call_later(left_ns / _NS_PER_S, self.wake, key)
        try:
            await change
        finally:
            timer.cancel()

    def wake(self, request_id: str) -> None:
        """Let whoever waits for a ticket look at it again."""
        change = self._changes.pop(request_id, None)
        if change is not None:
            change.set_result(None)

    def asked(self, request_id: str) -> None:
        """Report a request of this process as made known, once its echo or its acknowledgement shows it."""
        if request_id not in self._asking or request_id in self._known:
            return
        ticket = self.load(request_id)
        if ticket.state is State.PENDING:
            self._known.add(request_id)
            self.machine.observe.request_published(RequestId(request_id), CallId(ticket.call), ticket.params)

    def answered(self, session: "Session", answer: Answer) -> None:
        """Decide by an answer if it is the first one that may."""
        ticket = self.tickets.load(answer.request)
        objected = objection(ticket, answer, self._directory.standing(answer.person))
        if objected is not None:
            session.tell(answer, *objected)
        elif ticket is None or ticket.state is not State.PENDING:
            self.wake(answer.request)
        elif ticket.overdue(self.machine.now_ns()):
            self.advance(ticket, self._timed_out(ticket))
        elif (wrong := flaw(ticket, answer)) is not None:
            session.tell(answer, ReceiptStatus.INVALID, wrong)
        else:
            self._count(session, ticket, answer)

    def _count(self, session: "Session", ticket: Ticket, answer: Answer) -> None:
        """Decide by an admitted answer, or count it where the policy asks for more people."""
        voted = with_vote(ticket, answer) if answer.choice is Choice.APPROVED else ticket
        if answer.choice is Choice.REJECTED or has_quorum(voted, answer, self._directory.standing):
            voted = self._decided(voted, answer)
        if self.advance(ticket, voted):
            if voted.state is State.PENDING:
                session.tell(answer, ReceiptStatus.COUNTED, "more people are asked")
        else:
            self.machine.host.call_soon(self.answered, session, answer)

    def _decided(self, ticket: Ticket, answer: Answer) -> Ticket:
        approved = answer.choice is Choice.APPROVED
        return moved(
            ticket,
            State.APPROVED if approved else State.DENIED,
            approver=answer.person,
            role=answer.claim,
            answer=answer.id,
            reason=answer.reason,
            granted=answer.arguments if approved else None,
            decided_s=self.machine.now_ns() / _NS_PER_S,
        )

    def _timed_out(self, ticket: Ticket) -> Ticket:
        return moved(ticket, State.TIMEOUT, reason="nobody answered in time")

    def _opened(self, request: ApprovalRequest) -> Ticket:
        context, timeout_s = request.get("context") or {}, request.get("timeout_seconds")
        requester = context_text(request, "requester")
        left_ns = None if timeout_s is None else round(timeout_s * _NS_PER_S)
        return Ticket(
            request_id=request["request_id"],
            call=context_text(request, "correlation_id"),
            channel=channel_of(context_text(request, "tenant_id"), context_text(request, "session_id")),
            tenant=context_text(request, "tenant_id"),
            tool=str(request["data_to_approve"].get("tool_id", "")),
            params=params_of(request),
            policy=_POLICY.validate_python(context.get("policy")),
            requester=PersonId(requester) if requester else None,
            deadline_ns=None if left_ns is None else self.machine.now_ns() + left_ns,
        )

    async def _ask(self, ticket: Ticket, request: ApprovalRequest) -> None:
        session = self._session(ticket.channel)
        try:
            await session.open()
            if ticket.request_id not in session.asked:
                await session.publish(REQUEST, payload_of(request))
        except ChannelError as error:
            pending = self.load(ticket.request_id)
            if pending.state is State.PENDING:
                self.advance(pending, moved(pending, State.ERROR, reason=f"nobody could be asked: {error}"))
        else:
            self.asked(ticket.request_id)

    async def _announce_again(self, session: "Session") -> None:
        try:
            await session.open()
        except ChannelError:
            return
        for ticket in self.tickets.all():
            notice = session.notices.get(RequestId(ticket.request_id))
            news = notice is None or (ticket.ended and not notice.ended)
            if ticket.channel == session.name and ticket.state is not State.PENDING and news:
                session.publish_soon(STATE, notice_data(ticket))

    def _session(self, channel: str) -> "Session":
        if channel not in self._sessions:
            self._sessions[channel] = Session(self, self._link, channel)
        return self._sessions[channel]


class Session:
    """One session's channel as the agent hears it: first what its own side said, then the answers."""

    def __init__(self, desk: Desk, link: Link, name: str) -> None:
        self.name = name
        self.asked: set[str] = set()
        self.notices: dict[RequestId, Notice] = {}
        self._told: set[tuple[str, str]] = set()
        self._desk = desk
        self._spawn = desk.machine.host.spawn
        self._feed = Feed(link, name, self._hear, self._spawn)
        self._opening: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Return when everything so far was heard; raises ChannelError where the service refuses."""
        if self._opening is None:
            self._opening = self._spawn(self._feed.open())
        await self._opening

    async def publish(self, name: str, data: dict[str, JsonValue]) -> None:
        """Publish once the session is open; raises ChannelError where the service refuses."""
        await self.open()
        await self._feed.publish(name, data)

    def publish_soon(self, name: str, data: dict[str, JsonValue]) -> None:
        """Publish in the background; a refusal is dropped, because the tickets hold the truth."""
        self._spawn(self._publish_or_drop(name, data))

    def tell(self, answer: Answer, status: ReceiptStatus, note: str) -> None:
        """Publish a receipt."""
        self.publish_soon(RECEIPT, receipt_data(answer, status, note))

    async def _publish_or_drop(self, name: str, data: dict[str, JsonValue]) -> None:
        try:
            await self.publish(name, data)
        except ChannelError:
            return

    def _hear(self, batch: Sequence[Message]) -> None:
        for message in batch:
            if from_agent(message) and isinstance(message.data, dict):
                self._learn(message.name, message.data)
        for message in batch:
            foreign = not from_agent(message) and message.name == RESPONSE
            answer = read_answer(message, self.name) if foreign else None
            if answer is not None and (answer.person, answer.id) not in self._told:
                self._desk.answered(self, answer)

    def _learn(self, name: str | None, data: Mapping[str, Any]) -> None:
        if name == REQUEST:
            self.asked.add(str(data["request_id"]))
            self._desk.asked(str(data["request_id"]))
        elif name == RECEIPT:
            self._told.add((str(data["to"]), str(data["answer_id"])))
        elif name == STATE:
            notice = read_notice(data)
            keep_later(self.notices, notice)
            self._desk.wake(notice.request)


class HardenedRunner:
    """One agent process whose every tool call is gated by ``manager`` and carried out once."""

    def __init__(self, desk: Desk, manager: Manager) -> None:
        self._desk = desk
        self._manager = manager

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run one command to its end, from wherever its ticket stands."""
        request_id = f"hitl-{call.id}"
        if self._desk.tickets.load(request_id) is None:
            await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
        response = await self._manager.request_approval(self._request(request_id, call))
        ticket = self._desk.tickets.load(request_id)
        if ticket is None:
            return Outcome(OUTCOMES.get(response["status"], OutcomeStatus.CANCELLED), reason=_why(response))
        while not ticket.ended:
            if ticket.state is State.APPROVED:
                await self._execute(call, ticket)
            else:
                await self._desk.change(ticket)
            ticket = self._desk.load(request_id)
        return ticket.outcome

    async def cancel(self, call: CallId) -> bool:
        """Return False: the protocol has no way to withdraw a request."""
        del call
        return False

    def _request(self, request_id: str, call: ToolCall) -> ApprovalRequest:
        context = context_of(call)
        context["policy"] = _POLICY.dump_python(call.policy, mode="json")
        context["requester"] = call.requester
        left_s = seconds_left(call, self._desk.machine.now_ns())
        return tool_request(request_id, call.tool, call.arguments, context, left_s)

    async def _execute(self, call: ToolCall, ticket: Ticket) -> None:
        claimed = moved(ticket, State.CLAIMED, worker=self._desk.machine.host.name)
        if not self._desk.advance(ticket, claimed):
            await asyncio.sleep(0)
            return
        try:
            result = await call.effect(ticket.effective)
        except ToolFailedError as error:
            ended = moved(claimed, State.FAILED, result={"error": str(error)})
        else:
            ended = moved(claimed, State.EXECUTED, result=result)
        if not self._desk.advance(claimed, ended):
            await asyncio.sleep(0)


def _why(response: ApprovalResponse) -> str:
    return response.get("reason") or "no reason"
