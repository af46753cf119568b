"""The client: connection, tokens, resends, deadlines."""

import itertools

import pytest

from harness.channel.client_effects import (
    ConnectionChanged,
    OpenTransport,
    TokenNeeded,
)
from harness.channel.client_states import (
    CHANNEL_TRANSITIONS,
    CONNECTION_TRANSITIONS,
    ChannelInput,
    ChannelState,
    ConnectionState,
)
from harness.channel.commands import Publish
from harness.channel.errors import error_info
from harness.channel.events import Detached
from harness.channel.messages import Message, MessageAction
from harness.channel.rules import NS_PER_S
from harness.channel.service import ServiceOptions
from tests.channel.client_driver import attached, moves, network, publish, rejected, state
from tests.channel.driver import MUTABLE, grant

S = ConnectionState


# the tables


def test_every_state_of_a_connection_can_be_left_and_reached() -> None:
    assert {left for left, _ in CONNECTION_TRANSITIONS} == set(S)
    assert set(CONNECTION_TRANSITIONS.values()) == set(S) - {S.INITIALIZED}


def test_only_asking_to_connect_leads_out_of_a_terminal_state() -> None:
    for (left, cause), target in CONNECTION_TRANSITIONS.items():
        if left in (S.CLOSED, S.FAILED) and target is not left:
            assert cause.value == "connect asked"


def test_whatever_the_connection_does_to_a_channel_is_in_the_table() -> None:
    causes = [cause for cause in ChannelInput if cause.name.startswith("CONNECTION_")]
    for pair in itertools.product(ChannelState, causes):
        assert pair in CHANNEL_TRANSITIONS


def test_whatever_the_service_can_say_or_a_user_ask_is_in_the_table_for_every_channel_state() -> None:
    causes = (
        ChannelInput.ATTACH_ASKED,
        ChannelInput.DETACH_ASKED,
        ChannelInput.ATTACHED,
        ChannelInput.DETACHED,
        ChannelInput.REFUSED,
    )
    assert [pair for pair in itertools.product(ChannelState, causes) if pair not in CHANNEL_TRANSITIONS] == []


# connecting


def test_a_client_connects_and_knows_its_identity() -> None:
    peer = network().connected("alice")
    assert moves(peer) == [S.CONNECTING, S.CONNECTED]
    assert peer.client.client_id == "alice"
    assert peer.timer_ns is None


def test_connecting_twice_opens_one_transport() -> None:
    peer = network().connected()
    peer.carry(peer.client.connect(peer.service.now_ns))
    assert len(peer.of(OpenTransport)) == 1


def test_a_lost_connection_is_resumed_at_once() -> None:
    peer = network().connected()
    before = peer.client.connection_id
    peer.cut()
    assert moves(peer)[2:] == [S.DISCONNECTED, S.CONNECTING, S.CONNECTED]
    assert peer.client.connection_id == before
    assert peer.of(OpenTransport)[1].connect.resume is not None


def test_an_unreachable_service_is_tried_every_fifteen_seconds_and_suspends_after_two_minutes() -> None:
    net = network()
    peer = net.connected()
    peer.reachable = False
    peer.cut()
    net.wait(119)
    assert state(peer) is S.DISCONNECTED
    assert len(peer.of(OpenTransport)) == 1 + 1 + 7
    net.wait(1)
    assert state(peer) is S.SUSPENDED
    opened = len(peer.of(OpenTransport))
    net.wait(90)
    assert len(peer.of(OpenTransport)) == opened + 3
    peer.reachable = True
    net.wait(30)
    assert state(peer) is S.CONNECTED


def test_an_attempt_that_nobody_answers_is_given_up_after_ten_seconds() -> None:
    net = network()
    peer = net.peer()
    peer.carries_answers = False
    peer.carry(peer.client.connect(net.service.now_ns))
    net.wait(9.9)
    assert state(peer) is S.CONNECTING
    net.wait(0.1)
    assert moves(peer)[-1] is S.DISCONNECTED
    peer.carries_answers = True
    net.wait(15)
    assert state(peer) is S.CONNECTED


