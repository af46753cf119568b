"""Power cuts in real time: a host whose life is a process is killed, and what it kept on disk is there."""

import asyncio
import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import pytest

from harness.adapter import Agent, Claim, Device, Environment, Implementation, Machine, Manifest
from harness.casting import call, person
from harness.deviations import CrashAtBoundary, CrashAtTime, Deviation
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    Guarantee,
    Outcome,
    OutcomeStatus,
    Person,
    Receipt,
    ReceiptStatus,
    RequestId,
    Settled,
    ToolCall,
)
from harness.plan import AGENT_HOST, SECOND, AnswerSpec, Plan
from harness.run import Run
from harness.trace import (
    BodyEntered,
    DecisionTaken,
    DeviationFired,
    EffectExecuted,
    HostCrashed,
    HostRestarted,
    OutcomeReported,
    ToolCalled,
)
from harness.wall.lanes import LoopbackLane
from harness.wall.play import execute_in_real_time
from harness.wall.small import small

pytest.importorskip("ably")

MEMORY: Final = """
import json, sys
path, memory = sys.argv[1], {}
try:
    with open(path) as file:
        memory = json.load(file)
except FileNotFoundError:
    pass
for line in sys.stdin:
    key, value = json.loads(line)
    if value is not None:
        memory[key] = value
        with open(path, "w") as file:
            json.dump(memory, file)
    print(json.dumps(memory.get(key)), flush=True)
"""
"""What every host of the toy runs: a process that remembers, on disk."""


class Child:
    """One process, spoken to by one at a time; killed when its host loses power."""

    def __init__(self, machine: Machine, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._lock = asyncio.Lock()
        self.killed = False
        machine.on_power_loss(self._kill)

    @classmethod
    async def start(cls, machine: Machine, path: str) -> "Child":
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            MEMORY,
            path,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
        )
        return cls(machine, process)

    def _kill(self) -> None:
        self.killed = True
        self._process.kill()

    async def ask(self, key: str, value: str | None = None) -> str | None:
        """Remember ``value`` if there is one; returns what is remembered."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        async with self._lock:
            self._process.stdin.write(json.dumps([key, value]).encode() + b"\n")
            answer = json.loads(await self._process.stdout.readline())
        assert answer is None or isinstance(answer, str)
        return answer

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.returncode is not None

    async def end(self) -> int:
        """Let the process end by itself, unless it was killed; returns its exit code."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        return await self._process.wait()


@dataclass(slots=True)
class Board:
    """What the toy's processes share: the card that is shown, and the answer that came."""

    card: Card | None = None
    shown: asyncio.Event = field(default_factory=asyncio.Event)
    answered: asyncio.Event = field(default_factory=asyncio.Event)


class ToyAgent:
    """Asks on the board and keeps every step in its process."""

    def __init__(self, machine: Machine, board: Board, child: Child) -> None:
        self._machine = machine
        self._board = board
        self._child = child

    async def call_tool(self, call: ToolCall) -> Outcome:
        """Ask, wait, run; what was done before a crash is not done again."""
        request = RequestId(call.id)
        if await self._child.ask("done"):
            return Outcome(OutcomeStatus.UNKNOWN, reason="an earlier process had begun it")
        await call.before_gate(call.arguments, False)  # noqa: FBT003 - the contract's signature
        if not await self._child.ask("decided"):
            self._board.card = Card(request, call.tool, call.arguments, call.id)
            self._board.shown.set()
            self._machine.observe.request_published(request, call.id, call.arguments)
            await self._board.answered.wait()
            await self._child.ask("decided", "approved")
            self._machine.observe.decision_taken(request, Choice.APPROVED, call=call.id)
        await self._child.ask("done", "perhaps")
        await call.effect(call.arguments)
        return Outcome(OutcomeStatus.EXECUTED, choice=Choice.APPROVED)

    async def cancel(self, call: CallId) -> bool:
        """Refuse."""
        del call
        return False


class ToyDevice:
    """Shows the board, and writes on it."""

    def __init__(self, machine: Machine, board: Board, child: Child) -> None:
        self._board = board
        self._child = child
        self._watching = machine.host.spawn(self._watch(machine))

    async def _watch(self, machine: Machine) -> None:
        await self._board.shown.wait()
        machine.observe.screen_changed()

    async def pending(self) -> Sequence[Card]:
        """Return the card."""
        return () if self._board.card is None else (self._board.card,)

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Write the answer down, and tell the agent."""
        await self._child.ask(request, decision.choice.value)
        self._board.answered.set()
        return Receipt(ReceiptStatus.SENT)

    async def settled(self, request: RequestId) -> Settled | None:
        """Know nothing."""
        del request
        return None


class Toy:
    """Every host is a process."""

    def __init__(self, folder: str, children: list[Child]) -> None:
        self._folder = folder
        self._children = children
        self._board = Board()

    async def _child(self, machine: Machine) -> Child:
        child = await Child.start(machine, f"{self._folder}/{machine.host.name}.json")
        self._children.append(child)
        return child

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start an agent's process."""
        return ToyAgent(machine, self._board, await self._child(machine))

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Start a device's process."""
        del person
        return ToyDevice(machine, self._board, await self._child(machine))

    async def close(self) -> None:
        """End every process."""
        for child in self._children:
            await child.end()


