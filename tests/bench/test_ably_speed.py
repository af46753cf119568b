"""Speed and memory of the protocol server on loopback sockets. Figures to read, with one ratio asserted.

Clients are bare sockets that count bytes, the same for both servers, so that the servers are compared. The
publisher waits for each acknowledgement: frames that arrive together would be sent on together, and flatter.
"""

import asyncio
import json
import os
import resource
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

import pytest
from websockets.asyncio.server import ServerConnection, broadcast, serve
from websockets.frames import Frame, Opcode

from harness.ably.apps import AppConfig, ServerOptions
from harness.ably.keys import parse_key
from harness.ably.listener import Listener
from harness.ably.server import Server

SUBSCRIBERS: Final = 1000
MESSAGES: Final = 50
ROUNDS: Final = 3
IDLE: Final = 10_000
PATIENCE_S: Final = 600
"""A machine that does other things as well may take long; a server that lost a connection never ends."""
KEY: Final = "app.key:secret"
ROOT: Final = Path(__file__).parents[2]
CHANNEL: Final = "room"


class Socket(asyncio.Protocol):
    """A client that upgrades and counts what arrives."""

    def __init__(self) -> None:
        self.received = 0
        self.last = b""
        self.open = True
        self.transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        key = b64encode(bytes(16)).decode()
        transport.write(
            f"GET /?key={KEY} HTTP/1.1\r\nHost: t\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            f"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n".encode()
        )

    def data_received(self, data: bytes) -> None:
        self.received += len(data)
        self.last = data

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - the contract's signature
        self.open = False

    def send(self, frame: dict[str, object]) -> None:
        assert self.transport is not None
        self.transport.write(Frame(Opcode.TEXT, json.dumps(frame).encode()).serialize(mask=True))


async def sockets(port: int, count: int) -> list[Socket]:
    opened: list[Socket] = []
    loop = asyncio.get_running_loop()
    for start in range(0, count, 200):
        batch = range(start, min(count, start + 200))
        made = await asyncio.gather(*(loop.create_connection(Socket, "127.0.0.1", port) for _ in batch))
        opened += [protocol for _, protocol in made]
    return opened


async def settled(clients: list[Socket], counts: list[int]) -> None:
    while any(client.received < count for client, count in zip(clients, counts, strict=True)):  # noqa: ASYNC110 - cheap
        await asyncio.sleep(0)


async def quiet(clients: list[Socket]) -> None:
    before = -1
    while (now := sum(client.received for client in clients)) != before:
        before = now
        await asyncio.sleep(0.05)


@asynccontextmanager
async def ours() -> AsyncIterator[int]:
    listener = Listener(
        Server("bench", ServerOptions(heartbeat_ms=0), [AppConfig("app", (parse_key(KEY),))]), time.time_ns
    )
    yield await listener.listen("127.0.0.1", 0)
    listener.close()


async def through_the_server() -> tuple[float, int]:
    """Return deliveries per second and the bytes of one delivery."""
    async with ours() as port:
        clients = await sockets(port, SUBSCRIBERS)
        publisher = (await sockets(port, 1))[0]
        await quiet(clients)
        for client in clients:
            client.send({"action": 10, "channel": CHANNEL})
        await quiet(clients)
        before = [client.received for client in clients]
        publish(publisher, 0)
        await quiet(clients)
        size = clients[0].received - before[0]
        began = time.perf_counter()
        for serial in range(1, MESSAGES + 1):
            acknowledged = publisher.received
            publish(publisher, serial)
            while publisher.received == acknowledged:  # noqa: ASYNC110 - an event costs what is measured
                await asyncio.sleep(0)
        await settled(clients, [count + size * (MESSAGES + 1) for count in before])
        rate = SUBSCRIBERS * MESSAGES / (time.perf_counter() - began)
        for client in [*clients, publisher]:
            assert client.transport is not None
            client.transport.abort()
        return rate, size


def publish(publisher: Socket, serial: int) -> None:
    message = {"name": "approval-request", "data": "x" * 200}
    publisher.send({"action": 15, "channel": CHANNEL, "msgSerial": serial, "messages": [message]})


async def through_a_broadcast(size: int) -> float:
    """Return deliveries per second of the same number of bytes by ``websockets`` alone."""
    connections: set[ServerConnection] = set()

    async def stay(connection: ServerConnection) -> None:
        connections.add(connection)
        await connection.wait_closed()

    async with serve(stay, "127.0.0.1", 0, compression=None, ping_interval=None) as server:
        port = next(iter(server.sockets)).getsockname()[1]
        clients = await sockets(port, SUBSCRIBERS)
        await quiet(clients)
        before = [client.received for client in clients]
        message = "x" * (size - 4)
        began = time.perf_counter()
        for _ in range(MESSAGES):
            broadcast(connections, message)
            await asyncio.sleep(0)
        await settled(clients, [count + size * MESSAGES for count in before])
        rate = SUBSCRIBERS * MESSAGES / (time.perf_counter() - began)
        for client in clients:
            assert client.transport is not None
            client.transport.abort()
        return rate


@pytest.mark.slow
def test_fan_out_is_at_least_half_as_fast_as_a_bare_broadcast() -> None:
    best: list[tuple[float, float]] = []
    for _ in range(ROUNDS):
        rate, size = asyncio.run(through_the_server())
        best.append((rate, asyncio.run(through_a_broadcast(size))))
    rate, bare = (max(column) for column in zip(*best, strict=True))
    print(  # noqa: T201 - the figure is the point
        f"\n1 publisher, {SUBSCRIBERS} subscribers: {rate:,.0f} deliveries/s; "
        f"bare websockets broadcast {bare:,.0f}/s; ratio {rate / bare:.2f}"
    )
    assert rate >= 0.5 * bare


@pytest.mark.slow
def test_ten_thousand_idle_connections_fit_into_a_gibibyte() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = IDLE + 200
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"{wanted} open files are needed, the machine allows {hard}")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    command = [
        sys.executable,
        "-c",
        "from harness.cli.serve import serve; serve(port=0, key=['" + KEY + "'])",
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline().partition(" with the key")[0].rpartition(":")[2])
            empty = resident_mib(process.pid)
            took_s, connected = asyncio.run(connect_idle(port, process.pid, empty))
        finally:  # what fails above must not wait for a server that nobody ends
            process.kill()
    assert connected == IDLE
    print(f"{IDLE} connections opened in {took_s:.1f} s")  # noqa: T201 - the figure is the point


async def connect_idle(port: int, server_pid: int, empty: float) -> tuple[float, int]:
    began = time.perf_counter()
    clients = await sockets(port, IDLE)
    while sum(b'"action":4' in client.last for client in clients) < IDLE:
        await asyncio.sleep(0.05)
        assert all(client.open for client in clients), "the server closed a connection that it was to keep"
        assert time.perf_counter() - began < PATIENCE_S
    took_s = time.perf_counter() - began
    used = resident_mib(server_pid)
    print(  # noqa: T201 - the figure is the point
        f"\n{IDLE} idle connections: {used:.0f} MiB resident, {(used - empty) * 1024 / IDLE:.1f} KiB each"
    )
    assert used < 1024
    connected = len(clients)
    for client in clients:
        assert client.transport is not None
        client.transport.abort()
    return took_s, connected


def resident_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the kernel tells no VmRSS")
