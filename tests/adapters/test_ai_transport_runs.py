"""The real package in processes of Node, in virtual time, against the embedded Ably server.

Processes of Node are what these tests cost: stories are told with few devices, and an adapter plays each of
them once for all tests that read it.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import pytest

from adapters.ai_transport import ADAPTERS
from harness.casting import call, person
from harness.deviations import AnswerAgain, CrashAtBoundary, CrashAtTime, CutLink, Deviation, ResetLink
from harness.model import Choice, DeviceId, HostName, OutcomeStatus, PersonId, ReceiptStatus
from harness.plan import AGENT_HOST, DAY, MS, SECOND, SERVICE_HOST, AnswerSpec, PersonSpec, Plan
from harness.properties import Status
from harness.run import Run, execute, judge_run
from harness.trace import EffectExecuted, OutcomeReported, ReceiptGiven
from tests.prerequisites import require_installed

pytestmark = pytest.mark.once

BY_NAME: Final = {it.manifest.name: it for it in ADAPTERS}
CALL: Final = call()
ALICE: Final = PersonId("alice")
PHONE: Final = DeviceId("alice-phone")
APPROVED: Final = (OutcomeStatus.EXECUTED, Choice.APPROVED)
REJECTED: Final = (OutcomeStatus.REJECTED, Choice.REJECTED)

documented = pytest.mark.parametrize("adapter", ["ai-transport", "ai-transport-client-tool"])
guarded = pytest.mark.parametrize("adapter", ["ai-transport-guarded", "ai-transport-client-tool-guarded"])
both_forms = pytest.mark.parametrize("adapter", ["ai-transport", "ai-transport-client-tool-guarded"])
"""Each form once, and with and without the guard, for what depends on neither alone."""


@pytest.fixture(autouse=True, scope="module")
def _installed() -> None:
    require_installed("ai-transport")


def answering(
    who: str, choice: Choice = Choice.APPROVED, *, after_ns: int = SECOND, role: str = "publisher"
) -> PersonSpec:
    return person(who, [AnswerSpec(CALL.id, choice, think_ns=after_ns)], devices=1, role=role)


def plan_of(*deviations: Deviation, people: tuple[PersonSpec, ...] = (answering("alice"),)) -> Plan:
    return Plan("first_response_wins", people, (CALL,), deviations=deviations)


def alice_again(choice: Choice, *, after_ns: int = 3 * SECOND) -> Deviation:
    return AnswerAgain(ALICE, CALL.id, PHONE, choice, after_ns)


STORIES: Final[Mapping[str, Plan]] = MappingProxyType(
    {
        "a month": plan_of(people=(answering("alice", after_ns=30 * DAY),)),
        "rejection": plan_of(people=(answering("alice", Choice.REJECTED),)),
        "restarts": plan_of(
            CrashAtTime(HostName(PHONE), 10 * MS, 600 * SECOND), CrashAtTime(AGENT_HOST, 2 * SECOND, SECOND)
        ),
        "race": plan_of(
            people=(answering("alice", Choice.REJECTED), answering("bob", after_ns=SECOND + 2 * MS))
        ),
        "late answer": plan_of(alice_again(Choice.REJECTED)),
        "second thoughts while the agent is down": plan_of(
            CrashAtTime(AGENT_HOST, SECOND, 8 * SECOND),
            alice_again(Choice.APPROVED),
            people=(answering("alice", Choice.REJECTED),),
        ),
        "device dies before the wake-up": plan_of(CrashAtTime(HostName(PHONE), SECOND + 175 * MS, SECOND)),
        "agent dies in the tool": plan_of(CrashAtBoundary(AGENT_HOST, 0, SECOND, step="effect")),
        "agent dies in the handler": plan_of(CrashAtBoundary(AGENT_HOST, 1, SECOND, step="body")),
        "agent dies deciding": plan_of(CrashAtTime(AGENT_HOST, SECOND + 185 * MS, SECOND)),
        "agent dies having decided": plan_of(CrashAtTime(AGENT_HOST, SECOND + 215 * MS, SECOND)),
        "no wake-up comes through": plan_of(
            *(ResetLink(AGENT_HOST, SERVICE_HOST, SECOND + ms * MS) for ms in range(170, 230, 10))
        ),
        "an editor first": plan_of(
            people=(
                answering("alice", role="editor"),
                answering("bob", Choice.REJECTED, after_ns=3 * SECOND),
            )
        ),
        "a long cut": plan_of(CutLink(AGENT_HOST, SERVICE_HOST, SECOND // 2, 150 * SECOND)),
    }
)


@cache
def played(adapter: str, story: str) -> Run:
    run = execute(BY_NAME[adapter], STORIES[story])
    assert run.failures == ()
    return run


def executions(run: Run) -> int:
    return sum(isinstance(event, EffectExecuted) for event in run.boundary.events)


def ends(run: Run) -> list[tuple[OutcomeStatus, Choice | None]]:
    return [(it.status, it.choice) for it in run.boundary.events if isinstance(it, OutcomeReported)]


def receipts(run: Run) -> set[ReceiptStatus]:
    return {it.status for it in run.boundary.events if isinstance(it, ReceiptGiven)}


def violated(run: Run) -> set[str]:
    wanted = [f"P{number}" for number in range(1, 28)]
    judged = judge_run(BY_NAME[run.adapter].manifest, run, wanted)
    return {name for name, judgement in judged.items() if judgement.status is Status.VIOLATED}


@both_forms
def test_a_call_that_is_approved_after_a_month_is_executed_once(adapter: str) -> None:
    run = played(adapter, "a month")
    assert executions(run) == 1
    assert ends(run) == [APPROVED]
    assert violated(run) == set()


@both_forms
def test_a_rejected_call_is_not_executed_and_the_caller_is_told(adapter: str) -> None:
    run = played(adapter, "rejection")
    assert executions(run) == 0
    assert ends(run) == [REJECTED]
    assert violated(run) == set()


@both_forms
def test_an_agent_that_restarts_and_a_device_that_was_away_find_the_request_in_history(adapter: str) -> None:
    run = played(adapter, "restarts")
    assert ends(run) == [APPROVED]
    assert violated(run) == set()


@documented
def test_the_reducer_lets_the_last_response_win(adapter: str) -> None:
    run = played(adapter, "race")
    assert ends(run) == [APPROVED]
    assert violated(run) >= {"P1", "P5"}


@documented
def test_two_responses_start_two_continuations_and_both_execute(adapter: str) -> None:
    run = played(adapter, "second thoughts while the agent is down")
    assert executions(run) == 2
    assert "P4" in violated(run)


@documented
def test_a_response_after_the_end_changes_what_every_screen_shows(adapter: str) -> None:
    assert violated(played(adapter, "late answer")) >= {"P1", "P5", "P16"}


@documented
def test_a_rejection_is_turned_into_an_execution_while_the_agent_is_down(adapter: str) -> None:
    run = played(adapter, "second thoughts while the agent is down")
    assert ends(run) == [APPROVED]
    assert violated(run) >= {"P2", "P5"}


@documented
def test_a_call_whose_wake_up_was_never_sent_is_pending_and_shown_nowhere(adapter: str) -> None:
    run = played(adapter, "device dies before the wake-up")
    assert ends(run) == []
    assert "P17" in violated(run)


@documented
def test_a_continuation_that_dies_with_its_process_is_never_taken_up(adapter: str) -> None:
    run = played(adapter, "agent dies in the tool")
    assert ends(run) == []
    assert "P25" in violated(run)


@guarded
def test_with_the_guard_the_first_response_wins_and_everybody_learns_which(adapter: str) -> None:
    run = played(adapter, "race")
    assert ends(run) == [REJECTED]
    assert executions(run) == 0
    assert receipts(run) == {ReceiptStatus.DECIDED, ReceiptStatus.ALREADY_DECIDED}
    assert violated(run) == set()


def test_with_the_guard_a_later_answer_changes_nothing() -> None:
    run = played("ai-transport-guarded", "second thoughts while the agent is down")
    assert ends(run) == [REJECTED]
    assert executions(run) == 0
    assert violated(run) == set()


def test_with_the_guard_only_those_with_the_role_decide() -> None:
    run = played("ai-transport-guarded", "an editor first")
    assert ends(run) == [REJECTED]
    assert violated(run) == set()


@pytest.mark.parametrize(
    ("adapter", "story"),
    [
        *(("ai-transport-guarded", story) for story in STORIES if story.startswith("agent dies")),
        *(
            ("ai-transport-client-tool-guarded", f"agent dies {where}")
            for where in ("deciding", "in the tool")
        ),
    ],
)
def test_with_the_guard_a_crash_at_any_durable_point_ends_in_one_truthful_outcome(
    adapter: str, story: str
) -> None:
    run = played(adapter, story)
    assert executions(run) <= 1
    assert len(ends(run)) == 1
    assert violated(run) == set()


@pytest.mark.parametrize(
    ("adapter", "story"),
    [
        ("ai-transport-guarded", "no wake-up comes through"),
        ("ai-transport-client-tool-guarded", "device dies before the wake-up"),
    ],
)
def test_with_the_guard_a_lost_wake_up_loses_nothing(adapter: str, story: str) -> None:
    run = played(adapter, story)
    assert ends(run) == [APPROVED]
    assert violated(run) == set()


_DIGESTS: Final = """
from tests.adapters.test_ai_transport_runs import digests
print(*digests())
"""


def digests() -> list[str]:
    stories = (("ai-transport", "a long cut"), ("ai-transport-client-tool-guarded", "race"))
    return [played(*it).trace.digest() for it in stories]


def test_equal_plans_give_equal_bytes_in_every_process() -> None:
    there = subprocess.run(
        [sys.executable, "-c", _DIGESTS],
        cwd=Path(__file__).parents[2],
        env={**os.environ, "PYTHONHASHSEED": "4242"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert there.stdout.split() == digests()
