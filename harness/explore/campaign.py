"""A seeded campaign: plans drawn without Hypothesis, each run reproducible from the seed and its index.

Owns the loop and how a run's plan follows from a seed and an index. No database, no shrinking while it
runs and hardly any cost beside the runs themselves; what it found is made small by :func:`finish_all`.

Invariant: the plan of run ``i`` depends on the seed, ``i`` and the list of scenarios, and on no other run.
"""

from collections.abc import Callable, Collection, Sequence
from random import Random

from harness.adapter import Adapter
from harness.explore.choosers import SeededChooser
from harness.explore.pacing import paced
from harness.explore.search import Tally, finish
from harness.explore.trials import Trials
from harness.plan import Plan
from harness.run import execute, judge_run
from harness.scenario import Scenario


def drawn_plan(scenarios: Sequence[Scenario], seed: int, index: int) -> Plan:
    """Return the plan of run ``index`` (from 0): the scenarios take turns."""
    return _turn(scenarios, index).draw(SeededChooser(Random(f"{seed}:{index}")))  # noqa: S311 - no secret


def campaign(
    adapter: Adapter,
    scenarios: Sequence[Scenario],
    wanted: Collection[str],
    seed: int,
    runs: int,
    stop_when: Callable[[Tally], bool] = lambda _tally: False,
) -> Tally:
    """Run up to ``runs`` plans and judge each by those of ``wanted`` that its scenario names.

    ``stop_when`` sees the tally after every run and ends the campaign by returning True.
    ``Tally.smallest[p].found_after`` is how many runs it took to break ``p`` first; its plan is the smallest
    of those seen, not yet shrunk. Raises ValueError where there is no scenario to draw from.
    """
    if not scenarios:
        raise ValueError("a campaign needs at least one scenario: `hitl list scenarios` names them.")
    judged = {scenario.name: [it for it in scenario.properties if it in wanted] for scenario in scenarios}
    tally = Tally()
    with paced() as run_done:
        for index in range(runs):
            scenario = _turn(scenarios, index)
            run = execute(adapter, drawn_plan(scenarios, seed, index))
            tally.add(run, judge_run(adapter.manifest, run, judged[scenario.name]))
            run_done()
            if stop_when(tally):
                break
    return tally


def finish_all(adapter: Adapter, tally: Tally) -> None:
    """Shrink the plan of every property that ``tally`` saw broken, as far as the plan-level shrinker gets."""
    for property_id, smallest in tally.smallest.items():
        tally.smallest[property_id] = finish(Trials(adapter, property_id), smallest)


def _turn(scenarios: Sequence[Scenario], index: int) -> Scenario:
    return scenarios[index % len(scenarios)]
