"""Input that no honest client sends: each gets its answer, nothing crashes, grows or hangs."""

import json
import struct
from base64 import b64encode

import pytest
from websockets.frames import Frame, Opcode

from harness.ably.actions import Action
from harness.ably.codec import ITEMS_MAX, CodecError, Format, decode, encode
from harness.http.server_side import BODY_BYTES_MAX, HEADER_BYTES_MAX
from tests.ably.wire import KEY, Client, World, read_reply

AUTH = b"Authorization: Basic " + b64encode(KEY.text.encode()) + b"\r\n"

UPGRADE = b"GET / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"


@pytest.fixture
def client(world: World) -> Client:
    connected = world.connect()
    connected.frames()
    return connected


# -- frames -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b"null",
        b"{}",
        b'{"action":"15"}',
        b'{"action":15.0}',
        b'{"action":true}',
        b'{"action":-1}',
        b'{"action":15}',
        b'{"action":15,"channel":"room"}',
        b'{"action":15,"channel":"room","msgSerial":-1}',
        b'{"action":15,"channel":"room","msgSerial":true}',
        b'{"action":15,"channel":7,"msgSerial":0}',
        b'{"action":10}',
        b'{"action":10,"channel":"room","flags":"all"}',
        b'{"action":10,"channel":"room","params":[]}',
        b'{"action":17}',
        b'{"action":17,"auth":"token"}',
        b'{"action":17,"auth":{"accessToken":7}}',
        b'{"action":NaN}',
        b'{"action":1e999}',
        b'{"action":15,"channel":"\\ud800","msgSerial":0}',
        b'{"action":' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b"\xff\xfe",
    ],
    ids=lambda payload: repr(payload[:40]),
)
def test_a_frame_that_can_not_be_attributed_ends_its_connection_with_an_error(
    client: Client, payload: bytes
) -> None:
    client.send_bytes(payload)
    frames = client.frames()
    assert [frame["action"] for frame in frames] == [Action.ERROR]
    assert frames[0]["error"]["code"] in (40000, 40010, 40101)
    assert "channel" not in frames[0]


@pytest.mark.parametrize("action", [1, 2, 3, 4, 5, 6, 8, 9, 11, 13, 18, 20, 99, 2**40])
def test_actions_that_clients_do_not_send_are_ignored(client: Client, action: int) -> None:
    client.send(action=action, channel="room", unknown={"field": 1})
    assert client.frames() == []
    assert not client.closed


def test_frames_out_of_order_are_answered_one_by_one(client: Client) -> None:
    for serial in (5, 3, 4):
        client.publish("room", serial, {"name": "a"})
    assert [frame["msgSerial"] for frame in client.frames(Action.ACK)] == [5, 3, 4]


def test_frames_after_the_end_of_a_connection_do_nothing(world: World, client: Client) -> None:
    client.send_bytes(b"nonsense")
    client.publish("room", 0, {"name": "a"})
    assert world.http("GET", "/channels/room/messages").value == []


def test_the_other_connections_do_not_notice(world: World, client: Client) -> None:
    other = world.connect()
    other.frames()
    client.send_bytes(b"nonsense")
    other.send(action=Action.HEARTBEAT, id="1")
    assert other.frame(Action.HEARTBEAT)["id"] == "1"


# -- WebSocket ----------------------------------------------------------------------------------------------


def websocket_frame(head: int, payload: bytes, mask: bool = True) -> bytes:  # noqa: FBT001, FBT002 - a wire bit
    length = bytes([(0x80 if mask else 0) | len(payload)])
    return bytes([head]) + length + (b"\0\0\0\0" if mask else b"") + payload


@pytest.mark.parametrize(
    "data",
    [
        websocket_frame(0xC1, b"{}"),  # compressed, which was not negotiated
        websocket_frame(0x81, b"{}", mask=False),
        websocket_frame(0x83, b"{}"),  # an unknown opcode
        websocket_frame(0x09, b""),  # a fragmented ping
        websocket_frame(0x80, b"{}"),  # a continuation of nothing
        bytes([0x81, 0xFF]) + struct.pack("!Q", 1 << 40),  # a terabyte announced
        bytes([0x81, 0xFF]) + struct.pack("!Q", (1 << 63) + 1),
    ],
    ids=["compressed", "unmasked", "opcode", "fragmented-ping", "continuation", "huge", "negative"],
)
def test_a_breach_of_the_websocket_protocol_closes_the_socket(
    world: World, client: Client, data: bytes
) -> None:
    world.give(client, data)
    assert client.closed


