"""Events in words: what one line of a listing says.

Owns the phrase of every kind of event, as a table. A phrase leaves out time and host, which the listing
shows in columns of their own.
"""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from harness.model import CallId, Card, Choice, OutcomeStatus, RequestId, Settled
from harness.narrate.units import ordinal
from harness.trace import (
    AdapterFailed,
    AnswerSent,
    BodyEntered,
    CancelConfirmed,
    CancelRequested,
    DecisionTaken,
    Defect,
    DeviationFired,
    DeviceJoined,
    EffectExecuted,
    Event,
    ForgerySent,
    HostCrashed,
    HostRestarted,
    MessageMoved,
    OutcomeReported,
    Quiet,
    ReceiptGiven,
    RequestExpired,
    RequestPublished,
    ScreenShown,
    SettledShown,
    StandingChanged,
    ToolCalled,
)

_ID_LENGTH_MAX: Final = 12
_NAMES_MAX: Final = 3
_KINDS: Final = {"historyanswered": "history:", "historyrefused": "history refused"}
_VERBS: Final = {Choice.APPROVED: "approves", Choice.REJECTED: "rejects"}


def event_phrase(event: Event) -> str:
    """Return what happened as a few words."""
    return _PHRASES[type(event)](event)


def _short(name: str) -> str:
    """Return an opaque id, cut where it is long."""
    return name if len(name) <= _ID_LENGTH_MAX else f"{name[: _ID_LENGTH_MAX - 1]}…"


def _about(call: CallId | None, request: RequestId) -> str:
    return call or f"request {_short(request)}"


def _tool_called(it: ToolCalled) -> str:
    again = f", attempt {it.attempt}" if it.attempt > 1 else ""
    return f"calls {it.tool} ({it.call}){again}"


def _device_joined(it: DeviceJoined) -> str:
    return f"{it.person} is here ({it.role or 'no role'})"


def _card(card: Card) -> str:
    return card.call or card.tool


def _screen_shown(it: ScreenShown) -> str:
    return "asks about " + ", ".join(map(_card, it.cards)) if it.cards else "asks about nothing"


def _settled(settled: Settled) -> str:
    decided = [settled.choice.value] if settled.choice and settled.choice != settled.status.value else []
    by = [f"by {settled.decided_by}"] if settled.decided_by else []
    return " ".join([settled.status.value, *decided, *by])


def _settled_shown(it: SettledShown) -> str:
    about = _about(it.call, it.request)
    return f"knows nothing of {about}" if it.settled is None else f"shows {about} as {_settled(it.settled)}"


def _answer_sent(it: AnswerSent) -> str:
    defect = it.credential.defect
    with_edit = " with edits" if it.arguments is not None else ""
    token = f" (token: {defect.value})" if defect is not Defect.NONE else ""
    return f"{it.person} {_VERBS[it.choice]} {_about(it.call, it.request)}{with_edit}{token}"


def _receipt_given(it: ReceiptGiven) -> str:
    told = [it.winner, it.choice.value if it.choice else None]
    who = " ".join(filter(None, told))
    return f"is told: {it.status.value.replace('-', ' ')}" + (f" ({who})" if who else "")


def _decision_taken(it: DecisionTaken) -> str:
    by = f" by {it.person}" if it.person else ""
    return f"takes the decision: {_about(it.call, it.request)} {it.choice.value}{by}"


def _body_entered(it: BodyEntered) -> str:
    gate = "approved" if it.approved else "not approved yet"
    return f"enters {it.call}, {ordinal(it.entry)} time ({gate})"


def _effect_executed(it: EffectExecuted) -> str:
    how = " and fails" if it.failed else ""
    times = f", {ordinal(it.occurrence)} time" if it.occurrence > 1 else ""
    return f"EXECUTES {it.call}{times}{how}"


def _outcome_reported(it: OutcomeReported) -> str:
    by = f" by {it.decided_by}" if it.decided_by else ""
    reason = f": {it.reason}" if it.reason and it.status is not OutcomeStatus.EXECUTED else ""
    return f"reports {it.call} {it.status.value}{by}{reason}"


def _host_crashed(it: HostCrashed) -> str:
    return f"LOSES POWER, right after: {it.boundary}" if it.boundary else "LOSES POWER"


def _standing_changed(it: StandingChanged) -> str:
    if it.revoked:
        return f"identity provider: {it.person} is revoked"
    return f"identity provider: {it.person} is now {it.role or 'without a role'}"


def _cancel_confirmed(it: CancelConfirmed) -> str:
    return f"is told that {it.call} " + ("is cancelled" if it.cancelled else "was not cancelled: too late")


def _message_moved(it: MessageMoved) -> str:
    label = message_label(it.label)
    return label if it.moved == "delivered" else f"{label} ({it.moved})"


def message_label(label: str) -> str:
    """Return a message's label for people: what it does, and a few of the names that it carries."""
    kind, _, names = label.partition(" ")
    counts = Counter(names.split(", ")) if names else Counter()
    told = [name if times == 1 else f"{name} x{times}" for name, times in counts.items()]
    more = ["…"] if len(told) > _NAMES_MAX else []
    return " ".join([_KINDS.get(kind, kind) or "message", ", ".join([*told[:_NAMES_MAX], *more])]).strip()


_PHRASES: Final[Mapping[type[Any], Callable[[Any], str]]] = {
    ToolCalled: _tool_called,
    RequestPublished: lambda it: f"request {_short(it.request)} for {it.call} is known",
    DeviceJoined: _device_joined,
    ScreenShown: _screen_shown,
    SettledShown: _settled_shown,
    AnswerSent: _answer_sent,
    ForgerySent: lambda it: f"{it.person} forges a message ({it.forgery}, {_about(it.call, it.request)})",
    ReceiptGiven: _receipt_given,
    DecisionTaken: _decision_taken,
    RequestExpired: lambda it: f"{_about(it.call, it.request)} expires",
    BodyEntered: _body_entered,
    EffectExecuted: _effect_executed,
    OutcomeReported: _outcome_reported,
    CancelRequested: lambda it: f"asks to cancel {it.call}",
    CancelConfirmed: _cancel_confirmed,
    StandingChanged: _standing_changed,
    HostCrashed: _host_crashed,
    HostRestarted: lambda _: "is back",
    DeviationFired: lambda it: f"fault: {it.deviation.replace('-', ' ')}",
    AdapterFailed: lambda it: f"adapter failed in {it.where}: {it.error}",
    Quiet: lambda _: "nothing more happens",
    MessageMoved: _message_moved,
}
