"""What a call out of the process costs over one inside it, on a warm pipe. Figures to read.

The call is ``settled``, which an adapter answers at once: what is measured is records, lines, two pipes and
two switches between processes, there and back.
"""

import asyncio
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Final

import pytest

from harness.install.node import find_node
from harness.stdio.command import NobodysDesk, connected
from harness.stdio.launch import Launch, launched

CALLS: Final = 3000
WARM_UP: Final = 300
HERE: Final = Path(__file__).parent
ADAPTERS: Final = {
    "python kit": (sys.executable, str(HERE / "stdio_echo.py")),
    "node kit": ("node", str(HERE / "stdio_echo.mjs")),
}


async def latencies_ms(command: tuple[str, ...]) -> list[float]:
    started = launched(Launch(command))
    session = connected(started, NobodysDesk())
    try:
        await session.result(started.hello, "hello", session.expect(started.hello))
        person = {"id": "alice", "tenant": "acme", "sessions": ["main"]}
        fields = {"host": "phone", "incarnation": 1, "directory": "/", "now_ns": 0, "token": "t"}
        await session.command("join", person=person, **fields)
        taken = []
        for _ in range(CALLS):
            began = time.perf_counter_ns()
            await session.command("settled", request="r1")
            taken.append((time.perf_counter_ns() - began) / 1e6)
        await session.close()
    finally:
        session.kill("was killed by the benchmark")
    return sorted(taken[WARM_UP:])


@pytest.mark.benchmark(group="one call out of the process")
@pytest.mark.parametrize("name", ADAPTERS)
def test_overhead_per_call(benchmark: Any, name: str) -> None:
    if name == "node kit" and find_node() is None:
        pytest.skip("no Node that is new enough is here")
    taken = benchmark.pedantic(lambda: asyncio.run(latencies_ms(ADAPTERS[name])), rounds=1, iterations=1)
    hundredths = statistics.quantiles(taken, n=100, method="inclusive")
    told = f"{name}: p50 {hundredths[49]:.3f} ms, p99 {hundredths[98]:.3f} ms a call, {len(taken)} calls"
    benchmark.extra_info["overhead"] = told
    print(f"\n{told}")  # noqa: T201 - a benchmark's figures are for people
    assert len(taken) == CALLS - WARM_UP
