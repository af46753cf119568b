"""The older published form of the pattern: ids minted by the agent, executed by the listener.

Owns what differs. The request id travels in the payload; the listener carries the tool out itself, streams
its progress, and takes the pending entry away only when that is done; an answer from an insufficient role is
dropped. A second answer that comes while the tool is still reporting finds the entry and executes it again.
"""

import asyncio
from dataclasses import dataclass

from harness.adapter import Machine
from harness.messaging import ChannelError
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    Outcome,
    OutcomeStatus,
    PersonId,
    RequestId,
    Role,
    ToolCall,
)

from .published import PublishedDevice, executed, rejected_by
from .roles import can_approve_as_published
from .tool_calls import Vendor, read_arguments
from .transport import REQUEST, RESPONSE, ApprovalChannel, Incoming, Realtime, channel_of


@dataclass(frozen=True, slots=True)
class PendingCall:
    """An entry of ``pendingApprovals``: what to run, where to report its progress, and whom to tell."""

    call: ToolCall
    channel: ApprovalChannel
    promise: asyncio.Future[Outcome]


class OlderAgent:
    """The agent of the older form."""

    def __init__(self, machine: Machine, realtime: Realtime, vendor: Vendor) -> None:
        self._machine = machine
        self._vendor = vendor
        self._realtime = realtime
        self._channels: dict[str, asyncio.Task[ApprovalChannel]] = {}
        self._pending_approvals: dict[str, PendingCall] = {}
        self._minted = 0

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Ask for approval and wait until the listener has dealt with an answer."""
        await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
        try:
            return await self._request_approval(call)
        except ChannelError as error:
            return Outcome(OutcomeStatus.CANCELLED, reason=f"the tool call failed: {error}")

    async def cancel(self, call: CallId) -> bool:
        """Return False: the pattern has no way to withdraw a request."""
        del call
        return False

    async def _request_approval(self, call: ToolCall) -> Outcome:
        channel = await self._subscribed(channel_of(call.tenant, call.session))
        host, tool_call = self._machine.host, self._vendor.model_call(call)
        self._minted += 1
        request_id = f"request-{host.name}-{host.incarnation}-{self._minted}"
        promise: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._pending_approvals[request_id] = PendingCall(call, channel, promise)
        parameters = {"requestId": request_id, "tool": tool_call.name, "parameters": tool_call.arguments}
        await channel.publish(REQUEST, parameters)
        if not promise.done():
            self._machine.observe.request_published(RequestId(request_id), call.id, call.arguments)
        return await promise

    async def _on_approval_response(self, message: Incoming) -> None:
        request_id = str(message.field("requestId"))
        pending = self._pending_approvals.get(request_id)
        if pending is None or not can_approve_as_published(pending.call.policy, message.role):
            return
        role = None if message.role is None else Role(message.role)
        approved = message.field("decision") == "approved"
        self._machine.observe.decision_taken(
            RequestId(request_id),
            Choice.APPROVED if approved else Choice.REJECTED,
            person=PersonId(message.client_id),
            role=role,
            call=pending.call.id,
        )
        told = await self._execute(pending) if approved else rejected_by(role)
        self._pending_approvals.pop(request_id, None)
        if not pending.promise.done():
            pending.promise.set_result(told)

    async def _execute(self, pending: PendingCall) -> Outcome:
        """Run the tool and stream that it is done before anything else happens."""
        told = await executed(pending.call)
        try:
            await pending.channel.publish("tool-progress", {"tool": pending.call.tool, "done": True})
        except ChannelError:
            return told
        return told

    async def _subscribed(self, name: str) -> ApprovalChannel:
        if name not in self._channels:
            self._channels[name] = self._machine.host.spawn(self._subscribe(name))
        return await self._channels[name]

    async def _subscribe(self, name: str) -> ApprovalChannel:
        channel = self._realtime.channel(name)
        spawn = self._machine.host.spawn
        channel.subscribe(RESPONSE, lambda message: spawn(self._on_approval_response(message)))
        await channel.attach()
        return channel


class OlderDevice(PublishedDevice):
    """The client of the older form: the request's id stands in the payload."""

    async def _publish(self, channel: ApprovalChannel, request: RequestId, decision: Decision) -> None:
        await channel.publish(RESPONSE, {"requestId": request, "decision": decision.choice.value})

    def _card(self, message: Incoming) -> Card:
        arguments = read_arguments(message.field("parameters"))
        return Card(RequestId(str(message.field("requestId"))), str(message.field("tool")), arguments)
