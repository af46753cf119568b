"""Owns the handles of ready and timed callbacks.

What `call_soon` and `call_at` return, and what a policy sees.

Invariant: a label is the same in every execution: it holds no address and no counter of the process. Handles
are never compared with each other. Running them is the loop's business.
"""

import asyncio
from collections.abc import Callable
from contextvars import Context
from typing import Any

from harness.sim.incarnation import HERE, host_name_of
from harness.sim.pipes import Cancellable


class Step(asyncio.Handle):
    """A callback that is ready to run, or will be: what `call_soon` returns and what a policy sees."""

    __slots__ = ()
    _callback: Callable[..., object] | None
    _args: tuple[Any, ...]
    _cancelled: bool
    _context: Context

    def __init__(self, callback: Callable[..., object], args: tuple[Any, ...], context: Context) -> None:
        self._callback = callback
        self._args = args
        self._context = context
        self._cancelled = False

    def cancel(self) -> None:
        """Make sure that the callback is never run."""
        self._cancelled = True
        self._callback = None
        self._args = ()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.label}>"

    @property
    def host(self) -> str:
        """Name of the host it runs on, `world` if none."""
        return host_name_of(self._context)

    @property
    def label(self) -> str:
        """`host/task` of a task step, the callback's own label or name otherwise."""
        return label_of(self._callback)


class TimedStep(Step, asyncio.TimerHandle):
    """A `Step` that becomes ready at a time; `when()` is in float seconds, as asyncio has it."""

    __slots__ = ("_timer",)
    _timer: Cancellable
    _when: float

    def __init__(
        self, when: float, callback: Callable[..., object], args: tuple[Any, ...], context: Context
    ) -> None:
        Step.__init__(self, callback, args, context)
        self._when = when

    def cancel(self) -> None:
        """Make sure that the callback is never run and take the timer off the calendar."""
        Step.cancel(self)
        self._timer.cancel()


def label_of(callback: object) -> str:
    """Name a callback alike in every execution: by no address and no counter of the process."""
    owner = getattr(callback, "__self__", None)
    label = getattr(owner, "label", None)
    if isinstance(label, str):
        return label
    if isinstance(owner, asyncio.Task):
        return owner.get_name()
    return str(getattr(callback, "__qualname__", None) or type(callback).__qualname__)


def is_dead(context: Context) -> bool:
    """Whether a context belongs to a life that is over."""
    here = context.get(HERE)
    return here is not None and not here.alive
