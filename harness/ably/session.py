"""One socket: HTTP first, WebSocket after an upgrade; bytes in, requests and payloads out, bytes out.

Owns the phases of a socket and its deadlines: how long a request may take to arrive, and how long a peer may
take to close. Does not know what a request or a payload means (``server`` does).
"""

from collections.abc import Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

from harness.ably.codec import Format
from harness.ably.credentials import Credentials
from harness.ably.impairment import Impairment
from harness.ably.websocket_side import Payload, WebSocketSide
from harness.http.server_side import HttpSide, RequestRefusedError, Upgrade
from harness.http.values import Request, Response

NS_PER_S: Final = 1_000_000_000
REQUEST_NS_MAX: Final = 30 * NS_PER_S
"""From the opening, or the last response, to the end of the next request: slow senders and idle ones."""
CLOSING_NS_MAX: Final = 2 * NS_PER_S
"""How long the peer may take to answer a close frame; the SDKs answer at once."""


class Phase(Enum):
    """Where a socket is in its life."""

    HTTP = auto()
    WEBSOCKET = auto()
    CLOSING = auto()
    ENDED = auto()


class Turn(Enum):
    """What moves a socket on."""

    UPGRADED = auto()
    CLOSE_BEGUN = auto()
    FINISHED = auto()


TURNS: Final[Mapping[tuple[Phase, Turn], Phase]] = MappingProxyType(
    {
        (Phase.HTTP, Turn.UPGRADED): Phase.WEBSOCKET,
        (Phase.HTTP, Turn.FINISHED): Phase.ENDED,
        (Phase.WEBSOCKET, Turn.CLOSE_BEGUN): Phase.CLOSING,
        (Phase.WEBSOCKET, Turn.FINISHED): Phase.ENDED,
        (Phase.CLOSING, Turn.CLOSE_BEGUN): Phase.CLOSING,
        (Phase.CLOSING, Turn.FINISHED): Phase.ENDED,
        (Phase.ENDED, Turn.CLOSE_BEGUN): Phase.ENDED,
        (Phase.ENDED, Turn.FINISHED): Phase.ENDED,
    }
)
"""An upgrade happens once; a socket without WebSocket is finished, not closed by handshake."""


class Session:
    """One socket. Feed it with :meth:`receive`, then take events with :meth:`next_event` until ``None``."""

    __slots__ = (
        "_http",
        "_payloads",
        "_websocket",
        "app_id",
        "credentials",
        "deadline_ns",
        "form",
        "id",
        "impairment",
        "outbox",
        "phase",
    )

    def __init__(self, session_id: int, now_ns: int) -> None:
        self.id = session_id
        self.phase = Phase.HTTP
        self.outbox: list[bytes] = []
        self.form = Format.JSON
        self.app_id: str | None = None
        self.credentials: Credentials | None = None
        self.impairment: Impairment | None = None
        self.deadline_ns: int | None = now_ns + REQUEST_NS_MAX
        self._http: HttpSide | None = HttpSide()
        self._websocket: WebSocketSide | None = None
        self._payloads: list[Payload] = []

    def _turn(self, turn: Turn) -> None:
        self.phase = TURNS[(self.phase, turn)]

    def receive(self, data: bytes, now_ns: int) -> None:
        """Take bytes in."""
        if self._websocket is not None:
            self._payloads += self._websocket.receive(data)
            self._follow(now_ns)
        elif self._http is not None and self.phase is Phase.HTTP:
            self._http.feed(data)

    def next_event(self) -> Request | Upgrade | Payload | None:
        """Return the next thing to act upon. A request must be answered before the next is handed out."""
        if self._payloads:
            return self._payloads.pop(0)
        if self._http is None or self.phase is not Phase.HTTP:
            return None
        try:
            event, interim = self._http.next_request()
        except RequestRefusedError as refused:
            self.outbox.append(self._http.respond(refused.response))
            self._turn(Turn.FINISHED)
            return None
        if interim:
            self.outbox.append(interim)
        return event

    def respond(self, response: Response, now_ns: int) -> None:
        """Answer the request handed out last."""
        if self._http is None:
            raise ValueError(f"session {self.id} speaks WebSocket; only HTTP requests are answered")
        self.outbox.append(self._http.respond(response))
        self.deadline_ns = now_ns + REQUEST_NS_MAX
        if not self._http.keep_alive:
            self._turn(Turn.FINISHED)

    def accept(self, upgrade: Upgrade, now_ns: int) -> None:
        """Speak WebSocket from here on."""
        if self._http is None:
            raise ValueError(f"session {self.id} was upgraded before")
        sent, trailing = self._http.switch(upgrade)
        self.outbox.append(sent)
        self._http = None
        self._websocket = WebSocketSide(self.outbox)
        self.deadline_ns = None
        self._turn(Turn.UPGRADED)
        if trailing:
            self.receive(trailing, now_ns)

    def send(self, frame: bytes) -> None:
        """Send a frame (see ``websocket_side.frame_bytes``); one for a socket that is closing is lost."""
        if self.phase is Phase.WEBSOCKET:
            self.outbox.append(frame)

    def close(self, now_ns: int, code: int = 1000, reason: str = "") -> None:
        """Close by handshake what can be, the rest at once."""
        if self._websocket is not None and self.phase is Phase.WEBSOCKET:
            self._websocket.close(code, reason)
            self._follow(now_ns)
        elif self.phase is Phase.HTTP:
            self.finish()

    def finish(self) -> None:
        """End the socket without a word."""
        self._turn(Turn.FINISHED)

    def _follow(self, now_ns: int) -> None:
        """Take over what the WebSocket protocol did of its own accord."""
        websocket = self._websocket
        if websocket is None or websocket.is_open:
            return
        if self.phase is Phase.WEBSOCKET:
            self.deadline_ns = now_ns + CLOSING_NS_MAX
        self._turn(Turn.CLOSE_BEGUN)
        if websocket.ended:
            self._turn(Turn.FINISHED)

    def next_due_ns(self) -> int | None:
        """Return when the session needs attention."""
        if self.impairment is None:
            return self.deadline_ns
        held_ns = self.impairment.next_due_ns()
        if held_ns is None or self.deadline_ns is None:
            return self.deadline_ns if held_ns is None else held_ns
        return min(held_ns, self.deadline_ns)
