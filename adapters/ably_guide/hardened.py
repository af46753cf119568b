"""The pattern with its weak spots mended: the agent's side.

Owns the decision and its durable consequences. Pending approvals are durable records, decided by
compare-and-set; answers that came while nobody listened are found in history; who may not answer is told so
and ends nothing; every decision is announced. The published messages stay as they are.

Invariant: a decision is durable before it is reported, announced or acted upon, and the tool runs only after
a durable claim.
"""

import asyncio
from collections.abc import Sequence

from harness.adapter import Environment, Machine
from harness.messaging import ChannelError
from harness.model import (
    CallId,
    Choice,
    Outcome,
    ReceiptStatus,
    RequestId,
    ToolCall,
    ToolFailedError,
)

from .catch_up import GaplessChannel
from .protocol import (
    DECIDED,
    RECEIPT,
    Answer,
    Notice,
    from_agent,
    keep_later,
    notice_data,
    read_answer,
    read_notice,
    receipt_data,
)
from .records import Approval, Records, State, moved, pending
from .roles import can_approve
from .tool_calls import Vendor
from .transport import REQUEST, RESPONSE, Incoming, Realtime, channel_of


class HardenedAgent:
    """One agent process."""

    def __init__(
        self, machine: Machine, environment: Environment, realtime: Realtime, vendor: Vendor
    ) -> None:
        self._machine = machine
        self._directory = environment.directory
        self._vendor = vendor
        self._realtime = realtime
        self._records = Records(environment.shared_disk)
        self._sessions: dict[str, Session] = {}
        self._asking: dict[str, ToolCall] = {}
        self._known: set[str] = set()
        self._changes: dict[str, asyncio.Future[None]] = {}

    def recover(self) -> None:
        """Take up what an earlier process left: hear what came meanwhile, announce what it could not."""
        known = tuple(self._records.all())
        for approval in known:
            if approval.state is State.CLAIMED and approval.worker == self._machine.host.name:
                self._lose(approval)
        for name in dict.fromkeys(approval.channel for approval in known):
            self._machine.host.spawn(self._announce_again(self._session(name)))

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run the tool, which asks for approval by itself, from wherever its record stands."""
        approval = self._records.load(call.id)
        if approval is None:
            await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
            approval = pending(call, channel_of(call.tenant, call.session))
            self._records.replace(None, approval)
        if approval.state is State.PENDING and call.id not in self._asking:
            self._asking[call.id] = call
            self._machine.host.spawn(self._request_human_approval(call))
        while not (approval := self._load(call.id)).ended:
            if approval.state is State.APPROVED:
                await self._run(call, approval)
            else:
                await self._change(call.id)
        return approval.outcome

    async def cancel(self, call: CallId) -> bool:
        """Return False: the pattern has no way to withdraw a request."""
        del call
        return False

    async def _run(self, call: ToolCall, approval: Approval) -> None:
        claimed = moved(approval, State.CLAIMED, worker=self._machine.host.name)
        if not self._advance(approval, claimed):
            await asyncio.sleep(0)
            return
        try:
            result = await call.effect(call.arguments)
        except ToolFailedError as error:
            ended = moved(claimed, State.FAILED, reason=str(error))
        else:
            ended = moved(claimed, State.EXECUTED, result=result)
        if not self._advance(claimed, ended):
            await asyncio.sleep(0)

    async def _request_human_approval(self, call: ToolCall) -> None:
        session, model_call = (
            self._session(channel_of(call.tenant, call.session)),
            self._vendor.model_call(call),
        )
        data = {"tool": model_call.name, "arguments": model_call.arguments}
        try:
            await session.channel.open()
            if call.id not in session.asked:
                await session.channel.publish(REQUEST, data, model_call.id)
        except ChannelError as error:
            approval = self._load(call.id)
            if approval.state is State.PENDING:
                refused = f"nobody could be asked: {error}"
                self._advance(approval, moved(approval, State.REJECTED, reason=refused))
        else:
            self.requested(RequestId(call.id))

    def requested(self, request: RequestId) -> None:
        """Report a request of this process as made known, once its echo or its acknowledgement shows it."""
        call = self._asking.get(request)
        if call is None or request in self._known or self._load(call.id).state is not State.PENDING:
            return
        self._known.add(request)
        self._machine.observe.request_published(request, call.id, call.arguments)

    def answered(self, session: "Session", answer: Answer) -> None:
        """Decide by an answer if it is the first one that may."""
        approval = self._records.load(answer.tool_call_id)
        if approval is None or approval.channel != session.channel.name:
            if answer.tool_call_id not in session.asked:
                session.tell(answer, ReceiptStatus.UNKNOWN_REQUEST, "no such request in this session")
        elif not self._may_decide(approval, answer):
            session.tell(answer, ReceiptStatus.UNAUTHORISED, f"requires {approval.policy.minimum_role}")
        elif approval.state is State.PENDING:
            state = State.APPROVED if answer.choice is Choice.APPROVED else State.REJECTED
            decided = moved(approval, state, approver=answer.person, role=answer.role, answer=answer.id)
            self._advance(approval, decided)
        else:
            self.wake(approval.tool_call_id)

    def _may_decide(self, approval: Approval, answer: Answer) -> bool:
        """Ask the verified claim and the directory; a claim that neither knows is nobody's role."""
        standing = self._directory.standing(answer.person)
        if standing is None or not standing.active or standing.tenant != approval.tenant:
            return False
        genuine = answer.role == standing.role or answer.role in approval.policy.hierarchy
        return (
            genuine
            and can_approve(approval.policy, answer.role)
            and can_approve(approval.policy, standing.role)
        )

    def _lose(self, approval: Approval) -> None:
        """Give up what an earlier process of this host had claimed: the tool may have run or not."""
        reason = f"{approval.worker} stopped while the tool was running"
        self._advance(approval, moved(approval, State.UNKNOWN, reason=reason))

    def _advance(self, before: Approval, after: Approval) -> bool:
        """Take a step durably, then report, announce and wake; False where another writer was first."""
        if not self._records.replace(before, after):
            return False
        if after.choice is not None and before.state is State.PENDING and after.approver is not None:
            self._machine.observe.decision_taken(
                RequestId(after.tool_call_id),
                after.choice,
                person=after.approver,
                role=after.role,
                arguments=after.arguments,
                call=CallId(after.tool_call_id),
            )
        if after.state is not State.CLAIMED:
            channel = self._session(after.channel).channel
            channel.publish_soon(DECIDED, notice_data(after), after.tool_call_id)
        self.wake(after.tool_call_id)
        return True

    async def _announce_again(self, session: "Session") -> None:
        try:
            await session.channel.open()
        except ChannelError:
            return
        for approval in self._records.all():
            notice = session.notices.get(RequestId(approval.tool_call_id))
            news = notice is None or (approval.ended and not notice.ended)
            if approval.channel == session.channel.name and approval.state is not State.PENDING and news:
                session.channel.publish_soon(DECIDED, notice_data(approval), approval.tool_call_id)

    def _session(self, name: str) -> "Session":
        if name not in self._sessions:
            self._sessions[name] = Session(self, self._realtime, name, self._machine)
        return self._sessions[name]

    async def _change(self, tool_call_id: str) -> None:
        change = self._changes.get(tool_call_id)
        if change is None:
            change = self._changes[tool_call_id] = asyncio.get_running_loop().create_future()
        await change

    def wake(self, tool_call_id: str) -> None:
        """Let a waiting call look at its record again."""
        change = self._changes.pop(tool_call_id, None)
        if change is not None:
            change.set_result(None)

    def _load(self, tool_call_id: str) -> Approval:
        approval = self._records.load(tool_call_id)
        assert approval is not None, "records are never deleted"
        return approval


