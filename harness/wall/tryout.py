"""The trial of an adapter: what every adapter must be able to do, before any scenario is played.

Owns the steps, one tiny plan each, and what is said of an adapter that fails one: what is wrong, why it
matters, what to do. Only the contract is judged here, never whether what is wrapped keeps its promises.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from harness.adapter import Adapter, Agent, Device, Environment, Implementation, Machine, Manifest
from harness.casting import call, person
from harness.deviations import CrashAtTime, DoubleTap
from harness.model import CallId, Choice, HostName, Outcome, OutcomeStatus, Person, PersonId, ToolCall
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, Plan
from harness.run import Run
from harness.trace import (
    AdapterFailed,
    AnswerSent,
    BodyEntered,
    DeviceJoined,
    EffectExecuted,
    HostRestarted,
    OutcomeReported,
    ReceiptGiven,
    RequestPublished,
    ScreenShown,
)
from harness.wall.lanes import Lane
from harness.wall.play import play
from harness.wall.stillness import Span

_PATIENCE: Final = Span(still_s=8.0, chatty_s=10.0)
"""A card that no service's traffic announces is waited for less long than in a run that judges."""
_CALL: Final = CallId("c1")
_PHONE: Final = HostName("alice-phone")


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with an adapter, why that matters, and what its author should do."""

    wrong: str
    why: str
    do: str


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that an adapter must be able to do; ``judge`` reads a run that had no failures."""

    name: str
    plan: Plan
    judge: Callable[[Run], Sequence[Finding]]
    cancels: bool = False


@dataclass(frozen=True, slots=True)
class Tried:
    """One step and what was found; ``skipped`` says why it was not tried."""

    name: str
    findings: tuple[Finding, ...] = ()
    skipped: str = ""


async def try_out(adapter: Adapter, lane: Lane) -> list[Tried]:
    """Try every step, the later ones all at once; they are skipped where nothing even comes up."""
    first, *rest = STEPS
    up, closed = _apart(await _tried(first, adapter, lane))
    if up.findings:
        return [up, closed, *(Tried(step.name, skipped=f"{first.name} first") for step in rest)]
    played = _Unclosed(adapter) if closed.findings else adapter
    return [up, closed, *await asyncio.gather(*(_tried(step, played, lane) for step in rest))]


def _apart(tried: Tried) -> tuple[Tried, Tried]:
    """Return what was found of the first step, and of its end."""
    ends = tuple(it for it in tried.findings if it.do == _CLOSING[1])
    others = tuple(it for it in tried.findings if it not in ends)
    if others and not ends:
        return tried, Tried("closes in good order", skipped=f"{tried.name} first")
    return Tried(tried.name, others), Tried("closes in good order", ends)


async def _tried(step: Step, adapter: Adapter, lane: Lane) -> Tried:
    run = await play(_Canceller(adapter) if step.cancels else adapter, step.plan, lane, apart=_PATIENCE)
    failures = [_of_failure(it) for it in run.failures]
    return Tried(step.name, tuple(dict.fromkeys(failures or step.judge(run))))


# -- what is wrong

_STDOUT: Final = "standard output carries the contract: one JSON object a line, UTF-8, nothing else"
_CLOSING: Final = (
    "a process that does not end by itself is killed, and loses what it had not written",
    'answer close with {"id": ..., "ok": null}, then exit with code 0, within 20 s each',
)
_ADVICE: Final[Mapping[str, tuple[str, str]]] = {
    "line: not-json": (_STDOUT, "print to standard error; turn off banners of libraries"),
    "line: not-utf8": (_STDOUT, "encode as UTF-8; bytes travel as base64 text"),
    "line: too-long": (_STDOUT, "send less than 8 MiB a line"),
    "line: partial-line": (_STDOUT, "end every line with a line feed, and flush it"),
    "line: off-contract": (
        "an unknown field is a misspelt one, and what is misspelt is lost",
        'compare the line with "hitl schema stdio"',
    ),
    "line: unknown-id": (
        "an answer belongs to a command by its id",
        "repeat the id of the command as it came",
    ),
    "line: answered-twice": ("the second answer contradicts the first", "answer each command once"),
    "line: ask-twice": ("the answer could belong to either", "give every ask an id of its own"),
    "close": _CLOSING,
    "process": (
        "a process that is gone is a host that is down, and no plan says so",
        "read the last lines of standard error above; exit only after close",
    ),
}
_OF_CALLS: Final = (
    "a failure of the adapter is never counted against what it wraps: such a run says nothing",
    'answer every command with {"id": ..., "ok": ...}, also the one that is late or makes no sense',
)


def _of_failure(failed: AdapterFailed) -> Finding:
    why, do = _ADVICE.get(failed.where.replace("lines:", "line:"), _OF_CALLS)
    return Finding(f"{failed.host}: {failed.where}: {failed.error}", why, do)


def _count(run: Run, kind: type[object]) -> int:
    return sum(isinstance(it, kind) for it in run.boundary.events)


def _up(run: Run) -> list[Finding]:
    if _count(run, DeviceJoined):
        return []
    return [Finding("no device came up", "nobody can answer", "answer join with null")]


def _ended_as(status: OutcomeStatus) -> Callable[[Run], list[Finding]]:
    def judge(run: Run) -> list[Finding]:
        return _shown(run) or _answered(run) or _carried_out(run, status)

    return judge


def _shown(run: Run) -> list[Finding]:
    if any(isinstance(it, ScreenShown) and it.cards for it in run.boundary.events):
        return []
    asked = "" if _count(run, RequestPublished) else "; and no request_published was observed"
    return [
        Finding(
            f"no screen ever showed a card for the call{asked}",
            "people answer what a screen shows; without a card nobody can",
            'have "pending" return the card {request, tool, arguments, call}, and write '
            '{"observed": "screen_changed"} when it appears: screens are looked at when told so',
        )
    ]


