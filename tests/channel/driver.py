"""Drives the channel service and its clients: a clock, instant transports and readable shorthands."""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from harness.channel.capability import Capability
from harness.channel.client import ChannelClient
from harness.channel.client_effects import (
    ClientEffect,
    Delivered,
    DiscardTransport,
    Issued,
    OpenTransport,
    Rejected,
    Resolved,
    SendCommand,
    SetTimer,
    Token,
)
from harness.channel.client_options import ClientOptions
from harness.channel.commands import Attach, Command, Connect, History, Operate, Publish
from harness.channel.errors import AuthError, ErrorInfo, error_info
from harness.channel.events import (
    Ack,
    Attached,
    CloseTransport,
    Connected,
    Deliver,
    Effects,
    Event,
    HistoryAnswered,
    HistoryRefused,
    Nack,
    Send,
    TransportId,
)
from harness.channel.frames import Store
from harness.channel.grants import Grant
from harness.channel.history import HistoryPage, HistoryQuery
from harness.channel.messages import Message, MessageAction
from harness.channel.rules import NS_PER_MS, NS_PER_S, ChannelRule, ChannelRules
from harness.channel.service import ChannelService, ServiceOptions

T0_NS = 1_700_000_000 * NS_PER_S
EVERYTHING: Mapping[str, Sequence[str]] = {"*": ["*"]}
E = TypeVar("E")


def grant(
    client_id: str | None = "alice",
    capability: Mapping[str, Sequence[str]] = EVERYTHING,
    claims: Mapping[str, str] | None = None,
    expires_ms: int | None = None,
) -> Grant:
    return Grant(client_id, Capability.parse(capability), claims or {}, expires_ms)


def authenticate(credentials: object, now_ms: int) -> Grant:
    """Grants are their own credentials; text is a refusal code or a client id."""
    del now_ms
    if isinstance(credentials, Grant):
        return credentials
    if isinstance(credentials, int):
        raise AuthError(error_info(credentials, "refused by the test"))
    return grant(str(credentials))


def rules(**by_namespace: ChannelRule) -> ChannelRules:
    return ChannelRules(by_namespace)


MUTABLE = rules(mut=ChannelRule(mutable=True))


@dataclass
class Service:
    """A service with a clock that tests move by hand."""

    rules: ChannelRules = field(default_factory=ChannelRules)
    options: ServiceOptions = field(default_factory=ServiceOptions)
    seed_text: str = "test"
    store: Store | None = None
    now_ns: int = T0_NS
    last_transport: int = 0
    msg_serials: dict[TransportId, int] = field(default_factory=dict[TransportId, int])

    def __post_init__(self) -> None:
        options = replace(self.options, rules=self.rules)
        self.core = ChannelService(self.seed_text, authenticate, options, self.store)

    @property
    def now_ms(self) -> int:
        return self.now_ns // NS_PER_MS

    def wait(self, seconds: float) -> Effects:
        self.now_ns += round(seconds * NS_PER_S)
        return self.core.tick(self.now_ns)

    def connect(self, credentials: object = "alice", **fields: object) -> tuple[TransportId, Effects]:
        self.last_transport += 1
        transport = TransportId(self.last_transport)
        command = Connect(credentials, **fields)  # type: ignore[arg-type] # tests spell the fields out
        return transport, self.core.connect(transport, command, self.now_ns)

    def join(self, credentials: object = "alice", **fields: object) -> TransportId:
        transport, effects = self.connect(credentials, **fields)
        only(effects, Connected)
        return transport

    def connected(self, credentials: object = "alice", **fields: object) -> tuple[TransportId, Connected]:
        transport, effects = self.connect(credentials, **fields)
        return transport, only(effects, Connected)

    def do(self, transport: TransportId, command: Command) -> Effects:
        return self.core.receive(transport, command, self.now_ns)

    def attach(self, transport: TransportId, channel: str = "room", **fields: object) -> Attached:
        return only(self.attaching(transport, channel, **fields), Attached)

    def attaching(self, transport: TransportId, channel: str = "room", **fields: object) -> Effects:
        return self.do(transport, Attach(channel, **fields))  # type: ignore[arg-type] # as above

    def publishing(self, transport: TransportId, *messages: Message | str, channel: str = "room") -> Effects:
        serial = self.msg_serials.get(transport, 0)
        self.msg_serials[transport] = serial + 1
        drafts = tuple(Message(name=m, data=m) if isinstance(m, str) else m for m in messages)
        return self.do(transport, Publish(channel, serial, drafts))

    def publish(self, transport: TransportId, *messages: Message | str, channel: str = "room") -> Ack:
        return only(self.publishing(transport, *messages, channel=channel), Ack)

    def operating(self, transport: TransportId, message: Message, channel: str = "mut:room") -> Effects:
        serial = self.msg_serials.get(transport, 0)
        self.msg_serials[transport] = serial + 1
        return self.do(transport, Operate(channel, serial, message))

    def append(self, transport: TransportId, serial: str | None, data: str) -> Effects:
        assert serial
        return self.operating(transport, Message(serial=serial, action=MessageAction.APPEND, data=data))

    def history(
        self, transport: TransportId, query: HistoryQuery | None = None, channel: str = "room"
    ) -> HistoryPage:
        effects = self.do(transport, History(1, channel, query or HistoryQuery()))
        return only(effects, HistoryAnswered).page

    def history_error(
        self, transport: TransportId, query: HistoryQuery | None = None, channel: str = "room"
    ) -> ErrorInfo:
        effects = self.do(transport, History(1, channel, query or HistoryQuery()))
        return only(effects, HistoryRefused).error


