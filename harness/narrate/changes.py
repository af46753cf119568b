"""What tells one plan from another, in words: the difference between a broken promise and a kept one.

Owns the phrase of every kind of change. Deviations are told as :mod:`harness.narrate.plans` tells them.
"""

from collections.abc import Iterator, Sequence
from itertools import zip_longest

from harness.deviations import Deviation, PrioritySchedule, SeededSchedule
from harness.narrate.plans import deviation_phrase, person_phrase
from harness.narrate.units import plural
from harness.plan import PersonSpec, Plan
from harness.trace import Trace


def change_phrase(plan: Plan, other: Plan, trace: Trace, other_trace: Trace) -> str:
    """Return what is otherwise in ``other``: "without this: the agent loses power after its 1st effect".

    The traces are those of runs of the two plans; they turn counts into names.
    """
    gone = [it for it in plan.deviations if it not in other.deviations]
    new = [it for it in other.deviations if it not in plan.deviations]
    return "; ".join(
        [
            *_deviations(gone, new, trace, other_trace),
            *_people(plan, other),
            *(f"without the call {it.id}" for it in plan.calls if it not in other.calls),
            *_backlog(plan, other),
        ]
    )


def _deviations(
    gone: Sequence[Deviation], new: Sequence[Deviation], trace: Trace, other_trace: Trace
) -> Iterator[str]:
    for before, now in zip_longest(gone, new):
        was = "" if before is None else deviation_phrase(before, trace)
        if now is None:
            yield f"without this: {was}"
        elif isinstance(now, SeededSchedule | PrioritySchedule):
            yield f"with another order of what is ready: {deviation_phrase(now)}"
        else:
            yield f"with this: {deviation_phrase(now, other_trace)}" + (f"; not this: {was}" if was else "")


def _people(plan: Plan, other: Plan) -> Iterator[str]:
    many = len(plan.calls) > 1
    now = {person.id: person for person in other.people}
    for person in plan.people:
        if person.id not in now:
            yield f"without {person.id}"
        elif person != now[person.id]:
            yield from _person(person, now[person.id], many=many)


def _person(before: PersonSpec, now: PersonSpec, *, many: bool) -> Iterator[str]:
    if before.answers != now.answers:
        yield f"where {person_phrase(now, many=many)}"
    gone = [device.id for device in before.devices if device not in now.devices]
    if gone:
        yield f"without {' and '.join(gone)}"


def _backlog(plan: Plan, other: Plan) -> Iterator[str]:
    if plan.backlog != other.backlog:
        held = plural(other.backlog, "message") if other.backlog else "nothing"
        yield f"where the channel already holds {held}"
