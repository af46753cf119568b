"""Faults in how a request ends without a decision, and in what is told about it.

Owns the ablations of P11, P12, P24 and P26.
"""

import asyncio
from dataclasses import replace
from typing import Final

from harness.adapter import Environment, Machine
from harness.model import CallId, Outcome, OutcomeStatus, PersonId, Receipt, Style, ToolCall

from .. import request as requests
from .. import wire
from ..adapter import Parts
from ..agent import ReferenceAgent
from ..arbiter import Answer, Arbiter, before_the_deadline
from ..request import Request, State
from ..store import Store
from .variant import ablation

_SECOND_NS: Final = 1_000_000_000
_GRACE_NS: Final = 30 * _SECOND_NS
_ROUND_TRIP_S: Final = 0.005
_HOUR_S: Final = 3_600.0
_DAYS_S: Final = 2 * 24 * _HOUR_S


class LateDeadline(ReferenceAgent):
    """Grants half a minute more than the caller did."""

    def _create(self, call: ToolCall) -> Request:
        late = None if call.deadline_ns is None else call.deadline_ns + _GRACE_NS
        return super()._create(replace(call, deadline_ns=late))


class ExtendedByRestart(ReferenceAgent):
    """Counts the deadline anew in every process."""

    def recover(self) -> None:
        """Push every deadline back."""
        for request in tuple(self.store.all()):
            if request.state is State.PENDING and request.deadline_ns is not None:
                self.store.replace(request, replace(request, deadline_ns=request.deadline_ns + _GRACE_NS))
        super().recover()


class ExpiresTheApproved(ReferenceAgent):
    """Looks at the deadline once more between the approval and the effect."""

    async def _carry_out(self, call: ToolCall, request: Request) -> None:
        await asyncio.sleep(_ROUND_TRIP_S)
        if request.overdue(self._machine.now_ns()):
            ended = replace(request, state=State.EXPIRED, note="the deadline passed")
            await self._advance_or_yield(request, ended)
        else:
            await super()._carry_out(call, request)


class NeverExpires(ReferenceAgent):
    """Keeps no deadline of its own: it trusts whoever answers to be in time."""

    def _create(self, call: ToolCall) -> Request:
        return super()._create(replace(call, deadline_ns=None))


class GrantAlive(ReferenceAgent):
    """Confirms a cancellation without touching the request."""

    async def cancel(self, call: CallId) -> bool:
        """Say that it is cancelled."""
        request = self.store.load(call)
        return request is None or request.state is State.PENDING


class RunEndsRequestStays(ReferenceAgent):
    """Ends the run, and leaves the request open for answers."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._aborted: set[CallId] = set()

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Stop waiting once cancelled."""
        waiting = asyncio.ensure_future(super().call_tool(call))
        while not waiting.done():
            await asyncio.wait([waiting], timeout=1.0)
            if call.id in self._aborted:
                waiting.cancel()
                return Outcome(OutcomeStatus.CANCELLED)
        return waiting.result()

    async def cancel(self, call: CallId) -> bool:
        """Abort the run."""
        request = self.store.load(call)
        if request is None or request.state is State.PENDING:
            self._aborted.add(call)
            return True
        return False


class UnlockedCancel(ReferenceAgent):
    """Checks that a call is pending, and marks it cancelled a moment later."""

    async def cancel(self, call: CallId) -> bool:
        """Check, then act."""
        request = self.store.load(call)
        if request is None or request.state is not State.PENDING:
            return await super().cancel(call)
        await asyncio.sleep(_ROUND_TRIP_S)
        self.advance(self._reload(call), replace(request, state=State.CANCELLED))
        return True


class TimeoutIsRejection(ReferenceAgent):
    """Logs a timeout as a person's rejection."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Merge two outcomes."""
        outcome = await super().call_tool(call)
        expired = outcome.status is OutcomeStatus.EXPIRED
        return replace(outcome, status=OutcomeStatus.REJECTED) if expired else outcome


class CancelIsRejection(ReferenceAgent):
    """Logs a cancellation as a person's rejection."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Merge two outcomes."""
        outcome = await super().call_tool(call)
        cancelled = outcome.status is OutcomeStatus.CANCELLED
        return replace(outcome, status=OutcomeStatus.REJECTED) if cancelled else outcome


class LastAnswererRecorded(ReferenceAgent):
    """Reports whoever answered last as the one who decided."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._last: dict[CallId, PersonId] = {}

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        self._last[request.call] = answer.person
        return super()._ruled(request, answer)

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Name the wrong person."""
        outcome = await super().call_tool(call)
        await asyncio.sleep(_ROUND_TRIP_S)
        named = self._last.get(call.id)
        return outcome if named is None else replace(outcome, decided_by=named)


