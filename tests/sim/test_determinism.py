"""Equal seeds give equal executions: in one process, across processes, across hash seeds."""

import asyncio
import os
import random
import secrets
import subprocess
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness import simulate
from harness.sim import (
    Fifo,
    Picks,
    Priorities,
    RandomWalk,
    ReadyStep,
    SchedulingPolicy,
    SeededRandom,
    Simulation,
)

ROOT = Path(__file__).parent.parent.parent


async def order_of_arrival() -> list[int]:
    arrived: list[int] = []

    async def device(number: int) -> None:
        await asyncio.sleep(0)
        arrived.append(number)

    await asyncio.gather(*(device(number) for number in range(8)))
    return arrived


async def everything_that_leaks() -> list[str]:
    """Touch every source of difference that the traps name and report what it gave."""
    seen: list[str] = []

    async def worker(number: int) -> int:
        await asyncio.sleep(random.random())
        seen.append(f"{asyncio.current_task()!r}".split(" coro=")[0].split("name=")[1] + f":{number}")
        return number

    tasks = {asyncio.create_task(worker(number)) for number in range(20)}
    done, _ = await asyncio.wait(tasks)
    seen.append(str([task.result() for task in done]))
    futures = {asyncio.get_running_loop().create_future() for _ in range(20)}
    numbers = {future: number for number, future in enumerate(futures)}
    seen.append(str([numbers[future] for future in futures]))
    seen += [secrets.token_hex(4), str(uuid.uuid4()), str(uuid.uuid1()), os.urandom(4).hex()]
    seen += [str(random.Random().random()), str(random.choice(range(1000)))]
    seen.append(str(await asyncio.to_thread(lambda: random.getrandbits(32))))
    return seen


def observed(main: Callable[[], Any], seed: int) -> str:
    with Simulation(seed=seed) as sim:
        result = sim.run(main)
    return f"{result} {sim.schedule_digest()} {sim.steps} {sim.picks}"


@pytest.mark.parametrize("seed", range(5))
def test_equal_seeds_give_equal_executions_in_one_process(seed: int) -> None:
    assert observed(everything_that_leaks, seed) == observed(everything_that_leaks, seed)


def test_different_seeds_explore_different_orders() -> None:
    orders = {tuple(simulate(order_of_arrival, seed=seed)) for seed in range(20)}
    assert len(orders) > 10


def test_equal_seeds_give_equal_executions_across_processes_and_hash_seeds() -> None:
    program = "import test_determinism as t; print(t.observed(t.everything_that_leaks, 7))"
    outputs = set()
    for hash_seed in ("0", "1", "12345"):
        environment = {
            **os.environ,
            "PYTHONHASHSEED": hash_seed,
            "PYTHONPATH": os.pathsep.join((str(ROOT), str(Path(__file__).parent))),
        }
        finished = subprocess.run(  # a fresh process under another hash seed
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        assert finished.stderr == ""
        outputs.add(finished.stdout)
    outputs.add(observed(everything_that_leaks, 7) + "\n")
    assert len(outputs) == 1


def test_sets_of_tasks_iterate_in_the_order_of_creation_numbers_not_of_addresses() -> None:
    async def main() -> list[str]:
        ballast = [object() for _ in range(1000)]
        tasks = {asyncio.create_task(asyncio.sleep(0), name=str(number)) for number in range(50)}
        del ballast
        await asyncio.wait(tasks)
        return [task.get_name() for task in tasks]

    first = simulate(main)
    keep = [simulate(main) for _ in range(5)]
    assert all(order == first for order in keep)


def test_task_names_begin_anew_in_every_run() -> None:
    async def main() -> str:
        task = asyncio.create_task(asyncio.sleep(0))
        await task
        return task.get_name()

    assert [simulate(main), simulate(main)] == ["Task-1", "Task-1"]


def test_a_draw_by_the_program_does_not_reshuffle_the_schedule() -> None:
    async def drawing() -> list[int]:
        random.random()
        secrets.token_bytes(8)
        return await order_of_arrival()

    assert simulate(drawing, seed=5) == simulate(order_of_arrival, seed=5)


@pytest.mark.parametrize(
    "policy",
    [
        SeededRandom(11),
        Priorities.sampled(3, depth=3, steps_expected=40, by="task"),
        RandomWalk(4, {}, by="task"),
    ],
    ids=["random", "pct", "urw"],
)
def test_any_run_can_be_told_again_as_explicit_picks(policy: SchedulingPolicy) -> None:
    with Simulation(policy=policy) as explored:
        order = explored.run(order_of_arrival)
    with Simulation(policy=Picks(dict(explored.picks))) as repeated:
        assert repeated.run(order_of_arrival) == order
    assert explored.picks
    assert repeated.picks == explored.picks
    assert repeated.schedule_digest() == explored.schedule_digest()


def test_the_calm_world_is_first_come_first_served_and_has_no_picks() -> None:
    with Simulation(policy=Fifo()) as sim:
        assert sim.run(order_of_arrival) == list(range(8))
    assert sim.picks == ()


def test_timers_due_at_one_instant_are_all_ready_before_the_policy_picks() -> None:
    async def main() -> list[int]:
        woken: list[int] = []

        async def sleeper(number: int) -> None:
            await asyncio.sleep(1)
            woken.append(number)

        await asyncio.gather(*(sleeper(number) for number in range(4)))
        return woken

    assert simulate(main, policy=Fifo()) == [0, 1, 2, 3]
    assert {simulate(main, seed=seed)[0] for seed in range(40)} == {0, 1, 2, 3}


def test_a_higher_priority_task_runs_to_its_end_first() -> None:
    async def main() -> list[str]:
        log: list[str] = []

        async def device(name: str) -> None:
            for _ in range(3):
                log.append(name)
                await asyncio.sleep(0)

        await asyncio.gather(*(asyncio.create_task(device(name), name=name) for name in "ab"))
        return log

    order = ("main/main", "main/b", "main/a")
    assert "".join(simulate(main, policy=Priorities(order, by="task"))) == "bbbaaa"
    changed = "".join(simulate(main, policy=Priorities(order, changes=[3], by="task")))
    assert changed not in ("bbbaaa", "aaabbb")
    assert sorted(changed) == sorted("aaabbb")


def test_a_pick_beyond_the_ready_list_means_its_last_entry() -> None:
    assert simulate(order_of_arrival, policy=Picks({1: 99}))[0] != 0


def test_in_a_crowd_a_policy_is_shown_the_oldest_steps_only() -> None:
    shown: list[int] = []

    class Last:
        def choose(self, ready: Sequence[ReadyStep], step: int) -> int:  # noqa: ARG002 - the protocol's shape
            assert len(list(ready)) == len(ready)
            assert ready[-1].label == ready[len(ready) - 1].label
            shown.append(len(ready))
            return len(ready) - 1

    async def main() -> int:
        done: list[int] = []

        async def device(number: int) -> None:
            await asyncio.sleep(0)
            done.append(number)

        await asyncio.gather(*(device(number) for number in range(1_500)))
        return len(done)

    assert simulate(main, policy=Last()) == 1_500
    assert max(shown) == 1_024
