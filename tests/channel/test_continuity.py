"""No loss, no repetition, one order: subscribers on transports that lose what is under way, at any moment."""

from collections import deque
from dataclasses import dataclass
from enum import Enum, auto

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.channel.client_effects import (
    ClientEffect,
    Delivered,
    Discontinuity,
    Resolved,
    SendCommand,
    Token,
)
from harness.channel.client_options import ClientOptions
from harness.channel.commands import Command
from harness.channel.events import Effects, Event, Send, TransportId
from harness.channel.history import Direction, HistoryQuery
from harness.channel.messages import Message, MessageAction
from harness.channel.rules import NS_PER_S, ChannelRule
from harness.channel.service import AckOrder, ServiceOptions
from tests.channel.driver import Network, Peer, Service, rules

ROOM = "mut:room"


class Noticed(Enum):
    """Whether the service learns at once that a transport was cut, or only when another one takes over."""

    AT_ONCE = auto()
    WHEN_SUPERSEDED = auto()


class SlowNetwork(Network):
    """Carries events to a peer only when told to."""

    def carry(self, effects: Effects) -> None:
        for effect in effects:
            owner = self.owners.get(effect.transport)
            if owner is not None and isinstance(effect, Send):
                peer, attempt = owner
                assert isinstance(peer, SlowPeer)
                peer.to_client.append((attempt, effect.event))


class SlowPeer(Peer):
    """A client whose commands and events wait in flight until carried, or are lost in a cut."""

    def __init__(self, service: Service, options: ClientOptions) -> None:
        super().__init__(service, options)
        self.to_service: deque[tuple[TransportId, Command]] = deque()
        self.to_client: deque[tuple[int, Event]] = deque()

    def _carry_out(self, effect: ClientEffect) -> None:
        if isinstance(effect, SendCommand):
            if (transport := self.transports.get(effect.attempt)) is not None:
                self.to_service.append((transport, effect.command))
        else:
            super()._carry_out(effect)

    def carry_commands(self, count: int) -> None:
        for _ in range(min(count, len(self.to_service))):
            transport, command = self.to_service.popleft()
            self.network.carry(self.service.do(transport, command))

    def carry_events(self, count: int) -> None:
        for _ in range(min(count, len(self.to_client))):
            attempt, event = self.to_client.popleft()
            self.receive(attempt, event)

    def lose_transport(self, noticed: Noticed) -> None:
        self.to_service.clear()
        self.to_client.clear()
        for attempt, transport in tuple(self.transports.items()):
            del self.transports[attempt]
            del self.network.owners[transport]
            if noticed is Noticed.AT_ONCE:
                self.service.core.drop(transport, self.service.now_ns)
            self.carry(self.client.transport_lost(attempt, self.service.now_ns))

    def settle(self) -> None:
        while self.to_service or self.to_client:
            self.carry_commands(len(self.to_service))
            self.carry_events(len(self.to_client))


@dataclass(frozen=True)
class Step:
    peer: int
    action: str
    amount: int
    noticed: Noticed


STEPS = st.lists(
    st.builds(
        Step,
        peer=st.integers(0, 2),
        action=st.sampled_from(
            ["publish", "publish", "append", "commands", "events", "events", "cut", "wait"]
        ),
        amount=st.integers(1, 4),
        noticed=st.sampled_from(Noticed),
    ),
    max_size=40,
)


