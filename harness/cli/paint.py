"""Lines with tones onto a terminal.

Owns the colours. Where there is no terminal, or ``NO_COLOR`` is set, the same text comes out plain.
"""

import os
from collections.abc import Iterable
from typing import Final

from rich.console import Console
from rich.text import Text

from harness.narrate.page import Line, Tone

_STYLES: Final = {
    Tone.PLAIN: "",
    Tone.TITLE: "bold",
    Tone.LABEL: "dim",
    Tone.GOOD: "green",
    Tone.BAD: "bold red",
    Tone.DOUBTFUL: "yellow",
    Tone.FAINT: "dim",
    Tone.COMMAND: "bold cyan",
    Tone.HEADER: "bold",
    Tone.EVENT: "",
    Tone.MESSAGE: "cyan",
    Tone.FAULT: "magenta",
    Tone.FOLDED: "dim italic",
    Tone.MARKED: "bold red",
}
_WIDTH_MAX: Final = 120
"""Longer lines are harder to read, however wide the terminal is."""
_WIDTH_UNKNOWN: Final = 100


def page_width(console: Console) -> int:
    """Return how wide a page may be: the terminal's width, or a fixed one where there is none."""
    if console.is_terminal or "COLUMNS" in os.environ:
        return min(console.width, _WIDTH_MAX)
    return _WIDTH_UNKNOWN


def paint(console: Console, lines: Iterable[Line]) -> None:
    """Print ``lines``; nothing is wrapped or cut, so that commands can be copied whole."""
    for line in lines:
        text = Text.assemble(*((span.text, _STYLES[span.tone]) for span in line))
        text.rstrip()
        console.print(text, soft_wrap=True, highlight=False, markup=False)
