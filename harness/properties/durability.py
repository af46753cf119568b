"""What survives crashes, restarts, disconnects and days of waiting (P13).

Owns the promise about things acknowledged once. Acknowledged means: a request that was reported as made
known or seen on a screen, a decision that a device was told or that was reported.

Invariant: something is called lost only at quiet, with the agent's host up and no adapter failure. Asking
again for what was decided, or asking something else than before, needs no end of the run to be seen.
"""

from harness.model import (
    CallId,
    Card,
    DeviceId,
    Guarantee,
    Level,
    OutcomeStatus,
)
from harness.properties.base import DAY_NS, Judgement, Property, Terms, moment
from harness.properties.evidence import acknowledged, same_json
from harness.properties.examples import (
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
from harness.properties.reads import DECISIONS, FAULTS, STANDING
from harness.properties.records import CallRecord
from harness.properties.validity import (
    may_decide_here,
)
from harness.trace import (
    CancelRequested,
    DeviceJoined,
    RequestExpired,
    ScreenShown,
    SettledShown,
    ToolCalled,
)

FAMILY = "durable pending"


def check_durability(index: Index, _: Terms) -> Judgement:
    """P13. Premise: an acknowledged request, and then a fault, a later device, or a day of waiting."""
    judgement = Judgement()
    retired = _retired_cards(index) if index.final_cards else {}
    for call in index.calls.values():
        asked = call.asked_seq
        if asked is None or call.spec is None:
            continue
        if _was_tried(index, call, asked):
            judgement.exercised += 1
        _asked_again(index, call, retired, judgement)
        _changed_card(index, call, judgement)
        if index.complete and index.agent_alive(call) and not call.outcomes and not call.cancels:
            _lost(index, call, judgement)
    return judgement


def _was_tried(index: Index, call: CallRecord, asked: int) -> bool:
    last = call.outcomes[-1].seq if call.outcomes else index.quiet
    waited_until = index.events[last].at if last is not None else 0
    if waited_until - index.events[asked].at >= DAY_NS:
        return True
    if any(crashes[-1] > asked for crashes in index.crashes.values()) or index.faulted:
        return True
    joins = index.all(DeviceJoined)
    return bool(joins) and joins[-1].seq > asked


def _retired_cards(index: Index) -> dict[tuple[DeviceId, CallId], int]:
    """Return where each device last took a call's card off its screen."""
    before: dict[DeviceId, set[CallId]] = {}
    retired: dict[tuple[DeviceId, CallId], int] = {}
    for seq, shown in index.all(ScreenShown):
        now = {call for call in map(index.call_of_card, shown.cards) if call is not None}
        for call in before.get(shown.device, set()) - now:
            retired[shown.device, call] = seq
        before[shown.device] = now
    return retired


def _asked_again(
    index: Index,
    call: CallRecord,
    retired: dict[tuple[DeviceId, CallId], int],
    judgement: Judgement,
) -> None:
    """Look for a request made known again, or a card that comes back, after the decision was acknowledged."""
    done = acknowledged(call.evidence)
    if done is None:
        return
    known = f"call {call.id} was {done.choice} ({done.words} at {moment(done.at)})"
    for earlier, later_one in zip(call.published, call.published[1:], strict=False):
        if later_one.seq > done.seq:
            again = later_one.event
            judgement.find(
                f"{known}, and was asked again as request {again.request} at {moment(again.at)}",
                earlier.seq,
                done.seq,
                later_one.seq,
            )
            return
    for shown, back in index.final_cards.get(call.id, ()):
        came_back = retired.get((shown.event.device, call.id), -1) > done.seq
        if came_back or _is_new_request(index, call, back, done.seq):
            judgement.find(
                f"{known}, and {shown.event.device} asks for it again at the end (request {back.request})",
                done.seq,
                shown.seq,
            )
            return


def _is_new_request(index: Index, call: CallRecord, back: Card, done_seq: int) -> bool:
    first = index.first_seen.get(back.request, -1)
    return first > done_seq and call.first_card is not None and call.first_card.request != back.request


def _changed_card(index: Index, call: CallRecord, judgement: Judgement) -> None:
    """Look for a request that changed: what is asked later is what was asked first."""
    if len(call.published) > 1:
        first = call.published[0]
        for again in call.published[1:]:
            if not same_json(again.event.arguments, first.event.arguments):
                judgement.find(
                    f"call {call.id} was asked at {moment(first.event.at)} and again with other arguments at "
                    f"{moment(again.event.at)}",
                    first.seq,
                    again.seq,
                )
                return
    if call.first_card is None or call.first_screen is None:
        return
    for shown, last in index.final_cards.get(call.id, ()):
        if not same_json(last.arguments, call.first_card.arguments):
            judgement.find(
                f"the card of call {call.id} shows other arguments on {shown.event.device} at the end "
                f"than it first did on {call.first_screen.event.device}",
                call.first_screen.seq,
                shown.seq,
            )
            return


def _lost(index: Index, call: CallRecord, judgement: Judgement) -> None:
    """Look for what is gone: an open request nobody asks for, a decision nothing knows of."""
    spec, quiet_seq = call.spec, index.quiet
    if spec is None or quiet_seq is None:
        return
    if call.expiries or (spec.deadline is not None and spec.deadline <= index.events[quiet_seq].at):
        return
    readers = [
        device
        for device in index.final_screens
        if device in index.devices and may_decide_here(index, index.devices[device], call, spec)
    ]
    if not readers or call.id in index.final_cards:
        return
    shown = call.evidence
    states = [view.event.settled for view in call.settled if view.event.settled is not None]
    done = acknowledged(shown)
    if done is not None:
        if any(state.choice in {None, done.choice} for state in states):
            return
        lost = (
            f"call {call.id} was {done.choice} ({done.words} at {moment(done.at)}), "
            "and nothing knows of it any more"
        )
        seqs = (done.seq, quiet_seq)
    else:
        if states or shown or _maybe_listed(index, spec):
            return
        asked = call.asked_seq or 0
        lost = (
            f"call {call.id} was asked at {moment(index.events[asked].at)}, has no end, and no device "
            "asks for it any more"
        )
        seqs = (asked, quiet_seq)
    if index.adapter_failed:
        judgement.cannot_tell(f"{lost}, but the adapter raised in this run", *seqs)
    else:
        judgement.find(lost, *seqs)


def _maybe_listed(index: Index, spec: ToolCalled) -> bool:
    """Return whether a card that names no known call might be the one."""
    return any(
        shown_card.tool == spec.tool and index.call_of_card(shown_card) is None
        for shown in index.final_screens.values()
        for shown_card in shown.event.cards
    )


DURABILITY = Property(
    id="P13",
    guarantee=Guarantee.DURABILITY,
    family=FAMILY,
    level=Level.MUST,
    statement="A request that was made known, or a decision that was acknowledged, is still there and "
    "identical after any crash, restart or disconnect, and after days; what was decided is never asked "
    "again.",
    why="executor #1347: pending approvals live in the process and are gone after a restart. lobu PR "
    "#2055: a reaper kills the parked run.",
    source="durable sessions: the answer may come days later, from another device, from history",
    reads=(*DECISIONS, *STANDING, *FAULTS, SettledShown, RequestExpired, CancelRequested),
    check=check_durability,
    holding=tale(
        called(),
        joined("ann"),
        entered(),
        published(),
        screen("ann", card()),
        crashed(),
        restarted(),
        called(attempt=2),
        answered("a1", "ann"),
        decided("ann"),
        told("a1"),
        executed(),
        outcome(by="ann", attempt=2),
        quiet(),
        screen("ann"),
        settled("ann", OutcomeStatus.EXECUTED, "ann"),
    ),
    violating=tale(
        called(),
        joined("ann"),
        published(),
        screen("ann", card()),
        crashed(),
        screen("ann"),
        restarted(),
        quiet(),
        screen("ann"),
        settled("ann", None),
    ),
)
