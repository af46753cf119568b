"""Faults in carrying out: without a grant, twice, never, under another input, or with a neighbour's answer.

Owns the ablations of P3, P4, P14, P19 and P20.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Final

from harness.adapter import Environment, Machine
from harness.model import Arguments, CallId, Choice, Outcome, OutcomeStatus, Receipt, Style, ToolCall

from .. import request as requests
from ..adapter import Parts
from ..agent import ReferenceAgent
from ..arbiter import Answer, Arbiter
from ..request import Request, State
from ..store import Store
from .variant import ablation

_ROUND_TRIP_S: Final = 0.005


class VerdictAsAdvice(ReferenceAgent):
    """Runs the tool whatever was decided, and hands it the verdict."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run the tool after a rejection too."""
        outcome = await super().call_tool(call)
        if outcome.status is OutcomeStatus.REJECTED:
            await call.effect(call.arguments)
        return outcome


class LiveFilter(ReferenceAgent):
    """Filters rejected calls where answers arrive, and not where a restarted process finds its calls."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run what was already settled when the call came."""
        found = self.store.load(call.id)
        outcome = await super().call_tool(call)
        if found is not None and found.state is State.REJECTED:
            await call.effect(call.arguments)
        return outcome


class Optimist(ReferenceAgent):
    """Starts the tool while people are being asked, to have the result ready."""

    async def _ask(self, request: Request) -> None:
        call = self._underway.get(request.call)
        if call is not None:
            await call.effect(call.arguments)
        await super()._ask(request)

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._underway: dict[CallId, ToolCall] = {}

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Remember the call, to start it early."""
        self._underway[call.id] = call
        return await super().call_tool(call)


class EffectFirst(ReferenceAgent):
    """Has the effect, and writes the claim down afterwards."""

    async def _carry_out(self, call: ToolCall, request: Request) -> None:
        claimed = requests.claimed(request, self._machine.host.name)
        done = await self._tried(call, claimed)
        if await self._advance_or_yield(request, claimed):
            await self._advance_or_yield(claimed, done)


class LostClaimsRetried(ReferenceAgent):
    """Runs a claimed call again after a restart, as if nothing could have happened before."""

    def _was_lost(self, _request: Request) -> bool:
        return False

    async def _step(self, call: ToolCall, request: Request) -> None:
        if request.state is State.CLAIMED and super()._was_lost(request):
            await self._advance_or_yield(request, await self._tried(call, request))
        else:
            await super()._step(call, request)


class BlindClaim(ReferenceAgent):
    """Sees that nobody has claimed an approved call, and writes its own claim a moment later."""

    async def _carry_out(self, call: ToolCall, request: Request) -> None:
        await asyncio.sleep(_ROUND_TRIP_S)
        claimed = requests.claimed(request, self._machine.host.name)
        self.store.replace(self._reload(call.id), claimed)
        await self._advance_or_yield(claimed, await self._tried(call, claimed))


class EveryApprovalRuns(ReferenceAgent):
    """Runs the tool for each approval that arrives, the first and the surplus ones."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._made: dict[CallId, ToolCall] = {}

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Keep the call at hand for further approvals."""
        self._made[call.id] = call
        return await super().call_tool(call)

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        call = self._made.get(request.call)
        if call is not None and request.state is State.EXECUTED and answer.choice is Choice.APPROVED:
            self._machine.host.spawn(self._run_again(call, request))
        return super()._ruled(request, answer)

    async def _run_again(self, call: ToolCall, request: Request) -> None:
        await call.effect(request.granted)


class RetriesAreNew(ReferenceAgent):
    """Takes a caller's retry for a new call, because nothing tells them apart."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run what was run before."""
        found = self.store.load(call.id)
        if found is not None and found.state is State.EXECUTED:
            await call.effect(found.granted)
        return await super().call_tool(call)


async def _for_ever() -> None:
    await asyncio.get_running_loop().create_future()


class ApprovedNotTakenUp(ReferenceAgent):
    """Takes up what is pending after a restart, and forgets what was approved before it."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Wait for ever on an approval that an earlier process recorded."""
        found = self.store.load(call.id)
        if found is not None and found.state is State.APPROVED:
            await _for_ever()
        return await super().call_tool(call)


class LostClaimsKept(ReferenceAgent):
    """Never gives up a claim, not even one whose worker is gone."""

    def _was_lost(self, _request: Request) -> bool:
        return False


class RecordOnly(ReferenceAgent):
    """Records an approval, and resumes nothing."""

    async def _step(self, call: ToolCall, request: Request) -> None:
        if request.state is State.APPROVED:
            await _for_ever()
        await super()._step(call, request)


