"""One picture a violation: its space-time diagram as an SVG file.

Owns which files come out and what they are called; the drawing is that of the harness. A run without
violations has no pictures.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.narrate import boundary_places
from harness.report import FinishedRun, Violation, counterexample_name
from harness.report.drawing import picture
from harness.report.markup import file_stem
from harness.report.spacetime import diagram

_ROWS_MAX: Final = 120
"""Two screens of rows: a picture is looked at, not searched."""


@dataclass(frozen=True, slots=True)
class SvgReport:
    """Space-time diagrams of all violations."""

    name: str = "svg"
    summary: str = "a space-time diagram of every violation as an SVG file, light and dark"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``diagrams/ADAPTER-PROPERTY.svg`` for every violation with a trace."""
        return {_path(it): _picture(it) for it in run.violations() if it.trace.events}


def _path(violation: Violation) -> str:
    return f"diagrams/{file_stem(counterexample_name(violation.adapter, violation.verdict.property))}.svg"


def _picture(violation: Violation) -> str:
    shown, trace = violation.counterexample, violation.trace
    marked = boundary_places(trace, shown.finding.events)
    title = f"{violation.adapter} {violation.verdict.property}: {shown.finding.sentence}"
    return picture(diagram(trace, marked, shown.plan, rows_max=_ROWS_MAX), title)


REPORTS: Final = (SvgReport(),)
