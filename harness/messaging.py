"""The channel over simulated messages: the service on its host, and the asyncio client adapters use.

A thin shell around the sans-IO parts of :mod:`harness.channel`: it carries commands and events over the
simulated network's pipes, keeps their timers, and turns tokens into awaitables. Every rule about what a
channel does is in ``harness.channel``; every rule about what can happen to a message is in ``harness.sim``.

This is the fast tier: thousands of runs a second. A real SDK's bytes travel over simulated sockets instead.
"""

import asyncio
import json
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal, NamedTuple

from harness.channel.client import ChannelClient as ClientCore
from harness.channel.client_effects import (
    ChannelChanged,
    ClientEffects,
    ConnectionChanged,
    Delivered,
    DiscardTransport,
    Discontinuity,
    Issued,
    OpenTransport,
    Rejected,
    Resolved,
    SendCommand,
    SetTimer,
    TokenNeeded,
)
from harness.channel.client_options import ClientOptions
from harness.channel.client_states import ConnectionState
from harness.channel.commands import Command, Connect
from harness.channel.errors import AuthError, ErrorInfo
from harness.channel.events import CloseTransport, Effects, Event, Send, TransportId
from harness.channel.grants import Grant
from harness.channel.history import Direction, HistoryQuery
from harness.channel.history import HistoryPage as PageCore
from harness.channel.messages import Message as WireMessage
from harness.channel.rules import DAY_MS, ChannelRule, ChannelRules
from harness.channel.service import ChannelService, ServiceOptions
from harness.model import JsonValue
from harness.sim import EPOCH, Attempt, Cancellable, Host, Pipe, Simulation

SERVICE: Final = "channel"
RETENTION_MS: Final = 365 * DAY_MS
"""Channels of a simulated world are persisted for a year."""
EPOCH_NS: Final = int(EPOCH.timestamp()) * 1_000_000_000
"""The wall clock at virtual time 0."""
_RULES: Final = ChannelRules(default=ChannelRule(history_ms=RETENTION_MS))
_NO_HEADERS: Final[Mapping[str, str]] = {}
_WRITE: Final = json.JSONEncoder(separators=(",", ":")).encode
_READ: Final = json.JSONDecoder().raw_decode
"""Half the time of ``json.loads``, and enough for text that this module wrote: nothing is around it."""


class ChannelError(Exception):
    """The channel service refused what was asked, or the connection failed for good.

    ``code`` is Ably's error code. ``may_have_happened`` says that it was sent and its outcome is unknown.
    """

    def __init__(self, info: ErrorInfo, *, may_have_happened: bool = False) -> None:
        super().__init__(f"[{info.code}] {info.message}")
        self.code = info.code
        self.info = info
        self.may_have_happened = may_have_happened


class Message(NamedTuple):
    """A message as an application sees it; a named tuple, as one is made for every receiver.

    ``extras`` holds the publisher's ``headers`` and the ``userClaim`` that the service wrote from the
    publisher's verified token; ``client_id`` is stamped by the service too.
    """

    name: str | None
    data: Any
    client_id: str | None
    serial: str
    timestamp_ms: int
    id: str | None
    extras: Mapping[str, Any]

    @property
    def headers(self) -> Mapping[str, Any]:
        """The publisher's headers, empty if there are none."""
        headers = self.extras.get("headers")
        return headers if isinstance(headers, Mapping) else _NO_HEADERS

    @property
    def user_claim(self) -> str | None:
        """The role that the service vouches for, None where the publisher's token bears none."""
        claim = self.extras.get("userClaim")
        return claim if isinstance(claim, str) else None


