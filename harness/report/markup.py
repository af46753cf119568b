"""Text of a trace as text of a document: whatever it holds, it stays text.

Owns the one escape that every renderer of markup uses. Names, arguments and error texts of a run are
hostile input: markup is escaped, and characters that no document may hold, or that turn the direction of
the text around them, are replaced.
"""

import json
import re
from html import escape
from typing import Final

_UNPRINTABLE: Final = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
"""No XML document may hold these, but for the C1 controls and those that reorder text, which mislead."""
_ACTIVE: Final = re.compile(r"[&<>@]|#(?=\w)|:(?=//)|(?<=www)\.", re.IGNORECASE)
"""What begins an element, an entity, a mention, a reference to an issue or a link in Markdown."""
_MARKDOWN: Final = re.compile(r"[\\`*_\[\]|~$]")
_MARKDOWN_LENGTH_MAX: Final = 600
_IN_SCRIPT: Final = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}


def printable(text: str) -> str:
    """Return ``text`` with U+FFFD for every character that a document cannot show as itself."""
    return _UNPRINTABLE.sub("\ufffd", text)


def escaped(text: str) -> str:
    """Return ``text`` as content or attribute value of HTML, SVG and XML."""
    return escape(printable(text), quote=True)


def embedded_json(value: object) -> str:
    """Return ``value`` as JSON that may stand within a script element: no markup can begin in it."""
    text = printable(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False))
    return "".join(_IN_SCRIPT.get(character, character) for character in text)


def markdown_text(text: str) -> str:
    """Return ``text`` as a piece of a line of Markdown that is only text, cut where it is very long."""
    line = shortened(" ".join(printable(text).split()), _MARKDOWN_LENGTH_MAX)
    entities = _ACTIVE.sub(lambda it: f"&#{ord(it.group())};", line)
    return _MARKDOWN.sub(lambda it: f"\\{it.group()}", entities)


def shortened(text: str, length_max: int) -> str:
    """Return ``text``, cut with an ellipsis where it is longer than ``length_max`` characters."""
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


def file_stem(name: str) -> str:
    """Return ``name`` as part of a file's name on every system: what else it holds becomes "_"."""
    return re.sub(r"[^A-Za-z0-9._-]", "_", name).lstrip(".") or "_"
