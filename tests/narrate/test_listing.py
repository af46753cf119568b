"""Rules about the space-time listing: what is always there, what is folded, and that it fits."""

import pytest

from harness.model import AnswerId, CallId, Card, Choice, DeviceId, HostName, PersonId, Policy, RequestId
from harness.narrate import Line, Tone, listing, plain
from harness.plan import DAY, MS
from harness.trace import (
    AnswerSent,
    Credential,
    DeviceJoined,
    EffectExecuted,
    Event,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    Quiet,
    ScreenShown,
    ToolCalled,
    Trace,
)

AGENT, CHANNEL = HostName("agent"), HostName("channel")
C1, REQUEST = CallId("c1"), RequestId("r1")
ALICE = PersonId("alice")


def called() -> Event:
    return ToolCalled(0, AGENT, C1, 1, "publish_blog_post", {}, Policy(), "main", "acme")


def joined(device: str, at: int = 0) -> Event:
    return DeviceJoined(at, HostName(device), DeviceId(device), ALICE, "acme")


def moved(at: int, number: int, source: str, target: str, label: str, how: str = "delivered") -> Event:
    host = HostName(target if how == "delivered" else source)
    return MessageMoved(at, host, how, number, HostName(source), HostName(target), label)


def shown(at: int, device: str, *cards: Card) -> Event:
    return ScreenShown(at, HostName(device), DeviceId(device), ALICE, cards)


CARD = Card(REQUEST, "publish_blog_post", {}, C1)


def text(line: Line) -> str:
    return "".join(span.text for span in line)


def tone(line: Line) -> Tone:
    return line[0].tone


def story() -> Trace:
    """A request is made known, the agent loses power, three days later the effect happens twice."""
    return Trace(
        (
            called(),
            joined("alice-phone"),
            moved(0, 0, "agent", "channel", "attach"),
            moved(5 * MS, 1, "agent", "channel", "publish approval-request"),
            moved(10 * MS, 2, "channel", "alice-phone", "deliver approval-request"),
            shown(10 * MS, "alice-phone", CARD),
            HostCrashed(12 * MS, AGENT, "durable write"),
            moved(13 * MS, 3, "channel", "agent", "deliver other", "lost"),
            HostRestarted(1_000 * MS, AGENT),
            AnswerSent(
                *(3 * DAY, HostName("alice-phone"), AnswerId("a1"), REQUEST, C1, ALICE),
                *(DeviceId("alice-phone"), Choice.APPROVED, Credential(ALICE, None, "acme")),
            ),
            EffectExecuted(3 * DAY + 5 * MS, AGENT, C1, 1, {}),
            EffectExecuted(3 * DAY + 7 * MS, AGENT, C1, 2, {}),
            Quiet(3 * DAY + 8 * MS, HostName("world")),
            shown(3 * DAY + 8 * MS, "alice-phone"),
        ),
    )


STORY = """\
                   agent  channel  alice
             time                  phone
            0.000  ●                      calls publish_blog_post (c1)
                   │               ●      alice is here (no role)
            0.005  ├─────>│        │      publish approval-request
            0.010  │      ├───────>│      deliver approval-request
                   │      │        ●      asks about c1
            0.012  X      │        │      LOSES POWER, right after: durable write
            0.013  ┊  x───┤        │      deliver other (lost)
            1.000  ●      │        │      is back
                   ⋮      ⋮        ⋮      … 3 days later …
  3d 00:00:00.000  │      │        ●      alice approves c1
✗ 3d 00:00:00.005  ●      │        │      EXECUTES c1
✗ 3d 00:00:00.007  ●      │        │      EXECUTES c1, 2nd time
  3d 00:00:00.008  │      │        │      nothing more happens"""


def test_the_listing_of_a_small_story_is_this() -> None:
    assert plain(listing(story(), {10, 11}, 100)) == STORY


@pytest.mark.parametrize("width", [72, 80, 120, 200])
def test_no_line_is_wider_than_asked_for(width: int) -> None:
    people = [joined(f"person{number}-laptop") for number in range(6)]
    trace = Trace((*story().events, *people))
    assert max(len(text(line)) for line in listing(trace, {10}, width)) <= width


def test_marked_events_are_always_there_even_those_that_are_otherwise_folded() -> None:
    lines = listing(story(), {2, 13}, 100)
    marks = [text(line) for line in lines if tone(line) is Tone.MARKED]
    assert [mark.startswith("✗") for mark in marks] == [True, True]
    assert marks[0].endswith("attach")
    assert marks[1].endswith("asks about nothing")


def test_hosts_too_many_for_their_names_get_letters_and_a_legend() -> None:
    devices = [joined(f"person{number}-laptop", at=number) for number in range(8)]
    lines = [text(line) for line in listing(Trace((called(), *devices)), (), 80)]
    assert "A agent, B person0-laptop, C person1-laptop" in lines[0]
    assert any(line.split() == ["time", *"ABCDEFGHI"] for line in lines)


def test_a_long_trace_is_thinned_out_around_the_marked_events() -> None:
    middle = [moved(n * MS, n, "agent", "channel", f"publish {n}") for n in range(500)]
    trace = Trace((called(), *middle, EffectExecuted(500 * MS, AGENT, C1, 1, {})))
    lines = listing(trace, {501}, 80, lines_max=20)
    assert len(lines) < 30
    assert "EXECUTES c1" in text(lines[-1])
    folded = [text(line) for line in lines if tone(line) is Tone.FOLDED]
    assert all("message" in line for line in folded)


def test_an_arrow_crosses_the_lanes_between_its_hosts() -> None:
    trace = Trace(
        (
            called(),
            joined("b-phone"),
            joined("c-phone"),
            moved(0, 0, "agent", "c-phone", "message x"),
            moved(0, 1, "c-phone", "agent", "publish y"),
        ),
    )
    lines = [text(line) for line in listing(trace, (), 100)]
    assert lines[-2] == "         ├──────┼─────>│      message x"
    assert lines[-1] == "         │<─────┼──────┤      publish y"


def test_a_message_that_reaches_several_hosts_at_one_instant_is_one_line() -> None:
    trace = Trace(
        (
            called(),
            joined("b-phone"),
            joined("c-phone"),
            moved(5, 0, "b-phone", "c-phone", "deliver x"),
            moved(5, 1, "b-phone", "agent", "deliver x"),
            moved(6, 2, "agent", "b-phone", "deliver y"),
            moved(6, 3, "agent", "c-phone", "deliver y"),
            moved(7, 4, "agent", "c-phone", "deliver y"),
        ),
    )
    lines = [text(line) for line in listing(trace, (), 100)]
    assert [line.strip() for line in lines[-3:]] == [
        "0.000000005  │<─────┼─────>│      deliver x",
        "0.000000006  ├─────>│─────>│      deliver y",
        "0.000000007  ├──────┼─────>│      deliver y",
    ]


def test_a_screen_gets_a_line_only_when_it_says_something_new() -> None:
    trace = Trace((shown(0, "a"), shown(1, "a", CARD), shown(2, "a", CARD), shown(3, "a")))
    texts = [text(line) for line in listing(trace, (), 100)]
    assert sum("asks about" in it for it in texts) == 2


def test_an_empty_trace_has_an_empty_listing() -> None:
    assert plain(listing(Trace(()), (), 80)).strip() in ("", "time")
