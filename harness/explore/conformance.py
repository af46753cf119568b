"""The conformance suite: adapters times scenarios, added up to one verdict for each property.

Owns the matrix: which properties are in question, how tallies become verdicts, what expectations change,
and that one broken adapter or an interrupt leaves the rest of the result usable.
"""

from collections import Counter
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, Protocol, TypeAlias

from hypothesis.errors import HypothesisException

from harness.adapter import Adapter, LaneName, Manifest
from harness.catalog import Plugin
from harness.expectations import FILE_NAME, read_expectations
from harness.explore.nearest import nearest_passing
from harness.explore.sampling import draw_plans, sample
from harness.explore.search import Budget, Tally, finish, search
from harness.explore.trials import Trials
from harness.plan import Plan
from harness.properties import PROPERTIES, Property, Status
from harness.results import AdapterResult, Counterexample, Expected, Nearest, Result, Verdict
from harness.run import Run, execute
from harness.scenario import Scenario
from harness.trace import Trace

Seen: TypeAlias = Callable[[], Trace]


class Progress(Protocol):
    """Where the suite says how far it is; every call may be ignored."""

    def scenario_started(self, adapter: str, scenario: str, examples: int) -> None:
        """Say that runs of a scenario begin."""

    def ran(self, adapter: str, scenario: str, runs: int, violations: int, fired: Mapping[str, int]) -> None:
        """Say that another run is done; counts, those of faults that fired too, are of this scenario."""

    def shrinking(self, adapter: str, property_id: str) -> None:
        """Say that a counterexample is being made smaller."""

    def found(self, adapter: str, property_id: str, counterexample: Counterexample, see: Seen) -> None:
        """Say that a property is violated, and how; ``see`` returns the trace, at a run's cost."""

    def scenario_done(self, adapter: str, scenario: str, runs: int, violations: int) -> None:
        """Say that a scenario is done."""


EXAMPLES: Final = 100
"""Plans a scenario, by default; every expectation that ships is found within them."""
EXAMPLES_IN_REAL_TIME: Final = 3
"""The same where runs take real time."""
_SHRINKING_PER_EXAMPLE: Final = 3


@dataclass(frozen=True, slots=True)
class Options:
    """What a conformance run is asked to do."""

    examples: int | None = EXAMPLES
    """Plans a scenario; None: as many as each adapter's manifest says."""
    seed: int | None = None
    database: Path | None = None
    use_expectations: bool = True
    every_scenario: bool = True
    """Whether all scenarios run, so that an offered property that none exercises is inconclusive."""
    real_time: "Mapping[str, RealTime]" = field(default_factory=dict)
    """By name, the adapters whose runs take real time: their plans are sampled and not shrunk."""

    def examples_of(self, adapter: Adapter) -> int:
        """Return how many plans of each scenario an adapter is tried with in virtual time."""
        return self.examples or adapter.manifest.examples

    def lane_of(self, adapter: str) -> LaneName:
        """Return the lane in which an adapter is played."""
        return self.real_time[adapter].lane if adapter in self.real_time else "virtual"


@dataclass(frozen=True, slots=True)
class RealTime:
    """A lane in real time: how it plays plans, several at once, yielding their runs in the plans' order.

    ``traces`` receives what showed each violation; ``examples`` is the number of plans a scenario.
    """

    lane: LaneName
    play: Callable[[Adapter, Sequence[Plan]], Generator[Run, None, None]]
    examples: int = EXAMPLES_IN_REAL_TIME
    traces: dict[tuple[str, str], Trace] = field(default_factory=dict)


@dataclass(slots=True)
class _Ledger:
    """What is known of one adapter so far."""

    tally: Tally = field(default_factory=Tally)
    counterexamples: dict[str, Counterexample] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)


