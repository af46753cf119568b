"""Text with a meaning: spans that say what they are, so that whoever prints them can colour them.

Owns the tones and nothing else. Colour is never the only carrier: what a span says stands in its text.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias


class Tone(StrEnum):
    """What a span of text is."""

    PLAIN = "plain"
    TITLE = "title"
    LABEL = "label"
    GOOD = "good"
    BAD = "bad"
    DOUBTFUL = "doubtful"
    FAINT = "faint"
    COMMAND = "command"
    HEADER = "header"
    EVENT = "event"
    MESSAGE = "message"
    FAULT = "fault"
    FOLDED = "folded"
    MARKED = "marked"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line."""

    text: str
    tone: Tone = Tone.PLAIN


Line: TypeAlias = tuple[Span, ...]


def plain(lines: Iterable[Line]) -> str:
    """Return the lines as one text, without line ends at its end and without trailing blanks."""
    return "\n".join("".join(span.text for span in line).rstrip() for line in lines)