def test_a_message_may_come_in_fragments_and_bytes_one_by_one(world: World, client: Client) -> None:
    ping = encode({"action": 0, "id": "1"}, Format.JSON)
    frames = (
        Frame(Opcode.TEXT, ping[:3], fin=False).serialize(mask=True)
        + Frame(Opcode.PING, b"").serialize(mask=True)
        + Frame(Opcode.CONT, b"", fin=False).serialize(mask=True)
        + Frame(Opcode.CONT, ping[3:]).serialize(mask=True)
    )
    for byte in frames:
        world.give(client, bytes([byte]))
    assert client.frame(Action.HEARTBEAT)["id"] == "1"


def test_fragments_without_end_are_cut_off(world: World, client: Client) -> None:
    world.give(client, Frame(Opcode.TEXT, b"x" * 65_000, fin=False).serialize(mask=True))
    for _ in range(8):
        world.give(client, Frame(Opcode.CONT, b"x" * 65_000, fin=False).serialize(mask=True))
    assert client.closed


def test_a_frame_of_the_other_format_is_read_by_its_opcode(client: Client) -> None:
    client.send_bytes(encode({"action": 0, "id": "1"}, Format.MSGPACK), Opcode.BINARY)
    assert client.frame(Action.HEARTBEAT)["id"] == "1"


# -- msgpack ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "data",
    [
        (b"\xdd" + struct.pack(">I", ITEMS_MAX)) * 600,  # each level announces more than it brings
        b"\xdd\xff\xff\xff\xff",
        b"\xdf\xff\xff\xff\xff",
        b"\xc6\xff\xff\xff\xff",
        b"\x91" * 100_000,
        b"\x81\x01\x01",  # a number for a key
        b"\xa1\xff",  # text that is no UTF-8
        b"\xc7\x04\x05abcd",  # an extension
        b"\xd6\xff\0\0\0\0",  # the timestamp extension
        b"\x01\x01",
        b"\xc1",
        b"",
    ],
    ids=lambda data: repr(data[:12]),
)
def test_msgpack_that_lies_or_surprises_is_refused(data: bytes) -> None:
    with pytest.raises(CodecError):
        decode(data, Format.MSGPACK)


# -- HTTP ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"nonsense\r\n\r\n", 400),
        (b"GET /time HTTP/1.1\r\n\r\n", 400),  # no Host
        (b"GET /time HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET time HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /%ff HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /time?a=%ff HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /time?" + b"a=1&" * 200 + b" HTTP/1.1\r\nHost: t\r\n\r\n", 400),
        (b"GET /time HTTP/3.0\r\nHost: t\r\n\r\n", 505),
        (b"GET /time HTTP/1.1\r\nHost: t\r\nA : b\r\n\r\n", 400),
        (b"GET /time HTTP/1.1\r\nHost: t\r\nA: b\0\r\n\r\n", 400),
        (b"POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd", 400),
        (b"POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: -1\r\n\r\n", 400),
        (
            b"POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
            400,
        ),
        (b"POST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: gzip\r\n\r\n", 501),
        (b"POST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400),
        (b"GET /x HTTP/1.1\r\nHost: t\r\nA: " + b"b" * HEADER_BYTES_MAX + b"\r\n\r\n", 431),
        (UPGRADE + b"\r\n", 426),
        (
            UPGRADE + b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: short\r\n\r\n",
            400,
        ),
        (b"POST / HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", 400),
    ],
    ids=lambda value: repr(value[:60]) if isinstance(value, bytes) else str(value),
)
def test_a_request_that_is_none_is_refused_and_its_socket_closed(
    world: World, data: bytes, status: int
) -> None:
    client = world.open()
    world.give(client, data)
    assert read_reply(client.raw).status == status
    assert client.closed


