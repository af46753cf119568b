"""Publishing: answers, order, identity, roles, rights, idempotency, echo."""

import pytest

from harness.channel.commands import Publish
from harness.channel.events import Ack, Deliver, Nack, Send
from harness.channel.messages import Message, MessageAction
from harness.channel.rules import ChannelRule
from harness.channel.service import AckOrder, ServiceOptions
from tests.channel.driver import MUTABLE, Service, grant, nack_code, names, only, rules


def test_a_publish_is_acknowledged_with_one_serial_per_message() -> None:
    service = Service()
    ack = service.publish(service.join(), "a", "b")
    assert ack.msg_serial == 0
    assert [serial and serial[-4:] for serial in ack.serials] == [":000", ":001"]


def test_a_refused_publish_is_answered_with_its_msg_serial_and_an_error() -> None:
    service = Service()
    nack = only(service.publishing(service.join(grant("alice", {"room": ["subscribe"]})), "m"), Nack)
    assert (nack.msg_serial, nack.error.code, nack.error.status) == (0, 40160, 401)


def test_publishing_needs_no_attach() -> None:
    service = Service()
    reader, writer = service.join("bob"), service.join("alice")
    service.attach(reader)
    assert names(service.publishing(writer, "m"), reader) == ["m"]


def test_a_frame_of_several_messages_is_delivered_as_one_with_the_same_serials_as_acknowledged() -> None:
    service = Service()
    reader, writer = service.join("bob"), service.join("alice")
    service.attach(reader)
    effects = service.publishing(writer, "a", "b")
    frame = only(effects, Deliver)
    assert tuple(message.serial for message in frame.messages) == only(effects, Ack).serials
    assert [message.id for message in frame.messages] == [f"{frame.id}:0", f"{frame.id}:1"]
    assert frame.id == f"{frame.connection_id}:0"


def test_a_frame_with_one_bad_message_changes_nothing() -> None:
    service = Service()
    transport = service.join()
    assert nack_code(service.publishing(transport, Message(name="good"), Message(extras={"bad": 1}))) == 40032
    assert service.history(transport).items == ()


@pytest.mark.parametrize("order", list(AckOrder))
def test_the_order_of_the_own_echo_and_the_acknowledgement_is_a_setting(order: AckOrder) -> None:
    service = Service(options=ServiceOptions(ack_order=order))
    transport = service.join()
    service.attach(transport)
    effects = service.publishing(transport, "m")
    kinds = [type(effect.event) for effect in effects if isinstance(effect, Send)]
    assert kinds == ([Ack, Deliver] if order is AckOrder.ACK_FIRST else [Deliver, Ack])


# resends, spec RTN19a2


def test_a_resent_publish_is_acknowledged_again_and_not_delivered_again() -> None:
    service = Service()
    reader = service.join("bob")
    service.attach(reader)
    first, connected = service.connected("alice")
    command = Publish("room", 0, (Message(name="m"),))
    ack = only(service.do(first, command), Ack)
    service.core.drop(first, service.now_ns)
    second, _ = service.connected("alice", resume=connected.connection_key)
    effects = service.do(second, command)
    assert only(effects, Ack) == ack
    assert names(effects) == []
    assert len(service.history(reader).items) == 1


def test_a_resent_refused_publish_is_refused_again() -> None:
    service = Service()
    transport = service.join()
    command = Publish("room", 0, (Message(),), {"_forceNack": "true"})
    assert nack_code(service.do(transport, command)) == 40099
    assert nack_code(service.do(transport, Publish("room", 0, (Message(),)))) == 40099


def test_a_resend_whose_answer_was_forgotten_is_acknowledged_without_serials_and_not_executed() -> None:
    service = Service()
    transport = service.join()
    service.attach(transport)
    service.publish(transport, "old")
    service.now_ns += 300 * 10**9
    service.publish(transport, "new")
    effects = service.do(transport, Publish("room", 0, (Message(name="old"),)))
    assert only(effects, Ack).serials == (None,)
    assert names(effects) == []


# idempotency by message id


def test_a_repeated_message_id_is_accepted_with_its_first_serials_and_not_delivered_again() -> None:
    service = Service()
    alice, bob = service.join("alice"), service.join("bob")
    service.attach(bob)
    message = Message(name="m", id="k1")
    first = service.publish(alice, message)
    service.now_ns += 119 * 10**9
    effects = service.publishing(bob, message)
    assert only(effects, Ack).serials == first.serials
    assert names(effects) == []


def test_a_message_id_is_forgotten_after_two_minutes() -> None:
    service = Service()
    alice = service.join()
    service.attach(alice)
    service.publish(alice, Message(name="m", id="k1"))
    service.now_ns += 121 * 10**9
    assert names(service.publishing(alice, Message(name="m", id="k1"))) == ["m"]


def test_a_message_id_counts_per_channel() -> None:
    service = Service()
    alice = service.join()
    first = service.publish(alice, Message(id="k1"), channel="a")
    service.now_ns += 10**9
    assert service.publish(alice, Message(id="k1"), channel="b").serials != first.serials


# RSA7, RSL1m: identity


