"""The result of a conformance run: one verdict for every adapter and property, as plain data.

Owns the stable JSON form of a result and the rules by which single judgements add up to a verdict and
verdicts to an exit code. It holds no times of day: two runs with one seed give equal bytes.
"""

import builtins
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

from pydantic import TypeAdapter

from harness.adapter import Claim, LaneName
from harness.model import Level
from harness.plan import Plan
from harness.properties import Finding, Status

FORMAT: Final = "hitl-result"
VERSION: Final = 1


class ExitCode(IntEnum):
    """What the command's exit code says."""

    CONFORMANT = 0
    VIOLATED = 1
    HARNESS_AT_FAULT = 2
    INCONCLUSIVE = 3


@dataclass(frozen=True, slots=True)
class Nearest:
    """The plan nearest to a counterexample's that keeps the promise, and the digest of its full trace.

    ``tested`` is false where the promise does not come up in that run.
    """

    plan: Plan
    digest: str
    tested: bool = True


@dataclass(frozen=True, slots=True)
class Counterexample:
    """The smallest plan found that breaks a property, and what it shows."""

    scenario: str
    plan: Plan
    finding: Finding
    digest: str
    """The digest of the full trace: what a replay must reproduce."""
    found_after: int
    """How many runs of the scenario it took to find the first violation."""
    nearest: Nearest | None = None
    """What differs where the property holds; None where no such run is near, or none was looked for."""


@dataclass(frozen=True, slots=True)
class Expected:
    """A violation that is known: why it is there, and where one can read about it.

    One that is ``seldom`` found is proven otherwise: a run that does not draw it says nothing against it.
    """

    reason: str
    link: str = ""
    seldom: bool = False


@dataclass(frozen=True, slots=True)
class Verdict:
    """What is said of one property of one adapter after all runs."""

    property: str
    guarantee: str
    level: Level
    status: Status
    exercised: int
    note: str = ""
    counterexample: Counterexample | None = None
    expected: Expected | None = None
    """The entry of the expectations file about this property, if there is one."""
    claim: Claim | None = None
    """The sentence that promises a property that is violated, as the adapter quotes it."""

    @builtins.property
    def surprising(self) -> bool:
        """Whether this verdict goes against the expectations: a new violation, or one that is gone."""
        if self.expected is not None:
            return self.status is Status.HOLDS and not self.expected.seldom
        return self.status is Status.VIOLATED and self.level is Level.MUST


@dataclass(frozen=True, slots=True)
class AdapterResult:
    """Everything said of one adapter."""

    adapter: str
    version: str
    runs: int
    verdicts: tuple[Verdict, ...]
    faults_fired: Mapping[str, int]
    failures: tuple[str, ...] = ()
    """What the adapter itself did wrong: raised, hung, leaked. Never a verdict about the implementation."""
    skipped: str = ""
    """Why it was not played at all, and what to type so that it is; empty where it was played."""
    lane: LaneName = "virtual"
    """Where it was played; only runs in virtual time can be replayed exactly."""


@dataclass(frozen=True, slots=True)
class Result:
    """One invocation of the conformance suite."""

    seed: int | None
    """None where every run searched anew."""
    examples: int
    scenarios: tuple[str, ...]
    adapters: tuple[AdapterResult, ...]
    interrupted: bool = False

    def exit_code(self, *, allow_inconclusive: bool = False, allow_skipped: bool = True) -> ExitCode:
        """Return the exit code: harness faults first, then violations, then what could not be judged.

        Without ``allow_skipped`` an adapter that was not played is a fault like one that failed.
        """
        verdicts = [verdict for adapter in self.adapters for verdict in adapter.verdicts]
        if any(adapter.failures for adapter in self.adapters):
            return ExitCode.HARNESS_AT_FAULT
        if not allow_skipped and any(adapter.skipped for adapter in self.adapters):
            return ExitCode.HARNESS_AT_FAULT
        if any(verdict.surprising for verdict in verdicts):
            return ExitCode.VIOLATED
        inconclusive = any(verdict.status is Status.INCONCLUSIVE for verdict in verdicts)
        if (inconclusive or self.interrupted or not verdicts) and not allow_inconclusive:
            return ExitCode.INCONCLUSIVE
        return ExitCode.CONFORMANT


_RESULT: Final[TypeAdapter[Result]] = TypeAdapter(Result)


def result_record(result: Result) -> dict[str, Any]:
    """Return ``result`` as plain JSON data with its format and version."""
    return {"format": FORMAT, "version": VERSION, **_RESULT.dump_python(result, mode="json")}
