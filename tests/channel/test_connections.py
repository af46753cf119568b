"""Opening, resuming, recovering, re-authenticating and closing connections."""

import pytest

from harness.channel.commands import Authorise, Close, Connect, Ping, Publish
from harness.channel.events import (
    Ack,
    Attached,
    AuthPrompt,
    ChannelFailed,
    Closed,
    Connected,
    ConnectionFailed,
    Deliver,
    Disconnected,
    Heartbeat,
    Nack,
    TransportId,
)
from harness.channel.messages import Message
from harness.channel.modes import Mode
from harness.channel.service import ServiceOptions
from tests.channel.driver import Service, closes, grant, names, of, only


def test_valid_credentials_are_answered_with_connected() -> None:
    _, connected = Service().connected("alice")
    assert connected.client_id == "alice"
    assert connected.connection_key.startswith(connected.connection_id + "!")
    assert connected.state_ttl_ms == 120_000
    assert connected.error is None


@pytest.mark.parametrize("code", [40101, 40142, 40143, 40144])
def test_refused_credentials_fail_the_connection_and_close_its_transport(code: int) -> None:
    transport, effects = Service().connect(code)
    assert only(effects, ConnectionFailed).error.code == code
    assert closes(effects) == [transport]


def test_an_expired_token_is_refused_with_40142() -> None:
    service = Service()
    _, effects = service.connect(grant(expires_ms=service.now_ms))
    assert only(effects, ConnectionFailed).error.code == 40142


# RSA7, RSA15: which identity credentials give


@pytest.mark.parametrize(
    ("granted", "claimed", "identity"),
    [("a", None, "a"), ("a", "a", "a"), ("*", None, "*"), ("*", "b", "b"), (None, None, None)],
)
def test_a_claimed_identity_that_the_token_covers_is_assumed(
    granted: str | None, claimed: str | None, identity: str | None
) -> None:
    _, connected = Service().connected(grant(granted), client_id=claimed)
    assert connected.client_id == identity


@pytest.mark.parametrize(
    ("granted", "claimed", "code"),
    [("a", "b", 40102), (None, "b", 40102), ("a", "", 40012), ("*", "*", 40012)],
)
def test_a_claimed_identity_that_the_token_does_not_cover_is_refused(
    granted: str | None, claimed: str, code: int
) -> None:
    _, effects = Service().connect(grant(granted), client_id=claimed)
    assert only(effects, ConnectionFailed).error.code == code


# RTN15, RTN16: resume and recover


@pytest.mark.parametrize("field", ["resume", "recover"])
def test_a_resume_within_the_time_to_live_keeps_the_connection(field: str) -> None:
    service = Service()
    first, connected = service.connected()
    service.core.drop(first, service.now_ns)
    service.wait(119)
    _, again = service.connected("alice", **{field: connected.connection_key})
    assert again.connection_id == connected.connection_id
    assert again.error is None


def test_a_resume_after_the_time_to_live_gets_a_new_connection_and_80008() -> None:
    service = Service()
    first, connected = service.connected()
    service.core.drop(first, service.now_ns)
    service.now_ns += 120 * 10**9  # nobody ticked
    _, again = service.connected("alice", resume=connected.connection_key)
    assert again.connection_id != connected.connection_id
    assert again.connection_key != connected.connection_key
    assert again.error is not None
    assert again.error.code == 80008


@pytest.mark.parametrize("key", ["_____!ablyjs_test_fake-key____", "ably-python-fake-key", "!"])
def test_a_resume_with_a_malformed_key_gets_a_new_connection_and_80018(key: str) -> None:
    _, again = Service().connected("alice", resume=key)
    assert again.error is not None
    assert again.error.code == 80018


def test_a_resume_with_the_wrong_secret_is_fatal() -> None:
    service = Service()
    first, connected = service.connected()
    service.core.drop(first, service.now_ns)
    stranger = service.connected("bob")[1]
    forged = connected.connection_id + "!" + stranger.connection_key.partition("!")[2]
    _, effects = service.connect("alice", resume=forged)
    assert only(effects, ConnectionFailed).error.code == 40101


