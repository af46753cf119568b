"""The real package in processes of Node, in virtual time, against the embedded Ably server."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from adapters.ai_transport import ADAPTERS, AiTransportAdapter
from harness.casting import call, person
from harness.deviations import AnswerAgain, CrashAtBoundary, CrashAtTime, CutLink, Deviation, ResetLink
from harness.model import Choice, DeviceId, HostName, OutcomeStatus, PersonId, ReceiptStatus
from harness.plan import AGENT_HOST, DAY, MS, SECOND, SERVICE_HOST, AnswerSpec, PersonSpec, Plan
from harness.properties import Status
from harness.run import Run, execute, judge_run
from harness.trace import EffectExecuted, Event, OutcomeReported, ReceiptGiven
from tests.prerequisites import require_installed

BY_NAME: Final = {it.manifest.name: it for it in ADAPTERS}
DOCUMENTED: Final = [BY_NAME["ai-transport"], BY_NAME["ai-transport-client-tool"]]
GUARDED: Final = [BY_NAME["ai-transport-guarded"], BY_NAME["ai-transport-client-tool-guarded"]]
CALL: Final = call()
PHONE: Final = DeviceId("alice-phone")
LAPTOP: Final = DeviceId("alice-laptop")

documented = pytest.mark.parametrize("adapter", DOCUMENTED, ids=lambda it: it.manifest.name)
guarded = pytest.mark.parametrize("adapter", GUARDED, ids=lambda it: it.manifest.name)
every = pytest.mark.parametrize("adapter", ADAPTERS, ids=lambda it: it.manifest.name)


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    require_installed("ai-transport")


def answering(
    who: str, choice: Choice = Choice.APPROVED, *, after_ns: int = SECOND, role: str = "publisher"
) -> PersonSpec:
    return person(who, [AnswerSpec(CALL.id, choice, think_ns=after_ns)], devices=2, role=role)


def plan_of(*deviations: Deviation, people: tuple[PersonSpec, ...] = (answering("alice"),)) -> Plan:
    return Plan("first_response_wins", people, (CALL,), deviations=deviations)


def race() -> Plan:
    first = answering("alice", Choice.REJECTED)
    return plan_of(people=(first, answering("bob", Choice.APPROVED, after_ns=SECOND + 2 * MS)))


def played(adapter: AiTransportAdapter, plan: Plan) -> Run:
    run = execute(adapter, plan)
    assert run.failures == ()
    return run


def of(run: Run, kind: type[Event]) -> list[Event]:
    return [event for event in run.boundary.events if isinstance(event, kind)]


def ends(run: Run) -> list[tuple[OutcomeStatus, Choice | None]]:
    return [(it.status, it.choice) for it in run.boundary.events if isinstance(it, OutcomeReported)]


def violated(adapter: AiTransportAdapter, run: Run) -> set[str]:
    offered = [f"P{number}" for number in range(1, 28)]
    judged = judge_run(adapter.manifest, run, offered)
    return {name for name, judgement in judged.items() if judgement.status is Status.VIOLATED}


@every
def test_in_a_calm_world_an_approved_call_is_executed_once(adapter: AiTransportAdapter) -> None:
    run = played(adapter, plan_of())
    assert len(of(run, EffectExecuted)) == 1
    assert ends(run) == [(OutcomeStatus.EXECUTED, Choice.APPROVED)]
    assert violated(adapter, run) == set()


@every
def test_a_rejected_call_is_not_executed_and_the_caller_is_told(adapter: AiTransportAdapter) -> None:
    run = played(adapter, plan_of(people=(answering("alice", Choice.REJECTED),)))
    assert of(run, EffectExecuted) == []
    assert ends(run) == [(OutcomeStatus.REJECTED, Choice.REJECTED)]
    assert violated(adapter, run) == set()


@every
def test_an_answer_after_a_month_works_like_one_after_a_second(adapter: AiTransportAdapter) -> None:
    run = played(adapter, plan_of(people=(answering("alice", after_ns=30 * DAY),)))
    assert ends(run) == [(OutcomeStatus.EXECUTED, Choice.APPROVED)]


@every
def test_an_agent_that_restarts_while_the_call_is_pending_loses_nothing(adapter: AiTransportAdapter) -> None:
    people = (answering("alice", after_ns=5 * SECOND),)
    run = played(adapter, plan_of(CrashAtTime(AGENT_HOST, 2 * SECOND, SECOND), people=people))
    assert ends(run) == [(OutcomeStatus.EXECUTED, Choice.APPROVED)]
    assert violated(adapter, run) == set()


@every
def test_a_device_that_was_away_finds_the_request_in_history(adapter: AiTransportAdapter) -> None:
    people = (person("alice", [AnswerSpec(CALL.id, device=PHONE)], devices=1, role="publisher"),)
    run = played(adapter, plan_of(CrashAtTime(HostName(PHONE), 10 * MS, 600 * SECOND), people=people))
    assert ends(run) == [(OutcomeStatus.EXECUTED, Choice.APPROVED)]


@documented
def test_the_reducer_lets_the_last_response_win(adapter: AiTransportAdapter) -> None:
    run = played(adapter, race())
    assert ends(run) == [(OutcomeStatus.EXECUTED, Choice.APPROVED)]
    assert violated(adapter, run) >= {"P1", "P5"}


@documented
def test_two_responses_start_two_continuations_and_both_execute(adapter: AiTransportAdapter) -> None:
    second = answering("bob", Choice.APPROVED, after_ns=SECOND + 2 * MS)
    run = played(adapter, plan_of(people=(answering("alice"), second)))
    assert len(of(run, EffectExecuted)) == 2
    assert "P4" in violated(adapter, run)


def test_a_response_after_the_end_changes_what_every_screen_shows() -> None:
    adapter = BY_NAME["ai-transport"]
    late = AnswerAgain(PersonId("alice"), CALL.id, LAPTOP, Choice.REJECTED, 3 * SECOND)
    assert violated(adapter, played(adapter, plan_of(late))) >= {"P5", "P16"}


@documented
def test_a_continuation_that_dies_with_its_process_is_never_taken_up(adapter: AiTransportAdapter) -> None:
    run = played(adapter, plan_of(CrashAtBoundary(AGENT_HOST, 0, SECOND, step="effect")))
    assert ends(run) == []
    assert "P25" in violated(adapter, run)


@guarded
def test_with_the_guard_the_first_response_wins_and_everybody_learns_which(
    adapter: AiTransportAdapter,
) -> None:
    run = played(adapter, race())
    assert ends(run) == [(OutcomeStatus.REJECTED, Choice.REJECTED)]
    receipts = {it.status for it in run.boundary.events if isinstance(it, ReceiptGiven)}
    assert receipts == {ReceiptStatus.DECIDED, ReceiptStatus.ALREADY_DECIDED}
    assert violated(adapter, run) == set()


@guarded
def test_with_the_guard_only_those_with_the_role_decide(adapter: AiTransportAdapter) -> None:
    people = (answering("alice", role="editor"), answering("bob", Choice.REJECTED, after_ns=3 * SECOND))
    run = played(adapter, plan_of(people=people))
    assert ends(run) == [(OutcomeStatus.REJECTED, Choice.REJECTED)]
    assert violated(adapter, run) == set()


@guarded
@pytest.mark.parametrize("step", range(4))
def test_with_the_guard_a_crash_at_any_durable_point_ends_in_one_truthful_outcome(
    adapter: AiTransportAdapter, step: int
) -> None:
    crashes = (
        CrashAtTime(AGENT_HOST, SECOND + 185 * MS, SECOND),
        CrashAtTime(AGENT_HOST, SECOND + 215 * MS, SECOND),
        CrashAtBoundary(AGENT_HOST, 0, SECOND, step="effect"),
        CrashAtBoundary(AGENT_HOST, 1, SECOND, step="body"),
    )
    run = played(adapter, plan_of(crashes[step]))
    assert len(of(run, EffectExecuted)) <= 1
    assert len(ends(run)) == 1
    assert violated(adapter, run) == set()


@guarded
def test_with_the_guard_a_lost_wake_up_loses_nothing(adapter: AiTransportAdapter) -> None:
    resets = [ResetLink(AGENT_HOST, SERVICE_HOST, SECOND + ms * MS) for ms in range(170, 230, 10)]
    run = played(adapter, plan_of(*resets))
    assert ends(run) == [(OutcomeStatus.EXECUTED, Choice.APPROVED)]
    assert violated(adapter, run) == set()


_DIGESTS: Final = """
from tests.adapters.test_ai_transport_runs import digests
print(*digests())
"""


def digests() -> list[str]:
    cut = plan_of(CutLink(AGENT_HOST, SERVICE_HOST, SECOND // 2, 150 * SECOND))
    return [execute(it, plan).trace.digest() for it in ADAPTERS[:2] for plan in (race(), cut)]


def test_equal_plans_give_equal_bytes_in_every_process() -> None:
    here = digests()
    for hash_seed in ("1", "4242"):
        there = subprocess.run(
            [sys.executable, "-c", _DIGESTS],
            cwd=Path(__file__).parents[2],
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.split() == here
