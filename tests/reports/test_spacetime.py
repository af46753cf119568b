"""Rules about the layout of a race and about what stands on the screens at an instant of it."""

from dataclasses import replace

from harness.model import HostName
from harness.report.moments import FactKind, moments
from harness.report.spacetime import Sign, StepKind, diagram
from harness.trace import MessageMoved, Trace
from tests.reports.sample import sample_plan, sample_trace

MARKED = frozenset({11, 20})
ROWS = 100
HOSTS = tuple(map(HostName, ("agent", "channel", "bob-phone")))


def test_time_runs_downwards_and_every_message_arrives_below_its_departure() -> None:
    drawn = diagram(sample_trace(), MARKED, sample_plan(), rows_max=ROWS)
    assert [step.y for step in drawn.steps] == sorted(step.y for step in drawn.steps)
    assert len(drawn.arrows) == 3
    for arrow in drawn.arrows:
        assert arrow.source_y < arrow.target_y
        assert arrow.source != arrow.target


def test_a_lost_message_a_crash_and_the_violating_events_are_drawn_as_such() -> None:
    drawn = diagram(sample_trace(), MARKED, sample_plan(), rows_max=ROWS)
    assert [arrow.lost for arrow in drawn.arrows] == [False, False, True]
    assert [dot.sign for dot in drawn.dots if dot.marked] == [Sign.EFFECT, Sign.EFFECT]
    (crash,) = [dot for dot in drawn.dots if dot.sign is Sign.CRASH]
    (down,) = [piece for piece in drawn.stretches if not piece.up]
    assert (down.lane, down.from_y) == (crash.lane, crash.y)


def test_a_cut_lasts_until_the_plan_heals_it() -> None:
    (cut,) = diagram(sample_trace(), MARKED, sample_plan(), rows_max=ROWS).cuts
    drawn = diagram(sample_trace(), MARKED, sample_plan(), rows_max=ROWS)
    lost = next(arrow for arrow in drawn.arrows if arrow.lost)
    again = [dot for dot in drawn.dots if dot.sign is Sign.EFFECT][1]
    assert cut.from_y < lost.source_y
    assert lost.target_y < cut.to_y < again.y
    assert not diagram(sample_trace(), MARKED, None, rows_max=ROWS).cuts


def test_idle_time_is_folded_and_what_happens_after_it_stands_below() -> None:
    drawn = diagram(sample_trace(), MARKED, sample_plan(), rows_max=ROWS)
    folded = [step.words for step in drawn.steps if step.kind is StepKind.IDLE]
    assert folded == ["39 s later", "50 s later"]


def test_a_long_trace_keeps_what_shows_the_violation() -> None:
    trace = sample_trace()
    message = trace.events[3]
    assert isinstance(message, MessageMoved)
    noise = tuple(replace(message, message=100 + number) for number in range(10_000))
    long = Trace((*noise, *trace.events))
    marked = {place + len(noise) for place in MARKED}
    drawn = diagram(long, marked, sample_plan(), rows_max=30)
    assert sum(step.marked for step in drawn.steps) == 2
    assert len(drawn.steps) < 50


def test_an_empty_trace_is_an_empty_picture() -> None:
    drawn = diagram(Trace(()), (), None, rows_max=ROWS)
    assert not drawn.lanes
    assert not drawn.steps


def test_faces_say_what_people_saw_and_agents_had_done_at_that_instant() -> None:
    trace = sample_trace()
    asked, pressed, crashed, end = moments(trace.events, HOSTS, (5, 9, 13, 22))
    phone = next(face for face in asked if face.host == "bob-phone")
    assert [fact.kind for fact in phone.facts] == [FactKind.CARD]
    phone = next(face for face in pressed if face.host == "bob-phone")
    assert [(fact.kind, fact.text) for fact in phone.facts] == [(FactKind.TOLD, "sent, no receipt yet")]
    agent = next(face for face in crashed if face.host == "agent")
    assert not agent.up
    assert ("c1", "executed 1 time") in [(fact.head, fact.text) for fact in agent.facts]
    agent = next(face for face in end if face.host == "agent")
    assert [fact.text for fact in agent.facts] == ["reported executed; approved by bob", "executed 2 times"]
