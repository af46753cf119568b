"""Rules about the nearest passing run: which it is, that it is found again, how the difference is shown."""

from dataclasses import replace
from typing import Final

from harness.casting import call, person
from harness.catalog import load_catalog
from harness.deviations import CrashAtBoundary, SkewClock
from harness.explore.nearest import common_events, nearest_passing
from harness.explore.trials import Trials
from harness.model import CallId, HostName
from harness.narrate import plain
from harness.narrate.changes import change_phrase
from harness.plan import MS, SECOND, AnswerSpec, Plan
from harness.report import Violation
from harness.report.difference import ROWS_IN_TEXT, difference_lines, nearest_sentence
from harness.report.differing import Comparison, comparison
from harness.trace import DeviationFired, Trace
from tests.reports.sample import sample_run, sample_trace

AGENT: Final = HostName("agent")
CRASH: Final = CrashAtBoundary(AGENT, 0, 0, step="effect")
SKEW: Final = SkewClock(AGENT, 3 * SECOND)


def a_plan(*deviations: CrashAtBoundary | SkewClock) -> Plan:
    return Plan("s", (person("alice", [AnswerSpec(CallId("c1"))]),), (call(1),), deviations=deviations)


def trials(property_id: str) -> Trials:
    return Trials(load_catalog().adapter("ably-guide").value, property_id)


def the_violation() -> Violation:
    return next(iter(sample_run().violations()))


def compared(violation: Violation, rows: int = 50) -> Comparison:
    found = comparison(violation, rows)
    assert found is not None
    return found


def test_the_fault_without_which_the_promise_is_kept_is_found() -> None:
    played = trials("P25")
    plan = a_plan(SKEW, CRASH)
    assert played.of(plan).finding is not None
    near = nearest_passing(played, plan)
    assert near is not None
    assert near.deviations == (SKEW,)
    assert played.of(near).tested
    assert played.of(near).passes


def test_the_same_neighbour_is_found_whatever_was_played_before() -> None:
    fresh, used = trials("P25"), trials("P25")
    plan = a_plan(CRASH)
    for other in (a_plan(), a_plan(SKEW), a_plan(SKEW, CRASH)):
        used.of(other)
    assert nearest_passing(fresh, plan) == nearest_passing(used, plan)


def test_a_plan_is_played_once_however_often_it_is_asked_for() -> None:
    played = trials("P25")
    nearest_passing(played, a_plan(CRASH))
    runs = played.played
    nearest_passing(played, a_plan(CRASH))
    assert played.played == runs


def test_dropping_one_deviation_does_not_make_the_others_look_different() -> None:
    trace = sample_trace()
    renumbered = Trace(
        tuple(
            replace(it, index=it.index + 1) if isinstance(it, DeviationFired) else it for it in trace.events
        )
    )
    assert common_events(trace, renumbered) == len(trace.events)


def test_a_change_of_plan_is_told_in_words() -> None:
    plan, trace = a_plan(SKEW, CRASH), Trace(())
    dropped = a_plan(SKEW)
    assert change_phrase(plan, dropped, trace, trace).startswith("without this: agent loses power")
    weaker = a_plan(replace(SKEW, by_ns=SECOND), CRASH)
    told = change_phrase(plan, weaker, trace, trace)
    assert told == "with this: agent's clock is 1 s ahead; not this: agent's clock is 3 s ahead"
    later = replace(plan, people=(person("alice", [AnswerSpec(CallId("c1"), think_ns=2 * SECOND)]),))
    assert change_phrase(plan, later, trace, trace).endswith("approves 2 s after seeing it")
    assert change_phrase(plan, replace(plan, people=()), trace, trace) == "without alice"


def test_all_rows_before_the_first_difference_are_the_same() -> None:
    pairs = compared(the_violation()).pairs
    first = next(place for place, pair in enumerate(pairs) if pair.first)
    assert first > 0
    assert all(pair.kind == "same" for pair in pairs[:first])
    assert pairs[first].kind != "same"
    assert sum(pair.first for pair in pairs) == 1


def test_what_both_runs_have_stands_opposite_each_other() -> None:
    pairs = compared(the_violation()).pairs
    told = [pair for pair in pairs if pair.broken and pair.broken.words == "is told: sent"]
    assert [pair.kind for pair in told] == ["same"]
    twice = [pair for pair in pairs if pair.broken and "2nd time" in pair.broken.words]
    assert [pair.kept for pair in twice] == [None]
    assert [pair.broken.marked for pair in twice if pair.broken] == [True]


def test_rows_that_are_cut_off_are_counted() -> None:
    whole, cut = compared(the_violation()), compared(the_violation(), rows=2)
    assert (whole.more_broken, whole.more_kept) == (0, 0)
    left_out = whole.pairs[len(cut.pairs) :]
    assert cut.more_broken == sum(pair.broken is not None for pair in left_out)
    assert cut.more_kept == sum(pair.kept is not None for pair in left_out)


def test_the_listing_marks_the_first_difference() -> None:
    violation = the_violation()
    found = compared(violation, ROWS_IN_TEXT)
    lines = plain(difference_lines(found, 80)).splitlines()
    (head,) = [place for place, line in enumerate(lines) if "first difference" in line]
    assert "EXECUTES c1" in lines[head - 1]
    assert lines[head + 1].startswith("-")
    assert "LOSES POWER" in lines[head + 1]
    assert any(line.startswith("+") and "reports c1 executed" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert "the same until 1.025" in nearest_sentence(violation, found)


def test_a_violation_without_a_neighbour_says_so_where_one_could_be_looked_for() -> None:
    *_, lonely = sample_run().violations()
    assert comparison(lonely, 10) is None
    assert "no plan close to this one" in nearest_sentence(lonely, None)
    assert nearest_sentence(replace(lonely, repeatable=False), None) == ""


def test_runs_that_differ_in_no_row_are_no_error() -> None:
    violation = the_violation()
    found = compared(replace(violation, nearest=violation.trace))
    assert not found.part
    assert "no row of the two runs differs" in nearest_sentence(violation, found)


def test_a_long_run_is_compared_where_it_parts() -> None:
    violation = the_violation()
    (quiet,) = violation.trace.events[-1:]
    tail = tuple(replace(quiet, at=quiet.at + number * MS) for number in range(1, 3_000))
    long = replace(violation, trace=replace(violation.trace, events=(*violation.trace.events, *tail)))
    found = compared(long, rows=10)
    assert found.common == compared(violation).common
    assert found.more_broken > 2_900
