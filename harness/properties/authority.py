"""Who may decide: verified identities only, enough distinct people, and never by default (P9 P10 P23).

Owns the promises about authority. The truth about a credential is the identity provider's, as the world
records it with every answer; what a message claims is never read here.

Invariant: authority is asked for at the moment of the decision where that moment was reported, and at any
moment between sending and the first sign of the decision where it was not, in favour of the implementation.
"""

from harness.model import (
    Choice,
    Guarantee,
    Level,
    OnUnauthorised,
    OutcomeStatus,
    Policy,
    ReceiptStatus,
    Role,
)
from harness.properties.base import Finding, Judgement, Property, Terms, moment
from harness.properties.evidence import approvals_before, backing, first_approval, first_of_each
from harness.properties.examples import (
    NO,
    PUBLISHERS,
    TWO_PEOPLE,
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
from harness.properties.reads import DECISIONS, FORGERIES
from harness.properties.records import AnswerRecord, CallRecord, Evidence, people
from harness.properties.validity import (
    is_barred_requester,
    may_be_a_forgers_own,
    objection,
    objection_throughout,
)
from harness.trace import (
    Defect,
    StandingChanged,
)

FAMILY = "role rejection"


def check_authority(index: Index, terms: Terms) -> Judgement:
    """P9. Premise: an answer by an identity that may not decide the call.

    Whether such an answer may end the request is a declared option. Where it is not declared, ending it
    breaks the promise; where it is, it remains something that a system should not do.
    """
    judgement = Judgement()
    for call in index.calls.values():
        weak = [it for it in call.answers if _objection_by_end(index, call, it) is not None]
        judgement.exercised += len(weak)
        if not weak:
            continue
        shown = call.evidence
        finding = _decided_without_authority(index, call, shown) or _counted(index, call, weak)
        if finding is None:
            finding = _ended_without_authority(index, call, weak, shown, terms)
        if finding is not None:
            judgement.findings.append(finding)
    return judgement


def _objection_by_end(index: Index, call: CallRecord, answer: AnswerRecord) -> str | None:
    """Return why ``answer`` lacked authority when it was sent, or came to lack it later in the trace."""
    return objection(index, call, answer, answer.seq) or objection(index, call, answer, len(index.events))


def _decided_without_authority(index: Index, call: CallRecord, shown: list[Evidence]) -> Finding | None:
    """Return a finding where every answer that can stand behind the decision lacks authority."""
    for place, item in enumerate(first_of_each(shown)):
        exact = item.observed and place == 0
        worst: tuple[AnswerRecord, str] | None = None
        for answer in backing(call, item):
            why = (
                objection(index, call, answer, item.seq)
                if exact
                else objection_throughout(
                    index, call, answer, shown[0].seq if answer.seq < shown[0].seq else item.seq
                )
            )
            if why is None:
                break
            worst = worst or (answer, why)
        else:
            if worst is not None:
                answer, why = worst
                return Finding(
                    f"call {call.id} was {item.choice} ({item.words} at {moment(item.at)}) on the answer "
                    f"{answer.event.answer} of {answer.event.person}, who may not decide it: {why}",
                    (answer.seq, item.seq),
                )
    return None


def _counted(index: Index, call: CallRecord, weak: list[AnswerRecord]) -> Finding | None:
    for answer in weak:
        receipt = answer.told(ReceiptStatus.COUNTED)
        why = None if receipt is None else objection_throughout(index, call, answer, receipt.seq)
        if receipt is not None and why is not None:
            return Finding(
                f"the answer {answer.event.answer} of {answer.event.person} was counted towards call "
                f"{call.id}, although {answer.event.person} may not decide it: {why}",
                (answer.seq, receipt.seq),
            )
    return None


_TURNED_DOWN = frozenset({OutcomeStatus.UNAUTHORISED, OutcomeStatus.REJECTED})


def _ended_without_authority(
    index: Index,
    call: CallRecord,
    weak: list[AnswerRecord],
    shown: list[Evidence],
    terms: Terms,
) -> Finding | None:
    """Return a finding where a weak answer decided nothing, but ended the request for everybody."""
    for seq, reported in call.outcomes:
        if reported.status not in _TURNED_DOWN:
            continue
        rejected = [it for it in call.answers if it.seq < seq and it.event.choice is Choice.REJECTED]
        if reported.status is OutcomeStatus.REJECTED and (
            rejected or any(it.observed and it.choice is Choice.REJECTED for it in shown)
        ):
            continue
        for answer in weak:
            why = objection(index, call, answer, seq)
            if answer.seq < seq and why is not None:
                declared = terms.on_unauthorised is OnUnauthorised.REJECT
                return Finding(
                    f"the answer {answer.event.answer} of {answer.event.person}, who may not decide call "
                    f"{call.id} ({why}), ended it for everybody: {reported.status} at "
                    f"{moment(reported.at)}",
                    (answer.seq, seq),
                    Level.SHOULD if declared else Level.MUST,
                )
    return None


def check_separation(index: Index, _: Terms) -> Judgement:
    """P10. Premise: a policy asks for several people or bars the requester, and one of those answered.

    Distinct people are counted among valid approvals sent before the approval took effect.
    """
    judgement = Judgement()
    for call in index.calls.values():
        spec = call.spec
        if spec is None or not call.answers:
            continue
        if spec.policy.quorum == 1 and spec.policy.requester_may_decide:
            continue
        barred = [it for it in call.answers if is_barred_requester(call, it.event.credential.person)]
        if spec.policy.quorum > 1 or barred:
            judgement.exercised += 1
        approved = first_approval(call.evidence)
        if approved is not None:
            _enough_people(index, call, spec.policy.quorum, approved, judgement)
        for answer in barred:
            if answer.told(ReceiptStatus.COUNTED) or answer.told(ReceiptStatus.DECIDED):
                judgement.find(
                    f"{answer.event.person} asked for call {call.id} and was allowed to answer it "
                    f"({answer.event.answer})",
                    answer.seq,
                    answer.receipts[0].seq,
                )
    return judgement


def _enough_people(
    index: Index,
    call: CallRecord,
    quorum: int,
    approved: Evidence,
    judgement: Judgement,
) -> None:
    before = approvals_before(call, approved.seq)
    eligible = [
        answer
        for answer in before
        if not is_barred_requester(call, answer.event.credential.person)
        and objection_throughout(index, call, answer, approved.seq) is None
    ]
    who = people(eligible)
    if before and len(who) < quorum and not may_be_a_forgers_own(index, call, approved.seq):
        others = len(people(before)) - len(who)
        judgement.find(
            f"call {call.id} was approved ({approved.words} at {moment(approved.at)}) by {len(who)} eligible "
            f"{'person' if len(who) == 1 else 'people'} of the {quorum} that it takes"
            + (f"; {others} more answered without being eligible" if others else ""),
            *(answer.seq for answer in before),
            approved.seq,
        )


_CLAIMLESS = frozenset({Defect.MISSING_ROLE, Defect.MALFORMED_ROLE})


def check_fail_closed(index: Index, _: Terms) -> Judgement:
    """P23. Premise: an unlisted role, a claim that is missing or broken, or plain silence."""
    judgement = Judgement()
    for call in index.calls.values():
        spec = call.spec
        if spec is None:
            continue
        approved = first_approval(call.evidence)
        answers = approvals_before(call, len(index.events) if approved is None else approved.seq)
        if not answers:
            _silence(index, call, approved, judgement)
            continue
        required = spec.policy.minimum_role
        if required is None:
            continue
        unlisted = required not in spec.policy.hierarchy
        claimless = [it for it in answers if _claims_nothing(it, spec.policy)]
        judgement.exercised += len(answers) if unlisted else len(claimless)
        if approved is None:
            continue
        if unlisted:
            judgement.find(
                f"call {call.id} was approved ({approved.words} at {moment(approved.at)}), although it "
                f"asks for the role {required}, which its hierarchy does not list, so that nobody "
                "qualifies",
                approved.seq,
            )
        elif len(claimless) == len(answers):
            first = claimless[0].event
            judgement.find(
                f"call {call.id} was approved ({approved.words} at {moment(approved.at)}) on the answer "
                f"{first.answer} of {first.person}, whose token bears no role that the policy knows",
                claimless[0].seq,
                approved.seq,
            )
    return judgement


def _claims_nothing(answer: AnswerRecord, policy: Policy) -> bool:
    credential = answer.event.credential
    return credential.defect in _CLAIMLESS or credential.role not in policy.hierarchy


def _silence(index: Index, call: CallRecord, approved: Evidence | None, judgement: Judgement) -> None:
    if not index.knows_answers or not (approved or call.outcomes or index.complete):
        return
    judgement.exercised += 1
    if approved is not None and not may_be_a_forgers_own(index, call, approved.seq):
        judgement.find(
            f"call {call.id} was approved ({approved.words} at {moment(approved.at)}), although nobody had "
            "approved it: silence counted as consent",
            approved.seq,
        )


AUTHORITY = Property(
    id="P9",
    guarantee=Guarantee.AUTHORITY,
    family=FAMILY,
    level=Level.MUST,
    statement="Whoever decides is somebody whose verified identity satisfies the policy, the tenant and the "
    "validity of the token at the moment of the decision. An unauthorised answer should not end the request "
    "either.",
    why="Jenkins SECURITY-576: whoever may read a build may settle its input step. In the published channel "
    "pattern, a weak role's answer ends the request for everyone.",
    source="role rejection: the role is read from the verified claim and compared with the minimum",
    reads=(*DECISIONS, StandingChanged),
    check=check_authority,
    holding=tale(
        called(policy=PUBLISHERS),
        joined("eve", "editor"),
        joined("ann"),
        entered(),
        published(),
        screen("eve", card()),
        screen("ann", card()),
        answered("a1", "eve", role="editor"),
        told("a1", ReceiptStatus.UNAUTHORISED),
        answered("a2", "ann"),
        decided("ann", role=Role("publisher")),
        told("a2", winner="ann"),
        executed(),
        outcome(by="ann", role=Role("publisher")),
        quiet(),
        screen("eve"),
        settled("eve", OutcomeStatus.EXECUTED, "ann"),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called(policy=PUBLISHERS),
        answered("a1", "eve", role="editor"),
        executed(),
    ),
)

SEPARATION_OF_DUTY = Property(
    id="P10",
    guarantee=Guarantee.SEPARATION_OF_DUTY,
    family=FAMILY,
    level=Level.MUST,
    statement="Where the policy asks for it, as many distinct eligible people as it says approve, and "
    "none of them is the requester. One person on two devices counts once.",
    why="breeze PR #1662: the approver is never compared with the requester, so people approve themselves.",
    source="field report",
    reads=(*DECISIONS, *FORGERIES, StandingChanged),
    check=check_separation,
    holding=tale(
        called(policy=TWO_PEOPLE, requester="rob"),
        joined("ann"),
        joined("bob"),
        joined("rob"),
        entered(),
        published(),
        screen("ann", card()),
        screen("bob", card()),
        answered("a0", "rob"),
        told("a0", ReceiptStatus.UNAUTHORISED),
        answered("a1", "ann"),
        told("a1", ReceiptStatus.COUNTED),
        answered("a2", "bob"),
        decided("bob"),
        told("a2"),
        executed(),
        outcome(by="bob"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "bob"),
        screen("bob"),
        settled("bob", OutcomeStatus.EXECUTED, "bob"),
        screen("rob"),
    ),
    violating=tale(
        called(policy=TWO_PEOPLE, requester="rob"),
        answered("a1", "ann"),
        answered("a2", "rob"),
        executed(),
    ),
)

FAIL_CLOSED = Property(
    id="P23",
    guarantee=Guarantee.FAIL_CLOSED,
    family=FAMILY,
    level=Level.MUST,
    statement="What is missing, broken or unknown never approves: no policy, an unlisted role, a "
    "malformed claim, an error, silence.",
    why="In the published channel pattern an unlisted required role has the index -1, and so has an "
    "unlisted role of the approver: -1 >= -1 passes everyone. clairvoyance PR #769: silence approves.",
    source="role rejection: the hierarchy lookup of the published pattern",
    reads=(*DECISIONS, *FORGERIES),
    check=check_fail_closed,
    holding=tale(
        called(policy=Policy(minimum_role=Role("owner"))),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        told("a1", ReceiptStatus.UNAUTHORISED),
        quiet(),
        screen("ann", card()),
    ),
    violating=tale(
        called(policy=Policy(minimum_role=Role("owner"))),
        answered("a1", "ann", NO),
        answered("a2", "ann"),
        executed(),
    ),
)
