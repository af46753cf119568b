"""A listening socket for a sans-IO server, on any asyncio loop.

Owns transports and the one timer. It uses ``loop.create_server``, ``call_later`` and nothing else, so that it
runs unchanged on a real loop and on a simulated one; time comes from a function that is handed in. Does not
look into bytes.
"""

import asyncio
from collections.abc import Callable
from ssl import SSLContext
from typing import Any, Final, Generic, Protocol, TypeVar

from harness.ably.server import CloseSocket, Output, Server, Write

UNREAD_BYTES_MAX: Final = 4 * 1024 * 1024
"""A peer that leaves more than this unread is cut off; it can resume, others are not held up by it."""
_BACKLOG: Final = 4096
"""Connections that may wait to be accepted: a restart lets all clients come at once."""
_NS_PER_S: Final = 1_000_000_000
_ROUND_UP_NS: Final = 999
"""Timers are set up to a microsecond late, never early: an early one would find nothing due."""


class Speaker(Protocol):
    """A server that knows bytes, sessions and time, and no sockets. Times are Unix nanoseconds."""

    def opened(self, now_ns: int) -> int:
        """Note a new socket and return its session."""

    def received(self, session_id: int, data: bytes, now_ns: int) -> tuple[Output, ...]:
        """Take in bytes from a socket."""

    def lost(self, session_id: int, now_ns: int) -> tuple[Output, ...]:
        """Note that a socket is gone."""

    def next_deadline_ns(self) -> int | None:
        """Return when :meth:`tick` is next needed, ``None`` while nothing is awaited."""

    def tick(self, now_ns: int) -> tuple[Output, ...]:
        """Do everything that is due."""


S = TypeVar("S", bound=Speaker)


class Sockets(Generic[S]):
    """A running server. ``now_ns`` returns Unix time in nanoseconds."""

    def __init__(self, server: S, now_ns: Callable[[], int]) -> None:
        self.server = server
        self.now_ns = now_ns
        self._loop = asyncio.get_running_loop()
        self._transports: dict[int, asyncio.Transport] = {}
        self._timer: asyncio.TimerHandle | None = None
        self._timer_ns: int | None = None
        self._listening: asyncio.Server | None = None

    async def listen(self, host: str, port: int, tls: SSLContext | None = None) -> int:
        """Start listening and return the port, which is chosen if ``port`` is 0. Raises ``OSError``."""
        self._listening = await self._loop.create_server(
            lambda: _Socket(self), host, port, backlog=_BACKLOG, reuse_address=True, ssl=tls
        )
        bound: int = self._listening.sockets[0].getsockname()[1]
        return bound

    def close(self) -> None:
        """Stop listening and cut every socket; connections can not be resumed unless state is kept."""
        if self._listening is not None:
            self._listening.close()
        if self._timer is not None:
            self._timer.cancel()
        for transport in tuple(self._transports.values()):
            transport.abort()

    # -- called by sockets ----------------------------------------------------------------------------------

    def opened(self, transport: asyncio.Transport) -> int:
        """Note a new socket."""
        session = self.server.opened(self.now_ns())
        self._transports[session] = transport
        self.act(())
        return session

    def received(self, session: int, data: bytes) -> None:
        """Pass bytes on."""
        self.act(self.server.received(session, data, self.now_ns()))

    def lost(self, session: int) -> None:
        """Note that a socket is gone."""
        self._transports.pop(session, None)
        self.act(self.server.lost(session, self.now_ns()))

    # -- acting ---------------------------------------------------------------------------------------------

    def act(self, outputs: tuple[Output, ...]) -> None:
        """Carry out what the server says, and set the timer anew."""
        cut: list[int] = []
        for output in outputs:
            transport = self._transports.get(output.session)
            if transport is None:
                continue
            match output:
                case Write(session, data):
                    transport.write(data)
                    if transport.get_write_buffer_size() > UNREAD_BYTES_MAX:
                        cut.append(session)
                case CloseSocket(session):
                    del self._transports[session]
                    transport.close()
        for session in cut:
            if (transport := self._transports.pop(session, None)) is not None:
                transport.abort()
                self.act(self.server.lost(session, self.now_ns()))
        self._set_timer()

    def _set_timer(self) -> None:
        """Make sure that a timer goes off by the next deadline; one that is too early already serves."""
        due_ns = self.server.next_deadline_ns()
        if due_ns is None or (self._timer_ns is not None and self._timer_ns <= due_ns):
            return
        if self._timer is not None:
            self._timer.cancel()
        delay_ns = max(0, due_ns - self.now_ns()) + _ROUND_UP_NS
        self._timer_ns = due_ns
        self._timer = self._loop.call_later(delay_ns / _NS_PER_S, self._due)

    def _due(self) -> None:
        self._timer = self._timer_ns = None
        self.act(self.server.tick(self.now_ns()))


class Listener(Sockets[Server]):
    """A running server of the Ably protocol."""


class _Socket(asyncio.Protocol):
    """One accepted socket."""

    def __init__(self, listener: Sockets[Any]) -> None:
        self._listener = listener
        self._session: int | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        if not isinstance(transport, asyncio.Transport):
            raise TypeError(f"a stream transport is needed; the loop made a {type(transport).__name__}")
        self._session = self._listener.opened(transport)

    def data_received(self, data: bytes) -> None:
        if self._session is not None:
            self._listener.received(self._session, data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the contract's signature
        if self._session is not None:
            self._listener.lost(self._session)
