"""Faults on request: each does what it says to the connections it names, and nothing to others."""

from typing import Any

import pytest

from harness.ably.actions import Action
from tests.ably.wire import KEY, Reply, World, jwt


def fault(world: World, name: str, **body: Any) -> Reply:
    return world.http("POST", "/control/faults", {"fault": name, **body}, auth=None)


def test_connections_are_listed(world: World) -> None:
    client = world.connect(clientId="alice")
    connection_id = client.frame(Action.CONNECTED)["connectionId"]
    client.attach("room")
    listed = world.http("GET", "/control/connections", auth=None).value
    assert listed == [
        {"app": "app", "connectionId": connection_id, "clientId": "alice", "live": True, "channels": ["room"]}
    ]


def test_drop_cuts_the_socket_and_the_connection_can_be_resumed(world: World) -> None:
    alice, bob = world.connect(clientId="alice"), world.connect(clientId="bob")
    key = alice.frame(Action.CONNECTED)["connectionDetails"]["connectionKey"]
    assert fault(world, "drop", clientId="alice").status == 200
    assert (alice.closed, bob.closed) == (True, False)
    assert "error" not in world.connect(resume=key, clientId="alice").frame(Action.CONNECTED)


def test_disconnect_asks_to_reconnect(world: World) -> None:
    client = world.connect()
    fault(world, "disconnect")
    assert client.frames(Action.DISCONNECTED)[0]["error"]["code"] == 80003


def test_a_black_hole_swallows_both_ways_until_it_ends(world: World) -> None:
    client, other = world.connect(), world.connect()
    connection_id = client.frame(Action.CONNECTED)["connectionId"]
    client.attach("room")
    other.attach("room")
    fault(world, "blackhole", connectionId=connection_id, durationMs=5000)
    client.publish("room", 0, {"name": "mine"})
    other.publish("room", 0, {"name": "theirs"})
    other.frames()
    world.pass_s(4.9)
    assert (client.frames(), other.frames()) == ([], [])
    world.pass_s(0.1)
    assert [it["action"] for it in client.frames()] == [Action.MESSAGE, Action.ACK, Action.MESSAGE]
    assert other.frame(Action.MESSAGE)["messages"][0]["name"] == "mine"


def test_a_black_hole_without_an_end_is_healed_on_request(world: World) -> None:
    client = world.connect()
    fault(world, "blackhole")
    client.frames()
    client.send(action=Action.HEARTBEAT, id="1")
    world.pass_s(1000)
    assert client.frames() == []
    fault(world, "heal")
    world.pass_s(0)
    assert client.frame(Action.HEARTBEAT)["id"] == "1"


def test_a_delay_holds_for_each_way_and_keeps_the_order(world: World) -> None:
    client = world.connect()
    client.frames()
    fault(world, "delay", delayMs=100)
    for number in range(3):
        client.send(action=Action.HEARTBEAT, id=str(number))
        world.pass_s(0.01)
    world.pass_s(0.175)
    assert [frame["id"] for frame in client.frames()] == ["0"]
    world.pass_s(0.02)
    assert [frame["id"] for frame in client.frames()] == ["1", "2"]


def test_an_expired_token_is_not_accepted_again(world: World) -> None:
    token = jwt({"x-ably-clientId": "alice"})
    client = world.connect(access_token=token)
    fault(world, "expire-token")
    assert client.frames(Action.DISCONNECTED)[0]["error"]["code"] == 40142
    assert world.connect(access_token=token).frame(Action.ERROR)["error"]["code"] == 40142
    assert world.connect(access_token=jwt({"x-ably-clientId": "alice", "jti": "2"})).frame(Action.CONNECTED)


def test_a_forgotten_connection_can_not_be_resumed(world: World) -> None:
    client = world.connect()
    key = client.frame(Action.CONNECTED)["connectionDetails"]["connectionKey"]
    client.drop()
    fault(world, "forget")
    assert world.connect(resume=key).frame(Action.CONNECTED)["error"]["code"] == 80008


def test_too_much_held_back_ends_the_socket(world: World) -> None:
    client = world.connect()
    fault(world, "blackhole")
    for _ in range(70):
        client.send_bytes(b"x" * 65_000)
    assert client.closed


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"fault": "nonsense"}, 40000),
        ({"fault": "delay"}, 40000),
        ({"fault": "delay", "delayMs": 10**9}, 40000),
        ({"fault": "drop", "connectionId": "nobody"}, 40400),
        ({"fault": "expire-token"}, 40000),
        ([], 40000),
    ],
)
def test_a_fault_that_makes_no_sense_is_refused(world: World, body: Any, code: int) -> None:
    world.connect(key=KEY.text)
    assert world.http("POST", "/control/faults", body, auth=None).code == code


def test_web_pages_may_not_make_faults(world: World) -> None:
    world.connect()
    reply = world.http("POST", "/control/faults", {"fault": "drop"}, auth=None, Origin="http://evil.example")
    assert (reply.status, reply.code) == (403, 40300)
    plain = world.http("POST", "/control/faults", {"fault": "drop"}, auth=None, Content_Type="text/plain")
    assert plain.code == 40000
    assert "access-control-allow-origin" not in reply.headers


def test_the_endpoint_is_off_unless_asked_for() -> None:
    assert fault(World(control=False), "drop").code == 40400
