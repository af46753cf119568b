"""Opening, resuming, renewing and closing connections (Ably spec RTN, RTC8)."""

import pytest
from websockets.frames import Opcode

from harness.ably.actions import Action, Flag
from harness.ably.codec import Format
from harness.channel.modes import Mode
from tests.ably.wire import KEY, START_NS, Client, World, jwt


def details(client: Client) -> dict[str, object]:
    frame = client.frame(Action.CONNECTED)
    found = frame["connectionDetails"]
    assert isinstance(found, dict)
    return {**found, "connectionId": frame["connectionId"]}


@pytest.mark.parametrize("form", list(Format))
def test_connected_carries_everything_that_the_sdks_read(form: Format) -> None:
    found = details(World(heartbeat_ms=15_000).connect(form, clientId="alice"))
    assert found["clientId"] == "alice"
    assert found["maxIdleInterval"] == 15_000
    assert found["connectionStateTtl"] == 120_000
    assert found["maxMessageSize"] == 65_536
    assert str(found["connectionKey"]).startswith(f"{found['connectionId']}!")


@pytest.mark.parametrize("spelling", ["access_token", "accessToken"])
def test_a_token_is_read_in_both_spellings(world: World, spelling: str) -> None:
    client = world.connect(**{spelling: jwt({"x-ably-clientId": "alice"})})
    assert details(client)["clientId"] == "alice"