class Attachment(NamedTuple):
    """Where live delivery on a channel begins.

    ``has_backlog`` says that messages of before, as many as ``rewind`` asked for, come first.
    """

    serial: str
    has_backlog: bool


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One page of history, and the cursor of the next one (None on the last)."""

    items: tuple[Message, ...]
    next: HistoryQuery | None


def _message(wire: WireMessage) -> Message:
    data: Any = wire.data
    if wire.encoding == "json" and isinstance(data, str):
        data, _ = _READ(data)
    extras = wire.extras if wire.extras is not None else _NO_HEADERS
    return Message(wire.name, data, wire.client_id, wire.serial, wire.timestamp_ms, wire.id, extras)


class ChannelServiceHost:
    """The channel service of one simulated world, listening on its host.

    ``authenticate`` turns a token into a grant. The service outlives every crash of the plan: what it has
    acknowledged is kept, as a hosted service's promise has it.
    """

    def __init__(
        self,
        sim: Simulation,
        host_name: str,
        authenticate: Callable[[str, int], Grant],
    ) -> None:
        self._sim = sim
        self.host = sim.host(host_name)
        self._epoch_ns = EPOCH_NS

        def authenticate_text(credentials: object, now_ms: int) -> Grant:
            return authenticate(str(credentials), now_ms)

        self.core = ChannelService("world", authenticate_text, ServiceOptions(rules=_RULES))
        self._clients: list[ChannelClient] = []
        self._pipes: dict[TransportId, Pipe] = {}
        self._next_transport = 0
        self._timer: Cancellable | None = None
        self._timer_at_ns: int | None = None
        sim.network.listen(host_name, SERVICE, self._accept)

    def client(self, host: Host, token: str, *, client_id: str | None = None) -> "ChannelClient":
        """Return a client on ``host`` that connects at its first use."""
        client = ChannelClient(self._sim, host, self.host.name, token, client_id)
        self._clients.append(client)
        return client

    def dissolve(self) -> None:
        """Forget who listens on any client, after teardown: that is what ties a run's objects in cycles."""
        for client in self._clients:
            client.dissolve()
        self._clients.clear()

    def preload(self, channel: str, count: int, token: str) -> None:
        """Put ``count`` unrelated messages into a channel's history, as if published before the run."""
        now_ns = self._now_ns()
        actor = self.core.identify(token, None, now_ns)
        for number in range(count):
            note = (WireMessage(name="note", data=f"unrelated {number}"),)
            self.core.hub.publish(actor, channel, note, f"backlog:{number}", now_ns // 1_000_000, {})

    def _now_ns(self) -> int:
        return self._epoch_ns + self._sim.env.now_ns

    def _accept(self, pipe: Pipe) -> None:
        self._next_transport += 1
        transport = TransportId(self._next_transport)
        self._pipes[transport] = pipe

        asked: list[Connect] = []

        def on_message(command: Connect | Command) -> None:
            if isinstance(command, Connect):
                if not asked:
                    asked.append(command)
                    self._carry_out(self.core.connect(transport, command, self._now_ns()))
            else:
                self._carry_out(self.core.receive(transport, command, self._now_ns()))

        def on_close(_reason: str) -> None:
            self._pipes.pop(transport, None)
            self._carry_out(self.core.drop(transport, self._now_ns()))

        pipe.on_close = on_close
        pipe.on_message = on_message

    def _carry_out(self, effects: Effects) -> None:
        event: Event | None = None
        label = ""
        for effect in effects:
            if isinstance(effect, Send):
                pipe = self._pipes.get(effect.transport)
                if pipe is not None:
                    if event is not effect.event:
                        event = effect.event
                        label = _label(event)
                    pipe.send(event, label)
            elif isinstance(effect, CloseTransport):
                closing = self._pipes.pop(effect.transport, None)
                if closing is not None:
                    closing.close()
        self._reset_timer()

    def _reset_timer(self) -> None:
        due_ns = self.core.next_deadline_ns()
        if due_ns == self._timer_at_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at_ns = due_ns
        self._timer = None if due_ns is None else self._sim.call_at(due_ns - self._epoch_ns, self._tick)

    def _tick(self) -> None:
        self._timer, self._timer_at_ns = None, None
        self._carry_out(self.core.tick(self._now_ns()))


def _label(event: Any) -> str:
    """Return how a transmission is called in traces: the kind, and for messages their names."""
    messages = getattr(event, "messages", None)
    kind = type(event).__name__.lower()
    if messages:
        return f"{kind} {', '.join([str(message.name) for message in messages])}"
    return kind


class RemoteChannel:
    """One channel of a client."""

    def __init__(self, client: "ChannelClient", name: str) -> None:
        self.name = name
        self._client = client
        self._subscribers: list[Callable[[Message], None]] = []
        self._gap_listeners: list[Callable[[], None]] = []

    def subscribe(self, callback: Callable[[Message], None]) -> None:
        """Hand every live message to ``callback``; subscribe before attaching to miss nothing."""
        self._subscribers.append(callback)

    def on_discontinuity(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` when live messages may have been missed: read the history again."""
        self._gap_listeners.append(callback)

    async def attach(self, *, rewind: str | None = None) -> Attachment:
        """Attach and return where delivery begins; raises ChannelError where the service refuses."""
        params = {} if rewind is None else {"rewind": rewind}
        attached = await self._client.ask(lambda core, now_ns: core.attach(self.name, now_ns, params))
        return Attachment(attached.channel_serial, attached.has_backlog)

    async def publish(
        self,
        name: str,
        data: JsonValue,
        *,
        headers: Mapping[str, str] | None = None,
        message_id: str | None = None,
    ) -> str:
        """Publish one message and return its serial once it is acknowledged.

        Resends through reconnects; where an acknowledgement stays out the same message id is published
        again, which the service counts once. Raises ChannelError where it is refused.
        """
        extras = None if headers is None else {"headers": dict(headers)}
        text = _WRITE(data)
        wire = WireMessage(name=name, data=text, encoding="json", id=message_id, extras=extras)
        while True:
            try:
                serials: tuple[str, ...] = await self._client.ask(
                    lambda core, now_ns: core.publish(self.name, (wire,), now_ns),
                )
            except ChannelError as error:
                if not (error.may_have_happened and message_id is not None):
                    raise
            else:
                return serials[0]

    async def history(
        self,
        *,
        limit: int = 100,
        direction: Literal["backwards", "forwards"] = "backwards",
        until_attach: bool = False,
        cursor: HistoryQuery | None = None,
    ) -> HistoryPage:
        """Return one page; ``cursor`` is the ``next`` of the page before. Raises ChannelError."""
        query = cursor or HistoryQuery(Direction(direction), limit)
        page: PageCore = await self._client.ask(
            lambda core, now_ns: core.history(self.name, query, now_ns, until_attach=until_attach),
        )
        return HistoryPage(tuple(_message(wire) for wire in page.items), page.next)

    def deliver(self, wire: WireMessage) -> None:
        """Hand a live message to the subscribers; called by the client."""
        message = _message(wire)
        for callback in self._subscribers:
            callback(message)

    def dissolve(self) -> None:
        """Forget every listener; called by the client."""
        self._subscribers.clear()
        self._gap_listeners.clear()

    def tell_of_gap(self) -> None:
        """Tell listeners of a discontinuity; called by the client."""
        for callback in self._gap_listeners:
            callback()


class ChannelClient:
    """A client of the channel service on one host: connects at first use, resumes by itself."""

    def __init__(self, sim: Simulation, host: Host, service: str, token: str, client_id: str | None) -> None:
        self._network = sim.network
        self._clock = sim.env
        self._loop = sim.loop
        self._host = host
        self._service = service
        self._core = ClientCore(ClientOptions(credentials=token, client_id=client_id, can_renew=False))
        self._channels: dict[str, RemoteChannel] = {}
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._opening: dict[int, Attempt] = {}
        self._pipes: dict[int, Pipe] = {}
        self._timer: Cancellable | None = None
        self._state_listeners: list[Callable[[str], None]] = []
        self._effects: deque[Any] = deque()
        self._carrying_out = False

    @property
    def state(self) -> str:
        """The connection's state, as Ably names them."""
        return self._core.state.value

    def on_state(self, callback: Callable[[str], None]) -> None:
        """Call ``callback`` with each new connection state."""
        self._state_listeners.append(callback)

    def channel(self, name: str) -> RemoteChannel:
        """Return the channel called ``name``; the same object each time."""
        known = self._channels.get(name)
        if known is None:
            known = self._channels[name] = RemoteChannel(self, name)
        return known

    def dissolve(self) -> None:
        """Let go of the application, after teardown; called by the service."""
        for channel in self._channels.values():
            channel.dissolve()
        self._channels.clear()
        self._state_listeners.clear()

    async def close(self) -> None:
        """End the connection for good."""
        self._carry_out(self._core.close(self._clock.now_ns))

    async def ask(self, issue: Callable[[ClientCore, int], Issued]) -> Any:
        """Ask the core for something and wait for its answer; raises ChannelError."""
        now_ns = self._clock.now_ns
        if self._core.state is not ConnectionState.CONNECTED:
            self._carry_out(self._core.connect(now_ns))
        issued = issue(self._core, now_ns)
        future = asyncio.get_running_loop().create_future()
        self._futures[issued.token] = future
        self._carry_out(issued.effects)
        return await future

    def _carry_out(self, effects: ClientEffects) -> None:
        """Carry out effects in order, also those that arise while others are being carried out."""
        if self._carrying_out:
            self._effects.extend(effects)
            return
        self._carrying_out = True
        try:
            for effect in effects:
                self._CARRY_OUT[type(effect)](self, effect)
            while self._effects:
                effect = self._effects.popleft()
                self._CARRY_OUT[type(effect)](self, effect)
        finally:
            self._carrying_out = False

    def _send(self, effect: SendCommand) -> None:
        pipe = self._pipes.get(effect.attempt)
        if pipe is not None:
            pipe.send(effect.command, _label(effect.command))

    def _tell_state(self, effect: ConnectionChanged) -> None:
        for callback in self._state_listeners:
            callback(effect.current.value)

    def _ignore(self, effect: object) -> None:
        """Channel states are not shown to applications; a client that cannot renew has no use for prompts."""

    def _deliver(self, effect: Delivered) -> None:
        self.channel(effect.channel).deliver(effect.message)

    def _tell_of_gap(self, effect: Discontinuity) -> None:
        self.channel(effect.channel).tell_of_gap()

    def _discard(self, effect: DiscardTransport) -> None:
        opening = self._opening.pop(effect.attempt, None)
        if opening is not None:
            opening.cancel()
        pipe = self._pipes.pop(effect.attempt, None)
        if pipe is not None:
            pipe.close()

    def _resolve(self, effect: Resolved) -> None:
        future = self._futures.pop(effect.token, None)
        if future is not None and not future.done():
            future.set_result(effect.result)

    def _reject(self, effect: Rejected) -> None:
        future = self._futures.pop(effect.token, None)
        if future is not None and not future.done():
            future.set_exception(ChannelError(effect.error, may_have_happened=effect.may_have_happened))

    def _set_timer(self, effect: SetTimer) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if effect.at_ns is not None:
            context = self._host.life.context.copy()
            self._timer = self._loop.call_at_ns(effect.at_ns, self._tick, (), context)

    def _tick(self) -> None:
        self._timer = None
        self._carry_out(self._core.tick(self._clock.now_ns))

    def _open(self, effect: OpenTransport) -> None:
        attempt, connect = effect.attempt, effect.connect

        def on_message(event: Event) -> None:
            self._carry_out(self._core.received(attempt, event, self._clock.now_ns))

        def on_lost(_reason: str) -> None:
            self._pipes.pop(attempt, None)
            self._opening.pop(attempt, None)
            self._carry_out(self._core.transport_lost(attempt, self._clock.now_ns))

        def on_open(pipe: Pipe) -> None:
            self._opening.pop(attempt, None)
            self._pipes[attempt] = pipe
            pipe.on_close = on_lost
            pipe.on_message = on_message
            pipe.send(connect, "connect")

        self._opening[attempt] = self._network.dial(self._host.name, self._service, SERVICE, on_open, on_lost)

    _CARRY_OUT: ClassVar[Mapping[type[Any], Callable[["ChannelClient", Any], None]]] = {
        Delivered: _deliver,
        SendCommand: _send,
        Resolved: _resolve,
        Rejected: _reject,
        SetTimer: _set_timer,
        OpenTransport: _open,
        DiscardTransport: _discard,
        ConnectionChanged: _tell_state,
        Discontinuity: _tell_of_gap,
        ChannelChanged: _ignore,
        TokenNeeded: _ignore,
    }


__all__ = [
    "Attachment",
    "AuthError",
    "ChannelClient",
    "ChannelError",
    "ChannelServiceHost",
    "HistoryPage",
    "Message",
    "RemoteChannel",
]
