"""Keys, Ably tokens, JWTs: who is let in, as whom, with which rights (Ably spec RSA, TE, TD)."""

from base64 import b64encode
from typing import Any

import pytest

from harness.ably.actions import Action
from harness.ably.jwts import LIFETIME_S_MAX
from harness.ably.tokens import TokenRequest, request_mac
from tests.ably.wire import APP, KEY, READER, REVOCABLE, START_NS, World, jwt

NOW_S = START_NS // 10**9
NOW_MS = START_NS // 10**6


def signed(secret: str = KEY.secret, **changes: Any) -> dict[str, Any]:
    fields: dict[str, Any] = {
        "keyName": KEY.name,
        "ttl": 60_000,
        "capability": '{"room":["subscribe"]}',
        "clientId": "alice",
        "timestamp": NOW_MS,
        "nonce": "0123456789abcdef",
        **changes,
    }
    request = TokenRequest(
        fields["keyName"],
        fields["ttl"],
        fields["capability"],
        fields["clientId"],
        fields["timestamp"],
        fields["nonce"],
        None,
    )
    return {**fields, "mac": request_mac(request, secret)}


def test_the_mac_is_that_of_the_published_vector() -> None:
    request = TokenRequest("a_key_name", 1000, None, "a_id", 1000, "abcde100", None)
    assert request_mac(request, "a_secret") == "sYkCH0Un+WgzI7/Nhy0BoQIKq9HmjKynCRs4E3qAbGQ="


def ask(world: World, body: dict[str, Any], auth: str | None = None) -> Any:
    return world.http("POST", f"/keys/{KEY.name}/requestToken", body, auth=auth)


def test_a_signed_request_gives_a_token_that_connects_with_what_was_asked_for(world: World) -> None:
    details = ask(world, signed()).value
    assert details["expires"] - details["issued"] == 60_000
    assert details["capability"] == '{"room":["subscribe"]}'
    client = world.connect(access_token=details["token"])
    assert client.frame(Action.CONNECTED)["connectionDetails"]["clientId"] == "alice"
    world.pass_s(61)
    assert world.connect(access_token=details["token"]).frame(Action.ERROR)["error"]["code"] == 40142


def test_a_token_outlives_a_restart_of_the_server(world: World) -> None:
    token = ask(world, signed()).value["token"]
    assert World().connect(access_token=token).frame(Action.CONNECTED)


@pytest.mark.parametrize(
    ("body", "code", "status"),
    [
        (signed(secret="wrong"), 40101, 401),
        ({**signed(), "ttl": 61_000}, 40101, 401),
        (signed(timestamp=NOW_MS - 121_000), 40104, 401),
        (signed(nonce=None), 40105, 401),
        (signed(ttl=25 * 3_600_000), 40003, 400),
        ({**signed(), "ttl": -1}, 40003, 400),
        (signed(capability='{"room":["nonsense"]}'), 40000, 400),
        (signed(capability='{"room":["*","publish"]}'), 40000, 400),
        (signed(capability='{"room":[]}'), 40000, 400),
        (signed(capability="[" * 100_000), 40000, 400),
        (signed(clientId=""), 40012, 400),
        ({**signed(), "keyName": READER.name}, 40102, 401),
    ],
)
def test_a_token_request_that_breaks_a_rule_is_refused(
    world: World, body: dict[str, Any], code: int, status: int
) -> None:
    reply = ask(world, body)
    assert (reply.code, reply.status) == (code, status)
    assert reply.headers["x-ably-errorcode"] == str(code)


