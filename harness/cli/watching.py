"""``hitl watch``: the run of ``hitl run``, told to a page in a process of its own.

Owns what the page is told: figures at a pace that eyes can follow, each violation when it is found, with its
picture, and the end. The page is told after the fact; nothing of it reaches the run.
"""

import signal
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

from harness.cli.errors import UserError
from harness.cli.running import Request, run
from harness.explore.conformance import Seen
from harness.explore.stopwatch import Stopwatch
from harness.narrate import plan_sentence
from harness.narrate.verdicts import ending
from harness.properties import PROPERTIES
from harness.report import FinishedRun, Violation
from harness.results import Counterexample, ExitCode
from harness.trace import Trace
from harness.watch.page_process import PageError, PageProcess, page_process
from harness.watch.pages import Record
from harness.watch.pictures import drawn

_PAUSE_S: Final = 0.1
"""Between two records of how far a run is: a run may take a tenth of a millisecond."""


@dataclass(slots=True)
class Teller:
    """Tells a page; implements ``Onlooker``."""

    page: PageProcess
    _watch: Stopwatch = field(default_factory=Stopwatch)
    _told_s: float = 0.0

    def began(
        self, adapters: Sequence[str], apart: Sequence[str], scenarios: Sequence[str], examples: int
    ) -> None:
        """Tell what will be run."""
        what = {"adapters": [*adapters], "apart": [*apart], "scenarios": len(scenarios), "examples": examples}
        self.page.tell({"kind": "began", **what})

    def scenario_started(self, adapter: str, scenario: str, examples: int) -> None:
        """Tell which scenario begins."""
        where = {"adapter": adapter, "scenario": scenario}
        self.page.tell({"kind": "scenario-started", **where, "examples": examples})

    def ran(self, adapter: str, scenario: str, runs: int, violations: int, fired: Mapping[str, int]) -> None:
        """Tell how far a scenario is, now and then."""
        now_s = self._watch.elapsed_s()
        if now_s - self._told_s < _PAUSE_S:
            return
        self._told_s = now_s
        where = {"adapter": adapter, "scenario": scenario}
        self.page.tell({"kind": "ran", **where, "runs": runs, "violations": violations, "fired": {**fired}})

    def shrinking(self, adapter: str, property_id: str) -> None:
        """Tell what is being made smaller."""
        self.page.tell({"kind": "shrinking", "adapter": adapter, "property": property_id})

    def found(self, adapter: str, property_id: str, counterexample: Counterexample, see: Seen) -> None:
        """Tell what was found, with its picture."""
        self.page.tell(_found(adapter, property_id, counterexample, see()))

    def scenario_done(self, adapter: str, scenario: str, runs: int, violations: int) -> None:
        """Tell that a scenario is done."""
        where = {"adapter": adapter, "scenario": scenario}
        self.page.tell({"kind": "scenario-done", **where, "runs": runs, "violations": violations})

    def ended(self, run: FinishedRun, code: ExitCode) -> None:
        """Tell how it ended, and what was found by processes that told nothing before."""
        for violation in run.violations():
            self.page.tell(_told_again(violation))
        end = ending(run.result, code)
        self.page.tell(
            {
                "kind": "ended",
                "interrupted": run.result.interrupted,
                "words": str(end),
                "tone": end.tone.value,
                "folder": run.folder,
            }
        )


def _found(adapter: str, property_id: str, shown: Counterexample, trace: Trace, known: str = "") -> Record:
    prop = PROPERTIES[property_id]
    title = f"{adapter} {property_id}: {shown.finding.sentence}"
    picture = drawn(trace, shown.finding.events, shown.plan, title) if trace.events else None
    return {
        "kind": "found",
        "adapter": adapter,
        "property": property_id,
        "guarantee": prop.guarantee.value,
        "level": shown.finding.level.value,
        "sentence": shown.finding.sentence,
        "statement": prop.statement,
        "plan": plan_sentence(shown.plan, trace),
        "known": known,
        "picture": "" if picture is None else picture.svg,
        "steps": [] if picture is None else picture.steps,
    }


def _told_again(violation: Violation) -> Record:
    """Return a violation once more, now that it is known whether it is listed."""
    expected = violation.verdict.expected
    return _found(
        violation.adapter,
        violation.verdict.property,
        violation.counterexample,
        violation.trace,
        "" if expected is None else expected.reason,
    )


def watch_run(request: Request, port: int, *, stays: bool) -> int:
    """Run with a page; returns the exit code of the run. Where it ``stays``, Ctrl-C ends the page."""
    try:
        with page_process(port) as page:
            print(f"Watch the run at {page.url}", file=sys.stderr, flush=True)
            code = run(request, Teller(page))
            if page.lost:
                print("hitl: the page went away; the run did not notice.", file=sys.stderr)
            elif stays and code != 128 + signal.SIGINT:
                print(f"The page stays at {page.url} until Ctrl-C.", file=sys.stderr, flush=True)
                with suppress(KeyboardInterrupt):
                    page.process.wait()
    except PageError as error:
        raise UserError(
            f"the page cannot be served: {error}. Try --port 0, which picks a free one."
        ) from None
    return code
