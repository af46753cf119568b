"""Every property: its two tiny traces, what it claims to read, and how the registry hangs together."""

import pytest

from harness.model import Guarantee, Level
from harness.properties import PROFILES, PROPERTIES, Judgement, Property, Status, Terms, judge, moment
from harness.trace import EVENT_CLASSES, Trace

EVERY = tuple(PROPERTIES.values())


def _id(prop: Property) -> str:
    return prop.id


def _without_places(judgement: Judgement) -> tuple[object, ...]:
    said = [(it.sentence, it.level) for it in (*judgement.findings, *judgement.unknown)]
    return judgement.exercised, said


def test_the_registry_holds_p1_to_p27_in_order() -> None:
    assert list(PROPERTIES) == [f"P{number}" for number in range(1, 28)]


def test_every_guarantee_is_judged_by_exactly_one_property() -> None:
    assert sorted(it.guarantee for it in EVERY) == sorted(Guarantee)


def test_every_property_is_in_exactly_one_profile() -> None:
    listed = [property_id for profile in PROFILES.values() for property_id in profile]
    assert sorted(listed) == sorted(PROPERTIES)


@pytest.mark.parametrize("prop", EVERY, ids=_id)
def test_its_holding_trace_exercises_it_and_holds(prop: Property) -> None:
    judgement = judge(prop.holding, prop.terms, [prop.id])[prop.id]
    assert judgement.findings == []
    assert judgement.exercised > 0
    assert judgement.status is Status.HOLDS


@pytest.mark.parametrize("prop", EVERY, ids=_id)
def test_its_violating_trace_is_found_with_the_events_that_show_it(prop: Property) -> None:
    judgement = judge(prop.violating, prop.terms, [prop.id])[prop.id]
    assert judgement.findings, "the violation went unnoticed"
    assert judgement.exercised > 0
    assert judgement.findings[0].level is prop.level
    for finding in judgement.findings:
        assert finding.events, finding.sentence
        assert all(0 <= seq < len(prop.violating.events) for seq in finding.events)


@pytest.mark.parametrize("prop", EVERY, ids=_id)
def test_no_other_property_objects_to_its_holding_trace(prop: Property) -> None:
    for property_id, judgement in judge(prop.holding, prop.terms).items():
        assert judgement.findings == [], property_id


@pytest.mark.parametrize("prop", EVERY, ids=_id)
def test_it_is_documented_in_plain_words(prop: Property) -> None:
    for text in (prop.statement, prop.why, prop.source):
        assert text
        assert "  " not in text
    assert prop.statement.endswith(".")
    assert prop.check.__doc__ is not None
    assert prop.check.__doc__.startswith(f"{prop.id}. Premise: ")
    assert set(prop.reads) <= set(EVENT_CLASSES)
    assert len(prop.holding.events) <= 30


@pytest.mark.parametrize("prop", EVERY, ids=_id)
def test_it_judges_by_nothing_but_the_events_that_it_says_it_reads(prop: Property) -> None:
    for other in EVERY:
        for trace in (other.holding, other.violating):
            read = Trace(tuple(event for event in trace.events if type(event) in prop.reads))
            whole = judge(trace, prop.terms, [prop.id])[prop.id]
            assert _without_places(judge(read, prop.terms, [prop.id])[prop.id]) == _without_places(whole)


@pytest.mark.parametrize("prop", EVERY, ids=_id)
def test_judging_twice_says_the_same(prop: Property) -> None:
    assert judge(prop.violating, prop.terms) == judge(prop.violating, prop.terms)


def test_an_unknown_property_is_refused_by_name() -> None:
    with pytest.raises(ValueError, match="P28"):
        judge(Trace(()), Terms(), ["P28"])


def test_an_empty_trace_exercises_nothing() -> None:
    for property_id, judgement in judge(Trace(()), Terms()).items():
        assert judgement == Judgement(), property_id
        assert judgement.status is Status.INCONCLUSIVE


def test_what_a_must_finds_stands_first() -> None:
    trace = PROPERTIES["P15"].violating
    judgement = judge(trace, Terms(), ["P15"])["P15"]
    assert [it.level for it in judgement.findings] == sorted(
        (it.level for it in judgement.findings), key=list(Level).index
    )


@pytest.mark.parametrize(
    ("at_ns", "words"),
    [
        (0, "0.0 s"),
        (2_000_000_000, "2.0 s"),
        (2_005_000_000, "2.005 s"),
        (3_599_999_999_999, "3599.999999999 s"),
        (3_600_000_000_000, "01:00:00"),
        (93_784_500_000_000, "1 d 02:03:04.5"),
    ],
)
def test_moments_are_worded_as_people_read_them(at_ns: int, words: str) -> None:
    assert moment(at_ns) == words
