"""Who decides: each rule of the arbiter, and what its answer is told."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from adapters.reference import arbiter
from adapters.reference import request as requests
from adapters.reference.arbiter import RULES, Answer, Arbiter, Case, Ruling
from adapters.reference.request import Request, State
from harness.adapter import Standing
from harness.model import (
    CallId,
    Choice,
    PersonId,
    Policy,
    Receipt,
    ReceiptStatus,
    RequestId,
    Role,
    digest,
)

ARGUMENTS = {"title": "Hello"}
EDITOR, PUBLISHER, ADMIN = Role("editor"), Role("publisher"), Role("admin")
PEOPLE = {"alice": PUBLISHER, "bob": ADMIN, "carol": EDITOR}


def request(policy: Policy | None = None, **changes: object) -> Request:
    base = Request(
        id=RequestId("c1"),
        call=CallId("c1"),
        channel="approvals:acme:main",
        tenant="acme",
        tool="publish_blog_post",
        arguments=ARGUMENTS,
        shown=digest(ARGUMENTS),
        policy=policy or Policy(minimum_role=PUBLISHER),
        requester=PersonId("carol"),
        deadline_ns=1_000,
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def answer(person: str = "alice", choice: Choice = Choice.APPROVED, **changes: object) -> Answer:
    base = Answer(
        id=f"{person}-phone.1.1",
        request=RequestId("c1"),
        channel="approvals:acme:main",
        person=PersonId(person),
        claim=PEOPLE.get(person),
        choice=choice,
        shown=digest(ARGUMENTS),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def directory(**changed: Standing | None) -> Mapping[str, Standing | None]:
    known = {name: Standing(PersonId(name), "acme", role, active=True) for name, role in PEOPLE.items()}
    return {**known, **changed}


def rule(
    asked: Request,
    given: Answer,
    *,
    now_ns: int = 0,
    standings: Mapping[str, Standing | None] | None = None,
    judge: Arbiter | None = None,
) -> Ruling:
    known = directory() if standings is None else standings
    return (judge or Arbiter()).rule(Case(asked, given, known.get, now_ns))


def status(ruling: Ruling) -> ReceiptStatus:
    return ruling.receipt.status


def test_the_first_admitted_approval_decides_and_is_told_so() -> None:
    ruling = rule(request(), answer())
    assert ruling.request.state is State.APPROVED
    assert ruling.receipt == Receipt(ReceiptStatus.DECIDED, PersonId("alice"), Choice.APPROVED)


def test_the_first_admitted_rejection_decides() -> None:
    assert rule(request(), answer(choice=Choice.REJECTED)).request.state is State.REJECTED


def test_a_second_answer_changes_nothing_and_learns_who_won() -> None:
    decided = rule(request(), answer()).request
    ruling = rule(decided, answer("bob", Choice.REJECTED))
    assert ruling.request is decided
    assert ruling.receipt == Receipt(ReceiptStatus.ALREADY_DECIDED, PersonId("alice"), Choice.APPROVED)


def test_the_winning_answer_repeated_is_told_again_that_it_decided() -> None:
    decided = rule(request(), answer()).request
    ruling = rule(decided, answer())
    assert (ruling.request is decided, status(ruling)) == (True, ReceiptStatus.DECIDED)


def test_the_winner_pressing_again_is_told_that_it_was_decided_before() -> None:
    decided = rule(request(), answer()).request
    assert status(rule(decided, answer(id="alice-phone.1.2"))) is ReceiptStatus.ALREADY_DECIDED


def test_somebody_else_using_the_winners_answer_id_did_not_decide() -> None:
    decided = rule(request(), answer()).request
    assert status(rule(decided, answer("bob", id="alice-phone.1.1"))) is ReceiptStatus.ALREADY_DECIDED


def test_an_answer_from_another_session_finds_no_request() -> None:
    asked = request()
    ruling = rule(asked, answer(channel="approvals:acme:other"))
    assert (ruling.request is asked, status(ruling)) == (True, ReceiptStatus.UNKNOWN_REQUEST)


@pytest.mark.parametrize("claim", [EDITOR, None, Role("[admin]"), Role("owner")])
def test_a_claim_below_the_minimum_or_outside_the_hierarchy_never_decides(claim: Role | None) -> None:
    asked = request()
    ruling = rule(asked, answer(claim=claim))
    assert (ruling.request is asked, status(ruling)) == (True, ReceiptStatus.UNAUTHORISED)


@pytest.mark.parametrize("claim", [None, Role("[admin]")])
def test_a_missing_or_malformed_claim_fails_closed_even_where_any_role_may_decide(claim: Role | None) -> None:
    assert status(rule(request(Policy()), answer(claim=claim))) is ReceiptStatus.UNAUTHORISED


def test_a_person_without_a_role_decides_where_any_verified_person_may() -> None:
    standings = directory(dave=Standing(PersonId("dave"), "acme", None, active=True))
    assert status(rule(request(Policy()), answer("dave"), standings=standings)) is ReceiptStatus.DECIDED


@pytest.mark.parametrize(
    "standing",
    [
        None,
        Standing(PersonId("alice"), "acme", PUBLISHER, active=False),
        Standing(PersonId("alice"), "acme", EDITOR, active=True),
        Standing(PersonId("alice"), "acme", None, active=True),
        Standing(PersonId("alice"), "globex", PUBLISHER, active=True),
    ],
)
def test_a_genuine_claim_is_not_enough_without_current_standing(standing: Standing | None) -> None:
    assert (
        status(rule(request(), answer(), standings=directory(alice=standing))) is ReceiptStatus.UNAUTHORISED
    )


def test_a_required_role_that_the_hierarchy_does_not_list_admits_nobody() -> None:
    asked = request(Policy(minimum_role=Role("owner")))
    assert [status(rule(asked, answer(person))) for person in PEOPLE] == [ReceiptStatus.UNAUTHORISED] * 3


def test_an_unauthorised_answer_leaves_the_request_open_for_the_next() -> None:
    after_weak = rule(request(), answer("carol")).request
    assert rule(after_weak, answer()).request.state is State.APPROVED


def test_the_requester_is_excluded_where_the_policy_says_so() -> None:
    strict = Policy(minimum_role=EDITOR, requester_may_decide=False)
    assert status(rule(request(strict), answer("carol"))) is ReceiptStatus.UNAUTHORISED
    lenient = Policy(minimum_role=EDITOR)
    assert status(rule(request(lenient), answer("carol"))) is ReceiptStatus.DECIDED


@pytest.mark.parametrize(("now_ns", "told"), [(999, "decided"), (1_000, "expired"), (1_001, "expired")])
def test_an_answer_at_the_deadline_comes_too_late(now_ns: int, told: str) -> None:
    ruling = rule(request(), answer(), now_ns=now_ns)
    assert status(ruling) == told
    assert (ruling.request.state is State.EXPIRED) == (told == "expired")


def test_a_decision_taken_in_time_outlives_the_deadline() -> None:
    decided = rule(request(), answer()).request
    assert status(rule(decided, answer("bob"), now_ns=5_000)) is ReceiptStatus.ALREADY_DECIDED


def test_a_late_answer_learns_that_the_request_was_cancelled() -> None:
    assert status(rule(requests.cancelled(request()), answer())) is ReceiptStatus.CANCELLED


def test_a_late_answer_learns_that_the_request_expired() -> None:
    assert status(rule(requests.expired(request()), answer())) is ReceiptStatus.EXPIRED


def test_an_answer_about_other_arguments_than_those_asked_is_invalid() -> None:
    asked = request()
    ruling = rule(asked, answer(shown=digest({"title": "Tampered"})))
    assert (ruling.request is asked, status(ruling)) == (True, ReceiptStatus.INVALID)


def test_an_edit_is_bound_where_the_policy_allows_it() -> None:
    assert rule(request(), answer(arguments={"title": "Hi"})).request.granted == {"title": "Hi"}


def test_an_edit_is_invalid_where_the_policy_forbids_it() -> None:
    asked = request(Policy(edits_allowed=False))
    assert status(rule(asked, answer(arguments={"title": "Hi"}))) is ReceiptStatus.INVALID


def test_a_quorum_needs_distinct_people() -> None:
    first = rule(request(Policy(quorum=2)), answer())
    assert status(first) is ReceiptStatus.COUNTED
    second_device = rule(first.request, answer(id="alice-laptop.1.1"))
    assert (status(second_device), second_device.request.state) == (ReceiptStatus.COUNTED, State.PENDING)
    assert status(rule(second_device.request, answer("bob"))) is ReceiptStatus.DECIDED


def test_a_counted_answer_repeated_counts_once() -> None:
    first = rule(request(Policy(quorum=2)), answer()).request
    ruling = rule(first, answer())
    assert (ruling.request is first, status(ruling)) == (True, ReceiptStatus.COUNTED)


def test_one_rejection_ends_a_quorum() -> None:
    first = rule(request(Policy(quorum=2)), answer()).request
    assert rule(first, answer("bob", Choice.REJECTED)).request.state is State.REJECTED


def test_approvals_of_different_arguments_do_not_add_up() -> None:
    first = rule(request(Policy(quorum=2)), answer(arguments={"title": "Hi"})).request
    differing = rule(first, answer("bob"))
    assert status(differing) is ReceiptStatus.COUNTED
    agreed = rule(differing.request, answer(id="alice-phone.1.2"))
    assert agreed.request.granted == ARGUMENTS


def test_a_counted_person_who_lost_their_standing_counts_no_longer() -> None:
    first = rule(request(Policy(quorum=2)), answer()).request
    gone = directory(alice=Standing(PersonId("alice"), "acme", PUBLISHER, active=False))
    assert status(rule(first, answer("bob"), standings=gone)) is ReceiptStatus.COUNTED


@pytest.mark.parametrize(
    ("removed", "given"),
    [
        (arbiter.asked_in_this_session, answer(channel="approvals:acme:other")),
        (arbiter.claim_is_genuine, answer("bob", claim=None)),
        (arbiter.in_good_standing, answer("mallory", claim=ADMIN)),
        (arbiter.not_the_requester, answer("carol", claim=EDITOR)),
        (arbiter.about_what_was_shown, answer(shown="")),
        (arbiter.edits_are_allowed, answer(arguments={})),
    ],
)
def test_without_its_rule_a_wrong_answer_decides(removed: arbiter.Rule, given: Answer) -> None:
    asked = request(Policy(requester_may_decide=False, edits_allowed=False))
    assert status(rule(asked, given)) is not ReceiptStatus.DECIDED
    assert removed in RULES
    lenient = Arbiter().without(removed)
    if removed is arbiter.in_good_standing:
        lenient = Arbiter(
            lenient.rules, lambda case, vote: Ruling(requests.decided(case.request, vote), _TOLD)
        )
    assert status(rule(asked, given, judge=lenient)) is ReceiptStatus.DECIDED


_TOLD = Receipt(ReceiptStatus.DECIDED)
