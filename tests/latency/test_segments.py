"""Rules about segments: what each of them counts, from which instant, and what is in none of them."""

from dataclasses import replace

from harness.bench.load import approvals
from harness.bench.measured import measured
from harness.bench.segments import Sample, Segment, samples
from harness.model import (
    AnswerId,
    CallId,
    Card,
    Choice,
    DeviceId,
    HostName,
    OutcomeStatus,
    PersonId,
    RequestId,
    Role,
)
from harness.plan import MS
from harness.trace import (
    AnswerSent,
    Credential,
    DecisionTaken,
    EffectExecuted,
    Event,
    OutcomeReported,
    RequestPublished,
    ScreenShown,
    Trace,
)

AGENT = HostName("agent")
ALICE = PersonId("alice")
CALL = CallId("c0")
REQUEST = RequestId("r0")
PLAN = approvals([100 * MS], devices=2)


def shown(at: int, device: str) -> ScreenShown:
    cards = (Card(REQUEST, "publish_blog_post", {}),)
    return ScreenShown(at * MS, HostName(device), DeviceId(device), ALICE, cards)


EVENTS: tuple[Event, ...] = (
    RequestPublished(105 * MS, AGENT, REQUEST, CALL, {}),
    shown(110, "device-0"),
    shown(130, "device-1"),
    AnswerSent(
        200 * MS,
        HostName("device-0"),
        AnswerId("a1"),
        REQUEST,
        CALL,
        ALICE,
        DeviceId("device-0"),
        Choice.APPROVED,
        Credential(ALICE, Role("publisher"), "acme"),
    ),
    DecisionTaken(207 * MS, AGENT, REQUEST, CALL, Choice.APPROVED),
    EffectExecuted(209 * MS, AGENT, CALL, 1, {}),
    OutcomeReported(210 * MS, AGENT, CALL, 1, OutcomeStatus.EXECUTED),
)


def sample_of(*events: Event) -> Sample:
    (sample,) = samples(PLAN, Trace(events or EVENTS))
    return sample


def test_every_segment_counts_between_its_two_events() -> None:
    assert sample_of().segments == {
        Segment.PUBLISHED: 5 * MS,
        Segment.FIRST_SCREEN: 10 * MS,
        Segment.ALL_SCREENS: 30 * MS,
        Segment.DECIDED: 7 * MS,
        Segment.EFFECT: 2 * MS,
        Segment.KNOWN: 1 * MS,
        Segment.PRESS_TO_EFFECT: 9 * MS,
        Segment.END_TO_END: 20 * MS,
    }


def test_the_time_that_a_person_thinks_is_in_no_figure() -> None:
    later = [replace(event, at=event.at + 3_600_000 * MS) for event in EVENTS[3:]]
    assert sample_of(*EVENTS[:3], *later).segments == sample_of().segments


def test_latency_counts_from_the_intended_beginning_however_late_the_agent_came_to_it() -> None:
    late = [replace(event, at=event.at + 50 * MS) for event in EVENTS]
    assert sample_of(*late).segments[Segment.END_TO_END] == 70 * MS


def test_a_request_that_one_device_never_shows_has_no_figure_for_all_of_them() -> None:
    one = sample_of(*(event for event in EVENTS if event != EVENTS[2]))
    assert Segment.ALL_SCREENS not in one.segments
    assert one.whole


def test_what_never_came_to_its_end_is_counted_apart_and_is_in_no_figure() -> None:
    taken = measured([sample_of(), sample_of(*EVENTS[:4])])
    assert (len(taken.samples), taken.unfinished) == (1, 1)
    assert taken.latencies(Segment.END_TO_END) == [20 * MS]


def test_only_the_first_time_counts() -> None:
    again = (shown(500, "device-0"), EffectExecuted(600 * MS, AGENT, CALL, 2, {}))
    assert sample_of(*EVENTS, *again).segments == sample_of().segments
