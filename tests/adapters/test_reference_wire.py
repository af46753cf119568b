"""The protocol's messages: what is read back is what was written, and people's input is parsed once."""

import pytest
from pydantic import JsonValue

from adapters.reference import request as requests
from adapters.reference import wire
from adapters.reference.arbiter import Answer
from adapters.reference.request import Request, State, Vote
from adapters.reference.wire import MalformedAnswer
from harness.messaging import Message
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    OutcomeStatus,
    PersonId,
    Policy,
    Receipt,
    ReceiptStatus,
    RequestId,
    Role,
    digest,
)

CHANNEL = "approvals:acme:main"
ARGUMENTS = {"title": "Hello"}
REQUEST = Request(
    RequestId("c1"),
    CallId("c1"),
    CHANNEL,
    "acme",
    "publish_blog_post",
    ARGUMENTS,
    digest(ARGUMENTS),
    Policy(),
    None,
    None,
)


def message(data: JsonValue, *, client_id: str | None = "alice", claim: JsonValue = "admin") -> Message:
    return Message(
        name=wire.ANSWER,
        data=data,
        client_id=client_id,
        serial="1",
        timestamp_ms=0,
        id="m1",
        extras={"userClaim": claim},
    )


def an_answer(**changes: JsonValue) -> dict[str, JsonValue]:
    decision = Decision(Choice.APPROVED, reason="fine")
    return {**wire.answer_data("phone.1.1", RequestId("c1"), ARGUMENTS, decision), **changes}


def test_a_card_shows_what_the_request_says() -> None:
    card = wire.read_card(wire.request_data(REQUEST))
    assert card == Card(RequestId("c1"), "publish_blog_post", ARGUMENTS, CallId("c1"))


def test_an_answer_bears_the_identity_that_the_service_stamped() -> None:
    answer = wire.read_answer(message(an_answer()), CHANNEL)
    assert isinstance(answer, Answer)
    assert (answer.person, answer.claim, answer.shown) == ("alice", "admin", digest(ARGUMENTS))


def test_a_role_in_the_payload_is_nobodys_role() -> None:
    answer = wire.read_answer(message(an_answer(role="admin", userClaim="admin"), claim=None), CHANNEL)
    assert isinstance(answer, Answer)
    assert answer.claim is None


@pytest.mark.parametrize("claim", [None, 7, ["admin"], {"admin": True}])
def test_a_claim_that_is_no_text_is_no_claim(claim: JsonValue) -> None:
    answer = wire.read_answer(message(an_answer(), claim=claim), CHANNEL)
    assert isinstance(answer, Answer)
    assert answer.claim is None


def test_an_answer_to_a_request_never_shown_names_no_digest() -> None:
    data = wire.answer_data("phone.1.1", RequestId("c1"), None, Decision(Choice.APPROVED))
    assert data["shown"] == ""


@pytest.mark.parametrize(
    "changes",
    [
        {"choice": "maybe"},
        {"choice": None},
        {"choice": ["approved"]},
        {"shown": 7},
        {"reason": None},
        {"arguments": "none"},
        {"arguments": []},
    ],
)
def test_a_malformed_answer_is_refused_as_a_whole(changes: dict[str, JsonValue]) -> None:
    refused = wire.read_answer(message(an_answer(**changes)), CHANNEL)
    assert isinstance(refused, MalformedAnswer)
    assert (refused.id, refused.person) == ("phone.1.1", "alice")


@pytest.mark.parametrize(
    "data",
    [None, "approved", [], {}, an_answer(answer=7), an_answer(request=None), an_answer(answer="x" * 129)],
)
def test_what_names_no_answer_has_nobody_to_tell(data: JsonValue) -> None:
    assert wire.read_answer(message(data), CHANNEL) is None


def test_an_anonymous_answer_counts_for_nothing() -> None:
    assert wire.read_answer(message(an_answer(), client_id=None), CHANNEL) is None


@pytest.mark.parametrize(
    ("client_id", "trusted"),
    [("agent", True), ("agent-2", True), ("agents", False), ("alice", False), ("", False), (None, False)],
)
def test_only_the_agent_sides_stamp_is_trusted(client_id: str | None, *, trusted: bool) -> None:
    assert wire.from_agent(message({}, client_id=client_id)) is trusted


def test_a_receipt_is_read_as_it_was_given() -> None:
    receipt = Receipt(ReceiptStatus.ALREADY_DECIDED, PersonId("bob"), Choice.REJECTED, "too late")
    answer = wire.read_answer(message(an_answer()), CHANNEL)
    assert answer is not None
    data = wire.receipt_data(answer, receipt)
    assert wire.read_receipt(data) == receipt
    assert (data["answer"], data["to"]) == ("phone.1.1", "alice")


def test_an_announcement_names_the_answer_that_decided() -> None:
    vote = Vote(PersonId("bob"), Role("admin"), Choice.REJECTED, "tablet.1.1")
    notice = wire.read_state(wire.state_data(requests.decided(REQUEST, vote)))
    assert (notice.state, notice.answer, notice.decided_by) == (State.REJECTED, "tablet.1.1", "bob")
    assert notice.settled.status is OutcomeStatus.REJECTED


def test_the_announcement_of_a_decision_is_the_receipt_of_every_answer() -> None:
    vote = Vote(PersonId("bob"), Role("admin"), Choice.REJECTED, "tablet.1.1")
    notice = wire.read_state(wire.state_data(requests.decided(REQUEST, vote)))
    won = Receipt(ReceiptStatus.DECIDED, PersonId("bob"), Choice.REJECTED)
    lost = Receipt(ReceiptStatus.ALREADY_DECIDED, PersonId("bob"), Choice.REJECTED)
    assert notice.receipt_of("tablet.1.1", PersonId("bob")) == won
    assert notice.receipt_of("tablet.1.2", PersonId("bob")) == lost
    assert notice.receipt_of("tablet.1.1", PersonId("mallory")) == lost


def test_a_settled_notice_outranks_the_decision() -> None:
    vote = Vote(PersonId("bob"), None, Choice.APPROVED, "tablet.1.1")
    approved = requests.decided(REQUEST, vote)
    executed = requests.succeeded(requests.claimed(approved, "agent"), None)
    ranks = [wire.read_state(wire.state_data(request)).rank for request in (approved, executed)]
    assert ranks == [1, 2]


@pytest.mark.parametrize(
    ("ended", "told"),
    [(requests.expired(REQUEST), "expired"), (requests.cancelled(REQUEST), "cancelled")],
)
def test_an_ending_without_a_decision_is_told_as_what_it_was(ended: Request, told: str) -> None:
    notice = wire.read_state(wire.state_data(ended))
    receipt = notice.receipt_of("tablet.1.1", PersonId("bob"))
    assert (receipt.status, notice.settled.status, notice.decided_by) == (told, told, None)