def of(effects: Effects, kind: type[E], to: TransportId | None = None) -> list[E]:
    """Every event of one kind, to one transport if given."""
    sends = [effect for effect in effects if isinstance(effect, Send)]
    return [s.event for s in sends if isinstance(s.event, kind) and to in (None, s.transport)]


def only(effects: Effects, kind: type[E]) -> E:
    found = of(effects, kind)
    assert len(found) == 1, f"expected one {kind.__name__} in {effects}"
    return found[0]


def nack_code(effects: Effects) -> int:
    return only(effects, Nack).error.code


def names(effects: Effects, to: TransportId | None = None) -> list[str | None]:
    """The names of all delivered messages."""
    return [message.name for event in of(effects, Deliver, to) for message in event.messages]


def closes(effects: Effects) -> list[TransportId]:
    return [effect.transport for effect in effects if isinstance(effect, CloseTransport)]


class Peer:
    """A client on the other end of a service, over transports that carry at once until they are cut."""

    def __init__(self, service: Service, options: ClientOptions) -> None:
        self.service = service
        self.client = ChannelClient(options)
        self.seen: list[ClientEffect] = []
        self.transports: dict[int, TransportId] = {}
        self.timer_ns: int | None = None
        self.reachable = True
        self.carries_answers = True
        self.sent: list[Command] = []
        self.waiting: deque[ClientEffect] = deque()
        self.carrying = False

    def issue(self, issued: Issued) -> Token:
        self.carry(issued.effects)
        return issued.token

    def carry(self, effects: Sequence[ClientEffect]) -> None:
        """Carry out effects in order; what they lead to comes after them."""
        self.waiting.extend(effects)
        if self.carrying:
            return
        self.carrying = True
        while self.waiting:
            self._carry_out(self.waiting.popleft())
        self.carrying = False

    def _carry_out(self, effect: ClientEffect) -> None:
        self.seen.append(effect)
        match effect:
            case OpenTransport():
                self._open(effect)
            case SendCommand():
                self.sent.append(effect.command)
                if (transport := self.transports.get(effect.attempt)) is not None:
                    self.network.carry(self.service.do(transport, effect.command))
            case DiscardTransport():
                self._drop(effect.attempt)
            case SetTimer():
                self.timer_ns = effect.at_ns
            case _:
                pass

    network: "Network"

    def _open(self, effect: OpenTransport) -> None:
        if not self.reachable:
            self.carry(self.client.transport_lost(effect.attempt, self.service.now_ns))
            return
        self.service.last_transport += 1
        transport = TransportId(self.service.last_transport)
        self.transports[effect.attempt] = transport
        self.network.owners[transport] = (self, effect.attempt)
        self.network.carry(self.service.core.connect(transport, effect.connect, self.service.now_ns))

    def _drop(self, attempt: int) -> None:
        transport = self.transports.pop(attempt, None)
        if transport is not None:
            del self.network.owners[transport]
            self.network.carry(self.service.core.drop(transport, self.service.now_ns))

    def cut(self) -> None:
        """Lose the transport; the client reconnects as far as it is reachable."""
        for attempt in tuple(self.transports):
            self._drop(attempt)
            self.carry(self.client.transport_lost(attempt, self.service.now_ns))

    def receive(self, attempt: int, event: Event) -> None:
        if self.carries_answers:
            self.carry(self.client.received(attempt, event, self.service.now_ns))

    def tick(self) -> None:
        self.carry(self.client.tick(self.service.now_ns))

    def result(self, token: Token) -> object:
        found = [e for e in self.seen if isinstance(e, (Resolved, Rejected)) and e.token == token]
        assert len(found) == 1, f"token {token} was settled {len(found)} times"
        return found[0].result if isinstance(found[0], Resolved) else found[0]

    def of(self, kind: type[E]) -> list[E]:
        return [effect for effect in self.seen if isinstance(effect, kind)]

    def data(self) -> list[object]:
        return [effect.message.data for effect in self.of(Delivered)]


class Network:
    """Joins peers to one service and moves time for all of them."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.owners: dict[TransportId, tuple[Peer, int]] = {}
        self.peers: list[Peer] = []

    def peer(self, credentials: object = "alice", **fields: object) -> Peer:
        peer = Peer(self.service, ClientOptions(credentials, **fields))  # type: ignore[arg-type] # as above
        peer.network = self
        self.peers.append(peer)
        return peer

    def connected(self, credentials: object = "alice", **fields: object) -> Peer:
        peer = self.peer(credentials, **fields)
        peer.carry(peer.client.connect(self.service.now_ns))
        return peer

    def carry(self, effects: Effects) -> None:
        for effect in effects:
            owner = self.owners.get(effect.transport)
            if owner is None:
                continue
            peer, attempt = owner
            if isinstance(effect, Send):
                peer.receive(attempt, effect.event)
            else:
                self.owners.pop(effect.transport, None)
                peer.transports.pop(attempt, None)
                self.carry(self.service.core.drop(effect.transport, self.service.now_ns))
                peer.carry(peer.client.transport_lost(attempt, self.service.now_ns))

    def wait(self, seconds: float) -> None:
        """Advance step by step through every deadline of the service and of the clients."""
        end_ns = self.service.now_ns + round(seconds * NS_PER_S)
        while True:
            deadlines = [self.service.core.next_deadline_ns(), *[peer.timer_ns for peer in self.peers]]
            due_ns = min((at_ns for at_ns in deadlines if at_ns is not None), default=end_ns + 1)
            if due_ns > end_ns:
                break
            self.service.now_ns = max(self.service.now_ns, due_ns)
            self.carry(self.service.core.tick(self.service.now_ns))
            for peer in self.peers:
                peer.tick()
        self.service.now_ns = end_ns
