"""Few plans of one scenario, for a lane in which runs are slow and cannot be repeated.

Owns how plans are drawn and what their runs add up to. Plans come from a seed; what the lane makes of them
differs from run to run, so nothing is shrunk: a violation is kept with the trace that showed it.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from random import Random

from harness.adapter import Adapter
from harness.explore.choosers import SeededChooser
from harness.explore.search import Tally
from harness.plan import Plan
from harness.properties import Finding
from harness.run import Run, judge_run
from harness.scenario import Scenario


@dataclass(slots=True)
class Sample:
    """What the runs of one scenario add up to; ``shown`` is the first run that broke a property, and how."""

    tally: Tally = field(default_factory=Tally)
    shown: dict[str, Run] = field(default_factory=dict)
    findings: dict[str, Finding] = field(default_factory=dict)


def draw_plans(scenario: Scenario, examples: int, seed: int) -> list[Plan]:
    """Return ``examples`` plans of a scenario, the same ones for the same seed."""
    return [
        scenario.draw(SeededChooser(Random(f"{seed}:{index}")))  # noqa: S311 - no secret
        for index in range(examples)
    ]


def sample(
    adapter: Adapter,
    scenario: Scenario,
    runs: Iterable[Run],
    on_run: Callable[[Tally], None] = lambda _tally: None,
) -> Sample:
    """Judge every run by the scenario's properties and add them up."""
    done = Sample()
    for run in runs:
        judgements = judge_run(adapter.manifest, run, tuple(scenario.properties))
        done.tally.add(run, judgements)
        for property_id, judgement in judgements.items():
            if judgement.findings:
                done.shown.setdefault(property_id, run)
                done.findings.setdefault(property_id, judgement.findings[0])
        on_run(done.tally)
    return done
