"""REST calls: what a handler is given and what it gives back.

Owns the negotiation of formats, the two ways in which an error is told (body and headers), and pagination by
``Link`` headers in the only form that all SDKs follow: relative, starting with ``./``, without commas.
Does not know any endpoint.
"""

from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final
from urllib.parse import urlencode

from harness.ably.apps import App, Apps
from harness.ably.codec import CodecError, Format, decode, encode
from harness.ably.credentials import Credentials, claimed_identity, from_header, from_query
from harness.ably.fields import Fields, maps, refuse
from harness.ably.outbound import write_error
from harness.channel.errors import ErrorInfo
from harness.channel.events import Effects
from harness.channel.grants import Actor
from harness.channel.history import Direction, HistoryQuery
from harness.http.values import Request, Response

_NOT_LINKED: Final = frozenset({"key", "access_token", "accessToken", "cursor"})
"""Query parameters that no link repeats: credentials, and where another page begins."""
_NO_CONTENT: Final = 204
_DIGITS_MAX: Final = 18
_NEWEST: Final = 6


@dataclass(frozen=True, slots=True)
class Call:
    """One request on its way to a handler. ``parts`` are the variable segments of its path."""

    apps: Apps
    request: Request
    parts: tuple[str, ...]
    now_ns: int
    form: Format

    @property
    def now_ms(self) -> int:
        """The time in Unix milliseconds."""
        return self.now_ns // 1_000_000

    @property
    def version(self) -> int:
        """The protocol version that the caller speaks; the newest if it says none."""
        text = self.request.headers.get("x-ably-version", "")
        return int(text) if text.isascii() and text.isdecimal() and len(text) < _DIGITS_MAX else _NEWEST

    def credentials(self) -> Credentials:
        """Return the credentials; 40101 without any."""
        header = self.request.headers.get("authorization")
        return from_query(self.request.query) if header is None else from_header(header)

    def claimed_client_id(self) -> str | None:
        """Return the identity that a caller with basic credentials takes on (spec RSA7e2)."""
        header = self.request.headers.get("x-ably-clientid")
        if header is None:
            return None
        try:
            return claimed_identity(b64decode(header, validate=True).decode())
        except (Base64Error, ValueError):
            raise refuse(40012, "the header X-Ably-ClientId is no base64") from None

    def body(self) -> object:
        """Return the decoded body; 40000 if it is not what its Content-Type says."""
        form = Format.MSGPACK if "msgpack" in self.request.headers.get("content-type", "") else Format.JSON
        try:
            return decode(self.request.body, form)
        except CodecError as error:
            raise refuse(40000, str(error)) from None

    def body_map(self) -> Fields:
        """Return a body that must be a map."""
        body = self.body()
        if isinstance(body, Mapping):
            return body
        raise refuse(40000, "the body must be a map")

    def body_maps(self) -> list[Fields]:
        """Return a body that may be one map or a list of them."""
        body = self.body()
        return maps(body if isinstance(body, list) else [body], "the body")


@dataclass(frozen=True, slots=True)
class Member:
    """Who calls, within the app that the credentials belong to."""

    app: App
    actor: Actor


@dataclass(frozen=True, slots=True)
class Answer:
    """What a handler gives back; ``effects`` concern connections of ``app``.

    ``revoked_ns`` is when live connections of the app may come to stand on credentials that are void.
    """

    value: object = None
    status: int = 200
    headers: tuple[tuple[str, str], ...] = ()
    app: App | None = None
    effects: Effects = field(default=(), repr=False)
    revoked_ns: int | None = None


def negotiate(request: Request) -> Format:
    """Return the format to answer in: by ``Accept``, then by ``format``, else JSON."""
    accept = request.headers.get("accept", "")
    if "application/x-msgpack" in accept:
        return Format.MSGPACK
    if "application/json" in accept:
        return Format.JSON
    return Format.MSGPACK if request.query.get("format") == Format.MSGPACK else Format.JSON


def write_answer(answer: Answer, form: Format) -> Response:
    """Encode an answer. The Content-Type stands alone, without ``charset``: one SDK compares it whole."""
    if answer.status == _NO_CONTENT:
        return Response(answer.status, answer.headers)
    return Response(
        answer.status,
        (("Content-Type", form.content_type), *answer.headers),
        encode(answer.value, form),
    )


def write_refusal(error: ErrorInfo, form: Format) -> Response:
    """Encode an error, in the body and in headers (spec RSC)."""
    printable = error.message.encode("ascii", "replace").decode()
    headers = (
        ("Content-Type", form.content_type),
        ("X-Ably-Errorcode", str(error.code)),
        ("X-Ably-Errormessage", "".join(char if char.isprintable() else "?" for char in printable)),
    )
    return Response(error.status, headers, encode({"error": write_error(error)}, form))


# -- pages --------------------------------------------------------------------------------------------------


def read_query(query: Mapping[str, str]) -> HistoryQuery:
    """Read the parameters of a paginated request (spec RSL2b). Refusal: 40003.

    ``from_serial`` is what one SDK sends for ``untilAttach``, ``fromSerial`` what the specification says.
    """
    direction = query.get("direction", Direction.BACKWARDS)
    if direction not in Direction.__members__.values():
        raise refuse(40003, f"the direction is {direction[:40]!r}; it must be backwards or forwards")
    return HistoryQuery(
        Direction(direction),
        100 if (limit := _number(query, "limit")) is None else limit,
        _number(query, "start"),
        _number(query, "end"),
        query.get("from_serial") or query.get("fromSerial") or None,
        query.get("cursor"),
    )


def _number(query: Mapping[str, str], name: str) -> int | None:
    text = query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdecimal()) or len(text) > _DIGITS_MAX:
        raise refuse(40003, f"the parameter {name} is {text[:40]!r}; it must be a whole number")
    return int(text)


def links(request: Request, cursor: str | None) -> tuple[tuple[str, str], ...]:
    """Return the ``Link`` header of a page; ``cursor`` leads to the next one, ``None`` if there is none.

    The name in a link is the last segment of the path, as callers resolve it against the request.
    """
    kept = urlencode([pair for pair in request.query.items() if pair[0] not in _NOT_LINKED])
    pages = [
        _link(request, "first", kept, None),
        _link(request, "current", kept, request.query.get("cursor")),
    ]
    if cursor is not None:
        pages.append(_link(request, "next", kept, cursor))
    return (("Link", ", ".join(pages)),)


def _link(request: Request, relation: str, kept: str, cursor: str | None) -> str:
    """Write one link; ``kept`` are the parameters that all links share."""
    at = "" if cursor is None else urlencode({"cursor": cursor})
    return f'<./{request.path[-1]}?{kept}{"&" if kept and at else ""}{at}>; rel="{relation}"'