class Run:
    """Three clients that publish and read, on one channel."""

    def __init__(self, order: AckOrder) -> None:
        keep = rules(mut=ChannelRule(mutable=True))
        self.service = Service(rules=keep, options=ServiceOptions(ack_order=order))
        self.network = SlowNetwork(self.service)
        self.peers: list[SlowPeer] = []
        self.published: dict[Token, tuple[int, str]] = {}
        for name in ("a", "b", "c"):
            peer = SlowPeer(self.service, ClientOptions(name))
            peer.network = self.network
            self.peers.append(peer)
            self.network.peers.append(peer)
            peer.carry(peer.client.connect(self.service.now_ns))
            peer.carry(peer.client.attach(ROOM, self.service.now_ns).effects)
            peer.settle()

    def do(self, number: int, step: Step) -> None:
        peer = self.peers[step.peer]
        now_ns = self.service.now_ns
        match step.action:
            case "publish":
                for part in range(step.amount):
                    message = Message(name="m", data=f"{number}.{part}")
                    peer.carry(peer.client.publish(ROOM, (message,), now_ns).effects)
            case "append":
                known = [effect.message.serial for effect in peer.of(Delivered)]
                if known:
                    target = known[(number * step.amount) % len(known)]
                    append = Message(serial=target, action=MessageAction.APPEND, data=f"+{number}")
                    peer.carry(peer.client.operate(ROOM, append, now_ns).effects)
            case "commands":
                peer.carry_commands(step.amount)
            case "events":
                peer.carry_events(step.amount)
            case "cut":
                peer.lose_transport(step.noticed)
            case _:
                self.service.now_ns += step.amount * NS_PER_S // 4

    def settle(self) -> None:
        """Let everything under way arrive, and every client that waits for a retry come back."""
        while True:
            for peer in self.peers:
                peer.settle()
            if not any(peer.to_service or peer.to_client for peer in self.peers):
                due_ns = min(
                    (peer.timer_ns for peer in self.peers if peer.timer_ns is not None), default=None
                )
                if due_ns is None:
                    return
                self.service.now_ns = max(self.service.now_ns, due_ns)
                for peer in self.peers:
                    peer.tick()

    def history(self) -> tuple[Message, ...]:
        actor = self.service.core.identify("reader", None, self.service.now_ns)
        query = HistoryQuery(Direction.FORWARDS, 1000)
        return self.service.core.hub.history(actor, ROOM, query, self.service.now_ms).items


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(STEPS, st.sampled_from(AckOrder))
def test_every_subscriber_gets_every_message_once_and_in_the_one_order(
    steps: list[Step], order: AckOrder
) -> None:
    run = Run(order)
    for number, step in enumerate(steps):
        run.do(number, step)
    run.settle()
    expected = [(message.serial, message.connection_id) for message in run.history()]
    assert expected == sorted(expected)
    for peer in run.peers:
        created = [
            effect.message for effect in peer.of(Delivered) if effect.message.action is MessageAction.CREATE
        ]
        assert [(message.serial, message.connection_id) for message in created] == expected
        assert peer.of(Discontinuity) == []


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(STEPS, st.sampled_from(AckOrder))
def test_every_publish_happens_exactly_once_whatever_was_lost(steps: list[Step], order: AckOrder) -> None:
    run = Run(order)
    for number, step in enumerate(steps):
        run.do(number, step)
    run.settle()
    texts = [str(message.data).partition("+")[0] for message in run.history()]
    asked = [
        f"{number}.{part}"
        for number, step in enumerate(steps)
        if step.action == "publish"
        for part in range(step.amount)
    ]
    assert sorted(texts) == sorted(asked)
    for peer in run.peers:
        settled = [effect.token for effect in peer.of(Resolved)]
        assert len(settled) == len(set(settled))


@settings(derandomize=True, database=None, deadline=None, max_examples=60)
@given(STEPS, st.sampled_from(AckOrder))
def test_every_subscriber_ends_with_the_final_text_of_every_message(
    steps: list[Step], order: AckOrder
) -> None:
    run = Run(order)
    for number, step in enumerate(steps):
        run.do(number, step)
    run.settle()
    final = {message.serial: message.data for message in run.history()}
    for peer in run.peers:
        texts: dict[str, str] = {}
        for effect in peer.of(Delivered):
            message = effect.message
            assert isinstance(message.data, str)
            known = texts.get(message.serial, "") if message.action is MessageAction.APPEND else ""
            texts[message.serial] = known + message.data
        assert texts == final


def test_two_runs_of_the_same_steps_agree_byte_for_byte() -> None:
    steps = [
        Step(i % 3, action, 2, Noticed.AT_ONCE) for i, action in enumerate(["publish", "events", "cut"] * 9)
    ]

    def told() -> list[str]:
        run = Run(AckOrder.ACK_FIRST)
        for number, step in enumerate(steps):
            run.do(number, step)
        run.settle()
        return [repr(effect) for peer in run.peers for effect in peer.seen]

    assert told() == told()
