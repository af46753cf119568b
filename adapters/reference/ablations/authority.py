"""Faults in who may decide: roles, standing, quorum, silence, and the walls between sessions and tenants.

Owns the ablations of P9, P10, P23 and P27.
"""

import asyncio
from dataclasses import replace
from typing import Final

from harness.messaging import ChannelError
from harness.model import (
    CallId,
    Choice,
    PersonId,
    Policy,
    Receipt,
    ReceiptStatus,
    Role,
    ToolCall,
)

from .. import request as requests
from .. import wire
from ..adapter import Parts
from ..agent import ReferenceAgent
from ..arbiter import (
    Answer,
    Arbiter,
    Case,
    Rule,
    Ruling,
    about_what_was_shown,
    asked_in_this_session,
    claim_is_genuine,
    claim_suffices,
    in_good_standing,
    not_the_requester,
)
from ..request import Request, State, Vote
from .variant import ablation

_FIVE_MINUTES_S: Final = 300.0


def everybody(_policy: Policy, _role: Role | None) -> bool:
    """Admit every role."""
    return True


def by_index(policy: Policy, role: Role | None) -> bool:
    """Compare places in the hierarchy, -1 for what it does not list."""
    order = list(policy.hierarchy)

    def place(name: Role | None) -> int:
        return order.index(name) if name in order else -1

    return policy.minimum_role is None or place(role) >= place(policy.minimum_role)


def below_the_top(policy: Policy, role: Role | None) -> bool:
    """Admit whoever is at most one step below what is asked for."""
    order = policy.hierarchy
    if policy.minimum_role not in order or role not in order:
        return policy.minimum_role is None
    return order.index(role) + 1 >= order.index(policy.minimum_role)


def for_approvals_only(rule: Rule) -> Rule:
    """Return ``rule`` asked of approvals only."""
    return lambda case: rule(case) if case.answer.choice is Choice.APPROVED else None


def replaced(*swaps: tuple[Rule, Rule | None]) -> Arbiter:
    """Return the careful arbiter with some rules replaced, or left out where the new one is None."""
    by_name = dict(swaps)
    rules = (by_name.get(rule, rule) for rule in Arbiter().rules)
    return replace(Arbiter(), rules=tuple(rule for rule in rules if rule is not None))


class WeakAnswerEnds(ReferenceAgent):
    """Rejects a request as soon as somebody without the authority answers it."""

    def _ruled(self, request: Request, answer: Answer) -> Receipt | None:
        receipt = super()._ruled(request, answer)
        refused = receipt is not None and receipt.status is ReceiptStatus.UNAUTHORISED
        if refused and request.state is State.PENDING:
            vote = Vote(answer.person, answer.claim, Choice.REJECTED, answer.id)
            self.advance(request, requests.decided(request, vote))
        return receipt


def count_with(case: Case, vote: Vote, votes: tuple[Vote, ...], quorum: int) -> Ruling:
    """Count ``votes`` towards ``quorum``, whoever they are from."""
    if vote.choice is Choice.REJECTED or len(votes) >= quorum:
        winner = Receipt(ReceiptStatus.DECIDED, vote.person, vote.choice)
        return Ruling(requests.decided(case.request, vote), winner)
    return Ruling(replace(case.request, approvals=votes), Receipt(ReceiptStatus.COUNTED))


def count_presses(case: Case, vote: Vote) -> Ruling:
    """Count presses instead of people."""
    votes = (*case.request.approvals, vote)
    return count_with(case, vote, votes, case.request.policy.quorum)


def count_one(case: Case, vote: Vote) -> Ruling:
    """Let one approval do, however many are asked for."""
    return count_with(case, vote, (vote,), 1)


def not_the_only_decider(case: Case) -> Ruling | None:
    """Bar the requester where one approval does, and let them help to fill a quorum."""
    return None if case.request.policy.quorum > 1 else not_the_requester(case)


class TimeoutApproves(ReferenceAgent):
    """Takes a deadline that passed in silence for consent."""

    async def _step(self, call: ToolCall, request: Request) -> None:
        if request.state is State.PENDING and request.overdue(self._machine.now_ns()):
            nobody = Vote(PersonId("timeout"), None, Choice.APPROVED, "")
            await self._advance_or_yield(request, requests.decided(request, nobody))
        else:
            await super()._step(call, request)


class SilenceApproves(ReferenceAgent):
    """Takes five minutes of silence for consent."""

    async def _ask(self, request: Request) -> None:
        await super()._ask(request)
        await asyncio.sleep(_FIVE_MINUTES_S)
        now = self._reload(CallId(request.call))
        if now.state is State.PENDING:
            nobody = Vote(PersonId("nobody"), None, Choice.APPROVED, "")
            self.advance(now, requests.decided(now, nobody))


