"""The protocol in the world: what the documented form breaks shows, and the hardened one keeps it."""

import pytest

from adapters.genie import ADAPTERS
from adapters.genie.implementations import GenieAdapter
from harness.casting import call, person
from harness.deviations import CrashAtBoundary, CrashAtTime, Deviation, ResetLink
from harness.model import CallId, Choice, HostName, OutcomeStatus, PersonId, ReceiptStatus
from harness.plan import AGENT_HOST, MINUTE, MS, SECOND, SERVICE_HOST, AnswerSpec, CallSpec, PersonSpec, Plan
from harness.properties import PROPERTIES
from harness.run import Run, execute, judge_run
from harness.trace import DecisionTaken, EffectExecuted, OutcomeReported, ReceiptGiven

BY_NAME = {adapter.manifest.name: adapter for adapter in ADAPTERS}
VIRTUAL = [it for it in ADAPTERS if "virtual" in it.manifest.lanes]
GENIE, WEBHOOK, HARDENED = BY_NAME["genie"], BY_NAME["genie-webhook"], BY_NAME["genie-hardened"]
EVERY = pytest.mark.parametrize("adapter", VIRTUAL, ids=lambda it: it.manifest.name)
CALL = CallId("c1")
CRASH = CrashAtBoundary(AGENT_HOST, 0, 0, step="effect")


def alice(think_ns: int = SECOND, choice: Choice = Choice.APPROVED) -> PersonSpec:
    return person("alice", [AnswerSpec(CALL, choice, think_ns=think_ns)])


def run(
    adapter: GenieAdapter,
    *people: PersonSpec,
    deviations: tuple[Deviation, ...] = (),
    spec: CallSpec | None = None,
) -> Run:
    done = execute(adapter, Plan("by hand", people, (spec or call(),), deviations=deviations))
    assert done.failures == ()
    return done


def outcomes(done: Run) -> list[OutcomeStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, OutcomeReported)]


def receipts(done: Run) -> list[ReceiptStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, ReceiptGiven)]


def effects(done: Run) -> int:
    return sum(isinstance(it, EffectExecuted) for it in done.boundary.events)


def broken(adapter: GenieAdapter, done: Run) -> list[str]:
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    return [name for name, judged in judge_run(adapter.manifest, done, offered).items() if judged.findings]


@EVERY
def test_an_approved_tool_is_executed_once(adapter: GenieAdapter) -> None:
    done = run(adapter, alice())
    assert (outcomes(done), effects(done), broken(adapter, done)) == ([OutcomeStatus.EXECUTED], 1, [])


@EVERY
def test_a_denied_tool_is_not_executed_and_the_decision_names_who_denied(adapter: GenieAdapter) -> None:
    done = run(adapter, alice(choice=Choice.REJECTED))
    assert (outcomes(done), effects(done), broken(adapter, done)) == ([OutcomeStatus.REJECTED], 0, [])
    (decided,) = [it for it in done.boundary.events if isinstance(it, DecisionTaken)]
    assert decided.person == PersonId("alice")


@EVERY
def test_nobody_but_the_first_of_two_answers_decides(adapter: GenieAdapter) -> None:
    bob = person("bob", [AnswerSpec(CALL, Choice.REJECTED, think_ns=2 * SECOND)])
    done = run(adapter, alice(), bob)
    assert (outcomes(done), effects(done)) == ([OutcomeStatus.EXECUTED], 1)


def test_as_documented_a_restarted_agent_asks_again_and_the_approval_is_lost() -> None:
    done = run(GENIE, alice(), deviations=(CRASH,))
    assert (outcomes(done), effects(done), broken(GENIE, done)) == ([], 1, ["P14"])


def test_a_hardened_agent_that_died_at_the_effect_says_that_it_does_not_know() -> None:
    done = run(HARDENED, alice(), deviations=(CRASH,))
    assert (outcomes(done), effects(done), broken(HARDENED, done)) == ([OutcomeStatus.UNKNOWN], 1, [])


def test_a_hardened_request_survives_a_crash_while_it_is_pending() -> None:
    done = run(HARDENED, alice(), deviations=(CrashAtTime(AGENT_HOST, 500 * MS, SECOND),))
    assert (outcomes(done), receipts(done)) == ([OutcomeStatus.EXECUTED], [ReceiptStatus.DECIDED])


def test_time_runs_out_over_a_channel_and_the_error_says_so() -> None:
    for adapter in (GENIE, HARDENED):
        done = run(adapter, alice(think_ns=MINUTE), spec=call(timeout_ns=10 * SECOND))
        assert (outcomes(done), effects(done)) == ([OutcomeStatus.EXPIRED], 0)
        assert broken(adapter, done) == []


def test_the_webhook_takes_no_notice_of_the_requests_own_time_limit() -> None:
    done = run(WEBHOOK, alice(think_ns=MINUTE), spec=call(timeout_ns=10 * SECOND))
    assert (outcomes(done), broken(WEBHOOK, done)) == ([OutcomeStatus.EXECUTED], ["P11"])


def test_a_webhook_that_nobody_answers_denies_in_the_name_of_nobody() -> None:
    done = run(WEBHOOK, alice(think_ns=10 * MINUTE))
    assert (outcomes(done), effects(done), broken(WEBHOOK, done)) == ([OutcomeStatus.REJECTED], 0, ["P24"])


def test_a_webhook_whose_connection_breaks_denies() -> None:
    broken_line = ResetLink(HostName(SERVICE_HOST), AGENT_HOST, 500 * MS)
    done = run(WEBHOOK, alice(), deviations=(broken_line,))
    assert (outcomes(done), effects(done)) == ([OutcomeStatus.REJECTED], 0)


def test_equal_plans_give_equal_traces_over_http_too() -> None:
    assert run(WEBHOOK, alice()).trace.digest() == run(WEBHOOK, alice()).trace.digest()
