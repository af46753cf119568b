"""The control plane on a socket: bytes in and out, one timer, on any asyncio loop.

Owns transports. Everything is decided by :class:`~.plane.Plane`, everything about HTTP by
:class:`~harness.http.server_side.HttpSide`.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from harness.http.server_side import HttpSide, RequestRefusedError, Upgrade
from harness.http.values import Request, Response

from .plane import NS_PER_S, Plane, Reply

_ROUND_UP_NS: Final = 999
"""Timers are set up to a microsecond late, never early: an early one would find nothing due."""


class Shell:
    """A running control plane; ``now_ns`` reads its clock."""

    def __init__(self, plane: Plane, now_ns: Callable[[], int]) -> None:
        self.plane = plane
        self.now_ns = now_ns
        self._sockets: dict[int, _Socket] = {}
        self._accepted = 0
        self._timer: asyncio.TimerHandle | None = None
        self._is_over = False

    def protocol(self) -> asyncio.Protocol:
        """Return the protocol of a new connection."""
        return _Socket(self)

    def close(self) -> None:
        """Cut every connection and let nothing happen any more."""
        self._is_over = True
        if self._timer is not None:
            self._timer.cancel()
        for socket in tuple(self._sockets.values()):
            socket.transport.abort()

    def opened(self, socket: "_Socket") -> int:
        """Note a connection and return its number; one that comes after the end is cut."""
        self._accepted += 1
        if self._is_over:
            socket.transport.abort()
        self._sockets[self._accepted] = socket
        return self._accepted

    def closed(self, number: int) -> None:
        """Note that a connection is gone."""
        self._sockets.pop(number, None)
        self.plane.lost(number)

    def request(self, number: int, request: Request) -> None:
        """Take a request."""
        if not self._is_over:
            self.act(self.plane.request(number, request, self.now_ns()))

    def act(self, replies: Iterable[Reply]) -> None:
        """Send what goes out, and set the timer anew."""
        for reply in replies:
            socket = self._sockets.get(reply.connection)
            if socket is not None:
                socket.answer(reply.response)
        self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        due_ns = self.plane.next_deadline_ns()
        if due_ns is not None:
            delay_ns = max(0, due_ns - self.now_ns()) + _ROUND_UP_NS
            self._timer = asyncio.get_running_loop().call_later(delay_ns / NS_PER_S, self._due)

    def _due(self) -> None:
        self._timer = None
        self.act(self.plane.tick(self.now_ns()))


class _Socket(asyncio.Protocol):
    """One accepted connection."""

    transport: asyncio.Transport

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._http = HttpSide()
        self._number = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin."""
        assert isinstance(transport, asyncio.Transport), "TCP connections are stream transports"
        self.transport = transport
        self._number = self._shell.opened(self)

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        self._http.feed(data)
        self._next_request()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the contract's signature
        """End."""
        self._shell.closed(self._number)

    def answer(self, response: Response) -> None:
        """Answer the request that is open, and read the next one."""
        self.transport.write(self._http.respond(response))
        if self._http.keep_alive:
            self._next_request()
        else:
            self.transport.close()

    def _next_request(self) -> None:
        try:
            request, interim = self._http.next_request()
        except RequestRefusedError as error:
            self.answer(error.response)
            return
        if interim:
            self.transport.write(interim)
        if isinstance(request, Upgrade):
            self.answer(Response(501))
        elif request is not None:
            self._shell.request(self._number, request)
