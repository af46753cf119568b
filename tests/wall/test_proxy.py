"""The fault proxy relays faithfully until it is told not to."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeAlias

import pytest

from harness.proxy import UNSENT_BYTES_MAX, Proxy

Streams: TypeAlias = tuple[asyncio.StreamReader, asyncio.StreamWriter]
PATIENCE_S = 60.0


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
        writer.write(b"bye")
        writer.close()
    except ConnectionError:
        writer.close()


def through_proxy(check: Callable[[Proxy, int], Awaitable[None]]) -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        proxy = Proxy("127.0.0.1", server.sockets[0].getsockname()[1])
        try:
            await check(proxy, await proxy.open("alice"))
        finally:
            await proxy.close()
            server.close()
            await server.wait_closed()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))


async def connect(port: int) -> Streams:
    return await asyncio.open_connection("127.0.0.1", port)


async def said(streams: Streams, data: bytes) -> bytes:
    streams[1].write(data)
    return await streams[0].readexactly(len(data))


def test_what_is_sent_arrives_in_order_and_unchanged() -> None:
    async def check(_proxy: Proxy, port: int) -> None:
        streams = await connect(port)
        data = bytes(range(256)) * 4000
        assert await said(streams, data) == data
        streams[1].close()

    through_proxy(check)


def test_the_end_of_one_direction_leaves_the_other_open() -> None:
    async def check(_proxy: Proxy, port: int) -> None:
        reader, writer = await connect(port)
        writer.write(b"hello")
        writer.write_eof()
        assert await reader.read() == b"hellobye"
        writer.close()

    through_proxy(check)


def test_a_reset_is_told_to_the_client() -> None:
    async def check(proxy: Proxy, port: int) -> None:
        streams = await connect(port)
        await said(streams, b"hello")
        proxy.reset("alice")
        with pytest.raises(ConnectionResetError):
            await streams[0].read()
        streams[1].close()

    through_proxy(check)


def test_a_cut_ends_the_connection_in_order() -> None:
    async def check(proxy: Proxy, port: int) -> None:
        streams = await connect(port)
        await said(streams, b"hello")
        proxy.cut("alice")
        assert await streams[0].read() == b""
        streams[1].close()

    through_proxy(check)


def test_a_black_hole_keeps_what_it_swallows_until_it_is_healed() -> None:
    async def check(proxy: Proxy, port: int) -> None:
        streams = await connect(port)
        await said(streams, b"hello")
        proxy.blackhole("alice")
        streams[1].write(b"are you there?")
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(streams[0].read(1), 0.1)
        proxy.heal("alice")
        assert await streams[0].readexactly(14) == b"are you there?"
        streams[1].close()

    through_proxy(check)


def test_a_black_hole_swallows_no_more_than_its_measure() -> None:
    async def check(proxy: Proxy, port: int) -> None:
        reader, writer = await connect(port)
        await said((reader, writer), b"hello")
        proxy.blackhole("alice")
        size = 12 * UNSENT_BYTES_MAX
        writer.write(bytes(size))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(writer.drain(), 0.2)
        proxy.heal("alice")
        assert len(await reader.readexactly(size)) == size
        writer.close()

    through_proxy(check)


def test_a_delay_holds_both_directions_and_keeps_their_order() -> None:
    async def check(proxy: Proxy, port: int) -> None:
        streams = await connect(port)
        loop = asyncio.get_running_loop()
        proxy.delay("alice", 0.05)
        began = loop.time()
        assert await said(streams, b"first") == b"first"
        assert loop.time() - began >= 0.1
        streams[1].write(b"second,")
        proxy.delay("alice", 0.0)
        assert await said(streams, b"third") == b"secon"
        streams[1].close()

    through_proxy(check)


def test_a_refusing_door_lets_nobody_in_until_it_is_healed() -> None:
    async def check(proxy: Proxy, port: int) -> None:
        proxy.refuse("alice")
        reader, writer = await connect(port)
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        proxy.heal("alice")
        streams = await connect(port)
        assert await said(streams, b"hello") == b"hello"
        streams[1].close()

    through_proxy(check)


def test_faults_befall_one_door_only() -> None:
    async def check(proxy: Proxy, port: int) -> None:
        other = await connect(await proxy.open("bob"))
        streams = await connect(port)
        await said(streams, b"hello")
        await said(other, b"hello")
        proxy.reset("alice")
        with pytest.raises(ConnectionResetError):
            await streams[0].read()
        assert await said(other, b"still here") == b"still here"
        assert (proxy.connections("alice"), proxy.connections("bob")) == (0, 1)
        streams[1].close()
        other[1].close()

    through_proxy(check)


def test_a_service_that_is_down_resets_its_clients() -> None:
    async def main() -> None:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        server.close()
        await server.wait_closed()
        proxy = Proxy("127.0.0.1", port)
        reader, writer = await connect(await proxy.open("alice"))
        with pytest.raises(ConnectionResetError):
            await reader.read()
        writer.close()
        await proxy.close()

    asyncio.run(asyncio.wait_for(main(), PATIENCE_S))
