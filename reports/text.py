"""The page that the terminal shows, as a plain text file.

Owns nothing but the choice of width: what a page says is laid out by the harness.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.narrate import plain
from harness.report import FinishedRun
from harness.report.page import run_page

_WIDTH: Final = 100
"""Fits a side-by-side review and most terminals."""


@dataclass(frozen=True, slots=True)
class TextReport:
    """Every violation with its listing, the matrix, and how the run ended."""

    name: str = "text"
    summary: str = "the terminal's page as a text file: violations with their listings, and the matrix"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``report.txt``."""
        return {"report.txt": plain(run_page(run, _WIDTH, run.result.exit_code())) + "\n"}


REPORTS: Final = (TextReport(),)
