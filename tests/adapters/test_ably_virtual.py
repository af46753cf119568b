"""The pattern on the vendor's SDK inside a simulation: real bytes, virtual time, and what faults do to it."""

import os
import ssl
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Final

import pytest

from adapters.ably_guide import ADAPTERS, GuideAdapter
from harness.ably.authenticator import Authenticator
from harness.casting import call, person
from harness.channel.errors import RefusalError
from harness.deviations import (
    ChangeRole,
    CrashAtTime,
    CutLink,
    Deviation,
    DropMessage,
    ResetLink,
    RevokePerson,
    SeededSchedule,
    SpoilCredential,
)
from harness.identity import IdentityProvider
from harness.messaging import EPOCH_NS
from harness.model import Choice, HostName, OutcomeStatus, PersonId, ReceiptStatus
from harness.plan import AGENT_HOST, DAY, MINUTE, MS, SECOND, SERVICE_HOST, AnswerSpec, PersonSpec, Plan
from harness.properties import PROPERTIES
from harness.run import Run, execute, judge_run
from harness.trace import (
    Defect,
    DeviationFired,
    EffectExecuted,
    MessageMoved,
    OutcomeReported,
    ReceiptGiven,
    RequestPublished,
    ScreenShown,
)
from harness.world.ably_service import REMEMBERED

pytest.importorskip("ably")

BY_NAME: Final = {adapter.manifest.name: adapter for adapter in ADAPTERS}
PUBLISHED, MENDED = BY_NAME["ably"], BY_NAME["ably-hardened"]
BOTH: Final = pytest.mark.parametrize("adapter", [PUBLISHED, MENDED], ids=lambda it: it.manifest.name)
PHONE, LAPTOP = HostName("alice-phone"), HostName("alice-laptop")


def alice(think_ns: int = SECOND, devices: int = 3) -> PersonSpec:
    return person("alice", [AnswerSpec(call().id, think_ns=think_ns)], devices=devices)


def plan_of(*deviations: Deviation, people: tuple[PersonSpec, ...] = (), backlog: int = 0) -> Plan:
    return Plan("by hand", people or (alice(),), (call(),), deviations=deviations, backlog=backlog)


def run(adapter: GuideAdapter, plan: Plan) -> Run:
    done = execute(adapter, plan)
    assert done.failures == ()
    assert {it.index for it in done.boundary.events if isinstance(it, DeviationFired)} == set(
        range(len(plan.deviations))
    )
    return done


def outcomes(done: Run) -> list[OutcomeStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, OutcomeReported)]


def receipts(done: Run) -> list[ReceiptStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, ReceiptGiven)]


def broken(adapter: GuideAdapter, done: Run) -> list[str]:
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    return [name for name, judged in judge_run(adapter.manifest, done, offered).items() if judged.findings]


@BOTH
def test_in_a_calm_world_an_approved_call_is_executed_once(adapter: GuideAdapter) -> None:
    done = run(adapter, plan_of())
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(adapter, done) == []


@pytest.mark.parametrize(("sdk", "messages"), [("ably", "ably-guide")])
def test_the_sdk_and_the_channel_client_show_people_the_same_events(sdk: str, messages: str) -> None:
    one, other = (run(BY_NAME[name], plan_of()).boundary.events for name in (sdk, messages))
    assert one == other


def test_bytes_really_travel_between_the_hosts() -> None:
    moved = [it for it in run(PUBLISHED, plan_of()).trace.events if isinstance(it, MessageMoved)]
    assert {it.label for it in moved if it.moved == "delivered"} == {"bytes"}


