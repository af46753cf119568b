"""Several runs in real time at once."""

import pytest

from adapters.ably_guide import ADAPTERS
from harness.casting import call, person
from harness.model import CallId, OutcomeStatus
from harness.plan import AnswerSpec, Plan
from harness.trace import OutcomeReported
from harness.wall.lanes import LoopbackLane
from harness.wall.parallel import play_all

pytest.importorskip("ably")


def test_runs_at_once_come_out_in_the_order_of_their_plans_and_keep_apart() -> None:
    (adapter,) = (it for it in ADAPTERS if it.manifest.name == "ably")
    alice = person("alice", [AnswerSpec(CallId("c1"))])
    plans = [Plan(f"plan {number}", (alice,), (call(),)) for number in range(5)]
    runs = list(play_all(adapter, plans, LoopbackLane(), at_once=3))
    assert [run.plan.scenario for run in runs] == [plan.scenario for plan in plans]
    for run in runs:
        told = [it.status for it in run.boundary.events if isinstance(it, OutcomeReported)]
        assert (told, run.failures) == ([OutcomeStatus.EXECUTED], ())
    assert len({run.plan.calls[0].session for run in runs}) == len(plans)


def test_what_still_plays_ends_when_nobody_wants_the_rest() -> None:
    (adapter,) = (it for it in ADAPTERS if it.manifest.name == "ably")
    alice = person("alice", [AnswerSpec(CallId("c1"))])
    plans = [Plan(f"plan {number}", (alice,), (call(),)) for number in range(4)]
    runs = play_all(adapter, plans, LoopbackLane(), at_once=4)
    assert next(runs).plan.scenario == "plan 0"
    runs.close()
    assert list(runs) == []
