"""Owns byte streams: asyncio transports, servers and connections over the network's pipes.

Invariant: the bytes of a stream arrive once and in order, or the connection breaks; only the instants at
which they arrive, and how they are cut (`Network.segment_bytes`), vary. A transport belongs to one life of a
host.

TLS is not spoken: record counts would depend on the OpenSSL build. Names come from `dns`, faults from
`network`.
"""

import asyncio
import socket
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, Final, NoReturn, Protocol

from harness.sim.dns import port_number
from harness.sim.fence import LOOP_ROWS, refuse
from harness.sim.incarnation import HERE, Incarnation, halt_if_dead
from harness.sim.links import CloseReason
from harness.sim.network import Listener, Network
from harness.sim.pipes import Pipe
from harness.sim.polling import Descriptors

_HIGH_WATER: Final = 64 * 1024
"""Unread bytes at which a writer is told to pause: asyncio's own default."""

_FIRST_EPHEMERAL_PORT: Final = 49_152
"""Where port 0 begins: the dynamic range of RFC 6335."""

_BROKEN: Final[dict[CloseReason, type[OSError]]] = {"reset": ConnectionResetError, "timed out": TimeoutError}


class _EndOfStream:
    """What `write_eof` sends."""


_EOF: Final = _EndOfStream()


class SimSocket:
    """What `get_extra_info("socket")` returns: addresses and options, no input or output."""

    __slots__ = ("_descriptor", "_name", "_options", "_peer", "family", "proto", "type")

    def __init__(self, name: tuple[str, int], peer: tuple[str, int] | None, descriptor: int) -> None:
        self.family = socket.AF_INET
        self.type = socket.SOCK_STREAM
        self.proto = socket.IPPROTO_TCP
        self._name = name
        self._peer = peer
        self._descriptor = descriptor
        self._options: dict[tuple[int, int], Any] = {}

    def fileno(self) -> int:
        """Return a simulated descriptor, of use to `select.poll` only; -1 after `close`."""
        return self._descriptor

    def close(self) -> None:
        """Have no descriptor from now on."""
        self._descriptor = -1

    def getsockname(self) -> tuple[str, int]:
        """Return the local address and port."""
        return self._name

    def getpeername(self) -> tuple[str, int]:
        """Return the remote address and port."""
        if self._peer is None:
            raise OSError("a listening socket has no peer")
        return self._peer

    def setsockopt(self, level: int, option: int, value: Any, *_: Any) -> None:
        """Remember an option; none has an effect."""
        self._options[level, option] = value

    def getsockopt(self, level: int, option: int, *_: Any) -> Any:
        """Return a remembered option, 0 otherwise."""
        return self._options.get((level, option), 0)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - the socket's signature
        """Accept and ignore."""


class Scheduler(Protocol):
    """The part of the loop that transports need."""

    def call_soon(self, callback: Callable[..., object], *args: Any) -> Any:
        """Make a callback ready."""
        ...


