"""Where a trace leaves something open, properties accept whatever may be true, and nothing else."""

from dataclasses import replace
from typing import Final

import pytest

from harness.model import ForgeryKind, HostName, Level, OutcomeStatus, Policy, ReceiptStatus, Role
from harness.properties import Status, Terms, judge
from harness.properties.examples import (
    AGENT,
    NO,
    OTHER_POST,
    PUBLISHERS,
    UNSET,
    YES,
    answered,
    called,
    card,
    crashed,
    decided,
    entered,
    executed,
    fired,
    joined,
    later,
    outcome,
    published,
    quiet,
    restarted,
    screen,
    settled,
    standing,
    tale,
    told,
)
from harness.trace import Defect, Event, ForgerySent

CALM: Final = Terms()
ASKED: Final = (called(), joined("ann"), joined("bob"), entered(), published(), screen("ann", card()))
UNKNOWN: Final = ReceiptStatus.UNKNOWN


def _noticed(*events: Event) -> set[str]:
    return {key for key, it in judge(tale(*events), CALM).items() if it.findings}


def _status(property_id: str, *events: Event) -> Status:
    return judge(tale(*events), CALM, [property_id])[property_id].status


def test_an_answer_of_unknown_outcome_may_have_taken_effect() -> None:
    took_effect = (answered("a1", "ann"), fired("cut-link"), told("a1", UNKNOWN), executed(), outcome())
    assert _noticed(*ASKED, *took_effect, quiet(), screen("ann")) == set()


def test_an_answer_of_unknown_outcome_may_have_been_lost() -> None:
    lost = (answered("a1", "ann"), fired("drop-message"), told("a1", UNKNOWN), quiet())
    assert _noticed(*ASKED, *lost, screen("ann", card())) == set()


def test_an_answer_of_unknown_outcome_excuses_no_third_thing() -> None:
    third = (answered("a1", "ann", NO), fired("cut-link"), told("a1", UNKNOWN), executed(), quiet())
    assert {"P3", "P18"} <= _noticed(*ASKED, *third)


def test_where_nothing_could_be_lost_an_answer_without_a_receipt_counts_as_handed_over() -> None:
    assert "P25" in _noticed(*ASKED, answered("a1", "ann"), told("a1", UNKNOWN), quiet())
    assert "P25" not in _noticed(*ASKED, answered("a1", "ann"), crashed("ann-phone"), quiet())


@pytest.mark.parametrize("deviation", ["cut-link", "crash-at-time", "something-new"])
def test_a_fault_of_any_kind_leaves_an_unreceipted_answer_open(deviation: str) -> None:
    faulty = (answered("a1", "ann"), fired(deviation), told("a1", UNKNOWN), quiet(), screen("ann", card()))
    assert "P25" not in _noticed(*ASKED, *faulty)


def test_an_agent_that_stays_down_owes_nothing() -> None:
    down = (answered("a1", "ann"), told("a1"), crashed(), quiet(), screen("ann"))
    judgements = judge(tale(*ASKED, *down), CALM)
    for property_id in ("P14", "P17", "P21", "P25"):
        assert judgements[property_id].exercised == 0, property_id
        assert judgements[property_id].findings == [], property_id


def test_a_log_of_effects_alone_proves_nothing() -> None:
    trace = tale(called(), executed())
    judgement = judge(trace, CALM, ["P3"])["P3"]
    assert judgement.findings == []
    assert "no answers" in judgement.unknown[0].sentence
    assert judgement.status is Status.INCONCLUSIVE


def test_a_log_with_answers_to_other_calls_shows_that_this_one_had_none() -> None:
    log = (called("c1"), called("c2"), answered("a1", "ann", call="c1"), executed("c1"), executed("c2"))
    assert {"P3", "P8", "P18"} <= _noticed(*log)


def test_liveness_is_never_judged_without_an_end() -> None:
    open_end = (answered("a1", "ann"), told("a1"), decided("ann"), crashed(), restarted())
    judgements = judge(tale(*ASKED, *open_end), CALM)
    for property_id in ("P14", "P16", "P17", "P21", "P25"):
        assert judgements[property_id].exercised == 0, property_id


LOG: Final = (
    called("c1", PUBLISHERS),
    joined("ann"),
    published(),
    screen("ann", card()),
    answered("a1", "ann"),
    told("a1"),
    decided("ann", role="publisher"),
    entered(),
    executed(),
    outcome(by="ann"),
)


@pytest.mark.parametrize("left_out", sorted({event.kind for event in LOG} - {"answer-sent", "tool-called"}))
def test_a_log_that_lacks_one_kind_of_event_shows_no_violation(left_out: str) -> None:
    assert _noticed(*(event for event in LOG if event.kind != left_out)) == set()


def test_a_log_of_answers_and_effects_alone_shows_no_violation() -> None:
    assert _noticed(answered("a1", "ann"), executed()) == set()
    assert _noticed(answered("a1", "ann"), told("a1"), decided("ann"), outcome(by="ann")) == set()


