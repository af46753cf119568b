"""What happens to the world: only what was granted, at most once, and never in silence (P3 P4 P14).

Owns the promises about the side effect, which the harness sees with its own eyes: no account of an
implementation is needed to count effects, and none can excuse one.

Invariant: an effect is judged by what people had answered before it. A decision that is reported after its
effect is a late report, not a missing grant. Liveness (P14) is judged only in a trace that ends in quiet.
"""

from harness.model import Choice, Guarantee, Level, OutcomeStatus, Role
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import rejection, winner
from harness.properties.examples import (
    NO,
    PUBLISHERS,
    answered,
    called,
    card,
    crashed,
    decided,
    entered,
    executed,
    joined,
    outcome,
    published,
    quiet,
    restarted,
    screen,
    settled,
    tale,
    told,
)
from harness.properties.index import Index
from harness.properties.reads import DECISIONS, FORGERIES, HOSTS
from harness.properties.records import WORDS, CallRecord, Evidence
from harness.properties.validity import may_be_a_forgers_own
from harness.trace import (
    CancelRequested,
    EffectExecuted,
)

FAMILY = "execution"


def check_grant(index: Index, _: Terms) -> Judgement:
    """P3. Premise: a side effect happened.

    In a trace without any answer, and without an end, who granted is not recorded: then it is unknown.
    """
    judgement = Judgement()
    for call in index.calls.values():
        if not call.effects:
            continue
        if not index.knows_answers and not call.decisions:
            judgement.cannot_tell(
                f"call {call.id} was executed, but this trace records no answers, so its grant is open",
                *(it.seq for it in call.effects),
            )
            continue
        rejected = rejection(call.evidence)
        for effect in call.effects:
            judgement.exercised += 1
            reason = _ungranted(index, call, effect.seq, rejected)
            if reason is not None:
                judgement.find(
                    f"call {call.id} was executed on {effect.event.host} at {moment(effect.event.at)}, "
                    f"although {reason[0]}",
                    effect.seq,
                    *reason[1:],
                )
    return judgement


def _ungranted(
    index: Index,
    call: CallRecord,
    seq: int,
    rejected: tuple[Evidence, int | None] | None,
) -> tuple[str, *tuple[int, ...]] | None:
    """Return why the effect at ``seq`` had no grant, and the events that show it; None if it had one."""
    if may_be_a_forgers_own(index, call, seq):
        return None
    approved = call.first_sent(Choice.APPROVED)
    if index.knows_answers and (approved is None or approved > seq):
        first = call.first_sent(Choice.REJECTED)
        if first is not None and first < seq:
            return f"{call.answers[0].event.person} had rejected it and nobody had approved it", first
        return ("nobody had approved it",)
    if rejected is not None:
        by, overturned = rejected
        if by.seq < seq and (overturned is None or overturned > seq):
            return f"it had been rejected ({by.words} at {moment(by.at)})", by.seq
    return None


def check_at_most_once(index: Index, _: Terms) -> Judgement:
    """P4. Premise: a side effect happened."""
    judgement = Judgement()
    for call in index.calls.values():
        if not call.effects:
            continue
        judgement.exercised += 1
        if len(call.effects) > 1:
            times = len(call.effects)
            count = {2: "twice", 3: "three times"}.get(times, f"{times} times")
            places = [f"on {it.event.host} at {moment(it.event.at)}" for it in call.effects[:3]]
            more = " and again" if times > len(places) else ""
            judgement.find(
                f"call {call.id} was executed {count}: {' and '.join(places)}{more}",
                *(it.seq for it in call.effects),
            )
    return judgement


_ENDED_APPROVED = (OutcomeStatus.EXECUTED, OutcomeStatus.FAILED, OutcomeStatus.UNKNOWN)


def check_no_orphan(index: Index, _: Terms) -> Judgement:
    """P14. Premise: a call was shown to be approved, its agent is up at quiet; or an outcome was reported.

    A quorum's first approvals do not approve yet; their receipts are no evidence unless they say "decided".
    """
    judgement = Judgement()
    for call in index.calls.values():
        _one_end(index, call, judgement)
        approved = winner(call.evidence)
        if approved is None or approved.choice is not Choice.APPROVED:
            continue
        if not index.complete or not index.agent_alive(call):
            continue
        judgement.exercised += 1
        if not call.outcomes:
            silence = (
                f"call {call.id} was approved ({approved.words} at {moment(approved.at)}), and its caller "
                "was never told what became of it"
            )
            if index.adapter_failed:
                judgement.cannot_tell(f"{silence}, but the adapter raised in this run", approved.seq)
            else:
                judgement.find(silence, approved.seq)
            continue
        seq, told_caller = call.outcomes[0]
        cancelled = told_caller.status is OutcomeStatus.CANCELLED and bool(call.cancels)
        if told_caller.status not in _ENDED_APPROVED and not cancelled:
            judgement.find(
                f"call {call.id} was approved ({approved.words} at {moment(approved.at)}), and its caller "
                f"was told that it was {WORDS[told_caller.status]}",
                approved.seq,
                seq,
            )
    return judgement


