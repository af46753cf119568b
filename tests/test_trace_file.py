"""Trace files: JSON Lines out and in, and what is refused."""

import json
from collections.abc import Callable

import pytest

from harness.model import (
    AnswerId,
    Arguments,
    CallId,
    Card,
    Choice,
    DeviceId,
    HostName,
    PersonId,
    Policy,
    RequestId,
)
from harness.trace import (
    EVENT_CLASSES,
    AnswerSent,
    Credential,
    DecisionTaken,
    Event,
    Quiet,
    ScreenShown,
    ToolCalled,
    Trace,
)
from harness.trace_file import TraceError, event_schema, read_trace

AGENT, PHONE, CALL, REQUEST = HostName("agent"), HostName("phone"), CallId("c1"), RequestId("r1")
ALICE, DEVICE = PersonId("alice"), DeviceId("phone")
ARGUMENTS: Arguments = {"post": "p", "n": [1, None]}

EVENTS: tuple[Event, ...] = (
    ToolCalled(0, AGENT, CALL, 1, "publish", ARGUMENTS, Policy(), "main", "acme"),
    ScreenShown(1, PHONE, DEVICE, ALICE, (Card(REQUEST, "publish", ARGUMENTS, CALL),)),
    AnswerSent(
        at=2,
        host=PHONE,
        answer=AnswerId("a1"),
        request=REQUEST,
        call=CALL,
        person=ALICE,
        device=DEVICE,
        choice=Choice.APPROVED,
        credential=Credential(ALICE, None, "acme"),
    ),
    DecisionTaken(3, AGENT, REQUEST, CALL, Choice.APPROVED, ALICE, arguments=ARGUMENTS),
    Quiet(4, HostName("world")),
)


def lines() -> list[str]:
    return list(Trace(EVENTS, "reference", "first_response_wins").lines())


def test_a_trace_read_back_is_the_same_trace() -> None:
    assert read_trace(lines()) == Trace(EVENTS, "reference", "first_response_wins")


def test_the_digest_covers_events_and_not_the_header() -> None:
    assert Trace(EVENTS, "a").digest() == Trace(EVENTS, "b").digest()
    assert Trace(EVENTS).digest() != Trace(EVENTS[:-1]).digest()


def test_every_event_has_a_kind_of_its_own_and_stands_in_the_schema() -> None:
    kinds = [cls.__dataclass_fields__["kind"].default for cls in EVENT_CLASSES]
    assert len(set(kinds)) == len(kinds)
    schema = json.dumps(event_schema())
    assert all(cls.__name__ in schema for cls in EVENT_CLASSES)


def _without(number: int) -> Callable[[list[str]], list[str]]:
    return lambda text: text[:number] + text[number + 1 :]


def _with(number: int, line: str) -> Callable[[list[str]], list[str]]:
    return lambda text: [*text[:number], line, *text[number + 1 :]]


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (_without(0), "t:1: this is no hitl-trace file"),
        (_with(0, '{"format":"hitl-trace","version":2}'), "t:1: trace version 2 is not 1"),
        (_without(2), "t:3: sequence number 2 where 1 is due"),
        (_with(2, '{"seq": 1, "kind"'), "t:3: not a line of JSON"),
        (_with(2, '{"seq": 1, "kind": "earthquake"}'), "t:3: unknown kind 'earthquake'"),
        (
            _with(5, '{"seq": 4, "kind": "quiet", "at": 4, "host": "w", "x": 1}'),
            "t:6: quiet has no field 'x'",
        ),
        (_with(5, '{"seq": 4, "kind": "quiet", "at": "soon", "host": "w"}'), "t:6: quiet.at"),
        (_with(5, "[1, 2]"), "t:6: a JSON object is due"),
        (lambda _: [], "t:1: not a line of JSON"),
    ],
)
def test_a_damaged_trace_is_refused_with_its_line(
    damage: Callable[[list[str]], list[str]], told: str
) -> None:
    with pytest.raises(TraceError) as refused:
        read_trace(damage(lines()), name="t")
    assert str(refused.value).startswith(told)
