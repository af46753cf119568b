"""The client: channels and requests."""

from dataclasses import replace

from harness.channel.client_effects import (
    ChannelChanged,
    Delivered,
    Discontinuity,
)
from harness.channel.client_states import (
    ChannelState,
)
from harness.channel.commands import Attach
from harness.channel.events import Attached, Deliver, Detached
from harness.channel.history import HistoryPage, HistoryQuery
from harness.channel.messages import Message
from harness.channel.modes import DEFAULT_MODES
from harness.channel.rules import ChannelRule, ChannelRules
from tests.channel.client_driver import attached, network, publish, rejected
from tests.channel.driver import grant


def attached_event(channel: str, serial: str, *, resumed: bool) -> Attached:
    return Attached(channel, serial, DEFAULT_MODES, {}, resumed, has_backlog=False, error=None)


# channels


def test_an_attached_channel_continues_after_a_cut_without_loss_or_repetition() -> None:
    net = network()
    reader, writer = attached(net.connected("reader")), net.connected("writer")
    publish(writer, "1")
    reader.reachable = False
    reader.cut()
    publish(writer, "2")
    reader.reachable = True
    net.wait(15)
    publish(writer, "3")
    assert reader.data() == ["1", "2", "3"]
    assert reader.of(Discontinuity) == []


def test_a_cut_longer_than_the_window_is_told_as_a_discontinuity() -> None:
    net = network()
    reader, writer = attached(net.connected("reader")), net.connected("writer")
    reader.reachable = False
    reader.cut()
    publish(writer, "lost")
    net.wait(130)
    publish(writer, "held")
    reader.reachable = True
    net.wait(30)
    gap = reader.of(Discontinuity)
    assert [effect.channel for effect in gap] == ["room"]
    assert gap[0].error is not None
    assert gap[0].error.code == 90003
    assert reader.data() == ["held"]


def test_an_attach_before_the_connection_waits_for_it() -> None:
    net = network()
    peer = net.peer()
    token = peer.issue(peer.client.attach("room", net.service.now_ns))
    peer.carry(peer.client.connect(net.service.now_ns))
    assert isinstance(peer.result(token), Attached)


def test_attaching_an_attached_channel_resolves_without_a_word_to_the_service() -> None:
    net = network()
    peer = attached(net.connected())
    attached(peer)
    assert len([command for command in peer.sent if isinstance(command, Attach)]) == 1


def test_a_refused_attach_fails_the_channel_and_its_publishes() -> None:
    net = network()
    peer = net.connected(grant("alice", {"other": ["*"]}))
    token = peer.issue(peer.client.attach("room", net.service.now_ns))
    assert rejected(peer, token).error.code == 40160
    assert peer.client.channel_state("room") is ChannelState.FAILED
    assert rejected(peer, publish(peer, "x")).error.code == 90001


def test_an_unanswered_attach_suspends_the_channel_and_is_retried() -> None:
    net = network()
    peer = net.connected()
    peer.carries_answers = False
    token = peer.issue(peer.client.attach("room", net.service.now_ns))
    net.wait(10)
    assert rejected(peer, token).error.code == 90007
    assert peer.client.channel_state("room") is ChannelState.SUSPENDED
    peer.carries_answers = True
    net.wait(15)
    assert peer.client.channel_state("room") is ChannelState.ATTACHED


def test_messages_under_way_while_attaching_again_come_exactly_once() -> None:
    net = network()
    reader, writer = net.connected("reader"), net.connected("writer")
    reader.carries_answers = False
    reader.issue(reader.client.attach("room", net.service.now_ns))
    net.wait(10)
    reader.carries_answers = True
    publish(writer, "while suspended")
    net.wait(15)
    publish(writer, "after")
    assert reader.data() == ["after"]
    assert reader.of(Discontinuity) == []


def test_a_frame_that_crossed_a_repeated_attach_is_not_delivered_again_when_it_is_replayed() -> None:
    net = network()
    reader = net.connected("reader")
    reader.client.attach("room", net.service.now_ns)
    head = attached_event("room", "01700000000000-000@s", resumed=False)
    frame = Deliver("room", "01700000000001-000@s", "w:0", "w", 0, (Message(data="x"),))
    for event in (head, frame, replace(head, resumed=True), frame):
        reader.carry(reader.client.received(1, event, net.service.now_ns))
    assert reader.data() == ["x"]


def test_a_detached_channel_delivers_nothing_and_starts_afresh() -> None:
    net = network()
    reader, writer = attached(net.connected("reader")), net.connected("writer")
    token = reader.issue(reader.client.detach("room", net.service.now_ns))
    assert reader.result(token) is None
    publish(writer, "unseen")
    attached(reader)
    publish(writer, "seen")
    assert reader.data() == ["seen"]
    assert reader.of(Discontinuity) == []


