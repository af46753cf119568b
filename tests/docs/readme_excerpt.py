"""The violation on the README's first screen, from a plan kept beside this file; as a module it writes it.

The plan is one that the search finds at once; it is kept, so that the excerpt depends on what implementations
do and not on how the search draws.
"""

from pathlib import Path
from typing import Final

from harness.catalog import load_catalog
from harness.expectations import FILE_NAME, read_expectations
from harness.explore.nearest import nearest_passing
from harness.explore.trials import Trials
from harness.narrate import plain
from harness.plan import read_plan
from harness.properties import PROPERTIES, Status
from harness.report import FinishedRun
from harness.report.page import violation_block
from harness.results import AdapterResult, Counterexample, Nearest, Result, Verdict
from harness.run import execute, judge_run

README: Final = Path(__file__).parent.parent.parent / "README.md"
PLAN: Final = Path(__file__).with_name("double_execution.json")
ADAPTER: Final = "ably-guide-older"
PROPERTY: Final = "P4"
COMMAND: Final = f"hitl run {ADAPTER} --scenario first_response_wins"
BEGIN: Final = '<!-- excerpt:begin: written by "python -m tests.docs.readme_excerpt" -->'
END: Final = "<!-- excerpt:end -->"
_WIDTH: Final = 100
_TAIL_LINES: Final = 18


def violation() -> str:
    """Return how ``hitl run`` shows the kept plan's violation."""
    plugin = load_catalog().adapter(ADAPTER)
    manifest, plan = plugin.value.manifest, read_plan(PLAN.read_text(encoding="utf-8"), name=PLAN.name)
    run = execute(plugin.value, plan)
    finding = judge_run(manifest, run, (PROPERTY,))[PROPERTY].findings[0]
    near = nearest_passing(Trials(plugin.value, PROPERTY), plan)
    if near is None:
        raise AssertionError(f"{PLAN.name} has no passing run near it: choose another plan")
    passing = execute(plugin.value, near).trace
    prop, trace = PROPERTIES[PROPERTY], run.trace
    expected = read_expectations(plugin.path.parent / FILE_NAME).of(ADAPTER).get(PROPERTY)
    nearest = Nearest(near, passing.digest())
    counterexample = Counterexample(plan.scenario, plan, finding, trace.digest(), 1, nearest)
    verdict = Verdict(
        property=PROPERTY,
        guarantee=prop.guarantee.value,
        level=finding.level,
        status=Status.VIOLATED,
        exercised=1,
        counterexample=counterexample,
        expected=expected,
    )
    judged = AdapterResult(ADAPTER, manifest.version, runs=1, verdicts=(verdict,), faults_fired={})
    result = Result(seed=0, examples=1, scenarios=(plan.scenario,), adapters=(judged,))
    where = ADAPTER, PROPERTY
    finished = FinishedRun(result, {where: trace}, folder=".hitl/runs/001", nearest={where: passing})
    (shown,) = finished.violations()
    return plain(violation_block(shown, _WIDTH))


def excerpt() -> str:
    """Return the violation below the command: all words about it, and the end of its listing.

    Left out is where it parts from the nearest run, which the words name.
    """
    words, listing, _, ending = violation().split("\n\n")
    header, names, *rows = listing.splitlines()
    listed = "\n".join([header, names, "              …", *rows[-_TAIL_LINES:]])
    return "\n\n".join([f"$ {COMMAND}\n{words}", listed, ending])


def page_with_excerpt(readme: str) -> str:
    """Return the README with the excerpt between its two marks."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}\n```console\n{excerpt()}\n```\n{END}{after}"


if __name__ == "__main__":
    README.write_text(page_with_excerpt(README.read_text(encoding="utf-8")), encoding="utf-8")
