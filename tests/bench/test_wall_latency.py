"""Approval latency over the vendor's SDK and the embedded server, on loopback. Figures to read.

From the press of a button to the side effect: the answer travels through the SDK, a fault proxy that does
nothing, and the server, to the agent's SDK. The bare round trip is the same number of socket hops without
any protocol, measured in the same run; what lies above it is the SDK's and the server's.
"""

import asyncio
import statistics
import time
from typing import Any, Final

import pytest

from adapters.ably_guide import ADAPTERS
from harness.casting import call, person
from harness.plan import MS, AnswerSpec, Plan
from harness.run import Run
from harness.trace import AnswerSent, EffectExecuted
from harness.wall.lanes import LoopbackLane
from harness.wall.play import execute_in_real_time

pytest.importorskip("ably")

CALLS: Final = 60
EVERY_NS: Final = 60 * MS
HOPS: Final = 4
"""Device to proxy, proxy to server, server to proxy, proxy to agent."""


def many_approvals() -> Plan:
    calls = tuple(call(number, at_ns=number * EVERY_NS) for number in range(1, CALLS + 1))
    answers = [AnswerSpec(it.id, think_ns=10 * MS) for it in calls]
    return Plan("bench", (person("alice", answers),), calls)


def latencies_ms(run: Run) -> list[float]:
    sent = {it.call: it.at for it in run.boundary.events if isinstance(it, AnswerSent)}
    done = {it.call: it.at for it in run.boundary.events if isinstance(it, EffectExecuted)}
    return sorted((done[it] - sent[it]) / MS for it in done)


async def bare_hops_ms(samples: int) -> list[float]:
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
        taken.append((time.perf_counter_ns() - start) / MS)
    writer.close()
    await ended.wait()
    await writer.wait_closed()
    server.close()
    await server.wait_closed()
    return sorted(taken)


def percentiles(values: list[float]) -> str:
    hundredths = statistics.quantiles(values, n=100, method="inclusive")
    return f"p50 {hundredths[49]:.2f} ms, p99 {hundredths[98]:.2f} ms, {len(values)} samples"


@pytest.mark.benchmark(group="approval latency on loopback, real SDK")
@pytest.mark.parametrize("name", ["ably", "ably-hardened"])
def test_from_press_to_effect(benchmark: Any, name: str) -> None:
    (adapter,) = (it for it in ADAPTERS if it.manifest.name == name)
    run = benchmark.pedantic(
        lambda: execute_in_real_time(adapter, many_approvals(), LoopbackLane()), rounds=1, iterations=1
    )
    assert len(latencies_ms(run)) == CALLS
    told = f"{name}: {percentiles(latencies_ms(run))}; bare: {percentiles(asyncio.run(bare_hops_ms(500)))}"
    benchmark.extra_info["latency"] = told
    print(f"\n{told}")  # noqa: T201 - a benchmark's figures are for people