def test_decisions_reported_for_another_call_do_not_excuse_this_one() -> None:
    assert "P3" in _noticed(called("c1"), answered("a1", "ann", NO), decided("ann", NO), executed())


def test_a_false_report_of_a_decision_does_not_hide_what_people_answered() -> None:
    assert "P3" in _noticed(*ASKED, answered("a1", "ann", NO), decided("ann", YES), executed())


def test_the_same_decision_reported_by_two_processes_is_one() -> None:
    again = replace(decided("ann"), host=HostName("agent-2"))
    assert "P1" not in _noticed(*ASKED, answered("a1", "ann"), decided("ann"), again)
    after_restart = (decided("ann"), crashed(), restarted(), called(attempt=2), decided("ann"))
    assert "P1" not in _noticed(*ASKED, answered("a1", "ann"), *after_restart)
    assert "P1" in _noticed(*ASKED, answered("a1", "ann"), decided("ann"), decided("ann"))


def test_two_presses_of_one_person_with_one_choice_may_both_be_told_that_they_decided() -> None:
    twice = (answered("a1", "ann"), answered("a2", "ann"), decided("ann"), told("a1"), told("a2"))
    assert not {"P1", "P15"} & _noticed(*ASKED, *twice)


def test_concurrent_answers_may_be_decided_in_either_order() -> None:
    race = (answered("a1", "ann"), answered("a2", "bob", NO), decided("bob", NO), told("a2", winner="bob"))
    lost = told("a1", ReceiptStatus.ALREADY_DECIDED, "bob", NO)
    assert not {"P2", "P15"} & _noticed(*ASKED, *race, lost)


def test_an_unauthorised_first_answer_does_not_count_as_first() -> None:
    weak = (answered("a1", "eve", role="editor"), told("a1", ReceiptStatus.UNAUTHORISED))
    won = (answered("a2", "ann"), decided("ann"), told("a2"))
    assert _noticed(called(policy=PUBLISHERS), joined("ann"), joined("eve", "editor"), *weak, *won) == set()


def test_a_valid_first_answer_that_was_turned_down_still_came_first() -> None:
    refused = (answered("a1", "ann"), told("a1", ReceiptStatus.UNAUTHORISED))
    assert {"P2", "P15"} <= _noticed(*ASKED, *refused, answered("a2", "bob", NO), decided("bob", NO))


def test_authority_is_asked_for_at_the_moment_of_the_decision() -> None:
    call, phone, sent = called(policy=PUBLISHERS), joined("ann"), answered("a1", "ann")
    revoked = standing("ann", revoked=True)
    assert "P9" in _noticed(call, phone, sent, revoked, decided("ann"), executed())
    assert "P9" not in _noticed(call, phone, sent, decided("ann"), revoked, executed())
    assert "P9" not in _noticed(call, phone, sent, told("a1"), revoked, decided("ann"), executed())
    assert "P9" not in _noticed(call, phone, sent, revoked, executed()), "when it was decided is not shown"
    assert "P9" in _noticed(call, phone, revoked, sent, executed())


def test_a_promoted_persons_older_token_may_be_refused() -> None:
    promoted = (joined("ann", "editor"), standing("ann", "publisher"), answered("a1", "ann"))
    refused = (told("a1", ReceiptStatus.UNAUTHORISED), quiet())
    assert not {"P15", "P25"} & _noticed(called(policy=PUBLISHERS), *promoted, *refused)


def test_a_missing_role_matters_only_where_a_role_is_asked_for() -> None:
    roleless = answered("a1", "ann", role=None, defect=Defect.MISSING_ROLE)
    assert not {"P9", "P23"} & _noticed(called(), roleless, executed())
    assert {"P9", "P23"} <= _noticed(called(policy=PUBLISHERS), roleless, executed())


@pytest.mark.parametrize(
    ("sent_s", "decided_s", "violated"),
    [(9.9, 9.99, False), (9.99, 10, True), (10, 10.1, True), (9.9, 11, True)],
)
def test_an_approval_at_the_deadline_is_late(sent_s: float, decided_s: float, *, violated: bool) -> None:
    race = (later(answered("a1", "ann"), sent_s), later(decided("ann"), decided_s), later(executed(), 12))
    assert ("P11" in _noticed(called(deadline_s=10), *ASKED[1:], *race)) is violated


def test_an_effect_after_the_deadline_whose_decision_is_not_shown_is_unknown() -> None:
    late = (later(answered("a1", "ann"), 9), later(executed(), 11))
    judgement = judge(tale(called(deadline_s=10), *ASKED[1:], *late), CALM, ["P11"])["P11"]
    assert judgement.findings == []
    assert judgement.unknown


def test_a_clock_set_wrong_turns_lateness_into_something_unknown() -> None:
    late = (later(answered("a1", "ann"), 9), later(decided("ann"), 11))
    skewed = (called(deadline_s=10), fired("skew-clock", AGENT), *ASKED[1:], *late)
    judgement = judge(tale(*skewed), CALM, ["P11"])["P11"]
    assert judgement.findings == []
    assert judgement.unknown


