"""How a request ends without a decision: its deadline passes, or its caller cancels it (P11 P12).

Owns the promises about time limits and cancellation. The deadline is absolute, counted from the first
request, and an answer sent at exactly that instant is late.

Invariant: times are compared as the world recorded them. Where the clock of the agent's host was set wrong,
only contradictions between what people and callers were told are called violations; where the instant of a
decision is not shown, nothing is guessed from a later sign of it. Cancelled means: the caller was told so.
"""

from harness.model import Choice, Guarantee, Level, OutcomeStatus, ReceiptStatus
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import approvals_before, first_approval
from harness.properties.examples import (
    answered,
    called,
    cancel,
    cancel_confirmed,
    card,
    decided,
    entered,
    executed,
    expired,
    joined,
    outcome,
    published,
    quiet,
    screen,
    settled,
    tale,
    told,
)
from harness.properties.index import Index
from harness.properties.reads import DECISIONS, FAULTS
from harness.properties.records import WORDS, CallRecord
from harness.trace import (
    BodyEntered,
    CancelConfirmed,
    RequestExpired,
)

FAMILY = "bounded"


def check_deadline(index: Index, _: Terms) -> Judgement:
    """P11. Premise: a call with a deadline that was answered, or that was still open when it passed."""
    judgement = Judgement()
    for call in index.calls.values():
        spec = call.spec
        if spec is None:
            continue
        if spec.deadline is None:
            _expired_without_deadline(call, judgement)
            continue
        passed = index.quiet is not None and index.events[index.quiet].at >= spec.deadline
        if not (call.answers or passed or call.expiries):
            continue
        judgement.exercised += 1
        skewed = index.skewed(spec.host)
        _approved_late(call, spec.deadline, judgement, skewed=skewed)
        _expired_early(call, spec.deadline, judgement, skewed=skewed)
        _acknowledged_and_expired(call, judgement)
        if passed and not call.outcomes and index.agent_alive(call) and not index.adapter_failed:
            judgement.find(
                f"call {call.id} had to end by {moment(spec.deadline)} and its caller was never told of "
                "any end",
                index.quiet or 0,
                level=Level.SHOULD,
            )
    return judgement


def _expired_without_deadline(call: CallRecord, judgement: Judgement) -> None:
    for seq, reported in call.outcomes:
        if reported.status is OutcomeStatus.EXPIRED:
            judgement.find(f"call {call.id} expired at {moment(reported.at)}, but it has no deadline", seq)


def _approved_late(call: CallRecord, deadline: int, judgement: Judgement, *, skewed: bool) -> None:
    shown = call.evidence
    approved = first_approval(shown)
    if approved is None:
        return
    by = moment(deadline)
    late = ""
    seqs: tuple[int, ...] = (approved.seq,)
    before = approvals_before(call, approved.seq)
    if before and all(answer.event.at >= deadline for answer in before):
        sent, seqs = before[0].event, (before[0].seq, approved.seq)
        late = (
            f"call {call.id} was approved ({approved.words} at {moment(approved.at)}) by an answer that "
            f"{sent.person} sent at {moment(sent.at)}, not before the deadline at {by}"
        )
    elif approved.observed and approved.at >= deadline:
        late = (
            f"the approval of call {call.id} took effect at {moment(approved.at)}, "
            f"not before the deadline at {by}"
        )
    elif approved.at >= deadline and before:
        judgement.cannot_tell(
            f"call {call.id} was {approved.words} at {moment(approved.at)}, after its deadline, on an "
            "answer sent before it; when the approval took effect is not shown",
            approved.seq,
        )
    if late and skewed:
        judgement.cannot_tell(f"{late}; the clock of the agent's host was set wrong", *seqs)
    elif late:
        judgement.find(late, *seqs)


def _expired_early(call: CallRecord, deadline: int, judgement: Judgement, *, skewed: bool) -> None:
    ends = [(seq, it.at) for seq, it in call.outcomes if it.status is OutcomeStatus.EXPIRED]
    ends += [(seq, it.at) for seq, it in call.expiries]
    for seq, at in ends:
        if at < deadline:
            early = f"call {call.id} expired at {moment(at)}, before its deadline at {moment(deadline)}"
            if skewed:
                judgement.cannot_tell(f"{early}; the clock of the agent's host was set wrong", seq)
            else:
                judgement.find(early, seq)
            return


def _acknowledged_and_expired(call: CallRecord, judgement: Judgement) -> None:
    """Look for an approval that was acknowledged and then lost to the deadline."""
    for seq, reported in call.outcomes:
        if reported.status is not OutcomeStatus.EXPIRED:
            continue
        for item in call.evidence:
            acknowledged = item.observed or item.answer is not None
            if acknowledged and item.choice is Choice.APPROVED:
                judgement.find(
                    f"call {call.id} was approved ({item.words} at {moment(item.at)}), and its caller was "
                    f"told at {moment(reported.at)} that it had expired",
                    item.seq,
                    seq,
                )
                return


