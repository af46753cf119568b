"""The HTTP/1.1 side of one socket, over h11.

Owns limits on requests and the refusal of ambiguous ones (two framings, obsolete constructs). Requests are
handed out one at a time, in order; the next is read only after the answer. Does not interpret a request.
"""

from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from dataclasses import dataclass
from hashlib import sha1
from typing import Final, TypeAlias

import h11

from harness.http.values import BadTargetError, Request, Response, split_target

Fields: TypeAlias = list[tuple[bytes, bytes]]

HEADER_BYTES_MAX: Final = 65_536
"""Request line and headers together: room for a large token in the query."""
BODY_BYTES_MAX: Final = 2 * 1024 * 1024
"""A batch of publishes; a single one is limited to 64 KiB by the channel."""
_WS_GUID: Final = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
_WS_KEY_BYTES: Final = 16
WS_VERSION: Final = "13"


class RequestRefusedError(Exception):
    """The bytes are no request that can be served; ``response`` is the last thing to send."""

    def __init__(self, response: Response) -> None:
        super().__init__(response.body.decode())
        self.response = response


@dataclass(frozen=True, slots=True)
class Upgrade:
    """A request to speak WebSocket from here on; ``accept`` answers its key (RFC 6455 section 4.2.2)."""

    request: Request
    accept: str


class HttpSide:
    """Bytes to requests, responses to bytes."""

    __slots__ = ("_body", "_connection", "_fields", "_head", "keep_alive")

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=HEADER_BYTES_MAX)
        self._head: h11.Request | None = None
        self._fields: Fields = []
        self._body = bytearray()
        self.keep_alive = True

    def feed(self, data: bytes) -> None:
        """Take bytes in."""
        self._connection.receive_data(data)

    def next_request(self) -> tuple[Request | Upgrade | None, bytes]:
        """Return the next whole request, ``None`` if more bytes are needed, and bytes to send at once.

        Raises ``RequestRefusedError``; nothing more can be read after it.
        """
        interim = b""
        while True:
            try:
                event = self._connection.next_event()
            except h11.RemoteProtocolError as error:
                raise _refused(error.error_status_hint or 400, str(error)) from None
            match event:
                case h11.Request():
                    self._fields = list(event.headers)  # once: h11 makes each pair anew for every reading
                    self._head = _unambiguous(event, self._fields)
                    self._body = bytearray()
                    if self._connection.they_are_waiting_for_100_continue:
                        interim += (
                            self._connection.send(h11.InformationalResponse(status_code=100, headers=[]))
                            or b""
                        )
                case h11.Data():
                    self._body += event.data
                    if len(self._body) > BODY_BYTES_MAX:
                        raise _refused(413, f"the body is larger than {BODY_BYTES_MAX} bytes")
                case h11.EndOfMessage() if self._head is not None:
                    return _request(self._head, self._fields, bytes(self._body)), interim
                case _:  # more data needed, paused until the answer, or closed
                    return None, interim

    def respond(self, response: Response) -> bytes:
        """Write an answer to the request handed out last, or the last words after a refusal."""
        connection = self._connection
        if connection.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            self.keep_alive = False
            return b""
        headers = [*response.headers, ("Content-Length", str(len(response.body)))]
        if connection.their_state is h11.ERROR:
            headers.append(("Connection", "close"))
        sent = connection.send(h11.Response(status_code=response.status, headers=headers)) or b""
        is_head = self._head is not None and self._head.method == b"HEAD"
        if response.body and not is_head:
            sent += connection.send(h11.Data(data=response.body)) or b""
        sent += connection.send(h11.EndOfMessage()) or b""
        if connection.states == {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE}:
            connection.start_next_cycle()
        else:
            self.keep_alive = False
        return sent

    def switch(self, upgrade: Upgrade) -> tuple[bytes, bytes]:
        """Answer an upgrade; return the bytes to send, and those that came already for the new protocol."""
        headers = [
            ("Upgrade", "websocket"),
            ("Connection", "Upgrade"),
            ("Sec-WebSocket-Accept", upgrade.accept),
        ]
        sent = self._connection.send(h11.InformationalResponse(status_code=101, headers=headers)) or b""
        return sent, bytes(self._connection.trailing_data[0])


def _unambiguous(head: h11.Request, fields: Fields) -> h11.Request:
    """Refuse a request that two readers could frame differently (RFC 9112 section 6.3)."""
    names = [name for name, _ in fields]
    if b"transfer-encoding" in names and b"content-length" in names:
        raise _refused(400, "the request has both Content-Length and Transfer-Encoding")
    if names.count(b"host") > 1:
        raise _refused(400, "the request has more than one Host")
    if not head.http_version.startswith(b"1."):
        raise _refused(505, "HTTP/1.1 is spoken here")
    if len(head.target) + sum([len(name) + len(value) for name, value in fields]) > HEADER_BYTES_MAX:
        raise _refused(431, f"the headers are larger than {HEADER_BYTES_MAX} bytes")
    return head


def _request(head: h11.Request, fields: Fields, body: bytes) -> Request | Upgrade:
    headers: dict[str, str] = {}
    for name, value in fields:  # h11 gives names in lower case
        key, text = name.decode("latin-1"), value.decode("latin-1")
        headers[key] = f"{headers[key]}, {text}" if key in headers else text
    try:
        path, query = split_target(head.target.decode("latin-1"))
    except BadTargetError as error:
        raise _refused(400, str(error)) from None
    request = Request(head.method.decode("latin-1"), path, query, headers, body)
    if headers.get("upgrade", "").lower() == "websocket":
        return _upgrade(request)
    return request


def _upgrade(request: Request) -> Upgrade:
    headers = request.headers
    connection = [word.strip().lower() for word in headers.get("connection", "").split(",")]
    if request.method != "GET" or request.body or "upgrade" not in connection:
        raise _refused(400, "a WebSocket is opened by GET without a body, with Connection: Upgrade")
    if headers.get("sec-websocket-version") != WS_VERSION:
        raise RequestRefusedError(
            Response(426, (("Sec-WebSocket-Version", WS_VERSION),), b"WebSocket version 13 is spoken here")
        )
    key = headers.get("sec-websocket-key", "")
    try:
        is_key = len(b64decode(key, validate=True)) == _WS_KEY_BYTES
    except (Base64Error, ValueError):
        is_key = False
    if not is_key:
        raise _refused(400, "Sec-WebSocket-Key must be 16 bytes as base64")
    digest = sha1((key + _WS_GUID).encode(), usedforsecurity=False).digest()
    return Upgrade(request, b64encode(digest).decode())


def _refused(status: int, text: str) -> RequestRefusedError:
    return RequestRefusedError(Response(status, (("Content-Type", "text/plain"),), text.encode()))