def test_an_attach_asked_while_detaching_happens_after_it() -> None:
    net = network()
    peer = attached(net.connected())
    detaching = peer.client.detach("room", net.service.now_ns)
    attaching = peer.client.attach("room", net.service.now_ns)
    peer.carry(detaching.effects)
    peer.carry(attaching.effects)
    assert peer.client.channel_state("room") is ChannelState.ATTACHED
    assert isinstance(peer.result(attaching.token), Attached)


def test_a_detach_asked_while_attaching_wins() -> None:
    net = network()
    peer = net.connected()
    attaching = peer.client.attach("room", net.service.now_ns)
    detaching = peer.client.detach("room", net.service.now_ns)
    peer.carry(attaching.effects)
    peer.carry(detaching.effects)
    assert peer.client.channel_state("room") is ChannelState.DETACHED
    assert rejected(peer, attaching.token).error.code == 90000
    assert peer.result(detaching.token) is None


def test_an_unasked_detached_makes_the_client_attach_again() -> None:
    net = network()
    reader, writer = attached(net.connected("reader")), net.connected("writer")
    reader.carry(reader.client.received(1, Detached("room"), net.service.now_ns))
    publish(writer, "x")
    assert reader.client.channel_state("room") is ChannelState.ATTACHED
    assert reader.data() == ["x"]


def test_a_channel_refused_for_want_of_rights_after_a_downgrade_is_told() -> None:
    net = network()
    peer = attached(net.connected())
    peer.issue(peer.client.authorise(grant("alice", {"other": ["*"]}), net.service.now_ns))
    change = peer.of(ChannelChanged)[-1]
    assert change.current is ChannelState.FAILED
    assert change.reason is not None
    assert change.reason.code == 40160


def test_a_rewind_interrupted_before_its_first_message_is_asked_for_again() -> None:
    net = network(rules=ChannelRules(default=ChannelRule(history_ms=3_600_000)))
    writer = net.connected("writer")
    publish(writer, "pending")
    net.wait(600)
    reader = net.connected("reader")
    issued = reader.client.attach("room", net.service.now_ns, {"rewind": "1"})
    answer = net.service.do(reader.transports[1], Attach("room", None, {"rewind": "1"}))[0]
    reader.carry(reader.client.received(1, answer.event, net.service.now_ns))  # type: ignore[union-attr] # a Send
    assert isinstance(reader.result(issued.token), Attached)
    reader.cut()
    assert reader.data() == ["pending"]


# requests


def test_history_up_to_the_attach_and_live_messages_join_without_gap_or_overlap() -> None:
    net = network()
    writer = net.connected("writer")
    publish(writer, "1")
    reader = attached(net.connected("reader"))
    publish(writer, "2")
    token = reader.issue(reader.client.history("room", HistoryQuery(), net.service.now_ns, until_attach=True))
    page = reader.result(token)
    assert isinstance(page, HistoryPage)
    assert [message.data for message in page.items] + reader.data() == ["1", "2"]


def test_history_up_to_the_attach_needs_an_attached_channel() -> None:
    peer = network().connected()
    token = peer.issue(peer.client.history("room", HistoryQuery(), peer.service.now_ns, until_attach=True))
    assert rejected(peer, token).error.code == 90001


def test_a_refused_history_is_rejected() -> None:
    peer = network().connected()
    token = peer.issue(peer.client.history("room", HistoryQuery(limit=0), peer.service.now_ns))
    assert rejected(peer, token).error.code == 40003


def test_a_history_request_cut_off_is_asked_again_on_the_next_connection() -> None:
    peer = network().connected()
    peer.carries_answers = False
    token = peer.issue(peer.client.history("room", HistoryQuery(), peer.service.now_ns))
    peer.carries_answers = True
    peer.cut()
    assert isinstance(peer.result(token), HistoryPage)


def test_an_unanswered_request_is_given_up_after_ten_seconds() -> None:
    net = network()
    peer = net.connected()
    peer.carries_answers = False
    asked = peer.issue(peer.client.history("room", HistoryQuery(), net.service.now_ns))
    pinged = peer.issue(peer.client.ping(net.service.now_ns))
    net.wait(10)
    assert rejected(peer, asked).error.code == 50003
    assert rejected(peer, pinged).error.code == 50003


def test_a_ping_resolves() -> None:
    peer = network().connected()
    assert peer.result(peer.issue(peer.client.ping(peer.service.now_ns))) is None


def test_an_idle_client_needs_no_timer() -> None:
    net = network()
    peer = attached(net.connected())
    publish(peer, "x")
    assert peer.of(Delivered)
    assert peer.timer_ns is None
    assert net.service.core.next_deadline_ns() is None