def test_a_resume_with_the_credentials_of_another_client_is_refused_with_40102() -> None:
    service = Service()
    first, connected = service.connected("alice")
    service.core.drop(first, service.now_ns)
    _, effects = service.connect("bob", resume=connected.connection_key)
    assert only(effects, ConnectionFailed).error.code == 40102


def test_a_token_error_on_resume_leaves_the_connection_to_be_resumed_with_a_new_token() -> None:
    service = Service()
    first, connected = service.connected()
    service.core.drop(first, service.now_ns)
    _, effects = service.connect(40142, resume=connected.connection_key)
    assert only(effects, ConnectionFailed).error.code == 40142
    _, again = service.connected("alice", resume=connected.connection_key)
    assert again.connection_id == connected.connection_id


def test_a_newer_transport_supersedes_an_older_one_of_the_same_connection() -> None:
    service = Service()
    old, connected = service.connected()
    service.attach(old)
    new, effects = service.connect("alice", resume=connected.connection_key)
    assert of(effects, Disconnected, old)[0].error.code == 80016
    assert closes(effects) == [old]
    assert of(effects, Connected, new)
    assert service.do(old, Ping("late")) == ()
    assert service.core.drop(old, service.now_ns) == ()
    assert service.do(new, Ping("x"))


def test_nothing_is_delivered_on_a_resumed_connection_before_it_attaches_again() -> None:
    service = Service()
    bob = service.join("bob")
    first, connected = service.connected()
    service.attach(first)
    service.core.drop(first, service.now_ns)
    second, _ = service.connected("alice", resume=connected.connection_key)
    assert names(service.publishing(bob, "unseen"), second) == []


def test_a_closed_connection_can_not_be_resumed() -> None:
    service = Service()
    transport, connected = service.connected()
    effects = service.do(transport, Close())
    assert of(effects, Closed)
    assert closes(effects) == [transport]
    assert service.connected("alice", resume=connected.connection_key)[1].error is not None


def test_a_forgotten_connection_can_not_be_resumed() -> None:
    service = Service()
    transport, connected = service.connected()
    assert closes(service.core.forget(connected.connection_id)) == [transport]
    assert service.connected("alice", resume=connected.connection_key)[1].error is not None


def test_a_connection_asked_to_reconnect_can_be_resumed() -> None:
    service = Service()
    transport, connected = service.connected()
    effects = service.core.disconnect(transport, service.now_ns)
    assert only(effects, Disconnected).error.code == 80003
    assert service.connected("alice", resume=connected.connection_key)[1].error is None


def test_a_transport_number_is_never_used_twice() -> None:
    service = Service()
    transport = service.join()
    with pytest.raises(ValueError, match="number transports uniquely"):
        service.core.connect(transport, Connect("bob"), service.now_ns)


# RTN13, RTN23: signs of life


def test_a_ping_is_answered_with_its_id() -> None:
    service = Service()
    assert only(service.do(service.join(), Ping("0123")), Heartbeat).id == "0123"


def test_heartbeats_come_at_their_interval_and_carry_no_id() -> None:
    service = Service(options=ServiceOptions(heartbeat_ms=15_000))
    service.join()
    beats = [event for _ in range(40) for event in of(service.wait(1), Heartbeat)]
    assert beats == [Heartbeat(), Heartbeat()]


def test_a_quiet_service_awaits_nothing() -> None:
    service = Service()
    transport = service.join()
    service.attach(transport)
    service.publish(transport, "m")
    assert service.core.next_deadline_ns() is None


# RTN22, RTC8: tokens that expire, tokens that are replaced


def test_a_client_is_prompted_thirty_seconds_before_its_token_expires() -> None:
    service = Service()
    service.join(grant(expires_ms=service.now_ms + 60_000))
    assert service.wait(29.9) == ()
    assert of(service.wait(0.1), AuthPrompt)


def test_a_client_with_a_short_token_is_prompted_at_once() -> None:
    service = Service()
    service.join(grant(expires_ms=service.now_ms + 20_000))
    assert of(service.wait(0), AuthPrompt)


