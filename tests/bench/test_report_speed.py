"""How large the page of a full matrix is, how long it takes to render, and how soon a browser paints it.

Prints figures and asserts none: 200 violations should take at most 5 MB, 3 s, and 1 s to the first paint. The
last case steps through a trace of 10,000 events.
"""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import pytest

from harness.catalog import load_catalog
from harness.explore.nearest import nearest_passing
from harness.explore.sampling import draw_plans
from harness.explore.trials import Trials
from harness.plan import MS, Plan
from harness.properties import PROPERTIES, Status
from harness.report import FinishedRun
from harness.results import AdapterResult, Counterexample, Nearest, Result, Verdict
from harness.run import execute
from harness.trace import Trace
from tests.reports.sample import rendered, sample_run, sample_trace

ADAPTER: Final = "ably-guide"
VIOLATIONS: Final = 200
PER_ADAPTER: Final = 20
EVENTS: Final = 10_000
CHROMIUM: Final = shutil.which("chromium")


def counterexamples() -> list[tuple[Counterexample, Trace, Trace]]:
    """Return real violations of the published pattern, each with the traces of both its runs."""
    catalog = load_catalog()
    adapter = catalog.adapter(ADAPTER).value
    shown: dict[str, tuple[Counterexample, Trace, Trace]] = {}
    for scenario in catalog.scenarios.values():
        for plan in draw_plans(scenario.value, 25, 0):
            for name in sorted(set(scenario.value.properties) - shown.keys()):
                found = counterexample(Trials(adapter, name), plan)
                if found is not None:
                    shown[name] = found
    return list(shown.values())


def counterexample(trials: Trials, plan: Plan) -> tuple[Counterexample, Trace, Trace] | None:
    """Return what ``plan`` breaks, None where it does not, or where no run near it passes."""
    finding = trials.of(plan).finding
    near = nearest_passing(trials, plan) if finding is not None else None
    if finding is None or near is None:
        return None
    trace, passing = execute(trials.adapter, plan).trace, execute(trials.adapter, near).trace
    nearest = Nearest(near, passing.digest())
    return Counterexample(plan.scenario, plan, finding, trace.digest(), 1, nearest), trace, passing


def full_matrix() -> FinishedRun:
    """Return a run of ten adapters that break twenty promises each."""
    real = counterexamples()
    names = list(PROPERTIES)
    adapters, traces, nearest = [], {}, {}
    for number in range(VIOLATIONS // PER_ADAPTER):
        adapter = f"adapter-{number}"
        verdicts = []
        for place, name in enumerate(names):
            prop = PROPERTIES[name]
            status = Status.VIOLATED if place < PER_ADAPTER else Status.HOLDS
            verdict = Verdict(name, prop.guarantee.value, prop.level, status, 9)
            if status is Status.VIOLATED:
                shown, trace, passing = real[(number + place) % len(real)]
                traces[adapter, name], nearest[adapter, name] = trace, passing
                verdict = replace(verdict, counterexample=shown)
            verdicts.append(verdict)
        adapters.append(AdapterResult(adapter, "1.0", 900, tuple(verdicts), {}))
    result = Result(0, 100, tuple(load_catalog().scenarios), tuple(adapters))
    return FinishedRun(result, traces, ".hitl/runs/001", nearest=nearest)


def long_run() -> FinishedRun:
    """Return a run with one violation at the end of 10,000 events."""
    run, short = sample_run(), sample_trace()
    middle = short.events[2:10]
    repeats = range((EVENTS - len(short.events)) // len(middle))
    more = [replace(it, at=it.at + number * MS) for number in repeats for it in middle]
    (first, *_) = run.traces
    return replace(
        run, traces={first: replace(short, events=(*short.events[:10], *more, *short.events[10:]))}
    )


def first_paint_ms(page: Path) -> tuple[float, float]:
    """Return when Chromium first painted the page, and how long fifty steps through a violation take."""
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - the other benchmarks do without

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        tab.set_default_timeout(120_000)
        tab.goto(page.as_uri())
        tab.wait_for_function("performance.getEntriesByName('first-contentful-paint').length > 0")
        paint = tab.evaluate("performance.getEntriesByName('first-contentful-paint')[0].startTime")
        stepping = tab.evaluate(
            """async () => {
              const rows = document.querySelector('#v1 .rows'), start = performance.now();
              for (let step = 0; step < 50; step += 1) {
                rows.dispatchEvent(new KeyboardEvent('keydown', {key: 'ArrowUp', bubbles: true}));
                await new Promise(requestAnimationFrame);
              }
              return performance.now() - start;
            }"""
        )
        browser.close()
    return float(paint), float(stepping)


@pytest.mark.benchmark(group="the HTML page of a run")
@pytest.mark.parametrize("name", ["200 violations", "10,000 events"])
def test_a_page_is_small_and_soon_there(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], benchmark: Any
) -> None:
    run = full_matrix() if name.startswith("200") else long_run()
    text = benchmark.pedantic(rendered, ("html", run), rounds=1)["index.html"]
    page = tmp_path / "index.html"
    page.write_text(text, encoding="utf-8")
    told = f"{name}: {page.stat().st_size / 1e6:.2f} MB"
    if benchmark.stats is not None:
        told += f", rendered in {benchmark.stats.stats.min:.2f} s"
    if CHROMIUM is not None:
        paint, stepping = first_paint_ms(page)
        told += f", first paint after {paint:.0f} ms, 50 steps in {stepping:.0f} ms"
    with capsys.disabled():
        print(f"\n{told}")  # noqa: T201 - a benchmark is run for what it prints
