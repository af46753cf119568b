"""Connections of an adapter process in virtual time, carried over its lines into the simulated network.

Owns the far ends: for each socket that the process opens, one stream of its simulated host. Numbers of
sockets are the process's own and are used once. What happens on one that is gone is dropped on both sides.
"""

import asyncio
import errno
import socket
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any, Final, cast

from harness.stdio.messages import SocketLine, SocketTarget

_CODES: Final[tuple[tuple[type[OSError], str], ...]] = (
    (ConnectionRefusedError, "ECONNREFUSED"),
    (ConnectionResetError, "ECONNRESET"),
    (TimeoutError, "ETIMEDOUT"),
    (socket.gaierror, "ENOTFOUND"),
)


def code_of(error: OSError) -> str:
    """Return the name by which a program knows an error of a socket."""
    for kind, code in _CODES:
        if isinstance(error, kind):
            return code
    return errno.errorcode.get(error.errno or errno.EIO, "EIO")


class TunnelError(ValueError):
    """A line about a socket makes no sense; the text says why."""


@dataclass(slots=True)
class Tunnels:
    """The sockets of one process. ``say`` takes lines for it, ``spawn`` starts tasks on its host."""

    say: Callable[[SocketLine], None]
    spawn: Callable[[Coroutine[Any, Any, None], str], object]
    _open: "dict[int, _Stream]" = field(default_factory=dict)
    _last: int = 0

    def take(self, line: SocketLine) -> None:
        """Carry out what the process says of a socket; raises TunnelError."""
        if line.open is not None:
            self._dial(line.socket, line.open)
        elif line.socket > self._last:
            raise TunnelError(f"socket {line.socket} was never opened")
        elif line.socket in self._open:
            self._open[line.socket].take(line)

    def forget(self, number: int) -> None:
        """Take a socket off the list."""
        self._open.pop(number, None)

    def _dial(self, number: int, target: SocketTarget) -> None:
        if number <= self._last:
            raise TunnelError(f"socket {number} was opened before; numbers are used once, in rising order")
        self._last = number
        stream = self._open[number] = _Stream(number, self)
        self.spawn(stream.dial(target.host, target.port), f"socket {number}")


class _Stream(asyncio.Protocol):
    """One connection."""

    def __init__(self, number: int, tunnels: Tunnels) -> None:
        self._number = number
        self._tunnels = tunnels
        self._transport: asyncio.Transport | None = None
        self._ended = False
        self._gone = False

    async def dial(self, host: str, port: int) -> None:
        """Connect, and tell the process how that went."""
        try:
            await asyncio.get_running_loop().create_connection(lambda: self, host, port)
        except OSError as error:
            self._break(error)

    def take(self, line: SocketLine) -> None:
        """Carry out what the process says."""
        if line.destroy:
            self._gone = True
            self._tunnels.forget(self._number)
            if self._transport is not None:
                self._transport.close()
        elif self._transport is None:
            raise TunnelError(f"socket {self._number} is not connected yet")
        elif line.data is not None:
            self._transport.write(_bytes(line.data))
        elif line.end:
            self._transport.write_eof()

    # -- what the network tells

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Tell the process that it is connected, unless it no longer cares."""
        self._transport = cast("asyncio.Transport", transport)
        if self._gone:
            self._transport.close()
        else:
            self._tunnels.say(SocketLine(socket=self._number, opened=True))

    def data_received(self, data: bytes) -> None:
        """Hand bytes on."""
        if not self._gone:
            self._tunnels.say(SocketLine(socket=self._number, data=b64encode(data).decode()))

    def eof_received(self) -> bool:
        """Hand the end on; the other direction stays open until the process ends it."""
        if not self._gone and not self._ended:
            self._ended = True
            self._tunnels.say(SocketLine(socket=self._number, end=True))
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell what broke the connection."""
        if isinstance(exc, OSError):
            self._break(exc)

    def _break(self, error: OSError) -> None:
        if not self._gone:
            self._gone = True
            self._tunnels.forget(self._number)
            self._tunnels.say(SocketLine(socket=self._number, error=code_of(error)))


def _bytes(data: str) -> bytes:
    try:
        return b64decode(data, validate=True)
    except Base64Error as error:
        raise TunnelError(f"data is no base64: {error}") from None
