"""Streams, timers and generators at the edges of their lives, as HTTP and WebSocket clients meet them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from harness.sim import Fifo, Simulation

PORT = 80
LATENCY_NS = 1_000_000


class Told(asyncio.Protocol):
    """Notes what a protocol is told."""

    def __init__(self) -> None:
        self.events: list[str] = []
        self.transport: Any = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.events.append("made")

    def connection_lost(self, exc: Exception | None) -> None:
        self.events.append(f"lost: {type(exc).__name__}")


def test_a_connection_that_breaks_before_its_protocol_is_there_is_told_so() -> None:
    told = Told()

    async def serve() -> None:
        await asyncio.get_running_loop().create_server(asyncio.Protocol, "server", PORT)

    async def connect() -> None:
        await asyncio.get_running_loop().create_connection(lambda: told, "server", PORT)

    with Simulation(policy=Fifo()) as sim:
        sim.network.latency_ns = LATENCY_NS
        sim.host("server").spawn(serve())
        sim.host("client").spawn(connect())
        sim.call_at(2 * LATENCY_NS, sim.network.reset, "client", "server")
        sim.run_until(deadline_ns=10 * LATENCY_NS)
    assert told.events == ["made", "lost: ConnectionResetError"]


def test_a_closed_socket_has_no_descriptor() -> None:
    told = Told()

    async def main() -> int:
        loop = asyncio.get_running_loop()
        await loop.create_server(asyncio.Protocol, "main", PORT)
        await loop.create_connection(lambda: told, "main", PORT)
        sock = told.transport.get_extra_info("socket")
        assert sock.fileno() >= 0
        told.transport.close()
        await asyncio.sleep(1)
        descriptor: int = sock.fileno()
        return descriptor

    with Simulation() as sim:
        assert sim.run(main) == -1


def test_a_timer_is_never_early_by_the_clock_that_it_was_set_with() -> None:
    async def main() -> list[bool]:
        loop = asyncio.get_running_loop()
        late: list[bool] = []
        for step in range(1, 200):
            when = loop.time() + step / 7e9 + 4
            loop.call_at(when, lambda due: late.append(loop.time() >= due), when)
            await asyncio.sleep(5)
        return late

    with Simulation() as sim:
        assert sim.run(main) == [True] * 199


def test_a_generator_that_a_power_cut_left_running_is_no_failure_of_the_run() -> None:
    async def numbers() -> AsyncIterator[int]:
        while True:
            await asyncio.sleep(1)
            yield 1

    async def count() -> None:
        async for _ in numbers():
            pass

    with Simulation() as sim:
        host = sim.host("device")
        host.spawn(count())
        sim.call_at(1_500_000_000, host.crash)
        sim.run_until(deadline_ns=3_000_000_000)
    assert sim.failures == ()
