"""The server: many sockets in front of many apps, as one sans-IO object.

Example::

    server = Server("a seed text for this boot", ServerOptions(), [AppConfig("app", (parse_key("app.k:s"),))])
    session = server.opened(now_ns)
    for output in server.received(session, data, now_ns):   # Write(session, bytes) or CloseSocket(session)
        ...
    server.lost(session, now_ns)                             # when the socket is gone

The caller owns sockets, clock and timers: it calls :meth:`Server.tick` when :meth:`Server.next_deadline_ns`
comes. Every call returns a finished tuple of outputs, in order, possibly for other sockets than the one it
was about. ``now_ns`` is Unix time in nanoseconds.

Owns the way from a socket to its connection (upgrade and credentials, frames, AUTH, closing) and
the sharing of encoded frames among receivers. The invariant: a session speaks for at most one connection of
one app. Does not order, authorise or remember messages (``harness.channel`` does).
"""

import heapq
import logging
from collections.abc import Iterable
from typing import Final, NamedTuple, TypeAlias, assert_never

from harness.ably.apps import App, AppConfig, Apps, ServerOptions
from harness.ably.authenticator import app_of
from harness.ably.codec import CodecError, Format, decode, encode
from harness.ably.control import CONTROL, Control
from harness.ably.credentials import Credentials, TokenText, claimed_identity, from_query
from harness.ably.deadlines import Deadlines
from harness.ably.fields import refuse
from harness.ably.impairment import Impairment
from harness.ably.inbound import Ignored, Refused, read_frame
from harness.ably.outbound import write_frame
from harness.ably.rates import Rates
from harness.ably.routes import Rest
from harness.ably.session import Phase, Session
from harness.ably.websocket_side import Payload, frame_bytes
from harness.channel.commands import Authorise, Command, Connect, Operate, Publish
from harness.channel.errors import ErrorInfo, RefusalError, error_info
from harness.channel.events import AuthPrompt, ConnectionFailed, Effects, Event, Nack, Send, TransportId
from harness.http.server_side import Upgrade
from harness.http.values import Request, Response

LOG: Final = logging.getLogger("harness.ably")
PROTOCOL_MIN: Final = 2
_SHARED_FRAMES_MAX: Final = 8
"""Encoded frames remembered while one batch of effects is carried out: the variants of one delivery."""


class Write(NamedTuple):
    """Send ``data`` on a session's socket."""

    session: int
    data: bytes


class CloseSocket(NamedTuple):
    """Close a session's socket once everything written has been sent; the session is over."""

    session: int


Output: TypeAlias = Write | CloseSocket


