"""Who may decide a call, and which answers an implementation cannot talk its way out of.

Owns the truth about credentials: what the identity provider knows, the policy of the call, and the person's
standing at a moment. Two questions are kept apart. *May this answer decide?* is asked with doubt in favour of
the implementation; *must this answer count?* is answered yes only where nothing at all speaks against it.

Invariant: a missing fact (no policy, no device, no receipt) is never an objection and never a duty.
"""

from bisect import bisect_right
from operator import attrgetter

from harness.model import Choice, DeviceId, ForgeryKind, PersonId, ReceiptStatus
from harness.properties.index import Index
from harness.properties.records import AnswerRecord, CallRecord, Evidence
from harness.trace import Defect, DeviceJoined, StandingChanged, ToolCalled

ROLE_DEFECTS = frozenset({Defect.MISSING_ROLE, Defect.MALFORMED_ROLE})
"""Defects that matter only where the policy asks for a role."""


def standing_at(index: Index, person: PersonId, seq: int) -> StandingChanged | None:
    """Return the last change of a person's standing before the event ``seq``, None where there was none."""
    changes = index.standings.get(person, [])
    place = bisect_right(changes, seq, key=attrgetter("seq"))
    return changes[place - 1].event if place else None


def objection(index: Index, call: CallRecord, answer: AnswerRecord, seq: int) -> str | None:
    """Return why the identity behind ``answer`` may not decide ``call`` at the event ``seq``; None if it may.

    Separation of duty is asked for on its own, by :func:`is_barred_requester`.
    """
    return _token_objection(call, answer) or _standing_objection(index, call, answer, seq)


def _token_objection(call: CallRecord, answer: AnswerRecord) -> str | None:
    """Return what the token itself lacks; a broken role claim is no matter where no role is asked for."""
    spec, credential = call.spec, answer.event.credential
    roleless = spec is not None and spec.policy.minimum_role is None and credential.defect in ROLE_DEFECTS
    if credential.defect is not Defect.NONE and not roleless:
        return f"the token is {credential.defect}"
    if spec is None:
        return None
    if credential.tenant != spec.tenant:
        return f"the tenant is {credential.tenant}, the call's is {spec.tenant}"
    if not spec.policy.admits(credential.role):
        return f"the role {credential.role or 'none'} does not reach {spec.policy.minimum_role}"
    return None


def _standing_objection(index: Index, call: CallRecord, answer: AnswerRecord, seq: int) -> str | None:
    """Return what the identity provider had changed about the person by the event ``seq``."""
    changed = standing_at(index, answer.event.credential.person, seq)
    if changed is None or call.spec is None:
        return None
    if changed.revoked:
        return "the person had been revoked"
    if not call.spec.policy.admits(changed.role):
        return f"the person's role had become {changed.role or 'none'}"
    return None


def objection_throughout(
    index: Index,
    call: CallRecord,
    answer: AnswerRecord,
    last_seq: int,
) -> str | None:
    """Return why ``answer`` could decide at no moment from its sending to ``last_seq``; None if it could."""
    token = _token_objection(call, answer)
    if token is not None:
        return token
    first = _standing_objection(index, call, answer, answer.seq)
    if first is None:
        return None
    changes = index.standings.get(answer.event.credential.person, [])
    for place in range(bisect_right(changes, answer.seq, key=attrgetter("seq")), len(changes)):
        if changes[place].seq > last_seq:
            break
        if _standing_objection(index, call, answer, changes[place].seq) is None:
            return None
    return first


def is_barred_requester(call: CallRecord, person: PersonId) -> bool:
    """Return whether ``person`` asked for the call and its policy bars the requester from deciding."""
    spec = call.spec
    return spec is not None and not spec.policy.requester_may_decide and spec.requester == person


