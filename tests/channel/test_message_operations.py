"""Update, delete and append: merging, versions, what subscribers get, rights."""

import pytest

from harness.channel.commands import History
from harness.channel.events import Ack, Attached, Deliver, HistoryAnswered
from harness.channel.history import HistoryQuery
from harness.channel.messages import Message, MessageAction, Version
from harness.channel.rules import ChannelRule
from tests.channel.driver import MUTABLE, Service, grant, nack_code, of, only, rules

ROOM = "mut:room"
UPDATE, DELETE, APPEND = MessageAction.UPDATE, MessageAction.DELETE, MessageAction.APPEND


def fresh() -> tuple[Service, Message]:
    """A mutable channel with one message by alice, whose connection is gone."""
    service = Service(rules=MUTABLE)
    alice = service.join("alice")
    service.publish(alice, Message("card", "Hello", extras={"headers": {"a": 1}}), channel=ROOM)
    service.wait(1)
    return service, service.history(alice, channel=ROOM).items[0]


def latest(service: Service) -> Message:
    return service.history(service.join("reader"), channel=ROOM).items[0]


def delivered(service: Service, transport: object, operation: Message) -> Message:
    effects = service.operating(transport, operation)  # type: ignore[arg-type] # a transport
    return of(effects, Deliver)[0].messages[0]


def test_an_operation_on_an_immutable_channel_is_refused_with_93002() -> None:
    service = Service()
    transport = service.join()
    serial = service.publish(transport, "m").serials[0]
    operation = Message(serial=serial or "", action=UPDATE, data="x")
    assert nack_code(service.operating(transport, operation, "room")) == 93002


def test_an_update_replaces_what_it_gives_and_keeps_the_rest() -> None:
    service, message = fresh()
    service.operating(service.join("alice"), Message(serial=message.serial, action=UPDATE, data="Bye"))
    merged = latest(service)
    assert (merged.name, merged.data, merged.headers, merged.action) == ("card", "Bye", {"a": 1}, UPDATE)


def test_extras_are_replaced_wholesale() -> None:
    service, message = fresh()
    operation = Message(serial=message.serial, action=UPDATE, extras={"headers": {"b": 2}})
    service.operating(service.join("alice"), operation)
    assert latest(service).headers == {"b": 2}
    assert latest(service).data == "Hello"


def test_a_delete_is_soft() -> None:
    service, message = fresh()
    service.operating(service.join("alice"), Message(serial=message.serial, action=DELETE))
    assert (latest(service).action, latest(service).data) == (DELETE, "Hello")


def test_an_append_concatenates_and_history_shows_the_whole_as_an_update() -> None:
    service, message = fresh()
    alice = service.join("alice")
    service.append(alice, message.serial, ", ")
    service.append(alice, message.serial, "world")
    assert (latest(service).action, latest(service).data) == (UPDATE, "Hello, world")


def test_identity_time_and_place_stay_those_of_the_creation() -> None:
    service, message = fresh()
    service.wait(5)
    service.operating(service.join("bob"), Message(serial=message.serial, action=UPDATE, data="by bob"))
    merged = latest(service)
    for field in ("serial", "id", "timestamp_ms", "client_id", "connection_id"):
        assert getattr(merged, field) == getattr(message, field)
    assert merged.version is not None
    assert (merged.version.client_id, merged.version.timestamp_ms) == ("bob", service.now_ms)


def test_the_acknowledged_serial_is_the_version_serial_that_is_delivered() -> None:
    service, message = fresh()
    alice = service.join("alice")
    service.attach(alice, ROOM)
    effects = service.append(alice, message.serial, "!")
    version = of(effects, Deliver)[0].messages[0].version
    assert version is not None
    assert only(effects, Ack).serials == (version.serial,)
    assert version.serial > message.serial


def test_the_description_and_metadata_of_an_operation_are_told() -> None:
    service, message = fresh()
    described = Version(description="typo", metadata={"m": "1"})
    service.operating(service.join("alice"), Message(serial=message.serial, action=UPDATE, version=described))
    version = latest(service).version
    assert version is not None
    assert (version.description, version.metadata) == ("typo", {"m": "1"})