@BOTH
def test_a_device_that_reconnects_within_the_resume_window_resumes(adapter: GuideAdapter) -> None:
    done = run(adapter, plan_of(ResetLink(PHONE, SERVICE_HOST, SECOND // 2)))
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert ReceiptStatus.UNKNOWN not in receipts(done)
    assert broken(adapter, done) == []


@pytest.mark.parametrize("ms", range(0, 75, 5))
@pytest.mark.parametrize("host", [AGENT_HOST, PHONE])
def test_whenever_a_link_breaks_on_the_way_to_being_attached_the_mended_pattern_ends_well(
    host: HostName, ms: int
) -> None:
    """Dialling, upgrading, attaching, reading history and publishing each are under way at some of these."""
    done = execute(MENDED, plan_of(ResetLink(host, SERVICE_HOST, ms * MS), people=(alice(devices=1),)))
    assert done.failures == ()
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(MENDED, done) == []


def cut_off_while_asked(seconds: int) -> Plan:
    return plan_of(CutLink(PHONE, SERVICE_HOST, 0, seconds * SECOND), people=(alice(SECOND, devices=1),))


def test_a_device_back_after_the_window_finds_the_request_in_history() -> None:
    done = run(MENDED, cut_off_while_asked(200))
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(MENDED, done) == []


def test_the_published_pattern_loses_a_request_made_while_the_device_was_cut_off() -> None:
    done = run(PUBLISHED, cut_off_while_asked(200))
    assert outcomes(done) == []
    assert "P13" in broken(PUBLISHED, done)


def test_history_longer_than_a_page_is_read_to_its_beginning() -> None:
    late = plan_of(CutLink(PHONE, SERVICE_HOST, 0, 30 * SECOND), people=(alice(devices=1),), backlog=260)
    assert outcomes(run(MENDED, late)) == [OutcomeStatus.EXECUTED]


@BOTH
def test_tokens_expire_after_a_day_and_are_renewed_for_thirty(adapter: GuideAdapter) -> None:
    done = run(adapter, plan_of(people=(alice(30 * DAY),)))
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert receipts(done) in ([ReceiptStatus.SENT], [ReceiptStatus.DECIDED])


@BOTH
@pytest.mark.parametrize("minutes", [1, 10], ids=["within the resume window", "beyond it"])
def test_a_device_whose_token_expires_while_it_is_cut_off_comes_back_with_a_new_one(
    adapter: GuideAdapter, minutes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The cut swallows the prompt 30 s before the expiry; the service then refuses the token with 40142."""
    renewed_s: list[int] = []
    refused: list[int] = []
    exchange, refuse = IdentityProvider.ably_token, Authenticator.__call__

    def exchanging(provider: IdentityProvider, token: str, now_s: int, key: Any) -> Any:
        renewed_s.append(now_s)
        return exchange(provider, token, now_s, key)

    def authenticating(authenticator: Authenticator, credentials: object, now_ms: int) -> Any:
        try:
            return refuse(authenticator, credentials, now_ms)
        except RefusalError as error:
            refused.append(error.info.code)
            raise

    monkeypatch.setattr(IdentityProvider, "ably_token", exchanging)
    monkeypatch.setattr(Authenticator, "__call__", authenticating)
    cut = CutLink(PHONE, SERVICE_HOST, DAY - 40 * SECOND, minutes * MINUTE)
    slow = alice(think_ns=DAY + 30 * MINUTE, devices=1)
    done = run(adapter, plan_of(cut, people=(slow,)))
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(adapter, done) == []
    assert 40142 in refused
    assert max(renewed_s) >= EPOCH_NS // SECOND + (DAY + (minutes - 1) * MINUTE) // SECOND


@BOTH
def test_a_pending_day_takes_at_most_ten_times_the_steps_of_a_pending_minute(adapter: GuideAdapter) -> None:
    minute, day = (run(adapter, plan_of(people=(alice(think_ns),))).steps for think_ns in (MINUTE, DAY))
    assert day <= 10 * minute


@pytest.mark.parametrize("number", range(8))
def test_whichever_segment_of_the_agents_is_lost_the_mended_pattern_ends_well(number: int) -> None:
    done = execute(MENDED, plan_of(DropMessage(AGENT_HOST, SERVICE_HOST, number)))
    assert done.failures == ()
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(MENDED, done) == []


@pytest.mark.parametrize("number", range(14))
def test_whichever_segment_to_a_device_is_lost_the_mended_pattern_ends_well(number: int) -> None:
    """The k-th segment stands for the handshake, CONNECTED, ATTACHED, the request, an acknowledgement."""
    done = execute(MENDED, plan_of(DropMessage(SERVICE_HOST, PHONE, number), people=(alice(devices=1),)))
    assert done.failures == ()
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(MENDED, done) == []


def test_an_answer_whose_acknowledgement_is_lost_counts_once() -> None:
    calm = run(PUBLISHED, plan_of(people=(alice(devices=1),)))
    to_phone = [
        it
        for it in calm.trace.events
        if isinstance(it, MessageMoved) and it.target == PHONE and it.moved == "sent"
    ]
    answered = next(it.at for it in calm.trace.events if isinstance(it, ReceiptGiven)) - 5 * MS
    number = sum(it.at < answered for it in to_phone)
    lossy = plan_of(DropMessage(SERVICE_HOST, PHONE, number), people=(alice(devices=1),))
    done = run(PUBLISHED, lossy)
    assert sum(isinstance(it, EffectExecuted) for it in done.boundary.events) == 1
    assert receipts(done) == [ReceiptStatus.SENT]


@pytest.mark.parametrize(
    "defect",
    [
        Defect.FORGED,
        Defect.UNSIGNED,
        Defect.EXPIRED,
        Defect.NOT_YET_VALID,
        Defect.WRONG_AUDIENCE,
        Defect.REVOKED,
    ],
)
@BOTH
def test_a_refused_token_lets_nobody_in_and_is_not_retried_for_ever(
    adapter: GuideAdapter, defect: Defect
) -> None:
    bob = person("bob", [AnswerSpec(call().id, Choice.REJECTED, think_ns=DAY)])
    plan = plan_of(SpoilCredential(PersonId("alice"), defect), people=(alice(devices=1), bob))
    done = run(adapter, plan)
    assert outcomes(done) == [OutcomeStatus.REJECTED]
    assert done.steps < 3_000
    assert broken(adapter, done) == []


@BOTH
def test_a_revoked_person_gets_no_further_token(adapter: GuideAdapter) -> None:
    revoked = RevokePerson(PersonId("alice"), SECOND)
    done = run(adapter, plan_of(revoked, people=(alice(2 * DAY, devices=1),)))
    assert outcomes(done) == []
    assert ReceiptStatus.SENT not in receipts(done)
    assert done.steps < 3_000


def test_a_role_given_later_reaches_the_service_with_the_next_token() -> None:
    bob = person("bob", [AnswerSpec(call().id, think_ns=10 * SECOND)], role="editor")
    done = run(MENDED, plan_of(ChangeRole(PersonId("bob"), 5 * SECOND, alice().role), people=(bob,)))
    assert outcomes(done) == [OutcomeStatus.EXECUTED]


@BOTH
def test_an_agent_that_crashes_takes_its_connections_with_it(adapter: GuideAdapter) -> None:
    done = run(adapter, plan_of(CrashAtTime(AGENT_HOST, SECOND // 2, 10 * SECOND)))
    requests = [it for it in done.boundary.events if isinstance(it, RequestPublished)]
    assert len(requests) >= 1
    assert (outcomes(done) == [OutcomeStatus.EXECUTED]) == (adapter is MENDED)


@pytest.mark.parametrize("seed", range(12))
def test_frames_that_overtake_each_other_inside_the_sdk_lose_nothing(seed: int) -> None:
    """The SDK hands every frame to a task of its own; only the loop's order keeps them in order."""
    calls = (call(1), call(2))
    plan = Plan("by hand", (alice(devices=1),), calls, deviations=(SeededSchedule(seed),))
    shown = [it for it in run(MENDED, plan).boundary.events if isinstance(it, ScreenShown)]
    assert {card.call for it in shown for card in it.cards} == {"c1", "c2"}


def test_the_surroundings_of_the_process_are_given_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/etc/ssl/mine.pem")
    monkeypatch.delenv("NO_PROXY", raising=False)
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    lookups = (urllib.request.getproxies, ssl.create_default_context)
    parsers = _url_parsers()
    assert outcomes(run(MENDED, plan_of())) == [OutcomeStatus.EXECUTED]
    assert os.environ["SSL_CERT_FILE"] == "/etc/ssl/mine.pem"
    assert "NO_PROXY" not in os.environ
    assert (urllib.request.getproxies, ssl.create_default_context) == lookups
    assert _url_parsers() == parsers
    assert not any(hasattr(parser, "cache_info") for parser in parsers), "they remember during a run only"


_DIGESTS: Final = """
from adapters.ably_guide import ADAPTERS
from tests.adapters.test_ably_virtual import faulty_plans
from harness.run import execute
by_name = {it.manifest.name: it for it in ADAPTERS}
for name in ("ably", "ably-hardened"):
    for plan in faulty_plans():
        print(execute(by_name[name], plan).trace.digest())
"""


def faulty_plans() -> tuple[Plan, ...]:
    return (
        plan_of(ResetLink(PHONE, SERVICE_HOST, SECOND // 2), SeededSchedule(7)),
        plan_of(CutLink(AGENT_HOST, SERVICE_HOST, SECOND // 2, 150 * SECOND)),
        plan_of(DropMessage(SERVICE_HOST, LAPTOP, 2), CrashAtTime(AGENT_HOST, SECOND, SECOND)),
    )


def _url_parsers() -> tuple[object, ...]:
    return tuple(getattr(sys.modules[module], name) for module, name in REMEMBERED)


def test_equal_plans_give_equal_bytes_in_every_process() -> None:
    root = Path(__file__).parents[2]
    here = [
        execute(BY_NAME[name], plan).trace.digest()
        for name in ("ably", "ably-hardened")
        for plan in faulty_plans()
    ]
    for hash_seed in ("1", "4242"):
        there = subprocess.run(
            [sys.executable, "-c", _DIGESTS],
            cwd=root,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
            capture_output=True,
            text=True,
            check=True,
        )
        assert there.stdout.split() == here
        assert there.stderr == ""
