"""Owns the answer to "whose step is this?".

Which life of which host a task, a callback or a message belongs to.

Invariant: the answer travels in a context variable, so that everything a task starts (tasks, callbacks,
timers) belongs to the same life without being told. A life ends once, by a power cut, and never comes back: a
restarted host is a new incarnation. This module does not crash anything (see `host`).
"""

import asyncio
from contextvars import Context, ContextVar
from typing import Final


class Incarnation:
    """One life of a host, from boot to crash. `context` is the root of every context of its tasks."""

    __slots__ = ("alive", "context", "host_name", "number", "skew_ns")

    def __init__(self, host_name: str, number: int, skew_ns: int = 0) -> None:
        self.host_name = host_name
        self.number = number
        self.skew_ns = skew_ns
        self.alive = True
        self.context = Context()
        self.context.run(HERE.set, self)


HERE: Final[ContextVar[Incarnation | None]] = ContextVar("harness.sim.here", default=None)
"""The incarnation whose step is running; None while the world itself acts."""


def host_name_of(context: Context) -> str:
    """Name of the host that a context belongs to, or `world` for one that belongs to none."""
    here = context.get(HERE)
    return "world" if here is None else here.host_name


def acting_while_dead() -> bool:
    """Whether the running step belongs to a host that has crashed and is in its last step."""
    here = HERE.get()
    return here is not None and not here.alive


async def halt_if_dead() -> None:
    """Return at once on a living host, never on a dead one.

    Await it before returning from anything asynchronous.
    """
    here = HERE.get()
    if here is not None and not here.alive:
        await asyncio.get_running_loop().create_future()
