"""The REST interface (Ably spec RSC, RSL, RSP): shapes, pages, formats, errors."""

import re
from base64 import b64encode
from typing import Any
from urllib.parse import parse_qs

import pytest

from harness.ably.actions import Action
from harness.ably.codec import Format
from tests.ably.wire import KEY, READER, START_NS, Reply, World, jwt

NOW_MS = START_NS // 10**6


def publish(world: World, channel: str, *names: str) -> list[str]:
    serials: list[str] = []
    for name in names:
        reply = world.http("POST", f"/channels/{channel}/messages", [{"name": name}])
        serials += reply.value["serials"]
    return serials


def names(reply: Reply) -> list[str]:
    return [message["name"] for message in reply.value]


def link(reply: Reply, rel: str) -> str | None:
    found = re.search(rf'<\./\w+\?([^>,]*)>; rel="{rel}"', reply.headers["link"])
    return found[1] if found else None


def test_time_needs_nobody(world: World) -> None:
    reply = world.http("GET", "/time", auth=None)
    assert (reply.status, reply.value) == (200, [NOW_MS])
    assert reply.headers["content-type"] == "application/json"
    packed = world.http("GET", "/time", auth=None, form=Format.MSGPACK)
    assert (packed.headers["content-type"], packed.value) == ("application/x-msgpack", [NOW_MS])


@pytest.mark.parametrize("body", [{"name": "a", "data": "x"}, [{"name": "a"}, {"name": "b"}]])
@pytest.mark.parametrize("form", list(Format))
def test_a_publish_takes_one_message_or_several(world: World, body: Any, form: Format) -> None:
    reply = world.http("POST", "/channels/room/messages", body, form=form)
    count = len(body) if isinstance(body, list) else 1
    assert reply.status == 201
    assert len(reply.value["serials"]) == count
    assert reply.value["messageId"].endswith(":0")
    assert reply.value["channel"] == "room"


def test_a_repeated_id_is_accepted_and_published_once(world: World) -> None:
    body = [{"id": "abc:0", "name": "a"}, {"id": "abc:1", "name": "b"}]
    first, second = (world.http("POST", "/channels/room/messages", body) for _ in range(2))
    assert first.value == second.value
    assert len(world.http("GET", "/channels/room/messages").value) == 2


@pytest.mark.parametrize(
    ("body", "query", "code"),
    [
        ([], "", 40030),
        ([{"id": "a:0"}, {"id": "b:1"}], "", 40031),
        ([{"id": 7}], "", 40031),
        ([7], "", 40000),
        ("text", "", 40000),
        ([{"name": "a", "action": 1}], "", 40030),
        ([{"name": "a"}], "?_forceNack=true", 40099),
        ([{"name": "a", "connectionKey": "nonsense"}], "", 40006),
        ([{"name": "a"}] * 1001, "", 40034),
        ([{"name": "a", "data": "x" * 70_000}], "", 40009),
        ([{"extras": {"headers": {"deep": {"er": 1}}}}], "", 40032),
    ],
)
def test_a_publish_that_breaks_a_rule_is_refused(world: World, body: Any, query: str, code: int) -> None:
    reply = world.http("POST", f"/channels/room/messages{query}", body)
    assert reply.code == code
    assert reply.status in (400, 413)


def test_an_ephemeral_publish_is_delivered_and_not_kept(world: World) -> None:
    client = world.connect()
    client.attach("room")
    world.http("POST", "/channels/room/messages?ephemeral=true", {"name": "a"})
    assert client.frame(Action.MESSAGE)["messages"][0]["extras"] == {"ephemeral": True}
    assert world.http("GET", "/channels/room/messages").value == []


def test_a_publish_on_behalf_of_a_connection_carries_its_identity(world: World) -> None:
    client = world.connect(clientId="alice")
    key = client.frame(Action.CONNECTED)["connectionDetails"]["connectionKey"]
    world.http("POST", "/channels/room/messages", {"name": "a", "connectionKey": key})
    message = world.http("GET", "/channels/room/messages").value[0]
    assert (message["clientId"], message["connectionId"]) == ("alice", key.partition("!")[0])
    assert "connectionKey" not in message


