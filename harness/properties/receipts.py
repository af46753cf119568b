"""What devices are told about answers (P15).

Owns the promise that a receipt is given once and tells the truth. A receipt is compared with the decision
as the implementation reported it, with what the caller was told, and with what the identity provider knows.

Invariant: ``sent`` and ``unknown`` claim nothing and are never false; a press by the same person with the
same choice as the winning one is no loser. What no event contradicts is not called a lie.
"""

from harness.model import Choice, Guarantee, Level, OutcomeStatus, PersonId, ReceiptStatus
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import winner
from harness.properties.examples import (
    NO,
    answered,
    called,
    card,
    decided,
    entered,
    executed,
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
from harness.properties.reads import DECISIONS, FAULTS, STANDING
from harness.properties.records import CHOICE_SHOWN, WORDS, AnswerRecord, CallRecord, Evidence, Placed
from harness.properties.validity import belongs, is_barred_requester, is_timely, must_count, objection
from harness.trace import (
    CancelRequested,
    ReceiptGiven,
    RequestExpired,
    SettledShown,
)


def check_truthful_receipt(index: Index, _: Terms) -> Judgement:
    """P15. Premise: an answer whose receipt is there, or is due because its device lived to the end."""
    judgement = Judgement()
    for stray in index.stray_receipts:
        if index.complete:
            judgement.find(
                f"a device was told about the answer {stray.event.answer}, which nobody sent",
                stray.seq,
            )
    for answer in index.unplaced_answers:
        _count(index, answer, judgement)
    for call in index.calls.values():
        if not call.answers:
            continue
        won = winner(call.evidence)
        for answer in call.answers:
            _count(index, answer, judgement)
            for receipt in answer.receipts:
                _judge(index, call, answer, receipt, won, judgement)
        if won is not None and index.complete:
            _losers_learn(index, call, won, judgement)
    return judgement


def _count(index: Index, answer: AnswerRecord, judgement: Judgement) -> None:
    sent = answer.event
    if answer.receipts:
        judgement.exercised += 1
        if answer.receipts[0].seq < answer.seq:
            judgement.find(
                f"{sent.device} was told about {sent.person}'s answer {sent.answer} before it was sent",
                answer.receipts[0].seq,
                answer.seq,
            )
        for extra in answer.receipts[1:]:
            judgement.find(
                f"{sent.device} was told twice about {sent.person}'s answer {sent.answer}: "
                f'"{answer.receipts[0].event.status}" and "{extra.event.status}"',
                answer.receipts[0].seq,
                extra.seq,
            )
    elif index.complete and not index.crashed_after(sent.host, answer.seq):
        judgement.exercised += 1
        never = f"{sent.device} was never told what became of {sent.person}'s answer {sent.answer}"
        if index.adapter_failed:
            judgement.cannot_tell(f"{never}, but the adapter raised in this run", answer.seq)
        else:
            judgement.find(never, answer.seq)


def _judge(
    index: Index,
    call: CallRecord,
    answer: AnswerRecord,
    receipt: Placed[ReceiptGiven],
    won: Evidence | None,
    judgement: Judgement,
) -> None:
    lie: tuple[str, int] | None = None
    match receipt.event.status:
        case ReceiptStatus.DECIDED:
            lie = _false_win(call, answer, receipt, won)
        case ReceiptStatus.ALREADY_DECIDED:
            lie = _false_loss(index, call, answer, receipt, won)
        case ReceiptStatus.UNAUTHORISED:
            if must_count(index, call, answer, receipt.seq):
                lie = "the credential is valid and its role suffices", receipt.seq
        case ReceiptStatus.EXPIRED:
            lie = _false_expiry(index, call, receipt)
        case ReceiptStatus.CANCELLED:
            asked = call.cancels and call.cancels[0].seq < receipt.seq
            if index.complete and call.spec is not None and not asked:
                lie = "nobody had cancelled the call", receipt.seq
        case _:
            return
    if lie is not None:
        reason, shown_by = lie
        sent = answer.event
        judgement.find(
            f'{sent.device} was told "{receipt.event.status}" about {sent.person}\'s answer {sent.answer} '
            f"({sent.choice}) to call {call.id} at {moment(receipt.event.at)}, but {reason}",
            receipt.seq,
            shown_by,
        )


def _false_win(
    call: CallRecord,
    answer: AnswerRecord,
    receipt: Placed[ReceiptGiven],
    won: Evidence | None,
) -> tuple[str, int] | None:
    sent = answer.event
    if won is not None and won.observed:
        if won.choice is not sent.choice:
            return f"the decision was {won.choice} ({won.words} at {moment(won.at)})", won.seq
        if won.person is not None and won.person != sent.person:
            return f"it was {won.person}'s answer that decided", won.seq
    for seq, outcome_told in call.outcomes:
        choice = CHOICE_SHOWN.get(outcome_told.status)
        lost = outcome_told.status in {OutcomeStatus.EXPIRED, OutcomeStatus.UNAUTHORISED}
        if lost or (choice is not None and choice is not sent.choice):
            return f"the call was {WORDS[outcome_told.status]}", seq
    return _false_names(receipt, won)


def _false_loss(
    index: Index,
    call: CallRecord,
    answer: AnswerRecord,
    receipt: Placed[ReceiptGiven],
    won: Evidence | None,
) -> tuple[str, int] | None:
    if won is not None:
        return _false_names(receipt, won)
    rivals = any(other.seq < receipt.seq and other is not answer for other in call.answers)
    ended = call.expiries or call.cancels or call.outcomes
    if index.complete and not rivals and not ended:
        return "no other answer had been sent and nothing had ended the request", receipt.seq
    return None


def _false_names(receipt: Placed[ReceiptGiven], won: Evidence | None) -> tuple[str, int] | None:
    """Return what a receipt says wrongly about who decided and what."""
    given = receipt.event
    if won is None:
        return None
    if given.winner is not None and won.person is not None and given.winner != won.person:
        return f"it names {given.winner} as the one who decided instead of {won.person}", won.seq
    if given.choice is not None and given.choice is not won.choice:
        return f'it says "{given.choice}" where the decision was {won.choice}', won.seq
    return None


def _false_expiry(index: Index, call: CallRecord, receipt: Placed[ReceiptGiven]) -> tuple[str, int] | None:
    spec = call.spec
    if spec is None:
        return None
    if spec.deadline is None:
        return "the request has no deadline", receipt.seq
    if receipt.event.at < spec.deadline and not index.skewed(spec.host, receipt.event.host):
        return f"the deadline is {moment(spec.deadline)}", receipt.seq
    return None


def _losers_learn(index: Index, call: CallRecord, won: Evidence, judgement: Judgement) -> None:
    """Look for losers who were never told who won; outsiders are no losers, and learn nothing."""
    decider = won.person
    if decider is None:
        return
    shown: set[PersonId] = {
        view.event.person
        for view in call.settled
        if view.event.settled is not None and view.event.settled.decided_by == decider
    }
    for answer in call.answers:
        sent = answer.event
        lost = sent.person != decider or sent.choice is not won.choice
        if not lost or sent.person in shown or index.crashed_after(sent.host, answer.seq):
            continue
        if not is_timely(call, answer) or _had_no_say(index, call, answer):
            continue
        if _one_of_many(call, answer, won) or is_barred_requester(call, sent.credential.person):
            continue
        if belongs(index, call, sent.device) is False:
            continue
        if all(given.event.status is ReceiptStatus.UNKNOWN for given in answer.receipts):
            continue
        if not any(given.event.winner == decider for given in answer.receipts):
            judgement.find(
                f"{sent.person} was never told that {decider} had decided call {call.id}: the receipt for "
                f'{sent.answer} says "{answer.receipts[0].event.status}" and names nobody',
                answer.seq,
                answer.receipts[0].seq,
                won.seq,
                level=Level.SHOULD,
            )


def _had_no_say(index: Index, call: CallRecord, answer: AnswerRecord) -> bool:
    """Return whether the identity behind ``answer`` might not decide when it was sent, or when it was judged.

    Somebody revoked while the answer was under way is refused, and has not lost.
    """
    moments = [answer.seq, *(given.seq for given in answer.receipts)]
    return any(objection(index, call, answer, seq) is not None for seq in moments)


def _one_of_many(call: CallRecord, answer: AnswerRecord, won: Evidence) -> bool:
    """Return whether ``answer`` is one of the approvals that a quorum takes, and so has not lost."""
    spec = call.spec
    return spec is not None and spec.policy.quorum > 1 and answer.event.choice is won.choice


TRUTHFUL_RECEIPT = Property(
    id="P15",
    guarantee=Guarantee.TRUTHFUL_RECEIPT,
    family="first response wins",
    level=Level.MUST,
    statement="Every answer gets exactly one receipt, and it is true: no loser is told that it won. "
    "Losers should learn who did.",
    why="NeuralNote #119: an answer at the deadline; the person is told OK, the run has timed out.",
    source="field report; first response wins needs losers to know that they lost",
    reads=(*DECISIONS, *STANDING, *FAULTS, SettledShown, RequestExpired, CancelRequested),
    check=check_truthful_receipt,
    holding=tale(
        called(),
        joined("ann"),
        joined("bob"),
        entered(),
        published(),
        screen("ann", card()),
        screen("bob", card()),
        answered("a1", "ann"),
        answered("a2", "bob", NO),
        decided("ann"),
        told("a1", winner="ann", choice=Choice.APPROVED),
        told("a2", ReceiptStatus.ALREADY_DECIDED, winner="ann", choice=Choice.APPROVED),
        executed(),
        outcome(by="ann", choice=Choice.APPROVED),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann", choice=Choice.APPROVED),
        screen("bob"),
        settled("bob", OutcomeStatus.EXECUTED, "ann", choice=Choice.APPROVED),
    ),
    violating=tale(
        called(),
        answered("a1", "ann"),
        answered("a2", "bob", NO),
        decided("ann"),
        told("a1"),
        told("a2"),
    ),
)
