"""HTTP values: a request taken apart and a response to send.

Owns the decoding of targets: path segments and query. Parses no bytes (``server_side`` does).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import parse_qsl, unquote_plus

QUERY_FIELDS_MAX: Final = 100


class BadTargetError(ValueError):
    """The request target can not be decoded."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request. ``path`` has the decoded segments, ``headers`` lower-case names."""

    method: str
    path: tuple[str, ...]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """One response; ``Content-Length`` is added when it is written."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = field(default=b"", repr=False)


def split_target(target: str) -> tuple[tuple[str, ...], dict[str, str]]:
    """Decode ``/channels/a%3Ab/messages?limit=1`` into segments and query parameters.

    ``+`` is a space in segments too: one SDK writes it so, and the others escape a real plus.
    """
    path, _, query = target.partition("?")
    if not path.startswith("/"):
        raise BadTargetError(f"the request target {target[:80]!r} is no path")
    try:
        segments = tuple([unquote_plus(part, errors="strict") for part in path.split("/")[1:]])
        pairs = parse_qsl(query, keep_blank_values=True, errors="strict", max_num_fields=QUERY_FIELDS_MAX)
    except ValueError as error:
        raise BadTargetError(f"the request target can not be decoded: {error}"[:200]) from None
    return segments if segments != ("",) else (), dict(pairs)
