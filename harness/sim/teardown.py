"""Owns the end of a run: what is left over is named, cancelled, drained and closed, in that order.

Invariant: nothing of a run outlives it. Living tasks are cancelled and get to run their `finally` blocks in
virtual time; dead ones are closed muted, after the record is sealed. Nothing is printed: errors land in
`failures`. Reference cycles are broken, because with the collector off a lingering task slows every later run
down (tasks of equal number collide in asyncio's global set).

It does not judge leaks; it reports them.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from harness.sim.errors import SimulationError, Waiting
from harness.sim.loop import SimLoop
from harness.sim.tasks import SimTask

_GRACE_NS: Final = 60_000_000_000
"""Virtual time that cancelled tasks get to clean up.

Longer than any client's closing timeout that was met (30 s).
"""


def close_down(loop: SimLoop, seal_off: Callable[[], object]) -> tuple[Waiting, ...]:
    """End the run of `loop`, which must not be running, and return the tasks that were still pending.

    `seal_off` is called when the living have had their say and only the dead are left to be closed.
    """
    leaked = loop.pending_tasks()
    leaks = loop.waiting(leaked)
    steps, record = loop.steps, loop.record
    loop.seal()
    if leaked or loop.has_asyncgens():
        _cancel_and_drain(loop, leaked)
    seal_off()
    loop.close_muted()
    loop.steps, loop.record = steps, record
    return leaks


def _cancel_and_drain(loop: SimLoop, leaked: Sequence[SimTask[Any]]) -> None:
    deadline_ns = loop.now_ns + _GRACE_NS
    for _ in range(2):
        # Twice, since a task may swallow its first cancellation; one that swallows both is closed muted.
        for task in leaked:
            task.cancel()
        try:
            loop.drive(lambda: loop.now_ns > deadline_ns)
        except SimulationError as error:
            loop.note_failure(
                {"message": "the tasks left over did not end when cancelled", "exception": error}
            )
            return
        leaked = loop.pending_tasks()
        if not leaked:
            loop.close_asyncgens()
            return
