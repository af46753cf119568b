"""A channel that is asked for again before its own retry is due: the retry is off."""

from harness.channel.client_states import ChannelState
from harness.channel.events import Attached
from tests.channel.driver import Network, Peer, Service


def with_unanswered_attach() -> tuple[Network, Peer]:
    """Return a client whose channel is suspended, because nobody answered for ten seconds."""
    net = Network(Service())
    peer = net.connected()
    peer.carries_answers = False
    peer.issue(peer.client.attach("room", net.service.now_ns))
    net.wait(10)
    assert peer.client.channel_state("room") is ChannelState.SUSPENDED
    return net, peer


def test_an_attach_asked_for_again_replaces_the_retry_that_was_due() -> None:
    net, peer = with_unanswered_attach()
    peer.issue(peer.client.attach("room", net.service.now_ns))
    peer.reachable = False
    peer.cut()
    net.wait(20)
    peer.reachable, peer.carries_answers = True, True
    net.wait(40)
    assert peer.client.channel_state("room") is ChannelState.ATTACHED


def test_a_channel_attached_by_asking_again_is_left_alone() -> None:
    net, peer = with_unanswered_attach()
    peer.carries_answers = True
    token = peer.issue(peer.client.attach("room", net.service.now_ns))
    assert isinstance(peer.result(token), Attached)
    net.wait(20)
    assert peer.client.channel_state("room") is ChannelState.ATTACHED