def test_a_client_whose_token_is_all_but_expired_is_not_prompted() -> None:
    service = Service()
    service.join(grant(expires_ms=service.now_ms + 5_000))
    assert of(service.wait(4.9), AuthPrompt) == []


def test_a_connection_whose_token_expires_is_disconnected_and_can_be_resumed() -> None:
    service = Service()
    transport, connected = service.connected(grant(expires_ms=service.now_ms + 5_000))
    effects = service.wait(5)
    assert only(effects, Disconnected).error.code == 40142
    assert closes(effects) == [transport]
    assert service.connected("alice", resume=connected.connection_key)[1].error is None


def test_nothing_is_executed_under_a_token_that_expired_before_the_tick() -> None:
    service = Service()
    transport = service.join(grant(expires_ms=service.now_ms + 5_000))
    service.now_ns += 5 * 10**9
    effects = service.do(transport, Publish("room", 0, (Message(name="late"),)))
    assert of(effects, Disconnected)
    assert not of(effects, Ack)
    assert not of(effects, Nack)


def test_new_credentials_in_place_keep_the_connection_and_postpone_its_expiry() -> None:
    service = Service()
    transport, connected = service.connected(grant(expires_ms=service.now_ms + 60_000))
    fresh = grant(expires_ms=service.now_ms + 3_600_000)
    again = only(service.do(transport, Authorise(fresh)), Connected)
    assert again.connection_id == connected.connection_id
    assert of(service.wait(600), Disconnected) == []


def test_unchanged_credentials_are_answered_with_connected_too() -> None:
    service = Service()
    transport = service.join("alice")
    assert of(service.do(transport, Authorise("alice")), Connected)


def test_new_credentials_of_another_client_end_the_connection_with_40102() -> None:
    service = Service()
    transport, connected = service.connected("alice")
    effects = service.do(transport, Authorise("bob"))
    assert only(effects, ConnectionFailed).error.code == 40102
    assert closes(effects) == [transport]
    assert service.connected("alice", resume=connected.connection_key)[1].error is not None


def test_new_credentials_that_expired_end_the_transport_but_not_the_state() -> None:
    service = Service()
    transport, connected = service.connected("alice")
    assert only(service.do(transport, Authorise(40142)), ConnectionFailed).error.code == 40142
    assert service.connected("alice", resume=connected.connection_key)[1].error is None


def test_a_channel_that_the_new_token_allows_nothing_on_fails_and_the_others_live() -> None:
    service = Service()
    bob, alice = service.join("bob"), service.join("alice")
    service.attach(alice, "secret")
    service.attach(alice, "open")
    effects = service.do(alice, Authorise(grant("alice", {"open": ["*"]})))
    failed = only(effects, ChannelFailed)
    assert (failed.channel, failed.error.code) == ("secret", 40160)
    assert names(service.publishing(bob, "m", channel="secret"), alice) == []
    assert names(service.publishing(bob, "m", channel="open"), alice) == ["m"]


def test_a_channel_that_the_new_token_allows_less_on_is_told_its_modes() -> None:
    service = Service()
    alice = service.join("alice")
    service.attach(alice)
    effects = service.do(alice, Authorise(grant("alice", {"room": ["subscribe"]})))
    update = only(effects, Attached)
    assert update.modes == Mode.SUBSCRIBE | Mode.PRESENCE_SUBSCRIBE
    assert update.resumed


def test_rights_of_the_new_token_hold_from_the_next_command_on() -> None:
    service = Service()
    alice = service.join("alice")
    service.do(alice, Authorise(grant("alice", {"room": ["subscribe"]})))
    assert only(service.publishing(alice, "m"), Nack).error.code == 40160


def test_a_command_from_an_unknown_transport_is_ignored() -> None:
    assert Service().do(TransportId(99), Close()) == ()


def test_a_dropped_transport_receives_nothing_more() -> None:
    service = Service()
    alice, bob = service.join("alice"), service.join("bob")
    service.attach(alice)
    service.core.drop(alice, service.now_ns)
    assert of(service.publishing(bob, "m"), Deliver, alice) == []
