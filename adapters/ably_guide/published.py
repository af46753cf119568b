"""The pattern as its guide publishes it: the agent's side and the approver's.

Owns the control flow of the published code, weak spots included: pending approvals live in a map of this
process; an answer from an insufficient role refuses the pending approval for everybody; a second answer finds
nothing pending and is only dropped; nothing is read from history; there is no deadline and no cancellation.

The guide's promise is a future here, and its rejection travels as a value.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from harness.adapter import Machine
from harness.messaging import ChannelError
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    Outcome,
    OutcomeStatus,
    Person,
    PersonId,
    Policy,
    Receipt,
    ReceiptStatus,
    RequestId,
    Role,
    Settled,
    ToolCall,
    ToolFailedError,
)

from .roles import can_approve_as_published
from .tool_calls import ModelCall, Vendor, read_arguments
from .transport import REQUEST, RESPONSE, ApprovalChannel, Dial, Incoming, Realtime, channel_of, is_refusal

PUBLISH_PATIENCE_S: Final = 30.0
"""How long a device waits for the acknowledgement of an answer before it says that it does not know."""


@dataclass(frozen=True, slots=True)
class Pending:
    """An entry of ``pendingApprovals``: the tool call, what it requires, and the promise."""

    tool_call: ModelCall
    policy: Policy
    promise: asyncio.Future[Outcome | None]
    """Resolves with None for an approval, else with what the caller is told."""


class PublishedAgent:
    """The guide's ``agent.mjs``."""

    def __init__(self, machine: Machine, realtime: Realtime, vendor: Vendor) -> None:
        self._machine = machine
        self._vendor = vendor
        self._realtime = realtime
        self._channels: dict[str, asyncio.Task[ApprovalChannel]] = {}
        self._pending_approvals: dict[str, Pending] = {}

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run the tool, which asks for approval by itself."""
        await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
        try:
            refused = await self._request_human_approval(call)
        except ChannelError as error:
            return Outcome(OutcomeStatus.CANCELLED, reason=f"the tool call failed: {error}")
        return await executed(call) if refused is None else refused

    async def cancel(self, call: CallId) -> bool:
        """Return False: the pattern has no way to withdraw a request."""
        del call
        return False

    async def _request_human_approval(self, call: ToolCall) -> Outcome | None:
        channel = await self._subscribed(channel_of(call.tenant, call.session))
        tool_call = self._vendor.model_call(call)
        promise: asyncio.Future[Outcome | None] = asyncio.get_running_loop().create_future()
        self._pending_approvals[tool_call.id] = Pending(tool_call, call.policy, promise)
        await channel.publish(
            REQUEST,
            {"tool": tool_call.name, "arguments": tool_call.arguments},
            tool_call.id,
        )
        if not promise.done():
            self._machine.observe.request_published(RequestId(tool_call.id), call.id, call.arguments)
        return await promise

    def _on_approval_response(self, message: Incoming) -> None:
        pending = self._pending_approvals.get(message.tool_call_id)
        if pending is None:
            return
        role = None if message.role is None else Role(message.role)
        if not can_approve_as_published(pending.policy, message.role):
            reason = f"approver role {message.role!r} insufficient for {pending.policy.minimum_role!r}"
            pending.promise.set_result(Outcome(OutcomeStatus.UNAUTHORISED, role=role, reason=reason))
            del self._pending_approvals[message.tool_call_id]
            return
        approved = message.field("decision") == "approved"
        self._machine.observe.decision_taken(
            RequestId(message.tool_call_id),
            Choice.APPROVED if approved else Choice.REJECTED,
            person=PersonId(message.client_id),
            role=role,
            call=CallId(pending.tool_call.id),
        )
        pending.promise.set_result(None if approved else rejected_by(role))
        del self._pending_approvals[message.tool_call_id]

    async def _subscribed(self, name: str) -> ApprovalChannel:
        """Return the session's channel once this process listens for answers on it."""
        if name not in self._channels:
            self._channels[name] = self._machine.host.spawn(self._subscribe(name))
        return await self._channels[name]

    async def _subscribe(self, name: str) -> ApprovalChannel:
        channel = self._realtime.channel(name)
        channel.subscribe(RESPONSE, self._on_approval_response)
        await channel.attach()
        return channel


class PublishedDevice:
    """The guide's ``client.mjs``: shows what is asked while it listens, until it is answered here."""

    def __init__(self, machine: Machine, person: Person, dial: Dial) -> None:
        self._machine = machine
        self._person = person
        self._realtime = dial(machine, person.fresh_token())
        self._channels: dict[RequestId, ApprovalChannel] = {}
        self._cards: dict[RequestId, Card] = {}

    async def join(self) -> None:
        """Subscribe on every session of the person; one that refuses shows nothing."""
        for session in self._person.sessions:
            await self._subscribe(channel_of(self._person.tenant, session))

    async def pending(self) -> Sequence[Card]:
        """Return what was asked since this device listens and was not answered on it."""
        return tuple(self._cards.values())

    async def settled(self, request: RequestId) -> Settled | None:
        """Return None: nobody tells a device of the pattern how a request ended."""
        del request
        return None

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Publish the answer and take the card away; the device learns that it is sent, and no more."""
        if self._cards.pop(request, None) is not None:
            self._machine.observe.screen_changed()
        channel = self._channels.get(request) or self._any_channel()
        try:
            await asyncio.wait_for(self._publish(channel, request, decision), PUBLISH_PATIENCE_S)
        except ChannelError as error:
            status = ReceiptStatus.UNAUTHORISED if is_refusal(error) else ReceiptStatus.UNKNOWN
            return Receipt(status, note=str(error))
        except TimeoutError:
            return Receipt(ReceiptStatus.UNKNOWN)
        return Receipt(ReceiptStatus.SENT)

    async def _publish(self, channel: ApprovalChannel, request: RequestId, decision: Decision) -> None:
        await channel.publish(RESPONSE, {"decision": decision.choice.value}, request)

    def _card(self, message: Incoming) -> Card:
        arguments = read_arguments(message.field("arguments"))
        request, call = RequestId(message.tool_call_id), CallId(message.tool_call_id)
        return Card(request, str(message.field("tool")), arguments, call)

    async def _subscribe(self, name: str) -> None:
        channel = self._realtime.channel(name)

        def on_approval_request(message: Incoming) -> None:
            card = self._card(message)
            self._channels[card.request] = channel
            self._cards[card.request] = card
            self._machine.observe.screen_changed()

        channel.subscribe(REQUEST, on_approval_request)
        try:
            await channel.attach()
        except ChannelError:
            return

    def _any_channel(self) -> ApprovalChannel:
        session = self._person.sessions[0]
        return self._realtime.channel(channel_of(self._person.tenant, session))


async def executed(call: ToolCall) -> Outcome:
    """Run the tool and return what its caller is told; the guide's caller learns no approver."""
    try:
        result = await call.effect(call.arguments)
    except ToolFailedError as error:
        return Outcome(OutcomeStatus.FAILED, choice=Choice.APPROVED, reason=str(error))
    return Outcome(OutcomeStatus.EXECUTED, result, Choice.APPROVED)


def rejected_by(role: Role | None) -> Outcome:
    """Return what the caller is told after a rejection."""
    return Outcome(OutcomeStatus.REJECTED, None, Choice.REJECTED, None, role, f"action rejected by {role}")
