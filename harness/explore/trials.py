"""Plans played to judge one property of one adapter, each of them once.

Owns the memory between shrinking a plan and looking for its nearest neighbour: both ask for the same runs.
"""

from dataclasses import dataclass, field

from harness.adapter import Adapter
from harness.plan import Plan, plan_json
from harness.properties import Finding
from harness.run import execute, judge_run
from harness.trace import Trace


@dataclass(frozen=True, slots=True)
class Trial:
    """One plan played: what it shows of the property, and the events at the boundary.

    ``sound`` is true where the run left nothing open and the adapter did not fail; ``tested`` where it put
    the property to the test at all.
    """

    finding: Finding | None
    sound: bool
    tested: bool
    boundary: Trace

    @property
    def passes(self) -> bool:
        """Whether the property is not broken, for all that can be told; it holds where it was tested too."""
        return self.sound and self.finding is None


@dataclass(slots=True)
class Trials:
    """All plans of one adapter that were played for one property; ``played`` counts them."""

    adapter: Adapter
    property_id: str
    runs_max: int | None = None
    """How many runs may be spent; None: as many as are asked for."""
    seen: dict[str, Trial] = field(default_factory=dict)

    @property
    def played(self) -> int:
        """How many runs this took."""
        return len(self.seen)

    def affords(self, plan: Plan) -> bool:
        """Return whether it can still be told what ``plan`` shows."""
        return self.runs_max is None or self.played < self.runs_max or plan_json(plan) in self.seen

    def of(self, plan: Plan) -> Trial:
        """Return what ``plan`` shows; it is played where it was not yet."""
        text = plan_json(plan)
        if text not in self.seen:
            self.seen[text] = self._play(plan)
        return self.seen[text]

    def _play(self, plan: Plan) -> Trial:
        run = execute(self.adapter, plan)
        judged = judge_run(self.adapter.manifest, run, (self.property_id,))[self.property_id]
        return Trial(
            finding=judged.findings[0] if judged.findings else None,
            sound=not judged.unknown and not run.failures,
            tested=judged.exercised > 0,
            boundary=run.boundary,
        )
