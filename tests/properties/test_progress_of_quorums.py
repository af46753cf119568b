"""When several approvals suffice: of the same arguments, by distinct people."""

from harness.model import Arguments, ReceiptStatus
from harness.properties import Terms, judge
from harness.properties.examples import (
    OTHER_POST,
    TWO_PEOPLE,
    answered,
    called,
    card,
    joined,
    quiet,
    screen,
    tale,
    told,
)
from harness.trace import Trace


def two_approvals(edit: Arguments | None) -> Trace:
    """Return a trace in which two people approve, the second with ``edit``, and nothing follows."""
    return tale(
        called(policy=TWO_PEOPLE),
        joined("ann"),
        joined("bob"),
        screen("ann", card()),
        screen("bob", card()),
        answered("a1", "ann"),
        told("a1", ReceiptStatus.COUNTED),
        answered("a2", "bob", edit=edit),
        told("a2", ReceiptStatus.COUNTED),
        quiet(),
    )


def test_approvals_of_different_arguments_do_not_add_up_to_a_quorum() -> None:
    assert not judge(two_approvals(OTHER_POST), Terms(), ("P25",))["P25"].findings


def test_a_quorum_of_equal_approvals_must_end_the_call() -> None:
    assert judge(two_approvals(None), Terms(), ("P25",))["P25"].findings
