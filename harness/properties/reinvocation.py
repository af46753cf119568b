"""How often the gated function runs, and what runs beside it (P19 P20).

Owns the promises about entries of the function. What is demanded depends on the declared style: an inline
system enters the function once, a re-invoking one at least twice for an approved call.

Invariant: every retry by the caller may enter the function once more, because a process that lost power
cannot carry on in the middle of one. What stays demanded across crashes: the same input at every entry, the
first entry not approved, no approved entry before a grant, an approved entry before the effect, and the
effect once.
"""

from harness.model import Choice, Guarantee, Level, OutcomeStatus, Style, digest
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import first_of_each, rejection, same_json
from harness.properties.examples import (
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
from harness.properties.reads import DECISIONS, FAULTS, FORGERIES, STANDING
from harness.properties.records import WORDS, AnswerRecord, CallRecord, Evidence, Placed
from harness.properties.validity import handed_over, may_be_a_forgers_own, must_count, somebody_chose
from harness.trace import (
    BodyEntered,
    CancelRequested,
    ForgerySent,
)

FAMILY = "re-invocation"


def check_reinvocation(index: Index, terms: Terms) -> Judgement:
    """P20. Premise: the gated function was entered, or had its effect, in a trace that records entries."""
    judgement = Judgement()
    if not index.complete and BodyEntered not in index.groups:
        return judgement
    for call in index.calls.values():
        if not call.bodies and not call.effects:
            continue
        judgement.exercised += 1
        _same_input(call, judgement)
        if terms.style is Style.INLINE:
            _inline(call, judgement)
        else:
            _reinvoking(index, call, judgement)
    return judgement


def _same_input(call: CallRecord, judgement: Judgement) -> None:
    spec = call.spec
    first = spec.arguments if spec else call.bodies[0].event.arguments if call.bodies else None
    changed = [body for body in call.bodies if not same_json(body.event.arguments, first)]
    edits = _edits(call) if changed else {}
    for seq, body in changed:
        edited = edits.get(digest(body.arguments)) if body.approved else None
        if edited is None or edited > seq:
            judgement.find(
                f"the function of call {call.id} was entered at {moment(body.at)} (entry {body.entry}) with "
                "another input than the call was made with",
                seq,
            )


def _edits(call: CallRecord) -> dict[str, int]:
    """Return where each edit of the arguments was first approved, by the digest of the edited arguments."""
    edits: dict[str, int] = {}
    for answer in call.answers:
        if answer.event.choice is Choice.APPROVED and answer.event.arguments is not None:
            edits.setdefault(digest(answer.event.arguments), answer.seq)
    return edits


def _inline(call: CallRecord, judgement: Judgement) -> None:
    attempts = len(call.called)
    if attempts and len(call.bodies) > attempts:
        last = call.bodies[attempts].event
        judgement.find(
            f"the function of call {call.id} was entered {len(call.bodies)} times for {attempts} "
            f"{'call' if attempts == 1 else 'calls'} by its caller (again at {moment(last.at)}); an "
            "inline system enters it once",
            *(it.seq for it in call.bodies),
        )
    _effect_after_entry(call, judgement, approved=False)


def _effect_after_entry(call: CallRecord, judgement: Judgement, *, approved: bool) -> None:
    for effect in call.effects[:1]:
        if not any(it.seq < effect.seq and (it.event.approved or not approved) for it in call.bodies):
            which = "entered with approved=true" if approved else "entered"
            judgement.find(
                f"call {call.id} was executed at {moment(effect.event.at)} before its function had been "
                f"{which}",
                effect.seq,
            )


def _reinvoking(index: Index, call: CallRecord, judgement: Judgement) -> None:
    first = call.bodies[0] if call.bodies else None
    if first is not None and first.event.approved and first.event.entry == 1:
        judgement.find(
            f"the first entry of call {call.id}'s function, at {moment(first.event.at)}, already said "
            "approved=true",
            first.seq,
        )
    rejected = rejection(call.evidence)
    for seq, body in call.bodies:
        if body.approved:
            _granted_entry(index, call, Placed(seq, body), rejected, judgement)
    _effect_after_entry(call, judgement, approved=True)
    if len(call.effects) > 1:
        judgement.find(
            f"the code after the gate of call {call.id} took effect {len(call.effects)} times",
            *(it.seq for it in call.effects),
        )


def _granted_entry(
    index: Index,
    call: CallRecord,
    entry: Placed[BodyEntered],
    rejected: tuple[Evidence, int | None] | None,
    judgement: Judgement,
) -> None:
    seq, body = entry
    said = f"the function of call {call.id} was entered with approved=true at {moment(body.at)}"
    approved = call.first_sent(Choice.APPROVED)
    if may_be_a_forgers_own(index, call, seq):
        return
    if index.knows_answers and (approved is None or approved > seq):
        judgement.find(f"{said}, although nobody had approved the call", seq)
    elif rejected is not None:
        by, overturned = rejected
        if by.seq < seq and (overturned is None or overturned > seq):
            judgement.find(f"{said}, although the call had been rejected ({by.words})", by.seq, seq)


def check_batch_isolation(index: Index, _: Terms) -> Judgement:
    """P19. Premise: a call of a batch, one of whose siblings was answered or decided.

    Dropping a sibling is judged at quiet: it has an outcome, or it is still asked, or nobody asked in time.
    """
    judgement = Judgement()
    batches: dict[tuple[str, str], list[CallRecord]] = {}
    for call in index.calls.values():
        spec = call.spec
        if spec is not None and spec.batch is not None:
            batches.setdefault((spec.tenant, spec.batch), []).append(call)
    for calls in batches.values():
        moved = [call for call in calls if call.answers or call.evidence] if len(calls) > 1 else []
        ended = [call for call in moved if call.outcomes][:2]
        earliest = _earliest_by_choice(moved)
        for call in calls:
            sibling = next((it for it in moved if it is not call), None)
            if sibling is None:
                continue
            judgement.exercised += 1
            if index.knows_answers:
                _touched(index, call, sibling, earliest, judgement)
            for other in ended:
                if other is not call:
                    _dropped(index, call, other, judgement)
                    break
    return judgement


_NEEDS_OWN_CAUSE = frozenset({OutcomeStatus.REJECTED, OutcomeStatus.UNAUTHORISED, OutcomeStatus.UNKNOWN})


def _earliest_by_choice(calls: list[CallRecord]) -> dict[Choice, AnswerRecord]:
    earliest: dict[Choice, AnswerRecord] = {}
    for call in calls:
        for answer in call.answers:
            known = earliest.get(answer.event.choice)
            if known is None or answer.seq < known.seq:
                earliest[answer.event.choice] = answer
    return earliest


def _touched(
    index: Index,
    call: CallRecord,
    sibling: CallRecord,
    earliest: dict[Choice, AnswerRecord],
    judgement: Judgement,
) -> None:
    """Look for a decision or an end of ``call`` that only an answer to a sibling can explain."""
    for item in first_of_each(call.evidence):
        other = earliest.get(item.choice)
        if other is not None and other.seq < item.seq and not somebody_chose(index, call, item):
            judgement.find(
                f"call {call.id} was {item.choice} ({item.words} at {moment(item.at)}) by the answer "
                f"{other.event.answer}, which is not about it but about another call of its batch",
                other.seq,
                item.seq,
            )
            return
    for seq, reported in call.outcomes:
        if reported.status in _NEEDS_OWN_CAUSE and not call.answers and not call.cancels:
            judgement.find(
                f"call {call.id} was {WORDS[reported.status]} at {moment(reported.at)}, although only "
                f"{sibling.id} of the same batch had been answered",
                seq,
            )
            return


def _dropped(index: Index, call: CallRecord, sibling: CallRecord, judgement: Judgement) -> None:
    spec, quiet_seq = call.spec, index.quiet
    if spec is None or quiet_seq is None or call.outcomes:
        return
    if not index.agent_alive(call) or call.cancels or spec.deadline is not None:
        return
    ready = any(must_count(index, call, it, quiet_seq) and handed_over(index, it) for it in call.answers)
    asked_still = call.id in index.final_cards or not index.final_screens
    if (ready and spec.policy.quorum == 1) or not (asked_still or call.answers):
        lost = (
            f"call {call.id} was {'answered' if call.answers else 'asked'} and never came to an end, after "
            f"{sibling.id} of the same batch had"
        )
        if index.adapter_failed:
            judgement.cannot_tell(f"{lost}, but the adapter raised in this run", quiet_seq)
        else:
            judgement.find(lost, sibling.outcomes[0].seq, quiet_seq)


REINVOCATION = Property(
    id="P20",
    guarantee=Guarantee.REINVOCATION,
    family=FAMILY,
    level=Level.MUST,
    statement="A re-invoking system enters the gated function at least twice for an approved call: first "
    "with approved=false, each time with the same input; the code after the gate takes effect once, and "
    "never after a rejection. An inline system enters it once for each time the caller calls.",
    why="opencompany #438: approving resumes by starting over, so everything above the gate happens again.",
    source="re-invocation: the function is called again with the same input and context.approved true",
    reads=(*DECISIONS, *FORGERIES, BodyEntered),
    check=check_reinvocation,
    holding=tale(
        called(),
        joined("ann"),
        entered(1),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        decided("ann"),
        told("a1"),
        entered(2, approved=True),
        executed(),
        outcome(by="ann"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called(),
        entered(1),
        answered("a1", "ann"),
        entered(2, approved=True, arguments={**POST, "draft": True}),
        executed(),
    ),
    terms=Terms(style=Style.REINVOKING),
)

BATCH_ISOLATION = Property(
    id="P19",
    guarantee=Guarantee.BATCH_ISOLATION,
    family=FAMILY,
    level=Level.MUST,
    statement="Deciding one call neither runs, drops nor decides another call of the same batch.",
    why="adk-python #6732: when one call of a turn is resumed, the result of the ungated sibling is lost.",
    source="field report",
    reads=(*DECISIONS, *STANDING, *FAULTS, ForgerySent, CancelRequested),
    check=check_batch_isolation,
    holding=tale(
        called("c1", batch="b"),
        called("c2", batch="b"),
        joined("ann"),
        entered(call="c1"),
        entered(call="c2"),
        published("r1", "c1"),
        published("r2", "c2"),
        screen("ann", card("r1", "c1"), card("r2", "c2")),
        answered("a1", "ann"),
        decided("ann"),
        told("a1"),
        executed("c1"),
        outcome(by="ann", call="c1"),
        quiet(),
        screen("ann", card("r2", "c2")),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called("c1", batch="b"),
        called("c2", batch="b"),
        answered("a1", "ann", call="c1"),
        executed("c1"),
        executed("c2"),
    ),
)