def test_nonces_are_never_forgotten_early_to_make_room(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.ably.authenticator.NONCES_MAX", 2)
    codes = [ask(world, signed(nonce=f"nonce {number}")).status for number in range(3)]
    assert codes == [201, 201, 429]
    assert ask(world, signed(nonce="nonce 0")).code == 40105
    assert ask(world, signed(nonce="nonce 2")).code == 42910
    world.pass_s(241)
    later = signed(nonce="nonce 2", timestamp=world.now_ns // 10**6)
    assert ask(world, later).status == 201


def test_a_nonce_is_good_once(world: World) -> None:
    assert ask(world, signed()).status == 201
    assert ask(world, signed()).code == 40105


def test_an_unsigned_request_needs_the_very_key(world: World) -> None:
    body = {"keyName": KEY.name, "clientId": None, "ttl": None, "capability": None}
    assert ask(world, body).code == 40101
    assert ask(world, body, auth=READER.text).code == 40101
    assert ask(world, body, auth=KEY.text).status == 201


def test_a_token_has_no_right_that_its_key_lacks(world: World) -> None:
    body = {"capability": '{"*":["publish","subscribe"]}'}
    details = world.http("POST", f"/keys/{READER.name}/requestToken", body, auth=READER.text).value
    assert details["capability"] == '{"*":["subscribe"]}'
    nothing = world.http(
        "POST", f"/keys/{READER.name}/requestToken", {"capability": '{"*":["publish"]}'}, auth=READER.text
    )
    assert nothing.code == 40160


def test_an_unknown_key_of_a_known_app_is_40400_with_status_401(world: World) -> None:
    reply = world.http("GET", "/channels/room/messages", auth="app.nobody:x")
    assert (reply.status, reply.code) == (401, 40400)


@pytest.mark.parametrize(
    ("claims", "header", "code"),
    [
        ({}, {"alg": "none"}, 40144),
        ({}, {"alg": "HS512"}, 40144),
        ({}, {"alg": "RS256"}, 40144),
        ({}, {"kid": None}, 40144),
        ({}, {"kid": "app.nobody"}, 40400),
        ({}, {"kid": "app.reader"}, 40144),
        ({"iat": None}, {}, 40144),
        ({"exp": None}, {}, 40144),
        ({"exp": "soon"}, {}, 40144),
        ({"exp": NOW_S + LIFETIME_S_MAX + 1}, {}, 40144),
        ({"iat": NOW_S + 600}, {}, 40144),
        ({"nbf": NOW_S + 600}, {}, 40144),
        ({"exp": NOW_S}, {}, 40142),
        ({"x-ably-capability": {"room": ["*"]}}, {}, 40144),
        ({"x-ably-capability": '{"room":["nonsense"]}'}, {}, 40144),
        ({"x-ably-capability": "{}"}, {}, 40160),
        ({"x-ably-clientId": ""}, {}, 40012),
        ({"x-ably-clientId": 7}, {}, 40012),
    ],
)
def test_a_jwt_that_breaks_a_rule_is_refused(
    world: World, claims: dict[str, Any], header: dict[str, Any], code: int
) -> None:
    assert world.http("GET", "/channels/room/messages", auth=jwt(claims, header=header)).code == code


def test_an_unsigned_jwt_with_an_empty_signature_is_refused(world: World) -> None:
    head, claims, _ = jwt({}, header={"alg": "none"}).split(".")
    assert world.connect(access_token=f"{head}.{claims}.").frame(Action.ERROR)["error"]["code"] == 40144


def test_a_jwt_is_taken_plain_and_as_base64(world: World) -> None:
    token = jwt({})
    plain = world.http("GET", "/channels/room/messages", auth=None, Authorization=f"Bearer {token}")
    encoded = b64encode(token.encode()).decode()
    wrapped = world.http("GET", "/channels/room/messages", auth=None, Authorization=f"Bearer {encoded}")
    assert (plain.status, wrapped.status) == (200, 200)


def test_a_jwt_without_capability_inherits_and_with_one_is_cut_to_the_keys(world: World) -> None:
    body = [{"name": "a"}]
    kid = {"kid": READER.name}
    assert world.http("POST", "/channels/room/messages", body, auth=jwt({})).status == 201
    assert world.http("POST", "/channels/room/messages", body, auth=jwt({}, READER.secret, kid)).code == 40160
    greedy = jwt({"x-ably-capability": '{"*":["*"]}'}, READER.secret, kid)
    assert world.http("POST", "/channels/room/messages", body, auth=greedy).code == 40160


def test_a_jwt_may_embed_an_ably_token_and_not_outlive_it(world: World) -> None:
    token = ask(world, signed()).value["token"]
    fitting = jwt({"x-ably-token": token, "exp": NOW_S + 30}, secret="anybody's", header={"kid": None})
    frame = world.connect(access_token=fitting).frame(Action.CONNECTED)
    assert frame["connectionDetails"]["clientId"] == "alice"
    longer = jwt({"x-ably-token": token, "exp": NOW_S + 90}, secret="anybody's")
    assert world.connect(access_token=longer).frame(Action.ERROR)["error"]["code"] == 40144
    nested = jwt({"x-ably-token": fitting, "exp": NOW_S + 30})
    assert world.connect(access_token=nested).frame(Action.ERROR)["error"]["code"] == 40144


def test_credentials_of_one_app_reach_nothing_of_another(world: World) -> None:
    world.http("POST", "/channels/persisted:x/messages", [{"name": "secret"}])
    mine = world.http("GET", "/channels/persisted:x/messages").value
    theirs = world.http("GET", "/channels/persisted:x/messages", auth="other.root:other_secret").value
    assert (len(mine), len(theirs)) == (1, 0)


def test_a_token_of_one_key_is_no_token_of_another_with_the_same_name_elsewhere(world: World) -> None:
    token = ask(world, signed()).value["token"]
    assert (
        world.connect(access_token=token.replace("app.", "other.")).frame(Action.ERROR)["error"]["code"]
        == 40143
    )


def test_revocation_ends_live_connections_and_later_ones(world: World) -> None:
    header = {"kid": REVOCABLE.name}
    alice = jwt({"x-ably-clientId": "alice"}, REVOCABLE.secret, header)
    bob = jwt({"x-ably-clientId": "bob"}, REVOCABLE.secret, header)
    connected = world.connect(access_token=alice), world.connect(access_token=bob)
    world.pass_s(1)
    body = {"targets": ["clientId:alice", "nonsense"]}
    result = world.http("POST", f"/keys/{REVOCABLE.name}/revokeTokens", body, auth=REVOCABLE.text).value
    assert (result["successCount"], result["failureCount"]) == (1, 1)
    assert connected[0].frames(Action.DISCONNECTED)[0]["error"]["code"] == 40141
    assert connected[1].frames(Action.DISCONNECTED) == []
    assert world.connect(access_token=alice).frame(Action.ERROR)["error"]["code"] == 40141
    world.pass_s(1)
    fresh = jwt({"x-ably-clientId": "alice", "iat": NOW_S + 2}, REVOCABLE.secret, header)
    assert world.connect(access_token=fresh).frame(Action.CONNECTED)


def test_a_revocation_with_a_margin_gives_clients_time_to_renew(world: World) -> None:
    header = {"kid": REVOCABLE.name}
    client = world.connect(access_token=jwt({"x-ably-clientId": "alice"}, REVOCABLE.secret, header))
    world.pass_s(1)
    body = {"targets": ["clientId:alice"], "allowReauthMargin": True}
    result = world.http("POST", f"/keys/{REVOCABLE.name}/revokeTokens", body, auth=REVOCABLE.text).value
    assert result["results"][0]["appliesAt"] > NOW_MS + 31_000
    assert client.frames()[-1] == {"action": 17}
    world.pass_s(30)
    assert client.frames() == []
    world.pass_s(1)
    assert client.frame(Action.DISCONNECTED)["error"]["code"] == 40141


def test_a_client_that_may_be_anybody_can_say_so(world: World) -> None:
    client = world.connect(clientId="*")
    assert client.frame(Action.CONNECTED)["connectionDetails"]["clientId"] == "*"


def test_only_revocable_keys_revoke(world: World) -> None:
    body = {"targets": ["clientId:alice"]}
    assert world.http("POST", f"/keys/{KEY.name}/revokeTokens", body).code == 40164
    assert world.http("POST", f"/keys/{REVOCABLE.name}/revokeTokens", body).code == 40101


def test_the_caller_with_a_key_may_take_an_identity_on(world: World) -> None:
    alice = b64encode(b"alice").decode()
    reply = world.http("POST", "/channels/known:x/messages", [{"name": "a"}], X_Ably_ClientId=alice)
    assert reply.status == 201
    assert world.http("GET", "/channels/known:x/messages").value[0]["clientId"] == "alice"
    assert world.http("GET", "/channels/known:x/messages", X_Ably_ClientId="***").code == 40012


def test_the_text_of_a_key_is_never_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(0)
    world = World()
    world.connect()
    world.connect(key="app.root:wrong-secret")
    world.http("GET", "/channels/room/messages?key=app.root:a_secret")
    for key in APP.keys:
        assert key.secret not in caplog.text
    assert "wrong-secret" not in caplog.text
