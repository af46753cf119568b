"""What losers are told about the winner, and outsiders are not."""

import pytest

from harness.model import ReceiptStatus
from harness.properties import Terms, judge
from harness.properties.examples import (
    PUBLISHERS,
    answered,
    called,
    card,
    executed,
    joined,
    outcome,
    published,
    quiet,
    screen,
    standing,
    tale,
    told,
)
from harness.trace import Event, Trace


def a_loser(session: str) -> Trace:
    """Return a trace in which Zoe, of ``session``, is told nothing but that there is no such request."""
    return tale(
        called(),
        joined("ann"),
        joined("zoe", sessions=(session,)),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        told("a1", winner="ann"),
        answered("a2", "zoe"),
        told("a2", ReceiptStatus.UNKNOWN_REQUEST),
        executed(),
        outcome(by="ann"),
        quiet(),
        screen("ann"),
    )


@pytest.mark.parametrize(("session", "due"), [("main", True), ("side", False)])
def test_a_loser_learns_who_won_and_an_outsider_need_not(session: str, due: bool) -> None:  # noqa: FBT001 - a table
    assert bool(judge(a_loser(session), Terms(), ("P15",))["P15"].findings) is due


@pytest.mark.parametrize("revoked_at", [None, 7, 9])
def test_somebody_revoked_while_the_answer_was_under_way_is_no_loser(revoked_at: int | None) -> None:
    events: list[Event] = [
        called(policy=PUBLISHERS),
        joined("ann"),
        joined("zoe"),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        answered("a2", "zoe"),
        told("a2", ReceiptStatus.UNAUTHORISED),
        told("a1", winner="ann"),
        executed(),
        outcome(by="ann"),
        quiet(),
    ]
    if revoked_at is not None:
        events.insert(revoked_at, standing("zoe", revoked=True))
    findings = judge(tale(*events), Terms(), ("P15",))["P15"].findings
    never_told = [it for it in findings if "was never told that ann had decided" in it.sentence]
    assert bool(never_told) is (revoked_at != 7), "revoked before the receipt"
