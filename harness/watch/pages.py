"""What a server of pages serves: documents, and for each topic a view that changes.

Owns the contract between the server and the two kinds of pages, and the files that both share. A view is the
whole of what a page shows, so that a page which comes back after it was cut off needs nothing else.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final, Protocol, TypeAlias

Record: TypeAlias = Mapping[str, Any]

_ASSETS: Final = Path(__file__).with_name("assets")
_TYPES: Final = {
    ".html": "text/html; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml; charset=utf-8",
}
PICTURE_POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; sandbox"
"""A picture opened by itself brings its own style, and runs nothing."""


@dataclass(frozen=True, slots=True)
class Document:
    """A file as a browser is sent it; ``policy`` stands in for that of pages where it is given."""

    body: bytes
    media_type: str
    policy: str = ""


class Pages(Protocol):
    """One kind of pages."""

    def document(self, name: str) -> Document | None:
        """Return the file of that name, "" for the first page; None where there is none."""

    def view(self, topic: str) -> Record | None:
        """Return what a page on ``topic`` shows now; None where there is no such topic."""

    def said(self, topic: str, record: Record) -> None:
        """Take in what the person at a page did."""

    def audience(self, sizes: Mapping[str, int]) -> None:
        """Take note of how many pages are open on each topic."""


@cache
def asset(name: str) -> Document:
    """Return one of the files beside this module."""
    path = _ASSETS / name
    return Document(path.read_bytes(), _TYPES[path.suffix])


def svg(text: str) -> Document:
    """Return a picture that was made here."""
    return Document(text.encode(), _TYPES[".svg"], PICTURE_POLICY)