class StreamTransport(asyncio.Transport):
    """An asyncio transport over one end of a pipe."""

    def __init__(
        self, sockets: "SimSockets", pipe: Pipe, near: tuple[str, int], far: tuple[str, int]
    ) -> None:
        self._descriptor = sockets.descriptors.open(self._is_readable)
        self._socket = SimSocket(near, far, self._descriptor)
        super().__init__({"peername": far, "sockname": near, "socket": self._socket})
        self._sockets = sockets
        self._pipe = pipe
        self._protocol: Any = None
        self._unread: deque[bytes | _EndOfStream] = deque()
        self._reading = True
        self._read_scheduled = False
        self._peer_gone: CloseReason | None = None
        self._eof_written = self._closing = self._lost = False
        self._unacknowledged = 0
        self._high, self._low = _HIGH_WATER, _HIGH_WATER // 4
        self._paused = False
        self.peer: StreamTransport | None = None
        self.incarnation = pipe.incarnation
        pipe.streaming = True

    @property
    def label(self) -> str:
        """How the transport's steps are named in the record."""
        return self._pipe.label

    def start(self, protocol: Any) -> None:
        """Connect the protocol and begin to receive."""
        self._protocol = protocol
        self._sockets.joined(self)
        protocol.connection_made(self)
        self._pipe.on_close = self._on_close
        self._pipe.on_message = self._on_message
        if self._pipe.ended is not None:
            self._on_close(self._pipe.ended)

    # -- receiving

    def _is_readable(self) -> bool:
        return bool(self._unread) or self._peer_gone is not None or self._lost

    def _on_message(self, chunk: bytes | _EndOfStream) -> None:
        self._unread.append(chunk)
        if self._reading:
            self._read()

    def _read(self) -> None:
        self._read_scheduled = False
        while self._unread and self._reading and not self._closing:
            chunk = self._unread.popleft()
            if isinstance(chunk, _EndOfStream):
                self._end_of_stream()
            else:
                self._acknowledge(len(chunk))
                self._receive(chunk)
        if self._peer_gone is not None and not self._unread:
            self._see_peer_gone()

    def _receive(self, chunk: bytes) -> None:
        if isinstance(self._protocol, asyncio.BufferedProtocol):
            while chunk:
                buffer = memoryview(self._protocol.get_buffer(len(chunk)))
                size = min(buffer.nbytes, len(chunk))
                buffer[:size] = chunk[:size]
                self._protocol.buffer_updated(size)
                chunk = chunk[size:]
        else:
            self._protocol.data_received(chunk)

    def _end_of_stream(self) -> None:
        if not self._protocol.eof_received():
            self.close()

    def _on_close(self, reason: CloseReason) -> None:
        self._peer_gone = reason
        if reason == "closed" and self._unread:
            return
        self._see_peer_gone()

    def _see_peer_gone(self) -> None:
        reason, self._peer_gone = self._peer_gone, None
        if self._closing:
            return
        if reason == "closed":
            self._eof_written = True
            self._end_of_stream()
            return
        error = _BROKEN.get(reason or "reset", ConnectionResetError)
        self._finish(error(f"connection to {self._pipe.remote} broke: {reason}"))

    def pause_reading(self) -> None:
        """Deliver nothing until `resume_reading`; what arrives is kept, and the writer is paused in time."""
        self._reading = False

    def resume_reading(self) -> None:
        """Deliver again, what was kept first, in a step of its own."""
        if not self._reading:
            self._reading = True
            if not self._read_scheduled and not self._closing:
                self._read_scheduled = True
                self._sockets.call_soon(self._read)

    def is_reading(self) -> bool:
        """Whether data is delivered."""
        return self._reading and not self._closing

    def _acknowledge(self, size: int) -> None:
        sender = self.peer
        if sender is not None:
            sender._unacknowledged -= size  # noqa: SLF001 - the other end of the same stream
            if sender._paused and sender._unacknowledged <= sender._low:  # noqa: SLF001 - as above
                self._sockets.stage_later(sender._pipe, sender._resume_writing)  # noqa: SLF001 - as above

    # -- sending

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send bytes. After `close` they are dropped, as asyncio does.

        After the peer is gone the connection breaks.

        Raises RuntimeError after `write_eof`.
        """
        if self._closing or not data:
            return
        if self._eof_written:
            if not self._pipe.closed:
                raise RuntimeError("cannot write after write_eof()")
            self._finish(ConnectionResetError(f"{self._pipe.remote} has closed the connection"))
            return
        chunk = bytes(data)
        self._unacknowledged += len(chunk)
        size = self._sockets.segment_bytes
        parts = [chunk] if size is None else [chunk[at : at + size] for at in range(0, len(chunk), size)]
        for part in parts:
            self._pipe.send(part, "bytes", len(part))
        if self._unacknowledged > self._high and not self._paused:
            self._paused = True
            self._protocol.pause_writing()

    def _resume_writing(self) -> None:
        if self._paused and self._unacknowledged <= self._low and not self._lost:
            self._paused = False
            self._protocol.resume_writing()

    def write_eof(self) -> None:
        """Close the sending direction."""
        if not self._eof_written and not self._closing:
            self._eof_written = True
            self._pipe.send(_EOF, "end of stream")

    def can_write_eof(self) -> bool:
        """Return True."""
        return True

    def get_write_buffer_size(self) -> int:
        """Return the bytes written and not yet read at the other end."""
        return max(0, self._unacknowledged)

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """Return the low and the high water mark."""
        return self._low, self._high

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set the marks, with asyncio's rules for what is left out."""
        if high is None:
            high = _HIGH_WATER if low is None else 4 * low
        if low is None:
            low = high // 4
        if not high >= low >= 0:
            raise ValueError(f"high ({high}) must be >= low ({low}) must be >= 0")
        self._high, self._low = high, low

    # -- closing

    def close(self) -> None:
        """Close after what was written; the protocol learns of it in a step of its own."""
        if not self._closing:
            self._pipe.close()
            self._finish(None)

    def abort(self) -> None:
        """Close at once; the other end sees a reset."""
        if not self._lost:
            self._pipe.abort()
            self._finish(None)

    def _finish(self, error: OSError | None) -> None:
        if not self._closing:
            self._closing = True
            self._sockets.call_soon(self._lose, error)

    def _lose(self, error: OSError | None) -> None:
        if not self._lost:
            self._lost = True
            self._sockets.left(self)
            self._sockets.descriptors.close(self._descriptor)
            self._socket.close()
            protocol, self._protocol, self.peer = self._protocol, None, None
            protocol.connection_lost(error)

    def seal_off(self) -> None:
        """Be closed, without telling anyone: the run is over."""
        self._closing = self._lost = True
        self._protocol = self.peer = None

    def is_closing(self) -> bool:
        """Whether the transport is closed or closing."""
        return self._closing

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Give the stream to another protocol."""
        self._protocol = protocol

    def get_protocol(self) -> Any:
        """Return the protocol."""
        return self._protocol


class SimServer(asyncio.AbstractServer):
    """What `loop.create_server` returns."""

    def __init__(self, loop: asyncio.AbstractEventLoop, listener: Listener, name: tuple[str, int]) -> None:
        self._loop = loop
        self._listener: Listener | None = listener
        self._stopped: asyncio.Future[None] = loop.create_future()
        self.sockets: tuple[SimSocket, ...] = (SimSocket(name, None, -1),)

    def get_loop(self) -> asyncio.AbstractEventLoop:
        """Return the loop."""
        return self._loop

    def is_serving(self) -> bool:
        """Whether connections are accepted."""
        return self._listener is not None

    def close(self) -> None:
        """Accept no more connections; those accepted stay."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None
            self.sockets = ()
            if not self._stopped.done():
                self._stopped.set_result(None)

    async def start_serving(self) -> None:
        """Nothing to do: a server serves from the start."""

    async def serve_forever(self) -> None:
        """Wait until the server is closed, or close it when cancelled."""
        try:
            await asyncio.shield(self._stopped)
        finally:
            self.close()

    async def wait_closed(self) -> None:
        """Wait until `close` was called."""
        await asyncio.shield(self._stopped)