def test_a_device_that_no_longer_knows_a_settled_request_should_but_need_not() -> None:
    done = (answered("a1", "ann"), decided("ann"), told("a1"), executed(), outcome(by="ann"), quiet())
    forgot = judge(tale(*ASKED, *done, screen("ann"), settled("ann", None)), CALM, ["P16"])["P16"]
    assert [it.level for it in forgot.findings] == [Level.SHOULD]
    assert forgot.status is Status.HOLDS


def test_whoever_may_be_locked_out_need_not_see_anything() -> None:
    spoilt = fired("spoil-credential")
    assert "P17" not in _noticed(spoilt, *ASKED, quiet(), screen("ann"), screen("bob"))
    assert "P17" in _noticed(*ASKED, quiet(), screen("ann"), screen("bob"))


def test_a_quorum_counts_people_not_devices() -> None:
    two = called(policy=Policy(quorum=2))
    twice = (answered("a1", "ann"), answered("a2", "ann"), executed())
    assert "P10" in _noticed(two, *twice)
    assert "P10" not in _noticed(two, answered("a1", "ann"), answered("a2", "bob"), executed())


def test_a_quorum_that_is_not_reached_obliges_nobody() -> None:
    one_of_two = (answered("a1", "ann"), told("a1", ReceiptStatus.COUNTED), quiet(), screen("ann"))
    assert _noticed(called(policy=Policy(quorum=2)), *ASKED[1:], *one_of_two, screen("bob", card())) == set()


def _forged(kind: ForgeryKind, person: str) -> ForgerySent:
    phone = joined(person)
    sent = answered("a9", person)
    return ForgerySent(UNSET, phone.host, phone.person, phone.device, kind, sent.request, called().call)


EDITORS_AND_UP: Final = Policy(minimum_role=Role("editor"))


def test_true_equals_one_only_in_python() -> None:
    shown = replace(card(), arguments={"post": 1})
    approved = (screen("ann", shown), answered("a1", "ann", shown={"post": 1}))
    as_true = executed(arguments={"post": True})
    assert "P6" in _noticed(called(arguments={"post": 1}), joined("ann"), *approved, as_true)


def test_an_edit_that_the_policy_allows_binds_what_is_executed() -> None:
    edited = answered("a1", "ann", edit=OTHER_POST)
    assert "P6" not in _noticed(called(), edited, executed(arguments=OTHER_POST))
    assert "P6" in _noticed(called(), edited, executed())


def test_who_answered_without_reading_a_card_is_held_to_nothing() -> None:
    blind = answered("a1", "ann", shown=None)
    assert _status("P6", called(), blind, executed(arguments=OTHER_POST)) is Status.INCONCLUSIVE


def test_every_property_is_silent_about_a_trace_of_unrelated_events() -> None:
    unrelated = tale(joined("ann"), fired("cut-link"), crashed(), restarted(), quiet())
    for property_id, judgement in judge(unrelated, CALM).items():
        assert (judgement.exercised, judgement.findings) == (0, []), property_id


def test_a_forged_approval_by_somebody_weak_has_no_effect() -> None:
    weak = (called(policy=PUBLISHERS), joined("eve", "editor"), published(), screen("eve", card()))
    forged = _forged(ForgeryKind.APPROVAL, "eve")
    assert _noticed(*weak, forged, quiet()) == set()
    assert {"P3", "P8"} <= _noticed(*weak, forged, decided("ann"), executed(), quiet())


def test_a_forged_approval_by_somebody_who_may_approve_is_left_open() -> None:
    strong = (called(policy=EDITORS_AND_UP), joined("eve", "editor"), published(), screen("eve", card()))
    forged = _forged(ForgeryKind.APPROVAL, "eve")
    noticed = _noticed(*strong, forged, decided("eve"), executed(), outcome(by="eve"), quiet())
    assert not {"P3", "P8", "P18", "P23", "P24"} & noticed
    assert "P8" in _noticed(*strong, forged, decided("ann"), executed(), quiet()), "ann never approved"


def test_a_screen_that_believes_a_forged_announcement_is_noticed() -> None:
    forged = _forged(ForgeryKind.DECISION, "eve")
    believed = (quiet(), screen("ann"), settled("ann", OutcomeStatus.EXECUTED, choice=YES))
    assert "P8" in _noticed(*ASKED, joined("eve", "editor"), forged, *believed)


def test_a_card_that_nobody_was_left_to_retire_is_no_broken_promise() -> None:
    done = (answered("a1", "ann"), decided("ann"), told("a1"), executed(), outcome(by="ann"), crashed())
    assert "P16" not in _noticed(*ASKED, *done, quiet(), screen("bob", card()))
    assert "P16" in _noticed(*ASKED, *done, restarted(), quiet(), screen("bob", card()))
