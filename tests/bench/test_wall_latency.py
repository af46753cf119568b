"""Approval latency over the vendor's SDK and the embedded server, on loopback: figures to compare.

A round is one approval: all are measured in one run at a steady rate, open-loop, and then handed to
pytest-benchmark one by one, so that its statistics, ``--benchmark-autosave`` and ``--benchmark-compare`` are
about approvals. The bare round trip is the same number of socket hops without any protocol, measured in the
same session; what lies above it is the SDK's and the server's.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pytest

from adapters.ably_guide import ADAPTERS
from harness.bench.figures import figures
from harness.bench.real_time import measure_load
from harness.bench.segments import Segment
from harness.wall.lanes import LoopbackLane

pytest.importorskip("ably")

APPROVALS: Final = 150
RATE: Final = 20.0
HOPS: Final = 4
"""Device to proxy, proxy to server, server to proxy, proxy to agent."""
_NS_PER_S: Final = 1_000_000_000


@dataclass(slots=True)
class Replayed:
    """A clock that moves by measured latencies, one for each call of :meth:`approve`."""

    latencies: Iterator[int]
    now_ns: int = 0

    def timer(self) -> float:
        """Return the time in seconds."""
        return self.now_ns / _NS_PER_S

    def approve(self) -> None:
        """Let the next latency pass."""
        self.now_ns += next(self.latencies)


def report(benchmark: Any, latencies_ns: Sequence[int], told: str) -> None:
    """Hand ``latencies_ns`` to pytest-benchmark, a round each, and print their percentiles."""
    clock = Replayed(iter(latencies_ns))
    benchmark._timer = clock.timer
    benchmark.pedantic(clock.approve, rounds=len(latencies_ns), iterations=1)
    said = figures(latencies_ns, seed=0)
    benchmark.extra_info["percentiles_us"] = dict(said.percentiles)
    low, high = said.intervals["99"]
    p50, p99 = (said.percentiles[it] / 1_000 for it in ("50", "99"))
    print(f"\n{told}: p50 {p50:.2f} ms, p99 {p99:.2f} ms [{low / 1_000:.2f}, {high / 1_000:.2f}]")  # noqa: T201


@pytest.fixture(scope="module", params=["ably", "ably-hardened"])
def measured(request: pytest.FixtureRequest) -> Any:
    (adapter,) = (it for it in ADAPTERS if it.manifest.name == request.param)
    load = measure_load(adapter, LoopbackLane(), RATE, APPROVALS, devices=1, seed=0)
    assert load.measured.unfinished == 0
    return request.param, load.measured


@pytest.mark.benchmark(group="approval latency on loopback: press to effect")
def test_from_press_to_effect(benchmark: Any, measured: Any) -> None:
    name, taken = measured
    report(benchmark, taken.latencies(Segment.PRESS_TO_EFFECT), f"{name}, press to effect")


@pytest.mark.benchmark(group="approval latency on loopback: end to end")
def test_from_the_intended_beginning_to_the_outcome(benchmark: Any, measured: Any) -> None:
    name, taken = measured
    report(benchmark, taken.latencies(Segment.END_TO_END), f"{name}, end to end")


@pytest.mark.benchmark(group="approval latency on loopback: press to effect")
def test_bare_hops(benchmark: Any) -> None:
    report(benchmark, asyncio.run(bare_hops_ns(APPROVALS)), "bare sockets")


async def bare_hops_ns(samples: int) -> list[int]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := await reader.readline():
            writer.write(line)
        writer.close()
        await writer.wait_closed()
        ended.set()

    ended = asyncio.Event()
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    taken = []
    for _ in range(samples):
        start = time.perf_counter_ns()
        for _ in range(HOPS // 2):
            writer.write(b"x" * 300 + b"\n")
            await reader.readline()
        taken.append(time.perf_counter_ns() - start)
    writer.close()
    await ended.wait()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return taken