def test_versions_are_kept_oldest_first_but_not_every_append() -> None:
    service, message = fresh()
    alice = service.join("alice")
    for action, data in (
        (UPDATE, "one"),
        (APPEND, " two"),
        (APPEND, " three"),
        (DELETE, None),
        (APPEND, " four"),
    ):
        service.operating(alice, Message(serial=message.serial, action=action, data=data))
    actor = service.core.identify("alice", None, service.now_ns)
    versions = service.core.hub.versions(actor, ROOM, message.serial, service.now_ms)
    assert [version.data for version in versions] == ["Hello", "one", "one two three", "one two three four"]
    assert service.core.hub.message(actor, ROOM, message.serial, service.now_ms) == versions[-1]


def test_data_of_another_kind_can_not_be_appended() -> None:
    service, message = fresh()
    assert (
        nack_code(service.operating(service.join(), Message(serial=message.serial, action=APPEND, data=b"x")))
        == 40030
    )
    assert latest(service).data == "Hello"


def test_a_message_can_not_grow_beyond_the_size_limit() -> None:
    service, message = fresh()
    alice = service.join("alice")
    service.append(alice, message.serial, "x" * 60_000)
    assert nack_code(service.append(alice, message.serial, "x" * 10_000)) == 40009


@pytest.mark.parametrize(
    ("operation", "code"),
    [
        (Message(serial="", action=UPDATE), 40003),
        (Message(serial="01700000000000-999@x:000", action=UPDATE), 40400),
        (Message(serial="x", action=MessageAction.CREATE), 40030),
        (Message(serial="x", action=MessageAction.SUMMARY), 40030),
    ],
)
def test_an_operation_without_a_target_is_refused(operation: Message, code: int) -> None:
    service, _ = fresh()
    assert nack_code(service.operating(service.join(), operation)) == code


# what subscribers get


def test_an_attachment_that_saw_the_creation_gets_appends_as_deltas_with_name_and_extras() -> None:
    service = Service(rules=MUTABLE)
    alice = service.join("alice")
    service.attach(alice, ROOM)
    serial = service.publish(alice, Message("card", "a", extras={"headers": {"h": 1}}), channel=ROOM).serials[
        0
    ]
    message = of(service.append(alice, serial, "b"), Deliver)[0].messages[0]
    assert (message.action, message.data, message.name, message.headers) == (APPEND, "b", "card", {"h": 1})


def test_the_first_append_is_whole_for_an_attachment_that_has_not_seen_the_message() -> None:
    service, message = fresh()
    late = service.join("late")
    service.attach(late, ROOM)
    first = delivered(service, late, Message(serial=message.serial, action=APPEND, data="!"))
    second = delivered(service, late, Message(serial=message.serial, action=APPEND, data="?"))
    assert (first.action, first.data) == (UPDATE, "Hello!")
    assert (second.action, second.data) == (APPEND, "?")


def test_an_attachment_can_ask_for_every_append_whole() -> None:
    service, message = fresh()
    late = service.join("late")
    service.attach(late, ROOM, params={"appendMode": "full"})
    service.append(late, message.serial, "!")
    again = delivered(service, late, Message(serial=message.serial, action=APPEND, data="?"))
    assert (again.action, again.data) == (UPDATE, "Hello!?")


def test_updates_and_deletes_are_delivered_whole() -> None:
    service, message = fresh()
    late = service.join("late")
    service.attach(late, ROOM)
    update = delivered(service, late, Message(serial=message.serial, action=UPDATE, extras={}))
    assert (update.action, update.data, update.name) == (UPDATE, "Hello", "card")
    assert delivered(service, late, Message(serial=message.serial, action=DELETE)).action is DELETE


def test_a_rewind_brings_the_whole_and_later_appends_as_deltas() -> None:
    service, message = fresh()
    alice, late = service.join("alice"), service.join("late")
    service.append(alice, message.serial, "!")
    backlog = of(service.attaching(late, ROOM, params={"rewind": "1"}), Deliver)[0].messages[0]
    assert (backlog.action, backlog.data) == (UPDATE, "Hello!")
    assert of(service.append(alice, message.serial, "?"), Deliver, late)[0].messages[0].action is APPEND


