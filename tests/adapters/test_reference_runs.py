"""The reference in the world: its two shells under crashes, outages and stale identities."""

from dataclasses import replace

import pytest

from adapters.reference import REFERENCE, REINVOKING, ReferenceAdapter
from harness.deviations import (
    CancelCall,
    ChangeRole,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    Deviation,
    DropMessage,
    HandOutAgain,
    ToolFails,
)
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
    MS,
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
from harness.trace import (
    BodyEntered,
    CancelConfirmed,
    DecisionTaken,
    EffectExecuted,
    OutcomeReported,
    ReceiptGiven,
)

CALL = CallId("c1")
STYLES = pytest.mark.parametrize("adapter", [REFERENCE, REINVOKING], ids=lambda it: it.manifest.name)
ASKED = CallSpec(CALL, arguments={"title": "Hello"}, policy=Policy(minimum_role=Role("publisher")))


def person(
    name: str, *, role: str = "publisher", think_ns: int = SECOND, choice: Choice = Choice.APPROVED
) -> PersonSpec:
    answer = AnswerSpec(CALL, choice, think_ns=think_ns)
    return PersonSpec(PersonId(name), Role(role), (DeviceSpec(DeviceId(f"{name}-phone")),), (answer,))


def run(
    *people: PersonSpec,
    adapter: ReferenceAdapter = REFERENCE,
    call: CallSpec = ASKED,
    deviations: tuple[Deviation, ...] = (),
    agents: tuple[HostName, ...] = (AGENT_HOST,),
) -> Run:
    """Execute a plan, and hold it against everything that the reference promises."""
    plan = Plan(scenario="by hand", people=people, calls=(call,), deviations=deviations, agents=agents)
    done = execute(adapter, plan)
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    judged = judge_run(adapter.manifest, done, offered)
    assert not done.failures
    assert {name: it.findings for name, it in judged.items() if it.findings} == {}
    return done


def outcome(done: Run) -> OutcomeReported:
    (told,) = [it for it in done.boundary.events if isinstance(it, OutcomeReported)]
    return told


def receipts(done: Run) -> list[ReceiptStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, ReceiptGiven)]


def effects(done: Run) -> int:
    return sum(isinstance(it, EffectExecuted) for it in done.boundary.events)


def entries(done: Run) -> list[bool]:
    return [it.approved for it in done.boundary.events if isinstance(it, BodyEntered)]


def test_an_approved_call_is_entered_once_where_the_gate_is_inline() -> None:
    done = run(person("alice"))
    assert (outcome(done).status, entries(done), effects(done)) == (OutcomeStatus.EXECUTED, [False], 1)


def test_an_approved_call_is_entered_again_where_the_function_is_called_again() -> None:
    done = run(person("alice"), adapter=REINVOKING)
    assert (outcome(done).status, entries(done), effects(done)) == (OutcomeStatus.EXECUTED, [False, True], 1)


@STYLES
def test_a_rejected_call_is_not_entered_again(adapter: ReferenceAdapter) -> None:
    done = run(person("alice", choice=Choice.REJECTED), adapter=adapter)
    assert (outcome(done).status, entries(done), effects(done)) == (OutcomeStatus.REJECTED, [False], 0)


def test_a_loser_learns_who_won() -> None:
    done = run(person("alice"), person("bob", think_ns=SECOND + MS, choice=Choice.REJECTED))
    assert receipts(done) == [ReceiptStatus.DECIDED, ReceiptStatus.ALREADY_DECIDED]
    told = [it.winner for it in done.boundary.events if isinstance(it, ReceiptGiven)]
    assert told == ["alice", "alice"]


def test_an_unauthorised_answer_is_told_so_and_ends_nothing() -> None:
    done = run(person("eve", role="editor"), person("alice", think_ns=2 * SECOND))
    assert receipts(done) == [ReceiptStatus.UNAUTHORISED, ReceiptStatus.DECIDED]
    assert outcome(done).decided_by == "alice"


def test_somebody_promoted_meanwhile_answers_with_a_fresh_token() -> None:
    promoted = ChangeRole(PersonId("eve"), at_ns=500 * MS, role=Role("admin"))
    done = run(person("eve", role="editor"), deviations=(promoted,))
    assert (receipts(done), outcome(done).role) == ([ReceiptStatus.DECIDED], "admin")


def test_a_demotion_on_the_way_is_seen_at_the_moment_of_deciding() -> None:
    demoted = ChangeRole(PersonId("alice"), at_ns=SECOND + 45 * MS, role=Role("editor"))
    done = run(person("alice"), deviations=(demoted,))
    assert (receipts(done), effects(done)) == ([ReceiptStatus.UNAUTHORISED], 0)


def test_a_tool_that_fails_is_reported_as_failed_and_not_tried_again() -> None:
    done = run(person("alice"), deviations=(ToolFails(CALL),))
    assert (outcome(done).status, effects(done)) == (OutcomeStatus.FAILED, 1)


