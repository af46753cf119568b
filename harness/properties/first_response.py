"""First response wins: one winner, the first valid one, for good, by a person's own act (P1 P2 P5 P18).

Owns the four promises about which answer decides. They read reported decisions together with receipts,
effects and outcomes, so that an implementation which reports nothing, or reports late, is judged by what it
did.

Invariant: the same decision reported again by another process, or after a restart, is one decision. Two
presses of one person with one choice count as one answer in what devices are told, but not in what an agent
did twice.
"""

from harness.model import Choice, Guarantee, Level, OutcomeStatus, PersonId, ReceiptStatus
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import backing, same_json, winner
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
from harness.properties.reads import DECISIONS, FORGERIES, STANDING
from harness.properties.records import AnswerRecord, CallRecord, Evidence, Placed
from harness.properties.validity import must_count, objection, somebody_chose
from harness.trace import (
    DecisionTaken,
    HostCrashed,
    ReceiptGiven,
    SettledShown,
    StandingChanged,
)

FAMILY = "first response wins"


def _same_decision(index: Index, one: Placed[DecisionTaken], other: Placed[DecisionTaken]) -> bool:
    """Return whether ``other`` is ``one`` reported again by another process, and not a second decision."""
    first, second = one.event, other.event
    if first.choice is not second.choice or not same_json(first.arguments, second.arguments):
        return False
    if None not in (first.person, second.person) and first.person != second.person:
        return False
    return first.host != second.host or index.crashed_between(first.host, one.seq, other.seq)


def _by(person: PersonId | None) -> str:
    return f" by {person}" if person else ""


def check_single_winner(index: Index, _: Terms) -> Judgement:
    """P1. Premise: something shows that a call was decided."""
    judgement = Judgement()
    for call in index.calls.values():
        if not call.evidence:
            continue
        judgement.exercised += 1
        for earlier, later in zip(call.decisions, call.decisions[1:], strict=False):
            if not _same_decision(index, earlier, later):
                one, two = earlier.event, later.event
                judgement.find(
                    f"call {call.id} was decided twice: {one.choice}{_by(one.person)} on {one.host} at "
                    f"{moment(one.at)} and {two.choice}{_by(two.person)} on {two.host} at {moment(two.at)}",
                    earlier.seq,
                    later.seq,
                )
        _two_told(call, judgement)
    return judgement


def _two_told(call: CallRecord, judgement: Judgement) -> None:
    first: tuple[AnswerRecord, int] | None = None
    for answer in call.answers:
        receipt = answer.told(ReceiptStatus.DECIDED)
        if receipt is None:
            continue
        if first is None:
            first = answer, receipt.seq
            continue
        one, two = first[0].event, answer.event
        if (one.person, one.choice) != (two.person, two.choice):
            judgement.find(
                f"two answers to call {call.id} were told that they decided it: {one.answer} of {one.person} "
                f"({one.choice}) and {two.answer} of {two.person} ({two.choice})",
                first[1],
                receipt.seq,
            )


_TAKEN = (ReceiptStatus.DECIDED, ReceiptStatus.ALREADY_DECIDED, ReceiptStatus.UNAUTHORISED)
"""Receipts that end an answer for good. ``sent``, ``counted`` and ``unknown`` leave its effect open."""


def check_first_valid_wins(index: Index, _: Terms) -> Judgement:
    """P2. Premise: a decided call to which other answers than the winner's were sent."""
    judgement = Judgement()
    for call in index.calls.values():
        if len(call.answers) < 2:  # noqa: PLR2004 - a race takes two
            continue
        won = winner(call.evidence)
        candidates = backing(call, won) if won else []
        if not candidates or won is None:
            continue
        winning = _earliest_valid(index, call, candidates)
        named = (winning.event.person, winning.event.choice)
        for other in call.answers:
            if (other.event.person, other.event.choice) == named:
                continue
            judgement.exercised += 1
            receipt = _acknowledged_before(index, call, other, winning.seq)
            if receipt is not None:
                sent, first = winning.event, other.event
                judgement.find(
                    f"call {call.id} was decided by {sent.person}'s answer {sent.answer} sent at "
                    f"{moment(sent.at)}, although {first.person}'s valid answer {first.answer} had been "
                    f'answered with "{receipt.event.status}" at {moment(receipt.event.at)}',
                    other.seq,
                    receipt.seq,
                    winning.seq,
                    won.seq,
                )
    return judgement


def _earliest_valid(index: Index, call: CallRecord, candidates: list[AnswerRecord]) -> AnswerRecord:
    for answer in candidates:
        if objection(index, call, answer, answer.seq) is None:
            return answer
    return candidates[0]


def _acknowledged_before(
    index: Index,
    call: CallRecord,
    answer: AnswerRecord,
    before_seq: int,
) -> Placed[ReceiptGiven] | None:
    """Return the receipt that settled a valid answer before ``before_seq``, None where there is none."""
    for receipt in answer.receipts:
        if receipt.seq < before_seq and receipt.event.status in _TAKEN:
            if receipt.event.status is ReceiptStatus.UNAUTHORISED:
                return receipt if must_count(index, call, answer, receipt.seq) else None
            valid = call.spec is not None and objection(index, call, answer, answer.seq) is None
            return receipt if valid else None
    return None


