"""The real worker in virtual time: what the vendor promises and breaks, and what the hardened form keeps."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from adapters.inferable import ADAPTERS
from adapters.inferable.implementation import InferableAdapter
from harness.deviations import CancelCall, CrashAtBoundary, CrashAtTime, CutLink, Deviation, ResetLink
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
from harness.plan import (
    AGENT_HOST,
    DAY,
    SECOND,
    SERVICE_HOST,
    AnswerSpec,
    CallSpec,
    DeviceSpec,
    PersonSpec,
    Plan,
)
from harness.properties import PROPERTIES
from harness.run import Run, execute, judge_run
from harness.trace import BodyEntered, DecisionTaken, EffectExecuted, OutcomeReported, ReceiptGiven
from tests.prerequisites import require_installed

pytestmark = pytest.mark.once

BY_NAME = {adapter.manifest.name: adapter for adapter in ADAPTERS}
VENDOR, RETRYING = BY_NAME["inferable"], BY_NAME["inferable-retrying"]
HARDENED = BY_NAME["inferable-hardened"]
CALL = CallId("c1")


@pytest.fixture(autouse=True, scope="module")
def _installed() -> Iterator[None]:
    require_installed("inferable")
    yield
    for adapter in ADAPTERS:
        adapter.end()


def person(
    name: str, role: str = "publisher", think_ns: int = SECOND, choice: Choice = Choice.APPROVED
) -> PersonSpec:
    device = DeviceSpec(DeviceId(f"{name}-phone"))
    return PersonSpec(PersonId(name), Role(role), (device,), (AnswerSpec(CALL, choice, think_ns=think_ns),))


def run(
    adapter: InferableAdapter,
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


def receipts(done: Run) -> list[ReceiptStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, ReceiptGiven)]


def effects(done: Run) -> int:
    return sum(isinstance(it, EffectExecuted) for it in done.boundary.events)


def broken(adapter: InferableAdapter, done: Run) -> list[str]:
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    return [name for name, judged in judge_run(adapter.manifest, done, offered).items() if judged.findings]


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda it: it.manifest.name)
def test_an_approved_function_is_called_twice_and_takes_effect_once(adapter: InferableAdapter) -> None:
    done = run(adapter, person("ann"))
    entries = [it.approved for it in done.boundary.events if isinstance(it, BodyEntered)]
    assert (entries, effects(done), outcomes(done)) == ([False, True], 1, [OutcomeStatus.EXECUTED])
    assert not broken(adapter, done)


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda it: it.manifest.name)
def test_a_rejected_function_is_not_called_again(adapter: InferableAdapter) -> None:
    done = run(adapter, person("ann", choice=Choice.REJECTED))
    entries = [it.approved for it in done.boundary.events if isinstance(it, BodyEntered)]
    assert (entries, effects(done), outcomes(done)) == ([False], 0, [OutcomeStatus.REJECTED])
    assert not broken(adapter, done)


def digests() -> list[str]:
    killed = CrashAtBoundary(AGENT_HOST, 0, SECOND, "lost", "effect")
    cut = CutLink(AGENT_HOST, SERVICE_HOST, SECOND, 30 * SECOND)
    return [run(it, person("ann"), person("bob"), deviations=(killed, cut)).trace.digest() for it in ADAPTERS]


def test_equal_plans_give_equal_traces_in_every_process() -> None:
    here = digests()
    program = "from tests.adapters.test_inferable_runs import digests; print(*digests())"
    there = subprocess.run(
        [sys.executable, "-c", program],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "4711"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split() == here


@pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda it: it.manifest.name)
def test_a_pause_of_days_outlives_the_worker(adapter: InferableAdapter) -> None:
    killed = CrashAtTime(AGENT_HOST, 60 * SECOND, 300 * SECOND)
    done = run(adapter, person("ann", think_ns=3 * DAY), deviations=(killed,))
    assert (effects(done), outcomes(done)) == (1, [OutcomeStatus.EXECUTED])
    assert not broken(adapter, done)


@pytest.mark.parametrize(
    ("adapter", "times", "ended"),
    [
        (VENDOR, 1, OutcomeStatus.UNKNOWN),
        (RETRYING, 2, OutcomeStatus.EXECUTED),
        (HARDENED, 1, OutcomeStatus.UNKNOWN),
    ],
    ids=lambda it: it.manifest.name if isinstance(it, InferableAdapter) else str(it),
)
def test_a_worker_killed_after_its_side_effect(
    adapter: InferableAdapter, times: int, ended: OutcomeStatus
) -> None:
    killed = CrashAtBoundary(AGENT_HOST, 0, SECOND, "lost", "effect")
    done = run(adapter, person("ann"), deviations=(killed,))
    assert (effects(done), outcomes(done)) == (times, [ended])
    assert broken(adapter, done) == (["P20"] if times > 1 else [])


def test_the_vendor_tells_winner_and_loser_the_same() -> None:
    done = run(VENDOR, person("ann"), person("bob", choice=Choice.REJECTED))
    assert receipts(done) == [ReceiptStatus.SENT, ReceiptStatus.SENT]
    assert sum(isinstance(it, DecisionTaken) for it in done.boundary.events) == 1


def test_the_hardened_form_tells_the_loser_who_won() -> None:
    done = run(HARDENED, person("ann"), person("bob", choice=Choice.REJECTED))
    assert sorted(receipts(done)) == [ReceiptStatus.ALREADY_DECIDED, ReceiptStatus.DECIDED]
    assert not broken(HARDENED, done)


def test_the_vendor_lets_who_manages_the_cluster_decide_a_call_that_asks_for_more() -> None:
    done = run(VENDOR, person("ann", "publisher"), minimum="admin")
    assert "P9" in broken(VENDOR, done)


def test_the_vendor_never_sees_that_a_call_asks_for_a_role_which_nobody_has() -> None:
    assert broken(VENDOR, run(VENDOR, person("ann"), minimum="superuser")) == ["P9", "P23"]


def test_the_hardened_form_asks_the_policy_of_the_call() -> None:
    done = run(HARDENED, person("ann", "publisher"), minimum="admin")
    assert (receipts(done), outcomes(done), effects(done)) == ([ReceiptStatus.UNAUTHORISED], [], 0)


def test_a_cancelled_call_of_the_vendor_runs_when_it_is_approved_from_a_stale_screen() -> None:
    done = run(RETRYING, person("ann"), deviations=(CancelCall(CALL, SECOND + 500_000_000),))
    assert (outcomes(done)[:1], effects(done)) == ([OutcomeStatus.CANCELLED], 1)
    assert broken(RETRYING, done) == ["P14"]


def test_a_cancelled_call_of_the_hardened_form_never_runs() -> None:
    done = run(HARDENED, person("ann"), deviations=(CancelCall(CALL, SECOND + 500_000_000),))
    assert (outcomes(done), effects(done)) == ([OutcomeStatus.CANCELLED], 0)
    assert not broken(HARDENED, done)


@pytest.mark.parametrize("host", [AGENT_HOST, HostName("ann-phone")])
@pytest.mark.parametrize("at_ns", [50_000_000, SECOND + 560_000_000])
def test_the_hardened_form_survives_broken_links(host: HostName, at_ns: int) -> None:
    faults = (ResetLink(host, SERVICE_HOST, at_ns), CutLink(host, SERVICE_HOST, at_ns + SECOND, 30 * SECOND))
    done = run(HARDENED, person("ann"), deviations=faults)
    assert (effects(done), outcomes(done)) == (1, [OutcomeStatus.EXECUTED])
    assert not broken(HARDENED, done)
