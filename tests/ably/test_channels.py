"""Attaching, publishing, operations and presence over the wire (Ably spec RTL, RTP)."""

import re
from typing import Any

import pytest

from harness.ably.actions import Action, Flag
from harness.ably.codec import Format
from harness.channel.modes import DEFAULT_MODES, Mode
from tests.ably.wire import READER, Client, World, jwt


@pytest.fixture
def client(world: World) -> Client:
    connected = world.connect(clientId="alice")
    connected.frames()
    return connected


def test_attached_names_modes_serial_and_the_parameters_applied(client: Client) -> None:
    frame = client.attach("room", params={"rewind": "1", "delta": "vcdiff", "foo": "x"}, channelSerial=None)
    assert frame["flags"] == int(DEFAULT_MODES)
    assert frame["params"] == {"rewind": "1", "delta": "vcdiff"}
    assert "@" in frame["channelSerial"]


def test_requested_modes_replace_the_default(client: Client) -> None:
    assert client.attach("room", flags=int(Mode.SUBSCRIBE))["flags"] == int(Mode.SUBSCRIBE)


def test_a_name_that_is_none_fails_its_channel_only(client: Client) -> None:
    client.send(action=Action.ATTACH, channel="::")
    frame = client.frame(Action.ERROR)
    assert (frame["channel"], frame["error"]["code"]) == ("::", 40010)


def test_an_attach_without_any_right_is_refused_with_40160(world: World) -> None:
    client = world.connect(access_token=jwt({"x-ably-capability": '{"hall":["*"]}'}))
    client.frames()
    client.send(action=Action.ATTACH, channel="room")
    assert client.frame(Action.ERROR)["error"]["code"] == 40160


def test_detach_is_answered_also_where_nothing_was_attached(client: Client) -> None:
    client.send(action=Action.DETACH, channel="room")
    assert client.frame(Action.DETACHED)["channel"] == "room"


def test_a_publish_is_acknowledged_with_serials_and_delivered_whole(client: Client) -> None:
    client.attach("room")
    client.publish("room", 0, {"name": "a", "data": '{"x":1}', "encoding": "json", "action": 0, "size": 29})
    ack, delivery = client.frames()
    serial = ack["res"][0]["serials"][0]
    assert ack == {"action": 1, "msgSerial": 0, "count": 1, "res": [{"serials": [serial]}]}
    message = delivery["messages"][0]
    assert delivery["id"] == f"{delivery['connectionId']}:0"
    assert message["serial"] == serial
    assert message["version"]["serial"] == serial
    assert message["clientId"] == "alice"
    assert message["action"] == 0
    assert message["id"] == f"{delivery['id']}:0"
    assert "size" not in message
    assert serial.startswith(delivery["channelSerial"])


def test_echo_off_keeps_own_messages_back(world: World) -> None:
    client = world.connect(echo="false")
    client.attach("room")
    client.publish("room", 0, {"name": "a"})
    assert [frame["action"] for frame in client.frames()] == [Action.ACK]


@pytest.mark.parametrize(
    ("message", "params", "code"),
    [
        ({"name": "a", "clientId": "bob"}, None, 40012),
        ({"name": "a", "clientId": 7}, None, 40012),
        ({"name": "a"}, {"_forceNack": "true"}, 40099),
        ({"name": "a", "data": "x" * 70_000}, None, 40009),
        ({"name": "a", "extras": {"nonsense": 1}}, None, 40032),
        ({"name": "a", "extras": [1]}, None, 40032),
        ({"name": "a", "data": 7}, None, 40030),
        ({"name": 7}, None, 40000),
        ({"name": "a", "action": 9}, None, 40030),
        ({"name": "a", "action": 1, "serial": "x"}, None, 93002),
    ],
)
def test_a_publish_that_breaks_a_rule_is_refused_by_nack(
    client: Client, message: dict[str, object], params: dict[str, str] | None, code: int
) -> None:
    client.publish("room", 0, message, params=params)
    nack = client.frame(Action.NACK)
    assert (nack["msgSerial"], nack["count"], nack["error"]["code"]) == (0, 1, code)


def test_annotations_and_objects_are_refused_by_nack(client: Client) -> None:
    client.send(action=Action.ANNOTATION, channel="room", msgSerial=0, annotations=[])
    client.send(action=Action.OBJECT, channel="room", msgSerial=1, state=[])
    assert [nack["error"]["code"] for nack in client.frames(Action.NACK)] == [93002, 40000]


