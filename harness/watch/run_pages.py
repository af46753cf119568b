"""The page of a run: the board as its one topic, and the pictures of what was found.

Owns which files belong to it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

from harness.watch.board import Board
from harness.watch.pages import Document, Record, asset, svg

_FILES: Final = {
    "": "run.html",
    "run.js": "run.js",
    "link.js": "link.js",
    "watch.css": "watch.css",
    "icon.svg": "icon.svg",
}


@dataclass(frozen=True, slots=True)
class RunPages:
    """Implements ``Pages``; ``clock`` reads seconds."""

    clock: Callable[[], float]
    board: Board = field(default_factory=Board)

    def document(self, name: str) -> Document | None:
        """Return one of the page's files, or the picture of a violation."""
        if name in _FILES:
            return asset(_FILES[name])
        drawn = self.board.pictures.get(name.removesuffix(".svg"))
        return svg(drawn) if drawn is not None and name.endswith(".svg") else None

    def view(self, topic: str) -> Record | None:
        """Return the board."""
        return self.board.view(self.clock()) if topic == "run" else None

    def said(self, topic: str, record: Record) -> None:
        """Take nothing in: a run is watched, not steered."""

    def audience(self, sizes: Mapping[str, int]) -> None:
        """Take no note: a run does not depend on who watches."""
