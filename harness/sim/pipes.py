"""Owns one connection: two ends, one ordered direction each way, and who is told when it breaks.

Invariant: within a direction nothing overtakes. A direction keeps its messages in a queue and makes one step
ready per arrival; whichever of those steps the policy picks first takes the head of the queue. An end belongs
to one life of a host: when that life is over the end neither sends nor hears anything.

How long a message travels, and whether it arrives, is the network's business (`Carrier`).
"""

from collections import deque
from collections.abc import Callable
from contextvars import Context
from typing import Any, Final, NamedTuple, Protocol

from harness.sim.incarnation import Incarnation
from harness.sim.links import CloseReason, Fate, Link, NetworkEventKind

RETRANSMISSION_NS: Final = 924_600_000_000
"""How long unacknowledged data is kept before a connection is given up: Linux, tcp_retries2 = 15."""


class Cancellable(Protocol):
    """A timer that can be called off."""

    def cancel(self) -> None:
        """Make sure that it never fires."""
        ...


class Parcel(NamedTuple):
    """A message in flight, or the end of the direction (`closing` set).

    A NamedTuple, one for every message.
    """

    message_id: int
    payload: Any
    label: str
    closing: CloseReason | None


class Carrier(Protocol):
    """What a connection needs of the network."""

    @property
    def now_ns(self) -> int:
        """Virtual time."""
        ...

    def post(self, link: Link, label: str, size: int) -> tuple[int, Fate]:
        """Return the number of the next message on this link, noted as sent, and what becomes of it."""
        ...

    def arrival_ns(self, link: Link) -> int:
        """Return when what is put on a link now arrives."""
        ...

    def at(self, at_ns: int, action: Callable[[], object]) -> Cancellable:
        """Call `action` at an instant, outside every host."""
        ...

    def join(self, at_ns: int, action: Callable[[], object]) -> None:
        """Call `action` at an instant, without a way to cancel it."""
        ...

    def call_soon(self, callback: Callable[..., object], *, context: Context) -> object:
        """Make a callback ready in a context."""
        ...

    def stage(self, incarnation: Incarnation, callback: Callable[..., object], *args: Any) -> None:
        """Make a callback ready as a scheduled step of a host's life."""
        ...

    def note(self, kind: NetworkEventKind, message_id: int, link: Link, label: str) -> None:
        """Tell the recorder."""
        ...

    def undeliverable(self, sender: "Pipe") -> None:
        """Note that a message reached a life that is over; a host that is back answers with a reset."""
        ...

    def forget(self, pipe: "Pipe") -> None:
        """Forget an end that is over."""
        ...


class Direction:
    """One way of a connection, over `link`, from the end `sender` to the end `receiver`.

    All its deliveries run in one context, as asyncio runs all that it reads from one socket.
    """

    __slots__ = (
        "_carrier",
        "_context",
        "_given_up",
        "_inbox",
        "_last_ns",
        "_overdue",
        "_travelling",
        "label",
        "link",
        "receiver",
        "sender",
    )

    def __init__(self, carrier: Carrier, link: Link, sender: "Pipe", receiver: "Pipe") -> None:
        self.link = link
        self.sender = sender
        self.receiver = receiver
        self.label = f"deliver {link.source}>{link.target}"
        self._carrier = carrier
        self._context = receiver.incarnation.context.copy()
        self._travelling: deque[Parcel] = deque()
        self._inbox: deque[Parcel] = deque()
        self._last_ns = 0
        self._overdue = 0
        self._given_up: Cancellable | None = None

    def put(self, parcel: Parcel, delay_ns: int) -> None:
        """Send a parcel on its way, behind everything sent before it."""
        carrier = self._carrier
        at_ns = carrier.arrival_ns(self.link) + delay_ns
        self._last_ns = max(self._last_ns, at_ns)
        self._travelling.append(parcel)
        carrier.join(self._last_ns, self._arrive)

    def _arrive(self) -> None:
        self._overdue += 1
        if self._given_up is not None:
            self._note_held()
        elif self.link.cut:
            self._note_held()
            self._hold()
        else:
            self._take_in()

    def _note_held(self) -> None:
        if self._overdue <= len(self._travelling):
            parcel = self._travelling[self._overdue - 1]
            self._carrier.note("held", parcel.message_id, self.link, parcel.label)

    def _hold(self) -> None:
        self.link.waiting.append(self)
        self._given_up = self._carrier.at(self._carrier.now_ns + RETRANSMISSION_NS, self._give_up)

    def _give_up(self) -> None:
        self.discard()
        self._carrier.stage(self.sender.incarnation, self.sender.hang_up, "timed out")

    def release(self) -> None:
        """Let go of what a cut held back: it arrives one latency from now, in order."""
        self._carrier.at(self._carrier.arrival_ns(self.link), self._arrive_after_heal)

    def _arrive_after_heal(self) -> None:
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None
        if self.link.cut:
            self._hold()
        else:
            self._take_in()

    def _take_in(self) -> None:
        overdue, self._overdue = self._overdue, 0
        life, travelling = self.receiver.incarnation, self._travelling
        while overdue and travelling:
            overdue -= 1
            parcel = travelling.popleft()
            if life.alive:
                self._inbox.append(parcel)
                self._carrier.call_soon(self.deliver, context=self._context)
            else:
                self._carrier.note("lost", parcel.message_id, self.link, parcel.label)
                self._carrier.undeliverable(self.sender)

    def deliver(self) -> None:
        """Hand the oldest arrived parcel to the receiving end; runs as a step of its host."""
        if self._inbox:
            parcel = self._inbox.popleft()
            if parcel.closing is None:
                self.receiver.receive(parcel)
            else:
                self.receiver.hang_up(parcel.closing)

    def discard(self) -> None:
        """Lose everything that is in flight."""
        for parcel in (*self._inbox, *self._travelling):
            if parcel.closing is None:
                self._carrier.note("lost", parcel.message_id, self.link, parcel.label)
        self._inbox.clear()
        self._travelling.clear()
        self._overdue = 0
        if self._given_up is not None:
            self._given_up.cancel()
            self._given_up = None
            if self in self.link.waiting:
                self.link.waiting.remove(self)