def test_publishing_needs_the_capability_but_no_attachment(world: World) -> None:
    reader = world.connect(key=READER.text)
    reader.frames()
    reader.publish("room", 0, {"name": "a"})
    assert reader.frame(Action.NACK)["error"]["code"] == 40160


def test_an_attachment_without_the_publish_mode_refuses_with_40165(client: Client) -> None:
    client.attach("room", flags=int(Mode.SUBSCRIBE))
    client.publish("room", 0, {"name": "a"})
    assert client.frame(Action.NACK)["error"]["code"] == 40165


def test_a_connection_has_200_channels_at_most(client: Client) -> None:
    for number in range(200):
        client.attach(f"room{number}")
    client.send(action=Action.ATTACH, channel="one too many")
    assert client.frame(Action.ERROR)["error"]["code"] == 90010


@pytest.mark.parametrize("encoding", [None, "cipher+aes-256-cbc"])
def test_bytes_are_transcoded_between_the_formats_and_stored_once(
    world: World, client: Client, encoding: str | None
) -> None:
    binary = world.connect(Format.MSGPACK)
    client.attach("room")
    binary.attach("room")
    binary.publish("room", 0, {"data": b"\x00\xff", "encoding": encoding})
    in_json = client.frame(Action.MESSAGE)["messages"][0]
    in_msgpack = binary.frames(Action.MESSAGE)[0]["messages"][0]
    assert in_json["data"] == "AP8="
    assert in_json["encoding"] == "/".join(filter(None, [encoding, "base64"]))
    assert in_msgpack["data"] == b"\x00\xff"
    assert in_msgpack.get("encoding") == encoding
    client.publish("room", 0, {"data": "AP8=", "encoding": in_json["encoding"]})
    assert binary.frame(Action.MESSAGE)["messages"][0]["data"] == b"\x00\xff"


@pytest.mark.parametrize("data", ["AP8", "A P8=", "not base64 at all"])
def test_base64_that_would_not_come_back_the_same_stays_opaque(
    world: World, client: Client, data: str
) -> None:
    binary = world.connect(Format.MSGPACK)
    binary.attach("room")
    client.publish("room", 0, {"data": data, "encoding": "base64"})
    message = binary.frame(Action.MESSAGE)["messages"][0]
    assert (message["data"], message["encoding"]) == (data, "base64")


def test_empty_bytes_are_not_nothing(world: World, client: Client) -> None:
    binary = world.connect(Format.MSGPACK)
    binary.attach("room")
    client.attach("room")
    binary.publish("room", 0, {"data": b""})
    assert binary.frames(Action.MESSAGE)[0]["messages"][0]["data"] == b""
    assert client.frame(Action.MESSAGE)["messages"][0]["data"] == ""


def test_a_role_claim_is_stamped_and_can_not_be_written_by_a_publisher(world: World, client: Client) -> None:
    client.attach("chat:1")
    token = jwt({"x-ably-clientId": "u", "ably.channel.chat:*": "moderator", "ably.channel.*": "guest"})
    judge = world.connect(access_token=token)
    judge.publish("chat:1", 0, {"name": "a", "extras": {"userClaim": "admin", "headers": {"h": "1"}}})
    client.publish("chat:1", 0, {"name": "b", "extras": {"userClaim": "admin"}})
    stamped, unstamped = (frame["messages"][0] for frame in client.frames(Action.MESSAGE))
    assert stamped["extras"] == {"userClaim": "moderator", "headers": {"h": "1"}}
    assert "userClaim" not in unstamped.get("extras", {})


# -- operations on messages ---------------------------------------------------------------------------------


def test_an_append_is_a_delta_for_those_who_know_the_message_and_whole_for_others(
    world: World, client: Client
) -> None:
    client.attach("mut:x")
    client.publish("mut:x", 0, {"name": "greeting", "data": "Hel", "extras": {"headers": {"h": "1"}}})
    serial = client.frames(Action.ACK)[0]["res"][0]["serials"][0]
    late = world.connect()
    late.attach("mut:x")
    for number, part in enumerate(("lo", "!"), start=1):
        client.publish("mut:x", number, {"serial": serial, "action": 5, "data": part, "version": None})
    acks, deltas = split(client.frames())
    whole, delta = (frame["messages"][0] for frame in late.frames(Action.MESSAGE))
    assert [(it["action"], it["data"], it["name"]) for it in deltas] == [
        (5, "lo", "greeting"),
        (5, "!", "greeting"),
    ]
    assert deltas[0]["extras"] == {"headers": {"h": "1"}}
    assert (whole["action"], whole["data"]) == (1, "Hello")
    assert (delta["action"], delta["data"]) == (5, "!")
    assert [it["version"]["serial"] for it in deltas] == [ack["res"][0]["serials"][0] for ack in acks]


