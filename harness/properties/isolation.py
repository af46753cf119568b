"""Who sees what, and what is told about it afterwards (P24 P27).

Owns two promises about boundaries: sessions and tenants are apart, and an account of what happened names
the right person, role, choice, reason and kind of end.

Invariant: an account is judged by what it says; what it leaves out is not held against it. A device belongs
to the tenant and the sessions with which it joined.
"""

from collections.abc import Callable
from typing import Final

from harness.model import CallId, DeviceId, Guarantee, Level, OutcomeStatus, PersonId, ReceiptStatus
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import backing, first_of_each
from harness.properties.examples import (
    NO,
    PUBLISHERS,
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
from harness.properties.reads import DECISIONS
from harness.properties.records import WORDS, AnswerRecord, CallRecord, Placed
from harness.properties.validity import belongs, is_barred_requester, objection
from harness.trace import (
    CancelRequested,
    DecisionTaken,
    DeviationFired,
    DeviceJoined,
    ForgerySent,
    OutcomeReported,
    ScreenShown,
    StandingChanged,
)

TOLD_MAX: Final = 8
"""How many ends of one call are looked at: a second one breaks a promise of its own."""

_ENDED_BY_PERSON = frozenset({OutcomeStatus.EXECUTED, OutcomeStatus.FAILED, OutcomeStatus.REJECTED})


def check_isolation(index: Index, _: Terms) -> Judgement:
    """P27. Premise: a device and a call of different tenants or sessions in one trace."""
    judgement = Judgement()
    homes = {(it.tenant, session) for it in index.devices.values() for session in it.sessions}
    homes |= {(it.tenant, "") for it in index.devices.values() if not it.sessions}
    for call in index.calls.values():
        spec = call.spec
        if spec is not None:
            judgement.exercised += len(homes - {(spec.tenant, spec.session)}) > 0
            outside = [it for it in call.answers if belongs(index, call, it.event.device) is False]
            if outside:
                _decided_from_outside(index, call, outside, judgement)
    _shown_outside(index, judgement)
    return judgement


def _decided_from_outside(
    index: Index,
    call: CallRecord,
    outside: list[AnswerRecord],
    judgement: Judgement,
) -> None:
    for answer in outside:
        receipt = answer.told(ReceiptStatus.DECIDED) or answer.told(ReceiptStatus.COUNTED)
        if receipt is not None:
            judgement.find(
                f"{answer.event.person}, who is of another tenant or session, was told that the answer "
                f'{answer.event.answer} to call {call.id} was "{receipt.event.status}"',
                answer.seq,
                receipt.seq,
            )
            return
    for item in first_of_each(call.evidence):
        pool = backing(call, item)
        if pool and all(belongs(index, call, it.event.device) is False for it in pool):
            sent = pool[0].event
            judgement.find(
                f"call {call.id} was {item.choice} ({item.words} at {moment(item.at)}) on the answer "
                f"{sent.answer} of {sent.person}, who is of another tenant or session",
                pool[0].seq,
                item.seq,
            )
            return


def _shown_outside(index: Index, judgement: Judgement) -> None:
    seen: set[tuple[DeviceId, CallId]] = set()
    for seq, shown in index.all(ScreenShown):
        for shown_card in shown.cards:
            call_id = index.call_of_card(shown_card)
            call = None if call_id is None else index.calls.get(call_id)
            if call is None or (shown.device, call.id) in seen:
                continue
            seen.add((shown.device, call.id))
            if belongs(index, call, shown.device) is False:
                judgement.find(
                    f"{shown.device} of {shown.person} shows call {call.id} at {moment(shown.at)}, which "
                    "belongs to another tenant or session",
                    seq,
                )


def check_audit_truth(index: Index, _: Terms) -> Judgement:
    """P24. Premise: an outcome or a decision is reported, and the trace records the call and its answers."""
    judgement = Judgement()
    for call in index.calls.values():
        if call.spec is None or not index.knows_answers:
            continue
        for seq, taken in call.decisions:
            judgement.exercised += 1
            said = f"the decision on call {call.id} at {moment(taken.at)}"
            _right_person(index, call, seq, said, taken, judgement)
        for seq, reported in call.outcomes[:TOLD_MAX]:
            judgement.exercised += 1
            said = f"the outcome of call {call.id} at {moment(reported.at)}"
            if reported.status in _ENDED_BY_PERSON:
                _right_person(index, call, seq, said, reported, judgement)
            _right_end(index, call, Placed(seq, reported), judgement)
    return judgement


def _right_person(
    index: Index,
    call: CallRecord,
    seq: int,
    said: str,
    account: DecisionTaken | OutcomeReported,
    judgement: Judgement,
) -> None:
    """Compare who, in which role and for what reason decided with what that person sent."""
    person = account.person if isinstance(account, DecisionTaken) else account.decided_by
    if person is None:
        return
    theirs = [it for it in call.answers_by(person) if it.seq < seq]
    choice = account.choice
    if isinstance(account, OutcomeReported) and account.status is OutcomeStatus.REJECTED:
        choice = NO
    agreeing = [it for it in theirs if choice is None or it.event.choice is choice]
    if not agreeing and any(it.event.person == person for it in call.forgeries):
        return
    if not agreeing:
        judgement.find(
            f"{said} names {person}, who had not {f'{choice} it' if choice else 'answered it'} by then",
            seq,
            level=Level.SHOULD,
        )
        return
    role = account.role
    if (
        role is not None
        and not index.may_be_locked_out(person)
        and all(it.event.credential.role != role for it in agreeing)
    ):
        judgement.find(
            f"{said} gives {person}'s role as {role}; it was {agreeing[0].event.credential.role or 'none'}",
            agreeing[0].seq,
            seq,
            level=Level.SHOULD,
        )
    if isinstance(account, OutcomeReported) and account.status is not OutcomeStatus.FAILED:
        reasons = [it.event.reason for it in agreeing]
        if account.reason and all(reasons) and account.reason not in reasons:
            judgement.find(
                f"{said} gives another reason than {person} did",
                agreeing[0].seq,
                seq,
                level=Level.SHOULD,
            )


def _right_end(
    index: Index,
    call: CallRecord,
    reported: Placed[OutcomeReported],
    judgement: Judgement,
) -> None:
    """Hold the reported kind of end against its cause."""
    cause = _FALSE_ENDS.get(reported.event.status)
    reason = None if cause is None else cause(index, call, reported)
    if reason is not None:
        judgement.find(
            f"the caller of {call.id} was told at {moment(reported.event.at)} that it was "
            f"{WORDS[reported.event.status]}, but {reason}",
            reported.seq,
            level=Level.SHOULD,
        )


def _false_expiry(index: Index, call: CallRecord, told_caller: Placed[OutcomeReported]) -> str | None:
    spec = call.spec
    if spec is None or index.skewed(spec.host):
        return None
    early = spec.deadline is None or told_caller.event.at < spec.deadline
    return "its deadline had not passed" if early else None


def _false_cancel(index: Index, call: CallRecord, told_caller: Placed[OutcomeReported]) -> str | None:
    asked = any(it.seq < told_caller.seq for it in call.cancels)
    return None if asked or not index.complete else "its caller had not cancelled it"


def _false_rejection(_: Index, call: CallRecord, told_caller: Placed[OutcomeReported]) -> str | None:
    first = call.first_sent(NO)
    return None if first is not None and first < told_caller.seq else "nobody had rejected it"


def _false_refusal(index: Index, call: CallRecord, told_caller: Placed[OutcomeReported]) -> str | None:
    seq = told_caller.seq
    refused = any(it.seq < seq and _lacks_authority(index, call, it, seq) for it in call.answers)
    return None if refused else "nobody without the authority had answered it"


def _false_failure(_: Index, call: CallRecord, told_caller: Placed[OutcomeReported]) -> str | None:
    fine = any(it.seq < told_caller.seq and not it.event.failed for it in call.effects)
    return "the tool had done its work" if fine else None


def _false_success(_: Index, call: CallRecord, told_caller: Placed[OutcomeReported]) -> str | None:
    before = [it.event for it in call.effects if it.seq < told_caller.seq]
    return "the tool had failed" if before and all(it.failed for it in before) else None


_FALSE_ENDS: Final[
    dict[OutcomeStatus, Callable[[Index, CallRecord, Placed[OutcomeReported]], str | None]]
] = {
    OutcomeStatus.EXPIRED: _false_expiry,
    OutcomeStatus.CANCELLED: _false_cancel,
    OutcomeStatus.REJECTED: _false_rejection,
    OutcomeStatus.UNAUTHORISED: _false_refusal,
    OutcomeStatus.FAILED: _false_failure,
    OutcomeStatus.EXECUTED: _false_success,
}
"""What must have happened for each kind of end; an outcome reported as unknown claims nothing."""


def _lacks_authority(index: Index, call: CallRecord, answer: AnswerRecord, seq: int) -> bool:
    """Return whether refusing ``answer`` may be right: an older token may still bear an older role."""
    person: PersonId = answer.event.credential.person
    if person in index.standings or is_barred_requester(call, person):
        return True
    return objection(index, call, answer, seq) is not None


ISOLATION = Property(
    id="P27",
    guarantee=Guarantee.ISOLATION,
    family="role rejection",
    level=Level.MUST,
    statement="Sessions, tenants and channels never see and never decide each other's requests.",
    why="mcp-hangar #688: an approval id of another tenant is accepted, because nobody compares the owners.",
    source="role rejection: tokens carry the capability for their own channels",
    reads=(*DECISIONS, DeviceJoined),
    check=check_isolation,
    holding=tale(
        called(),
        joined("ann"),
        joined("zoe", tenant="umbrella"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a0", "zoe", tenant="umbrella", call=None, shown=None),
        told("a0", ReceiptStatus.UNKNOWN_REQUEST),
        answered("a1", "ann"),
        decided("ann"),
        told("a1"),
        executed(),
        outcome(by="ann"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
        screen("zoe"),
    ),
    violating=tale(
        called(),
        joined("zoe", tenant="umbrella"),
        published(),
        screen("zoe", card()),
    ),
)

AUDIT_TRUTH = Property(
    id="P24",
    guarantee=Guarantee.AUDIT_TRUTH,
    family="role rejection",
    level=Level.SHOULD,
    statement="What is reported about a decision is what happened: who, in which role, what, why and "
    "when; and a timeout, a cancellation, a rejection and a refused role are told apart.",
    why="agent-os #1564: a timeout is logged as a person's rejection.",
    source="plug-in interface: the response carries approver, reason and status",
    reads=(*DECISIONS, StandingChanged, ForgerySent, DeviationFired, CancelRequested),
    check=check_audit_truth,
    holding=tale(
        called(policy=PUBLISHERS),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a1", "ann", NO, reason="too early"),
        decided("ann", NO, role="publisher"),
        told("a1"),
        outcome(OutcomeStatus.REJECTED, "ann", choice=NO, role="publisher", reason="too early"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.REJECTED, "ann", choice=NO),
    ),
    violating=tale(
        called(deadline_s=3),
        joined("ann"),
        published(),
        outcome(OutcomeStatus.REJECTED, "ann"),
        quiet(),
    ),
)
