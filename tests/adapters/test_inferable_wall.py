"""The real worker in real time: processes and sockets, and a worker killed in the middle of a call."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from adapters.inferable import ADAPTERS, implementation
from adapters.inferable.implementation import InferableAdapter
from harness.deviations import CrashAtBoundary, Deviation
from harness.model import CallId, DeviceId, OutcomeStatus, PersonId, Role
from harness.plan import AGENT_HOST, SECOND, AnswerSpec, CallSpec, DeviceSpec, PersonSpec, Plan
from harness.run import Run
from harness.trace import BodyEntered, EffectExecuted, HostCrashed, HostRestarted, OutcomeReported, ToolCalled
from harness.wall.lanes import LoopbackLane
from harness.wall.play import execute_in_real_time
from tests.prerequisites import require_installed

pytest.importorskip("ably")

pytestmark = pytest.mark.once

BY_NAME = {adapter.manifest.name: adapter for adapter in ADAPTERS}
CALL = CallId("c1")


@pytest.fixture(autouse=True, scope="module")
def _installed() -> Iterator[None]:
    require_installed("inferable")
    yield
    for adapter in ADAPTERS:
        adapter.end()


@pytest.fixture(autouse=True)
def _on_a_busy_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Give a worker that waits for the processor longer before its call counts as stalled."""
    monkeypatch.setattr(implementation, "REAL", replace(implementation.REAL, timeout_s=10))


def play(adapter: InferableAdapter, *deviations: Deviation) -> Run:
    ann = PersonSpec(
        PersonId("ann"), Role("publisher"), (DeviceSpec(DeviceId("ann-phone")),), (AnswerSpec(CALL),)
    )
    plan = Plan("by hand", (ann,), (CallSpec(CALL, arguments={"title": "Hello"}),), deviations=deviations)
    done = execute_in_real_time(adapter, plan, LoopbackLane())
    assert done.failures == ()
    return done


def outcomes(done: Run) -> list[OutcomeStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, OutcomeReported)]


def kinds(done: Run, *wanted: type[object]) -> list[type[object]]:
    return [type(it) for it in done.boundary.events if isinstance(it, wanted)]


def test_an_approved_function_runs_in_real_time_as_in_virtual_time() -> None:
    done = play(BY_NAME["inferable"])
    assert [it.approved for it in done.boundary.events if isinstance(it, BodyEntered)] == [False, True]
    assert kinds(done, EffectExecuted) == [EffectExecuted]
    assert outcomes(done) == [OutcomeStatus.EXECUTED]


@pytest.mark.parametrize(
    ("name", "effects", "ended"),
    [
        ("inferable-retrying", 2, OutcomeStatus.EXECUTED),
        ("inferable-hardened", 1, OutcomeStatus.UNKNOWN),
    ],
)
def test_a_worker_killed_after_its_side_effect(name: str, effects: int, ended: OutcomeStatus) -> None:
    done = play(BY_NAME[name], CrashAtBoundary(AGENT_HOST, 0, SECOND, "kept", "effect"))
    assert done.plan.deviations
    assert kinds(done, HostCrashed, HostRestarted, ToolCalled) == [
        ToolCalled,
        HostCrashed,
        HostRestarted,
        ToolCalled,
    ]
    assert (kinds(done, EffectExecuted), outcomes(done)) == ([EffectExecuted] * effects, [ended])
