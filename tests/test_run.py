"""One run: determinism, its ending, and adapters that misbehave."""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from harness.adapter import Claim, Device, Environment, Implementation, Machine, Manifest
from harness.casting import call, person
from harness.catalog import load_catalog
from harness.deviations import CrashAtTime, DelayMessage, DuplicateMessage, SeededSchedule
from harness.model import (
    CallId,
    Card,
    Decision,
    Guarantee,
    HostName,
    Outcome,
    OutcomeStatus,
    Person,
    Receipt,
    ReceiptStatus,
    RequestId,
    Settled,
    ToolCall,
)
from harness.plan import DAY, MS, SECOND, AnswerSpec, Plan
from harness.run import Run, execute
from harness.trace import (
    DeviationFired,
    EffectExecuted,
    HostCrashed,
    HostRestarted,
    OutcomeReported,
    Quiet,
    ScreenShown,
    SettledShown,
)

REFERENCE = load_catalog().adapter("reference").value


def plan(think_ns: int = SECOND) -> Plan:
    answers = [AnswerSpec(CallId("c1"), think_ns=think_ns)]
    return Plan("s", (person("alice", answers, devices=2), person("bob", answers)), (call(),))


def kinds(run: Run) -> list[type[Any]]:
    return [type(event) for event in run.boundary.events]


def test_equal_plans_give_equal_bytes() -> None:
    crowded = plan().but(SeededSchedule(3), DuplicateMessage(HostName("agent"), HostName("channel"), 0))
    digests = {execute(REFERENCE, crowded).trace.digest() for _ in range(3)}
    assert len(digests) == 1


def test_another_schedule_gives_another_trace() -> None:
    digests = {execute(REFERENCE, plan().but(SeededSchedule(seed))).trace.digest() for seed in range(5)}
    assert len(digests) > 1


def test_a_run_ends_quiet_and_every_screen_is_read_once_more_after_it() -> None:
    run = execute(REFERENCE, plan())
    seen = kinds(run)
    last = seen[seen.index(Quiet) :]
    assert last.count(ScreenShown) == 3
    assert last.count(SettledShown) == 3
    assert not run.failures


def test_a_pending_month_takes_no_more_steps_than_a_pending_second() -> None:
    month, second = execute(REFERENCE, plan(30 * DAY)), execute(REFERENCE, plan(SECOND))
    assert month.steps == second.steps
    assert month.boundary.events[-1].at > 30 * DAY


def test_a_call_is_repeated_after_its_agent_came_back_and_ends_once() -> None:
    run = execute(REFERENCE, plan(5 * SECOND).but(CrashAtTime(HostName("agent"), 2 * SECOND, SECOND)))
    seen = kinds(run)
    assert seen.index(HostCrashed) < seen.index(HostRestarted) < seen.index(OutcomeReported)
    assert seen.count(EffectExecuted) == 1
    assert seen.count(OutcomeReported) == 1


def test_a_deviation_that_took_effect_leaves_its_mark() -> None:
    late = DelayMessage(HostName("agent"), HostName("channel"), 0, 50 * MS)
    never = DelayMessage(HostName("agent"), HostName("channel"), 10_000, 50 * MS)
    run = execute(REFERENCE, plan().but(late, never))
    assert run.fired == {0}
    assert kinds(run).count(DeviationFired) == 1


@dataclass(frozen=True)
class Miniature:
    """An adapter that approves everything at once, but for one thing that it does wrong."""

    call_tool: Callable[[ToolCall], Any] | None = None
    boot: Callable[[], Any] | None = None
    pending: Callable[[], Any] | None = None
    opens: Callable[[], None] = lambda: None
    closed: list[bool] = field(default_factory=list)

    @property
    def manifest(self) -> Manifest:
        return Manifest("miniature", "0", "", "", {Guarantee.PROGRESS: Claim("always")})

    def open(self, environment: Environment) -> Implementation:
        del environment
        self.opens()
        return _Instance(self)


