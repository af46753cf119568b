"""Who decides: one pure function from a request and an answer to the request after it and a receipt.

Owns the order in which an answer is examined. Each rule is a small function with a name; the first one
that objects settles what the answerer is told, and an answer to which none objects is counted. To see
what a rule is worth, build an :class:`Arbiter` without it.

Invariant: nothing here trusts what an answer says about its sender. ``Answer.person`` and ``Answer.claim``
come from the token that the channel service verified; the directory is asked again at the moment of
deciding. Whatever cannot be established counts as not authorised.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

from harness.adapter import Standing
from harness.model import Arguments, Choice, PersonId, Policy, Receipt, ReceiptStatus, RequestId, Role, digest

from .request import Request, State, Vote, counted, decided, expired


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer as it arrived.

    ``id`` is the device's own name for this press of a button. ``person`` and ``claim`` (the role in the
    person's token, None where it bears none) were written by the channel service. ``shown`` is the digest
    of the arguments that the device showed; ``arguments`` an edit of them.
    """

    id: str
    request: RequestId
    channel: str
    person: PersonId
    claim: Role | None
    choice: Choice
    shown: str
    arguments: Arguments | None = None
    reason: str = ""


StandingOf: TypeAlias = Callable[[PersonId], Standing | None]
Admits: TypeAlias = Callable[[Policy, Role | None], bool]
"""Whether a policy lets a role decide."""


@dataclass(frozen=True, slots=True)
class Case:
    """An answer before the arbiter: the request as it stands, the directory, and the agent's clock."""

    request: Request
    answer: Answer
    standing: StandingOf
    now_ns: int
    admits: Admits = Policy.admits


@dataclass(frozen=True, slots=True)
class Ruling:
    """What became of an answer: the request after it, and what the answerer is told."""

    request: Request
    receipt: Receipt


Rule: TypeAlias = Callable[[Case], Ruling | None]
"""Objects to an answer with a ruling, or lets it pass with None."""


def asked_in_this_session(case: Case) -> Ruling | None:
    """Let a request be answered only on the channel of its own session."""
    if case.answer.channel == case.request.channel:
        return None
    return _unchanged(case, ReceiptStatus.UNKNOWN_REQUEST, "no such request in this session")


def not_seen_before(case: Case) -> Ruling | None:
    """Tell a repeated answer again what it was told, and count it once."""
    winner = case.request.decision
    if winner is not None and _same_answer(winner, case.answer):
        return _unchanged(case, ReceiptStatus.DECIDED)
    if any(_same_answer(vote, case.answer) for vote in case.request.approvals):
        return _unchanged(case, ReceiptStatus.COUNTED)
    return None


def claim_is_genuine(case: Case) -> Ruling | None:
    """Refuse a role claim that is neither one of the hierarchy nor what the directory says."""
    claim, standing = case.answer.claim, case.standing(case.answer.person)
    known = claim in case.request.policy.hierarchy
    if known or (standing is not None and claim == standing.role):
        return None
    return _unauthorised(case, "the token's role claim is missing or malformed")


def claim_suffices(case: Case) -> Ruling | None:
    """Require that the verified role reaches the policy's minimum."""
    if case.admits(case.request.policy, case.answer.claim):
        return None
    return _unauthorised(case, f"this request asks for {case.request.policy.minimum_role} or above")


def in_good_standing(case: Case) -> Ruling | None:
    """Require that the directory vouches for the person now: active, of the tenant, in a sufficient role."""
    if vouched_for(case, case.answer.person):
        return None
    return _unauthorised(case, "the directory no longer admits this person to this request")


def not_the_requester(case: Case) -> Ruling | None:
    """Keep the requester from deciding their own request where the policy forbids it."""
    if case.request.policy.requester_may_decide or case.answer.person != case.request.requester:
        return None
    return _unauthorised(case, "the requester may not decide")


def before_the_deadline(case: Case) -> Ruling | None:
    """Expire a pending request whose deadline has come, whoever answers."""
    if case.request.state is not State.PENDING or not case.request.overdue(case.now_ns):
        return None
    return Ruling(expired(case.request), Receipt(ReceiptStatus.EXPIRED))


