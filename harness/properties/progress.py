"""An answer moves the run on: early, after faults, and after days of waiting (P21 P25 P26).

Owns the promises that something happens. An answer obliges an implementation only at quiet, only if it
certainly left its device, and only if nothing at all speaks against it.

Invariant: nothing is called lost while the agent's host is down; where the adapter raised, it is unknown
whose fault a missing end is.
"""

from collections import defaultdict
from typing import Final

from harness.model import (
    Choice,
    Guarantee,
    Level,
    OutcomeStatus,
    PersonId,
    ReceiptStatus,
    canonical_json,
)
from harness.properties.base import DAY_NS, Judgement, Property, Terms, moment
from harness.properties.evidence import decided_arguments
from harness.properties.examples import (
    answered,
    called,
    card,
    crashed,
    entered,
    executed,
    joined,
    later,
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
from harness.properties.reads import FAULTS, STANDING, TIES
from harness.properties.records import WORDS, AnswerRecord, CallRecord, people
from harness.properties.validity import (
    handed_over,
    is_timely,
    must_count,
)
from harness.trace import (
    BodyEntered,
    CancelRequested,
    DecisionTaken,
    EffectExecuted,
    OutcomeReported,
    ReceiptGiven,
)

FAMILY = "durable pending"

EARLY_NS: Final = 100_000_000
"""Nobody reads and presses within 100 ms: an answer this early races the registration of the waiter."""


def _due(index: Index, call: CallRecord) -> list[AnswerRecord]:
    """Return the answers to ``call`` that oblige an implementation at quiet, none where nothing does."""
    quiet_seq = index.quiet
    if quiet_seq is None or call.spec is None or not index.agent_alive(call):
        return []
    return [
        answer
        for answer in call.answers
        if is_timely(call, answer)
        and must_count(index, call, answer, quiet_seq)
        and handed_over(index, answer)
    ]


def _suffice(call: CallRecord, answers: list[AnswerRecord]) -> bool:
    """Return whether ``answers`` decide ``call``: one rejection, or as many approvers as it takes.

    Approvals of different arguments do not add up, and who approved different ones oblige nobody.
    """
    if not answers or call.spec is None:
        return False
    approvals = [answer for answer in answers if answer.event.choice is Choice.APPROVED]
    if len(approvals) < len(answers) or call.spec.policy.quorum == 1:
        return True
    agreed: dict[str, set[PersonId]] = defaultdict(set)
    for person in sorted(people(approvals)):
        theirs = call.answers_by(person)
        bound = {canonical_json(decided_arguments(it)) for it in theirs if it.event.choice is Choice.APPROVED}
        if len(bound) == 1:
            agreed[bound.pop()].add(person)
    return any(len(who) >= call.spec.policy.quorum for who in agreed.values())


def _never_ended(
    index: Index,
    call: CallRecord,
    answers: list[AnswerRecord],
    lead: str,
    judgement: Judgement,
    level: Level = Level.MUST,
) -> None:
    sent = answers[0].event
    lost = (
        f"{sent.person} {lead}{sent.choice} call {call.id} at {moment(sent.at)} ({sent.answer}), and its "
        "caller was never told of any end"
    )
    places = (answers[0].seq, index.quiet or 0)
    if index.adapter_failed:
        judgement.cannot_tell(f"{lost}, but the adapter raised in this run", *places)
    else:
        judgement.find(lost, *places, level=level)


def check_progress(index: Index, _: Terms) -> Judgement:
    """P25. Premise: valid, timely answers that certainly left their devices suffice to decide a call."""
    judgement = Judgement()
    for call in index.calls.values():
        answers = _due(index, call)
        if not _suffice(call, answers):
            continue
        judgement.exercised += 1
        if not call.outcomes:
            _never_ended(index, call, answers, "", judgement)
    return judgement


def check_early_response(index: Index, _: Terms) -> Judgement:
    """P21. Premise: an answer within 100 ms of the card's appearance suffices, and the agent never crashed.

    An answer may precede the report that its request is made known: that is as early as it gets.
    """
    judgement = Judgement()
    for call in index.calls.values():
        if call.first_screen is None or call.spec is None or call.spec.host in index.crashes:
            continue
        limit = call.first_screen.event.at + EARLY_NS
        early = [answer for answer in _due(index, call) if answer.event.at <= limit]
        if not _suffice(call, early):
            continue
        judgement.exercised += 1
        if not call.outcomes:
            _never_ended(index, call, early, "at once ", judgement)
    return judgement


def check_pause(index: Index, _: Terms) -> Judgement:
    """P26. Premise: a request without a deadline stays open for a day or longer.

    A trace does not show what a process holds in memory. It shows what holding it costs: a run that gives
    up on its own, a pause in which the agent keeps asking or keeps entering its function, an answer that
    comes too late.
    """
    judgement = Judgement()
    for call in index.calls.values():
        asked, spec = call.asked_seq, call.spec
        if asked is None or spec is None or spec.deadline is not None:
            continue
        began = index.events[asked].at
        done = call.evidence
        ends = [item.seq for item in done[:1]]
        ends += [it.seq for it in call.outcomes[:1]] + [it.seq for it in call.cancels[:1]]
        end = min(ends, default=index.quiet)
        if end is None or index.events[end].at - began < DAY_NS:
            continue
        judgement.exercised += 1
        _gave_up(call, began, judgement)
        if spec.host not in index.crashes:
            _kept_busy(call, asked, end, judgement)
        answers = _due(index, call)
        if _suffice(call, answers) and not call.outcomes and answers[0].event.at - began >= DAY_NS:
            _never_ended(index, call, answers, "after a long pause ", judgement, Level.SHOULD)
    return judgement


def _gave_up(call: CallRecord, began: int, judgement: Judgement) -> None:
    for seq, reported in call.outcomes[:1]:
        gave_up = reported.status is OutcomeStatus.EXPIRED or (
            reported.status is OutcomeStatus.CANCELLED and not call.cancels
        )
        if gave_up:
            judgement.find(
                f"call {call.id} has no deadline and was {WORDS[reported.status]} by itself after "
                f"{moment(reported.at - began)}",
                seq,
                level=Level.SHOULD,
            )


def _kept_busy(call: CallRecord, asked: int, end: int, judgement: Judgement) -> None:
    attempts = [it.seq for it in call.called[1:]]
    repeated: tuple[tuple[str, list[int]], ...] = (
        ("it was asked again", [it.seq for it in call.published[1:]]),
        ("its function was entered again", [it.seq for it in call.bodies[1:] if not it.event.approved]),
    )
    for what, places in repeated:
        during = [seq for seq in places if asked < seq < end]
        if during and not attempts:
            judgement.find(
                f"while call {call.id} was pending and nothing had happened, {what} {len(during)} "
                f"{'time' if len(during) == 1 else 'times'}",
                *during[:3],
                level=Level.SHOULD,
            )


_DUE = (*TIES, ReceiptGiven, OutcomeReported, *STANDING, *FAULTS)

EARLY_RESPONSE = Property(
    id="P21",
    guarantee=Guarantee.EARLY_RESPONSE,
    family=FAMILY,
    level=Level.MUST,
    statement="An answer sent the moment a request can be seen is not lost because nothing was waiting "
    "for it yet.",
    why="inngest #1433: the answer arrives before the wait is registered, and the run waits for ever.",
    source="field report: publish, then register",
    reads=_DUE,
    check=check_early_response,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        later(screen("ann", card()), 3),
        later(answered("a1", "ann"), 3.005),
        later(published(), 3.01),
        told("a1", ReceiptStatus.SENT),
        executed(),
        outcome(by="ann"),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called(),
        joined("ann"),
        later(screen("ann", card()), 3),
        later(answered("a1", "ann"), 3.005),
        later(published(), 3.01),
        told("a1", ReceiptStatus.SENT),
        quiet(),
        screen("ann", card()),
    ),
)

