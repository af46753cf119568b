"""A trace cut into the segments of each approval, as pure functions.

Owns the definition of every segment. Latency counts from the instant at which a request was meant to begin,
not from when the agent came to it: a system that makes callers wait is charged for the wait (coordinated
omission). The time between a card's appearance and the press is a person's, and in no figure.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from harness.model import CallId, DeviceId
from harness.plan import Plan
from harness.trace import (
    AnswerSent,
    DecisionTaken,
    EffectExecuted,
    OutcomeReported,
    RequestPublished,
    ScreenShown,
    Trace,
)


class Segment(StrEnum):
    """A stretch of an approval's way."""

    PUBLISHED = "published"
    """From the intended beginning until the request is made known."""
    FIRST_SCREEN = "first screen"
    """From the intended beginning until the first device shows it."""
    ALL_SCREENS = "all screens"
    """From the intended beginning until the last device shows it."""
    DECIDED = "decided"
    """From the press of the button until the decision takes effect."""
    EFFECT = "effect"
    """From the decision until the side effect."""
    KNOWN = "outcome known"
    """From the side effect until the agent's caller knows the outcome."""
    PRESS_TO_EFFECT = "press to effect"
    END_TO_END = "end to end"
    """From the intended beginning until the outcome is known, without the person's own time."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One approval: its segments in nanoseconds; those whose ends were not seen are left out."""

    call: CallId
    intended_ns: int
    segments: Mapping[Segment, int]

    @property
    def whole(self) -> bool:
        """Whether the approval came to its end."""
        return Segment.END_TO_END in self.segments


@dataclass(slots=True)
class _Sighted:
    published: int | None = None
    shown: dict[DeviceId, int] | None = None
    sent: int | None = None
    sent_from: DeviceId | None = None
    decided: int | None = None
    effect: int | None = None
    known: int | None = None


def samples(plan: Plan, trace: Trace, offset_ns: int = 0) -> list[Sample]:
    """Return a sample for each call of ``plan``, in its order.

    ``offset_ns`` is added to the instants of the plan where its clock began later than the trace's.
    """
    sighted = _sighted(plan, trace)
    devices = sum(len(person.devices) for person in plan.people)
    return [
        Sample(call.id, call.at_ns, dict(_segments(call.at_ns + offset_ns, sighted[call.id], devices)))
        for call in plan.calls
    ]


def _sighted(plan: Plan, trace: Trace) -> dict[CallId, _Sighted]:
    """Return when each call came to each point first."""
    calls = {call.id: _Sighted(shown={}) for call in plan.calls}
    of_request: dict[str, CallId] = {}
    for event in trace.events:
        match event:
            case RequestPublished():
                of_request[event.request] = event.call
                seen = calls[event.call]
                seen.published = event.at if seen.published is None else seen.published
            case ScreenShown():
                for card in event.cards:
                    name = of_request.get(card.request, card.call)
                    shown = calls[name].shown if name in calls else None
                    if shown is not None:
                        shown.setdefault(event.device, event.at)
            case AnswerSent(call=call) if call in calls and calls[call].sent is None:
                calls[call].sent, calls[call].sent_from = event.at, event.device
            case DecisionTaken(call=call) if call in calls and calls[call].decided is None:
                calls[call].decided = event.at
            case EffectExecuted(call=call) if calls[call].effect is None:
                calls[call].effect = event.at
            case OutcomeReported(call=call) if calls[call].known is None:
                calls[call].known = event.at
            case _:
                continue
    return calls


def _segments(intended: int, seen: _Sighted, devices: int) -> Iterator[tuple[Segment, int]]:
    shown = seen.shown or {}
    if seen.published is not None:
        yield Segment.PUBLISHED, seen.published - intended
    if shown:
        yield Segment.FIRST_SCREEN, min(shown.values()) - intended
    if shown and len(shown) == devices:
        yield Segment.ALL_SCREENS, max(shown.values()) - intended
    if seen.sent is not None and seen.decided is not None:
        yield Segment.DECIDED, seen.decided - seen.sent
    if seen.decided is not None and seen.effect is not None:
        yield Segment.EFFECT, seen.effect - seen.decided
    if seen.effect is not None and seen.known is not None:
        yield Segment.KNOWN, seen.known - seen.effect
    if seen.sent is not None and seen.effect is not None:
        yield Segment.PRESS_TO_EFFECT, seen.effect - seen.sent
    if seen.sent is not None and seen.known is not None and seen.sent_from in shown:
        thinking = seen.sent - shown[seen.sent_from]
        yield Segment.END_TO_END, seen.known - intended - thinking