def still_pending(case: Case) -> Ruling | None:
    """Let only a pending request be decided: the decision is written once."""
    match case.request.state:
        case State.PENDING:
            return None
        case State.EXPIRED:
            return _unchanged(case, ReceiptStatus.EXPIRED)
        case State.CANCELLED:
            return _unchanged(case, ReceiptStatus.CANCELLED)
        case _:
            return _unchanged(case, ReceiptStatus.ALREADY_DECIDED)


def about_what_was_shown(case: Case) -> Ruling | None:
    """Require that the device showed exactly the arguments that the request binds."""
    if case.answer.shown == case.request.shown:
        return None
    return _unchanged(case, ReceiptStatus.INVALID, "the answer is not about the arguments of this request")


def edits_are_allowed(case: Case) -> Ruling | None:
    """Refuse an edit where the policy forbids edits."""
    if case.answer.arguments is None or case.request.policy.edits_allowed:
        return None
    return _unchanged(case, ReceiptStatus.INVALID, "this request may not be edited")


RULES: Final[tuple[Rule, ...]] = (
    asked_in_this_session,
    not_seen_before,
    claim_is_genuine,
    claim_suffices,
    in_good_standing,
    not_the_requester,
    before_the_deadline,
    still_pending,
    about_what_was_shown,
    edits_are_allowed,
)


def count(case: Case, vote: Vote) -> Ruling:
    """Count an admitted vote: one rejection rejects, ``quorum`` approvals of the same arguments approve.

    The people counted are distinct, and each is vouched for by the directory now, not only when they voted.
    """
    tallied = counted(case.request, vote)
    granted = _granted_digest(case.request, vote)
    agreeing = [
        earlier
        for earlier in tallied.approvals
        if _granted_digest(case.request, earlier) == granted and vouched_for(case, earlier.person)
    ]
    if vote.choice is Choice.REJECTED or len(agreeing) >= case.request.policy.quorum:
        winner = Receipt(ReceiptStatus.DECIDED, vote.person, vote.choice)
        return Ruling(decided(case.request, vote), winner)
    return Ruling(tallied, Receipt(ReceiptStatus.COUNTED))


@dataclass(frozen=True, slots=True)
class Arbiter:
    """The rules in force, in order, how an admitted vote is counted, and how roles are compared."""

    rules: tuple[Rule, ...] = RULES
    count: Callable[[Case, Vote], Ruling] = count
    admits: Admits = Policy.admits

    def without(self, rule: Rule) -> "Arbiter":
        """Return this arbiter with one rule removed; raises ValueError where it has no such rule."""
        place = self.rules.index(rule)
        return replace(self, rules=(*self.rules[:place], *self.rules[place + 1 :]))

    def rule(self, case: Case) -> Ruling:
        """Return what becomes of the answer of ``case``."""
        for rule in self.rules:
            objection = rule(case)
            if objection is not None:
                return objection
        answer = case.answer
        edit = answer.arguments if answer.choice is Choice.APPROVED else None
        vote = Vote(answer.person, answer.claim, answer.choice, answer.id, edit, answer.reason)
        return self.count(case, vote)


def _unchanged(case: Case, status: ReceiptStatus, note: str = "") -> Ruling:
    vote = case.request.decision
    names_winner = vote is not None and status in (ReceiptStatus.DECIDED, ReceiptStatus.ALREADY_DECIDED)
    if vote is None or not names_winner:
        return Ruling(case.request, Receipt(status, note=note))
    return Ruling(case.request, Receipt(status, vote.person, vote.choice, note))


def _unauthorised(case: Case, note: str) -> Ruling:
    return _unchanged(case, ReceiptStatus.UNAUTHORISED, note)


def _same_answer(vote: Vote, answer: Answer) -> bool:
    return (vote.person, vote.answer) == (answer.person, answer.id)


def vouched_for(case: Case, person: PersonId) -> bool:
    """Return whether the directory's present record of ``person`` satisfies the request."""
    standing = case.standing(person)
    return (
        standing is not None
        and standing.active
        and standing.tenant == case.request.tenant
        and case.admits(case.request.policy, standing.role)
    )


def _granted_digest(request: Request, vote: Vote) -> str:
    return request.shown if vote.arguments is None else digest(vote.arguments)