class Server:
    """All sessions of one listener. ``seed_text`` decides all ids: give another one to every boot."""

    def __init__(self, seed_text: str, options: ServerOptions, apps: Iterable[AppConfig]) -> None:
        self.options = options
        self.apps = Apps(seed_text, options, apps)
        self._rest = Rest(self.apps, sandbox=options.sandbox)
        self._rates = Rates(options.messages_per_s, options.channel_messages_per_s, options.frames_per_s)
        self._control = Control(self) if options.control else None
        self._sessions: dict[int, Session] = {}
        self._deadlines = Deadlines()
        self._rechecks: list[tuple[int, str]] = []
        self._dirty: dict[int, Session] = {}
        self._shared: list[tuple[Event, Format, bytes]] = []
        self._count = 0

    # -- what befalls a socket ------------------------------------------------------------------------------

    def opened(self, now_ns: int) -> int:
        """Note a new socket and return its session."""
        self._count += 1
        session = self._sessions[self._count] = Session(self._count, now_ns)
        self._deadlines.set(session.id, session.next_due_ns())
        return session.id

    def received(self, session_id: int, data: bytes, now_ns: int) -> tuple[Output, ...]:
        """Take in bytes from a socket; those of a session that is over are ignored."""
        session = self._sessions.get(session_id)
        if session is None:
            return ()
        if session.impairment is None:
            self._take_in(session, data, now_ns)
        elif not session.impairment.inbound.put(session.impairment.due_ns(now_ns), data):
            session.finish()
        self._dirty[session_id] = session
        return self._flush(now_ns)

    def lost(self, session_id: int, now_ns: int) -> tuple[Output, ...]:
        """Note that a socket is gone; its connection can be resumed."""
        session = self._sessions.pop(session_id, None)
        if session is None:
            return ()
        self._deadlines.set(session_id, None)
        self._dirty.pop(session_id, None)
        self._leave(session, now_ns)
        return self._flush(now_ns)

    # -- time -----------------------------------------------------------------------------------------------

    def next_deadline_ns(self) -> int | None:
        """Return when :meth:`tick` is next needed, ``None`` while nothing is awaited."""
        nearest = self._deadlines.next_ns()
        if self._rechecks and (nearest is None or self._rechecks[0][0] < nearest):
            nearest = self._rechecks[0][0]
        for app in self.apps.by_id.values():
            due_ns = app.service.next_deadline_ns()
            if due_ns is not None and (nearest is None or due_ns < nearest):
                nearest = due_ns
        return nearest

    def tick(self, now_ns: int) -> tuple[Output, ...]:
        """Do everything that is due."""
        while (owner := self._deadlines.pop_due(now_ns)) is not None:
            session = self._sessions[owner]
            if session.deadline_ns is not None and session.deadline_ns <= now_ns:
                LOG.info("session %d: %s took too long", session.id, session.phase.name)
                session.deadline_ns = None
                session.finish()
            elif session.impairment is not None:
                for data in session.impairment.inbound.take(now_ns):
                    self._take_in(session, data, now_ns)
            self._dirty[owner] = session
        while self._rechecks and self._rechecks[0][0] <= now_ns:
            app_id = heapq.heappop(self._rechecks)[1]
            if app_id in self.apps.by_id:
                self._recheck(self.apps.by_id[app_id], now_ns)
        for app in self.apps:
            due_ns = app.service.next_deadline_ns()
            if due_ns is not None and due_ns <= now_ns:
                self._carry_out(app.service.tick(now_ns), now_ns)
        return self._flush(now_ns)

    # -- faults, made on purpose ----------------------------------------------------------------------------

    def sessions(self) -> tuple[Session, ...]:
        """Return the sessions of all sockets, to look at."""
        return tuple(self._sessions.values())

    def cut(self, session_id: int) -> None:
        """End a socket without a word, as a lost network does. Faults show with the next :meth:`flush`."""
        session = self._sessions[session_id]
        session.finish()
        self._dirty[session_id] = session

    def disconnect(self, session_id: int, error: ErrorInfo, now_ns: int) -> None:
        """Ask a client to reconnect (spec RTN15h)."""
        session = self._sessions[session_id]
        app = self._app(session)
        if app is not None:
            self._carry_out(app.service.disconnect(TransportId(session_id), now_ns, error), now_ns)

    def impair(self, session_id: int, delay_ns: int, hold_until_ns: int) -> None:
        """Delay every byte of a socket, both ways, and let none pass before a time."""
        session = self._sessions[session_id]
        if session.impairment is None:
            session.impairment = Impairment()
        session.impairment.delay_ns, session.impairment.hold_until_ns = delay_ns, hold_until_ns
        self._dirty[session_id] = session

    def heal(self, session_id: int) -> None:
        """Let everything that is held back on a socket pass now."""
        session = self._sessions[session_id]
        if session.impairment is not None:
            session.impairment.release()
            self._dirty[session_id] = session

    def forget(self, app: App, connection_id: str, now_ns: int) -> None:
        """Lose the state of a connection, as a crashed front end would; its socket is closed."""
        self._carry_out(app.service.forget(connection_id, now_ns), now_ns)

    def flush(self, now_ns: int) -> tuple[Output, ...]:
        """Return what faults have caused."""
        return self._flush(now_ns)

    # -- from a socket to its connection --------------------------------------------------------------------

    def _take_in(self, session: Session, data: bytes, now_ns: int) -> None:
        session.receive(data, now_ns)
        while (event := session.next_event()) is not None:
            match event:
                case Request():
                    session.respond(self._respond(event, now_ns), now_ns)
                case Upgrade():
                    self._upgrade(session, event, now_ns)
                case Payload():
                    self._payload(session, event, now_ns)
                case _:
                    assert_never(event)
        if session.phase in (Phase.CLOSING, Phase.ENDED):
            self._leave(session, now_ns)

    def _respond(self, request: Request, now_ns: int) -> Response:
        if self._control is not None and request.path[:1] == (CONTROL,):
            return self._control.handle(request, now_ns)
        response, answer = self._rest.handle(request, now_ns)
        LOG.info("%s /%s: %d", request.method, "/".join(request.path), response.status)
        self._carry_out(answer.effects, now_ns)
        if answer.revoked_ns is not None and answer.app is not None:
            self._revoke(answer.app, answer.revoked_ns, now_ns)
        return response

    def _upgrade(self, session: Session, upgrade: Upgrade, now_ns: int) -> None:
        if upgrade.request.path:
            session.respond(Response(404, (("Content-Type", "text/plain"),), b"connect to /"), now_ns)
            return
        session.accept(upgrade, now_ns)
        query = upgrade.request.query
        session.form = Format.MSGPACK if query.get("format") == Format.MSGPACK else Format.JSON
        try:
            _check_version(query.get("v"))
            credentials = from_query(query)
            app = self.apps.of(app_of(credentials))
            command = Connect(
                credentials,
                claimed_identity(query.get("clientId")),
                query.get("resume") or None,
                query.get("recover") or None,
                query.get("echo", "true").lower() != "false",
                _remain_present_ms(query.get("remainPresentFor")),
            )
            self._check_continuation(app, command)
        except RefusalError as refused:
            self._fail(session, refused.info, now_ns)
            return
        session.app_id, session.credentials = app.id, credentials
        self._carry_out(app.service.connect(TransportId(session.id), command, now_ns), now_ns)

    def _check_continuation(self, app: App, command: Connect) -> None:
        """Refuse with 40102 to continue a connection of another app."""
        key = command.resume or command.recover
        if key is not None and any(other.knows(key) for other in self.apps if other is not app):
            raise refuse(40102, "unable to resume: the connection is of another app than the credentials")

    def _payload(self, session: Session, payload: Payload, now_ns: int) -> None:
        app = self._app(session)
        if app is None:
            return  # a frame behind the one that ended the connection
        exceeded = self._rates.frame(session.id, now_ns)
        if exceeded is not None:
            self._fail(session, exceeded, now_ns)
            return
        try:
            inbound = read_frame(decode(payload.data, payload.form))
        except CodecError as error:
            self._fail(session, error_info(40000, str(error)), now_ns)
        except RefusalError as refused:
            self._fail(session, refused.info, now_ns)
        else:
            if isinstance(inbound, Refused):
                self._send(session, Nack(inbound.msg_serial, inbound.error))
            elif isinstance(inbound, Ignored):
                LOG.debug("session %d: ignored a frame: %s", session.id, inbound.why)
            else:
                self._command(session, app, inbound, now_ns)

    def _command(self, session: Session, app: App, command: Command, now_ns: int) -> None:
        if isinstance(command, Publish | Operate):
            added = len(command.messages) if isinstance(command, Publish) else 1
            exceeded = self._rates.messages(session.id, (app.id, command.channel), added, now_ns)
            if exceeded is not None:
                self._send(session, Nack(command.msg_serial, exceeded))
                return
        self._carry_out(app.service.receive(TransportId(session.id), command, now_ns), now_ns)
        if isinstance(command, Authorise) and isinstance(command.credentials, TokenText):
            session.credentials = command.credentials

    def _leave(self, session: Session, now_ns: int) -> None:
        """Part a session from its connection, which can be resumed on another."""
        app = self._app(session)
        session.app_id = None
        if app is not None:
            self._carry_out(app.service.drop(TransportId(session.id), now_ns), now_ns)

    def _app(self, session: Session) -> App | None:
        return None if session.app_id is None else self.apps.by_id.get(session.app_id)

    def _fail(self, session: Session, error: ErrorInfo, now_ns: int) -> None:
        """End a session, and its connection if it has one, for the client's fault."""
        LOG.info("session %d: failed with %d: %s", session.id, error.code, error.message)
        app = self._app(session)
        effects = app.service.fail(TransportId(session.id), error, now_ns) if app is not None else ()
        if effects:
            self._carry_out(effects, now_ns)
        else:
            self._send(session, ConnectionFailed(error))
            session.close(now_ns)
        session.app_id = None

    def _revoke(self, app: App, applies_ns: int, now_ns: int) -> None:
        """Enforce a revocation when it applies; until then clients may come with new tokens."""
        if applies_ns <= now_ns:
            self._recheck(app, now_ns)
            return
        heapq.heappush(self._rechecks, (applies_ns, app.id))
        for session in tuple(self._sessions.values()):
            if session.app_id == app.id and isinstance(session.credentials, TokenText):
                self._send(session, AuthPrompt())
                self._dirty[session.id] = session

    def _recheck(self, app: App, now_ns: int) -> None:
        """Disconnect the connections of an app whose credentials are not accepted any more."""
        for session in tuple(self._sessions.values()):
            if session.app_id == app.id and session.credentials is not None:
                error = _objection(app, session.credentials, now_ns)
                if error is not None:
                    self._carry_out(app.service.disconnect(TransportId(session.id), now_ns, error), now_ns)

    # -- from effects to bytes ------------------------------------------------------------------------------

    def _carry_out(self, effects: Effects, now_ns: int) -> None:
        sessions, dirty = self._sessions, self._dirty
        for effect in effects:
            session = sessions.get(effect.transport)
            if session is None:
                continue
            if isinstance(effect, Send):
                session.send(self._frame(effect.event, session.form))
            else:
                session.close(now_ns)
                session.app_id = None
            dirty[session.id] = session
        self._shared.clear()

    def _send(self, session: Session, event: Event) -> None:
        session.send(frame_bytes(encode(write_frame(event, session.form), session.form), session.form))

    def _frame(self, event: Event, form: Format) -> bytes:
        """Encode an event, once for all receivers that follow each other."""
        for known, known_form, frame in self._shared:
            if known is event and known_form is form:
                return frame
        frame = frame_bytes(encode(write_frame(event, form), form), form)
        if len(self._shared) >= _SHARED_FRAMES_MAX:
            del self._shared[0]
        self._shared.append((event, form, frame))
        return frame

    def _flush(self, now_ns: int) -> tuple[Output, ...]:
        outputs: list[Output] = []
        while self._dirty:
            dirty, self._dirty = self._dirty, {}
            for session in dirty.values():
                self._flush_session(session, outputs, now_ns)
        return tuple(outputs)

    def _flush_session(self, session: Session, outputs: list[Output], now_ns: int) -> None:
        outbox = session.outbox
        if session.impairment is not None:
            self._hold_back(session, session.impairment, now_ns)
        if outbox:
            outputs.append(Write(session.id, outbox[0] if len(outbox) == 1 else b"".join(outbox)))
            outbox.clear()
        if session.phase is Phase.ENDED:
            outputs.append(CloseSocket(session.id))
            self._sessions.pop(session.id, None)
            self._deadlines.set(session.id, None)
            self._leave(session, now_ns)
        else:
            self._deadlines.set(session.id, session.next_due_ns())

    @staticmethod
    def _hold_back(session: Session, impairment: Impairment, now_ns: int) -> None:
        """Put what was written behind what is held, and write what may pass."""
        due_ns = impairment.due_ns(now_ns)
        for data in session.outbox:
            if not impairment.outbound.put(due_ns, data):
                session.finish()
        session.outbox.clear()
        session.outbox.extend(impairment.outbound.take(now_ns))


def _objection(app: App, credentials: Credentials, now_ns: int) -> ErrorInfo | None:
    try:
        app.service.identify(credentials, None, now_ns)
    except RefusalError as refused:
        return refused.info
    return None


def _remain_present_ms(text: str | None) -> int | None:
    """Read ``remainPresentFor``: milliseconds that members outlast their connection's transport."""
    return int(text[:9]) if text is not None and text.isascii() and text.isdecimal() else None


def _check_version(version: str | None) -> None:
    """Refuse a protocol that is too old with 40017; one that is newer is taken to extend this one."""
    if version is not None and (not version.isdecimal() or int(version[:4]) < PROTOCOL_MIN):
        raise refuse(40017, f"protocol version {version[:20]!r} is not spoken here; versions from 2 are")