def _one_end(index: Index, call: CallRecord, judgement: Judgement) -> None:
    """Look at what was reported as the end of a call: once, not before the effect, not without one."""
    if not call.outcomes:
        return
    seq, first = call.outcomes[0]
    for again in call.outcomes[1:]:
        if again.event.attempt == first.attempt or _contradict(first.status, again.event.status):
            judgement.find(
                f"the caller of {call.id} was told twice how it ended: {WORDS[first.status]} at "
                f"{moment(first.at)} and {WORDS[again.event.status]} at {moment(again.event.at)}",
                seq,
                again.seq,
            )
    late = [effect for effect in call.effects if effect.seq > seq]
    if late and first.status is not OutcomeStatus.UNKNOWN:
        judgement.find(
            f"call {call.id} was executed at {moment(late[0].event.at)}, after its caller had been told "
            f"that it was {WORDS[first.status]}",
            seq,
            late[0].seq,
        )
    elif first.status is OutcomeStatus.EXECUTED and not call.effects and index.complete:
        judgement.find(
            f"the caller of {call.id} was told that it was executed, but no effect ever happened",
            seq,
        )


def _contradict(one: OutcomeStatus, other: OutcomeStatus) -> bool:
    """Return whether two attempts at one call were told different ends; an unknown one agrees with any."""
    return one is not other and OutcomeStatus.UNKNOWN not in {one, other}


GRANT = Property(
    id="P3",
    guarantee=Guarantee.NO_EXECUTION_WITHOUT_GRANT,
    family=FAMILY,
    level=Level.MUST,
    statement="A gated tool call has its side effect only after somebody approved that very call.",
    why="adk-python #7148: the tool runs anyway and is merely passed the verdict, so a rejection is advice.",
    source="every system: the gate stands before the side effect",
    reads=(*DECISIONS, *FORGERIES),
    check=check_grant,
    holding=tale(
        called(policy=PUBLISHERS),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        decided("ann", role=Role("publisher")),
        executed(),
        told("a1"),
        outcome(by="ann"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(called(), entered(), published(), answered("a1", "ann", NO), executed()),
)

AT_MOST_ONCE = Property(
    id="P4",
    guarantee=Guarantee.AT_MOST_ONE_EXECUTION,
    family=FAMILY,
    level=Level.MUST,
    statement="The side effect of a call happens at most once, across retries, crashes, replays and "
    "duplicate answers.",
    why="langgraph #8039: a crash between the effect and the checkpoint repeats the effect on resume.",
    source="older published form of the channel pattern: the pending entry is deleted only after the awaited "
    "execution, so a second answer executes again",
    reads=(EffectExecuted,),
    check=check_at_most_once,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        told("a1"),
        executed(),
        crashed(),
        restarted(),
        called(attempt=2),
        outcome(OutcomeStatus.UNKNOWN, "ann", attempt=2),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.UNKNOWN, "ann"),
    ),
    violating=tale(
        called(),
        answered("a1", "ann"),
        executed(),
        crashed(),
        restarted(),
        called(attempt=2),
        executed(occurrence=2),
    ),
)

NO_ORPHAN = Property(
    id="P14",
    guarantee=Guarantee.NO_ORPHAN,
    family=FAMILY,
    level=Level.MUST,
    statement="Once approved, a call ends in exactly one way that its caller is told: executed, failed, "
    "or an outcome honestly reported as unknown; never in silence.",
    why="jarvis PR #486: a crash between approving and executing leaves an approved call that nothing "
    "picks up.",
    source="re-invocation: a machine that dies leaves the job to be handed out again",
    reads=(*DECISIONS, *HOSTS, CancelRequested),
    check=check_no_orphan,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        answered("a1", "ann"),
        told("a1"),
        crashed(),
        restarted(),
        called(attempt=2),
        executed(),
        outcome(by="ann", attempt=2),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called(),
        answered("a1", "ann"),
        decided("ann"),
        told("a1"),
        crashed(),
        restarted(),
        called(attempt=2),
        quiet(),
    ),
)
