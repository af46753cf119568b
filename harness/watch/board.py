"""How far a run is, folded from the records of its feed.

Owns what a page of a run shows. Records come in order from the process that runs; times come from whoever
reads them, and serve only to say how fast the run goes.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

Record = Mapping[str, Any]

RATE_SPAN_S: Final = 5.0
"""The rate is that of the last seconds: a mean over everything would hide that a run got slow."""


class Phase(StrEnum):
    """Where a run is."""

    STARTING = "starting"
    RUNNING = "running"
    DONE = "done"
    INTERRUPTED = "interrupted"
    GONE = "gone"
    """The process that ran ended without a word."""


@dataclass(slots=True)
class _Row:
    """One scenario of one adapter."""

    adapter: str
    scenario: str
    of: int
    runs: int = 0
    violations: int = 0
    now: str = "running"
    fired: Mapping[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Board:
    """The state of one run; ``pictures`` holds drawings by the id of their violation."""

    phase: Phase = Phase.STARTING
    pictures: dict[str, str] = field(default_factory=dict)
    _about: dict[str, Any] = field(default_factory=dict)
    _rows: dict[tuple[str, str], _Row] = field(default_factory=dict)
    _violations: dict[str, dict[str, Any]] = field(default_factory=dict)
    _ending: Record | None = None
    _began_s: float = 0.0
    _now_s: float = 0.0
    _samples: deque[tuple[float, int]] = field(default_factory=deque)

    @property
    def going(self) -> bool:
        """Whether more is to come."""
        return self.phase in (Phase.STARTING, Phase.RUNNING)

    def apply(self, record: Record, now_s: float) -> None:
        """Take in the next record, which came at ``now_s``; one of an unknown kind changes nothing."""
        self._now_s = now_s
        match record["kind"]:
            case "began":
                self.phase, self._began_s = Phase.RUNNING, now_s
                self._about = {key: record[key] for key in ("adapters", "apart", "scenarios", "examples")}
            case "scenario-started":
                row = _Row(record["adapter"], record["scenario"], record["examples"])
                self._rows[row.adapter, row.scenario] = row
            case "ran" | "scenario-done":
                self._count(record)
            case "shrinking":
                for row in self._rows.values():
                    if row.adapter == record["adapter"] and row.now == "running":
                        row.now = f"making the counterexample to {record['property']} smaller"
            case "found":
                self._found(record)
            case "ended":
                self.phase = Phase.INTERRUPTED if record["interrupted"] else Phase.DONE
                self._ending = record
            case "gone" if self.going:
                self.phase = Phase.GONE

    def _count(self, record: Record) -> None:
        row = self._rows[record["adapter"], record["scenario"]]
        row.runs, row.violations = record["runs"], record["violations"]
        if record["kind"] == "scenario-done":
            row.now = "done"
        else:
            row.fired = record["fired"]
            row.now = "running"

    def _found(self, record: Record) -> None:
        key = f"{record['adapter']} {record['property']}"
        before = self._violations.get(key)
        name = f"v{len(self._violations) + 1}" if before is None else before["id"]
        if record["picture"]:
            self.pictures[name] = record["picture"]
        shown = {it: record[it] for it in record if it not in ("kind", "picture")}
        self._violations[key] = shown | {"id": name, "picture": f"{name}.svg" if record["picture"] else ""}

    def view(self, now_s: float) -> dict[str, Any]:
        """Return everything that a page shows."""
        runs = sum(row.runs for row in self._rows.values())
        faults: Counter[str] = Counter()
        for row in self._rows.values():
            faults.update(row.fired)
        until_s = now_s if self.going else self._now_s
        return {
            "phase": self.phase.value,
            **self._about,
            "runs": runs,
            "rate": self._rate(runs, now_s) if self.going else None,
            "elapsed_s": int(until_s - self._began_s) if self._about else 0,
            "faults": sorted(faults.items()),
            "rows": [
                {
                    "adapter": row.adapter,
                    "scenario": row.scenario,
                    "of": row.of,
                    "runs": row.runs,
                    "violations": row.violations,
                    "now": row.now,
                }
                for row in self._rows.values()
            ],
            "violations": list(self._violations.values()),
            "ending": None if self._ending is None else dict(self._ending),
        }

    def _rate(self, runs: int, now_s: float) -> float:
        self._samples.append((now_s, runs))
        while self._samples[0][0] < now_s - RATE_SPAN_S:
            self._samples.popleft()
        first_s, first = self._samples[0]
        return round((runs - first) / (now_s - first_s), 1) if now_s > first_s else 0.0
