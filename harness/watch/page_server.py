"""The server of pages: bytes in, bytes out, over the project's HTTP and WebSocket sessions.

Owns which page is on which topic and what each was sent last. A page opens a WebSocket on a topic and is sent
the topic's view, again whenever it differs; what it sends is one JSON object at a time.

Invariant: nothing is handed out before the gate has let the request in.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from harness.ably.codec import Format
from harness.ably.server import CloseSocket, Output, Write
from harness.ably.session import Phase, Session
from harness.ably.websocket_side import Payload, frame_bytes
from harness.http.server_side import Upgrade
from harness.http.values import Request, Response
from harness.report.markup import printable
from harness.watch.gate import ALWAYS, Gate
from harness.watch.pages import Document, Pages

SAID_BYTES_MAX: Final = 4096
"""What a page says is a button's name and the like."""
_FEED: Final = "feed"
_UNSUPPORTED: Final = 1003
_POLICY_VIOLATION: Final = 1008
_PLAIN: Final = ("Content-Type", "text/plain; charset=utf-8")


@dataclass(slots=True)
class _Client:
    """One socket; ``topic`` is set once it is a WebSocket."""

    session: Session
    topic: str | None = None
    sent: str = ""


class PageServer:
    """All sockets of one server. Implements ``harness.ably.listener.Speaker``."""

    def __init__(self, pages: Pages) -> None:
        self.gate: Gate | None = None
        self._pages = pages
        self._clients: dict[int, _Client] = {}
        self._count = 0

    def opened(self, now_ns: int) -> int:
        """Note a new socket and return its session."""
        self._count += 1
        self._clients[self._count] = _Client(Session(self._count, now_ns))
        return self._count

    def received(self, session_id: int, data: bytes, now_ns: int) -> tuple[Output, ...]:
        """Take in bytes from a socket; those of a session that is over are ignored."""
        client = self._clients.get(session_id)
        if client is None:
            return ()
        client.session.receive(data, now_ns)
        while (event := client.session.next_event()) is not None:
            match event:
                case Request():
                    client.session.respond(self._response(event), now_ns)
                case Upgrade():
                    self._upgrade(client, event, now_ns)
                case Payload():
                    self._said(client, event, now_ns)
        return self._flush((client,))

    def lost(self, session_id: int, now_ns: int) -> tuple[Output, ...]:  # noqa: ARG002 - the contract's signature
        """Note that a socket is gone."""
        self._forget(session_id)
        return ()

    def next_deadline_ns(self) -> int | None:
        """Return when a socket will have taken too long."""
        due = [it.session.deadline_ns for it in self._clients.values() if it.session.deadline_ns is not None]
        return min(due, default=None)

    def tick(self, now_ns: int) -> tuple[Output, ...]:
        """End the sockets that took too long."""
        late = [it for it in self._clients.values() if (it.session.deadline_ns or now_ns + 1) <= now_ns]
        for client in late:
            client.session.finish()
        return self._flush(late)

    def refresh(self) -> tuple[Output, ...]:
        """Send every page what it shows now, where that differs from what it was sent."""
        texts: dict[str, str] = {}
        for client in self._clients.values():
            if client.topic is not None:
                if client.topic not in texts:
                    texts[client.topic] = self._text(client.topic)
                _send(client, texts[client.topic])
        return self._flush(tuple(self._clients.values()))

    # -- requests

    def _response(self, request: Request) -> Response:
        assert self.gate is not None, "the gate is set before the server listens"
        refusal = self.gate.refusal(request)
        if refusal is not None:
            return _told(403, refusal)
        if request.method not in ("GET", "HEAD"):
            return _told(405, "Pages are read with GET.")
        if len(request.path) == 1:
            return Response(308, (("Location", f"/{self.gate.token}/"), *ALWAYS))
        document = self._pages.document("/".join(request.path[1:]))
        if document is None:
            return _told(404, "There is no such page.")
        return self._sent(request, document)

    def _sent(self, request: Request, document: Document) -> Response:
        assert self.gate is not None, "the gate is set before the server listens"
        headers = dict(self.gate.headers(request.headers))
        if document.policy:
            headers["Content-Security-Policy"] = document.policy
        return Response(200, (("Content-Type", document.media_type), *headers.items()), document.body)

    def _upgrade(self, client: _Client, upgrade: Upgrade, now_ns: int) -> None:
        assert self.gate is not None, "the gate is set before the server listens"
        refusal = self.gate.refusal(upgrade.request, websocket=True)
        if refusal is not None:
            client.session.respond(_told(403, refusal), now_ns)
            return
        _, *place = upgrade.request.path
        topic = "/".join(place[1:])
        if place[:1] != [_FEED] or self._pages.view(topic) is None:
            client.session.respond(_told(404, "There is no such feed."), now_ns)
            return
        client.session.accept(upgrade, now_ns)
        client.topic = topic
        self._tell_audience()
        _send(client, self._text(topic))

    def _said(self, client: _Client, payload: Payload, now_ns: int) -> None:
        if payload.form is not Format.JSON or len(payload.data) > SAID_BYTES_MAX:
            client.session.close(now_ns, _UNSUPPORTED, "one small JSON object is due")
            return
        try:
            record: Any = json.loads(payload.data)
        except (ValueError, RecursionError):
            record = None
        if not isinstance(record, dict) or client.topic is None:
            client.session.close(now_ns, _POLICY_VIOLATION, "one JSON object is due")
            return
        self._pages.said(client.topic, record)

    # -- clients

    def _text(self, topic: str) -> str:
        return printable(json.dumps(self._pages.view(topic), ensure_ascii=False))

    def _flush(self, clients: Iterable[_Client]) -> tuple[Output, ...]:
        return tuple(output for client in clients for output in self._flushed(client))

    def _flushed(self, client: _Client) -> Iterator[Output]:
        session = client.session
        if session.outbox:
            yield Write(session.id, b"".join(session.outbox))
            session.outbox.clear()
        if session.phase is Phase.ENDED:
            yield CloseSocket(session.id)
            self._forget(session.id)

    def _forget(self, session_id: int) -> None:
        client = self._clients.pop(session_id, None)
        if client is not None and client.topic is not None:
            self._tell_audience()

    def _tell_audience(self) -> None:
        self._pages.audience(Counter(it.topic for it in self._clients.values() if it.topic is not None))


def _send(client: _Client, text: str) -> None:
    if text != client.sent:
        client.sent = text
        client.session.send(frame_bytes(text.encode(), Format.JSON))


def _told(status: int, text: str) -> Response:
    return Response(status, (_PLAIN, *ALWAYS), f"{text}\n".encode())
