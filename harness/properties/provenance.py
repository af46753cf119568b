"""Where a grant comes from: a call that an agent made, and an answer given to it, used once (P8 P22).

Owns the promises against forged, replayed and left-over answers, and what both rest on: which decisions no
answer to their own call can explain.

Invariant: a decision is called borrowed only if no answer to its own call can stand behind it and an answer
to another call can. What a forger may have approved in their own right is left open, never called a
forgery.
"""

from collections.abc import Iterator

from harness.model import Choice, Guarantee, Level, OutcomeStatus, PersonId, ReceiptStatus
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import approvals_before, first_of_each, is_backed
from harness.properties.examples import (
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
from harness.properties.records import CHOICE_SHOWN, AnswerRecord, CallRecord, Evidence
from harness.properties.validity import may_be_a_forgers_own, somebody_chose
from harness.trace import (
    SettledShown,
    ToolCalled,
)

FAMILY = "provenance"


def borrowed(index: Index) -> Iterator[tuple[CallRecord, Evidence, AnswerRecord]]:
    """Yield decisions that no answer to their own call explains, with the answer to another call that may."""
    earliest: dict[tuple[PersonId | None, Choice], AnswerRecord] = {}
    for answer in index.answers.values():
        sent = answer.event
        for key in ((sent.person, sent.choice), (None, sent.choice)):
            if key not in earliest or answer.seq < earliest[key].seq:
                earliest[key] = answer
    for call in index.calls.values():
        for item in first_of_each(call.evidence):
            if is_backed(call, item):
                continue
            if item.person is None and somebody_chose(index, call, item):
                continue
            other = earliest.get((item.person, item.choice))
            if other is not None and other.seq < item.seq:
                yield call, item, other
                break


def check_provenance(index: Index, _: Terms) -> Judgement:
    """P8. Premise: something was granted, or somebody forged a message.

    A grant names a call that the agent side made, and rests on an answer that a person gave to it from a
    device. A decision that names nobody is judged by whether anybody approved.
    """
    judgement = Judgement()
    for call in index.calls.values():
        judgement.exercised += len(call.forgeries)
        granted = [item for item in call.evidence if item.choice is Choice.APPROVED]
        if granted:
            judgement.exercised += 1
            _granted_by_nobody(index, call, granted, judgement)
        elif call.forgeries:
            _shown_by_forgery(index, call, judgement)
    for seq, taken in index.unplaced_decisions:
        if taken.choice is Choice.APPROVED and index.knows_requests and taken.request not in index.first_seen:
            judgement.exercised += 1
            judgement.find(
                f"the request {taken.request} was approved at {moment(taken.at)}, but the agent never "
                "issued it",
                seq,
            )
    return judgement


def _granted_by_nobody(index: Index, call: CallRecord, granted: list[Evidence], judgement: Judgement) -> None:
    first = granted[0]
    said = f"call {call.id} was approved ({first.words} at {moment(first.at)})"
    if call.spec is None and ToolCalled in index.groups:
        judgement.find(f"{said}, but no agent ever made that call", first.seq)
    elif call.called and call.called[0].seq > first.seq:
        judgement.find(f"{said}, before any agent had made that call", first.seq, call.called[0].seq)
    for item in granted:
        if not index.knows_answers or is_backed(call, item):
            continue
        unseen = f"call {call.id} was approved ({item.words} at {moment(item.at)}), but no answer by "
        unseen += f"{item.person or 'anybody'} to it was ever sent from a device"
        forgers = {forged.event.person for forged in call.forgeries}
        if item.person in {None, *forgers} and may_be_a_forgers_own(index, call, item.seq):
            judgement.cannot_tell(f"{unseen}; a forged message came from somebody who may approve", item.seq)
        else:
            judgement.find(unseen, item.seq, *(it.seq for it in call.forgeries))
        return


def _shown_by_forgery(index: Index, call: CallRecord, judgement: Judgement) -> None:
    """Look for a screen that believes a forged announcement, where nothing else shows an approval."""
    if may_be_a_forgers_own(index, call, len(index.events)) or approvals_before(call, len(index.events)):
        return
    for seq, view in call.settled:
        state = view.settled
        if state is not None and (
            state.choice is Choice.APPROVED or CHOICE_SHOWN.get(state.status) is Choice.APPROVED
        ):
            judgement.find(
                f"{view.device} shows call {call.id} as approved, which only a forged message by "
                f"{call.forgeries[0].event.person} had said",
                call.forgeries[0].seq,
                seq,
            )
            return


def check_single_use(index: Index, _: Terms) -> Judgement:
    """P22. Premise: a call is made after an answer to another call was sent."""
    judgement = Judgement()
    first = min((it.seq for it in index.answers.values()), default=None)
    if first is None:
        return judgement
    judgement.exercised += sum(1 for it in index.calls.values() if it.called and it.called[0].seq > first)
    for call, item, answer in borrowed(index):
        if call.called and answer.seq < call.called[0].seq:
            judgement.find(
                f"call {call.id}, made at {moment(call.called[0].event.at)}, was {item.choice} "
                f"({item.words} at {moment(item.at)}) by the answer {answer.event.answer} that "
                f"{answer.event.person} had given to {answer.event.call or answer.event.request} before, "
                f"at {moment(answer.event.at)}",
                answer.seq,
                call.called[0].seq,
                item.seq,
            )
    return judgement


PROVENANCE = Property(
    id="P8",
    guarantee=Guarantee.PROVENANCE,
    family=FAMILY,
    level=Level.MUST,
    statement="Only a request that the agent side issued can be granted, and only by an answer that a "
    "person sent: forged requests, and approvals that a client writes into the history itself, have no "
    "effect.",
    why="vercel/ai PR #16068: a client forges both the request and the response in the history that it "
    "supplies. adk-java #1389: a planted confirmation call is accepted from any author.",
    source="field report; role rejection: roles come from verified claims",
    reads=(*DECISIONS, *FORGERIES, SettledShown),
    check=check_provenance,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        decided("ann"),
        told("a1"),
        executed(),
        outcome(by="ann"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called(),
        joined("ann"),
        published(),
        answered("a1", "bob"),
        decided("ann"),
        executed(),
    ),
)

SINGLE_USE = Property(
    id="P22",
    guarantee=Guarantee.SINGLE_USE,
    family=FAMILY,
    level=Level.MUST,
    statement="A surplus, stale or duplicated answer never satisfies a later gate.",
    why="agent-framework PR #4548: an approval is replayed under another name and accepted, because "
    "nothing keeps track of what is pending.",
    source="field report",
    reads=(*DECISIONS, *FORGERIES),
    check=check_single_use,
    holding=tale(
        called("c1"),
        joined("ann"),
        entered(call="c1"),
        published("r1", "c1"),
        screen("ann", card("r1", "c1")),
        answered("a1", "ann"),
        answered("a2", "ann"),
        decided("ann"),
        told("a1"),
        told("a2", ReceiptStatus.ALREADY_DECIDED, "ann"),
        executed("c1"),
        outcome(by="ann", call="c1"),
        called("c2"),
        entered(call="c2"),
        published("r2", "c2"),
        screen("ann", card("r2", "c2")),
        quiet(),
        screen("ann", card("r2", "c2")),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called("c1"),
        answered("a1", "ann", call="c1"),
        answered("a2", "ann", call="c1"),
        executed("c1"),
        called("c2"),
        executed("c2"),
    ),
)
