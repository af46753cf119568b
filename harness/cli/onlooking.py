"""Who looks on while ``hitl run`` does its work.

Owns the contract: an onlooker learns everything that the progress bar learns, what is being run, and how it
ended. It has no say in a run.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from harness.explore.conformance import Progress, Seen
from harness.report import FinishedRun
from harness.results import Counterexample, ExitCode


class Onlooker(Progress, Protocol):
    """Looks on from the first run to the result."""

    def began(
        self, adapters: Sequence[str], apart: Sequence[str], scenarios: Sequence[str], examples: int
    ) -> None:
        """Say what will be run; of ``adapters`` those in ``apart`` are played by other processes."""

    def ended(self, run: FinishedRun, code: ExitCode) -> None:
        """Say what came of it."""


@dataclass(frozen=True, slots=True)
class Both:
    """Progress that two are told of."""

    one: Progress
    other: Progress

    def scenario_started(self, adapter: str, scenario: str, examples: int) -> None:
        """Hand on."""
        self.one.scenario_started(adapter, scenario, examples)
        self.other.scenario_started(adapter, scenario, examples)

    def ran(self, adapter: str, scenario: str, runs: int, violations: int, fired: Mapping[str, int]) -> None:
        """Hand on."""
        self.one.ran(adapter, scenario, runs, violations, fired)
        self.other.ran(adapter, scenario, runs, violations, fired)

    def shrinking(self, adapter: str, property_id: str) -> None:
        """Hand on."""
        self.one.shrinking(adapter, property_id)
        self.other.shrinking(adapter, property_id)

    def found(self, adapter: str, property_id: str, counterexample: Counterexample, see: Seen) -> None:
        """Hand on."""
        self.one.found(adapter, property_id, counterexample, see)
        self.other.found(adapter, property_id, counterexample, see)

    def scenario_done(self, adapter: str, scenario: str, runs: int, violations: int) -> None:
        """Hand on."""
        self.one.scenario_done(adapter, scenario, runs, violations)
        self.other.scenario_done(adapter, scenario, runs, violations)
