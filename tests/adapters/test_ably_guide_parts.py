"""The pure parts of the guide's adapters: tool-call shapes, role checks, the hardened variant's records."""

from itertools import product

import pytest

from adapters.ably_guide import claims
from adapters.ably_guide.protocol import Notice, from_agent, keep_later, read_answer
from adapters.ably_guide.records import ENDS, TRANSITIONS, Approval, Records, State, moved
from adapters.ably_guide.roles import can_approve, can_approve_as_published
from adapters.ably_guide.tool_calls import ANTHROPIC, OPENAI, Vendor, read_arguments
from adapters.ably_guide.transport import Incoming
from harness.model import Arguments, CallId, Choice, PersonId, Policy, Receipt, ReceiptStatus, RequestId, Role
from harness.sim import Disk

POLICY = Policy(minimum_role=Role("publisher"))
UNLISTED = Policy(minimum_role=Role("owner"))
ARGUMENTS: Arguments = {"title": "Hello", "tags": [1, None]}
PENDING = Approval("c1", "approvals:acme:main", "acme", "publish_blog_post", {"title": "Hello"}, POLICY)


@pytest.mark.parametrize("vendor", [OPENAI, ANTHROPIC])
def test_both_vendors_spell_the_same_call(vendor: Vendor) -> None:
    read = vendor.read(vendor.spell(CallId("c1"), "publish_blog_post", ARGUMENTS))
    assert (read.id, read.name, read_arguments(read.arguments)) == ("c1", "publish_blog_post", ARGUMENTS)


def test_openai_spells_arguments_as_text_and_anthropic_as_an_object() -> None:
    spelled = OPENAI.spell(CallId("c1"), "publish", {"n": 1})
    assert spelled == {"type": "function_call", "call_id": "c1", "name": "publish", "arguments": '{"n": 1}'}
    used = ANTHROPIC.spell(CallId("c1"), "publish", {"n": 1})
    assert used == {"type": "tool_use", "id": "c1", "name": "publish", "input": {"n": 1}}


def test_arguments_that_are_no_object_are_none() -> None:
    assert read_arguments("[1]") == {}


@pytest.mark.parametrize(
    ("role", "may"),
    [("editor", False), ("publisher", True), ("admin", True), (None, False), ("[admin]", False)],
)
def test_a_listed_requirement_is_checked_alike_by_both(role: str | None, *, may: bool) -> None:
    assert can_approve_as_published(POLICY, role) is may
    assert can_approve(POLICY, role) is may


@pytest.mark.parametrize("role", ["editor", "admin", None, "[admin]"])
def test_an_unlisted_requirement_passes_everyone_as_published_and_nobody_when_mended(
    role: str | None,
) -> None:
    assert can_approve_as_published(UNLISTED, role)
    assert not can_approve(UNLISTED, role)


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_an_approval_moves_as_its_table_says(before: State, after: State) -> None:
    approval = Approval("c1", "", "acme", "publish", {}, POLICY, state=before)
    if after in TRANSITIONS[before]:
        assert moved(approval, after).state is after
    else:
        with pytest.raises(ValueError, match=f"c1 is {before}: it cannot become {after}"):
            moved(approval, after)


def test_every_end_tells_the_caller_an_outcome() -> None:
    for state in ENDS:
        assert Approval("c1", "", "acme", "publish", {}, POLICY, state=state).outcome.status == state.value


def test_of_two_writers_of_one_record_the_first_wins() -> None:
    disk = Disk("store", lambda _incarnation, _kind: None)
    one, other = Records(disk), Records(disk)
    assert one.replace(None, PENDING)
    assert one.replace(PENDING, moved(PENDING, State.APPROVED))
    assert not other.replace(PENDING, moved(PENDING, State.REJECTED))
    assert [approval.state for approval in other.all()] == [State.APPROVED]


def incoming(data: dict[str, object], *, client_id: str = "alice", tool_call_id: str = "c1") -> Incoming:
    return Incoming("approval-response", data, tool_call_id, client_id, "admin", "1")  # type: ignore[arg-type]


def test_an_answer_bears_the_identity_that_the_service_stamped() -> None:
    answer = read_answer(incoming({"decision": "approved", "answerId": "p.1", "role": "owner"}))
    assert answer is not None
    assert (answer.person, answer.role, answer.choice) == ("alice", "admin", Choice.APPROVED)


@pytest.mark.parametrize(
    "message",
    [
        incoming({"decision": "approved"}),
        incoming({"decision": "maybe", "answerId": "p.1"}),
        incoming({"decision": "approved", "answerId": "p" * 129}),
        incoming({"decision": "approved", "answerId": "p.1"}, client_id=""),
        incoming({"decision": "approved", "answerId": "p.1"}, tool_call_id=""),
    ],
)
def test_what_is_no_answer_is_ignored(message: Incoming) -> None:
    assert read_answer(message) is None


def test_only_the_agent_sides_stamp_is_believed() -> None:
    believed = [
        from_agent(incoming({}, client_id=name)) for name in ("agent", "agent-2", "agents", "", "eve")
    ]
    assert believed == [True, True, False, False, False]


def test_the_announcement_is_the_receipt_of_every_answer() -> None:
    notice = Notice(RequestId("c1"), State.EXECUTED, PersonId("alice"), "p.1", Choice.APPROVED)
    won = Receipt(ReceiptStatus.DECIDED, PersonId("alice"), Choice.APPROVED)
    assert notice.receipt_of("p.1", PersonId("alice")) == won
    assert notice.receipt_of("p.1", PersonId("eve")).status is ReceiptStatus.ALREADY_DECIDED


def test_an_end_is_not_taken_back_by_an_earlier_notice() -> None:
    ended = Notice(RequestId("c1"), State.EXECUTED, PersonId("alice"), "p.1", Choice.APPROVED)
    notices = {ended.request: ended}
    keep_later(notices, Notice(RequestId("c1"), State.APPROVED, PersonId("alice"), "p.1", Choice.APPROVED))
    assert notices == {ended.request: ended}


def test_every_published_claim_quotes_a_sentence_and_its_page() -> None:
    for claim in claims.PUBLISHED.values():
        assert claim.sentence.endswith(".")
        assert claim.link.startswith("https://")