@pytest.mark.parametrize("written", ["a%3Ab%20c%2Bd", "a:b+c%2Bd"])
def test_channel_names_are_read_as_either_sdk_escapes_them(world: World, written: str) -> None:
    world.http("POST", f"/channels/{written}/messages", {"name": "a"})
    client = world.connect()
    client.frames()
    client.send(action=Action.ATTACH, channel="a:b c+d", params={"rewind": "1"})
    assert client.frames(Action.MESSAGE)[0]["messages"][0]["name"] == "a"


@pytest.mark.parametrize(("direction", "first"), [("backwards", "edc"), ("forwards", "abc")])
def test_pages_follow_each_other_by_relative_links(world: World, direction: str, first: str) -> None:
    publish(world, "room", *"abcde")
    page = world.http("GET", f"/channels/room/messages?limit=3&direction={direction}&key={KEY.text}")
    query = link(page, "next")
    assert "".join(names(page)) == first
    assert query is not None
    assert "key" not in parse_qs(query)
    last = world.http("GET", f"/channels/room/messages?{query}")
    assert "".join(sorted(names(page) + names(last))) == "abcde"
    assert link(last, "next") is None
    assert names(world.http("GET", f"/channels/room/messages?{link(last, 'first')}")) == names(page)
    assert names(world.http("GET", f"/channels/room/messages?{link(last, 'current')}")) == names(last)


@pytest.mark.parametrize("spelling", ["from_serial", "fromSerial"])
def test_history_up_to_the_attach_ends_exactly_where_delivery_begins(world: World, spelling: str) -> None:
    publish(world, "room", "before")
    client = world.connect()
    client.frames()
    serial = client.attach("room")["channelSerial"]
    publish(world, "room", "after")
    assert names(world.http("GET", f"/channels/room/messages?{spelling}={serial}&untilAttach=false")) == [
        "before"
    ]
    assert client.frame(Action.MESSAGE)["messages"][0]["name"] == "after"


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=1001", "limit=x", "limit=-1", "direction=up", "start=2&end=1", "from_serial=x"],
)
def test_an_unusable_history_query_is_40003(world: World, query: str) -> None:
    assert world.http("GET", f"/channels/room/messages?{query}").code == 40003


def test_an_attach_point_out_of_the_live_window_is_90008(world: World) -> None:
    client = world.connect()
    client.frames()
    serial = client.attach("persisted:x")["channelSerial"]
    world.pass_s(121)
    assert world.http("GET", f"/channels/persisted:x/messages?from_serial={serial}").code == 90008


def test_history_needs_its_capability(world: World) -> None:
    reply = world.http("GET", "/channels/room/messages", auth=READER.text)
    assert (reply.status, reply.code) == (401, 40160)


def test_messages_of_ordinary_channels_are_gone_after_two_minutes_and_persisted_ones_stay(
    world: World,
) -> None:
    publish(world, "room", "a")
    publish(world, "persisted:room", "a")
    world.pass_s(121)
    assert names(world.http("GET", "/channels/room/messages")) == []
    assert names(world.http("GET", "/channels/persisted:room/messages")) == ["a"]


def test_a_message_is_updated_appended_to_and_deleted_with_all_versions_kept_apart(world: World) -> None:
    serial = world.http("POST", "/channels/mut:x/messages", {"name": "n", "data": "a"}).value["serials"][0]
    path = f"/channels/mut:x/messages/{serial}"
    appended = world.http("PATCH", path, {"serial": serial, "action": 5, "data": "b"})
    updated = world.http(
        "PATCH", path, {"action": 1, "data": "c", "version": {"description": "d", "metadata": {"m": "1"}}}
    )
    deleted = world.http("PATCH", path, {"action": 2})
    assert {appended.status, updated.status, deleted.status} == {200}
    latest = world.http("GET", path).value
    assert (latest["action"], latest["data"], latest["name"], latest["serial"]) == (2, "c", "n", serial)
    assert latest["version"]["serial"] == deleted.value["versionSerial"]
    versions = world.http("GET", f"{path}/versions").value
    assert [(it["action"], it["data"]) for it in versions] == [(0, "a"), (1, "c"), (2, "c")]
    assert versions[1]["version"]["description"] == "d"
    assert versions[1]["version"]["metadata"] == {"m": "1"}
    assert [it["action"] for it in world.http("GET", "/channels/mut:x/messages").value] == [2]


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("room/messages/x", {"action": 1}, 93002),
        ("mut:x/messages/x", {"action": 1}, 40400),
        ("mut:x/messages/x", {"action": 1, "serial": "y"}, 40003),
        ("mut:x/messages/x", {"action": 4}, 40030),
    ],
)
def test_an_operation_that_breaks_a_rule_is_refused(world: World, path: str, body: Any, code: int) -> None:
    assert world.http("PATCH", f"/channels/{path}", body).code == code


