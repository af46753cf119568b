"""The guide's forms in the world: each weak spot of the published ones shows, none in the hardened."""

import pytest

from adapters.ably_guide import ADAPTERS, GuideAdapter
from harness.deviations import CrashAtTime, CutLink, Deviation
from harness.model import (
    CallId,
    Choice,
    DeviceId,
    HostName,
    OutcomeStatus,
    PersonId,
    Policy,
    ReceiptStatus,
    Role,
)
from harness.plan import MS, SECOND, SERVICE_HOST, AnswerSpec, CallSpec, DeviceSpec, PersonSpec, Plan
from harness.properties import PROPERTIES
from harness.run import Run, execute, judge_run
from harness.trace import DecisionTaken, EffectExecuted, OutcomeReported, ReceiptGiven

BY_NAME = {adapter.manifest.name: adapter for adapter in ADAPTERS}
GUIDE, OLDER, HARDENED = BY_NAME["ably-guide"], BY_NAME["ably-guide-older"], BY_NAME["ably-guide-hardened"]
CALL = CallId("c1")


def person(name: str, role: str, think_ns: int, choice: Choice = Choice.APPROVED) -> PersonSpec:
    device = DeviceSpec(DeviceId(f"{name}-phone"))
    return PersonSpec(PersonId(name), Role(role), (device,), (AnswerSpec(CALL, choice, think_ns=think_ns),))


def run(
    adapter: GuideAdapter,
    *people: PersonSpec,
    minimum: str = "publisher",
    deviations: tuple[Deviation, ...] = (),
) -> Run:
    call = CallSpec(CALL, arguments={"title": "Hello"}, policy=Policy(minimum_role=Role(minimum)))
    done = execute(adapter, Plan(scenario="by hand", people=people, calls=(call,), deviations=deviations))
    assert not done.failures
    return done


def outcomes(done: Run) -> list[OutcomeStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, OutcomeReported)]


def effects(done: Run) -> int:
    return sum(isinstance(it, EffectExecuted) for it in done.boundary.events)


def broken(adapter: GuideAdapter, done: Run) -> list[str]:
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    return [name for name, judged in judge_run(adapter.manifest, done, offered).items() if judged.findings]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda it: it.manifest.name)
def test_in_a_calm_world_every_form_executes_an_approved_call_once(adapter: GuideAdapter) -> None:
    done = run(adapter, person("alice", "publisher", SECOND))
    assert (outcomes(done), effects(done), broken(adapter, done)) == ([OutcomeStatus.EXECUTED], 1, [])


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda it: it.manifest.name)
def test_a_rejected_call_is_not_executed(adapter: GuideAdapter) -> None:
    done = run(adapter, person("alice", "publisher", SECOND, Choice.REJECTED))
    assert (outcomes(done), effects(done)) == ([OutcomeStatus.REJECTED], 0)


def test_as_published_a_weak_role_ends_the_request_for_everybody() -> None:
    people = person("eve", "editor", SECOND), person("alice", "publisher", 2 * SECOND)
    done = run(GUIDE, *people)
    assert outcomes(done) == [OutcomeStatus.UNAUTHORISED]
    assert "P9" in broken(GUIDE, done)


@pytest.mark.parametrize("adapter", [OLDER, HARDENED], ids=lambda it: it.manifest.name)
def test_elsewhere_a_weak_role_is_ignored_and_the_next_answer_decides(adapter: GuideAdapter) -> None:
    done = run(adapter, person("eve", "editor", SECOND), person("alice", "publisher", 2 * SECOND))
    assert (outcomes(done), broken(adapter, done)) == ([OutcomeStatus.EXECUTED], [])


@pytest.mark.parametrize("adapter", [GUIDE, OLDER], ids=lambda it: it.manifest.name)
def test_as_published_an_unlisted_required_role_passes_everyone(adapter: GuideAdapter) -> None:
    done = run(adapter, person("eve", "editor", SECOND), minimum="owner")
    assert effects(done) == 1
    assert "P23" in broken(adapter, done)


def test_the_hardened_form_lets_nobody_pass_an_unlisted_required_role() -> None:
    done = run(HARDENED, person("eve", "editor", SECOND), minimum="owner")
    assert (effects(done), broken(HARDENED, done)) == (0, [])


def test_the_older_form_executes_again_on_a_second_answer() -> None:
    people = person("alice", "publisher", SECOND), person("bob", "publisher", SECOND + 3 * MS)
    done = run(OLDER, *people)
    assert effects(done) == 2
    assert {"P1", "P4"} <= set(broken(OLDER, done))


@pytest.mark.parametrize("adapter", [GUIDE, HARDENED], ids=lambda it: it.manifest.name)
def test_elsewhere_a_second_answer_executes_nothing(adapter: GuideAdapter) -> None:
    done = run(adapter, person("alice", "publisher", SECOND), person("bob", "publisher", SECOND + 3 * MS))
    assert (effects(done), broken(adapter, done)) == (1, [])
    assert sum(isinstance(it, DecisionTaken) for it in done.boundary.events) == 1


AGENT_DOWN = CrashAtTime(HostName("agent"), at_ns=500 * MS, down_ns=10 * SECOND)


@pytest.mark.parametrize("adapter", [GUIDE, OLDER], ids=lambda it: it.manifest.name)
def test_as_published_an_answer_given_while_the_agent_is_down_is_lost(adapter: GuideAdapter) -> None:
    done = run(adapter, person("alice", "publisher", SECOND), deviations=(AGENT_DOWN,))
    assert outcomes(done) == []
    assert "P25" in broken(adapter, done)


def test_the_hardened_form_finds_that_answer_in_history() -> None:
    done = run(HARDENED, person("alice", "publisher", SECOND), deviations=(AGENT_DOWN,))
    assert (outcomes(done), broken(HARDENED, done)) == ([OutcomeStatus.EXECUTED], [])


def test_the_hardened_form_reads_history_after_a_cut_longer_than_the_live_window() -> None:
    cut = CutLink(HostName("agent"), SERVICE_HOST, at_ns=35 * MS, for_ns=150 * SECOND)
    done = run(HARDENED, person("alice", "publisher", SECOND), deviations=(cut,))
    assert (outcomes(done), broken(HARDENED, done)) == ([OutcomeStatus.EXECUTED], [])


def test_a_device_of_the_published_form_is_told_no_more_than_that_the_answer_is_sent() -> None:
    done = run(GUIDE, person("alice", "publisher", SECOND))
    told = [it.status for it in done.boundary.events if isinstance(it, ReceiptGiven)]
    assert told == [ReceiptStatus.SENT]