def shown_or_blind(case: Case) -> Ruling | None:
    """Accept an answer whose sender never saw what it is about."""
    return None if not case.answer.shown else about_what_was_shown(case)


def in_any_tenant(case: Case) -> Ruling | None:
    """Ask the directory about the role, and not about the owner."""
    standing = case.standing(case.answer.person)
    if standing is not None and standing.active and case.admits(case.request.policy, standing.role):
        return None
    return in_good_standing(case)


class AsksEverywhere(ReferenceAgent):
    """Makes a request known in every session that it has open."""

    async def _ask(self, request: Request) -> None:
        await super()._ask(request)
        for session in list(self._sessions.values()):
            if session.name != request.channel:
                try:
                    await session.publish(wire.REQUEST, wire.request_data(request))
                except ChannelError:
                    return


AUTHORITY: Final = (
    ablation(
        "roles-not-checked",
        Parts(arbiter=replace(Arbiter(), admits=everybody)),
        "P9",
        report="Jenkins SECURITY-576: read access settles an input",
    ),
    ablation(
        "roles-off-by-one",
        Parts(arbiter=replace(Arbiter(), admits=below_the_top)),
        "P9",
        report="synthetic: the role below the minimum passes",
    ),
    ablation(
        "authority-asked-of-approvals-only",
        Parts(
            arbiter=replaced(
                (claim_is_genuine, for_approvals_only(claim_is_genuine)),
                (claim_suffices, for_approvals_only(claim_suffices)),
                (in_good_standing, for_approvals_only(in_good_standing)),
            )
        ),
        "P9",
        report="synthetic: anybody may reject",
    ),
    ablation(
        "standing-not-asked-at-the-decision",
        Parts(arbiter=Arbiter().without(in_good_standing)),
        "P9",
        report="synthetic: a role changed, or a person revoked, while the answer was under way",
    ),
    ablation(
        "a-weak-answer-ends-the-request",
        Parts(agent=WeakAnswerEnds),
        "P9",
        report="Ably guide: the first unauthorised answer rejects for everyone",
    ),
    ablation(
        "self-approval",
        Parts(arbiter=Arbiter().without(not_the_requester)),
        "P10",
        report="breeze PR #1662: no requester != approver check",
    ),
    ablation(
        "presses-counted-instead-of-people",
        Parts(arbiter=replace(Arbiter(), count=count_presses)),
        "P10",
        report="synthetic: one person on two devices is two approvers",
    ),
    ablation(
        "one-approval-is-enough",
        Parts(arbiter=replace(Arbiter(), count=count_one)),
        "P10",
        report="synthetic: the quorum is not looked at",
    ),
    ablation(
        "the-requester-counts-towards-a-quorum",
        Parts(arbiter=replaced((not_the_requester, not_the_only_decider))),
        "P10",
        report="breeze PR #1662: the same, where several must approve",
    ),
    ablation(
        "unlisted-role-passes-everyone",
        Parts(arbiter=replace(Arbiter(), admits=by_index)),
        "P23",
        report="Ably guide: an unlisted required role passes everyone (-1 >= -1)",
    ),
    ablation(
        "the-claim-is-not-looked-at",
        Parts(arbiter=replaced((claim_is_genuine, None), (claim_suffices, None))),
        "P23",
        report="synthetic: a token without a role passes on what the directory says",
    ),
    ablation(
        "a-timeout-approves",
        Parts(agent=TimeoutApproves),
        "P23",
        report="clairvoyance PR #769: silence approves",
    ),
    ablation(
        "silence-approves",
        Parts(agent=SilenceApproves),
        "P23",
        report="clairvoyance PR #769: approved = true by default",
    ),
    ablation(
        "an-id-is-enough",
        Parts(arbiter=replaced((asked_in_this_session, None), (about_what_was_shown, shown_or_blind))),
        "P27",
        report="mcp-hangar #688: whoever knows the id may answer",
    ),
    ablation(
        "no-owner-check",
        Parts(
            arbiter=replaced(
                (asked_in_this_session, None),
                (about_what_was_shown, shown_or_blind),
                (in_good_standing, in_any_tenant),
            )
        ),
        "P27",
        report="mcp-hangar #688: cross-tenant approval",
    ),
    ablation(
        "requests-made-known-in-every-session",
        Parts(agent=AsksEverywhere),
        "P27",
        report="synthetic: one request, every open channel",
    ),
)
