"""Owns the network between named hosts: who listens, who is connected, and the faults that the owner drives.

Invariant: every message crosses exactly one directed link, whose counters never reset, so that "the k-th
message from a to b" names one message in every run of a plan. There is no randomness here: delays, losses and
duplicates come from the owner's `fate`. A cut link holds, as TCP retransmission does; only a lost message of
a fate, a crash, a reset or a connection that gave up loses anything.

Byte streams run over the same pipes (`streams`); names are resolved in `dns`.
"""

import asyncio
import errno
from collections.abc import Callable, Iterable
from contextvars import Context
from typing import Any, Final, Protocol

from harness.sim.dns import HostTable
from harness.sim.errors import SimulationError
from harness.sim.host import Host
from harness.sim.incarnation import Incarnation, halt_if_dead
from harness.sim.links import (
    UNHINDERED,
    CloseReason,
    Fate,
    Link,
    NetworkEvent,
    NetworkEventKind,
    Transmission,
    network_event,
)
from harness.sim.pipes import RETRANSMISSION_NS, Cancellable, Direction, Pipe

LATENCY_NS: Final = 1_000_000
"""Default one-way latency: 1 ms, of the order of one data centre.

Long enough that nothing remote is instantaneous.
"""

CONNECT_TIMEOUT_NS: Final = 127_000_000_000
"""How long an unanswered connection attempt lasts: Linux, tcp_syn_retries = 6."""

FIRST_CLIENT_PORT: Final = 32_768
"""Where client ports begin: Linux, ip_local_port_range."""

_ERRORS: Final[dict[CloseReason, type[OSError]]] = {
    "refused": ConnectionRefusedError,
    "reset": ConnectionResetError,
    "timed out": TimeoutError,
    "closed": ConnectionAbortedError,
}


class Clock(Protocol):
    """The part of the calendar that the network needs; `now_ns` is virtual time."""

    now_ns: int

    def at(self, at_ns: int, action: Callable[[], object]) -> Cancellable:
        """Call `action` at an instant, outside every host."""
        ...

    def join(self, at_ns: int, action: Callable[[], object]) -> None:
        """Call `action` at an instant, without a way to cancel it."""
        ...


class Steps(Protocol):
    """The part of the loop that the network needs."""

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        """Make a callback ready in a context."""
        ...


class Listener:
    """A service that a host offers; `close` stops accepting and leaves accepted connections alone."""

    __slots__ = ("_listeners", "incarnation", "on_connect", "service")

    def __init__(
        self,
        listeners: dict[tuple[str, str], "Listener"],
        incarnation: Incarnation,
        service: str,
        on_connect: Callable[[Pipe], object],
    ) -> None:
        self._listeners = listeners
        self.incarnation = incarnation
        self.service = service
        self.on_connect = on_connect

    def close(self) -> None:
        """Stop listening."""
        key = (self.incarnation.host_name, self.service)
        if self._listeners.get(key) is self:
            del self._listeners[key]


class Attempt:
    """A connection being opened; `cancel` gives it up, and neither callback is called any more."""

    __slots__ = ("_network", "_on_fail", "_on_open", "_timeout", "incarnation", "label", "service", "target")

    def __init__(
        self,
        network: "Network",
        incarnation: Incarnation,
        target: str,
        service: str,
        callbacks: tuple[Callable[[Pipe], object], Callable[[CloseReason], object]],
    ) -> None:
        self._network = network
        self._on_open, self._on_fail = callbacks
        self._timeout: Cancellable | None = None
        self.incarnation = incarnation
        self.target = target
        self.service = service
        self.label = f"connect {incarnation.host_name}>{target}"

    @property
    def pending(self) -> bool:
        """Whether the attempt has neither succeeded, failed nor been cancelled."""
        return self._timeout is not None

    def start(self, timeout_ns: int) -> None:
        """Give the attempt this long."""
        self._timeout = self._network.at(self._network.now_ns + timeout_ns, self._time_out)

    def cancel(self) -> None:
        """Give up."""
        if self._timeout is not None:
            self._timeout.cancel()
            self._timeout = None

    def _time_out(self) -> None:
        self._network.stage(self.incarnation, self.fail, "timed out")

    def fail(self, reason: CloseReason) -> None:
        """Report failure; runs as a step of the dialling host."""
        if self.pending:
            self.cancel()
            self._on_fail(reason)

    def succeed(self, pipe: Pipe) -> None:
        """Hand the connection over; runs as a step of the dialling host."""
        if self.pending:
            self.cancel()
            self._on_open(pipe)
        else:
            pipe.abandon()


