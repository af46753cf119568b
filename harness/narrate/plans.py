"""A plan as a sentence: who does what in the calm world, and then what goes wrong.

Owns the phrase of every kind of deviation, as a table; a kind without a phrase is an error that a test
finds. With the trace of a run of the plan, counts become names: "its 4th message" is the answer, "its
7th boundary step" a durable write.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from harness.deviations import (
    AnswerAgain,
    AnswerAt,
    AnswerForeign,
    AnswerUnknownRequest,
    BoundaryStep,
    CancelCall,
    ChangeRole,
    Chatter,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    DelayMessage,
    Deviation,
    DoubleTap,
    DropMessage,
    DuplicateMessage,
    Forge,
    HandOutAgain,
    Pick,
    PrioritySchedule,
    RequireRole,
    ResetLink,
    RevokePerson,
    SeededSchedule,
    SkewClock,
    SleepOn,
    SpoilCredential,
    SwitchDevice,
    ToolFails,
)
from harness.model import Choice, ForgeryKind, HostName
from harness.narrate.events import message_label
from harness.narrate.units import duration, ordinal, plural
from harness.plan import MS, AnswerSpec, CallSpec, PersonSpec, Plan
from harness.trace import Defect, HostCrashed, MessageMoved, Trace

_CALM_LATENCY_NS: Final = 5 * MS
_SETS_OUT: Final = ("sent", "lost", "held")
"""How a message first shows in a trace; every message that sets out counts, one that is lost too."""
_VERBS: Final = {Choice.APPROVED: "approves", Choice.REJECTED: "rejects"}
_DEFECTS: Final = {
    Defect.NONE: "are sound",
    Defect.MISSING_ROLE: "bear no role",
    Defect.MALFORMED_ROLE: "bear a malformed role",
    Defect.EXPIRED: "have expired",
    Defect.NOT_YET_VALID: "are not valid yet",
    Defect.REVOKED: "were revoked",
    Defect.FORGED: "are forged",
    Defect.UNSIGNED: "are unsigned",
    Defect.WRONG_AUDIENCE: "are made for another audience",
    Defect.OTHER_TENANT: "belong to another tenant",
    Defect.WILDCARD: "name no client in particular",
}
_FORGERIES: Final = {
    ForgeryKind.REQUEST: "an approval request",
    ForgeryKind.APPROVAL: "somebody else's approval",
    ForgeryKind.DECISION: "the agent's announcement",
    ForgeryKind.REPLAY: "a replay of an earlier message",
}
_UNSYNCED: Final = {
    "lost": "",
    "kept": " (its unsynced writes survive)",
    "torn": " (its last unsynced write is torn)",
}


@dataclass(frozen=True, slots=True)
class _Seen:
    """What the trace of a run adds to its plan: labels of messages by link and place, crash points."""

    labels: Mapping[tuple[HostName, HostName, int], str]
    crash_points: Mapping[HostName, str]


_NOTHING_SEEN: Final = _Seen(MappingProxyType({}), MappingProxyType({}))


def plan_sentence(plan: Plan, trace: Trace | None = None) -> str:
    """Return ``plan`` as one sentence; ``trace`` is that of a run of it, if there is one."""
    seen = _NOTHING_SEEN if trace is None else _seen(trace)
    many = len(plan.calls) > 1
    parts = [
        _cast(plan),
        *(phrase for call in plan.calls for phrase in _call_phrases(call, many=many)),
        *(person_phrase(person, many=many) for person in plan.people if person.answers),
        *(_PHRASES[type(deviation)](deviation, seen) for deviation in plan.deviations),
    ]
    return "; ".join(parts) + "."


def deviation_phrase(deviation: Deviation, trace: Trace | None = None) -> str:
    """Return one deviation as a clause: "bob-phone's 3rd message to channel arrives 40 ms late"."""
    return _PHRASES[type(deviation)](deviation, _NOTHING_SEEN if trace is None else _seen(trace))


def _seen(trace: Trace) -> _Seen:
    labels: dict[tuple[HostName, HostName, int], str] = {}
    counts: dict[tuple[HostName, HostName], int] = {}
    known: set[int] = set()
    crash_points: dict[HostName, str] = {}
    for event in trace.events:
        if isinstance(event, HostCrashed):
            crash_points.setdefault(event.host, event.boundary)
        elif isinstance(event, MessageMoved) and event.moved in _SETS_OUT and event.message not in known:
            known.add(event.message)
            link = (event.source, event.target)
            place = counts.get(link, 0)
            counts[link] = place + 1
            labels[*link, place] = message_label(event.label)
    return _Seen(labels, crash_points)


def _cast(plan: Plan) -> str:
    devices = sum(len(person.devices) for person in plan.people)
    parts = [
        *([plural(len(plan.calls), "call")] if len(plan.calls) != 1 else []),
        *([plural(len(plan.agents), "agent")] if len(plan.agents) != 1 else []),
        plural(devices, "device"),
    ]
    latency = [] if plan.latency_ns == _CALM_LATENCY_NS else [f"messages take {duration(plan.latency_ns)}"]
    backlog = [f"the channel already holds {plural(plan.backlog, 'message')}"] if plan.backlog else []
    return ", ".join([*parts, *latency, *backlog])


def _call_phrases(call: CallSpec, *, many: bool) -> list[str]:
    phrases = []
    policy = call.policy
    name = call.id if many else "the call"
    if policy.minimum_role is not None:
        phrases.append(f"{name} needs the role {policy.minimum_role}")
    if policy.quorum > 1:
        phrases.append(f"{name} needs {policy.quorum} people")
    if call.timeout_ns is not None:
        phrases.append(f"{name} expires after {duration(call.timeout_ns)}")
    if call.at_ns:
        phrases.append(f"{name} starts at {duration(call.at_ns)}")
    if call.fails:
        phrases.append(f"the tool of {name} fails")
    return phrases


def person_phrase(person: PersonSpec, *, many: bool) -> str:
    """Return what a person means to do; ``many`` says whether there are several calls to tell apart."""
    role = "no role" if person.role is None else person.role
    answers = " and ".join(_answer_phrase(it, many=many) for it in person.answers) or "does not answer"
    return f"{person.id} ({role}) {answers}"


def _answer_phrase(answer: AnswerSpec, *, many: bool) -> str:
    call = f" {answer.call}" if many else ""
    edits = " with edits" if answer.edits is not None else ""
    device = f" on {answer.device}" if answer.device is not None else ""
    return f"{_VERBS[answer.choice]}{call}{edits}{device} {duration(answer.think_ns)} after seeing it"


def _message(deviation: DelayMessage | DropMessage | DuplicateMessage, seen: _Seen) -> str:
    label = seen.labels.get((deviation.source, deviation.target, deviation.k))
    named = f" ({label})" if label else ""
    return f"{deviation.source}'s {ordinal(deviation.k + 1)} message to {deviation.target}{named}"


_STEPS: Final[Mapping[BoundaryStep, str]] = {
    "any": "boundary step",
    "message": "message",
    "write": "durable write",
    "body": "entry of a gated function",
    "effect": "side effect",
}


def _crash_at_boundary(it: CrashAtBoundary, seen: _Seen) -> str:
    point = seen.crash_points.get(it.host, "")
    point = "" if point == it.step else point
    step = f"{ordinal(it.k + 1)} {_STEPS[it.step]}" + (f" ({point})" if point else "")
    return f"{it.host} loses power after its {step} {_down(it.down_ns)}{_UNSYNCED[it.unsynced]}"


def _down(ns: int) -> str:
    return f"for {duration(ns)}" if ns else "and is back at once"


def _skew(it: SkewClock, _seen: _Seen) -> str:
    way = "ahead" if it.by_ns >= 0 else "behind"
    return f"{it.host}'s clock is {duration(abs(it.by_ns))} {way}"


def _priorities(it: PrioritySchedule, _seen: _Seen) -> str:
    points = ", ".join(map(str, it.change_points))
    until = f", changing at step {points}" if points else ""
    return f"{it.order[0]} runs before all others{until}"


def _change_role(it: ChangeRole, _seen: _Seen) -> str:
    change = f"becomes {it.role}" if it.role is not None else "loses every role"
    return f"{it.person} {change} at {duration(it.at_ns)}"


def _forge(it: Forge, _seen: _Seen) -> str:
    times = f", {plural(it.times, 'time')}" if it.times != 1 else ""
    return f"{it.person} forges {_FORGERIES[it.forgery]} about {it.call} on {it.device}{times}"


_Phrase: TypeAlias = Callable[[Any, _Seen], str]

_PHRASES: Final[Mapping[type[Any], _Phrase]] = {
    SeededSchedule: lambda it, _: f"what is ready runs in a random order (seed {it.seed})",
    PrioritySchedule: _priorities,
    Pick: lambda it, _: f"at step {it.step} the {ordinal(it.index + 1)} ready callback runs first",
    DelayMessage: lambda it, seen: f"{_message(it, seen)} arrives {duration(it.by_ns)} late",
    DropMessage: lambda it, seen: f"{_message(it, seen)} is lost",
    DuplicateMessage: lambda it, seen: f"{_message(it, seen)} is delivered twice",
    CutLink: lambda it, _: (
        f"nothing passes between {it.one} and {it.other} from {duration(it.at_ns)} for {duration(it.for_ns)}"
    ),
    Chatter: lambda it, _: (
        f"{plural(it.count, 'message')} about something else"
        f" {'follows' if it.count == 1 else 'follow'} in the session of {it.call} at {duration(it.at_ns)}"
    ),
    ResetLink: lambda it, _: f"the connections between {it.one} and {it.other} break at {duration(it.at_ns)}",
    CrashAtTime: lambda it, _: f"{it.host} loses power at {duration(it.at_ns)} {_down(it.down_ns)}",
    CrashAtBoundary: _crash_at_boundary,
    SkewClock: _skew,
    DoubleTap: lambda it, _: f"{it.person} presses twice, {duration(it.gap_ns)} apart",
    AnswerAgain: lambda it, _: (
        f"{it.person} {_VERBS[it.choice]} it again on {it.device} {duration(it.after_ns)} later"
    ),
    AnswerUnknownRequest: lambda it, _: (
        f"{it.person} {_VERBS[it.choice]} a request that was never issued, on {it.device}"
        f" at {duration(it.at_ns)}"
    ),
    AnswerForeign: lambda it, _: (
        f"{it.person}, who has no part in it, {_VERBS[it.choice]} {it.call} on {it.device}"
    ),
    Forge: _forge,
    HandOutAgain: lambda it, _: f"{it.call} is handed to {it.agent} too at {duration(it.at_ns)}",
    SleepOn: lambda it, _: f"{it.person} thinks {duration(it.by_ns)} longer",
    AnswerAt: lambda it, _: f"{it.person} answers {it.call} at exactly {duration(it.at_ns)}",
    SwitchDevice: lambda it, _: (
        f"{it.person} answers on {it.device}, which joins only at {duration(it.at_ns)}"
    ),
    SpoilCredential: lambda it, _: f"{it.person}'s tokens {_DEFECTS[it.defect]}",
    ChangeRole: _change_role,
    RevokePerson: lambda it, _: f"{it.person} is revoked at {duration(it.at_ns)}",
    RequireRole: lambda it, _: f"{it.call} asks for the role {it.role}",
    CancelCall: lambda it, _: f"{it.call} is cancelled at {duration(it.at_ns)}",
    ToolFails: lambda it, _: f"the tool of {it.call} fails",
}
