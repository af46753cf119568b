"""Byte streams: asyncio's own, and real libraries on top of them, unmodified."""

import asyncio
import socket
import sys
from typing import Any

import httpx
import pytest
import websockets

from harness.sim import Fate, FenceError, Peers, Simulation, Transmission

MS = 1_000_000


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(100_000):
        writer.write(data)
        await writer.drain()
    writer.close()


async def serve_echo() -> None:
    server = await asyncio.start_server(echo, "0.0.0.0", 7)
    await server.serve_forever()


def with_echo(sim: Simulation) -> None:
    sim.host("server").spawn(serve_echo(), name="echo")


def test_bytes_arrive_once_and_in_order_whatever_the_schedule() -> None:
    payload = bytes(range(256)) * 1000

    async def main() -> bytes:
        reader, writer = await asyncio.open_connection("server", 7)
        for start in range(0, len(payload), 5_000):
            writer.write(payload[start : start + 5_000])
            await writer.drain()
        writer.write_eof()
        received = await reader.read()
        writer.close()
        await writer.wait_closed()
        return received

    for seed in range(5):
        with Simulation(seed=seed) as sim:
            sim.network.segment_bytes = 1_000 if seed % 2 else None
            with_echo(sim)
            assert sim.run(main, host="phone") == payload
        assert [leak.task for leak in sim.leaks] == ["echo"]
        assert sim.failures == ()


def test_a_writer_is_paused_while_nobody_reads_and_resumed_when_somebody_does() -> None:
    async def main() -> list[Any]:
        seen: list[Any] = []
        reading = asyncio.Event()

        async def slow(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reading.wait()
            seen.append(len(await reader.read()))
            writer.close()

        server = await asyncio.start_server(slow, "", 7)
        _, writer = await asyncio.open_connection("localhost", 7)
        writer.write(bytes(1_000_000))
        try:
            await asyncio.wait_for(writer.drain(), 60)
        except TimeoutError:
            seen.append("paused")
        reading.set()
        await writer.drain()
        writer.write_eof()
        await asyncio.sleep(1)
        writer.close()
        server.close()
        return seen

    with Simulation() as sim:
        sim.network.segment_bytes = 10_000
        assert sim.run(main) == ["paused", 1_000_000]


@pytest.mark.parametrize("fate", [Fate(copies=0), Fate(reset=True)], ids=["lost", "reset"])
def test_a_lost_message_resets_a_stream(fate: Fate) -> None:
    async def main() -> None:
        reader, writer = await asyncio.open_connection("server", 7)
        writer.write(b"x")
        await reader.read()

    def decide(transmission: Transmission) -> Fate:
        return fate if transmission.kind == "message" else Fate()

    with Simulation() as sim:
        with_echo(sim)
        sim.network.fate = decide
        with pytest.raises(ConnectionResetError, match="connection to server broke"):
            sim.run(main, host="phone")


def test_a_duplicated_message_is_hidden_by_a_stream() -> None:
    async def main() -> bytes:
        reader, writer = await asyncio.open_connection("server", 7)
        writer.write(b"once")
        writer.write_eof()
        received = await reader.read()
        writer.close()
        return received

    with Simulation() as sim:
        with_echo(sim)
        sim.network.fate = lambda _transmission: Fate(copies=2)
        assert sim.run(main, host="phone") == b"once"


def test_a_crashed_server_resets_its_streams_or_falls_silent() -> None:
    async def main() -> str:
        reader, writer = await asyncio.open_connection("server", 7)
        try:
            await asyncio.wait_for(reader.read(), 3600)
        except (ConnectionResetError, TimeoutError) as error:
            writer.transport.abort()
            return type(error).__name__
        return "end of stream"

    ends = []
    for peers in (Peers.RESET, Peers.SILENT):
        with Simulation() as sim:
            with_echo(sim)
            server = sim.host("server")
            sim.call_at(100 * MS, lambda server=server, peers=peers: server.crash(peers=peers))
            ends.append(sim.run(main, host="phone"))
    assert ends == ["ConnectionResetError", "TimeoutError"]


def test_writing_to_a_peer_that_closed_breaks_the_connection() -> None:
    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    async def main() -> bytes:
        await asyncio.start_server(hang_up, "", 7)
        reader, writer = await asyncio.open_connection("localhost", 7)
        assert await reader.read() == b""
        writer.write(b"anyone?")
        with pytest.raises(ConnectionResetError):
            await writer.wait_closed()
        return b"broken"

    with Simulation() as sim:
        assert sim.run(main) == b"broken"


def test_an_unknown_name_does_not_resolve_and_an_alias_does() -> None:
    async def main() -> tuple[str, str]:
        with pytest.raises(socket.gaierror, match=r"no simulated host is called 'nowhere\.example'"):
            await asyncio.open_connection("nowhere.example", 7)
        reader, writer = await asyncio.open_connection("echo.example.com", 7)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        address, _ = writer.get_extra_info("peername")
        writer.close()
        name, port = await asyncio.get_running_loop().getnameinfo((address, 7))
        (info,) = await asyncio.get_running_loop().getaddrinfo(
            "echo.example.com", "http", type=socket.SOCK_STREAM
        )
        assert info[4] == (address, 80)
        return name, port

    with Simulation() as sim:
        with_echo(sim)
        sim.network.names.aliases["echo.example.com"] = "server"
        assert sim.run(main, host="phone") == ("server", "7")


def test_a_second_server_on_a_port_is_refused_and_port_zero_finds_a_free_one() -> None:
    async def main() -> list[int]:
        first = await asyncio.start_server(echo, "", 0)
        second = await asyncio.start_server(echo, "", 0)
        ports = [server.sockets[0].getsockname()[1] for server in (first, second)]
        with pytest.raises(OSError, match="already listens"):
            await asyncio.start_server(echo, "", ports[0])
        return ports

    with Simulation() as sim:
        assert sim.run(main) == [49_152, 49_153]


def test_tls_real_sockets_and_the_world_itself_are_refused() -> None:
    async def tls() -> None:
        await asyncio.open_connection("server", 443, ssl=True)

    async def own_socket() -> None:
        with socket.socket() as sock:
            await asyncio.open_connection(sock=sock)

    for main, call in ((tls, "ssl"), (own_socket, "sock")):
        with Simulation() as sim, pytest.raises(FenceError, match=call):
            sim.run(main)


async def websocket_server() -> None:
    async def answer(connection: Any) -> None:
        async for message in connection:
            await connection.send(f"{message}!")

    async with websockets.serve(answer, "0.0.0.0", 8080) as server:
        await server.serve_forever()


def test_the_websockets_library_runs_unmodified_for_pending_hours() -> None:
    async def main() -> list[Any]:
        received = []
        async with websockets.connect("ws://server:8080/approvals") as connection:
            for pause_s in (0, 7_200):
                await asyncio.sleep(pause_s)
                await connection.send("approve")
                received.append(await connection.recv())
        return received

    digests = set()
    for _ in range(2):
        with Simulation(seed=4) as sim:
            sim.host("server").spawn(websocket_server(), name="server")
            assert sim.run(main, host="phone") == ["approve!", "approve!"]
            digests.add(sim.schedule_digest())
        assert sim.failures == ()
    assert len(digests) == 1


async def http_server() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readline():
            while (await reader.readline()).strip():
                pass
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\napproved")
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "", 80)
    await server.serve_forever()