def check(
    adapters: Sequence[Plugin[Adapter]],
    scenarios: Sequence[Plugin[Scenario]],
    options: Options,
    progress: Progress,
) -> Result:
    """Run every scenario against every adapter. An interrupt ends it early with what is known by then."""
    results: list[AdapterResult] = []
    interrupted = False
    for plugin in adapters:
        ledger = _Ledger()
        real_time = options.real_time.get(plugin.name)
        try:
            if real_time is not None:
                _sample_scenarios(plugin.value, scenarios, options.seed or 0, real_time, progress, ledger)
            else:
                for scenario in scenarios:
                    _run_scenario(plugin.value, scenario.value, options, progress, ledger)
        except KeyboardInterrupt:
            interrupted = True
        expected = _expected(plugin, options, ledger)
        results.append(_adapter_result(plugin.value.manifest, scenarios, options, ledger, expected))
        if interrupted:
            break
    names = tuple(scenario.name for scenario in scenarios)
    return Result(options.seed, options.examples or EXAMPLES, names, tuple(results), interrupted)


def _expected(plugin: Plugin[Adapter], options: Options, ledger: _Ledger) -> Mapping[str, Expected]:
    """Return the known violations; a run too small to show them all is only held to those it did show."""
    if not options.use_expectations:
        return {}
    known = read_expectations(plugin.path.parent / FILE_NAME).of(plugin.name)
    simulated = plugin.name not in options.real_time
    full = options.every_scenario and simulated and options.examples_of(plugin.value) >= EXAMPLES
    return known if full else {it: entry for it, entry in known.items() if it in ledger.counterexamples}


def _run_scenario(
    adapter: Adapter,
    scenario: Scenario,
    options: Options,
    progress: Progress,
    ledger: _Ledger,
) -> None:
    name = adapter.manifest.name
    offered = {it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers}
    known = {it for it in scenario.properties if it not in offered} | ledger.counterexamples.keys()
    progress.scenario_started(name, scenario.name, options.examples_of(adapter))
    shrinking = _shrinking(adapter.manifest)
    budget = Budget(options.examples_of(adapter), options.seed, options.database, shrinking)

    def on_run(tally: Tally) -> None:
        progress.ran(name, scenario.name, tally.runs, tally.violations.total(), tally.fired)

    tally = Tally()
    try:
        search(adapter, scenario, budget, tally, known=known, on_run=on_run)
    except HypothesisException as error:
        ledger.failures.append(f"scenario {scenario.name}: {type(error).__name__}: {error}")
        return
    finally:
        _merge(ledger.tally, tally)
        ledger.failures.extend(text for text in tally.failures.values() if text not in ledger.failures)
    for property_id in sorted(tally.smallest.keys() - known, key=_order):
        progress.shrinking(name, property_id)
        trials = Trials(adapter, property_id, shrinking)
        smallest = finish(trials, tally.smallest[property_id])
        ledger.counterexamples[property_id] = Counterexample(
            scenario=scenario.name,
            plan=smallest.plan,
            finding=smallest.finding,
            digest=_digest(adapter, smallest.plan),
            found_after=smallest.found_after,
            nearest=_nearest(trials, smallest.plan),
        )
        _show(progress, adapter, property_id, ledger.counterexamples[property_id])
    progress.scenario_done(name, scenario.name, tally.runs, tally.violations.total())


def _shrinking(manifest: Manifest) -> int | None:
    """Return how many runs a counterexample is worth: few where each takes a good part of a second."""
    return None if manifest.examples >= EXAMPLES else _SHRINKING_PER_EXAMPLE * manifest.examples


def _sample_scenarios(
    adapter: Adapter,
    scenarios: Sequence[Plugin[Scenario]],
    seed: int,
    real_time: RealTime,
    progress: Progress,
    ledger: _Ledger,
) -> None:
    """Play the plans of all scenarios together: real time is mostly waiting."""
    examples = real_time.examples
    plans = [plan for plugin in scenarios for plan in draw_plans(plugin.value, examples, seed)]
    with closing(real_time.play(adapter, plans)) as runs:
        for plugin in scenarios:
            progress.scenario_started(adapter.manifest.name, plugin.name, examples)
            _sample_scenario(adapter, plugin.value, islice(runs, examples), real_time, progress, ledger)