def split(frames: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    acks = [frame for frame in frames if frame["action"] == Action.ACK]
    delivered = [frame["messages"] for frame in frames if frame["action"] == Action.MESSAGE]
    return acks, [message for messages in delivered for message in messages]


def test_an_operation_has_a_frame_of_its_own(client: Client) -> None:
    client.publish("mut:x", 0, {"name": "a"}, {"action": 1, "serial": "s"})
    assert client.frame(Action.NACK)["error"]["code"] == 40030


def test_an_update_of_an_unknown_message_is_40400(client: Client) -> None:
    client.publish("mut:x", 0, {"action": 1, "serial": "s", "data": "x"})
    assert client.frame(Action.NACK)["error"]["code"] == 40400


# -- presence -----------------------------------------------------------------------------------------------


def enter(client: Client, serial: int, action: int = 2, **more: object) -> None:
    message = {"action": action, **more}
    client.send(action=Action.PRESENCE, channel="room", msgSerial=serial, presence=[message])


def test_entering_is_acknowledged_and_announced_to_all_the_member_included(
    world: World, client: Client
) -> None:
    other = world.connect()
    client.attach("room")
    other.attach("room")
    enter(client, 0, data="here")
    ack, own = client.frames()
    assert ack["res"] == [{"serials": [None]}]
    announced = other.frame(Action.PRESENCE)
    assert announced == own
    member = announced["presence"][0]
    assert (member["action"], member["clientId"], member["data"]) == (2, "alice", "here")
    assert member["id"] == f"{member['connectionId']}:0:0"


def test_who_attaches_later_is_synced(world: World, client: Client) -> None:
    enter(client, 0)
    late = world.connect()
    late.frames()
    late.send(action=Action.ATTACH, channel="room")
    attached, sync = late.frames()
    assert attached["flags"] & Flag.HAS_PRESENCE
    assert sync["action"] == Action.SYNC
    assert sync["channelSerial"].endswith(":")
    assert [member["action"] for member in sync["presence"]] == [1]


def test_a_long_sync_comes_in_pages(world: World) -> None:
    crowd = world.connect()
    crowd.send(
        action=Action.PRESENCE,
        channel="room",
        msgSerial=0,
        presence=[{"action": 2, "clientId": f"c{number}"} for number in range(150)],
    )
    late = world.connect()
    late.send(action=Action.ATTACH, channel="room")
    first, last = late.frames(Action.SYNC)
    assert (len(first["presence"]), len(last["presence"])) == (100, 50)
    assert first["channelSerial"].rpartition(":")[0] == last["channelSerial"].rpartition(":")[0]
    cursors = [re.fullmatch(r"[\w-]+:(.*)", page["channelSerial"]) for page in (first, last)]
    assert [cursor and cursor[1] for cursor in cursors] == ["1", ""]


def test_a_sync_is_repeated_for_a_subscriber_that_asks(world: World, client: Client) -> None:
    other = world.connect()
    other.attach("room")
    other.send(action=Action.SYNC, channel="room")
    assert other.frame(Action.SYNC)["presence"] == []
    enter(client, 0)
    other.frames()
    other.send(action=Action.SYNC, channel="room")
    sync = other.frame(Action.SYNC)
    assert sync["channelSerial"].endswith(":")
    assert [member["clientId"] for member in sync["presence"]] == ["alice"]


def test_a_sync_is_for_those_only_who_may_see_presence(world: World, client: Client) -> None:
    enter(client, 0)
    stranger, narrow = world.connect(), world.connect()
    stranger.frames()
    stranger.send(action=Action.SYNC, channel="room")
    narrow.attach("room", params={"modes": "subscribe"})
    narrow.send(action=Action.SYNC, channel="room")
    assert stranger.frames() + narrow.frames() == []


def test_entering_again_as_the_same_member_changes_nothing(world: World, client: Client) -> None:
    """An SDK does so after every attach (spec RTP17g); it names the id under which it is present."""
    other = world.connect()
    other.attach("room")
    enter(client, 0, data="here")
    member_id = other.frame(Action.PRESENCE)["presence"][0]["id"]
    client.frames()
    enter(client, 1, data="here", id=member_id)
    assert client.frame(Action.ACK)["msgSerial"] == 1
    assert other.frames() == []
    enter(client, 2, data="moved", id=member_id)
    moved = other.frame(Action.PRESENCE)["presence"][0]
    assert (moved["data"], moved["id"] == member_id) == ("moved", False)


@pytest.mark.parametrize("farewell", [Action.CLOSE, Action.DETACH])
def test_members_leave_at_once_with_a_farewell(world: World, client: Client, farewell: Action) -> None:
    other = world.connect()
    other.attach("room")
    enter(client, 0, data="here")
    other.frames()
    client.send(action=farewell, channel="room")
    member = other.frame(Action.PRESENCE)["presence"][0]
    assert (member["action"], member["clientId"], member["data"]) == (3, "alice", "here")
    assert not member["id"].startswith(member["connectionId"])


def test_members_of_a_lost_connection_leave_after_15_s_and_return_with_it(world: World) -> None:
    client, other = world.connect(clientId="alice"), world.connect()
    key = client.frame(Action.CONNECTED)["connectionDetails"]["connectionKey"]
    other.attach("room")
    enter(client, 0)
    other.frames()
    client.drop()
    world.pass_s(14.9)
    assert other.frames() == []
    world.pass_s(0.1)
    assert other.frame(Action.PRESENCE)["presence"][0]["action"] == 3
    world.connect(resume=key, clientId="alice")
    assert other.frame(Action.PRESENCE)["presence"][0]["action"] == 2


@pytest.mark.parametrize(("asked", "leaves_after_s"), [("1000", 1), ("0", 0), ("9" * 30, 120), ("soon", 15)])
def test_a_client_may_say_how_long_its_members_outlast_its_transport(
    world: World, asked: str, leaves_after_s: float
) -> None:
    client, other = world.connect(clientId="alice", remainPresentFor=asked), world.connect()
    other.attach("room")
    enter(client, 0)
    other.frames()
    client.drop()
    if leaves_after_s:
        world.pass_s(leaves_after_s - 0.1)
        assert other.frames() == []
    world.pass_s(0.1)
    assert other.frame(Action.PRESENCE)["presence"][0]["action"] == 3


def test_a_resume_in_time_spares_everybody_the_leave(world: World) -> None:
    client, other = world.connect(clientId="alice"), world.connect()
    key = client.frame(Action.CONNECTED)["connectionDetails"]["connectionKey"]
    other.attach("room")
    enter(client, 0)
    other.frames()
    client.drop()
    world.pass_s(10)
    world.connect(resume=key, clientId="alice")
    world.pass_s(200)
    assert other.frames() == []


@pytest.mark.parametrize(
    ("query", "message", "code"),
    [
        ({}, {"action": 2}, 91000),
        ({"clientId": "alice"}, {"action": 2, "clientId": "bob"}, 40012),
        ({"clientId": "alice"}, {"action": 1}, 40030),
        ({"clientId": "alice"}, {"action": 77}, 40030),
        ({"key": READER.text, "clientId": "alice"}, {"action": 2}, 40160),
    ],
)
def test_presence_that_breaks_a_rule_is_refused_by_nack(
    world: World, query: dict[str, str], message: dict[str, object], code: int
) -> None:
    client = world.connect(**query)
    client.frames()
    client.send(action=Action.PRESENCE, channel="room", msgSerial=0, presence=[message])
    assert client.frame(Action.NACK)["error"]["code"] == code


def test_the_201st_member_is_refused_with_91003(world: World) -> None:
    crowd = world.connect()
    crowd.frames()
    for serial, count in enumerate((200, 1)):
        members = [{"action": 2, "clientId": f"c{serial}.{number}"} for number in range(count)]
        crowd.send(action=Action.PRESENCE, channel="room", msgSerial=serial, presence=members)
    assert crowd.frame(Action.NACK)["error"]["code"] == 91003


def test_an_update_by_somebody_absent_is_an_entry_and_a_leave_is_nothing(
    world: World, client: Client
) -> None:
    other = world.connect()
    other.attach("room")
    enter(client, 0, action=3)
    enter(client, 1, action=4)
    enter(client, 2, action=4)
    members = [frame["presence"][0]["action"] for frame in other.frames(Action.PRESENCE)]
    assert members == [2, 4]