def test_events_of_an_older_attempt_are_ignored() -> None:
    peer = network().connected()
    peer.cut()
    assert peer.client.transport_lost(1, peer.service.now_ns) == ()
    assert peer.client.received(1, Detached("room"), peer.service.now_ns) == ()


def test_refused_credentials_fail_the_connection_for_good() -> None:
    net = network()
    peer = net.connected(40101)
    assert state(peer) is S.FAILED
    net.wait(600)
    assert len(peer.of(OpenTransport)) == 1


def test_a_failed_client_can_be_told_to_connect_with_other_credentials() -> None:
    peer = network().connected(40101)
    peer.issue(peer.client.authorise("alice", peer.service.now_ns))
    assert state(peer) is S.CONNECTED


def test_an_identity_other_than_the_configured_one_fails_the_connection() -> None:
    net = network()
    peer = net.peer("alice")
    peer.client._options = peer.client._options.__class__("alice", client_id="alice")
    peer.carry(peer.client.connect(net.service.now_ns))
    assert state(peer) is S.CONNECTED
    assert net.connected("alice", client_id="bob").client.state is S.FAILED


def test_closing_ends_the_connection_and_its_channels() -> None:
    net = network()
    peer = attached(net.connected())
    peer.carry(peer.client.close(net.service.now_ns))
    assert moves(peer)[-2:] == [S.CLOSING, S.CLOSED]
    assert peer.client.channel_state("room") is ChannelState.DETACHED
    assert peer.timer_ns is None
    token = publish(peer, "x")
    assert rejected(peer, token).error.code == 80017


def test_a_closed_client_can_connect_anew_with_another_connection() -> None:
    peer = network().connected()
    before = peer.client.connection_id
    peer.carry(peer.client.close(peer.service.now_ns))
    peer.carry(peer.client.connect(peer.service.now_ns))
    assert state(peer) is S.CONNECTED
    assert peer.client.connection_id not in (None, before)


def test_a_close_that_nobody_answers_is_done_after_ten_seconds() -> None:
    net = network()
    peer = net.connected()
    peer.carries_answers = False
    peer.carry(peer.client.close(net.service.now_ns))
    net.wait(10)
    assert state(peer) is S.CLOSED


def test_a_service_that_falls_silent_is_taken_for_gone() -> None:
    net = network(options=ServiceOptions(heartbeat_ms=15_000))
    peer = net.connected()
    net.wait(300)
    assert len(peer.of(OpenTransport)) == 1
    peer.carries_answers = False
    net.wait(25)
    assert len(peer.of(OpenTransport)) == 2


# tokens


def test_a_prompted_client_renews_in_place() -> None:
    net = network()
    first = grant(expires_ms=net.service.now_ms + 60_000)
    peer = net.connected(first)
    net.wait(30)
    assert peer.of(TokenNeeded) == [TokenNeeded(None)]
    peer.issue(peer.client.authorise(grant("alice"), net.service.now_ns))
    net.wait(60)
    assert len(peer.of(OpenTransport)) == 1
    assert state(peer) is S.CONNECTED


def test_an_expired_token_is_renewed_and_the_connection_resumed() -> None:
    net = network()
    peer = net.connected(grant(expires_ms=net.service.now_ms + 5_000))
    before = peer.client.connection_id
    net.wait(5)
    assert state(peer) is S.DISCONNECTED
    needed = peer.of(TokenNeeded)[0].reason
    assert needed is not None
    assert needed.code == 40142
    token = peer.issue(peer.client.authorise(grant("alice"), net.service.now_ns))
    assert peer.result(token) is None
    assert peer.client.connection_id == before


def test_a_client_that_can_not_renew_fails_with_40171() -> None:
    net = network()
    peer = net.connected(grant(expires_ms=net.service.now_ms + 5_000), can_renew=False)
    net.wait(5)
    assert state(peer) is S.FAILED
    reason = peer.of(ConnectionChanged)[-1].reason
    assert reason is not None
    assert reason.code == 40171


def test_a_failed_renewal_is_tried_again_later() -> None:
    net = network()
    peer = net.connected(grant(expires_ms=net.service.now_ms + 5_000))
    net.wait(5)
    peer.carry(peer.client.renewal_failed(error_info(40170, "no network"), net.service.now_ns))
    net.wait(15)
    assert len(peer.of(TokenNeeded)) == 2


