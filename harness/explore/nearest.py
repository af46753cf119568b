"""The nearest passing run: what had to be otherwise for a violated property to hold.

Owns which plans count as near, in which order they are tried, and how many runs that may take. Near is one
change away: a deviation dropped or weakened, somebody who answers later or not at all, another order of what
is ready; where none of these passes, two deviations dropped, or all. Among plans equally near, one that tests
the property wins over one in which it does not come up, and then the one whose run goes the same way for
longest, because that is where a reader wants to look.

Invariant: the same adapter and plan give the same neighbour, whatever was tried before.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import combinations, islice, takewhile
from typing import Final

from harness.deviations import PrioritySchedule, SeededSchedule
from harness.explore.shrink import single_steps
from harness.explore.trials import Trials
from harness.plan import SECOND, Plan, PlanError, check_plan
from harness.trace import DeviationFired, Event, Trace

_TRIED_MAX: Final = 120
"""Plans looked at. Shrinking has played most of them already; a small counterexample has some thirty."""
_SEEDS: Final = (1, 2, 3)
_LATER_NS: Final = (SECOND, 60 * SECOND)


def nearest_passing(trials: Trials, plan: Plan) -> Plan | None:
    """Return the plan nearest to ``plan`` that does not break the property of ``trials``, if one is found."""
    left = _TRIED_MAX
    for distance in (_one_change(plan), _two_dropped(plan), iter((plan.but(),))):
        candidates = tuple(islice(_sound(plan, distance), left))
        affordable = filter(trials.affords, candidates)
        passing = [candidate for candidate in affordable if trials.of(candidate).passes]
        if passing:
            return max(passing, key=lambda candidate: _likeness(trials, plan, candidate))
        left -= len(candidates)
    return None


def _likeness(trials: Trials, plan: Plan, candidate: Plan) -> tuple[bool, int, bool, bool]:
    """Return how good a comparison a passing candidate makes; the first of equals wins."""
    trial = trials.of(candidate)
    common = common_events(trials.of(plan).boundary, trial.boundary)
    same_cast = (candidate.people, candidate.calls) == (plan.people, plan.calls)
    return trial.tested, common, same_cast, _answers(candidate) == _answers(plan)


def _answers(plan: Plan) -> int:
    return sum(len(person.answers) for person in plan.people)


def common_events(one: Trace, other: Trace) -> int:
    """Return how many events two traces have in common from their start.

    Which of a plan's deviations an event names is left out of account: dropping one renumbers the others.
    """
    pairs = zip(one.events, other.events, strict=False)
    return sum(1 for _ in takewhile(lambda pair: _numberless(pair[0]) == _numberless(pair[1]), pairs))


def _numberless(event: Event) -> Event:
    return replace(event, index=0) if isinstance(event, DeviationFired) else event


def _sound(plan: Plan, candidates: Iterable[Plan]) -> Iterator[Plan]:
    """Yield each plan that makes sense and is another one, once."""
    seen = [plan]
    for candidate in candidates:
        if candidate in seen:
            continue
        seen.append(candidate)
        try:
            check_plan(candidate)
        except PlanError:
            continue
        yield candidate


def _one_change(plan: Plan) -> Iterator[Plan]:
    yield from single_steps(plan)
    yield from _later(plan)
    ordered = [it for it in plan.deviations if not isinstance(it, SeededSchedule | PrioritySchedule)]
    for seed in _SEEDS:
        yield plan.but(*ordered, SeededSchedule(seed))


def _later(plan: Plan) -> Iterator[Plan]:
    """Yield plans in which one answer comes later."""
    for at, person in enumerate(plan.people):
        for place, answer in enumerate(person.answers):
            for by_ns in _LATER_NS:
                slow = replace(answer, think_ns=answer.think_ns + by_ns)
                answers = (*person.answers[:place], slow, *person.answers[place + 1 :])
                people = (*plan.people[:at], replace(person, answers=answers), *plan.people[at + 1 :])
                yield replace(plan, people=people)


def _two_dropped(plan: Plan) -> Iterator[Plan]:
    for pair in combinations(range(len(plan.deviations)), 2):
        yield plan.but(*(it for place, it in enumerate(plan.deviations) if place not in pair))
