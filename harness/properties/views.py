"""What people see at the end: every screen agrees with the truth, and every open question is asked (P16 P17).

Owns the two promises about screens. They are judged from the screens that the world read after quiet, when
faults were healed and time had passed; what a screen shows on the way is nobody's promise.

Invariant: the truth is what the caller was told, else the decision that something shows. Where nothing
shows how a request stands, a screen is held against the other screens only, and otherwise it is unknown.
"""

from harness.model import (
    Choice,
    Guarantee,
    Level,
    OutcomeStatus,
    PersonId,
    Settled,
)
from harness.properties.base import Judgement, Property, Terms, moment
from harness.properties.evidence import winner
from harness.properties.examples import (
    YES,
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
from harness.properties.records import CallRecord, Evidence, Placed
from harness.properties.validity import may_decide_here
from harness.trace import (
    CancelConfirmed,
    CancelRequested,
    DeviceJoined,
    RequestExpired,
    ScreenShown,
    SettledShown,
    StandingChanged,
    ToolCalled,
)

FAMILY = "views"

_ENDS = {
    OutcomeStatus.EXECUTED: "approved",
    OutcomeStatus.FAILED: "approved",
    OutcomeStatus.REJECTED: "turned down",
    OutcomeStatus.UNAUTHORISED: "turned down",
    OutcomeStatus.EXPIRED: "expired",
    OutcomeStatus.CANCELLED: "cancelled",
}
"""Ends that a screen must tell apart; an unknown outcome agrees with any of them."""


def _truth(call: CallRecord, won: Evidence | None) -> tuple[str | None, int | None]:
    """Return how ``call`` ended, in the words of :data:`_ENDS`, and the event that shows it.

    A missing word with an event: it ended, how is open. Both missing: nothing shows an end.
    """
    for seq, reported in call.outcomes:
        end = _ENDS.get(reported.status)
        return (end or (None if won is None else _end_of(won.choice))), seq
    cancelled = call.cancelled
    if cancelled is not None:
        return "cancelled", cancelled.seq
    if won is not None:
        return _end_of(won.choice), won.seq
    if call.expiries:
        return "expired", call.expiries[0].seq
    return None, None


def _end_of(choice: Choice) -> str:
    return "approved" if choice is Choice.APPROVED else "turned down"


def check_view_convergence(index: Index, _: Terms) -> Judgement:
    """P16. Premise: a device that is up at quiet shows a call, or says how it was settled.

    A device that once showed a request and no longer knows it agrees with nothing, but misleads nobody: a
    SHOULD. A card that nobody was left to retire, because the agent stayed down, is no broken promise.
    """
    judgement = Judgement()
    if not index.complete:
        return judgement
    for call in index.calls.values():
        cards = index.final_cards.get(call.id, ())
        if not call.called or not (call.settled or cards):
            continue
        won = winner(call.evidence)
        end, end_seq = _truth(call, won)
        down = end_seq is not None and not index.agent_alive(call)
        for shown, _card in cards:
            if down or index.may_be_locked_out(shown.event.person):
                continue
            judgement.exercised += 1
            if end_seq is not None:
                _still_pending(index, call, shown, end, end_seq, judgement)
        _judge_settled(index, call, won, judgement)
    return judgement


def _judge_settled(index: Index, call: CallRecord, won: Evidence | None, judgement: Judgement) -> None:
    end, end_seq = _truth(call, won)
    for view in call.settled:
        if index.may_be_locked_out(view.event.person):
            continue
        judgement.exercised += 1
        if end_seq is None:
            _settled_but_open(index, call, view, judgement)
        else:
            _compare(call, view, end, end_seq, won, judgement)


def _still_pending(
    index: Index,
    call: CallRecord,
    shown: Placed[ScreenShown],
    end: str | None,
    end_seq: int,
    judgement: Judgement,
) -> None:
    stale = (
        f"{shown.event.device} still shows call {call.id} as pending at the end, although it was "
        f"{end or 'ended'} at {moment(index.events[end_seq].at)}"
    )
    if index.adapter_failed:
        judgement.cannot_tell(f"{stale}; the adapter raised in this run", end_seq, shown.seq)
    else:
        judgement.find(stale, end_seq, shown.seq)


def _compare(
    call: CallRecord,
    view: Placed[SettledShown],
    end: str | None,
    end_seq: int,
    won: Evidence | None,
    judgement: Judgement,
) -> None:
    state, device = view.event.settled, view.event.device
    if state is None:
        judgement.find(
            f"{device} had shown call {call.id} and does not know at the end that it was {end or 'ended'}",
            end_seq,
            view.seq,
            level=Level.SHOULD,
        )
        return
    shown_end = _shown_end(state)
    if shown_end is not None and end is not None and shown_end != end:
        judgement.find(
            f"{device} shows call {call.id} as {shown_end} at the end, although it was {end}",
            end_seq,
            view.seq,
        )
    elif _names_another(state, won):
        assert won is not None, "a comparison found another name"
        judgement.find(
            f"{device} shows that {state.decided_by} decided call {call.id}, although {won.person} did",
            won.seq,
            view.seq,
        )


def _shown_end(state: Settled) -> str | None:
    end = _ENDS.get(state.status)
    if end in {None, "approved", "turned down"} and state.choice is not None:
        return _end_of(state.choice)
    return end


def _names_another(state: Settled, won: Evidence | None) -> bool:
    decider: PersonId | None = None if won is None else won.person
    return state.decided_by is not None and decider is not None and state.decided_by != decider


def _settled_but_open(
    index: Index,
    call: CallRecord,
    view: Placed[SettledShown],
    judgement: Judgement,
) -> None:
    state = view.event.settled
    if state is None:
        return
    claim = f"{view.event.device} shows call {call.id} as {_shown_end(state) or 'settled'} at the end"
    others = [
        shown for shown, _ in index.final_cards.get(call.id, ()) if shown.event.device != view.event.device
    ]
    if others:
        judgement.find(
            f"{claim}, while {others[0].event.device} still shows it as pending and nothing shows that it "
            "ended",
            view.seq,
            others[0].seq,
        )
    else:
        judgement.cannot_tell(f"{claim}, and nothing else shows whether it was", view.seq)


def check_discoverability(index: Index, _: Terms) -> Judgement:
    """P17. Premise: an open request at quiet, an agent that is up, and a device that may decide it.

    Who gave an answer that was counted, or whose fate is unknown, towards a quorum need not be asked again.
    """
    judgement = Judgement()
    quiet_seq = index.quiet
    if quiet_seq is None:
        return judgement
    readers = _readers_by_session(index)
    for call in index.calls.values():
        spec = call.spec
        if spec is None or not _is_open(index, call, spec, quiet_seq):
            continue
        listed = {shown.event.device for shown, _ in index.final_cards.get(call.id, ())}
        for owner, shown in readers.get((spec.tenant, spec.session), ()):
            if not may_decide_here(index, owner, call, spec) or _need_not_ask(call, owner.person):
                continue
            judgement.exercised += 1
            if owner.device not in listed:
                _not_listed(index, call, spec, shown, judgement)
    return judgement


def _readers_by_session(
    index: Index,
) -> dict[tuple[str, str], list[tuple[DeviceJoined, Placed[ScreenShown]]]]:
    readers: dict[tuple[str, str], list[tuple[DeviceJoined, Placed[ScreenShown]]]] = {}
    for device, shown in index.final_screens.items():
        owner = index.devices.get(device)
        if owner is not None:
            for session in owner.sessions:
                readers.setdefault((owner.tenant, session), []).append((owner, shown))
    return readers


def _is_open(index: Index, call: CallRecord, spec: ToolCalled, quiet_seq: int) -> bool:
    if call.outcomes or call.cancels or call.expiries or call.evidence:
        return False
    if spec.deadline is not None and spec.deadline <= index.events[quiet_seq].at:
        return False
    return index.agent_alive(call)


def _need_not_ask(call: CallRecord, person: PersonId) -> bool:
    spec = call.spec
    if spec is None or spec.policy.quorum == 1:
        return False
    return bool(call.answers_by(person))


def _not_listed(
    index: Index,
    call: CallRecord,
    spec: ToolCalled,
    shown: Placed[ScreenShown],
    judgement: Judgement,
) -> None:
    missing = f"call {call.id} is pending at the end, but {shown.event.device} does not list it"
    nameless = any(
        card_.tool == spec.tool and index.call_of_card(card_) is None for card_ in shown.event.cards
    )
    if nameless:
        judgement.cannot_tell(f"{missing}; one of its cards names no known call", shown.seq)
    elif index.adapter_failed:
        judgement.cannot_tell(f"{missing}; the adapter raised in this run", shown.seq)
    else:
        asked = call.asked_seq
        judgement.find(missing, call.called[0].seq if asked is None else asked, shown.seq)


VIEW_CONVERGENCE = Property(
    id="P16",
    guarantee=Guarantee.VIEW_CONVERGENCE,
    family=FAMILY,
    level=Level.MUST,
    statement="When everything has come to rest, every connected device shows each request as it really "
    "stands: pending, or settled in the way and by the person that settled it.",
    why="KiroCrew PR #5233: the request to the server fails, the error is swallowed, and the card says "
    "approved. langgraph #5952: an answered interrupt is shown again.",
    source="durable sessions: any connected client shows the pending call",
    reads=(
        *DECISIONS,
        StandingChanged,
        *FAULTS,
        SettledShown,
        RequestExpired,
        CancelConfirmed,
    ),
    check=check_view_convergence,
    holding=tale(
        called(),
        joined("ann"),
        joined("bob"),
        entered(),
        published(),
        screen("ann", card()),
        screen("bob", card()),
        answered("a1", "ann"),
        decided("ann"),
        told("a1"),
        executed(),
        outcome(by="ann", choice=YES),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann", choice=YES),
        screen("bob"),
        settled("bob", OutcomeStatus.EXECUTED, "ann", choice=YES),
    ),
    violating=tale(
        called(),
        joined("bob"),
        answered("a1", "ann"),
        outcome(by="ann", choice=YES),
        quiet(),
        screen("bob", card()),
    ),
)

DISCOVERABILITY = Property(
    id="P17",
    guarantee=Guarantee.DISCOVERABILITY,
    family=FAMILY,
    level=Level.MUST,
    statement="A pending request is listed on every device of everybody who may decide it, however long the "
    "history, whichever page it is on, whenever the device joined.",
    why="ARTEX PR #133: only the first page of the history is read, and pending requests are pushed off it. "
    "octomux PR #146: cards are not sent again after a reconnect.",
    source="durable sessions: reconnects and device switches, from history",
    reads=(*DECISIONS, *STANDING, *FAULTS, RequestExpired, CancelRequested),
    check=check_discoverability,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        joined("bob"),
        screen("bob", card()),
        quiet(),
        screen("ann", card()),
        screen("bob", card()),
    ),
    violating=tale(
        called(),
        joined("ann"),
        published(),
        screen("ann", card()),
        joined("bob"),
        quiet(),
        screen("ann", card()),
        screen("bob"),
    ),
)
