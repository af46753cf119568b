"""The machine-readable result: what ``hitl run --json`` prints.

Owns nothing but the file's name: the format is that of the harness, and ``hitl schema result`` prints its
schema.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.report import FinishedRun, result_json


@dataclass(frozen=True, slots=True)
class JsonReport:
    """Verdicts, counterexamples and their plans as one JSON document."""

    name: str = "json"
    summary: str = "verdicts, counterexamples and plans as JSON; equal runs give equal bytes"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``result.json``."""
        return {"result.json": result_json(run.result)}


REPORTS: Final = (JsonReport(),)