def test_the_httpx_library_runs_unmodified_and_keeps_its_connection_alive() -> None:
    async def main() -> list[str]:
        async with httpx.AsyncClient(verify=False, trust_env=False) as client:
            texts = []
            for _ in range(3):
                texts.append((await client.get("http://server/decision")).text)
                await asyncio.sleep(1)
        return texts

    with Simulation() as sim:
        dialled = []
        sim.network.recorder = lambda event: dialled.append(event) if event.kind == "connected" else None
        sim.host("server").spawn(http_server(), name="server")
        assert sim.run(main, host="phone") == ["approved"] * 3
        assert len(dialled) == 1


def test_a_dead_client_never_gets_its_connection() -> None:
    opened: list[Any] = []

    async def main() -> None:
        opened.append(await asyncio.open_connection("server", 7))

    with Simulation() as sim:
        with_echo(sim)
        sim.host("phone").spawn(main())
        sim.run_until(deadline_ns=3 * MS // 2)
        sim.host("phone").crash()
        sim.run_until()
    assert opened == []


def test_a_buffered_protocol_is_served() -> None:
    class Collector(asyncio.BufferedProtocol):
        def __init__(self) -> None:
            self.buffer = bytearray(3)
            self.received = b""
            self.lost = asyncio.get_running_loop().create_future()

        def get_buffer(self, sizehint: int) -> bytearray:  # noqa: ARG002 - the protocol's shape
            return self.buffer

        def buffer_updated(self, nbytes: int) -> None:
            self.received += self.buffer[:nbytes]

        def connection_lost(self, exc: Exception | None) -> None:
            self.lost.set_result(exc)

    async def main() -> bytes:
        transport, protocol = await asyncio.get_running_loop().create_connection(Collector, "server", 7)
        transport.write(b"0123456789")
        transport.write_eof()
        assert await protocol.lost is None
        return protocol.received

    with Simulation() as sim:
        with_echo(sim)
        assert sim.run(main, host="phone") == b"0123456789"


def test_connections_left_open_are_closed_at_the_end_and_nothing_is_printed(
    capfd: pytest.CaptureFixture[str],
) -> None:
    async def hold() -> None:
        reader, writer = await asyncio.open_connection("server", 7)
        writer.write(b"x")
        await reader.readexactly(2)
        writer.close()

    for crash in (False, True):
        with Simulation() as sim:
            with_echo(sim)
            sim.host("phone").spawn(hold())
            sim.run_until(deadline_ns=100 * MS)
            if crash:
                sim.host("phone").crash()
        assert sim.failures == ()
    sys.stderr.flush()
    assert capfd.readouterr() == ("", "")