@dataclass(frozen=True, slots=True)
class ToyAdapter:
    """The toy under a manifest."""

    folder: str
    children: list[Child]

    @property
    def manifest(self) -> Manifest:
        """What the toy promises."""
        return Manifest(
            name="toy",
            version="1",
            summary="processes",
            homepage="https://example.org",
            offers={Guarantee.AT_MOST_ONE_EXECUTION: Claim("once")},
            lanes=("wall",),
        )

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance."""
        del environment
        return Toy(self.folder, self.children)


def play(folder: object, *deviations: Deviation) -> tuple[Run, list[Child]]:
    children: list[Child] = []
    alice = person("alice", [AnswerSpec(CallId("c1"), think_ns=2 * SECOND)])
    plan = Plan("by hand", (alice,), (call(),), deviations=deviations)
    return execute_in_real_time(ToyAdapter(str(folder), children), plan, LoopbackLane()), children


def kinds(run: Run, *wanted: type[object]) -> list[type[object]]:
    return [type(it) for it in run.boundary.events if isinstance(it, wanted)]


def test_without_a_crash_every_process_ends_in_order(tmp_path: object) -> None:
    run, children = play(tmp_path)
    assert run.failures == ()
    assert [it.killed for it in children] == [False, False]
    assert kinds(run, HostCrashed, EffectExecuted, OutcomeReported) == [EffectExecuted, OutcomeReported]


def test_a_host_that_crashes_is_killed_and_another_process_takes_up_its_call(tmp_path: object) -> None:
    run, children = play(tmp_path, CrashAtBoundary(AGENT_HOST, 0, SECOND, step="body"))
    assert run.failures == ()
    assert [it.killed for it in children].count(True) == 1
    assert len(children) == 3
    assert kinds(run, ToolCalled, BodyEntered, HostCrashed, HostRestarted, OutcomeReported) == [
        ToolCalled,
        BodyEntered,
        HostCrashed,
        HostRestarted,
        ToolCalled,
        BodyEntered,
        OutcomeReported,
    ]
    assert sum(isinstance(it, DeviationFired) for it in run.boundary.events) == 1


def test_what_the_killed_process_had_written_is_there_again(tmp_path: object) -> None:
    run, _ = play(tmp_path, CrashAtBoundary(AGENT_HOST, 0, SECOND, step="effect"))
    (told,) = (it.status for it in run.boundary.events if isinstance(it, OutcomeReported))
    assert told is OutcomeStatus.UNKNOWN
    assert kinds(run, EffectExecuted) == [EffectExecuted]


def test_a_host_crashes_right_after_what_its_adapter_reports(tmp_path: object) -> None:
    run, _ = play(tmp_path, CrashAtBoundary(AGENT_HOST, 2, SECOND))
    assert run.failures == ()
    assert kinds(run, DecisionTaken, HostCrashed, EffectExecuted) == [
        DecisionTaken,
        HostCrashed,
        EffectExecuted,
    ]


def test_a_device_that_crashes_comes_back_and_is_used(tmp_path: object) -> None:
    alice_phone = person("alice").devices[0].id
    run, children = play(tmp_path, CrashAtTime(alice_phone, SECOND // 2, SECOND))  # type: ignore[arg-type]
    assert run.failures == ()
    assert [it.killed for it in children].count(True) == 1
    assert kinds(run, HostCrashed, HostRestarted, OutcomeReported) == [
        HostCrashed,
        HostRestarted,
        OutcomeReported,
    ]


def test_no_process_is_left_behind(tmp_path: object) -> None:
    _, children = play(tmp_path, CrashAtBoundary(AGENT_HOST, 0, SECOND, step="body"))
    assert all(it.ended for it in children)


def test_the_crash_of_a_host_without_a_process_is_taken_out_of_the_plan() -> None:
    from adapters.ably_guide import ADAPTERS  # noqa: PLC0415 - needs the extra

    (adapter,) = (it for it in ADAPTERS if it.manifest.name == "ably")
    crash = CrashAtTime(AGENT_HOST, SECOND, SECOND)
    run = execute_in_real_time(adapter, Plan("by hand", (), (), deviations=(crash,)), LoopbackLane())
    assert run.plan.deviations == ()
    assert run.failures == ()


def test_a_step_that_cannot_be_seen_from_outside_becomes_one_that_can() -> None:
    crash = CrashAtBoundary(AGENT_HOST, 40, SECOND, unsynced="torn", step="write")
    (made,) = small(Plan("x", (), (), deviations=(crash,)), own_service=True).deviations
    assert isinstance(made, CrashAtBoundary)
    assert (made.step, made.unsynced) == ("any", "kept")
    assert made.k < 40