def test_a_resumed_attachment_ends_with_the_final_state_and_never_applies_an_append_twice() -> None:
    service, message = fresh()
    alice, reader = service.join("alice"), service.join("reader")
    serial = service.attach(reader, ROOM).channel_serial
    service.core.drop(reader, service.now_ns)
    for data in ("1", "2", "3"):
        service.append(alice, message.serial, data)
    again = service.join("reader")
    effects = service.attaching(again, ROOM, channel_serial=serial)
    assert only(effects, Attached).resumed
    replayed = [m for event in of(effects, Deliver) for m in event.messages]
    assert [(m.action, m.data) for m in replayed] == [(UPDATE, "Hello123")]
    live = of(service.append(alice, message.serial, "4"), Deliver, again)[0].messages[0]
    assert (live.action, live.data) == (APPEND, "4")


def test_a_creation_and_its_appends_are_replayed_one_by_one_to_one_who_missed_them_all() -> None:
    service = Service(rules=MUTABLE)
    alice = service.join("alice")
    serial = service.attach(service.join("reader"), ROOM).channel_serial
    target = service.publish(alice, Message(data="a"), channel=ROOM).serials[0]
    service.append(alice, target, "b")
    effects = service.attaching(service.join("reader"), ROOM, channel_serial=serial)
    replayed = [m for event in of(effects, Deliver) for m in event.messages]
    assert [(m.action, m.data) for m in replayed] == [(MessageAction.CREATE, "a"), (APPEND, "b")]


# rights


def rights(client_id: str | None, *operations: str) -> object:
    return grant(client_id, {"*": ["subscribe", "history", *operations]})


@pytest.mark.parametrize(
    ("credentials", "code"),
    [
        (rights("alice", "publish"), 40160),
        (rights("bob", "message-update-own"), 40160),
        (rights(None, "message-update-own"), 40166),
        (rights("*", "message-update-own"), 40166),
        (rights("alice", "message-delete-any"), 40160),
    ],
)
def test_updating_without_the_right_is_refused(credentials: object, code: int) -> None:
    service, message = fresh()
    for action in (UPDATE, APPEND):
        operation = Message(serial=message.serial, action=action, data="x")
        assert nack_code(service.operating(service.join(credentials), operation)) == code


def test_one_without_rights_does_not_learn_whether_a_message_exists() -> None:
    service, _ = fresh()
    operation = Message(serial="01700000000000-999@x:000", action=UPDATE)
    assert nack_code(service.operating(service.join(rights("eve", "publish")), operation)) == 40160


@pytest.mark.parametrize(
    ("credentials", "action"),
    [
        (rights("alice", "message-update-own"), UPDATE),
        (rights("alice", "message-update-own"), APPEND),
        (rights("bob", "message-update-any"), UPDATE),
        (rights("alice", "message-delete-own"), DELETE),
        (rights(None, "message-delete-any"), DELETE),
    ],
)
def test_operating_with_the_right_is_accepted(credentials: object, action: MessageAction) -> None:
    service, message = fresh()
    operation = Message(serial=message.serial, action=action, data="x")
    assert only(service.operating(service.join(credentials), operation), Ack).serials


def test_an_operator_can_not_pose_as_another_client() -> None:
    service, message = fresh()
    operation = Message(serial=message.serial, action=UPDATE, version=Version(client_id="alice"))
    assert nack_code(service.operating(service.join("bob"), operation)) == 40012
    service.operating(service.join("bob"), Message(serial=message.serial, action=UPDATE, client_id="alice"))
    version = latest(service).version
    assert version is not None
    assert version.client_id == "bob"


def test_the_claim_of_whoever_gives_extras_is_theirs() -> None:
    service = Service(rules=rules(mut=ChannelRule(mutable=True)))
    boss = service.join(grant("boss", claims={"*": "admin"}))
    serial = service.publish(boss, Message("card", "x"), channel=ROOM).serials[0] or ""
    guest = service.join(grant("guest", claims={"*": "guest"}))
    forged = Message(serial=serial, action=UPDATE, extras={"headers": {}, "userClaim": "admin"})
    service.operating(guest, forged)
    assert latest(service).user_claim == "guest"


def test_an_operation_is_found_in_history_at_the_place_of_the_creation() -> None:
    service, message = fresh()
    alice = service.join("alice")
    service.publish(alice, "later", channel=ROOM)
    service.append(alice, message.serial, "!")
    page = only(service.do(alice, History(1, ROOM, HistoryQuery())), HistoryAnswered).page
    assert [item.name for item in page.items] == ["later", "card"]