def check_finality(index: Index, _: Terms) -> Judgement:
    """P5. Premise: something shows that a call was decided."""
    judgement = Judgement()
    for call in index.calls.values():
        shown = call.evidence
        if not shown:
            continue
        judgement.exercised += 1
        first = shown[0]
        for item in (*shown[1:], *_what_people_see(call)):
            if item.choice is not first.choice and item.seq > first.seq:
                judgement.find(
                    f"call {call.id} was {first.choice} ({first.words} at {moment(first.at)}), and later "
                    f"it was {item.choice} ({item.words} at {moment(item.at)})",
                    first.seq,
                    item.seq,
                )
    return judgement


def _what_people_see(call: CallRecord) -> list[Evidence]:
    seen = [
        Evidence(seq, view.at, view.settled.choice, None, f"shown on {view.device}")
        for seq, view in call.settled
        if view.settled is not None and view.settled.choice is not None
    ]
    for answer in call.answers:
        seen += [
            Evidence(seq, given.at, given.choice, None, f"told to {answer.event.device}")
            for seq, given in answer.receipts
            if given.status is ReceiptStatus.ALREADY_DECIDED and given.choice is not None
        ]
    return seen


def check_only_deliberate(index: Index, _: Terms) -> Judgement:
    """P18. Premise: a call that somebody's device showed, or that was decided."""
    judgement = Judgement()
    for call in index.calls.values():
        shown = call.evidence
        if not shown and (call.first_screen is None or not call.called):
            continue
        if not index.knows_answers:
            judgement.cannot_tell(f"the trace has no answers at all, so who decided call {call.id} is open")
            continue
        judgement.exercised += 1
        for choice in Choice:
            item = next((it for it in shown if it.choice is choice), None)
            if item is not None and not somebody_chose(index, call, item):
                judgement.find(
                    f"call {call.id} was {choice} ({item.words} at {moment(item.at)}), which nobody had "
                    "answered",
                    item.seq,
                )
    return judgement


_WON = (
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
    executed(),
    outcome(by="ann", choice=Choice.APPROVED),
    told("a2", ReceiptStatus.ALREADY_DECIDED, winner="ann", choice=Choice.APPROVED),
    quiet(),
    screen("ann"),
    settled("ann", OutcomeStatus.EXECUTED, "ann", choice=Choice.APPROVED),
    screen("bob"),
    settled("bob", OutcomeStatus.EXECUTED, "ann", choice=Choice.APPROVED),
)

SINGLE_WINNER = Property(
    id="P1",
    guarantee=Guarantee.SINGLE_WINNER,
    family=FAMILY,
    level=Level.MUST,
    statement="At most one decision ever takes effect for a request, over all processes and restarts.",
    why="mastra PR #20512: two people resume one suspended run at the same moment; load, run and save "
    "without a lock let both answers take effect.",
    source="every system: first response wins",
    reads=(*DECISIONS, HostCrashed),
    check=check_single_winner,
    holding=tale(*_WON),
    violating=tale(
        called(),
        answered("a1", "ann"),
        answered("a2", "bob", NO),
        decided("ann"),
        decided("bob", NO),
    ),
)

FIRST_VALID_WINS = Property(
    id="P2",
    guarantee=Guarantee.FIRST_VALID_WINS,
    family=FAMILY,
    level=Level.MUST,
    statement="The first valid answer decides: no valid answer had been fully acknowledged before the "
    "winning one was even sent, as in a register that can be written once.",
    why="@ably/ai-transport 0.8.0: the documentation says that the first response wins, the reducer "
    "keeps the one with the last serial.",
    source="durable sessions, any device answers: the first response wins",
    reads=(*DECISIONS, *STANDING),
    check=check_first_valid_wins,
    holding=tale(*_WON),
    violating=tale(
        called(),
        answered("a1", "ann"),
        told("a1"),
        answered("a2", "bob", NO),
        decided("bob", NO),
    ),
)

FINALITY = Property(
    id="P5",
    guarantee=Guarantee.FINALITY,
    family=FAMILY,
    level=Level.MUST,
    statement="Once a request is decided, no screen, receipt or outcome ever shows the other decision "
    "for it.",
    why="langchain #37093: a call that a person rejected still reaches the tool, so the transcript shows a "
    "rejection and the world shows the effect.",
    source="first response wins: decisions are write-once",
    reads=(*DECISIONS, SettledShown),
    check=check_finality,
    holding=tale(*_WON),
    violating=tale(
        called(),
        answered("a1", "ann", NO),
        decided("ann", NO),
        outcome(OutcomeStatus.REJECTED),
        quiet(),
        settled("ann", OutcomeStatus.EXECUTED, "ann", choice=Choice.APPROVED),
    ),
)

ONLY_DELIBERATE = Property(
    id="P18",
    guarantee=Guarantee.ONLY_DELIBERATE,
    family=FAMILY,
    level=Level.MUST,
    statement="Only a person's own answer decides: reading, subscribing, reconnecting, prefetching or "
    "disconnecting never does.",
    why="activepieces #14024: a mail scanner follows the approval link and its GET request decides.",
    source="field report",
    reads=(*DECISIONS, *FORGERIES, StandingChanged),
    check=check_only_deliberate,
    holding=tale(*_WON),
    violating=tale(
        called(),
        joined("ann"),
        published(),
        screen("ann", card()),
        decided(None, NO),
        outcome(OutcomeStatus.REJECTED),
        quiet(),
    ),
)