@dataclass(frozen=True)
class _Instance:
    adapter: Miniature

    async def boot_agent(self, machine: Machine) -> Any:
        del machine
        if self.adapter.boot is not None:
            await self.adapter.boot()
        return _MiniAgent(self.adapter)

    async def join_device(self, machine: Machine, person: Person) -> Device:
        del machine, person
        return _MiniDevice(self.adapter)

    async def close(self) -> None:
        self.adapter.closed.append(True)


@dataclass(frozen=True)
class _MiniAgent:
    adapter: Miniature

    async def call_tool(self, call: ToolCall) -> Any:
        if self.adapter.call_tool is not None:
            return await self.adapter.call_tool(call)
        await call.effect(call.arguments)
        return Outcome(OutcomeStatus.EXECUTED)

    async def cancel(self, call: CallId) -> bool:
        del call
        return False


@dataclass(frozen=True)
class _MiniDevice:
    adapter: Miniature

    async def pending(self) -> Sequence[Card]:
        if self.adapter.pending is not None:
            cards: Sequence[Card] = await self.adapter.pending()
            return cards
        return ()

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        del request, decision
        return Receipt(ReceiptStatus.SENT)

    async def settled(self, request: RequestId) -> Settled | None:
        del request
        return None


def failures(adapter: Miniature) -> list[str]:
    return [f"{it.host} {it.where}: {it.error}" for it in execute(adapter, plan()).failures]


def test_an_adapter_that_does_nothing_wrong_is_not_reported_and_is_closed() -> None:
    adapter = Miniature()
    assert failures(adapter) == []
    assert adapter.closed == [True]


def test_an_adapter_that_raises_is_reported_with_its_place() -> None:
    async def raises(_: ToolCall) -> None:
        raise ValueError("no such table")

    (told,) = failures(Miniature(call_tool=raises))
    assert told.startswith("agent agent.call_tool(c1): ValueError: no such table at test_run.py:")


def test_an_adapter_that_cannot_be_opened_is_reported() -> None:
    def opens() -> None:
        raise OSError("no database")

    (told,) = failures(Miniature(opens=opens))
    assert told.startswith("world open: OSError: no database")


def test_an_adapter_that_hangs_at_boot_is_reported() -> None:
    async def hangs() -> None:
        await asyncio.get_running_loop().create_future()

    assert failures(Miniature(boot=hangs)) == ["agent boot_agent: did not return"]


def test_a_forgotten_await_is_reported_for_what_it_is() -> None:
    async def forgets(_: ToolCall) -> Any:
        async def outcome() -> Outcome:
            return Outcome(OutcomeStatus.EXECUTED)

        return outcome()

    told = failures(Miniature(call_tool=forgets))
    assert "returned coroutine where Outcome is due (an await forgotten?)" in told[0]


def test_a_background_task_that_dies_is_reported() -> None:
    async def background(_: ToolCall) -> Outcome:
        async def listener() -> None:
            raise RuntimeError("listener died")

        task = asyncio.create_task(listener(), name="listener")
        await asyncio.sleep(1)
        del task
        return Outcome(OutcomeStatus.EXECUTED)

    (told,) = failures(Miniature(call_tool=background))
    assert told.startswith("agent task listener: ")
    assert "RuntimeError('listener died')" in told


def test_a_spinning_adapter_is_reported_and_the_run_still_ends() -> None:
    async def spins(_: ToolCall) -> None:
        while True:  # noqa: ASYNC110 - the mistake under test
            await asyncio.sleep(0)

    (told,) = failures(Miniature(call_tool=spins))
    assert "livelock" in told
    assert "agent" in told


def test_a_call_that_would_leave_the_simulation_is_reported_by_name() -> None:
    async def sleeps(_: ToolCall) -> Outcome:
        time.sleep(1)  # noqa: ASYNC251 - the mistake under test
        return Outcome(OutcomeStatus.EXECUTED)

    told = failures(Miniature(call_tool=sleeps))
    assert any("time.sleep" in line for line in told)


@pytest.mark.parametrize("screen", [None, 3])
def test_a_screen_that_is_no_list_of_cards_is_reported(screen: object) -> None:
    async def pending() -> object:
        return screen

    told = failures(Miniature(pending=pending))
    assert told
    assert "device.pending" in told[0]