@STYLES
@pytest.mark.parametrize("k", range(40))
def test_the_agent_may_lose_power_after_any_step(adapter: ReferenceAdapter, k: int) -> None:
    crash = CrashAtBoundary(AGENT_HOST, k, down_ns=SECOND)
    done = run(person("alice"), adapter=adapter, deviations=(crash,))
    ended = outcome(done).status
    assert ended in (OutcomeStatus.EXECUTED, OutcomeStatus.UNKNOWN)
    assert effects(done) <= 1


@pytest.mark.parametrize("k", range(20))
def test_a_device_may_lose_power_after_any_step(k: int) -> None:
    phone = HostName("alice-phone")
    done = run(person("alice"), deviations=(CrashAtBoundary(phone, k, down_ns=SECOND),))
    assert effects(done) <= 1


@pytest.mark.parametrize("k", range(12))
@pytest.mark.parametrize("outward", [True, False])
def test_a_lost_message_costs_nothing_but_time(k: int, *, outward: bool) -> None:
    phone = HostName("alice-phone")
    ends = (phone, SERVICE_HOST) if outward else (SERVICE_HOST, phone)
    done = run(person("alice"), deviations=(DropMessage(*ends, k),))
    assert outcome(done).status is OutcomeStatus.EXECUTED


def test_an_answer_given_while_the_agent_is_down_is_found_in_history() -> None:
    down = CrashAtTime(AGENT_HOST, at_ns=500 * MS, down_ns=10 * SECOND)
    done = run(person("alice"), deviations=(down,))
    assert (outcome(done).status, outcome(done).attempt) == (OutcomeStatus.EXECUTED, 2)


def test_a_device_cut_off_beyond_the_live_window_catches_up() -> None:
    cut = CutLink(HostName("bob-phone"), SERVICE_HOST, at_ns=30 * MS, for_ns=600 * SECOND)
    slow = person("bob", think_ns=900 * SECOND)
    done = run(person("alice", think_ns=2_000 * SECOND), slow, deviations=(cut,))
    assert outcome(done).decided_by == "bob"


def test_an_agent_cut_off_while_it_asks_asks_when_it_is_back() -> None:
    cut = CutLink(AGENT_HOST, SERVICE_HOST, at_ns=35 * MS, for_ns=150 * SECOND)
    done = run(person("alice"), deviations=(cut,))
    assert outcome(done).status is OutcomeStatus.EXECUTED


def test_a_month_of_waiting_changes_nothing() -> None:
    done = run(person("alice", think_ns=30 * DAY))
    assert outcome(done).status is OutcomeStatus.EXECUTED


def test_an_answer_that_arrives_at_the_deadline_comes_too_late() -> None:
    call = replace(ASKED, timeout_ns=SECOND + 50 * MS)
    done = run(person("alice"), call=call)
    assert (outcome(done).status, receipts(done)) == (OutcomeStatus.EXPIRED, [ReceiptStatus.EXPIRED])


def test_an_answer_that_arrives_just_before_the_deadline_decides() -> None:
    call = replace(ASKED, timeout_ns=SECOND + 51 * MS)
    done = run(person("alice"), call=call)
    assert (outcome(done).status, receipts(done)) == (OutcomeStatus.EXECUTED, [ReceiptStatus.DECIDED])


def test_silence_expires_at_the_deadline_and_never_approves() -> None:
    call = replace(ASKED, timeout_ns=2 * SECOND)
    done = run(person("alice", think_ns=DAY), call=call)
    assert (outcome(done).status, outcome(done).at) == (OutcomeStatus.EXPIRED, 2 * SECOND)


@pytest.mark.parametrize(
    ("at_ns", "cancelled"), [(500 * MS, True), (SECOND + 49 * MS, True), (SECOND + 51 * MS, None)]
)
def test_a_cancellation_takes_effect_only_before_the_decision(at_ns: int, *, cancelled: bool | None) -> None:
    done = run(person("alice"), deviations=(CancelCall(CALL, at_ns),))
    confirmed = [it.cancelled for it in done.boundary.events if isinstance(it, CancelConfirmed)]
    assert confirmed == ([] if cancelled is None else [cancelled])
    assert effects(done) == (0 if cancelled else 1)


def test_a_quorum_takes_two_people() -> None:
    call = replace(ASKED, policy=replace(ASKED.policy, quorum=2))
    done = run(person("alice"), person("bob", think_ns=2 * SECOND), call=call)
    assert receipts(done) == [ReceiptStatus.COUNTED, ReceiptStatus.DECIDED]


def test_two_agents_given_one_call_execute_it_once() -> None:
    second = HostName("agent-2")
    handed_out = HandOutAgain(CALL, second, at_ns=500 * MS)
    done = run(person("alice"), agents=(AGENT_HOST, second), deviations=(handed_out,))
    assert effects(done) == 1
    assert sum(isinstance(it, DecisionTaken) for it in done.boundary.events) == 1
