"""Plan-level shrinking: drop deviations, then shrink what is left, as long as the violation stays.

Owns the candidates and their order; it works on any plan, whichever driver drew it. A smaller plan is
one with fewer deviations, then fewer people, devices, calls and answers, then smaller numbers, so that a
minimal counterexample reads as a sentence.
"""

from collections.abc import Callable, Iterator
from dataclasses import fields, replace
from typing import Any, Final

from harness.deviations import Deviation
from harness.plan import DAY, MINUTE, MS, SECOND, PersonSpec, Plan, PlanError, check_plan

_ATTEMPTS_MAX: Final = 600
"""Each attempt is one run, a millisecond or so; plans of ten deviations settle within a hundred."""
_ROUND_NS: Final = (0, MS, 10 * MS, 100 * MS, SECOND, 10 * SECOND, MINUTE, DAY)


def size(plan: Plan) -> tuple[int, int, int]:
    """Return by how much a plan departs from nothing: deviations, cast, numbers."""
    cast = len(plan.calls) + sum(1 + len(it.devices) + len(it.answers) for it in plan.people)
    numbers = sum(_weight(deviation) for deviation in plan.deviations) + plan.backlog
    return len(plan.deviations), cast, numbers


def shrink(plan: Plan, violates: Callable[[Plan], bool]) -> Plan:
    """Return the smallest plan reached from ``plan`` for which ``violates`` stays true.

    ``violates(plan)`` must be true on entry and a pure function of the plan.
    """
    attempts = 0
    progress = True
    while progress and attempts < _ATTEMPTS_MAX:
        progress = False
        for candidate in _candidates(plan):
            attempts += 1
            if attempts >= _ATTEMPTS_MAX:
                break
            if violates(candidate):
                plan, progress = candidate, True
                break
    return plan


def _candidates(plan: Plan) -> Iterator[Plan]:
    for candidate in _raw_candidates(plan):
        if size(candidate) < size(plan):
            try:
                check_plan(candidate)
            except PlanError:
                continue
            yield candidate


def _raw_candidates(plan: Plan) -> Iterator[Plan]:
    deviations = plan.deviations
    if len(deviations) > 2:  # noqa: PLR2004 - two halves of two are the single drops below
        half = len(deviations) // 2
        yield plan.but(*deviations[:half])
        yield plan.but(*deviations[half:])
    yield from single_steps(plan)


def single_steps(plan: Plan) -> Iterator[Plan]:
    """Yield what one step makes of ``plan``: a deviation dropped or weakened, a part of the cast left out.

    Not every one is a sound plan: see :func:`harness.plan.check_plan`.
    """
    deviations = plan.deviations
    for place in range(len(deviations)):
        yield plan.but(*deviations[:place], *deviations[place + 1 :])
    yield from _smaller_casts(plan)
    if plan.backlog:
        yield replace(plan, backlog=0)
        yield replace(plan, backlog=plan.backlog // 2)
    for place, deviation in enumerate(deviations):
        for smaller in _smaller(deviation):
            yield plan.but(*deviations[:place], smaller, *deviations[place + 1 :])


def _smaller_casts(plan: Plan) -> Iterator[Plan]:
    for place in range(len(plan.calls)):
        if len(plan.calls) > 1:
            gone = plan.calls[place].id
            calls = plan.calls[:place] + plan.calls[place + 1 :]
            yield replace(plan, calls=calls, people=tuple(_without_call(it, gone) for it in plan.people))
    for place, person in enumerate(plan.people):
        before, after = plan.people[:place], plan.people[place + 1 :]
        if before or after:
            yield replace(plan, people=before + after)
        for smaller in _smaller_people(person):
            yield replace(plan, people=(*before, smaller, *after))


def _without_call(person: PersonSpec, call: str) -> PersonSpec:
    return replace(person, answers=tuple(answer for answer in person.answers if answer.call != call))


def _smaller_people(person: PersonSpec) -> Iterator[PersonSpec]:
    for place in range(len(person.answers)):
        yield replace(person, answers=person.answers[:place] + person.answers[place + 1 :])
    for place in range(len(person.devices)):
        if len(person.devices) > 1:
            gone = person.devices[place].id
            answers = tuple(answer for answer in person.answers if answer.device != gone)
            yield replace(
                person,
                devices=person.devices[:place] + person.devices[place + 1 :],
                answers=answers,
            )


def _weight(deviation: Deviation) -> int:
    return sum(abs(value) for _, value in _numbers(deviation))


def _numbers(deviation: Deviation) -> Iterator[tuple[str, int]]:
    for field in fields(deviation):
        value: Any = getattr(deviation, field.name)
        if isinstance(value, int) and not isinstance(value, bool):
            yield field.name, value


def _smaller(deviation: Deviation) -> Iterator[Deviation]:
    for name, value in _numbers(deviation):
        options = (
            [it for it in _ROUND_NS if it < value] if name.endswith("_ns") else [0, value // 2, value - 1]
        )
        for option in options:
            if 0 <= option < value:
                changed: dict[str, Any] = {name: option}
                yield replace(deviation, **changed)
