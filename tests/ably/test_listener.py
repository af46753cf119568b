"""The listener on a real loop: sockets that do not read, go away, or wait for a timer."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from websockets.frames import Frame, Opcode

from harness.ably.apps import ServerOptions
from harness.ably.codec import Format, encode
from harness.ably.listener import Listener
from harness.ably.server import Server
from tests.ably.wire import APP, KEY

HANDSHAKE = (
    f"GET /?key={KEY.text} HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
).encode()


def run(body: Callable[[Listener, int], Coroutine[Any, Any, None]], **options: Any) -> None:
    async def inside() -> None:
        listener = Listener(Server("listener", ServerOptions(**options), [APP]), time.time_ns)
        port = await listener.listen("127.0.0.1", 0)
        try:
            async with asyncio.timeout(60):
                await body(listener, port)
        finally:
            listener.close()
            await asyncio.sleep(0.01)

    asyncio.run(inside())


def frame(**fields: Any) -> bytes:
    return Frame(Opcode.TEXT, encode(fields, Format.JSON)).serialize(mask=True)


async def connected(port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=2**16)
    writer.write(HANDSHAKE)
    await reader.readuntil(b'"action":4')
    return reader, writer


def test_a_subscriber_that_does_not_read_is_cut_off_and_holds_nobody_up() -> None:
    async def body(listener: Listener, port: int) -> None:
        _, deaf = await connected(port)
        deaf.write(frame(action=10, channel="room"))
        reader, publisher = await connected(port)
        data = "x" * 60_000
        for serial in count():
            if len(listener.server.sessions()) == 1:
                break
            publisher.write(frame(action=15, channel="room", msgSerial=serial, messages=[{"data": data}]))
            await reader.readuntil(b'"action":1,')
        assert serial < 1000
        for writer in (deaf, publisher):
            writer.transport.abort()

    run(body)


def test_a_lost_socket_is_noticed_and_its_connection_kept() -> None:
    async def body(listener: Listener, port: int) -> None:
        _, writer = await connected(port)
        writer.transport.abort()
        while listener.server.sessions():  # noqa: ASYNC110 - the loss shows nowhere else
            await asyncio.sleep(0.005)
        assert len(listener.server.apps.of("app").service.connections()) == 1

    run(body)


def test_timers_come_when_they_are_due() -> None:
    async def body(_listener: Listener, port: int) -> None:
        began = time.monotonic()
        reader, writer = await connected(port)
        for _ in range(3):
            await reader.readuntil(b'{"action":0}')
        assert time.monotonic() - began >= 0.29
        writer.transport.abort()

    run(body, heartbeat_ms=100)