class Pipe:
    """One end of a connection. `local` and `remote` are host names, `service` what was dialled.

    Set `on_message` (called with each payload) and `on_close` (called once, with a `CloseReason`, when the
    other end closes or the connection breaks, never for one's own `close`). Messages that arrive before
    `on_message` is set wait for it; `ended` is the reason that `on_close` was or would have been told.
    """

    __slots__ = (
        "_carrier",
        "_early",
        "_on_message",
        "_report",
        "_severed",
        "client_port",
        "closed",
        "ended",
        "incarnation",
        "label",
        "local",
        "on_close",
        "outgoing",
        "peer",
        "remote",
        "service",
        "streaming",
    )
    outgoing: Direction
    peer: "Pipe"

    def __init__(
        self,
        carrier: Carrier,
        incarnation: Incarnation,
        remote: str,
        service: str,
        report: Callable[[Incarnation, str], None],
    ) -> None:
        self._carrier = carrier
        self._report = report
        self._on_message: Callable[[Any], object] | None = None
        self._early: list[Parcel] = []
        self._severed = False
        self.incarnation = incarnation
        self.local = incarnation.host_name
        self.remote = remote
        self.service = service
        self.label = f"connection {self.local}-{remote}"
        self.on_close: Callable[[CloseReason], object] | None = None
        self.closed = False
        self.ended: CloseReason | None = None
        self.streaming = False
        self.client_port = 0

    def __repr__(self) -> str:
        return f"<Pipe {self.local}>{self.remote}/{self.service}{' closed' if self.closed else ''}>"

    @property
    def on_message(self) -> Callable[[Any], object] | None:
        """The callback for messages; setting it delivers what came early."""
        return self._on_message

    @on_message.setter
    def on_message(self, callback: Callable[[Any], object] | None) -> None:
        self._on_message = callback
        if callback is not None:
            early, self._early = self._early, []
            for parcel in early:
                self.receive(parcel)

    def send(self, payload: Any, label: str = "", size: int = 0) -> None:
        """Send a message after those sent before it.

        On an end that is over, or from a dead host, nothing happens.
        """
        if self.closed or self._severed or not self.incarnation.alive:
            return
        carrier, link = self._carrier, self.outgoing.link
        message_id, fate = carrier.post(link, label, size)
        if fate.reset or fate.copies == 0:
            carrier.note("lost", message_id, link, label)
            if fate.reset or self.streaming:
                self.break_off()
        else:
            parcel = Parcel(message_id, payload, label, None)
            for _ in range(1 if self.streaming else fate.copies):
                self.outgoing.put(parcel, fate.delay_ns)
        self._report(self.incarnation, "sent")

    def close(self) -> None:
        """Close both directions; the other end hears of it after everything sent before."""
        if not self.closed and self.incarnation.alive:
            self.closed = True
            if not self._severed:
                self._carrier.note("closed", -1, self.outgoing.link, "closed")
                self.outgoing.put(Parcel(-1, None, "close", "closed"), 0)
            self._carrier.forget(self)

    def abandon(self) -> None:
        """Let the other end learn of a reset, after what was sent before: the last act of a host's kernel."""
        if not self.closed and not self._severed:
            self._severed = True
            self.outgoing.put(Parcel(-1, None, "reset", "reset"), 0)
            self._carrier.forget(self)

    def abort(self) -> None:
        """Break the connection from this end.

        What is in flight is lost and the other end is told of a reset.
        """
        if not self.closed and self.incarnation.alive:
            self.closed = True
            self._carrier.note("closed", -1, self.outgoing.link, "reset")
            self._carrier.forget(self)
            self.break_off()

    def dissolve(self) -> None:
        """Let go of everything, so that an ended run leaves no reference cycle behind."""
        self.closed = True
        self._on_message = self.on_close = None
        self._early.clear()
        del self.outgoing, self.peer

    def break_off(self) -> None:
        """Break the connection: what is in flight is lost and both ends are told, in steps."""
        ends = (self, self.peer)
        for end in ends:
            end._severed = True  # noqa: SLF001 - the other end of the same connection
            end.outgoing.discard()
        for end in ends:
            if not end.closed:
                self._carrier.stage(end.incarnation, end.hang_up, "reset")

    def receive(self, parcel: Parcel) -> None:
        """Take a message in; called by its direction."""
        carrier, link = self._carrier, self.peer.outgoing.link
        if self.closed:
            carrier.note("lost", parcel.message_id, link, parcel.label)
        elif self._on_message is None:
            self._early.append(parcel)
        else:
            carrier.note("delivered", parcel.message_id, link, parcel.label)
            self._on_message(parcel.payload)
            self._report(self.incarnation, "received")

    def hang_up(self, reason: CloseReason) -> None:
        """Learn that the connection is over."""
        if not self.closed:
            self.closed = True
            self.ended = reason
            self._carrier.note("closed", -1, self.outgoing.link, reason)
            self._carrier.forget(self)
            if self.on_close is not None:
                self.on_close(reason)