class RequiredRoleRecorded(ReferenceAgent):
    """Reports the role that was asked for as the role of whoever decided."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Name the wrong role."""
        outcome = await super().call_tool(call)
        return outcome if outcome.role is None else replace(outcome, role=call.policy.minimum_role)


class Pausing(ReferenceAgent):
    """Does something about a pending request from time to time."""

    PERIOD_S = _HOUR_S

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._made: dict[CallId, ToolCall] = {}

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Keep the call at hand."""
        self._made[call.id] = call
        return await super().call_tool(call)

    async def _ask(self, request: Request) -> None:
        await super()._ask(request)
        while True:
            await asyncio.sleep(self.PERIOD_S)
            now = self._reload(request.call)
            if now.state is not State.PENDING:
                return
            await self._meanwhile(now)

    async def _meanwhile(self, request: Request) -> None:
        raise NotImplementedError


class GivesUp(Pausing):
    """Gives up after two days, though nobody asked it to."""

    PERIOD_S = _DAYS_S

    async def _meanwhile(self, request: Request) -> None:
        self.advance(request, requests.cancelled(request, "nobody answered"))


class AsksAgain(Pausing):
    """Asks again every hour."""

    async def _meanwhile(self, request: Request) -> None:
        await self._session(request.channel).publish(wire.REQUEST, wire.request_data(request))
        self._machine.observe.request_published(request.id, request.call, request.arguments)


class EntersToPoll(Pausing):
    """Calls the function again every hour to see whether it may go on."""

    async def _meanwhile(self, request: Request) -> None:
        call = self._made[request.call]
        await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature


BOUNDED: Final = (
    ablation(
        "expired-approvals-taken-off-the-queue",
        Parts(arbiter=Arbiter().without(before_the_deadline)),
        "P11",
        report="hol-guard PR #1444: no expiry check at dequeue",
    ),
    ablation(
        "deadline-with-a-grace-period",
        Parts(agent=LateDeadline),
        "P11",
        report="synthetic: half a minute more than was granted",
    ),
    ablation(
        "each-restart-extends-the-deadline",
        Parts(agent=ExtendedByRestart),
        "P11",
        report="synthetic: the deadline counts from the process, not from the request",
    ),
    ablation(
        "approved-calls-expire-before-they-run",
        Parts(agent=ExpiresTheApproved),
        "P11",
        report="NeuralNote #119: the person is told OK, the run times out",
    ),
    ablation(
        "deadlines-ignored",
        Parts(agent=NeverExpires),
        "P11",
        report="synthetic: no deadline is kept",
    ),
    ablation(
        "cancelling-leaves-the-grant-alive",
        Parts(agent=GrantAlive),
        "P12",
        report="openclaw PR #110993: abort leaves the grant alive",
    ),
    ablation(
        "cancelling-ends-the-run-but-not-the-request",
        Parts(agent=RunEndsRequestStays),
        "P12",
        report="openclaw PR #110993: cancel skips approvals",
    ),
    ablation(
        "cancel-checks-then-acts",
        Parts(agent=UnlockedCancel),
        "P12",
        report="syntara PR #327: a decision against a cancelling run",
    ),
    ablation(
        "timeouts-logged-as-rejections",
        Parts(agent=TimeoutIsRejection),
        "P24",
        report="agent-os #1564: a timeout is logged as a person's rejection",
    ),
    ablation(
        "cancellations-logged-as-rejections",
        Parts(agent=CancelIsRejection),
        "P24",
        report="agent-os #1564: the same, for a cancellation",
    ),
    ablation(
        "the-last-answerer-is-recorded",
        Parts(agent=LastAnswererRecorded),
        "P24",
        report="synthetic: the record names whoever answered last",
    ),
    ablation(
        "the-required-role-is-recorded",
        Parts(agent=RequiredRoleRecorded),
        "P24",
        report="synthetic: the record names the role that was asked for",
    ),
    ablation(
        "gives-up-after-two-days",
        Parts(agent=GivesUp),
        "P26",
        report="lobu PR #2055: a reaper kills the parked run",
    ),
    ablation(
        "asks-again-every-hour",
        Parts(agent=AsksAgain),
        "P26",
        report="synthetic: the pause is kept alive by asking again",
    ),
    ablation(
        "enters-the-function-to-poll",
        Parts(agent=EntersToPoll),
        "P26",
        report="synthetic: the pause is kept alive by entering the function",
    ),
)