@pytest.mark.parametrize(
    ("query", "code", "status"),
    [
        ({"key": "app.root:wrong"}, 40101, 401),
        ({"key": "malformed:key"}, 40101, 401),
        ({"key": "nowhere.root:secret"}, 40101, 401),
        ({"key": "app.nobody:secret"}, 40101, 401),
        ({"access_token": "garbage"}, 40101, 401),
        ({"access_token": "app.garbage"}, 40145, 401),
        ({"access_token": "a.b.c"}, 40144, 401),
        ({"access_token": jwt({}, secret="forged")}, 40144, 401),
        ({"access_token": jwt({"exp": START_NS // 10**9 - 1})}, 40142, 401),
        ({"access_token": jwt({"x-ably-clientId": "alice"}), "clientId": "bob"}, 40102, 401),
        ({"access_token": jwt({}), "clientId": "bob"}, 40102, 401),
        ({"clientId": ""}, 40012, 400),
    ],
)
def test_bad_credentials_are_answered_on_the_socket_and_then_it_closes(
    world: World, query: dict[str, str], code: int, status: int
) -> None:
    client = world.connect(**query)
    frame = client.frame(Action.ERROR)
    assert (frame["error"]["code"], frame["error"]["statusCode"]) == (code, status)
    assert "channel" not in frame
    client.send_bytes(b"\x03\xe8", Opcode.CLOSE)
    assert client.closed


def test_a_protocol_too_old_is_refused_with_40017(world: World) -> None:
    client = world.open()
    client.upgrade({"key": KEY.text, "v": "1"})
    assert client.frame(Action.ERROR)["error"]["code"] == 40017


def test_no_version_means_any(world: World) -> None:
    client = world.open()
    client.upgrade({"key": KEY.text})
    assert client.frame(Action.CONNECTED)


def test_a_resume_within_the_window_continues_the_connection(world: World) -> None:
    first = world.connect()
    before = details(first)
    first.drop()
    world.pass_s(119)
    after = details(world.connect(resume=str(before["connectionKey"])))
    assert after["connectionId"] == before["connectionId"]


@pytest.mark.parametrize(("key", "code"), [("_____!fake-key____", 80018), ("aaaaaaaaaa!" + "b" * 20, 80008)])
def test_a_resume_that_fails_gives_a_new_connection_and_says_why(world: World, key: str, code: int) -> None:
    frame = world.connect(resume=key).frame(Action.CONNECTED)
    assert frame["error"]["code"] == code
    assert frame["connectionDetails"]["connectionKey"] != key


def test_a_resume_after_the_window_gives_a_new_connection(world: World) -> None:
    first = world.connect()
    before = details(first)
    first.drop()
    world.pass_s(121)
    frame = world.connect(resume=str(before["connectionKey"])).frame(Action.CONNECTED)
    assert frame["connectionId"] != before["connectionId"]
    assert frame["error"]["code"] == 80008


def test_a_wrong_secret_in_a_resume_key_is_fatal(world: World) -> None:
    before = details(world.connect())
    forged = f"{before['connectionId']}!{'a' * 20}"
    assert world.connect(resume=forged).frame(Action.ERROR)["error"]["code"] == 40101


def test_a_connection_is_not_resumed_with_the_credentials_of_another_app(world: World) -> None:
    before = details(world.connect())
    stranger = world.connect(key="other.root:other_secret", resume=str(before["connectionKey"]))
    assert stranger.frame(Action.ERROR)["error"]["code"] == 40102


def test_recovery_continues_the_connection_under_a_new_key(world: World) -> None:
    first = world.connect()
    before = details(first)
    first.drop()
    recovered = details(world.connect(recover=str(before["connectionKey"])))
    assert recovered["connectionId"] == before["connectionId"]
    assert recovered["connectionKey"] != before["connectionKey"]
    resumed = details(world.connect(resume=str(recovered["connectionKey"])))
    assert resumed["connectionId"] == before["connectionId"]


def test_a_ping_is_echoed_and_a_heartbeat_carries_no_id() -> None:
    world = World(heartbeat_ms=15_000)
    client = world.connect()
    client.send(action=Action.HEARTBEAT, id="0123")
    assert client.frame(Action.HEARTBEAT) == {"action": 0, "id": "0123"}
    world.pass_s(15)
    assert client.frame(Action.HEARTBEAT) == {"action": 0}


def test_every_auth_is_answered_with_connected_even_if_the_token_is_the_same(world: World) -> None:
    token = jwt({"x-ably-clientId": "alice"})
    client = world.connect(access_token=token)
    before = details(client)
    client.send(action=Action.AUTH, auth={"accessToken": token})
    assert details(client) == before


def test_a_token_of_another_client_ends_the_connection_with_40102(world: World) -> None:
    client = world.connect(access_token=jwt({"x-ably-clientId": "alice"}))
    client.frames()
    client.send(action=Action.AUTH, auth={"accessToken": jwt({"x-ably-clientId": "bob"})})
    assert client.frame(Action.ERROR)["error"]["code"] == 40102


def test_a_token_is_asked_for_before_expiry_and_enforced_at_expiry(world: World) -> None:
    client = world.connect(access_token=jwt({"exp": START_NS // 10**9 + 60}))
    client.frames()
    world.pass_s(30)
    assert client.frame(Action.AUTH) == {"action": 17}
    world.pass_s(30)
    assert client.frame(Action.DISCONNECTED)["error"]["code"] == 40142
    world.pass_s(2)
    assert client.closed


def test_a_lost_right_fails_its_channel_and_not_the_connection(world: World) -> None:
    client = world.connect(access_token=jwt({}))
    client.attach("room")
    client.send(action=Action.AUTH, auth={"accessToken": jwt({"x-ably-capability": '{"hall":["*"]}'})})
    frames = client.frames()
    assert [frame["action"] for frame in frames] == [Action.CONNECTED, Action.ERROR]
    assert (frames[1]["channel"], frames[1]["error"]["code"]) == ("room", 40160)
    assert not client.closed


def test_a_right_gained_is_usable_without_attaching_again(world: World) -> None:
    reading = jwt({"x-ably-capability": '{"room":["subscribe"]}'})
    client = world.connect(access_token=reading)
    client.frames()
    assert not client.attach("room")["flags"] & Mode.PUBLISH
    client.publish("room", 0, {"name": "a"})
    assert client.frame(Action.NACK)["error"]["code"] == 40160
    client.send(action=Action.AUTH, auth={"accessToken": jwt({})})
    attached = client.frames()[-1]
    assert attached["flags"] & Mode.PUBLISH
    assert attached["flags"] & Flag.RESUMED
    client.publish("room", 1, {"name": "a"})
    assert len(client.frames(Action.ACK)) == 1
    client.send(action=Action.AUTH, auth={"accessToken": reading})
    assert not client.frames()[-1]["flags"] & Mode.PUBLISH


def test_a_right_to_read_that_is_gained_does_not_promise_continuity(world: World) -> None:
    client = world.connect(access_token=jwt({"x-ably-capability": '{"room":["publish"]}'}))
    client.frames()
    client.attach("room")
    client.publish("room", 0, {"name": "a"})
    client.send(action=Action.AUTH, auth={"accessToken": jwt({})})
    attached = client.frames()[-1]
    assert attached["flags"] & Mode.SUBSCRIBE
    assert not attached["flags"] & Flag.RESUMED


def test_a_channel_that_was_attached_before_is_not_rewound(world: World) -> None:
    client = world.connect()
    client.publish("room", 0, {"name": "a"})
    client.frames()
    client.send(action=Action.ATTACH, channel="room", params={"rewind": "1"}, flags=int(Flag.ATTACH_RESUME))
    assert [frame["action"] for frame in client.frames()] == [Action.ATTACHED]


def test_close_is_answered_and_discards_the_state(world: World) -> None:
    client = world.connect()
    before = details(client)
    client.send(action=Action.CLOSE)
    assert client.frame(Action.CLOSED) == {"action": 8}
    frame = world.connect(resume=str(before["connectionKey"])).frame(Action.CONNECTED)
    assert frame["error"]["code"] == 80008


def test_a_close_frame_is_answered_at_once_and_keeps_the_state(world: World) -> None:
    client = world.connect()
    before = details(client)
    client.send_bytes(b"\x03\xe8", Opcode.CLOSE)
    assert client.closed
    assert (
        details(world.connect(resume=str(before["connectionKey"])))["connectionId"] == before["connectionId"]
    )


def test_a_peer_that_never_answers_a_close_is_cut_off(world: World) -> None:
    client = world.connect(key="app.root:wrong")
    assert not client.closed
    world.pass_s(2)
    assert client.closed


def test_a_newer_transport_takes_the_connection_over(world: World) -> None:
    old = world.connect()
    before = details(old)
    new = world.connect(resume=str(before["connectionKey"]))
    assert old.frame(Action.DISCONNECTED)["error"]["code"] == 80016
    assert details(new)["connectionId"] == before["connectionId"]


def test_messages_missed_while_away_follow_the_attach_that_names_the_last_one(world: World) -> None:
    alice, bob = world.connect(), world.connect()
    key = str(details(alice)["connectionKey"])
    alice.attach("room")
    bob.publish("room", 0, {"name": "one"})
    seen = alice.frame(Action.MESSAGE)["channelSerial"]
    alice.drop()
    bob.publish("room", 1, {"name": "two"})
    again = world.connect(resume=key)
    again.frames()
    again.send(action=Action.ATTACH, channel="room", channelSerial=seen, params=None, flags=32)
    attached, message = again.frames()
    assert attached["flags"] & Flag.RESUMED
    assert attached["flags"] & Flag.HAS_BACKLOG
    assert [it["name"] for it in message["messages"]] == ["two"]


def test_an_answer_lost_with_the_socket_is_given_again(world: World) -> None:
    client = world.connect()
    key = str(details(client)["connectionKey"])
    client.publish("room", 0, {"name": "one"})
    first = client.frame(Action.ACK)
    client.drop()
    again = world.connect(resume=key)
    again.frames()
    again.publish("room", 0, {"name": "one"})
    assert again.frame(Action.ACK) == first
    assert len(world.http("GET", "/channels/room/messages").value) == 1
