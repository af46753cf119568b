"""One event of a trace that holds is dropped, doubled, moved or altered: a change of meaning is noticed.

Owns the base story, in which everything that a run can show is shown once, and the table of its alterations.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

import pytest

from harness.model import Level, OutcomeStatus, PersonId, Policy, ReceiptStatus, Role, Settled
from harness.properties import PROPERTIES, Property, Terms, judge
from harness.properties.examples import (
    AGENT,
    NO,
    OTHER_POST,
    POST,
    PUBLISHERS,
    YES,
    answered,
    called,
    card,
    decided,
    entered,
    executed,
    fired,
    joined,
    outcome,
    published,
    quiet,
    screen,
    settled,
    tale,
    told,
)
from harness.trace import (
    AdapterFailed,
    Credential,
    DecisionTaken,
    Defect,
    DeviationFired,
    EffectExecuted,
    Event,
    MessageMoved,
    OutcomeReported,
    ReceiptGiven,
    RequestExpired,
    RequestPublished,
    Trace,
)

ANN: Final = PersonId("ann")
BOB: Final = PersonId("bob")
STORY: Final[dict[str, Event]] = {
    "made": called("c1", PUBLISHERS),
    "ann joins": joined("ann"),
    "bob joins": joined("bob"),
    "entered": entered(),
    "published": published(),
    "on ann's screen": screen("ann", card()),
    "on bob's screen": screen("bob", card()),
    "ann answers": answered("a1", "ann", reason="fine"),
    "bob answers": answered("a2", "bob", NO),
    "decided": decided("ann", role="publisher", arguments=POST),
    "executed": executed(),
    "ann is told": told("a1", ReceiptStatus.DECIDED, "ann", YES),
    "bob is told": told("a2", ReceiptStatus.ALREADY_DECIDED, "ann", YES),
    "outcome": outcome(by="ann", choice=YES, role="publisher", reason="fine"),
    "quiet": quiet(),
    "ann's last screen": screen("ann"),
    "ann sees it settled": settled("ann", OutcomeStatus.EXECUTED, "ann", choice=YES),
    "bob's last screen": screen("bob"),
    "bob sees it settled": settled("bob", OutcomeStatus.EXECUTED, "ann", choice=YES),
}


def _noticed(trace: Trace, terms: Terms | None = None) -> set[str]:
    return {key for key, it in judge(trace, terms or Terms()).items() if it.findings}


def _story(**changed: Any) -> Trace:
    return tale(*(changed.get(name, event) for name, event in STORY.items()))


def _credential(**changed: Any) -> Credential:
    return replace(Credential(ANN, Role("publisher"), "acme"), **changed)


def _altered(name: str, change: Mapping[str, Any]) -> Event:
    return replace(STORY[name], **change)


def test_the_base_story_raises_nothing() -> None:
    judgements = judge(tale(*STORY.values()), Terms())
    assert [key for key, it in judgements.items() if it.findings or it.unknown] == []


ALTERED: Final[tuple[tuple[str, Mapping[str, Any], set[str]], ...]] = (
    ("made", {"policy": replace(PUBLISHERS, minimum_role=Role("owner"))}, {"P9", "P23"}),
    ("made", {"policy": replace(PUBLISHERS, minimum_role=Role("admin"))}, {"P9"}),
    ("made", {"policy": replace(PUBLISHERS, quorum=2)}, {"P10"}),
    ("made", {"policy": Policy(requester_may_decide=False), "requester": ANN}, {"P10"}),
    ("made", {"deadline": 7_000_000_000}, {"P11"}),
    ("made", {"arguments": OTHER_POST}, {"P6", "P20"}),
    ("made", {"tenant": "umbrella"}, {"P9", "P27"}),
    ("made", {"session": "side"}, {"P27"}),
    ("ann joins", {"tenant": "umbrella"}, {"P27"}),
    ("bob joins", {"sessions": ()}, {"P27"}),
    ("entered", {"arguments": OTHER_POST}, {"P20"}),
    ("published", {"call": "c9"}, {"P7"}),
    ("ann answers", {"choice": NO}, {"P3", "P5", "P8", "P18", "P24"}),
    ("ann answers", {"person": BOB}, {"P8", "P24"}),
    ("ann answers", {"call": "c2", "request": "r2"}, {"P3", "P8", "P18", "P23"}),
    ("ann answers", {"shown": OTHER_POST}, {"P6"}),
    ("ann answers", {"arguments": OTHER_POST}, {"P6"}),
    ("ann answers", {"credential": _credential(role=Role("editor"))}, {"P9", "P24"}),
    ("ann answers", {"credential": _credential(role=None)}, {"P9", "P23", "P24"}),
    ("ann answers", {"credential": _credential(tenant="umbrella")}, {"P9"}),
    *(
        ("ann answers", {"credential": _credential(defect=defect)}, {"P9"})
        for defect in Defect
        if defect is not Defect.NONE
    ),
    ("ann answers", {"reason": "because"}, {"P24"}),
    ("decided", {"choice": NO}, {"P3", "P5", "P15"}),
    ("decided", {"person": BOB}, {"P8", "P15", "P16", "P24"}),
    ("decided", {"arguments": OTHER_POST}, {"P6"}),
    ("decided", {"role": Role("admin")}, {"P24"}),
    ("executed", {"arguments": OTHER_POST}, {"P6"}),
    ("executed", {"call": "c2"}, {"P3", "P7", "P8", "P14"}),
    ("executed", {"failed": True}, {"P24"}),
    ("ann is told", {"status": ReceiptStatus.UNAUTHORISED}, {"P15"}),
    ("ann is told", {"status": ReceiptStatus.EXPIRED}, {"P15"}),
    ("ann is told", {"status": ReceiptStatus.CANCELLED}, {"P15"}),
    ("ann is told", {"winner": BOB}, {"P15"}),
    ("bob is told", {"status": ReceiptStatus.DECIDED}, {"P1", "P5", "P15"}),
    ("bob is told", {"status": ReceiptStatus.UNAUTHORISED}, {"P15"}),
    ("bob is told", {"status": ReceiptStatus.EXPIRED}, {"P15"}),
    ("bob is told", {"winner": BOB}, {"P15"}),
    ("bob is told", {"choice": NO}, {"P5", "P15"}),
    ("bob is told", {"answer": "a9"}, {"P15"}),
    ("outcome", {"status": OutcomeStatus.REJECTED}, {"P5", "P14", "P15", "P24"}),
    ("outcome", {"status": OutcomeStatus.EXPIRED}, {"P11", "P14", "P15", "P24"}),
    ("outcome", {"status": OutcomeStatus.CANCELLED}, {"P12", "P14", "P24"}),
    ("outcome", {"status": OutcomeStatus.UNAUTHORISED}, {"P14", "P15", "P24"}),
    ("outcome", {"status": OutcomeStatus.FAILED}, {"P24"}),
    ("outcome", {"decided_by": BOB}, {"P24"}),
    ("outcome", {"role": Role("admin")}, {"P24"}),
    ("outcome", {"reason": "whatever"}, {"P24"}),
    ("outcome", {"call": "c2"}, {"P14", "P25"}),
    ("ann's last screen", {"cards": (card(),)}, {"P16"}),
    ("bob's last screen", {"cards": (card("r2"),)}, {"P13", "P16"}),
    ("bob sees it settled", {"settled": Settled(OutcomeStatus.REJECTED)}, {"P16"}),
    ("bob sees it settled", {"settled": Settled(OutcomeStatus.EXPIRED)}, {"P16"}),
    ("bob sees it settled", {"settled": Settled(OutcomeStatus.EXECUTED, NO)}, {"P5", "P16"}),
    ("bob sees it settled", {"settled": Settled(OutcomeStatus.EXECUTED, YES, BOB)}, {"P16"}),
    ("bob sees it settled", {"settled": None}, {"P16"}),
)


@pytest.mark.parametrize(("name", "change", "expected"), ALTERED)
def test_an_altered_event_is_noticed(name: str, change: Mapping[str, Any], expected: set[str]) -> None:
    trace = _story(**{name: _altered(name, change)})
    assert expected <= _noticed(trace), f"{name}: {change}"


SAME_MEANING: Final[tuple[tuple[str, Mapping[str, Any]], ...]] = (
    ("made", {"policy": Policy()}),
    ("made", {"deadline": 8_500_000_000_000}),
    ("made", {"requester": BOB}),
    ("ann joins", {"role": Role("admin")}),
    ("ann answers", {"reason": ""}),
    ("bob answers", {"reason": "never"}),
    ("bob answers", {"choice": YES}),
    ("decided", {"person": None}),
    ("decided", {"role": None}),
    ("decided", {"call": None}),
    ("decided", {"arguments": None}),
    ("decided", {"host": "arbiter"}),
    ("ann is told", {"status": ReceiptStatus.UNKNOWN, "winner": None, "choice": None}),
    ("ann is told", {"status": ReceiptStatus.SENT, "winner": None, "choice": None}),
    ("ann is told", {"note": "thank you"}),
    ("bob is told", {"status": ReceiptStatus.UNKNOWN, "winner": None, "choice": None}),
    ("bob is told", {"status": ReceiptStatus.SENT, "winner": None, "choice": None}),
    ("outcome", {"status": OutcomeStatus.UNKNOWN}),
    ("outcome", {"choice": None, "decided_by": None, "role": None, "reason": ""}),
    ("bob sees it settled", {"settled": Settled(OutcomeStatus.EXECUTED)}),
    ("bob sees it settled", {"settled": Settled(OutcomeStatus.FAILED, YES, ANN)}),
    ("bob sees it settled", {"settled": Settled(OutcomeStatus.UNKNOWN)}),
)


@pytest.mark.parametrize(("name", "change"), SAME_MEANING)
def test_an_alteration_that_keeps_the_meaning_raises_nothing(name: str, change: Mapping[str, Any]) -> None:
    assert _noticed(_story(**{name: _altered(name, change)})) == set(), f"{name}: {change}"


def _moved(name: str, *, before: str) -> Trace:
    """Tell ``name`` right before another event; times stay in order."""
    names = [it for it in STORY if it != name]
    names.insert(names.index(before), name)
    return tale(*(STORY[it] for it in names))


@pytest.mark.parametrize(
    ("name", "before", "expected"),
    [
        ("executed", "ann answers", {"P3", "P8", "P18", "P23"}),
        ("executed", "entered", {"P20"}),
        ("decided", "ann answers", {"P8", "P18", "P23", "P24"}),
        ("outcome", "executed", {"P14"}),
        ("outcome", "ann answers", {"P8", "P14", "P18", "P24"}),
        ("ann is told", "ann answers", {"P15"}),
        ("made", "ann's last screen", {"P8"}),
    ],
)
def test_an_event_that_comes_too_early_is_noticed(name: str, before: str, expected: set[str]) -> None:
    assert expected <= _noticed(_moved(name, before=before))


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("decided", "ann is told"),
        ("decided", "quiet"),
        ("published", "quiet"),
        ("bob answers", "ann answers"),
        ("bob is told", "quiet"),
        ("ann is told", "executed"),
        ("bob joins", "made"),
        ("ann's last screen", "bob sees it settled"),
    ],
)
def test_a_late_report_or_another_order_of_independent_events_raises_nothing(name: str, before: str) -> None:
    assert _noticed(_moved(name, before=before)) == set()


REPORTED_BY_THE_ADAPTER: Final = (RequestPublished, DecisionTaken, RequestExpired, DeviationFired)
EVERY: Final = tuple(PROPERTIES.values())


@pytest.mark.parametrize("prop", EVERY, ids=lambda prop: prop.id)
def test_what_an_adapter_forgets_to_report_is_never_called_a_violation(prop: Property) -> None:
    for place, event in enumerate(prop.holding.events):
        if isinstance(event, REPORTED_BY_THE_ADAPTER):
            assert _noticed(_but(prop.holding, place), prop.terms) == set(), event.kind
    silent = tuple(it for it in prop.holding.events if not isinstance(it, REPORTED_BY_THE_ADAPTER))
    assert _noticed(Trace(silent), prop.terms) == set()


def _but(trace: Trace, place: int) -> Trace:
    return Trace(trace.events[:place] + trace.events[place + 1 :])


def _with_copy(trace: Trace, place: int) -> Trace:
    return Trace(trace.events[: place + 1] + trace.events[place:])


@pytest.mark.parametrize("prop", EVERY, ids=lambda prop: prop.id)
def test_a_missing_effect_outcome_or_receipt_is_noticed_in_every_holding_trace(prop: Property) -> None:
    for place, event in enumerate(prop.holding.events):
        expected: set[str] = set()
        match event:
            case OutcomeReported(status=OutcomeStatus.EXECUTED):
                expected = {"P14", "P25"}
            case ReceiptGiven():
                expected = {"P15"}
            case EffectExecuted() if any(
                isinstance(it, OutcomeReported) and it.status is OutcomeStatus.EXECUTED
                for it in prop.holding.events
            ):
                expected = {"P14"}
            case _:
                continue
        assert expected & _noticed(_but(prop.holding, place), prop.terms), event.kind


TWICE: Final = {
    EffectExecuted: "P4",
    OutcomeReported: "P14",
    ReceiptGiven: "P15",
    DecisionTaken: "P1",
}


@pytest.mark.parametrize("prop", EVERY, ids=lambda prop: prop.id)
def test_what_may_happen_only_once_is_noticed_when_it_happens_twice(prop: Property) -> None:
    for place, event in enumerate(prop.holding.events):
        noticed = _noticed(_with_copy(prop.holding, place), prop.terms)
        if type(event) in TWICE:
            assert TWICE[type(event)] in noticed, event.kind
        elif event.kind in ("screen-shown", "quiet", "device-joined", "host-crashed", "settled-shown"):
            assert noticed == set(), event.kind


@pytest.mark.parametrize("prop", EVERY, ids=lambda prop: prop.id)
def test_events_that_mean_nothing_change_no_verdict(prop: Property) -> None:
    at = prop.holding.events[0].at
    moved = MessageMoved(at, AGENT, "sent", 0, AGENT, AGENT, "hello")
    failed = AdapterFailed(at, AGENT, "agent.call_tool(c1)", "ValueError")
    marked = replace(fired("double-tap"), at=at)
    for event in (moved, failed, marked):
        for place in range(len(prop.holding.events) + 1):
            events = (*prop.holding.events[:place], event, *prop.holding.events[place:])
            assert _noticed(Trace(events), prop.terms) == set(), f"{event.kind} at {place}"


@pytest.mark.parametrize("prop", EVERY, ids=lambda prop: prop.id)
def test_a_holding_trace_cut_off_anywhere_is_no_violation(prop: Property) -> None:
    for length in range(len(prop.holding.events)):
        trace = Trace(prop.holding.events[:length])
        if not any(event.kind == "quiet" for event in trace.events):
            assert _noticed(trace, prop.terms) == set(), length


def test_an_adapter_failure_turns_what_is_missing_at_the_end_into_something_unknown() -> None:
    failed = AdapterFailed(0, AGENT, "agent.call_tool(c1)", "ValueError")
    for property_id in ("P13", "P14", "P16", "P17", "P21", "P25"):
        prop = PROPERTIES[property_id]
        judgement = judge(Trace((failed, *prop.violating.events)), prop.terms)[property_id]
        assert [it for it in judgement.findings if it.level is Level.MUST] == []
        assert judgement.unknown, property_id
