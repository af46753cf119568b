"""Plan-level shrinking: what is dropped, what stays, and that it ends."""

from adapters.reference import ADAPTERS
from harness.casting import call, person
from harness.deviations import CrashAtTime, DelayMessage, Deviation, DoubleTap
from harness.explore.shrink import shrink, size
from harness.explore.trials import Trials
from harness.model import CallId, HostName, PersonId
from harness.plan import MS, SECOND, AnswerSpec, Plan

AGENT, CHANNEL = HostName("agent"), HostName("channel")
TAP = DoubleTap(PersonId("alice"), CallId("c1"), 35 * MS)
NOISE: tuple[Deviation, ...] = (
    DelayMessage(AGENT, CHANNEL, 3, 70 * MS),
    CrashAtTime(AGENT, 7 * SECOND, SECOND),
    DelayMessage(CHANNEL, AGENT, 1, 5 * MS),
)


def a_plan(*deviations: Deviation) -> Plan:
    answers = [AnswerSpec(CallId("c1")), AnswerSpec(CallId("c2"))]
    people = (person("alice", answers, devices=3), person("bob", answers))
    return Plan("s", people, (call(1), call(2)), deviations=deviations, backlog=120)


def test_only_the_deviation_that_matters_is_left() -> None:
    shrunk = shrink(
        a_plan(*NOISE, TAP), lambda plan: any(isinstance(it, DoubleTap) for it in plan.deviations)
    )
    assert [it.kind for it in shrunk.deviations] == ["double-tap"]


def test_the_cast_shrinks_to_those_that_the_violation_needs() -> None:
    shrunk = shrink(a_plan(TAP), lambda plan: TAP in plan.deviations)
    assert [it.id for it in shrunk.people] == ["alice"]
    assert [it.id for it in shrunk.calls] == ["c1"]
    assert len(shrunk.people[0].devices) == 1
    assert shrunk.backlog == 0


def test_numbers_shrink_to_round_ones() -> None:
    def at_least_20_ms(plan: Plan) -> bool:
        return any(isinstance(it, DelayMessage) and it.by_ns >= 20 * MS for it in plan.deviations)

    shrunk = shrink(a_plan(DelayMessage(AGENT, CHANNEL, 3, 170 * MS)), at_least_20_ms)
    assert shrunk.deviations == (DelayMessage(AGENT, CHANNEL, 0, 100 * MS),)


def test_a_plan_that_cannot_shrink_stays_as_it_is() -> None:
    plan = a_plan(TAP, *NOISE)
    assert shrink(plan, lambda candidate: candidate == plan) == plan


def test_a_shrunk_plan_is_never_larger() -> None:
    plan = a_plan(*NOISE, TAP)
    assert size(shrink(plan, lambda _: True)) <= size(plan)


def test_what_costs_too_many_runs_is_left_as_it_is() -> None:
    trials = Trials(ADAPTERS[0], "P1", runs_max=1)
    first, second = (Plan("x", (), (), seed=number) for number in (1, 2))
    assert trials.affords(first)
    trials.of(first)
    assert trials.affords(first)
    assert not trials.affords(second)
