"""The life of a request: what may follow what, and what the caller is told at the end."""

from itertools import product

import pytest

from adapters.reference import request as requests
from adapters.reference.request import OUTCOMES, TRANSITIONS, IllegalStepError, Request, State, Step, Vote
from harness.model import CallId, Choice, OutcomeStatus, PersonId, Policy, RequestId, Role, digest

ARGUMENTS = {"title": "Hello"}
APPROVAL = Vote(PersonId("alice"), Role("admin"), Choice.APPROVED, "a1")
REJECTION = Vote(PersonId("bob"), Role("editor"), Choice.REJECTED, "b1", reason="not now")


def pending(deadline_ns: int | None = None) -> Request:
    return Request(
        id=RequestId("c1"),
        call=CallId("c1"),
        channel="approvals:acme:main",
        tenant="acme",
        tool="publish_blog_post",
        arguments=ARGUMENTS,
        shown=digest(ARGUMENTS),
        policy=Policy(),
        requester=None,
        deadline_ns=deadline_ns,
    )


def in_state(state: State) -> Request:
    approved = requests.decided(pending(), APPROVAL)
    claimed = requests.claimed(approved, "agent")
    return {
        State.PENDING: pending(),
        State.APPROVED: approved,
        State.CLAIMED: claimed,
        State.REJECTED: requests.decided(pending(), REJECTION),
        State.EXECUTED: requests.succeeded(claimed, {"done": 1}),
        State.FAILED: requests.failed(claimed, "disk full"),
        State.UNKNOWN: requests.lost(claimed),
        State.EXPIRED: requests.expired(pending()),
        State.CANCELLED: requests.cancelled(pending()),
    }[state]


def take(step: Step, request: Request) -> Request:
    return {
        Step.APPROVE: lambda: requests.decided(request, APPROVAL),
        Step.REJECT: lambda: requests.decided(request, REJECTION),
        Step.EXPIRE: lambda: requests.expired(request),
        Step.CANCEL: lambda: requests.cancelled(request),
        Step.CLAIM: lambda: requests.claimed(request, "agent"),
        Step.SUCCEED: lambda: requests.succeeded(request, None),
        Step.FAIL: lambda: requests.failed(request, ""),
        Step.LOSE: lambda: requests.lost(request),
    }[step]()


@pytest.mark.parametrize(("state", "step"), list(product(State, Step)))
def test_a_step_leads_where_the_table_says_and_nowhere_else(state: State, step: Step) -> None:
    request = in_state(state)
    target = TRANSITIONS.get((state, step))
    if target is None:
        with pytest.raises(IllegalStepError, match=f"c1 is {state}: it cannot {step}"):
            take(step, request)
    else:
        assert take(step, request).state is target


def test_nothing_leads_away_from_a_settled_request() -> None:
    assert {state for state, _ in TRANSITIONS} & set(OUTCOMES) == set()


def test_every_state_that_leads_nowhere_tells_the_caller_an_outcome() -> None:
    assert set(State) - {state for state, _ in TRANSITIONS} == set(OUTCOMES)


def test_a_request_is_overdue_from_the_very_instant_of_its_deadline() -> None:
    assert [pending(deadline_ns=10).overdue(now) for now in (9, 10, 11)] == [False, True, True]


def test_a_request_without_a_deadline_is_never_overdue() -> None:
    assert not pending().overdue(10**18)


def test_the_granted_arguments_are_the_approvers_edit() -> None:
    edited = Vote(PersonId("alice"), None, Choice.APPROVED, "a1", arguments={"title": "Hi"})
    assert requests.decided(pending(), edited).granted == {"title": "Hi"}
    assert requests.decided(pending(), APPROVAL).granted == ARGUMENTS


def test_an_edit_to_nothing_is_an_edit_too() -> None:
    emptied = Vote(PersonId("alice"), None, Choice.APPROVED, "a1", arguments={})
    assert requests.decided(pending(), emptied).granted == {}


def test_a_person_who_votes_twice_counts_once() -> None:
    again = Vote(PersonId("alice"), Role("admin"), Choice.APPROVED, "a2")
    assert requests.counted(requests.counted(pending(), APPROVAL), again).approvals == (again,)


def test_the_outcome_names_who_decided_in_which_role_and_why() -> None:
    outcome = requests.outcome(in_state(State.REJECTED))
    assert (outcome.status, outcome.decided_by, outcome.role) == (OutcomeStatus.REJECTED, "bob", "editor")
    assert outcome.reason == "not now"


def test_a_lost_claim_is_told_as_unknown_and_names_the_worker() -> None:
    outcome = requests.outcome(in_state(State.UNKNOWN))
    assert outcome.status is OutcomeStatus.UNKNOWN
    assert outcome.reason.startswith("agent stopped")


def test_a_call_that_nobody_was_asked_about_can_be_cancelled() -> None:
    assert requests.outcome(requests.never_asked(CallId("c9"))).status is OutcomeStatus.CANCELLED