class _Passage:
    """A connection message on its way over one link, held while the link is cut."""

    __slots__ = ("_arrived", "_link", "_network")

    def __init__(self, network: "Network", link: Link, arrived: Callable[[], object]) -> None:
        self._network = network
        self._link = link
        self._arrived = arrived

    def begin(self, delay_ns: int) -> None:
        """Travel for the link's latency and `delay_ns` more."""
        self._network.join(self._network.arrival_ns(self._link) + delay_ns, self._arrive)

    def release(self) -> None:
        """Travel again, now that the link is healed."""
        self.begin(0)

    def _arrive(self) -> None:
        if self._link.cut:
            self._network.note("held", -1, self._link, "connection")
            self._link.waiting.append(self)
        else:
            self._arrived()


class Network:
    """Links, connections and faults between hosts. Made by `Simulation.network`.

    `latency_ns` is the default one-way latency, `segment_bytes` the greatest piece of a stream that travels
    at once (None: writes travel whole), `names` the host table. `fate` is asked about every message and
    connection attempt; `recorder` is told what happens to each.
    """

    def __init__(
        self,
        clock: Clock,
        steps: Steps,
        host: Callable[[str], Host],
        exists: Callable[[str], bool],
    ) -> None:
        self.latency_ns = LATENCY_NS
        self.segment_bytes: int | None = None
        self.names = HostTable(exists)
        self.fate: Callable[[Transmission], Fate] | None = None
        self.recorder: Callable[[NetworkEvent], object] | None = None
        self.at: Final = clock.at
        self.join: Final = clock.join
        self.call_soon: Final = steps.call_soon
        self._clock = clock
        self._steps = steps
        self._host = host
        self._links: dict[tuple[str, str], Link] = {}
        self._listeners: dict[tuple[str, str], Listener] = {}
        self._pipes: dict[Pipe, None] = {}
        self._attempts: dict[Attempt, None] = {}
        self._unanswered: dict[str, list[tuple[Pipe, Cancellable]]] = {}
        self._made: list[Pipe] = []
        self._messages = 0
        self._connections = 0
        self._shut = False

    # -- connecting

    def listen(self, host: str, service: str | int, on_connect: Callable[[Pipe], object]) -> Listener:
        """Accept connections to `service` on `host`.

        `on_connect` gets this side's end, as a step of the host.

        Raises OSError (address in use) when the host's present life already listens there.
        """
        life, key = self._host(host).life, (host, str(service))
        present = self._listeners.get(key)
        if present is not None and present.incarnation is life:
            raise OSError(
                errno.EADDRINUSE, f"host {host!r} already listens on {service!r}; close that listener first"
            )
        listener = self._listeners[key] = Listener(self._listeners, life, str(service), on_connect)
        return listener

    def dial(
        self,
        source: str,
        target: str,
        service: str | int,
        on_open: Callable[[Pipe], object],
        on_fail: Callable[[CloseReason], object],
    ) -> Attempt:
        """Open a connection; one of the callbacks is called later, as a step of the source host."""
        life = self._host(source).life
        attempt = Attempt(self, life, target, str(service), (on_open, on_fail))
        if self._shut or not life.alive:
            return attempt
        attempt.start(CONNECT_TIMEOUT_NS)
        self._attempts[attempt] = None
        link = self.link(source, target)
        fate = self._ask_fate(
            Transmission(source, target, "connection", link.connections, attempt.service, 0)
        )
        link.connections += 1
        if fate.reset:
            self.at(self.arrival_ns(link), lambda: self._refuse(attempt, "reset"))
        elif fate.copies == 0:
            self.note("lost", -1, link, attempt.service)
        else:
            _Passage(self, link, lambda: self._knock(attempt)).begin(fate.delay_ns)
        return attempt

    async def connect(self, source: str, target: str, service: str | int) -> Pipe:
        """Open a connection and return this side's end. Never returns into a host that died meanwhile.

        Raises ConnectionRefusedError, ConnectionResetError or TimeoutError.
        """
        opened: asyncio.Future[Pipe] = asyncio.get_running_loop().create_future()

        def on_fail(reason: CloseReason) -> None:
            if not opened.done():
                opened.set_exception(connection_error(reason, source, target, service))

        def on_open(pipe: Pipe) -> None:
            if opened.done():
                pipe.close()
            else:
                opened.set_result(pipe)

        attempt = self.dial(source, target, service, on_open, on_fail)
        try:
            pipe = await opened
        finally:
            attempt.cancel()
        await halt_if_dead()
        return pipe

    def _refuse(self, attempt: Attempt, reason: CloseReason) -> None:
        self._attempts.pop(attempt, None)
        self.stage(attempt.incarnation, attempt.fail, reason)

    def _knock(self, attempt: Attempt) -> None:
        host = self._host(attempt.target)
        self._attempts.pop(attempt, None)
        if not host.alive or not attempt.pending:
            return
        source = attempt.incarnation.host_name
        back = self.link(attempt.target, source)
        listener = self._listeners.get((attempt.target, attempt.service))
        if listener is None or listener.incarnation is not host.life:
            _Passage(self, back, lambda: self._refuse(attempt, "refused")).begin(0)
            return
        self._connections += 1
        report = self._host(source).boundary_of
        near = Pipe(self, attempt.incarnation, attempt.target, attempt.service, report)
        far = Pipe(self, host.life, source, attempt.service, host.boundary_of)
        near.peer, far.peer = far, near
        near.client_port = far.client_port = FIRST_CLIENT_PORT + self._connections % 16_000
        near.outgoing = Direction(self, self.link(source, attempt.target), near, far)
        far.outgoing = Direction(self, back, far, near)
        self._pipes[near] = self._pipes[far] = None
        self._made += (near, far)
        self.note("connected", -1, near.outgoing.link, attempt.service)
        self.stage(host.life, listener.on_connect, far)
        _Passage(self, back, lambda: self._open(attempt, near)).begin(0)

    def _open(self, attempt: Attempt, near: Pipe) -> None:
        if attempt.incarnation.alive:
            self.stage(attempt.incarnation, attempt.succeed, near)
        else:
            self.undeliverable(near.peer)

    # -- faults

    def link(self, source: str, target: str) -> Link:
        """Return the directed link between two hosts; its `latency_ns` may be set."""
        found = self._links.get((source, target))
        if found is None:
            found = self._links[source, target] = Link(source, target, 0 if source == target else None)
        return found

    def cut_one_way(self, source: str, target: str) -> None:
        """Hold everything from `source` to `target` until `heal`."""
        self.link(source, target).cut = True

    def cut(self, a: str, b: str) -> None:
        """Hold everything between two hosts, in flight or new, until `heal`."""
        self.cut_one_way(a, b)
        self.cut_one_way(b, a)

    def heal(self, a: str, b: str) -> None:
        """Undo a cut: what was held arrives, in order, one latency from now."""
        for link in (self.link(a, b), self.link(b, a)):
            link.cut = False
            waiting, link.waiting = link.waiting, []
            for held in waiting:
                held.release()

    def partition(self, group_a: Iterable[str], group_b: Iterable[str]) -> None:
        """Cut every link between two groups of hosts."""
        others = list(group_b)
        for a in group_a:
            for b in others:
                self.cut(a, b)

    def heal_all(self) -> None:
        """Undo every cut."""
        for source, target in list(self._links):
            if self._links[source, target].cut:
                self.heal(source, target)

    def reset(self, a: str, b: str) -> None:
        """Break every connection, and every attempt at one, between two hosts; both ends are told."""
        for pipe in list(self._pipes):
            if {pipe.local, pipe.remote} == {a, b} and not pipe.closed:
                pipe.break_off()
        for attempt in list(self._attempts):
            if {attempt.incarnation.host_name, attempt.target} == {a, b}:
                self._refuse(attempt, "reset")

    def host_crashed(self, incarnation: Incarnation, *, reset: bool) -> None:
        """End the connections of a life: with `reset` their other ends are told, else they hear nothing."""
        for pipe in [pipe for pipe in self._pipes if pipe.incarnation is incarnation]:
            if reset:
                pipe.abandon()
            self._pipes.pop(pipe, None)
        for attempt in [attempt for attempt in self._attempts if attempt.incarnation is incarnation]:
            attempt.cancel()
            del self._attempts[attempt]

    def host_restarted(self, host_name: str) -> None:
        """Answer what reached the host while it was off: its new kernel knows no such connection."""
        for sender, given_up in self._unanswered.pop(host_name, []):
            given_up.cancel()
            self.undeliverable(sender)

    def shut(self) -> None:
        """Stop everything: no message is sent or delivered any more, and nobody is asked or told."""
        self._shut = True
        self.fate = None
        self.recorder = None
        for pipe in list(self._pipes):
            pipe.closed = True
        self._pipes.clear()
        self._attempts.clear()
        self._listeners.clear()
        self._links.clear()
        self._unanswered.clear()

    def dissolve(self) -> None:
        """Let go of every connection of the run, after teardown."""
        for pipe in self._made:
            pipe.dissolve()
        self._made.clear()
        self._host = _no_host

    # -- what connections need (Carrier)

    @property
    def now_ns(self) -> int:
        """Virtual time."""
        return self._clock.now_ns

    def arrival_ns(self, link: Link) -> int:
        """Return when what is put on a link now arrives at its other end."""
        return self._clock.now_ns + (self.latency_ns if link.latency_ns is None else link.latency_ns)

    def post(self, link: Link, label: str, size: int) -> tuple[int, Fate]:
        """Take a message onto a link; return its number in the run and what becomes of it."""
        self._messages = message_id = self._messages + 1
        self.note("sent", message_id, link, label)
        index = link.messages
        link.messages = index + 1
        if self.fate is None:
            return message_id, UNHINDERED
        transmission = Transmission(link.source, link.target, "message", index, label, size)
        return message_id, self.fate(transmission)

    def _ask_fate(self, transmission: Transmission) -> Fate:
        return UNHINDERED if self.fate is None else self.fate(transmission)

    def stage(self, incarnation: Incarnation, callback: Callable[..., object], *args: Any) -> None:
        """Make a callback ready as a scheduled step of a host's life."""
        self._steps.call_soon(callback, *args, context=incarnation.context.copy())

    def note(self, kind: NetworkEventKind, message_id: int, link: Link, label: str) -> None:
        """Tell the recorder, if there is one."""
        if self.recorder is not None:
            now_ns = self._clock.now_ns
            self.recorder(network_event((kind, message_id, link.source, link.target, label, now_ns)))

    def undeliverable(self, sender: Pipe) -> None:
        """Answer for a life that is over: with a reset, as soon as its host is back, if that is in time."""
        if sender.closed:
            return
        if self._host(sender.remote).alive:
            back = self.link(sender.remote, sender.local)
            _Passage(self, back, lambda: self.stage(sender.incarnation, sender.hang_up, "reset")).begin(0)
            return
        waiting = self._unanswered.setdefault(sender.remote, [])
        if all(known is not sender for known, _ in waiting):
            give_up = self.at(
                self.now_ns + RETRANSMISSION_NS,
                lambda: self.stage(sender.incarnation, sender.hang_up, "timed out"),
            )
            waiting.append((sender, give_up))

    def forget(self, pipe: Pipe) -> None:
        """Drop a connection's end that is over."""
        self._pipes.pop(pipe, None)


def _no_host(name: str) -> Host:
    raise SimulationError(f"the run is over: there is no host {name!r} any more")


def connection_error(reason: CloseReason, source: str, target: str, service: str | int) -> OSError:
    """Return the error that a program sees when a connection could not be opened."""
    return _ERRORS[reason](f"{source} could not connect to {target}/{service}: {reason}")
