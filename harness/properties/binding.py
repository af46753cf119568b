"""What an answer is about: these arguments, and this request (P6 P7).

Owns the promises that tie an answer to one request. An answer is about the call whose card the person
read, as the world knows it; what an implementation makes of it is seen in decisions, effects and outcomes.

Invariant: arguments are compared as canonical JSON, as their digests would be. An answer without a card, or
with an edit alone, is held to nothing that it was never shown.
"""

from harness.model import Choice, Guarantee, Level, OutcomeStatus, PersonId, ReceiptStatus, RequestId
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import approvals_before, decided_arguments, same_json, winner
from harness.properties.examples import (
    OTHER_POST,
    POST,
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
from harness.properties.provenance import borrowed
from harness.properties.reads import DECISIONS, FORGERIES
from harness.properties.records import AnswerRecord, CallRecord, people
from harness.properties.validity import belongs, is_forbidden_edit

FAMILY = "binding"

LOOKED_AT_MAX = 8
"""How many effects and decisions of one call are looked at: a second one breaks a promise of its own."""


def check_argument_binding(index: Index, _: Terms) -> Judgement:
    """P6. Premise: a call was executed, or decided with reported arguments, on an answer whose card is known.

    Whatever was executed was shown to, or edited by, as many approvers as the policy asks for. Without an
    edit it is also what the call was made with, so that nobody approves a tampered request.
    """
    judgement = Judgement()
    for call in index.calls.values():
        for seq, taken in call.decisions[:LOOKED_AT_MAX]:
            if taken.arguments is not None and taken.choice is Choice.APPROVED:
                what = f"the decision on call {call.id} at {moment(taken.at)}"
                _bound(call, seq, taken.person, taken.arguments, what, judgement)
        if call.effects:
            won = winner(call.evidence)
            person = won.person if won is not None and won.choice is Choice.APPROVED else None
            for seq, effect in call.effects[:LOOKED_AT_MAX]:
                what = f"the execution of call {call.id} at {moment(effect.at)}"
                _bound(call, seq, person, effect.arguments, what, judgement)
    return judgement


def _bound(
    call: CallRecord,
    seq: int,
    person: PersonId | None,
    arguments: object,
    what: str,
    judgement: Judgement,
) -> None:
    approvals = approvals_before(call, seq)
    quorum = 1 if call.spec is None else call.spec.policy.quorum
    if quorum == 1:
        approvals = [it for it in approvals if person is None or it.event.person == person]
    known = [it for it in approvals if decided_arguments(it) is not None]
    if not known:
        if approvals:
            judgement.cannot_tell(
                f"{what} rests on an answer given without reading a card", approvals[0].seq, seq
            )
        return
    judgement.exercised += 1
    agreed = [it for it in known if same_json(decided_arguments(it), arguments)]
    if len(people(agreed)) < min(quorum, len(people(approvals))):
        sent = known[0].event
        seen = "approved after editing" if sent.arguments is not None else "was shown"
        judgement.find(
            f"{what} used other arguments than {sent.person} {seen} ({sent.answer})", known[0].seq, seq
        )
        return
    if all(is_forbidden_edit(call, it) for it in agreed):
        judgement.find(
            f"{what} used the arguments as {agreed[0].event.person} edited them, which the policy forbids",
            agreed[0].seq,
            seq,
        )
    elif (
        call.spec is not None
        and all(it.event.arguments is None for it in agreed)
        and not same_json(call.spec.arguments, arguments)
    ):
        judgement.find(
            f"{what} used other arguments than the call was made with, and nobody had edited them",
            call.called[0].seq,
            seq,
        )


_REFUSED = frozenset(
    {
        ReceiptStatus.UNKNOWN_REQUEST,
        ReceiptStatus.INVALID,
        ReceiptStatus.UNAUTHORISED,
        ReceiptStatus.UNKNOWN,
    },
)
_CLAIMED = frozenset({ReceiptStatus.DECIDED, ReceiptStatus.COUNTED, ReceiptStatus.ALREADY_DECIDED})


def check_id_binding(index: Index, _: Terms) -> Judgement:
    """P7. Premise: an answer that could hit another call than its own, or names no request of its sender."""
    judgement = Judgement()
    if sum(1 for call in index.calls.values() if call.called) > 1:
        judgement.exercised += len(index.answers) - len(index.unplaced_answers)
    _shared_ids(index, judgement)
    for call, item, answer in borrowed(index):
        judgement.exercised += 1
        judgement.find(
            f"call {call.id} was {item.choice} ({item.words} at {moment(item.at)}) by "
            f"{answer.event.person}'s answer {answer.event.answer}, "
            f"which is about {answer.event.call or answer.event.request}",
            answer.seq,
            item.seq,
        )
    _unknown_ids(index, judgement)
    for call in index.calls.values():
        for answer in call.answers:
            if belongs(index, call, answer.event.device) is False:
                _foreign_id(call, answer, judgement)
    return judgement


def _shared_ids(index: Index, judgement: Judgement) -> None:
    for request, calls in index.calls_by_request.items():
        if len(calls) > 1:
            judgement.exercised += 1
            one, other = list(calls)[:2]
            judgement.find(
                f"the request id {request} stands for {one} and for {other}: no answer tells them apart",
                calls[one],
                calls[other],
            )


def _foreign_id(call: CallRecord, answer: AnswerRecord, judgement: Judgement) -> None:
    judgement.exercised += 1
    for seq, given in answer.receipts:
        if given.status not in _REFUSED:
            judgement.find(
                f"{answer.event.person} answered call {call.id} of another tenant or session "
                f'({answer.event.answer}), and was told "{given.status}"',
                answer.seq,
                seq,
                level=Level.MUST if given.status in _CLAIMED else Level.SHOULD,
            )


def _unknown_ids(index: Index, judgement: Judgement) -> None:
    if not index.knows_requests:
        return
    never_issued: dict[RequestId, AnswerRecord] = {}
    for answer in index.unplaced_answers:
        sent = answer.event
        if sent.request in index.first_seen:
            continue
        judgement.exercised += 1
        never_issued.setdefault(sent.request, answer)
        for seq, given in answer.receipts:
            if given.status not in _REFUSED:
                judgement.find(
                    f"{sent.person} answered the request {sent.request}, which was never issued, and was "
                    f'told "{given.status}"',
                    answer.seq,
                    seq,
                    level=Level.MUST if given.status in _CLAIMED else Level.SHOULD,
                )
    for seq, taken in index.unplaced_decisions:
        asked = never_issued.get(taken.request)
        if asked is not None:
            judgement.find(
                f"the answer {asked.event.answer} to the request {taken.request}, which was never issued, "
                "decided it",
                asked.seq,
                seq,
            )


ARGUMENT_BINDING = Property(
    id="P6",
    guarantee=Guarantee.ARGUMENT_BINDING,
    family=FAMILY,
    level=Level.MUST,
    statement="The arguments that the approver was shown, edited or not, are those that are decided and "
    "those that are executed.",
    why="pydantic-ai #6968: a hook rewrites the arguments after the approval. openclaw #124738: the "
    "approved script file is edited while the request is pending.",
    source="field report",
    reads=DECISIONS,
    check=check_argument_binding,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a1", "ann", edit=OTHER_POST),
        decided("ann", arguments=OTHER_POST),
        told("a1"),
        executed(arguments=OTHER_POST),
        outcome(by="ann"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called(),
        screen("ann", card()),
        answered("a1", "ann", shown=POST),
        executed(arguments=OTHER_POST),
    ),
)

_TWO_CALLS = (
    called("c1"),
    called("c2"),
    joined("ann"),
    entered(call="c1"),
    entered(call="c2"),
    published("r1", "c1"),
    published("r2", "c2"),
    screen("ann", card("r1", "c1"), card("r2", "c2")),
)

ID_BINDING = Property(
    id="P7",
    guarantee=Guarantee.ID_BINDING,
    family=FAMILY,
    level=Level.MUST,
    statement="An answer changes only the request that it names. An id that is unknown or foreign "
    "changes nothing, and whoever used it is told so.",
    why="hermes-agent #64001: a click on the second card resolves the first, because answers are taken "
    "off a queue. langgraph #6626: parallel interrupts share one id.",
    source="channel pattern: answers carry the id of the tool call",
    reads=(*DECISIONS, *FORGERIES),
    check=check_id_binding,
    holding=tale(
        *_TWO_CALLS,
        answered("a0", "ann", request="r9", call=None, shown=None),
        told("a0", ReceiptStatus.UNKNOWN_REQUEST),
        answered("a1", "ann", request="r2", call="c2"),
        decided("ann", request="r2", call="c2"),
        told("a1"),
        executed("c2"),
        outcome(by="ann", call="c2"),
        quiet(),
        screen("ann", card("r1", "c1")),
        settled("ann", OutcomeStatus.EXECUTED, "ann", request="r2", call="c2"),
    ),
    violating=tale(
        *_TWO_CALLS,
        answered("a1", "ann", request="r2", call="c2"),
        executed("c1"),
    ),
)
