"""Limits, reports and the asyncio face of the loop."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator
from typing import Any

import pytest

from harness import simulate
from harness.sim import (
    DeadlockError,
    FenceError,
    Fifo,
    Limits,
    LivelockError,
    Simulation,
    StepLimitError,
    Stop,
)


def test_a_deadlock_names_every_pending_task_with_its_host_and_where_it_waits() -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    async def main() -> None:
        asyncio.create_task(never(), name="stuck")  # noqa: RUF006 - the run keeps it
        await asyncio.get_running_loop().create_future()

    with Simulation() as sim:
        sim.host("agent").spawn(never(), name="listener")
        with pytest.raises(DeadlockError) as caught:
            sim.run(main)
    report = str(caught.value)
    assert "agent/listener waits at sim/test_loop.py:" in report
    assert "main/stuck waits at sim/test_loop.py:" in report
    assert "in never" in report
    assert "main/main waits at" in report
    assert [(waiting.host, waiting.task) for waiting in caught.value.waiting] == [
        ("agent", "listener"),
        ("main", "main"),
        ("main", "stuck"),
    ]


def test_a_livelock_names_the_spinning_task() -> None:
    async def spin() -> None:
        while True:  # noqa: ASYNC110 - spinning is the test
            await asyncio.sleep(0)

    async def main() -> None:
        asyncio.create_task(spin(), name="spinner")  # noqa: RUF006 - the run keeps it
        await asyncio.sleep(1)

    with Simulation(limits=Limits(steps_per_instant_max=1000)) as sim:
        with pytest.raises(LivelockError, match="main/spinner took 100% of the last ones"):
            sim.run(main)
        assert sim.now_ns == 0


def test_a_library_that_polls_a_deadline_exactly_is_reported_not_looped_forever() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + 1
        while loop.time() <= deadline:  # noqa: ASYNC110 - spinning is the test
            await asyncio.sleep(deadline - loop.time())

    with (
        Simulation(limits=Limits(steps_per_instant_max=1000)) as sim,
        pytest.raises(LivelockError, match="main/main"),
    ):
        sim.run(main)


def test_a_world_process_that_never_lets_time_advance_is_a_livelock() -> None:
    with Simulation(limits=Limits(steps_per_instant_max=1000)) as sim:

        def restless() -> Any:
            while True:
                yield sim.env.timeout(0)

        sim.env.process(restless())
        with pytest.raises(LivelockError):
            sim.run_until()


def test_a_run_longer_than_its_step_limit_says_so() -> None:
    async def main() -> None:
        while True:  # noqa: ASYNC110 - spinning is the test
            await asyncio.sleep(1)

    with (
        Simulation(limits=Limits(steps_max=100)) as sim,
        pytest.raises(StepLimitError, match="its limit; main/main"),
    ):
        sim.run(main)


def test_a_cancelled_timer_does_not_hold_the_clock() -> None:
    async def main() -> None:
        await asyncio.wait_for(asyncio.sleep(1), timeout=3600)

    with Simulation() as sim:
        sim.run(main)
        assert sim.run_until() is Stop.IDLE
        assert sim.now_ns == 1_000_000_000


def test_cancelled_timers_are_swept_out_of_the_queue() -> None:
    async def main() -> None:
        loop = asyncio.get_running_loop()
        for _ in range(10_000):
            loop.call_later(3600, lambda: None).cancel()

    with Simulation() as sim:
        sim.run(main)
        assert len(sim.env._queue) < 200


def test_run_until_tells_an_event_a_deadline_and_an_idle_world_apart() -> None:
    with Simulation() as sim:
        event = sim.env.timeout(5)
        assert sim.run_until(event, deadline_ns=3) is Stop.DEADLINE
        assert sim.now_ns == 3
        assert sim.run_until(event) is Stop.EVENT
        assert sim.now_ns == 5
        assert sim.run_until() is Stop.IDLE


def test_people_are_processes_that_wait_for_what_tasks_do() -> None:
    with Simulation() as sim:
        asked = sim.env.event()
        answers: list[int] = []

        async def agent() -> None:
            await asyncio.sleep(2)
            asked.succeed("delete everything?")

        def person() -> Any:
            yield asked
            yield sim.env.timeout(3_000_000_000)
            answers.append(sim.now_ns)

        sim.host("agent").spawn(agent())
        done = sim.env.process(person())
        assert sim.run_until(done) is Stop.EVENT
    assert answers == [5_000_000_000]


def test_a_world_timer_can_be_cancelled() -> None:
    fired: list[str] = []
    with Simulation() as sim:
        sim.call_at(5, fired.append, "five")
        sim.call_at(3, fired.append, "three").cancel()
        sim.run_until()
        assert sim.now_ns == 5
    assert fired == ["five"]


def test_executors_run_inline_as_a_scheduled_step() -> None:
    async def main() -> list[str]:
        log: list[str] = []
        future = asyncio.get_running_loop().run_in_executor(None, log.append, "executed")
        log.append("submitted")
        await future
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return log

    assert simulate(main, policy=Fifo()) == ["submitted", "executed"]


def test_eager_task_factories_are_refused() -> None:
    def eager_task_factory() -> None:
        """Stand for the one of asyncio, which exists from Python 3.12 on."""

    eager_task_factory.__qualname__ = "eager_task_factory"

    async def main() -> None:
        asyncio.get_running_loop().set_task_factory(eager_task_factory)  # type: ignore[arg-type]

    with pytest.raises(FenceError, match="eager_task_factory"):
        simulate(main)


def test_exceptions_of_main_keep_their_identity() -> None:
    class KeywordOnlyError(Exception):
        def __init__(self, *, code: int) -> None:
            super().__init__()
            self.code = code

    async def main() -> None:
        await asyncio.sleep(1)
        raise KeywordOnlyError(code=7)

    with pytest.raises(KeywordOnlyError) as caught:
        simulate(main)
    assert caught.value.code == 7


def test_errors_nobody_awaited_are_collected_by_host_and_not_printed(
    capsys: pytest.CaptureFixture[str],
) -> None:
    async def fail() -> None:
        raise ValueError("lost")

    async def main() -> None:
        asyncio.create_task(fail(), name="forgotten")  # noqa: RUF006 - forgetting it is the test
        asyncio.get_running_loop().call_soon(lambda: 1 // 0)
        await asyncio.sleep(1)

    with Simulation() as sim:
        sim.run(main, host="phone")
    seen = {(failure.host, failure.task.rpartition(".")[2], type(failure.error)) for failure in sim.failures}
    assert seen == {("phone", "forgotten", ValueError), ("phone", "<lambda>", ZeroDivisionError)}
    assert capsys.readouterr() == ("", "")


def test_a_coroutine_that_was_never_awaited_is_reported() -> None:
    async def forgotten() -> None:
        await asyncio.sleep(0)

    async def main() -> None:
        forgotten()  # type: ignore[unused-coroutine]

    with Simulation() as sim:
        sim.run(main, host="agent")
    (failure,) = sim.failures
    assert failure.host == "agent"
    assert failure.task.endswith("forgotten")
    assert "never awaited" in failure.message


def test_leaked_tasks_are_named_then_cancelled_and_run_their_finally_blocks() -> None:
    log: list[str] = []

    async def leaked() -> None:
        try:
            await asyncio.sleep(1000)
        finally:
            await asyncio.sleep(1)
            log.append("cleaned up")

    async def main() -> None:
        asyncio.create_task(leaked(), name="leak")  # noqa: RUF006 - leaking it is the test
        await asyncio.sleep(1)

    with Simulation() as sim:
        sim.run(main)
        steps, digest = sim.steps, sim.schedule_digest()
    (leak,) = sim.leaks
    assert (leak.host, leak.task) == ("main", "leak")
    assert "test_loop.py" in leak.where
    assert log == ["cleaned up"]
    assert (sim.steps, sim.schedule_digest()) == (steps, digest)


def test_a_task_that_swallows_every_cancellation_does_not_hold_the_end_of_the_run() -> None:
    async def stubborn() -> None:
        while True:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1000)

    with Simulation() as sim:
        sim.host("phone").spawn(stubborn())
        sim.run_until(deadline_ns=10)
    assert [leak.host for leak in sim.leaks] == ["phone"]


def test_tasks_left_over_by_a_run_that_hit_its_limit_still_clean_up() -> None:
    log: list[str] = []

    async def main() -> None:
        try:
            while True:  # noqa: ASYNC110 - spinning is the test
                await asyncio.sleep(1)
        finally:
            log.append("cleaned up")

    with Simulation(limits=Limits(steps_max=100)) as sim, pytest.raises(StepLimitError):
        sim.run(main)
    assert log == ["cleaned up"]


def test_asynchronous_generators_are_closed_within_the_run() -> None:
    log: list[str] = []

    async def numbers() -> AsyncIterator[int]:
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(1)
            log.append("closed")

    async def main() -> AsyncIterator[int]:
        generator = numbers()
        assert await anext(generator) == 1
        return generator

    with Simulation() as sim:
        kept = sim.run(main)
    assert log == ["closed"]
    del kept


def test_a_run_leaves_nothing_to_the_garbage_collector() -> None:
    async def main() -> None:
        async with asyncio.TaskGroup() as group:
            for _ in range(3):
                group.create_task(asyncio.sleep(1))
        await asyncio.wait_for(asyncio.sleep(1), 5)

    simulate(main)
    gc.collect()
    gc.disable()
    try:
        simulate(main)
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_the_collector_is_off_inside_a_run_and_on_again_after_it() -> None:
    async def main() -> bool:
        return gc.isenabled()

    assert simulate(main) is False
    assert gc.isenabled()


def test_lingering_tasks_of_earlier_runs_do_not_slow_later_ones() -> None:
    kept: list[asyncio.Task[Any]] = []

    async def main() -> None:
        task = asyncio.current_task()
        assert task is not None
        kept.append(task)
        await asyncio.sleep(0)

    simulate(main)
    registry = getattr(asyncio.tasks, "_all_tasks", ()) or getattr(asyncio.tasks, "_scheduled_tasks", ())
    assert kept
    assert not [task for task in registry if task in kept]


def test_ten_thousand_ready_tasks_take_their_turns() -> None:
    async def main() -> int:
        turns = [0]

        async def device() -> None:
            await asyncio.sleep(0)
            turns[0] += 1

        await asyncio.gather(*(device() for _ in range(10_000)))
        return turns[0]

    assert simulate(main) == 10_000


def test_a_nested_run_is_refused() -> None:
    async def inner() -> None:
        """Never begin."""

    async def main() -> None:
        asyncio.get_running_loop().run_until_complete(inner())

    with pytest.raises(RuntimeError, match="belongs to a simulation"):
        simulate(main)