def test_an_identified_connection_stamps_its_client_id() -> None:
    service = Service()
    reader, writer = service.join("bob"), service.join("alice")
    service.attach(reader)
    for draft in (Message(), Message(client_id="alice")):
        assert only(service.publishing(writer, draft), Deliver).messages[0].client_id == "alice"


@pytest.mark.parametrize(
    ("granted", "claimed"), [("alice", "bob"), (None, "bob"), ("*", "*"), ("*", ""), ("alice", "*")]
)
def test_a_message_that_claims_another_identity_is_refused_with_40012(
    granted: str | None, claimed: str
) -> None:
    service = Service()
    assert nack_code(service.publishing(service.join(grant(granted)), Message(client_id=claimed))) == 40012


def test_a_wildcard_connection_may_choose_the_identity_of_each_message() -> None:
    service = Service()
    transport = service.join(grant("*"))
    service.publish(transport, Message(client_id="carol"), Message())
    assert [message.client_id for message in service.history(transport).items] == [None, "carol"]


@pytest.mark.parametrize("action", list(MessageAction))
def test_no_action_lets_a_published_message_carry_another_identity(action: MessageAction) -> None:
    service = Service(rules=MUTABLE)
    forged = Message(client_id="bob", action=action, serial="x")
    assert nack_code(service.publishing(service.join("alice"), forged, channel="mut:a")) == 40012


def test_what_only_the_server_may_write_is_overwritten() -> None:
    service = Service()
    transport, connected = service.connected("alice")
    forged = Message(connection_id="other", timestamp_ms=1, serial="forged", extras={"userClaim": "admin"})
    service.publish(transport, forged)
    stored = service.history(transport).items[0]
    assert stored.connection_id == connected.connection_id
    assert stored.timestamp_ms == service.now_ms
    assert stored.serial != "forged"
    assert stored.user_claim is None


# userClaim


def test_the_user_claim_of_the_token_is_written_into_extras() -> None:
    service = Service()
    transport = service.join(grant("alice", claims={"chat:*": "moderator", "chat:1": "admin"}))
    service.publish(transport, Message(extras={"headers": {"h": 1}, "userClaim": "root"}), channel="chat:1")
    service.publish(transport, Message(), channel="chat:2")
    service.publish(transport, Message(), channel="elsewhere")
    assert service.history(transport, channel="chat:1").items[0].extras == {
        "headers": {"h": 1},
        "userClaim": "admin",
    }
    assert service.history(transport, channel="chat:2").items[0].user_claim == "moderator"
    assert service.history(transport, channel="elsewhere").items[0].extras is None


# rights


def test_a_publish_on_an_attachment_without_the_publish_mode_is_refused_with_40165() -> None:
    service = Service()
    transport = service.join()
    service.attach(transport, params={"modes": "subscribe"})
    assert nack_code(service.publishing(transport, "m")) == 40165


def test_privileged_extras_need_their_capability() -> None:
    service = Service()
    transport = service.join(grant("alice", {"*": ["publish"]}))
    assert (
        nack_code(service.publishing(transport, Message(extras={"privileged": {"skipRule": "*"}}))) == 40160
    )


def test_a_channel_for_identified_clients_refuses_anonymous_ones() -> None:
    service = Service(rules=rules(known=ChannelRule(identified_only=True)))
    assert nack_code(service.publishing(service.join(grant(None)), "m", channel="known:a")) == 40161
    assert service.publish(service.join("alice"), "m", channel="known:a").serials


def test_a_bad_channel_name_is_refused_with_40010() -> None:
    service = Service()
    assert nack_code(service.publishing(service.join(), "m", channel=":x")) == 40010


# echo, spec RTL7f


def test_a_connection_without_echo_hears_others_but_not_itself() -> None:
    service = Service()
    alice, bob = service.join("alice", echo=False), service.join("bob")
    service.attach(alice)
    assert names(service.publishing(alice, "own"), alice) == []
    assert names(service.publishing(bob, "other"), alice) == ["other"]


def test_echo_can_be_suppressed_for_one_channel() -> None:
    service = Service()
    alice = service.join()
    service.attach(alice, "quiet", params={"echo": "false"})
    service.attach(alice, "loud")
    assert names(service.publishing(alice, "m", channel="quiet")) == []
    assert names(service.publishing(alice, "m", channel="loud")) == ["m"]


# ephemeral messages


def test_an_ephemeral_message_is_delivered_live_and_kept_nowhere() -> None:
    service = Service()
    alice, bob = service.join("alice"), service.join("bob")
    start = service.attach(bob).channel_serial
    assert names(service.publishing(alice, Message(name="e", extras={"ephemeral": True})), bob) == ["e"]
    assert service.history(bob).items == ()
    late = service.join("carol")
    assert not service.attach(late, params={"rewind": "10"}).has_backlog
    resumed = service.attach(service.join("dave"), channel_serial=start)
    assert resumed.resumed
    assert not resumed.has_backlog


def test_binary_data_passes_unchanged() -> None:
    service = Service()
    transport = service.join()
    service.publish(transport, Message(data=b"", encoding="x"), Message(data=b"\x00\xff"))
    assert [message.data for message in service.history(transport).items] == [b"\x00\xff", b""]
