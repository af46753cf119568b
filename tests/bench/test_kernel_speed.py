"""Speed of the simulated machine beside stock asyncio. Figures to read, no timed assertions."""

import asyncio
from typing import Any

import pytest

from harness import simulate


async def ring(tasks: int = 100, rounds: int = 200) -> None:
    queues: list[asyncio.Queue[int]] = [asyncio.Queue() for _ in range(tasks)]

    async def worker(number: int) -> None:
        for _ in range(rounds):
            token = await queues[number].get()
            await queues[(number + 1) % tasks].put(token + 1)

    workers = [asyncio.create_task(worker(number)) for number in range(tasks)]
    await queues[0].put(0)
    await asyncio.gather(*workers)


async def toy_race() -> list[int]:
    won: list[int] = []

    async def device(number: int) -> None:
        await asyncio.sleep(0)
        if not won:
            await asyncio.sleep(0)
            won.append(number)

    await asyncio.gather(*(device(number) for number in range(3)))
    return won


async def ready_at_once(count: int = 10_000) -> None:
    await asyncio.gather(*(asyncio.sleep(0) for _ in range(count)))


async def sleepers(count: int = 10_000) -> None:
    await asyncio.gather(*(asyncio.sleep(1 + number % 7) for number in range(count)))


@pytest.mark.benchmark(group="token ring, 100 tasks x 200 rounds")
def test_ring_on_stock_asyncio(benchmark: Any) -> None:
    benchmark.pedantic(lambda: asyncio.run(ring()), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="token ring, 100 tasks x 200 rounds")
def test_ring_simulated(benchmark: Any) -> None:
    benchmark.pedantic(lambda: simulate(ring, seed=1), rounds=5, warmup_rounds=1)


@pytest.mark.benchmark(group="three-device toy race")
def test_toy_race_simulated(benchmark: Any) -> None:
    benchmark.pedantic(lambda: simulate(toy_race, seed=1), rounds=20, iterations=100, warmup_rounds=1)


@pytest.mark.benchmark(group="10,000 tasks ready at once")
def test_ten_thousand_ready_tasks_on_stock_asyncio(benchmark: Any) -> None:
    benchmark.pedantic(lambda: asyncio.run(ready_at_once()), rounds=3)


@pytest.mark.benchmark(group="10,000 tasks ready at once")
def test_ten_thousand_ready_tasks_simulated(benchmark: Any) -> None:
    benchmark.pedantic(lambda: simulate(ready_at_once, seed=1), rounds=3)


@pytest.mark.benchmark(group="10,000 sleepers")
def test_ten_thousand_sleepers_simulated(benchmark: Any) -> None:
    benchmark.pedantic(lambda: simulate(sleepers, seed=1), rounds=3)


@pytest.mark.benchmark(group="a pending approval")
@pytest.mark.parametrize("pending_s", [30, 30 * 86_400], ids=["30 s", "30 days"])
def test_waiting_costs_no_time(benchmark: Any, pending_s: int) -> None:
    async def wait() -> None:
        await asyncio.sleep(pending_s)

    benchmark.pedantic(lambda: simulate(wait, seed=1), rounds=10, iterations=100, warmup_rounds=1)
