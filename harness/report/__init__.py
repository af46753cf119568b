"""The report contract: what a renderer is handed and what it returns.

Owns the seam between results and their pictures. A report is a plug-in with a name that turns a finished
run into files; it returns their contents and writes nothing, so that equal runs give equal files and a
test needs no disk.

Invariant: a report adds no judgement of its own, reads no clock and fetches nothing.
"""

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from harness.properties import PROPERTIES, Status
from harness.results import AdapterResult, Counterexample, Result, Verdict, result_record
from harness.trace import Trace


@dataclass(frozen=True, slots=True)
class Recorded:
    """Full traces by adapter name and property id: of counterexamples, and of what passes nearest to them."""

    traces: Mapping[tuple[str, str], Trace] = field(default_factory=dict)
    nearest: Mapping[tuple[str, str], Trace] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A result with what its violations look like.

    ``traces`` holds the full trace of every counterexample by adapter name and property id, ``nearest``
    that of the nearest passing run where there is one. ``folder``
    is where the run lies, as people type it; empty where it was not kept. ``plugins`` are the plug-ins
    that a replay must be given. ``made_with`` holds the versions behind the result, as far as they are
    known, and ``notes`` what a reader must know of what is missing from it.
    """

    result: Result
    traces: Mapping[tuple[str, str], Trace]
    folder: str = ""
    plugins: tuple[str, ...] = ()
    made_with: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    nearest: Mapping[tuple[str, str], Trace] = field(default_factory=dict)

    def replay_command(self, adapter: str, property_id: str) -> str:
        """Return the exact command that replays a counterexample."""
        path = f"{self.folder}/{counterexample_name(adapter, property_id)}"
        extra = [word for plugin in self.plugins for word in ("--plugin", plugin)]
        return shlex.join(["hitl", "replay", path, *extra])

    def violations(self) -> Iterator["Violation"]:
        """Yield every violation, adapter by adapter, in the order of the properties."""
        for adapter in self.result.adapters:
            for verdict in adapter.verdicts:
                if verdict.status is Status.VIOLATED and verdict.counterexample is not None:
                    yield self._violation(adapter, verdict, verdict.counterexample)

    def _violation(
        self, adapter: AdapterResult, verdict: Verdict, counterexample: Counterexample
    ) -> "Violation":
        known = PROPERTIES.get(verdict.property)
        return Violation(
            adapter=adapter.adapter,
            verdict=verdict,
            counterexample=counterexample,
            statement=known.statement if known else "",
            why=known.why if known else "",
            trace=self.traces.get((adapter.adapter, verdict.property), Trace(())),
            replay=self.replay_command(adapter.adapter, verdict.property) if self.folder else "",
            nearest=self.nearest.get((adapter.adapter, verdict.property), Trace(())),
            repeatable=adapter.lane == "virtual",
        )


@dataclass(frozen=True, slots=True)
class Violation:
    """One violated property of one adapter with all that a reader wants to see of it."""

    adapter: str
    verdict: Verdict
    counterexample: Counterexample
    statement: str
    why: str
    trace: Trace
    replay: str
    nearest: Trace
    """The trace of the nearest passing run; empty where there is none."""
    repeatable: bool
    """Whether it was played in virtual time, where alone a neighbour can be looked for."""


class Report(Protocol):
    """A renderer of results: one output format."""

    @property
    def name(self) -> str:
        """What users type after ``--format``."""

    @property
    def summary(self) -> str:
        """What it makes, in one line."""

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return the contents of the files it makes by relative path; the first is the one to open.

        There may be none: a picture of each violation, in a run without violations.
        """


def counterexample_name(adapter: str, property_id: str) -> str:
    """Return the name of a counterexample's folder within its run folder."""
    return f"{adapter}-{property_id}"


def result_json(result: Result) -> str:
    """Return the machine-readable result as text: stable, without times of day or paths."""
    return json.dumps(result_record(result), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
