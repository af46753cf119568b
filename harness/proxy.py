"""A TCP relay that can be told to misbehave, for lanes in which time and sockets are real.

Owns the faults of a real network between clients and a service: connections closed in order or reset, bytes
held back for a while or delayed, new connections refused. It speaks no protocol and looks at no bytes.

Invariant: what is relayed arrives in order and unchanged, or the connection ends; a held byte is kept, not
lost. Clients are told apart by the door through which they came: each name has a port of its own.
"""

import asyncio
import socket
import struct
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

UNSENT_BYTES_MAX: Final = 1 << 20
"""How much of one direction is kept before its sender is paused; a black hole keeps no more either."""
_ABORTIVE: Final = struct.pack("ii", 1, 0)
"""SO_LINGER on, 0 s: closing sends a reset instead of an orderly end."""


@dataclass(slots=True)
class Conditions:
    """The state of the path behind one door, and what it was used for; shared by its connections."""

    delay_s: float = 0.0
    blackholed: bool = False
    refusing: bool = False
    bytes_received: int = 0


class _Lane(asyncio.Protocol):
    """One end of a relayed connection: what it receives goes to ``other`` after the delay, in order."""

    def __init__(self, conditions: Conditions, on_end: Callable[["_Lane"], None]) -> None:
        self.conditions = conditions
        self.other: _Lane | None = None
        self.transport: asyncio.Transport | None = None
        self._on_end = on_end
        self._held: deque[tuple[float, bytes | None]] = deque()
        self._held_bytes = 0
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to receive."""
        assert isinstance(transport, asyncio.Transport), "TCP connections are stream transports"
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Take bytes in."""
        self.conditions.bytes_received += len(data)
        self._hold(data)

    def eof_received(self) -> bool:
        """Hand the end of this direction on behind what is held; the other direction stays open."""
        self._hold(None)
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        """End the relay: a clean end goes on behind what is held, a broken one at once."""
        if self._timer is not None and (exc is not None or self.other is None):
            self._timer.cancel()
        if exc is not None and self.other is not None:
            reset(self.other.transport)
        elif self.other is not None and self.other.transport is not None and not self._held:
            self.other.transport.close()
        self._on_end(self)

    def _hold(self, data: bytes | None) -> None:
        loop = asyncio.get_running_loop()
        self._held.append((loop.time() + self.conditions.delay_s, data))
        self._held_bytes += len(data or b"")
        if self._held_bytes > UNSENT_BYTES_MAX and self.transport is not None:
            self.transport.pause_reading()
        self.pass_on()

    def pass_on(self) -> None:
        """Send what is due; called again when more will be, and when a black hole ends."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        loop = asyncio.get_running_loop()
        if self.conditions.blackholed or self.other is None or self.other.transport is None:
            return
        while self._held and self._held[0][0] <= loop.time():
            _, data = self._held.popleft()
            if data is None:
                self._end_other(self.other.transport)
            else:
                self._held_bytes -= len(data)
                self.other.transport.write(data)
        if self._held:
            self._timer = loop.call_at(self._held[0][0], self.pass_on)
        if self._held_bytes <= UNSENT_BYTES_MAX and self.transport is not None:
            self.transport.resume_reading()

    def _end_other(self, transport: asyncio.Transport) -> None:
        if self.transport is None or self.transport.is_closing():
            transport.close()
        elif not transport.is_closing():
            transport.write_eof()


@dataclass(slots=True)
class Door:
    """One port of the proxy and what stands behind it."""

    port: int
    conditions: Conditions
    server: asyncio.Server
    lanes: dict[_Lane, None] = field(default_factory=dict)


class Proxy:
    """Relays from doors on loopback to one service. Faults are named by the door that they befall."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._doors: dict[str, Door] = {}
        self._dialling: set[asyncio.Task[None]] = set()

    async def open(self, name: str) -> int:
        """Open a door and return its port, the same one each time."""
        if name not in self._doors:
            conditions = Conditions()
            loop = asyncio.get_running_loop()
            server = await loop.create_server(lambda: self._accepted(name), "127.0.0.1", 0)
            port: int = server.sockets[0].getsockname()[1]
            self._doors[name] = Door(port, conditions, server)
        return self._doors[name].port

    def connections(self, name: str) -> int:
        """Return how many connections stand behind a door."""
        return len(self._doors[name].lanes) // 2

    @property
    def bytes_received(self) -> int:
        """How many bytes came in so far, from both ends of all connections."""
        return sum(door.conditions.bytes_received for door in self._doors.values())

    def cut(self, name: str) -> None:
        """Close every connection behind a door, in order, as a proxy that shuts down does."""
        for lane in tuple(self._doors[name].lanes):
            if lane.transport is not None:
                lane.transport.close()

    def reset(self, name: str) -> None:
        """Reset every connection behind a door; what was held is lost."""
        for lane in tuple(self._doors[name].lanes):
            reset(lane.transport)

    def blackhole(self, name: str) -> None:
        """Let nothing pass a door, without telling anybody, until :meth:`heal`."""
        self._doors[name].conditions.blackholed = True

    def delay(self, name: str, delay_s: float) -> None:
        """Let every byte that arrives from now on wait for ``delay_s`` before it passes."""
        self._doors[name].conditions.delay_s = delay_s

    def refuse(self, name: str) -> None:
        """Reset whoever connects through a door, until :meth:`heal`."""
        self._doors[name].conditions.refusing = True

    def heal(self, name: str) -> None:
        """Undo every fault of a door: what was held passes now."""
        door = self._doors[name]
        door.conditions.delay_s, door.conditions.blackholed, door.conditions.refusing = 0.0, False, False
        for lane in tuple(door.lanes):
            lane.pass_on()

    async def close(self) -> None:
        """Close every door and every connection."""
        for task in tuple(self._dialling):
            task.cancel()
        for name, door in self._doors.items():
            door.server.close()
            self.reset(name)
        for door in self._doors.values():
            await door.server.wait_closed()

    def _accepted(self, name: str) -> _Lane:
        door = self._doors[name]
        near = _Near(
            door.conditions, lambda lane: door.lanes.pop(lane, None), lambda it: self._dial(door, it)
        )
        door.lanes[near] = None
        return near

    def _dial(self, door: Door, near: _Lane) -> None:
        task = asyncio.get_running_loop().create_task(self._connect(door, near))
        self._dialling.add(task)
        task.add_done_callback(self._dialling.discard)

    async def _connect(self, door: Door, near: _Lane) -> None:
        if door.conditions.refusing:
            reset(near.transport)
            return
        far = _Lane(door.conditions, lambda lane: door.lanes.pop(lane, None))
        try:
            await asyncio.get_running_loop().create_connection(lambda: far, *self._target)
        except OSError:
            reset(near.transport)
            return
        if near not in door.lanes:
            reset(far.transport)
            return
        door.lanes[far] = None
        near.other, far.other = far, near
        near.pass_on()


class _Near(_Lane):
    """The end at the client: once it is accepted, the service is dialled."""

    def __init__(
        self,
        conditions: Conditions,
        on_end: Callable[[_Lane], None],
        on_accepted: Callable[[_Lane], None],
    ) -> None:
        super().__init__(conditions, on_end)
        self._on_accepted = on_accepted

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin to receive, and have the service dialled."""
        super().connection_made(transport)
        self._on_accepted(self)


def reset(transport: asyncio.Transport | None) -> None:
    """Break a connection so that its other end is told of a reset."""
    if transport is None or transport.is_closing():
        return
    sock = transport.get_extra_info("socket")
    if sock is not None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORTIVE)
    transport.abort()
