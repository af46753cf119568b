"""The command runner's automatic gate: before a tool is executed, somebody is asked.

Owns what ``run_command`` does once it knows the tool and its parameters: it makes a request, asks the
manager, executes the tool if that says ``approved``, and returns an error with the decision otherwise.
Nothing is kept outside of the waiting coroutine, and every attempt asks anew: that is the published form.

Invariant: the tool runs after ``approved`` and after nothing else; the error's ``hitl_decision`` is the
manager's response.
"""

from collections.abc import Mapping
from typing import Final, NotRequired, TypedDict

from pydantic import JsonValue

from harness.adapter import Machine
from harness.model import (
    CallId,
    Choice,
    Outcome,
    OutcomeStatus,
    PersonId,
    RequestId,
    ToolCall,
    ToolFailedError,
)

from .protocol import ApprovalRequest, ApprovalResponse, Manager, Status, tool_request

_NS_PER_S: Final = 1_000_000_000
OUTCOMES: Final[Mapping[Status, OutcomeStatus]] = {
    "denied": OutcomeStatus.REJECTED,
    "timeout": OutcomeStatus.EXPIRED,
    "error": OutcomeStatus.CANCELLED,
    "pending": OutcomeStatus.CANCELLED,
    "ask_human": OutcomeStatus.CANCELLED,
}
"""What a response other than an approval means for the caller: only a denial is somebody's answer."""


class CommandResult(TypedDict):
    """What ``run_command`` returns: the tool's result, or an error with the decision against it."""

    tool_result: NotRequired[JsonValue]
    error: NotRequired[str]
    hitl_decision: NotRequired[ApprovalResponse]


class CommandRunner:
    """One agent process whose every tool call is gated by ``manager``."""

    def __init__(self, machine: Machine, manager: Manager) -> None:
        self._machine = machine
        self._manager = manager
        self._requests = 0

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run one command to its end."""
        await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
        result = await self.run_command(call)
        decision = result.get("hitl_decision")
        if decision is None:
            return Outcome(OutcomeStatus.EXECUTED, result.get("tool_result"), Choice.APPROVED)
        return outcome_of(decision, result.get("error", ""))

    async def cancel(self, call: CallId) -> bool:
        """Return False: the protocol has no way to withdraw a request."""
        del call
        return False

    async def run_command(self, call: ToolCall) -> CommandResult:
        """Ask, then execute or explain."""
        response = await self._decision(call)
        if response["status"] != "approved":
            reason = response.get("reason") or "No reason"
            return {"error": f"Tool execution denied by HITL: {reason}", "hitl_decision": response}
        try:
            result = await call.effect(call.arguments)
        except ToolFailedError as error:
            return {"error": str(error), "hitl_decision": response}
        return {"tool_result": result}

    def request(self, request_id: str, call: ToolCall, left_s: float | None) -> ApprovalRequest:
        """Return what is asked before ``call``."""
        return tool_request(request_id, call.tool, call.arguments, context_of(call), left_s)

    async def _decision(self, call: ToolCall) -> ApprovalResponse:
        self._requests += 1
        host = self._machine.host
        request_id = f"{call.id}.{host.name}.{host.incarnation}.{self._requests}"
        left_s = seconds_left(call, self._machine.now_ns())
        if left_s is not None and left_s <= 0:
            return ApprovalResponse(request_id=request_id, status="timeout", reason="no time was left to ask")
        request = self.request(request_id, call, left_s)
        response = await self._manager.request_approval(request)
        approver, status = response.get("approver_id"), response["status"]
        if approver is not None and status in ("approved", "denied"):
            self._machine.observe.decision_taken(
                RequestId(request_id),
                Choice.APPROVED if status == "approved" else Choice.REJECTED,
                person=PersonId(approver),
                arguments=call.arguments,
                call=call.id,
            )
        return response


class ManualCaller(CommandRunner):
    """An application that asks by itself, about its own data, and proceeds where it may."""

    def request(self, request_id: str, call: ToolCall, left_s: float | None) -> ApprovalRequest:
        """Return a request about data, without a tool."""
        request = ApprovalRequest(
            request_id=request_id,
            prompt=f"Is it okay to proceed with {call.tool}?",
            data_to_approve=dict(call.arguments),
            context=context_of(call),
        )
        if left_s is not None:
            request["timeout_seconds"] = left_s
        return request


def context_of(call: ToolCall) -> dict[str, JsonValue]:
    """Return what a request tells approvers beside the tool: whose session it is, and which call."""
    return {"correlation_id": call.id, "session_id": call.session, "tenant_id": call.tenant}


def seconds_left(call: ToolCall, now_ns: int) -> float | None:
    """Return how long an approver may take, None without limit."""
    return None if call.deadline_ns is None else (call.deadline_ns - now_ns) / _NS_PER_S


def outcome_of(decision: ApprovalResponse, error: str) -> Outcome:
    """Return what the caller of a command that ended in an error is told."""
    approver = decision.get("approver_id")
    person = None if approver is None else PersonId(approver)
    reason = decision.get("reason") or error
    status = decision["status"]
    if status == "approved":
        return Outcome(OutcomeStatus.FAILED, None, Choice.APPROVED, person, reason=error)
    if status == "denied":
        return Outcome(OutcomeStatus.REJECTED, None, Choice.REJECTED, person, reason=reason)
    return Outcome(OUTCOMES[status], reason=reason)
