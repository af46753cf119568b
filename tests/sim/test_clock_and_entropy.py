"""Clocks are virtual and skewed by host; randomness is seeded and given back."""

import asyncio
import datetime as dt
import os
import random
import threading
import time
import uuid
from random import choice
from time import time as time_bound_early

import pytest

from harness import simulate
from harness.sim import EPOCH, Simulation, SimulationError
from harness.sim.clock import epoch_ns, seconds_to_ns

DAY_S = 86_400


def test_wall_clocks_follow_virtual_time() -> None:
    async def main() -> list[float]:
        await asyncio.sleep(DAY_S)
        return [
            time.time(),
            time_bound_early(),
            time.time_ns() / 1e9,
            dt.datetime.now(dt.UTC).timestamp(),
        ]

    assert simulate(main) == [EPOCH.timestamp() + DAY_S] * 4


def test_monotonic_clocks_follow_virtual_time() -> None:
    async def main() -> list[float]:
        await asyncio.sleep(2.5)
        loop = asyncio.get_running_loop()
        return [time.monotonic(), time.perf_counter(), time.monotonic_ns() / 1e9, loop.time()]

    assert simulate(main) == [2.5] * 4


def test_a_host_with_skew_reads_another_wall_clock_but_the_same_monotonic_one() -> None:
    async def main() -> tuple[float, float]:
        await asyncio.sleep(1)
        return time.time(), time.monotonic()

    with Simulation() as sim:
        sim.host("late").skew_ns = -5_000_000_000
        assert sim.run(main, host="late") == (EPOCH.timestamp() - 4, 1.0)
        assert time.time() == EPOCH.timestamp() + 1


def test_thirty_days_pass_in_one_step_of_the_clock() -> None:
    async def main() -> float:
        await asyncio.sleep(30 * DAY_S)
        return asyncio.get_running_loop().time()

    with Simulation() as sim:
        assert sim.run(main) == 30 * DAY_S
    assert sim.steps < 5


def test_equal_deadlines_stay_equal_whatever_floats_they_are_made_of() -> None:
    async def main() -> int:
        loop = asyncio.get_running_loop()
        fired: list[float] = []
        loop.call_later(0.1 + 0.2, lambda: fired.append(loop.time()))
        loop.call_later(0.3, lambda: fired.append(loop.time()))
        await asyncio.sleep(1)
        return len(set(fired))

    assert simulate(main) == 1


def test_seconds_convert_exactly_below_97_days() -> None:
    for at_ns in (1, 999_999_999, 30 * DAY_S * 10**9 + 1, 96 * DAY_S * 10**9 + 123_456_789):
        assert seconds_to_ns(at_ns / 1e9) == at_ns


def test_a_positive_delay_is_never_rounded_down_to_nothing() -> None:
    async def main() -> float:
        await asyncio.sleep(1e-12)
        return asyncio.get_running_loop().time()

    assert simulate(main) == 1e-9


def test_a_start_without_a_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="has no time zone"):
        Simulation(start=dt.datetime(2026, 1, 1))  # noqa: DTZ001
    assert epoch_ns(EPOCH) == int(EPOCH.timestamp()) * 10**9


def test_real_clocks_are_back_after_the_run() -> None:
    before = time.time()

    async def main() -> None:
        await asyncio.sleep(30 * DAY_S)

    simulate(main)
    assert 0 <= time.time() - before < 60
    assert dt.datetime.now(dt.UTC).timestamp() - before < 60


def test_other_threads_keep_real_clocks_and_real_randomness() -> None:
    seen: list[float] = []
    asked, answered = threading.Event(), threading.Event()

    def outside() -> None:
        asked.wait()
        seen.extend((time.time(), float(len(os.urandom(4)))))
        answered.set()

    thread = threading.Thread(target=outside)
    thread.start()
    with Simulation() as sim:
        asked.set()
        while not answered.is_set():
            pass
        assert sim.now_ns == 0
    thread.join()
    assert abs(seen[0] - time.time()) < 60


def test_the_global_generator_is_restored_to_the_state_it_had() -> None:
    random.seed(5)
    expected = [random.random() for _ in range(3)]
    random.seed(5)
    first = random.random()

    async def main() -> float:
        return random.random() + choice([1, 2])

    drawn = [simulate(main, seed=1), simulate(main, seed=1), simulate(main, seed=2)]
    assert [first, random.random(), random.random()] == expected
    assert drawn[0] == drawn[1] != drawn[2]


def test_negative_and_positive_seeds_differ() -> None:
    async def main() -> uuid.UUID:
        await asyncio.sleep(0)
        return uuid.uuid4()

    assert simulate(main, seed=-3) != simulate(main, seed=3)


def test_only_one_simulation_may_be_open() -> None:
    with Simulation(), pytest.raises(SimulationError, match="already open"), Simulation():
        pass  # pragma: no cover
    with Simulation() as sim:
        assert sim.now_ns == 0


def test_a_closed_simulation_does_not_run() -> None:
    sim = Simulation()
    with pytest.raises(SimulationError, match="needs the simulation to be open"):
        sim.run_until()
