"""The report people look at: one self-contained page.

Owns the format's name and the file's name. The page itself is laid out in ``page.py``, which is imported
when a page is wanted: every other command starts without its template engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from harness.report import FinishedRun


@dataclass(frozen=True, slots=True)
class HtmlReport:
    """The matrix, and every violation as a space-time diagram to step through."""

    name: str = "html"
    summary: str = "one self-contained page: the matrix, and violations as diagrams to step through"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``index.html``."""
        from .page import page_html  # noqa: PLC0415 - the template engine is loaded when a page is wanted

        return {"index.html": page_html(run)}


REPORTS: Final = (HtmlReport(),)
