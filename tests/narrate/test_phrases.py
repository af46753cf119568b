"""Rules about the words: every kind of deviation and event has its phrase, and quantities are exact."""

from dataclasses import MISSING, fields
from types import UnionType
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from harness.deviations import DEVIATION_CLASSES, CrashAtBoundary, DelayMessage
from harness.model import (
    AnswerId,
    CallId,
    Card,
    Choice,
    DeviceId,
    HostName,
    OutcomeStatus,
    PersonId,
    Policy,
    ReceiptStatus,
    RequestId,
    Role,
)
from harness.narrate import deviation_phrase, duration, event_phrase, ordinal, plan_sentence
from harness.narrate.units import instant, instant_digits
from harness.plan import DAY, MINUTE, MS, SECOND, AnswerSpec, CallSpec, DeviceSpec, PersonSpec, Plan
from harness.trace import (
    EVENT_CLASSES,
    AnswerSent,
    Credential,
    EffectExecuted,
    HostCrashed,
    MessageMoved,
    OutcomeReported,
    ReceiptGiven,
    ScreenShown,
    Trace,
)

AGENT, CHANNEL, PHONE = HostName("agent"), HostName("channel"), HostName("bob-phone")

# One value for every type that a field of a deviation or an event may have.
SAMPLES: dict[Any, Any] = {
    int: 2,
    str: "text",
    bool: True,
    Choice: Choice.APPROVED,
    Policy: Policy(),
    OutcomeStatus: OutcomeStatus.EXECUTED,
    ReceiptStatus: ReceiptStatus.DECIDED,
    Credential: Credential(PersonId("bob"), Role("editor"), "acme"),
}


def sample(cls: type[Any]) -> Any:
    """Return an instance of a record class, its required fields filled in."""
    hints = get_type_hints(cls)
    given = {it.name: value(hints[it.name]) for it in fields(cls) if it.default is MISSING}
    return cls(**given)


def value(hint: Any) -> Any:
    if hint in SAMPLES:
        return SAMPLES[hint]
    if isinstance(hint, type) and issubclass(hint, str):
        return next(iter(hint))  # type: ignore[call-overload]
    if get_origin(hint) is tuple:
        return (value(get_args(hint)[0]),)
    if isinstance(hint, UnionType):
        return None
    plain_type = getattr(hint, "__supertype__", hint)
    if plain_type in SAMPLES:
        return SAMPLES[plain_type]
    return sample(hint) if isinstance(hint, type) else {}


@pytest.mark.parametrize("cls", DEVIATION_CLASSES)
def test_every_kind_of_deviation_has_its_phrase(cls: type[Any]) -> None:
    phrase = deviation_phrase(sample(cls))
    assert phrase
    assert "None" not in phrase
    assert not phrase.endswith(".")


@pytest.mark.parametrize("cls", EVENT_CLASSES)
def test_every_kind_of_event_has_its_phrase(cls: type[Any]) -> None:
    phrase = event_phrase(sample(cls))
    assert phrase
    assert "None" not in phrase


def plan() -> Plan:
    call = CallSpec(CallId("c1"), policy=Policy(minimum_role=Role("publisher")))
    bob = PersonSpec(
        PersonId("bob"),
        Role("editor"),
        (DeviceSpec(DeviceId("bob-phone")), DeviceSpec(DeviceId("bob-laptop"))),
        (AnswerSpec(CallId("c1"), think_ns=2 * SECOND),),
    )
    return Plan("a_scenario", (bob,), (call,))


def test_a_plan_reads_as_a_sentence() -> None:
    deviant = plan().but(
        DelayMessage(PHONE, CHANNEL, 1, 40 * MS),
        CrashAtBoundary(AGENT, 2, SECOND, unsynced="torn"),
    )
    assert plan_sentence(deviant) == (
        "2 devices; the call needs the role publisher; bob (editor) approves 2 s after seeing it; "
        "bob-phone's 2nd message to channel arrives 40 ms late; "
        "agent loses power after its 3rd boundary step for 1 s (its last unsynced write is torn)."
    )


def test_a_trace_names_what_a_plan_can_only_count() -> None:
    deviant = plan().but(
        DelayMessage(PHONE, CHANNEL, 1, 40 * MS),
        CrashAtBoundary(AGENT, 2, SECOND),
    )
    trace = Trace(
        (
            MessageMoved(0, PHONE, "sent", 0, PHONE, CHANNEL, "attach"),
            MessageMoved(1, CHANNEL, "delivered", 0, PHONE, CHANNEL, "attach"),
            MessageMoved(2, PHONE, "sent", 1, PHONE, CHANNEL, "publish approval-response"),
            HostCrashed(3, AGENT, "durable write"),
        ),
    )
    sentence = plan_sentence(deviant, trace)
    assert "bob-phone's 2nd message to channel (publish approval-response) arrives 40 ms late" in sentence
    assert "agent loses power after its 3rd boundary step (durable write) for 1 s" in sentence


@pytest.mark.parametrize(
    ("ns", "text"),
    [
        (0, "0 s"),
        (1, "0.001 us"),
        (40 * MS, "40 ms"),
        (1_500 * MS, "1.5 s"),
        (5 * MINUTE, "5 min"),
        (5 * MINUTE + SECOND, "5 min 1 s"),
        (3 * DAY, "3 days"),
        (DAY + 60 * MINUTE, "1 day 1 h"),
        (-SECOND, "-1 s"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it_and_loses_nothing(ns: int, text: str) -> None:
    assert duration(ns) == text


def test_instants_show_as_many_digits_as_tell_them_apart() -> None:
    assert instant(3 * DAY + 5 * MS) == "3d 00:00:00.005"
    assert instant(61 * SECOND) == "1:01.000"
    assert instant_digits((MS, 2 * MS)) == 3
    assert instant_digits((MS, 2 * MS + 1_000)) == 6
    assert instant_digits((1,)) == 9


def test_ordinals_follow_english() -> None:
    assert [ordinal(n) for n in (1, 2, 3, 4, 11, 12, 13, 21, 112)] == [
        *("1st", "2nd", "3rd", "4th", "11th", "12th", "13th", "21st", "112th"),
    ]


def test_a_phrase_says_what_matters_about_an_event() -> None:
    bob, c1, request = PersonId("bob"), CallId("c1"), RequestId("a-very-long-opaque-request-id")
    credential = Credential(bob, None, "acme")
    answer = AnswerSent(
        *(0, PHONE, AnswerId("a1"), request, None, bob, DeviceId("bob-phone"), Choice.REJECTED, credential),
    )
    assert event_phrase(answer) == "bob rejects request a-very-long…"
    screen = ScreenShown(0, PHONE, DeviceId("bob-phone"), bob, (Card(request, "publish", {}, c1),))
    assert event_phrase(screen) == "asks about c1"
    assert event_phrase(EffectExecuted(0, AGENT, c1, 2, {})) == "EXECUTES c1, 2nd time"
    receipt = ReceiptGiven(0, PHONE, AnswerId("a1"), ReceiptStatus.ALREADY_DECIDED, bob, Choice.APPROVED)
    assert event_phrase(receipt) == "is told: already decided (bob approved)"
    outcome = OutcomeReported(0, AGENT, c1, 1, OutcomeStatus.REJECTED, decided_by=bob, reason="not today")
    assert event_phrase(outcome) == "reports c1 rejected by bob: not today"
