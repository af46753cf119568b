"""No property raises or guesses, however strange the story that a well-formed trace tells."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.model import OnUnauthorised, Style
from harness.properties import PROPERTIES, Judgement, Terms, judge
from harness.trace import MessageMoved, Trace
from tests.properties.soups import soups, spoilt_stories

OURS = settings(
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=100,
    suppress_health_check=[HealthCheck.too_slow],
)
TERMS = st.builds(Terms, st.sampled_from(Style), st.sampled_from(OnUnauthorised))
TRACES = soups() | spoilt_stories()


def _said(judgement: Judgement) -> tuple[object, ...]:
    findings = sorted((it.sentence, it.level) for it in judgement.findings)
    return judgement.exercised, findings, sorted(it.sentence for it in judgement.unknown)


@OURS
@given(TRACES, TERMS)
def test_no_property_ever_raises_and_every_finding_points_at_events(trace: Trace, terms: Terms) -> None:
    for property_id, judgement in judge(trace, terms).items():
        assert judgement.exercised >= 0, property_id
        for finding in (*judgement.findings, *judgement.unknown):
            assert finding.sentence, property_id
            assert all(0 <= seq < len(trace.events) for seq in finding.events), property_id


@OURS
@given(TRACES, TERMS)
def test_movements_on_the_network_change_no_verdict(trace: Trace, terms: Terms) -> None:
    still = Trace(tuple(event for event in trace.events if not isinstance(event, MessageMoved)))
    with_moves, without = judge(trace, terms), judge(still, terms)
    for property_id in PROPERTIES:
        assert _said(with_moves[property_id]) == _said(without[property_id])


@pytest.mark.parametrize("property_id", PROPERTIES)
def test_a_verdict_rests_only_on_the_events_that_the_property_says_it_reads(property_id: str) -> None:
    reads = PROPERTIES[property_id].reads

    @settings(OURS, max_examples=15)
    @given(TRACES, TERMS)
    def compare(trace: Trace, terms: Terms) -> None:
        read = Trace(tuple(event for event in trace.events if type(event) in reads))
        whole = judge(trace, terms, [property_id])[property_id]
        assert _said(judge(read, terms, [property_id])[property_id]) == _said(whole)

    compare()