def is_forbidden_edit(call: CallRecord, answer: AnswerRecord) -> bool:
    """Return whether ``answer`` edits arguments that the policy does not let anyone edit."""
    spec = call.spec
    return spec is not None and answer.event.arguments is not None and not spec.policy.edits_allowed


def belongs(index: Index, call: CallRecord, device: DeviceId) -> bool | None:
    """Return whether a device's person is of the call's tenant and session; None where that is not known."""
    joined, spec = index.devices.get(device), call.spec
    if joined is None or spec is None:
        return None
    return spec.tenant == joined.tenant and spec.session in joined.sessions


def may_decide_here(index: Index, joined: DeviceJoined, call: CallRecord, spec: ToolCalled) -> bool:
    """Return whether the person of a device may decide ``call`` at the end: then it must be listed there."""
    if spec.tenant != joined.tenant or spec.session not in joined.sessions:
        return False
    if not spec.policy.admits(joined.role) or is_barred_requester(call, joined.person):
        return False
    return not index.may_be_locked_out(joined.person)


def must_count(index: Index, call: CallRecord, answer: AnswerRecord, last_seq: int) -> bool:
    """Return whether nothing at all speaks against ``answer`` from its sending to the event ``last_seq``."""
    sent = answer.event
    if call.spec is None or sent.credential.defect is not Defect.NONE or sent.call != call.id:
        return False
    if objection(index, call, answer, answer.seq) is not None or not belongs(index, call, sent.device):
        return False
    if is_barred_requester(call, sent.credential.person) or is_forbidden_edit(call, answer):
        return False
    changes = index.standings.get(sent.credential.person)
    return not changes or changes[0].seq > last_seq


def handed_over(index: Index, answer: AnswerRecord) -> bool:
    """Return whether the answer certainly left the device.

    A receipt says so, unless it says that nothing is known; so does a run in which nothing could be lost.
    """
    if any(receipt.event.status is not ReceiptStatus.UNKNOWN for receipt in answer.receipts):
        return True
    return index.complete and not index.faulted and index.alive_at_end(answer.event.host)


def is_timely(call: CallRecord, answer: AnswerRecord) -> bool:
    """Return whether ``answer`` was sent before the deadline of ``call``, if it has one."""
    spec = call.spec
    return spec is None or spec.deadline is None or answer.event.at < spec.deadline


_AN_APPROVAL = frozenset({ForgeryKind.APPROVAL, ForgeryKind.REPLAY})


def may_be_a_forgers_own(index: Index, call: CallRecord, seq: int) -> bool:
    """Return whether an approval seen at ``seq`` may be a forger's own, given past the screens.

    A forged message travels under the forger's own verified token. Where that token would do, an
    implementation that ignores what the message claims takes it for what it is: the forger's approval.
    """
    if not call.forgeries:
        return False
    if call.id not in index.own_forgeries:
        index.own_forgeries[call.id] = _first_own_forgery(index, call)
    first = index.own_forgeries[call.id]
    return first is not None and first < seq


def _first_own_forgery(index: Index, call: CallRecord) -> int | None:
    spec = call.spec
    for forged in call.forgeries if spec is not None else ():
        joined = index.devices.get(forged.event.device)
        if spec is not None and joined is not None and forged.event.forgery in _AN_APPROVAL:
            own = spec.tenant == joined.tenant and spec.session in joined.sessions
            if own and spec.policy.admits(joined.role) and not is_barred_requester(call, joined.person):
                return forged.seq
    return None


def somebody_chose(index: Index, call: CallRecord, item: Evidence) -> bool:
    """Return whether a person's act precedes ``item``.

    A rejection may also stem from an answer without authority; whether it may is another property's matter.
    """
    first = call.first_sent(item.choice)
    if first is not None and first < item.seq:
        return True
    if item.choice is Choice.APPROVED:
        return may_be_a_forgers_own(index, call, item.seq)
    return any(
        answer.seq < item.seq and objection(index, call, answer, item.seq) is not None
        for answer in call.answers
    )