def _answered(run: Run) -> list[Finding]:
    sent, told = _count(run, AnswerSent), _count(run, ReceiptGiven)
    if told >= sent > 0:
        return []
    return [
        Finding(
            f"{sent} answers were given and {told} receipts came",
            "a device must be told something, or its user presses again",
            'answer "respond" with {"status": "sent"} at the least, or "unknown"',
        )
    ]


def _carried_out(run: Run, due: OutcomeStatus) -> list[Finding]:
    found = []
    outcomes = [it.status for it in run.boundary.events if isinstance(it, OutcomeReported)]
    if not outcomes:
        wrong = "the call has no outcome, though a person with the authority answered"
        do = 'answer "call" once the call is over: {"id": ..., "ok": {"status": "executed", ...}}'
        return [Finding(wrong, "its caller waits for ever", do)]
    if outcomes[-1] is not due:
        wrong = f"the outcome is {outcomes[-1].value} where {due.value} is due"
        found.append(Finding(wrong, "the caller is told something else than happened", "map outcomes anew"))
    effects, due_effects = _count(run, EffectExecuted), int(due is OutcomeStatus.EXECUTED)
    if effects != due_effects:
        wrong = f"the side effect happened {effects} times where {due_effects} is due"
        do = 'ask {"ask": "effect", ...} exactly where the application\'s tool would run'
        found.append(Finding(wrong, "effects are what most properties are about", do))
    if not _count(run, BodyEntered):
        wrong, why = "before_gate was never asked for", "re-invocation of the gated function cannot be seen"
        found.append(
            Finding(wrong, why, 'ask {"ask": "before_gate", ...} every time the function is entered')
        )
    return found


def _came_back(run: Run) -> list[Finding]:
    if _count(run, HostRestarted):
        return []
    wrong = "no host lost power, so that coming back could not be tried"
    return [Finding(wrong, "durability cannot be judged", "let the agent live until its call has an answer")]


def _nothing(_run: Run) -> list[Finding]:
    return []


# -- the steps


def _plan(*deviations: DoubleTap | CrashAtTime, choice: Choice = Choice.APPROVED, wait_ns: int) -> Plan:
    alice = person("alice", [AnswerSpec(_CALL, choice, think_ns=wait_ns)])
    return Plan("adapter check", (alice,), (call(),), deviations=deviations)


_SOON: Final = 500 * MS
_LATER: Final = 5 * SECOND
"""In real time everything happens ten times as fast."""

STEPS: Final = (
    Step("boots and joins", Plan("adapter check", (person("alice"),), ()), _up),
    Step("an approved call", _plan(wait_ns=_SOON), _ended_as(OutcomeStatus.EXECUTED)),
    Step("a rejected call", _plan(choice=Choice.REJECTED, wait_ns=_SOON), _ended_as(OutcomeStatus.REJECTED)),
    Step(
        "an answer given twice",
        _plan(DoubleTap(PersonId("alice"), _CALL, 0), wait_ns=_SOON),
        lambda run: _shown(run) or _answered(run),
    ),
    Step("a cancelled call", _plan(wait_ns=_LATER), _nothing, cancels=True),
    Step(
        "power loss and reboot",
        _plan(CrashAtTime(AGENT_HOST, 2 * SECOND, SECOND), wait_ns=_LATER),
        _came_back,
    ),
    Step(
        "a device that loses power",
        _plan(CrashAtTime(_PHONE, 2 * SECOND, SECOND), wait_ns=_LATER),
        _came_back,
    ),
)


@dataclass(frozen=True, slots=True)
class _Unclosed:
    """The adapter, whose processes are killed at the end: they are known not to close."""

    inner: Adapter

    @property
    def manifest(self) -> Manifest:
        return self.inner.manifest

    def open(self, environment: Environment) -> Implementation:
        return _UnclosedImplementation(self.inner.open(environment))


@dataclass(frozen=True, slots=True)
class _UnclosedImplementation:
    inner: Implementation

    async def boot_agent(self, machine: Machine) -> Agent:
        return await self.inner.boot_agent(machine)

    async def join_device(self, machine: Machine, owner: Person) -> Device:
        return await self.inner.join_device(machine, owner)

    async def close(self) -> None:
        return


@dataclass(frozen=True, slots=True)
class _Canceller:
    """The adapter, with a caller who cancels each call as soon as it is made."""

    inner: Adapter

    @property
    def manifest(self) -> Manifest:
        return self.inner.manifest

    def open(self, environment: Environment) -> Implementation:
        return _CancellerImplementation(self.inner.open(environment))


@dataclass(frozen=True, slots=True)
class _CancellerImplementation:
    inner: Implementation

    async def boot_agent(self, machine: Machine) -> Agent:
        return _CancellingAgent(await self.inner.boot_agent(machine))

    async def join_device(self, machine: Machine, owner: Person) -> Device:
        return await self.inner.join_device(machine, owner)

    async def close(self) -> None:
        await self.inner.close()


@dataclass(frozen=True, slots=True)
class _CancellingAgent:
    inner: Agent
    _tasks: list["asyncio.Task[Outcome]"] = field(default_factory=list)

    async def call_tool(self, tool_call: ToolCall) -> Outcome:
        self._tasks.append(asyncio.ensure_future(self.inner.call_tool(tool_call)))
        await self.inner.cancel(tool_call.id)
        return await self._tasks[-1]

    async def cancel(self, cancelled: CallId) -> bool:
        return await self.inner.cancel(cancelled)