def test_own_rights_need_an_identity_and_cover_own_messages_only(world: World) -> None:
    capability = {"x-ably-capability": '{"*":["publish","message-update-own"]}'}
    alice = jwt({"x-ably-clientId": "alice", **capability})
    bob = jwt({"x-ably-clientId": "bob", **capability})
    nobody = jwt(capability)
    reply = world.http("POST", "/channels/mut:x/messages", {"name": "n"}, auth=alice)
    path = f"/channels/mut:x/messages/{reply.value['serials'][0]}"
    change = {"action": 1, "data": "x"}
    assert world.http("PATCH", path, change, auth=bob).code == 40160
    assert world.http("PATCH", path, change, auth=nobody).code == 40166
    assert world.http("PATCH", path, change, auth=alice).status == 200
    assert world.http("PATCH", path, {"action": 2}, auth=alice).code == 40160


def test_presence_is_listed_filtered_paged_and_remembered(world: World) -> None:
    crowd = world.connect()
    crowd.send(
        action=Action.PRESENCE,
        channel="room",
        msgSerial=0,
        presence=[{"action": 2, "clientId": f"c{number}", "data": "d"} for number in range(5)],
    )
    page = world.http("GET", "/channels/room/presence?limit=3")
    rest = world.http("GET", f"/channels/room/presence?{link(page, 'next')}")
    listed = [member["clientId"] for member in page.value + rest.value]
    assert listed == ["c0", "c1", "c2", "c3", "c4"]
    assert page.value[0]["action"] == 1
    assert len(world.http("GET", "/channels/room/presence?clientId=c3").value) == 1
    crowd.send(action=Action.CLOSE)
    page = world.http("GET", "/channels/room/presence/history?limit=7&direction=forwards")
    rest = world.http("GET", f"/channels/room/presence/history?{link(page, 'next')}")
    assert [change["action"] for change in page.value + rest.value] == [2] * 5 + [3] * 5
    assert world.http("GET", "/channels/room/presence/history?cursor=x").code == 40003


def test_the_status_of_a_channel_counts_who_is_there(world: World) -> None:
    client = world.connect(clientId="alice")
    client.attach("room") if client.frames() else None
    client.send(action=Action.PRESENCE, channel="room", msgSerial=0, presence=[{"action": 2}])
    reply = world.http("GET", "/channels/room").value
    metrics = reply["status"]["occupancy"]["metrics"]
    assert (reply["channelId"], reply["status"]["isActive"]) == ("room", True)
    assert (metrics["connections"], metrics["subscribers"], metrics["presenceMembers"]) == (1, 1, 1)
    assert world.http("GET", "/channels/room", auth=READER.text).code == 40160


def test_a_batch_tells_the_fate_of_every_channel(world: World) -> None:
    token = jwt({"x-ably-capability": '{"a":["publish"],"b":["publish"]}'})
    body = {"channels": ["a", "b", "c"], "messages": {"name": "n"}}
    one = world.http("POST", "/messages", body, auth=token)
    assert (one.status, one.value["successCount"], one.value["failureCount"]) == (201, 2, 1)
    assert [result.get("error", {}).get("code") for result in one.value["results"]] == [None, None, 40160]
    several = world.http("POST", "/messages", [body, {"channels": "a", "messages": [{}, {}]}], auth=token)
    assert [len(result["results"]) for result in several.value] == [3, 1]
    flat = world.http("POST", "/messages", body, auth=token, X_Ably_Version="2").value
    assert [result["channel"] for result in flat] == ["a", "b", "c"]
    presence = world.http("GET", "/presence?channels=a,b", auth=token).value
    assert [result["error"]["code"] for result in presence["results"]] == [40160, 40160]


def test_what_is_not_there_is_40400(world: World) -> None:
    for method, path in [("GET", "/nothing"), ("DELETE", "/channels/room"), ("GET", "/channels//messages")]:
        reply = world.http(method, path)
        assert (reply.status, reply.code) == (404, 40400)