class Batched(ReferenceAgent):
    """Knows which calls one turn made together; what follows from that is each subclass's own fault."""

    def __init__(
        self, machine: Machine, environment: Environment, store: Store, arbiter: Arbiter, style: Style
    ) -> None:
        super().__init__(machine, environment, store, arbiter, style)
        self._batches: dict[CallId, str] = {}

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Remember the batch of the call."""
        if call.batch is not None:
            self._batches[call.id] = call.batch
        return await super().call_tool(call)

    def _siblings(self, call: CallId) -> list[CallId]:
        batch = self._batches.get(call)
        return [it for it, other in self._batches.items() if other == batch and it != call]


class SiblingsDropped(Batched):
    """Resumes the call that was answered, and loses whoever waits for its siblings."""

    def _wake(self, call: CallId) -> None:
        super()._wake(call)
        for sibling in self._siblings(call):
            self._changes.pop(sibling, None)


class OneForAll(Batched):
    """Decides a whole batch by the first answer of one kind."""

    SPREADS = State.REJECTED

    def advance(self, before: Request, after: Request) -> bool:
        """Spread a decision over the batch."""
        advanced = super().advance(before, after)
        if advanced and after.state is self.SPREADS and before.state is State.PENDING and after.decision:
            for sibling in self._siblings(after.call):
                request = self.store.load(sibling)
                if request is not None and request.state is State.PENDING:
                    super().advance(request, requests.decided(request, after.decision))
        return advanced


class OneApprovalForAll(OneForAll):
    """Approves a whole batch by one approval."""

    SPREADS = State.APPROVED


Entry = Callable[[Arguments, bool], Awaitable[None]]


def reentered(call: ToolCall, entry: Entry) -> ToolCall:
    """Return ``call`` with another way into its function."""
    return replace(call, before_gate=entry)


class StartsOver(ReferenceAgent):
    """Resumes by starting over: everything above the gate happens again."""

    async def _carry_out(self, call: ToolCall, request: Request) -> None:
        await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
        await super()._carry_out(call, request)


class PredicateAgain(ReferenceAgent):
    """Asks again on resume whether the call needs approval, and says that it does."""

    async def _carry_out(self, call: ToolCall, request: Request) -> None:
        async def unapproved(arguments: Arguments, _approved: bool) -> None:  # noqa: FBT001 - the contract
            await call.before_gate(arguments, False)  # noqa: FBT003 - the contract's signature

        await super()._carry_out(reentered(call, unapproved), request)


class InputRebuilt(ReferenceAgent):
    """Rebuilds the input on resume, and gets another one."""

    async def _carry_out(self, call: ToolCall, request: Request) -> None:
        async def rebuilt(arguments: Arguments, approved: bool) -> None:  # noqa: FBT001 - the contract
            await call.before_gate({**arguments, "resumed": True}, approved)

        await super()._carry_out(reentered(call, rebuilt), request)


class WarnsAndGoesOn(ReferenceAgent):
    """Enters a rejected call again, warns that it is not approved, and goes on."""

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Run on after the warning."""
        outcome = await super().call_tool(call)
        if outcome.status is OutcomeStatus.REJECTED:
            await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
            await call.effect(call.arguments)
        return outcome


EXECUTION: Final = (
    ablation(
        "run-the-tool-and-pass-it-the-verdict",
        Parts(agent=VerdictAsAdvice),
        "P3",
        report="adk-python #7148: rejection is advisory only",
    ),
    ablation(
        "rejections-filtered-on-the-live-path-only",
        Parts(agent=LiveFilter),
        "P3",
        report="langchain #37093: a rejected call still reaches the tool",
    ),
    ablation(
        "effect-started-while-asking",
        Parts(agent=Optimist),
        "P3",
        report="synthetic: the result is prepared before anybody answered",
    ),
    ablation(
        "effect-before-the-durable-claim",
        Parts(agent=EffectFirst),
        "P4",
        report="langgraph #8039: crash between effect and checkpoint",
    ),
    ablation(
        "lost-claims-are-tried-again",
        Parts(agent=LostClaimsRetried),
        "P4",
        report="langgraph #8039: the same, after a claim",
    ),
    ablation(
        "claim-without-compare-and-set",
        Parts(agent=BlindClaim),
        "P4",
        report="mastra PR #20512: two workers resume one run",
    ),
    ablation(
        "every-approval-runs-the-tool",
        Parts(agent=EveryApprovalRuns),
        "P4",
        report="sentry #69252: double click; older Ably guide: pending deleted after the awaited execution",
    ),
    ablation(
        "retries-are-taken-for-new-calls",
        Parts(agent=RetriesAreNew),
        "P4",
        report="langgraph #4397: several results for one call",
    ),
    ablation(
        "approved-calls-not-taken-up-after-a-restart",
        Parts(agent=ApprovedNotTakenUp),
        "P14",
        report="jarvis PR #486: crash between approve and execute",
    ),
    ablation(
        "lost-claims-never-given-up",
        Parts(agent=LostClaimsKept),
        "P14",
        report="synthetic: a claim without a result is waited for, for ever",
    ),
    ablation(
        "approvals-recorded-and-not-resumed",
        Parts(agent=RecordOnly),
        "P14",
        report="Agenta PR #5598: answered elsewhere, the run never resumes",
    ),
    ablation(
        "resuming-one-call-drops-its-siblings",
        Parts(agent=SiblingsDropped),
        "P19",
        report="adk-python #6732: the sibling's result is lost",
    ),
    ablation(
        "one-rejection-rejects-the-batch",
        Parts(agent=OneForAll),
        "P19",
        report="synthetic: a turn is decided as one",
    ),
    ablation(
        "one-approval-approves-the-batch",
        Parts(agent=OneApprovalForAll),
        "P19",
        report="synthetic: a turn is decided as one",
    ),
    ablation(
        "resuming-starts-over",
        Parts(agent=StartsOver),
        "P20",
        report="opencompany #438: approving re-runs what stands above the gate",
    ),
    ablation(
        "approval-predicate-evaluated-again-on-resume",
        Parts(agent=PredicateAgain),
        "P20",
        report="openai-agents PR #3229: the checker is evaluated again on resume",
        style=Style.REINVOKING,
    ),
    ablation(
        "input-rebuilt-on-resume",
        Parts(agent=InputRebuilt),
        "P20",
        report="openai-agents #4244: the context is rebuilt on resume",
        style=Style.REINVOKING,
    ),
    ablation(
        "warns-and-goes-on",
        Parts(agent=WarnsAndGoesOn),
        "P20",
        report='Inferable: resume warns "not approved" and goes on',
        style=Style.REINVOKING,
    ),
)
