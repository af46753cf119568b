"""Whether an answer may decide, and whether it does: pure functions of a ticket, an answer and the directory.

Owns the order in which an answer is examined, the first objection being what its sender is told. Roles come
from the verified claim and from the directory's present record; nothing in the answer says who sent it.

Invariant: what cannot be established is an objection.
"""

from collections.abc import Callable
from dataclasses import replace

from harness.adapter import Standing
from harness.model import PersonId, ReceiptStatus, digest

from .notices import Answer
from .tickets import Ticket, Vote


def objection(
    ticket: Ticket | None, answer: Answer, standing: Standing | None
) -> tuple[ReceiptStatus, str] | None:
    """Return what stands against ``answer`` whatever the state of its ticket, None for nothing."""
    if ticket is None or ticket.channel != answer.channel:
        return ReceiptStatus.UNKNOWN_REQUEST, "no such request in this session"
    if not _authorised(ticket, answer, standing):
        return ReceiptStatus.UNAUTHORISED, f"this request asks for {ticket.policy.minimum_role or 'a member'}"
    return None


def flaw(ticket: Ticket, answer: Answer) -> str | None:
    """Return what is wrong with an answer that may decide a pending ticket, None for nothing."""
    if answer.choice is None:
        return "the answer cannot be read"
    if answer.shown != ticket.shown:
        return "the answer is not about the parameters of this request"
    if answer.arguments is not None and not ticket.policy.edits_allowed:
        return "this request may not be edited"
    return None


def with_vote(ticket: Ticket, answer: Answer) -> Ticket:
    """Return ``ticket`` with an approval counted: one a person, their latest."""
    others = tuple(vote for vote in ticket.votes if vote.person != answer.person)
    return replace(ticket, votes=(*others, Vote(answer.person, answer.id, answer.arguments)))


def has_quorum(ticket: Ticket, answer: Answer, standing_of: Callable[[PersonId], Standing | None]) -> bool:
    """Return whether enough people, vouched for now, have approved what ``answer`` approves."""
    approved = digest(ticket.params if answer.arguments is None else answer.arguments)
    agreeing = [
        vote
        for vote in ticket.votes
        if digest(ticket.params if vote.granted is None else vote.granted) == approved
        and vouched_for(ticket, vote.person, standing_of(vote.person))
    ]
    return len(agreeing) >= ticket.policy.quorum


def vouched_for(ticket: Ticket, person: PersonId, standing: Standing | None) -> bool:
    """Return whether the directory's record of ``person`` lets them decide ``ticket`` now."""
    if standing is None or not standing.active or standing.tenant != ticket.tenant:
        return False
    if not ticket.policy.requester_may_decide and person == ticket.requester:
        return False
    return ticket.policy.admits(standing.role)


def _authorised(ticket: Ticket, answer: Answer, standing: Standing | None) -> bool:
    if standing is None or not vouched_for(ticket, answer.person, standing):
        return False
    genuine = answer.claim == standing.role or answer.claim in ticket.policy.hierarchy
    return genuine and ticket.policy.admits(answer.claim)