class Session:
    """One session's channel as the agent hears it: first what its own side said, then the answers."""

    def __init__(self, agent: HardenedAgent, realtime: Realtime, name: str, machine: Machine) -> None:
        self.asked: set[str] = set()
        self.notices: dict[RequestId, Notice] = {}
        self._told: set[tuple[str, str]] = set()
        self._agent = agent
        self.channel = GaplessChannel(realtime, name, self._hear, machine.host.spawn)

    def tell(self, answer: Answer, status: ReceiptStatus, note: str) -> None:
        """Publish a receipt."""
        self.channel.publish_soon(RECEIPT, receipt_data(answer, status, note), answer.tool_call_id)

    def _hear(self, messages: Sequence[Incoming]) -> None:
        for message in messages:
            if from_agent(message):
                self._learn(message)
        for message in messages:
            answer = None if from_agent(message) or message.name != RESPONSE else read_answer(message)
            if answer is not None and (answer.person, answer.id) not in self._told:
                self._agent.answered(self, answer)

    def _learn(self, message: Incoming) -> None:
        if message.name == REQUEST:
            self.asked.add(message.tool_call_id)
            self._agent.requested(RequestId(message.tool_call_id))
        elif message.name == RECEIPT:
            self._told.add((str(message.field("to")), str(message.field("answerId"))))
        elif message.name == DECIDED:
            keep_later(self.notices, read_notice(message))
            self._agent.wake(message.tool_call_id)