_TERMINAL_RECEIPTS = frozenset(
    {
        ReceiptStatus.CANCELLED,
        ReceiptStatus.EXPIRED,
        ReceiptStatus.ALREADY_DECIDED,
        ReceiptStatus.UNAUTHORISED,
        ReceiptStatus.UNKNOWN_REQUEST,
        ReceiptStatus.INVALID,
        ReceiptStatus.UNKNOWN,
    },
)


def check_cancel_is_final(index: Index, _: Terms) -> Judgement:
    """P12. Premise: the caller was told that its call is cancelled."""
    judgement = Judgement()
    for call in index.calls.values():
        ends = [seq for seq, it in call.outcomes if it.status is OutcomeStatus.CANCELLED]
        if call.cancelled is not None:
            ends.append(call.cancelled.seq)
        if not ends:
            continue
        judgement.exercised += 1
        end = min(ends)
        _ran_although_cancelled(index, call, end, judgement)
        _answered_after_cancel(index, call, end, judgement)
        for shown, _card in index.final_cards.get(call.id, ()):
            judgement.find(
                f"call {call.id} was cancelled and {shown.event.device} still asks for it at the end",
                end,
                shown.seq,
            )
    return judgement


def _ran_although_cancelled(index: Index, call: CallRecord, end: int, judgement: Judgement) -> None:
    cancelled = f"the caller of {call.id} was told at {moment(index.events[end].at)} that it is cancelled"
    for seq, effect in call.effects[:1]:
        order = "before and " if seq < end else ""
        judgement.find(f"{cancelled}, but it was executed {order}at {moment(effect.at)}", end, seq)
    for seq, reported in call.outcomes:
        if reported.status is not OutcomeStatus.CANCELLED:
            judgement.find(f"{cancelled}, and then that it was {WORDS[reported.status]}", end, seq)
    for seq, taken in call.decisions:
        if seq > end:
            judgement.find(f"{cancelled}, and yet it was {taken.choice} at {moment(taken.at)}", end, seq)
    for seq, body in call.bodies:
        if seq > end and body.approved:
            judgement.find(f"{cancelled}, and yet its function was entered as approved", end, seq)
    for seq, again in call.published[1:]:
        if seq > end:
            judgement.find(f"{cancelled}, and yet it was asked again as request {again.request}", end, seq)


def _answered_after_cancel(index: Index, call: CallRecord, end: int, judgement: Judgement) -> None:
    for answer in call.answers:
        if answer.seq < end:
            continue
        for seq, given in answer.receipts:
            if given.status in _TERMINAL_RECEIPTS:
                continue
            claims = given.status is not ReceiptStatus.SENT
            judgement.find(
                f"{answer.event.person} answered call {call.id} at {moment(answer.event.at)}, after it "
                f'had been cancelled at {moment(index.events[end].at)}, and was told "{given.status}"',
                end,
                seq,
                level=Level.MUST if claims else Level.SHOULD,
            )


DEADLINE = Property(
    id="P11",
    guarantee=Guarantee.DEADLINE,
    family=FAMILY,
    level=Level.MUST,
    statement="No approval takes effect at or after the deadline, which counts from the request; one "
    "that was acknowledged before it is never lost; nothing expires before it.",
    why="hol-guard PR #1444: an approval that expired while it waited in a queue is taken off it and used.",
    source="field report",
    reads=(*DECISIONS, *FAULTS, RequestExpired),
    check=check_deadline,
    holding=tale(
        called(deadline_s=5),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        expired(),
        outcome(OutcomeStatus.EXPIRED),
        answered("a1", "ann"),
        told("a1", ReceiptStatus.EXPIRED),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXPIRED),
    ),
    violating=tale(
        called(deadline_s=2),
        joined("ann"),
        answered("a1", "ann"),
        decided("ann"),
        executed(),
    ),
)

CANCEL_IS_FINAL = Property(
    id="P12",
    guarantee=Guarantee.CANCEL_IS_FINAL,
    family=FAMILY,
    level=Level.MUST,
    statement="Once its caller was told that a call is cancelled, it is not executed, late answers are "
    "told so, and nothing brings it back.",
    why="openclaw PR #110993: aborting the run leaves the grant alive. syntara PR #327: a decision is "
    "recorded against a run that is being cancelled.",
    source="field report",
    reads=(*DECISIONS, CancelConfirmed, BodyEntered),
    check=check_cancel_is_final,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        cancel(),
        cancel_confirmed(),
        outcome(OutcomeStatus.CANCELLED),
        answered("a1", "ann"),
        told("a1", ReceiptStatus.CANCELLED),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.CANCELLED),
    ),
    violating=tale(
        called(),
        answered("a1", "ann"),
        cancel(),
        cancel_confirmed(),
        executed(),
    ),
)
