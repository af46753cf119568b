"""Several runs in real time at once, on one event loop of one process.

Owns how many play at a time and the order in which they come out: that of the plans. Real time is mostly
waiting, and every run has a world of its own.
"""

import asyncio
from collections.abc import Generator, Sequence
from contextlib import ExitStack
from typing import Final

from harness.adapter import Adapter
from harness.plan import Plan
from harness.run import Run
from harness.wall.lanes import Lane
from harness.wall.play import play, play_as_planned
from harness.world.ably_service import SURROUNDINGS, surroundings

AT_ONCE: Final = 8


def play_all(
    adapter: Adapter, plans: Sequence[Plan], lane: Lane, *, at_once: int = AT_ONCE
) -> Generator[Run, None, None]:
    """Play every plan, ``at_once`` at a time, and yield their runs in the order of the plans.

    Closing the iterator ends what still plays. Raises LaneError where the lane cannot be used.
    """
    with ExitStack() as stack:
        if lane.own_service:
            stack.enter_context(surroundings(SURROUNDINGS))
        runner = stack.enter_context(asyncio.Runner())
        for begun in runner.run(_begin(adapter, plans, lane, at_once)):
            yield runner.run(_result(begun))


def play_again(adapter: Adapter, plan: Plan, lane: Lane) -> Run:
    """Play a plan once more that was played in real time; raises LaneError where the lane cannot be used."""
    with ExitStack() as stack:
        if lane.own_service:
            stack.enter_context(surroundings(SURROUNDINGS))
        return asyncio.run(play_as_planned(adapter, plan, lane))


async def _begin(
    adapter: Adapter, plans: Sequence[Plan], lane: Lane, at_once: int
) -> "list[asyncio.Task[Run]]":
    seats = asyncio.Semaphore(at_once)

    async def seated(plan: Plan) -> Run:
        async with seats:
            return await play(adapter, plan, lane)

    return [asyncio.create_task(seated(plan)) for plan in plans]


async def _result(begun: "asyncio.Task[Run]") -> Run:
    return await begun
