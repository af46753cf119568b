"""Whatever is asked, lost or refused, in whatever order: the client never breaks and settles every token."""

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.channel.client_effects import Rejected, Resolved, Token, TokenNeeded
from harness.channel.client_states import ConnectionState
from harness.channel.commands import Detach
from harness.channel.errors import error_info
from harness.channel.history import HistoryQuery
from harness.channel.messages import Message
from harness.channel.rules import NS_PER_S
from harness.channel.service import ServiceOptions
from tests.channel.driver import Network, Peer, Service, grant

ASKS = (
    "connect",
    "close",
    "attach",
    "detach",
    "publish",
    "history",
    "ping",
    "renew",
    "renew badly",
    "give up",
)
MISHAPS = ("cut", "silence", "unreachable", "heal", "forget", "disconnect", "detached", "expire")
WAITS = ("wait 1", "wait 11", "wait 16", "wait 130")


class Run:
    """One client under anything that can happen to it."""

    def __init__(self, heartbeat_ms: int) -> None:
        self.network = Network(Service(options=ServiceOptions(heartbeat_ms=heartbeat_ms)))
        self.service = self.network.service
        self.peer: Peer = self.network.connected(publish_timeout_ns=60 * NS_PER_S)
        self.tokens: list[Token] = []

    def ask(self, action: str, channel: str) -> None:
        client, now_ns = self.peer.client, self.service.now_ns
        match action:
            case "connect":
                self.peer.carry(client.connect(now_ns))
            case "close":
                self.peer.carry(client.close(now_ns))
            case "attach":
                self.tokens.append(self.peer.issue(client.attach(channel, now_ns)))
            case "detach":
                self.tokens.append(self.peer.issue(client.detach(channel, now_ns)))
            case "publish":
                self.tokens.append(self.peer.issue(client.publish(channel, (Message(data="x"),), now_ns)))
            case "history":
                self.tokens.append(self.peer.issue(client.history(channel, HistoryQuery(), now_ns)))
            case "ping":
                self.tokens.append(self.peer.issue(client.ping(now_ns)))
            case "renew":
                self.tokens.append(self.peer.issue(client.authorise("alice", now_ns)))
            case "renew badly":
                self.tokens.append(self.peer.issue(client.authorise(40142, now_ns)))
            case _:
                self.peer.carry(client.renewal_failed(error_info(40170, "offline"), now_ns))

    def befall(self, action: str, channel: str) -> None:
        transports = tuple(self.peer.transports.values())
        match action:
            case "cut":
                self.peer.cut()
            case "silence":
                self.peer.carries_answers = False
            case "unreachable":
                self.peer.reachable = False
            case "heal":
                self.peer.reachable = self.peer.carries_answers = True
            case "forget":
                self.network.carry(self.service.core.forget(self.peer.client.connection_id or ""))
            case "disconnect":
                for transport in transports:
                    self.network.carry(self.service.core.disconnect(transport, self.service.now_ns))
            case "detached":
                for transport in transports:
                    self.network.carry(self.service.do(transport, Detach(channel)))
            case _:
                expiring = grant(expires_ms=self.service.now_ms + 1_000)
                self.tokens.append(self.peer.issue(self.peer.client.authorise(expiring, self.service.now_ns)))

    def heal(self) -> None:
        """Reach a quiet end: the network works and new credentials are to be had."""
        self.peer.cut()
        self.peer.reachable = self.peer.carries_answers = True
        self.ask("connect", "")
        for _ in range(3):
            self.ask("renew", "")
            self.network.wait(200)


@settings(derandomize=True, database=None, deadline=None, max_examples=150)
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(ASKS + MISHAPS + WAITS + ASKS), st.sampled_from(["a", "b"])), max_size=40
    ),
    heartbeat_ms=st.sampled_from([0, 15_000]),
)
def test_every_token_is_settled_exactly_once_whatever_happens(
    steps: list[tuple[str, str]], heartbeat_ms: int
) -> None:
    run = Run(heartbeat_ms)
    for action, channel in steps:
        if action in ASKS:
            run.ask(action, channel)
        elif action in MISHAPS:
            run.befall(action, channel)
        else:
            run.network.wait(int(action.partition(" ")[2]))
    run.heal()
    settled = sorted(effect.token for effect in run.peer.seen if isinstance(effect, (Resolved, Rejected)))
    assert settled == sorted([*run.tokens])
    assert run.peer.client.state is ConnectionState.CONNECTED
    assert run.peer.timer_ns is None or heartbeat_ms


def test_a_token_refused_at_connecting_asks_for_another() -> None:
    peer = Network(Service()).connected(40142)
    assert [effect.reason is not None for effect in peer.of(TokenNeeded)] == [True]
