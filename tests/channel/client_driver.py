"""Shorthands for tests of the client on a network of peers."""

from harness.channel.client_effects import (
    ConnectionChanged,
    Rejected,
)
from harness.channel.client_states import (
    ConnectionState,
)
from harness.channel.events import Attached
from harness.channel.messages import Message
from tests.channel.driver import Network, Peer, Service

S = ConnectionState


def network(**fields: object) -> Network:
    return Network(Service(**fields))  # type: ignore[arg-type] # tests spell the fields out


def moves(peer: Peer) -> list[ConnectionState]:
    return [effect.current for effect in peer.of(ConnectionChanged)]


def state(peer: Peer) -> ConnectionState:
    return peer.client.state


def attached(peer: Peer, channel: str = "room", **fields: object) -> Peer:
    token = peer.issue(peer.client.attach(channel, peer.service.now_ns, **fields))  # type: ignore[arg-type] # as above
    assert isinstance(peer.result(token), Attached)
    return peer


def publish(peer: Peer, data: str, channel: str = "room", message_id: str | None = None) -> int:
    message = Message(name="m", data=data, id=message_id)
    return peer.issue(peer.client.publish(channel, (message,), peer.service.now_ns))


def rejected(peer: Peer, token: int) -> Rejected:
    result = peer.result(token)  # type: ignore[arg-type] # a token
    assert isinstance(result, Rejected)
    return result