# publishing


def test_a_publish_resolves_with_its_serials() -> None:
    peer = network().connected()
    serials = peer.result(publish(peer, "x"))  # type: ignore[arg-type] # a token
    assert isinstance(serials, tuple)
    assert len(serials) == 1


def test_a_publish_before_the_connection_waits_for_it() -> None:
    net = network()
    peer = net.peer()
    token = publish(peer, "early")
    peer.carry(peer.client.connect(net.service.now_ns))
    assert isinstance(peer.result(token), tuple)  # type: ignore[arg-type] # a token


def test_a_refused_publish_is_rejected_and_certainly_did_not_happen() -> None:
    peer = network().connected(grant("alice", {"*": ["subscribe"]}))
    refused = rejected(peer, publish(peer, "x"))
    assert (refused.error.code, refused.may_have_happened) == (40160, False)


def test_a_publish_whose_answer_was_lost_is_sent_again_under_its_number_and_happens_once() -> None:
    net = network()
    reader = attached(net.connected("reader"))
    peer = net.connected()
    publish(peer, "before")
    peer.carries_answers = False
    token = publish(peer, "x")
    peer.carries_answers = True
    peer.cut()
    assert isinstance(peer.result(token), tuple)  # type: ignore[arg-type] # a token
    numbers = [command.msg_serial for command in peer.sent if isinstance(command, Publish)]
    assert numbers == [0, 1, 1]
    assert reader.data() == ["before", "x"]


def test_unanswered_publishes_are_numbered_afresh_after_a_failed_resume() -> None:
    net = network()
    peer = net.connected()
    publish(peer, "before")
    peer.carries_answers = False
    publish(peer, "x")
    net.service.core.forget(peer.client.connection_id or "")
    peer.carries_answers = True
    peer.cut()
    numbers = [command.msg_serial for command in peer.sent if isinstance(command, Publish)]
    assert numbers == [0, 1, 0]


@pytest.mark.parametrize(("message_id", "copies"), [(None, 2), ("k1", 1)])
def test_a_publish_renumbered_after_a_failed_resume_happens_once_only_if_it_has_an_id(
    message_id: str | None, copies: int
) -> None:
    net = network()
    reader = attached(net.connected("reader"))
    peer = net.connected()
    peer.carries_answers = False
    publish(peer, "x", message_id=message_id)
    net.service.core.forget(peer.client.connection_id or "")
    peer.carries_answers = True
    peer.cut()
    assert reader.data() == ["x"] * copies


def test_a_sent_publish_of_a_suspended_client_is_unknown_and_an_unsent_one_did_not_happen() -> None:
    net = network()
    peer = net.connected()
    peer.carries_answers = False
    sent = publish(peer, "sent")
    peer.reachable = False
    peer.cut()
    unsent = publish(peer, "unsent")
    net.wait(120)
    assert rejected(peer, sent).may_have_happened
    assert not rejected(peer, unsent).may_have_happened
    assert rejected(peer, publish(peer, "later")).error.code == 80002


def test_a_publish_that_is_never_answered_is_given_up_at_its_deadline_as_unknown() -> None:
    net = network()
    peer = net.connected("alice", publish_timeout_ns=30 * NS_PER_S)
    peer.carries_answers = False
    token = publish(peer, "x")
    net.wait(30)
    assert rejected(peer, token).may_have_happened
    peer.carries_answers = True
    peer.cut()
    assert len([command for command in peer.sent if isinstance(command, Publish)]) == 1


def test_an_operation_resolves_with_its_version_serial() -> None:
    net = network(rules=MUTABLE)
    peer = attached(net.connected(), "mut:a")
    serials = peer.result(publish(peer, "a", "mut:a"))  # type: ignore[arg-type] # a token
    assert isinstance(serials, tuple)
    append = Message(serial=serials[0], action=MessageAction.APPEND, data="b")
    token = peer.issue(peer.client.operate("mut:a", append, net.service.now_ns))
    version = peer.result(token)
    assert isinstance(version, tuple)
    assert version[0] > serials[0]
    assert peer.data() == ["a", "b"]
