"""The real ``ably`` SDK for Python against the server, over loopback sockets.

What the SDK does wrong of its own accord is worked around here and said so, as it is no fault of the server.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import pytest

from harness.ably.apps import AppConfig, ServerOptions
from harness.ably.listener import Listener
from harness.ably.server import Server
from tests.ably.wire import APP, KEY, OTHER, jwt

ably = pytest.importorskip("ably", reason="the SDK is not installed")

TIMEOUT_S: Final = 60
T = TypeVar("T")
pytestmark = pytest.mark.filterwarnings("default")


@dataclass
class Site:
    """A listening server and clients that are closed with it."""

    listener: Listener
    port: int
    clients: list[Any]

    def realtime(self, **options: Any) -> Any:
        options = {"key": KEY.text, **options} if not {"token", "auth_callback"} & options.keys() else options
        client = ably.AblyRealtime(endpoint=f"127.0.0.1:{self.port}", tls=False, **options)
        self.clients.append(client)
        return client

    async def connected(self, **options: Any) -> Any:
        client = self.realtime(**options)
        await until(lambda: client.connection.state == "connected")
        return client

    def rest(self, **options: Any) -> Any:
        options = {"key": KEY.text, "use_token_auth": True, **options} if "token" not in options else options
        client = ably.AblyRest(endpoint="127.0.0.1", port=self.port, tls=False, **options)
        self.clients.append(client)
        return client

    def faulty(self, act: Callable[[Server, int], None]) -> None:
        """Make a fault on the only connection."""
        session = next(it.id for it in self.listener.server.sessions() if it.app_id is not None)
        act(self.listener.server, session)
        self.listener.act(self.listener.server.flush(self.listener.now_ns()))


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(TIMEOUT_S):
        while not condition():  # noqa: ASYNC110 - the SDK sets no event for most of this
            await asyncio.sleep(0.005)


@asynccontextmanager
async def site(options: ServerOptions, *apps: AppConfig) -> AsyncIterator[Site]:
    listener = Listener(Server("sdk", options, apps or (APP, OTHER)), time.time_ns)
    opened = Site(listener, await listener.listen("127.0.0.1", 0), [])
    try:
        yield opened
    finally:
        for client in opened.clients:
            await client.close()
        listener.close()
        await asyncio.sleep(0)


def run(body: Callable[[Site], Coroutine[Any, Any, T]], **options: Any) -> T:
    async def inside() -> T:
        async with asyncio.timeout(3 * TIMEOUT_S), site(ServerOptions(**options)) as opened:
            return await body(opened)

    return asyncio.run(inside())


def now_jwt(claims: dict[str, Any], ttl_s: float = 3600) -> str:
    return jwt({"iat": int(time.time()), "exp": time.time() + ttl_s, **claims})


async def subscribe(channel: Any) -> list[Any]:
    got: list[Any] = []
    await channel.subscribe(into(got))
    return got


def into(got: list[Any]) -> Callable[[Any], None]:
    """Return a listener; the SDK takes functions only, not bound methods of builtins."""

    def listener(it: Any) -> None:
        got.append(it)

    return listener


@pytest.mark.parametrize("binary", [True, False], ids=["msgpack", "json"])
def test_publish_and_subscribe_with_a_key(binary: bool) -> None:  # noqa: FBT001 - a parameter of the test
    async def body(opened: Site) -> None:
        client = await opened.connected(client_id="alice", use_binary_protocol=binary)
        channel = client.channels.get("room")
        got = await subscribe(channel)
        result = await channel.publish("greeting", {"x": 1})
        await channel.publish("bytes", b"\x00\xff")
        await until(lambda: len(got) == 2)
        assert (got[0].name, got[0].data, got[0].client_id) == ("greeting", {"x": 1}, "alice")
        assert bytes(got[1].data) == b"\x00\xff"
        assert result.serials == [got[0].serial]
        assert await client.connection.ping() > 0

    run(body)


def test_a_jwt_gives_identity_and_role_and_limits_rights() -> None:
    async def body(opened: Site) -> None:
        claims = {
            "x-ably-clientId": "alice",
            "ably.channel.*": "approver",
            "x-ably-capability": '{"room":["*"]}',
        }
        client = await opened.connected(token=now_jwt(claims))
        assert client.auth.client_id == "alice"
        channel = client.channels.get("room")
        got = await subscribe(channel)
        await channel.publish("a", "b")
        await until(lambda: got)
        assert got[0].extras == {"userClaim": "approver"}
        with pytest.raises(ably.AblyException) as refused:
            await client.channels.get("hall").attach()
        assert refused.value.code == 40160

    run(body)


@pytest.mark.parametrize(
    ("options", "code"),
    [({"key": "api:key"}, 40101), ({"key": "app.root:wrong"}, 40101), ({"token": "garbage"}, 40101)],
)
def test_bad_credentials_fail_the_connection(options: dict[str, str], code: int) -> None:
    async def body(opened: Site) -> None:
        client = opened.realtime(**options)
        await until(lambda: client.connection.state == "failed")
        assert client.connection.error_reason.code == code

    run(body)


def test_history_pages_and_reaches_up_to_the_attach() -> None:
    async def body(opened: Site) -> None:
        rest = opened.rest()
        before = rest.channels.get("room")
        for number in range(5):
            await before.publish("before", str(number))
        client = await opened.connected()
        channel = client.channels.get("room")
        await channel.attach()
        await channel.publish("after", "5")
        page = await before.history(limit=4)
        assert [it.data for it in page.items] == ["5", "4", "3", "2"]
        rest_of_it = await page.next()
        assert [it.data for it in rest_of_it.items] == ["1", "0"]
        assert not rest_of_it.has_next()
        # The SDK has no untilAttach: the bound is its private attach serial.
        serial = channel._RealtimeChannel__attach_serial
        until_attach = await rest.request(
            "GET", "/channels/room/messages", version="5", params={"from_serial": serial}
        )
        assert [it["data"] for it in until_attach.items] == ["4", "3", "2", "1", "0"]

    run(body)


def test_a_dropped_connection_resumes_and_misses_nothing() -> None:
    async def body(opened: Site) -> None:
        client = await opened.connected()
        channel = client.channels.get("room")
        got = await subscribe(channel)
        await channel.publish("a", "1")
        await until(lambda: len(got) == 1)
        connection_id = client.connection.connection_manager.connection_id
        rest = opened.rest()
        opened.faulty(Server.cut)
        await rest.channels.get("room").publish("a", "2")
        await until(lambda: len(got) == 2)
        assert client.connection.connection_manager.connection_id == connection_id
        assert [it.data for it in got] == ["1", "2"]

    run(body)


def test_a_forgotten_connection_becomes_a_new_one_and_the_channel_continues() -> None:
    async def body(opened: Site) -> None:
        client = await opened.connected()
        channel = client.channels.get("room")
        got = await subscribe(channel)
        manager = client.connection.connection_manager
        before = manager.connection_id
        server = opened.listener.server
        app = server.apps.of("app")
        server.forget(app, before, opened.listener.now_ns())
        opened.listener.act(server.flush(opened.listener.now_ns()))
        await opened.rest().channels.get("room").publish("a", "1")
        await until(lambda: got)
        assert manager.connection_id != before

    run(body)


def test_a_token_that_expires_is_renewed_in_place() -> None:
    asked: list[float] = []

    async def give_token(_params: object) -> str:
        asked.append(time.monotonic())
        return now_jwt({"x-ably-clientId": "alice"}, ttl_s=6 if len(asked) == 1 else 3600)

    async def body(opened: Site) -> None:
        client = await opened.connected(auth_callback=give_token)
        channel = client.channels.get("room")
        got = await subscribe(channel)
        await until(lambda: len(asked) == 2)
        await until(lambda: channel.state == "attached")
        await channel.publish("a", "1")
        await until(lambda: got)
        assert len(got) == 1

    run(body)


def test_messages_are_appended_to_updated_and_deleted() -> None:
    async def body(opened: Site) -> None:
        client = await opened.connected(client_id="alice")
        channel = client.channels.get("mut:x")
        got = await subscribe(channel)
        serial = (await channel.publish("n", "Hel")).serials[0]
        await channel.append_message(message(serial=serial, data="lo"))
        await channel.update_message(message(serial=serial, data="bye"))
        deleted = await channel.delete_message(message(serial=serial))
        await until(lambda: len(got) == 4)
        assert [int(it.action) for it in got] == [0, 5, 1, 2]
        assert [it.data for it in got] == ["Hel", "lo", "bye", "bye"]
        assert got[3].version.serial == deleted.version_serial
        rest = opened.rest().channels.get("mut:x")
        assert (await rest.get_message(serial)).data == "bye"
        versions = await rest.get_message_versions(serial)
        assert [it.data for it in versions.items] == ["Hel", "bye", "bye"]
        again = await rest.update_message(message(serial=serial, data="back"))
        assert again.version_serial > deleted.version_serial
        with pytest.raises(ably.AblyException) as refused:
            await client.channels.get("room").append_message(message(serial=serial, data="x"))
        assert refused.value.code == 93002

    run(body)


def message(**fields: Any) -> Any:
    from ably.types.message import Message  # type: ignore[import-untyped]  # noqa: PLC0415 - may be absent

    return Message(**fields)


def test_presence_is_entered_seen_updated_and_left() -> None:
    async def body(opened: Site) -> None:
        alice = await opened.connected(client_id="alice")
        bob = await opened.connected(client_id="bob")
        rooms = [client.channels.get("room") for client in (alice, bob)]
        seen: list[Any] = []
        await rooms[1].presence.subscribe(into(seen))
        await rooms[0].presence.enter("here")
        await until(lambda: seen)
        await rooms[0].presence.update("still here")
        await until(lambda: len(seen) == 2)
        assert [it.client_id for it in await rooms[1].presence.get()] == ["alice"]
        rest = opened.rest().channels.get("room").presence
        assert [it.data for it in (await rest.get()).items] == ["still here"]
        await rooms[0].presence.leave()
        await until(lambda: len(seen) == 3)
        assert [int(it.action) for it in seen] == [2, 4, 3]
        assert [int(it.action) for it in (await rest.history()).items] == [3, 4, 2]

    run(body)


def test_the_rest_client_gets_tokens_and_makes_requests() -> None:
    async def body(opened: Site) -> None:
        rest = opened.rest(client_id="alice")
        before_ms = int(time.time() * 1000)
        assert before_ms <= await rest.time() <= time.time() * 1000
        details = await rest.auth.request_token({"ttl": 60_000, "capability": {"room": ["publish"]}})
        assert details.client_id == "alice"
        narrow = opened.rest(token=details.token)
        result = await narrow.channels.get("room").publish("a", "b")
        assert len(result.serials) == 1
        with pytest.raises(ably.AblyException) as refused:
            await narrow.channels.get("hall").publish("a", "b")
        assert (refused.value.code, refused.value.status_code) == (40160, 401)
        status = await rest.channels.get("room").status()
        assert status.status.is_active

    run(body)


def test_heartbeats_keep_an_idle_client_connected() -> None:
    async def body(opened: Site) -> None:
        client = await opened.connected()
        changes: list[Any] = []
        client.connection.on(into(changes))
        await asyncio.sleep(1.5)
        assert changes == []
        assert client.connection.state == "connected"

    run(body, heartbeat_ms=200)
