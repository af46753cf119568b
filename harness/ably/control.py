"""The control endpoint: faults for clients that are connected, on request. Off unless asked for.

``GET /control/connections`` lists connections; ``POST /control/faults`` with a JSON body such as
``{"fault": "drop", "connectionId": "..."}`` makes one fail. See ``docs/ably-server.md`` for the faults.

Owns the reading of fault requests and the table of faults. Web pages can not call it: it grants no origin,
refuses requests that name one, and takes JSON only. Does not carry faults out (``server`` does).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final, Protocol

from harness.ably import fields
from harness.ably.apps import App, Apps
from harness.ably.calls import Answer, write_answer, write_refusal
from harness.ably.codec import CodecError, Format, decode
from harness.ably.fields import Fields, refuse
from harness.ably.impairment import NEVER_NS
from harness.ably.message_wire import Wire
from harness.ably.session import Session
from harness.channel.connections import Connection
from harness.channel.errors import ErrorInfo, RefusalError, error_info
from harness.channel.rules import NS_PER_MS
from harness.http.values import Request, Response

CONTROL: Final = "control"
_DURATION_MS_MAX: Final = 86_400_000


class Faults(Protocol):
    """What a server can be made to suffer; see :class:`harness.ably.server.Server`."""

    apps: Apps

    def sessions(self) -> tuple[Session, ...]:
        """Return the sessions of all sockets."""

    def cut(self, session_id: int) -> None:
        """End a socket without a word."""

    def disconnect(self, session_id: int, error: ErrorInfo, now_ns: int) -> None:
        """Ask a client to reconnect."""

    def impair(self, session_id: int, delay_ns: int, hold_until_ns: int) -> None:
        """Hold bytes back, both ways."""

    def heal(self, session_id: int) -> None:
        """Let held bytes pass."""

    def forget(self, app: App, connection_id: str, now_ns: int) -> None:
        """Lose the state of a connection."""


@dataclass(frozen=True, slots=True)
class Target:
    """One connection, and its session while it has a socket."""

    app: App
    connection: Connection
    session: Session | None

    @property
    def live(self) -> Session:
        """The session; 40400 for a connection that is without a socket."""
        if self.session is None:
            raise refuse(40400, f"the connection {self.connection.id} has no socket at the moment")
        return self.session


def _drop(server: Faults, target: Target, _body: Fields, _now_ns: int) -> None:
    server.cut(target.live.id)


def _disconnect(server: Faults, target: Target, _body: Fields, now_ns: int) -> None:
    server.disconnect(target.live.id, error_info(80003, "the control endpoint asks to reconnect"), now_ns)


def _blackhole(server: Faults, target: Target, body: Fields, now_ns: int) -> None:
    duration_ms = _duration_ms(body, "durationMs")
    until_ns = NEVER_NS if duration_ms is None else now_ns + duration_ms * NS_PER_MS
    server.impair(target.live.id, 0, until_ns)


def _delay(server: Faults, target: Target, body: Fields, _now_ns: int) -> None:
    delay_ms = _duration_ms(body, "delayMs")
    if delay_ms is None:
        raise refuse(40000, "the fault delay needs delayMs")
    server.impair(target.live.id, delay_ms * NS_PER_MS, 0)


def _heal(server: Faults, target: Target, _body: Fields, _now_ns: int) -> None:
    server.heal(target.live.id)


def _expire_token(server: Faults, target: Target, _body: Fields, now_ns: int) -> None:
    credentials = target.live.credentials
    if credentials is not None:
        target.app.authenticator.expire(credentials, now_ns // NS_PER_MS)
    server.disconnect(target.live.id, error_info(40142, "the token has expired"), now_ns)


def _forget(server: Faults, target: Target, _body: Fields, now_ns: int) -> None:
    server.forget(target.app, target.connection.id, now_ns)


FAULTS: Final[Mapping[str, Callable[[Faults, Target, Fields, int], None]]] = MappingProxyType(
    {
        "drop": _drop,
        "disconnect": _disconnect,
        "blackhole": _blackhole,
        "delay": _delay,
        "heal": _heal,
        "expire-token": _expire_token,
        "forget": _forget,
    }
)


class Control:
    """Answers requests under ``/control``."""

    def __init__(self, server: Faults) -> None:
        self._server = server

    def handle(self, request: Request, now_ns: int) -> Response:
        """Carry a request out; its fault shows in the same flush as the response."""
        try:
            value = self._answer(request, now_ns)
        except RefusalError as refused:
            return write_refusal(refused.info, Format.JSON)
        return write_answer(Answer(value), Format.JSON)

    def _answer(self, request: Request, now_ns: int) -> object:
        if "origin" in request.headers:
            raise refuse(40300, "web pages may not use the control endpoint")
        match (request.method, *request.path[1:]):
            case ("GET", "connections"):
                return [_described(target) for target in self._targets({})]
            case ("POST", "faults"):
                return self._fault(request, now_ns)
            case _:
                raise refuse(40400, "there are GET /control/connections and POST /control/faults")

    def _fault(self, request: Request, now_ns: int) -> object:
        if request.headers.get("content-type", "").partition(";")[0].strip() != Format.JSON.content_type:
            raise refuse(40000, "send the fault as Content-Type: application/json")
        try:
            body = decode(request.body, Format.JSON)
        except CodecError as error:
            raise refuse(40000, str(error)) from None
        if not isinstance(body, Mapping):
            raise refuse(40000, "a fault is a JSON map")
        name = fields.text(body, "fault")
        act = FAULTS.get(name or "")
        if act is None:
            raise refuse(40000, f"there is no fault {name!r}; there are {', '.join(FAULTS)}")
        targets = self._targets(body)
        if not targets:
            raise refuse(40400, "no connection fits; name connectionId or clientId, or neither for all")
        for target in targets:
            act(self._server, target, body, now_ns)
        return {"fault": name, "connections": [target.connection.id for target in targets]}

    def _targets(self, body: Fields) -> list[Target]:
        connection_id, client_id = fields.text(body, "connectionId"), fields.text(body, "clientId")
        by_transport = {session.id: session for session in self._server.sessions()}
        return [
            Target(app, connection, _session(app, connection, by_transport))
            for app in self._server.apps
            for connection in app.service.connections()
            if connection_id in (None, connection.id) and client_id in (None, connection.actor.client_id)
        ]


def _session(app: App, connection: Connection, sessions: Mapping[int, Session]) -> Session | None:
    session = sessions.get(connection.transport)
    return session if session is not None and session.app_id == app.id else None


def _described(target: Target) -> Wire:
    connection = target.connection
    return {
        "app": target.app.id,
        "connectionId": connection.id,
        "clientId": connection.actor.client_id,
        "live": target.session is not None,
        "channels": list(connection.attachments),
    }


def _duration_ms(body: Fields, name: str) -> int | None:
    duration_ms = fields.whole(body, name)
    if duration_ms is not None and duration_ms > _DURATION_MS_MAX:
        raise refuse(40000, f"{name} may be a day at most")
    return duration_ms
