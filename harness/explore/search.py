"""The Hypothesis driver: draws plans from one scenario, runs them, and keeps the smallest violations.

Owns one search: an adapter, a scenario, a number of examples. Hypothesis draws, remembers failures in
its example database and shrinks; the plan-level shrinker finishes, so that every violated property gets
its own minimal plan however many other properties the same plan breaks.
"""

from collections import Counter
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from random import Random
from typing import Final

import hypothesis
from hypothesis import HealthCheck, Phase, given
from hypothesis import strategies as st
from hypothesis.database import DirectoryBasedExampleDatabase
from hypothesis.strategies import DrawFn

from harness.adapter import Adapter
from harness.explore.choosers import HypothesisChooser
from harness.explore.pacing import paced
from harness.explore.shrink import shrink, size
from harness.explore.trials import Trials
from harness.plan import Plan, plan_json
from harness.properties import Finding, Judgement
from harness.run import Run, execute, judge_run
from harness.scenario import Scenario


class PropertyViolated(AssertionError):  # noqa: N818 - a name that reads well in Hypothesis's own notes
    """Raised inside a Hypothesis test to say which property a plan broke; one subclass a property."""


@cache
def _violated(property_id: str) -> type[PropertyViolated]:
    """Return the exception class of one property: Hypothesis tells bugs apart by their class."""
    return type(f"{property_id}Violated", (PropertyViolated,), {})


@dataclass(frozen=True, slots=True)
class Smallest:
    """The smallest plan seen to break a property, and what it showed."""

    plan: Plan
    finding: Finding
    found_after: int


@dataclass(slots=True)
class Tally:
    """What the runs of one search add up to."""

    runs: int = 0
    exercised: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)
    fired: Counter[str] = field(default_factory=Counter)
    violations: Counter[str] = field(default_factory=Counter)
    smallest: dict[str, Smallest] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)

    def add(self, run: Run, judgements: dict[str, Judgement]) -> None:
        """Take one judged run into account."""
        self.runs += 1
        self.fired.update(run.plan.deviations[index].kind for index in run.fired)
        for failure in run.failures:
            self.failures.setdefault(failure.where.partition("(")[0], f"{failure.where}: {failure.error}")
        for property_id, judgement in judgements.items():
            self.exercised[property_id] += judgement.exercised
            self.unknown[property_id] += len(judgement.unknown)
            if judgement.findings:
                self._violated(property_id, run.plan, judgement.findings[0])

    def _violated(self, property_id: str, plan: Plan, finding: Finding) -> None:
        self.violations[property_id] += 1
        known = self.smallest.get(property_id)
        if known is None:
            self.smallest[property_id] = Smallest(plan, finding, self.runs)
        elif size(plan) < size(known.plan):
            self.smallest[property_id] = Smallest(plan, finding, known.found_after)


@dataclass(frozen=True, slots=True)
class Budget:
    """How much one search may do. ``seed`` fixes every draw and leaves the database alone."""

    examples: int
    seed: int | None = None
    database: Path | None = None
    shrinking: int | None = None
    """How many further runs shrinking may take; None: as many as it wants."""


_UNTIMED: Final = (HealthCheck.too_slow,)
"""A run's wall time says nothing about a plan; all other health checks stay on."""


def search(
    adapter: Adapter,
    scenario: Scenario,
    budget: Budget,
    tally: Tally,
    *,
    known: Collection[str] = (),
    on_run: Callable[[Tally], None] = lambda _tally: None,
) -> None:
    """Draw and run plans into ``tally``, then have Hypothesis shrink and remember what broke.

    The first pass runs every example, whatever breaks, because a violation found early says nothing about
    the other properties. The second draws the same plans again and fails on the first violation of each
    property, so that Hypothesis shrinks it and keeps it in its database; plans already run are not run
    again. Properties in ``known`` are tallied but not shrunk.

    Raises hypothesis.errors.HypothesisException where the scenario cannot be drawn from soundly.
    """
    wanted = tuple(scenario.properties)
    broken_by: dict[str, dict[str, Finding]] = {}

    def broken(plan: Plan) -> dict[str, Finding]:
        text = plan_json(plan)
        if text not in broken_by:
            run = execute(adapter, plan)
            judgements = judge_run(adapter.manifest, run, wanted)
            tally.add(run, judgements)
            on_run(tally)
            run_done()
            broken_by[text] = {it: found.findings[0] for it, found in judgements.items() if found.findings}
        return broken_by[text]

    def fail_on_violation(plan: Plan) -> None:
        spent = budget.shrinking is not None and len(broken_by) >= drawn + budget.shrinking
        if spent and plan_json(plan) not in broken_by:
            return
        for property_id, finding in broken(plan).items():
            if property_id not in known:
                raise _violated(property_id)(finding.sentence)

    def run_only(plan: Plan) -> None:
        broken(plan)

    seed = Random().getrandbits(32) if budget.seed is None else budget.seed  # noqa: S311 - no secret
    database = budget.database if budget.seed is None else None
    with paced() as run_done:
        _drive(run_only, scenario, budget.examples, seed, None)
        drawn = len(broken_by)
        if database is not None or tally.smallest.keys() - set(known):
            _drive(fail_on_violation, scenario, budget.examples, seed, database)


def _drive(
    check: Callable[[Plan], None],
    scenario: Scenario,
    examples: int,
    seed: int,
    database: Path | None,
) -> None:
    @st.composite
    def plans(draw: DrawFn) -> Plan:
        return scenario.draw(HypothesisChooser(draw))

    def body(plan: Plan) -> None:
        check(plan)

    settings = hypothesis.settings(
        max_examples=examples,
        database=None if database is None else DirectoryBasedExampleDatabase(database),
        deadline=None,
        phases=(Phase.reuse, Phase.generate, Phase.shrink),
        suppress_health_check=_UNTIMED,
        print_blob=False,
    )
    test = hypothesis.seed(seed)(settings(given(plans())(body)))
    try:
        test()
    except PropertyViolated:
        pass
    except BaseExceptionGroup as group:
        _, others = group.split(PropertyViolated)
        if others is not None:
            raise others from None


def finish(trials: Trials, smallest: Smallest) -> Smallest:
    """Return the violation with its plan shrunk as far as the plan-level shrinker gets."""
    plan = shrink(
        smallest.plan,
        lambda candidate: trials.affords(candidate) and trials.of(candidate).finding is not None,
    )
    return Smallest(plan, trials.of(plan).finding or smallest.finding, smallest.found_after)