def test_a_body_too_large_is_refused_before_it_is_read(world: World) -> None:
    client = world.open()
    world.give(client, b"POST /x HTTP/1.1\r\nHost: t\r\nTransfer-Encoding: chunked\r\n\r\n")
    chunk = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    for _ in range(BODY_BYTES_MAX // 0x10000 + 1):
        world.give(client, chunk)
    assert read_reply(client.raw).status == 413
    assert client.closed


def test_a_slow_sender_is_cut_off_after_30_s(world: World) -> None:
    client = world.open()
    for number in range(29):
        world.give(client, f"GET /time HTTP/1.1\r\nX-{number}: "[number : number + 1].encode() or b"x")
        world.pass_s(1)
    assert not client.closed
    world.pass_s(1)
    assert client.closed


def test_an_idle_socket_is_closed_after_30_s(world: World) -> None:
    client = world.open()
    world.pass_s(30)
    assert client.closed


def test_pipelined_requests_are_answered_in_order(world: World) -> None:
    client = world.open()
    publish = b'{"name":"a"}'
    world.give(
        client,
        b"POST /channels/room/messages HTTP/1.1\r\nHost: t\r\n"
        + AUTH
        + f"Content-Type: application/json\r\nContent-Length: {len(publish)}\r\n\r\n".encode()
        + publish
        + b"GET /channels/room/messages HTTP/1.1\r\nHost: t\r\n"
        + AUTH
        + b"\r\nGET /time HTTP/1.1\r\nHost: t\r\nConnection: close\r\n\r\n",
    )
    assert client.raw.count(b"HTTP/1.1 201") == 1
    assert client.raw.count(b"HTTP/1.1 200") == 2
    assert client.raw.index(b"201") < client.raw.index(b'"name":"a"')
    assert client.closed


def test_a_request_smuggled_behind_a_refused_one_is_not_executed(world: World) -> None:
    client = world.open()
    inner = b"POST /channels/room/messages HTTP/1.1\r\nHost: t\r\n" + AUTH + b"Content-Length: 2\r\n\r\n{}"
    world.give(
        client,
        b"POST /x HTTP/1.1\r\nHost: t\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
        + inner,
    )
    assert world.http("GET", "/channels/room/messages").value == []


def test_a_client_that_waits_for_leave_to_send_its_body_gets_it(world: World) -> None:
    client = world.open()
    world.give(
        client,
        b"POST /stats HTTP/1.1\r\nHost: t\r\n" + AUTH + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    )
    assert client.raw.startswith(b"HTTP/1.1 100")
    world.give(client, b"[]")
    assert b"HTTP/1.1 201" in client.raw


def test_head_is_answered_without_a_body(world: World) -> None:
    client = world.open()
    world.give(client, b"HEAD /time HTTP/1.1\r\nHost: t\r\n\r\nGET /time HTTP/1.1\r\nHost: t\r\n\r\n")
    assert client.raw.count(b"HTTP/1.1 ") == 2
    assert client.raw.split(b"\r\n\r\n")[1].startswith(b"HTTP/1.1 200")


def test_a_websocket_elsewhere_than_at_the_root_is_404(world: World) -> None:
    client = world.open()
    key = b64encode(b"0123456789abcdef").decode()
    world.give(
        client,
        f"GET /elsewhere HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
        f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode(),
    )
    assert read_reply(client.raw).status == 404


def test_an_error_text_can_not_split_a_header(world: World) -> None:
    reply = world.http("GET", "/channels/room/messages?direction=%0d%0aInjected:+1%e2%82%ac")
    assert reply.code == 40003
    assert "injected" not in reply.headers
    assert json.loads(reply.body)


# -- growth -------------------------------------------------------------------------------------------------


def test_rates_are_limited_where_limits_are_asked_for() -> None:
    world = World(messages_per_s=2, channel_messages_per_s=3, frames_per_s=10)
    first, second = world.connect(), world.connect()
    for serial in range(3):
        first.publish("room", serial, {"name": "a"})
    second.publish("room", 0, {"name": "a"})
    assert [nack["error"]["code"] for nack in first.frames(Action.NACK)] == [42911]
    assert [nack["error"]["code"] for nack in second.frames(Action.NACK)] == [42913]
    world.pass_s(1)
    second.publish("room", 1, {"name": "a"})
    assert len(second.frames(Action.ACK)) == 1
    for number in range(11):
        first.send(action=Action.HEARTBEAT, id=str(number))
    assert first.frames(Action.ERROR)[0]["error"]["code"] == 42924


def test_a_session_that_is_over_leaves_nothing_behind(world: World) -> None:
    for _ in range(20):
        client = world.connect()
        client.attach("room") if client.frames() else None
        client.send(action=Action.CLOSE)
        client.send_bytes(b"\x03\xe8", Opcode.CLOSE)
        world.open().drop()
        world.http("GET", "/time", auth=None, Connection="close")
    world.pass_s(300)
    assert world.server.sessions() == ()
    assert world.server.apps.of("app").service.connections() == ()
    assert world.server.next_deadline_ns() is None
