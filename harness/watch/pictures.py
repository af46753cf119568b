"""One trace as a page shows it: its space-time diagram, and the same in words.

Owns how many rows a picture has.
"""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Final

from harness.narrate import boundary_places
from harness.plan import Plan
from harness.report.drawing import picture
from harness.report.spacetime import diagram
from harness.trace import Trace

_ROWS_MAX: Final = 120
"""Two screens of rows: a picture is looked at, not searched."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """A picture as SVG, and its rows in words."""

    svg: str
    steps: tuple[dict[str, Any], ...]


def drawn(trace: Trace, marked: Collection[int], plan: Plan, title: str) -> Drawn:
    """Draw ``trace``; ``marked`` holds places among the events that properties read."""
    laid_out = diagram(trace, boundary_places(trace, tuple(marked)), plan, rows_max=_ROWS_MAX)
    steps = tuple(
        {"clock": it.clock, "host": it.host, "words": it.words, "marked": it.marked} for it in laid_out.steps
    )
    return Drawn(picture(laid_out, title), steps)
