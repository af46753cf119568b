"""Plans made small enough for real time: seconds instead of days, and only faults that can be made there.

Owns two pure functions on plans. What a small plan shows says nothing about what was left out of it.
"""

from dataclasses import replace
from typing import Any, Final

from harness.deviations import (
    AnswerAgain,
    AnswerForeign,
    AnswerUnknownRequest,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    Deviation,
    DoubleTap,
    RequireRole,
    ResetLink,
    SpoilCredential,
    ToolFails,
)
from harness.plan import MS, SECOND, SERVICE_HOST, AnswerSpec, CallSpec, PersonSpec, Plan

SHRINK: Final = 10
"""How much faster people think and things happen than the plan says."""
WAIT_NS_MAX: Final = 500 * MS
CUT_NS_MAX: Final = SECOND
BACKLOG_MAX: Final = 120
"""More than one page of history."""
_OF_PEOPLE: Final = (DoubleTap, AnswerAgain, AnswerForeign, AnswerUnknownRequest)
_OF_THE_CAST: Final = (RequireRole, SpoilCredential, ToolFails)
_OF_LINKS: Final = (CutLink, ResetLink)
_OF_LIVES: Final = (CrashAtTime, CrashAtBoundary)
SEEN_STEPS: Final = ("any", "body", "effect")
"""The boundary steps of a process that can be seen from outside."""
STEPS_MAX: Final = 6
"""About as many as one call has: request, decision, bodies, effect. Later ones never come."""


def small(plan: Plan, *, own_service: bool) -> Plan:
    """Return ``plan`` for real time; only on its own service a run can have a backlog and faults.

    Crashes stand last, because whether a host can crash shows only when it is up.
    """
    possible = [_deviation(it) for it in plan.deviations if _possible(it, own_service=own_service)]
    return replace(
        plan,
        people=tuple(_person(person) for person in plan.people),
        calls=tuple(_call(call) for call in plan.calls),
        deviations=tuple(sorted(possible, key=lambda it: isinstance(it, _OF_LIVES))),
        backlog=min(plan.backlog, BACKLOG_MAX) if own_service else 0,
    )


def on_own_channels(plan: Plan, suffix: str) -> Plan:
    """Return ``plan`` with every session renamed, so that no other run uses its channels."""
    people = [
        replace(person, sessions=tuple(f"{name}-{suffix}" for name in person.sessions))
        for person in plan.people
    ]
    calls = [replace(call, session=f"{call.session}-{suffix}") for call in plan.calls]
    return replace(plan, people=tuple(people), calls=tuple(calls))


def _possible(deviation: Deviation, *, own_service: bool) -> bool:
    if isinstance(deviation, _OF_LINKS):
        return own_service and SERVICE_HOST in (deviation.one, deviation.other)
    if isinstance(deviation, _OF_LIVES):
        return own_service
    return isinstance(deviation, _OF_PEOPLE + _OF_THE_CAST)


def _person(person: PersonSpec) -> PersonSpec:
    return replace(
        person,
        devices=tuple(replace(device, joins_ns=_sooner(device.joins_ns)) for device in person.devices),
        answers=tuple(_answer(answer) for answer in person.answers),
    )


def _answer(answer: AnswerSpec) -> AnswerSpec:
    return replace(answer, think_ns=_sooner(answer.think_ns))


def _call(call: CallSpec) -> CallSpec:
    return replace(call, at_ns=_sooner(call.at_ns))


def _deviation(deviation: Deviation) -> Deviation:
    record: dict[str, Any] = {
        name: _sooner(value)
        for name in type(deviation).__dataclass_fields__
        if name.endswith("_ns") and isinstance(value := getattr(deviation, name), int)
    }
    if isinstance(deviation, CutLink):
        record["for_ns"] = min(deviation.for_ns, CUT_NS_MAX)
    if isinstance(deviation, CrashAtBoundary):
        record["unsynced"] = "kept"
        if deviation.step not in SEEN_STEPS:
            record |= {"step": "any", "k": deviation.k % STEPS_MAX}
        elif deviation.step == "any":
            record["k"] = deviation.k % STEPS_MAX
    return replace(deviation, **record)


def _sooner(duration_ns: int) -> int:
    return min(duration_ns // SHRINK, WAIT_NS_MAX)