class SimSockets:
    """The sockets of a run, to which the loop delegates. Made by `Simulation` when first needed."""

    def __init__(self, loop: asyncio.AbstractEventLoop, network: Network, descriptors: Descriptors) -> None:
        self._loop = loop
        self._network = network
        self._ports: dict[str, int] = {}
        self._transports: dict[Pipe, StreamTransport] = {}
        self._open: dict[StreamTransport, None] = {}
        self.descriptors = descriptors

    @property
    def segment_bytes(self) -> int | None:
        """The greatest piece that a write is cut into; None for uncut."""
        return self._network.segment_bytes

    def call_soon(self, callback: Callable[..., object], *args: Any) -> None:
        """Make a callback ready in the present context."""
        self._loop.call_soon(callback, *args)

    def stage_later(self, pipe: Pipe, callback: Callable[..., object]) -> None:
        """Make a callback ready at a pipe's host, one latency from now."""
        network = self._network
        at_ns = network.arrival_ns(network.link(pipe.remote, pipe.local))
        network.at(at_ns, lambda: network.stage(pipe.incarnation, callback))

    def _next_port(self, host_name: str) -> int:
        port = self._ports.get(host_name, _FIRST_EPHEMERAL_PORT)
        self._ports[host_name] = port + 1
        return port

    async def create_connection(
        self,
        protocol_factory: Callable[[], Any],
        *,
        host: Any = None,
        port: Any = None,
        ssl: Any = None,
        sock: Any = None,
        **_options: Any,
    ) -> tuple[StreamTransport, Any]:
        """Open a stream from the current host. Never returns into a host that died meanwhile.

        Raises OSError as a socket would: refused, reset, timed out, or an unknown name.
        """
        here = _require_host("loop.create_connection")
        if ssl:
            refuse("loop.create_connection(ssl=...)", LOOP_ROWS["start_tls"])
        if sock is not None:
            refuse("loop.create_connection(sock=...)", LOOP_ROWS["sock_connect"])
        target, number = self._network.names.host_of(_text(host), here.host_name), port_number(port)
        pipe = await self._network.connect(here.host_name, target, number)
        near = (self._network.names.address_of(here.host_name), pipe.client_port)
        transport = StreamTransport(self, pipe, near, (self._network.names.address_of(target), number))
        self._join(transport, pipe)
        protocol = protocol_factory()
        transport.start(protocol)
        await halt_if_dead()
        return transport, protocol

    async def create_server(
        self,
        protocol_factory: Callable[[], Any],
        *,
        host: Any = None,  # noqa: ARG002 - a host has one address
        port: Any = None,
        ssl: Any = None,
        sock: Any = None,
        **_options: Any,
    ) -> SimServer:
        """Listen on the current host. Raises OSError when the port is taken."""
        here = _require_host("loop.create_server")
        if ssl:
            refuse("loop.create_server(ssl=...)", LOOP_ROWS["start_tls"])
        if sock is not None:
            refuse("loop.create_server(sock=...)", LOOP_ROWS["sock_accept"])
        number = port_number(port) or self._next_port(here.host_name)
        name = (self._network.names.address_of(here.host_name), number)

        def on_connect(pipe: Pipe) -> None:
            far = (self._network.names.address_of(pipe.remote), pipe.client_port)
            transport = StreamTransport(self, pipe, name, far)
            self._join(transport, pipe)
            transport.start(protocol_factory())

        return SimServer(self._loop, self._network.listen(here.host_name, number, on_connect), name)

    def shut(self) -> None:
        """Close every stream of a living host, in steps: what waits for a stream ends with the run."""
        for transport in self._open:
            if transport.incarnation.alive:
                self._network.stage(transport.incarnation, transport.close)

    def seal_off(self) -> None:
        """Declare every stream closed, so that a writer that dies later does not complain of an open one."""
        for transport in self._open:
            transport.seal_off()
        self._open.clear()
        self._transports.clear()

    def joined(self, transport: StreamTransport) -> None:
        """Count a stream as open."""
        self._open[transport] = None

    def left(self, transport: StreamTransport) -> None:
        """Count a stream as closed."""
        self._open.pop(transport, None)

    def _join(self, transport: StreamTransport, pipe: Pipe) -> None:
        other = self._transports.pop(pipe.peer, None)
        if other is None:
            self._transports[pipe] = transport
        else:
            transport.peer, other.peer = other, transport

    def getaddrinfo(self, host: Any, port: Any, family: int, kind: int, proto: int, flags: int) -> list[Any]:  # noqa: ARG002 - the loop's signature
        """Look a name up for the current host."""
        return list(self._network.names.getaddrinfo(host, port, family, kind, _asking()))

    def getnameinfo(self, address: Any, flags: int) -> tuple[str, str]:  # noqa: ARG002 - the loop's signature
        """Look an address up for the current host."""
        return self._network.names.getnameinfo(address, _asking())


def _asking() -> str:
    here = HERE.get()
    return "world" if here is None else here.host_name


def _require_host(call: str) -> Incarnation:
    here = HERE.get()
    if here is None:
        _refuse_world(call)
    return here


def _refuse_world(call: str) -> NoReturn:
    refuse(call, "streams belong to hosts; call it in a task started with Host.spawn or Simulation.run")


def _text(host: Any) -> str:
    if isinstance(host, bytes):
        return host.decode("ascii")
    if isinstance(host, Iterable) and not isinstance(host, str):
        return str(next(iter(host), ""))
    return str(host or "")
