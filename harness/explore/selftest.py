"""The self-test: every ablation in the catalogue must be found, and nothing in what is intact.

Owns the trials (one ablation, one seed), how they add up to a row, and their distribution over processes.
What counts as found is fixed beforehand: every property that the ablation says it breaks is seen violated
within the cap. Each trial draws only from scenarios that can break one of those properties.

Invariant: what is found, after how many runs and how small depends on the catalogue and the seeds alone; only
the seconds differ between two self-tests. Rows come in the order of the properties, whatever finished first.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from multiprocessing import get_context
from os import cpu_count
from statistics import median_low
from typing import Any, Final, TypeAlias

from pydantic import TypeAdapter

from harness.ablation import Ablation
from harness.catalog import Catalog, Plugin, load_catalog
from harness.explore.campaign import campaign
from harness.explore.search import Tally, finish
from harness.explore.stopwatch import Stopwatch
from harness.explore.trials import Trials
from harness.properties import PROPERTIES
from harness.scenario import Scenario

FORMAT: Final = "hitl-selftest"
VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class Form:
    """How much a self-test does.

    ``runs_max`` caps one trial. ``intact_runs`` is what each intact adapter is run for, ``intact_chunk`` runs
    to a seed.
    """

    seeds: int
    runs_max: int
    intact_runs: int
    intact_chunk: int = 250


FULL: Final = Form(seeds=5, runs_max=2_000, intact_runs=5_000)
SHORT: Final = Form(seeds=1, runs_max=2_000, intact_runs=500)


@dataclass(frozen=True, slots=True)
class Search:
    """One ablation looked for with one seed; ``shrinks`` says whether its plan is made small."""

    ablation: str
    seed: int
    runs_max: int
    shrinks: bool


@dataclass(frozen=True, slots=True)
class Watch:
    """One intact adapter run with one seed, under every property."""

    adapter: str
    seed: int
    runs: int


@dataclass(frozen=True, slots=True)
class Trial:
    """What one search came to: after how many runs everything was found, None if it was not.

    ``deviations`` is the size of the shrunk plan that breaks the first of the properties.
    """

    runs: int | None
    deviations: int | None
    seconds: float


@dataclass(frozen=True, slots=True)
class Sighting:
    """A violation seen in an intact adapter: a false alarm, or a fault nobody knew of."""

    adapter: str
    property: str
    seed: int
    sentence: str


@dataclass(frozen=True, slots=True)
class Vigil:
    """What one watch came to."""

    adapter: str
    runs: int
    alarms: tuple[Sighting, ...]
    seconds: float


@dataclass(frozen=True, slots=True)
class Row:
    """One ablation after all its trials; ``runs`` has one number a seed."""

    ablation: str
    breaks: tuple[str, ...]
    report: str
    runs: tuple[int | None, ...]
    deviations: int | None
    seconds: float

    @property
    def found(self) -> bool:
        """Whether every trial found everything."""
        return None not in self.runs

    @property
    def median_runs(self) -> int | None:
        """The median of the runs until found; None where a trial found nothing."""
        found = [runs for runs in self.runs if runs is not None]
        return median_low(found) if len(found) == len(self.runs) else None


@dataclass(frozen=True, slots=True)
class SelfTest:
    """The table of a self-test."""

    rows: tuple[Row, ...]
    intact: tuple[Vigil, ...]

    @property
    def as_expected(self) -> bool:
        """Whether every ablation was found and nothing else was; an empty table proves nothing."""
        return bool(self.rows) and all(row.found for row in self.rows) and not self.alarms

    @property
    def alarms(self) -> tuple[Sighting, ...]:
        """Every violation seen in an intact adapter."""
        return tuple(alarm for vigil in self.intact for alarm in vigil.alarms)

    @property
    def median_deviations(self) -> int | None:
        """The median size of the shrunk plans."""
        sizes = [row.deviations for row in self.rows if row.deviations is not None]
        return median_low(sizes) if sizes else None


Job: TypeAlias = Search | Watch
Done: TypeAlias = Trial | Vigil
OnDone: TypeAlias = Callable[[int, int], None]


def self_test(
    catalog: Catalog,
    form: Form,
    *,
    plugins: Sequence[str] = (),
    processes: int | None = None,
    on_done: OnDone = lambda _done, _total: None,
) -> SelfTest:
    """Look for every ablation of ``catalog``, and watch the adapters beside them.

    ``plugins`` are what the catalogue was loaded with beyond the built-in folders: every process loads it
    again. ``processes`` defaults to one a core; 1 works in this process. ``on_done`` hears how many jobs are
    done, and of how many.
    """
    ablations = _in_order(catalog)
    intact = _intact(catalog)
    searches = [
        Search(plugin.name, seed, form.runs_max, shrinks=seed == 0)
        for plugin in ablations
        for seed in range(form.seeds)
    ]
    watches = [
        Watch(name, seed, form.intact_chunk)
        for name in intact
        for seed in range(-(-form.intact_runs // form.intact_chunk))
    ]
    done = _all_done([*searches, *watches], tuple(plugins), processes or cpu_count() or 1, on_done)
    trials = [it for it in done if isinstance(it, Trial)]
    vigils = [it for it in done if isinstance(it, Vigil)]
    rows = tuple(
        _row(plugin.value, trials[place * form.seeds : (place + 1) * form.seeds])
        for place, plugin in enumerate(ablations)
    )
    return SelfTest(rows, tuple(_merged(name, vigils) for name in intact))


def _in_order(catalog: Catalog) -> list[Plugin[Ablation]]:
    order = list(PROPERTIES)
    return sorted(catalog.ablations.values(), key=lambda it: (order.index(it.value.breaks[0]), it.name))


def _intact(catalog: Catalog) -> list[str]:
    """Return the adapters that come from where ablations come from."""
    homes = {plugin.path for plugin in catalog.ablations.values()}
    return [name for name, plugin in catalog.adapters.items() if plugin.path in homes]


def _row(ablation: Ablation, trials: Sequence[Trial]) -> Row:
    sizes = [trial.deviations for trial in trials if trial.deviations is not None]
    return Row(
        ablation=ablation.name,
        breaks=ablation.breaks,
        report=ablation.report,
        runs=tuple(trial.runs for trial in trials),
        deviations=min(sizes, default=None),
        seconds=sum(trial.seconds for trial in trials),
    )


def _merged(adapter: str, vigils: Sequence[Vigil]) -> Vigil:
    own = [vigil for vigil in vigils if vigil.adapter == adapter]
    return Vigil(
        adapter,
        sum(vigil.runs for vigil in own),
        tuple(alarm for vigil in own for alarm in vigil.alarms),
        sum(vigil.seconds for vigil in own),
    )


def _all_done(jobs: Sequence[Job], plugins: tuple[str, ...], processes: int, on_done: OnDone) -> list[Done]:
    done: list[Done] = []
    for result in _results(jobs, plugins, processes):
        done.append(result)
        on_done(len(done), len(jobs))
    return done


def _results(jobs: Sequence[Job], plugins: tuple[str, ...], processes: int) -> Iterator[Done]:
    if processes == 1:
        yield from (carry_out(job, plugins) for job in jobs)
        return
    pool = ProcessPoolExecutor(processes, mp_context=get_context("spawn"))
    try:
        yield from pool.map(carry_out, jobs, [plugins] * len(jobs))
    finally:
        pool.shutdown(cancel_futures=True)


@cache
def _catalog(plugins: tuple[str, ...]) -> Catalog:
    return load_catalog(plugins)


def carry_out(job: Job, plugins: tuple[str, ...]) -> Done:
    """Do one job in this process, with the catalogue that ``plugins`` make."""
    catalog = _catalog(plugins)
    match job:
        case Search():
            return _search(job, catalog)
        case Watch():
            return _watch(job, catalog)


def _search(search: Search, catalog: Catalog) -> Trial:
    ablation = catalog.ablations[search.ablation].value
    adapter, breaks = ablation.adapter, ablation.breaks
    scenarios = _scenarios(catalog, breaks)
    watch = Stopwatch()

    def all_found(tally: Tally) -> bool:
        return all(it in tally.smallest for it in breaks)

    tally = Tally()
    if scenarios:
        tally = campaign(adapter, scenarios, breaks, search.seed, search.runs_max, all_found)
    if not all_found(tally):
        return Trial(None, None, watch.elapsed_s())
    runs = max(tally.smallest[it].found_after for it in breaks)
    deviations = None
    if search.shrinks:
        smallest = finish(Trials(adapter, breaks[0]), tally.smallest[breaks[0]])
        deviations = len(smallest.plan.deviations)
    return Trial(runs, deviations, watch.elapsed_s())


def _watch(watch: Watch, catalog: Catalog) -> Vigil:
    stopwatch = Stopwatch()
    adapter = catalog.adapters[watch.adapter].value
    tally = campaign(adapter, _scenarios(catalog, PROPERTIES), tuple(PROPERTIES), watch.seed, watch.runs)
    alarms = tuple(
        Sighting(watch.adapter, property_id, watch.seed, smallest.finding.sentence)
        for property_id, smallest in sorted(tally.smallest.items())
    )
    return Vigil(watch.adapter, tally.runs, alarms, stopwatch.elapsed_s())


def _scenarios(catalog: Catalog, wanted: Collection[str]) -> list[Scenario]:
    return [
        plugin.value
        for plugin in catalog.scenarios.values()
        if any(property_id in wanted for property_id in plugin.value.properties)
    ]


_SELF_TEST: Final[TypeAdapter[SelfTest]] = TypeAdapter(SelfTest)


def self_test_record(result: SelfTest) -> dict[str, Any]:
    """Return ``result`` as plain JSON data with its format and version."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "as_expected": result.as_expected,
        **_SELF_TEST.dump_python(result, mode="json"),
    }