def test_a_body_that_is_not_what_it_says_is_40000(world: World) -> None:
    reply = world.raw_http(
        b"POST /channels/room/messages HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\n"
        b"Authorization: Basic "
        + b64encode(KEY.text.encode())
        + b"\r\nContent-Type: application/json\r\n\r\n{{{"
    )
    assert (reply.status, reply.code) == (400, 40000)


def test_statistics_are_accepted_and_empty(world: World) -> None:
    assert world.http("POST", "/stats", [{"intervalId": "2026-01-01:00:00"}]).status == 201
    assert world.http("GET", "/stats?unit=hour").value == []


def test_annotations_are_refused(world: World) -> None:
    assert world.http("POST", "/channels/mut:x/messages/s/annotations", []).code == 93002


def test_pages_of_any_origin_may_call(world: World) -> None:
    assert world.http("OPTIONS", "/channels/room/messages", auth=None).status == 204
    reply = world.http("GET", "/time", auth=None)
    assert reply.headers["access-control-allow-origin"] == "*"


def test_an_app_is_made_used_and_deleted_as_test_suites_do(world: World) -> None:
    request = {
        "keys": [{}, {"capability": '{"a":["subscribe"]}'}, {"revocableTokens": True}],
        "namespaces": [{"id": "mutable", "mutableMessages": True}],
        "channels": [
            {
                "name": "persisted:fixtures",
                "presence": [{"clientId": "c", "data": "AP8=", "encoding": "cipher+aes-128-cbc/base64"}],
            }
        ],
    }
    reply = world.http("POST", "/apps", request, auth=None, Host="localhost:9010")
    app = reply.value
    assert reply.status == 201
    assert (app["endpoint"], app["port"], app["tls"]) == ("localhost", 9010, False)
    assert (len(app["keys"]), len(app["namespaces"])) == (3, 1)
    first = app["keys"][0]
    assert first["keyStr"] == f"{app['appId']}.{first['id']}:{first['value']}"
    assert first["capability"] == '{"*":["*"]}'
    member = world.http("GET", "/channels/persisted:fixtures/presence", auth=first["keyStr"]).value[0]
    assert (member["clientId"], member["encoding"]) == ("c", "cipher+aes-128-cbc/base64")
    client = world.connect(key=first["keyStr"])
    assert client.frame(Action.CONNECTED)
    assert world.http("DELETE", f"/apps/{app['appId']}").code == 40400
    assert world.http("DELETE", f"/apps/{app['appId']}", auth=first["keyStr"]).status == 204
    assert world.connect(key=first["keyStr"]).frame(Action.ERROR)["error"]["code"] == 40101


def test_an_app_may_ask_for_more_presence_members_than_the_usual(world: World) -> None:
    request = {"limits": {"presence": {"maxMembers": 250}}}
    key = world.http("POST", "/apps", request, auth=None).value["keys"][0]["keyStr"]
    crowd = world.connect(key=key)
    crowd.frames()
    for serial, first in enumerate((0, 125, 250)):
        members = [{"action": 2, "clientId": f"c{number}"} for number in range(first, first + 125)]
        crowd.send(action=Action.PRESENCE, channel="room", msgSerial=serial, presence=members)
    answers = crowd.frames(Action.ACK, Action.NACK)
    assert [answer["action"] for answer in answers] == [Action.ACK, Action.ACK, Action.NACK]
    assert answers[-1]["error"]["code"] == 91003


def test_a_server_has_a_bounded_number_of_apps(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.ably.apps.APPS_MAX", 3)
    first, second = (world.http("POST", "/apps", {}, auth=None) for _ in range(2))
    assert (first.status, second.status, second.code) == (201, 429, 42910)
    app = first.value
    world.http("DELETE", f"/apps/{app['appId']}", auth=app["keys"][0]["keyStr"])
    assert world.http("POST", "/apps", {}, auth=None).status == 201


def test_an_app_of_an_encrypted_server_says_so() -> None:
    reply = World(sandbox=True, tls=True).http("POST", "/apps", {}, auth=None, Host="localhost:9010")
    assert reply.value["tls"] is True


def test_apps_are_made_only_where_the_sandbox_is_on(world: World) -> None:
    assert World(sandbox=False).http("POST", "/apps", {}, auth=None).code == 40400
    assert world.http("POST", "/apps", {"keys": [{"capability": "nonsense"}]}, auth=None).code == 40000
    ids = {world.http("POST", "/apps", {}, auth=None).value["appId"] for _ in range(3)}
    assert len(ids) == 3
