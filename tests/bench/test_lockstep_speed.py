"""Speed of Node processes in lockstep. Figures to read, no timed assertions.

The run is one agent, three devices, one request and one answer over the vendor's SDK for JavaScript: four
Node processes. Most of a run is their start; `docs/virtual-time-for-node.md` says where the time goes.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from harness.plan import DAY, SECOND
from harness.run import execute
from harness.sim import Simulation
from harness.stdio.adapter import StdioAdapter
from harness.stdio.virtual import stock_of
from tests.stdio.ably_runs import SDK, adapter_with, plan_of
from tests.stdio.stepping import AGENT, LAUNCH, Stepping, experiment, installed, require_node


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StdioAdapter]:
    adapter = adapter_with(installed(SDK, tmp_path_factory.mktemp("lockstep")))
    yield adapter
    adapter.stock.drain()


@pytest.mark.benchmark(group="one Node agent, three Node devices, one request")
@pytest.mark.parametrize("think_ns", [SECOND, DAY], ids=["a second", "a day"])
def test_one_run(benchmark: Any, adapter: StdioAdapter, think_ns: int) -> None:
    benchmark.pedantic(lambda: execute(adapter, plan_of(think_ns=think_ns)), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="one step of a Node process")
def test_one_step(benchmark: Any) -> None:
    """One command and its answer: two pipes, a look at the event loop, one simulated step."""
    require_node()
    stock = stock_of(LAUNCH)
    with Simulation(seed=1) as sim:
        stepping = Stepping(sim, stock)
        session = sim.run(stepping.booted, host=AGENT)

        async def ask() -> None:
            await session.command("call", call=experiment("nothing"))

        benchmark.pedantic(lambda: sim.run(ask, host=AGENT), rounds=5, iterations=200, warmup_rounds=1)
    stepping.folders.remove()
    stock.drain()
