"""The end of a run comes, whatever is left over on its hosts."""

import asyncio

from harness.sim import Simulation

SECOND = 1_000_000_000


def test_a_timer_that_starts_itself_for_ever_does_not_outlive_the_run() -> None:
    ticks = 0

    async def retry_for_ever() -> None:
        loop = asyncio.get_running_loop()

        def tick() -> None:
            nonlocal ticks
            ticks += 1
            loop.call_later(30.0, tick)

        tick()
        await asyncio.Event().wait()

    with Simulation(seed=0) as sim:
        sim.host("agent").spawn(retry_for_ever())
        sim.run_until(None, deadline_ns=100 * SECOND)
    assert ticks < 20
    assert len(sim.leaks) == 1