def _sample_scenario(
    adapter: Adapter,
    scenario: Scenario,
    runs: Iterator[Run],
    real_time: RealTime,
    progress: Progress,
    ledger: _Ledger,
) -> None:
    name = adapter.manifest.name

    def on_run(tally: Tally) -> None:
        progress.ran(name, scenario.name, tally.runs, tally.violations.total(), tally.fired)

    done = sample(adapter, scenario, runs, on_run)
    _merge(ledger.tally, done.tally)
    ledger.failures.extend(text for text in done.tally.failures.values() if text not in ledger.failures)
    for property_id, run in done.shown.items():
        if property_id not in ledger.counterexamples:
            found = done.tally.smallest[property_id]
            finding, digest = done.findings[property_id], run.trace.digest()
            ledger.counterexamples[property_id] = Counterexample(
                scenario.name, run.plan, finding, digest, found.found_after
            )
            trace = real_time.traces[name, property_id] = run.trace
            progress.found(name, property_id, ledger.counterexamples[property_id], partial(_same, trace))
    progress.scenario_done(name, scenario.name, done.tally.runs, done.tally.violations.total())


def _show(progress: Progress, adapter: Adapter, property_id: str, shown: Counterexample) -> None:
    progress.found(adapter.manifest.name, property_id, shown, lambda: execute(adapter, shown.plan).trace)


def _same(trace: Trace) -> Trace:
    return trace


def _order(property_id: str) -> int:
    return list(PROPERTIES).index(property_id)


def _digest(adapter: Adapter, plan: Plan) -> str:
    return execute(adapter, plan).trace.digest()


def _nearest(trials: Trials, plan: Plan) -> Nearest | None:
    found = nearest_passing(trials, plan)
    if found is None:
        return None
    return Nearest(found, _digest(trials.adapter, found), tested=trials.of(found).tested)


def _merge(total: Tally, part: Tally) -> None:
    total.runs += part.runs
    for counter, more in (
        (total.exercised, part.exercised),
        (total.unknown, part.unknown),
        (total.fired, part.fired),
        (total.violations, part.violations),
    ):
        counter.update(more)


def _adapter_result(
    manifest: Manifest,
    scenarios: Sequence[Plugin[Scenario]],
    options: Options,
    ledger: _Ledger,
    expected: Mapping[str, Expected],
) -> AdapterResult:
    covered = {property_id for scenario in scenarios for property_id in scenario.value.properties}
    in_question = [it for it in PROPERTIES.values() if options.every_scenario or it.id in covered]
    return AdapterResult(
        adapter=manifest.name,
        version=manifest.version,
        runs=ledger.tally.runs,
        verdicts=tuple(_verdict(manifest, it, ledger, expected.get(it.id)) for it in in_question),
        faults_fired=dict(sorted(ledger.tally.fired.items())),
        failures=tuple(ledger.failures),
        lane=options.lane_of(manifest.name),
    )


def _verdict(manifest: Manifest, prop: Property, ledger: _Ledger, expected: Expected | None) -> Verdict:
    exercised: Counter[str] = ledger.tally.exercised
    counterexample = ledger.counterexamples.get(prop.id)
    if prop.guarantee not in manifest.offers:
        status, note = Status.NOT_OFFERED, ""
    elif counterexample is not None:
        status, note = Status.VIOLATED, counterexample.finding.sentence
    elif exercised[prop.id] == 0:
        status, note = Status.INCONCLUSIVE, "offered, but no run exercised it"
    else:
        status, note = Status.HOLDS, ""
    return Verdict(
        property=prop.id,
        guarantee=prop.guarantee.value,
        level=counterexample.finding.level if counterexample else prop.level,
        status=status,
        exercised=exercised[prop.id],
        note=note,
        counterexample=counterexample,
        expected=expected,
        claim=manifest.offers.get(prop.guarantee) if status is Status.VIOLATED else None,
    )