PROGRESS = Property(
    id="P25",
    guarantee=Guarantee.PROGRESS,
    family=FAMILY,
    level=Level.MUST,
    statement="When faults are healed and enough valid, timely answers were given, the request is "
    "decided and its caller is told the outcome.",
    why="agent-framework #7125: on one continuation path the approval is dropped, and the run waits for "
    "ever.",
    source="durable pending: answers are processed after reconnects and restarts",
    reads=_DUE,
    check=check_progress,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        crashed(),
        answered("a1", "ann"),
        told("a1", ReceiptStatus.SENT),
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
        joined("ann"),
        screen("ann", card()),
        crashed(),
        answered("a1", "ann"),
        told("a1", ReceiptStatus.SENT),
        restarted(),
        called(attempt=2),
        quiet(),
        screen("ann"),
    ),
)

PAUSE_IS_FREE = Property(
    id="P26",
    guarantee=Guarantee.PAUSE_IS_FREE,
    family=FAMILY,
    level=Level.SHOULD,
    statement="While a request is pending the run may be paused without limit: the agent neither gives "
    "up nor keeps asking, and an answer after days works like one after a second.",
    why="lobu PR #2055: a reaper takes a parked run for a hung one and kills it.",
    source="durable sessions: nothing waits, there is no timeout and no connection",
    reads=(*_DUE, DecisionTaken, EffectExecuted, CancelRequested, BodyEntered),
    check=check_pause,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        later(answered("a1", "ann"), 400_000),
        later(told("a1"), 400_001),
        later(executed(), 400_002),
        later(outcome(by="ann"), 400_003),
        later(quiet(), 400_100),
        later(screen("ann"), 400_100),
        later(settled("ann", OutcomeStatus.EXECUTED, "ann"), 400_100),
    ),
    violating=tale(
        called(),
        published(),
        later(outcome(OutcomeStatus.EXPIRED), 90_000),
    ),
)
