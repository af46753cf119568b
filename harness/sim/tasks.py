"""Owns the identity of tasks and futures: number, name and the place where a task waits.

Invariant: hashes are sequence numbers given out by the run, so that sets of tasks and futures (asyncio.wait,
TaskGroup) iterate in the same order in every execution. Nothing here uses an address. It does not schedule.
"""

import asyncio
import types
from collections.abc import Coroutine, Generator, Iterator
from contextvars import Context
from functools import cache
from pathlib import PurePath
from typing import Any, Final, Protocol, TypeVar, cast

from harness.sim.incarnation import HERE

T = TypeVar("T")

_LIBRARIES: Final = ("asyncio", "anyio", "harness.sim")
"""Packages whose frames say little about who waits: the frame of their caller is shown instead."""


class Numbering(Protocol):
    """Gives out the run's sequence numbers."""

    def next_number(self) -> int:
        """Return the next number of this run."""
        ...


class SimFuture(asyncio.Future[T]):
    """A future that hashes by a number, given when it is first hashed."""

    __slots__ = ("_number",)
    _number: int

    def __hash__(self) -> int:
        try:
            return self._number
        except AttributeError:
            self._number = number = cast("Numbering", self.get_loop()).next_number()
            return number


class SimTask(asyncio.Task[T]):
    """A task that hashes by its number and remembers its `label` (`host/name`) and the context it runs in."""

    __slots__ = ("_number", "home", "label")

    def __init__(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        loop: asyncio.AbstractEventLoop,
        name: str,
        context: Context,
        number: int,
        label: str,
    ) -> None:
        self._number = number  # before the base class, which enters the task into a hashed set
        self.label = label
        self.home = context
        asyncio.Task.__init__(self, coro, loop=loop, name=name, context=context)

    def __hash__(self) -> int:
        return self._number

    def set_name(self, value: object) -> None:
        """Rename the task and its label; asyncio.create_task(name=...) does so right after creating it."""
        asyncio.Task.set_name(self, value)
        self.label = task_label(self.home, self.get_name())


def task_label(home: Context, name: str) -> str:
    """Name a task for records and policies: `host/name`, or the name alone for a task of no host."""
    here = home.get(HERE)
    return name if here is None else f"{here.host_name}/{name}"


def waiting_place(task: asyncio.Task[Any]) -> str:
    """Where a suspended task waits, as `folder/file.py:line in function`.

    The innermost frame of its own code.

    Library frames are skipped where a caller's frame exists, and only the last folder of the path is shown,
    so that texts do not depend on where a checkout stands.
    """
    frames = list(_frames(task.get_coro()))
    if not frames:
        return "an unknown place"
    own = [frame for frame in frames if not _is_library(frame)]
    frame = (own or frames)[-1]
    return f"{_short(frame.f_code.co_filename)}:{frame.f_lineno} in {frame.f_code.co_name}"


@cache
def _short(filename: str) -> str:
    path = PurePath(filename)
    return f"{path.parent.name}/{path.name}"


def _frames(awaited: object) -> Iterator[types.FrameType]:
    """Frames of a coroutine and of what it awaits, outermost first."""
    while awaited is not None:
        deeper = None
        for prefix, awaits in (("cr", "await"), ("gi", "yieldfrom"), ("ag", "await")):
            frame = getattr(awaited, f"{prefix}_frame", None)
            if frame is not None:
                yield frame
                deeper = getattr(awaited, f"{prefix}_{awaits}", None)
                break
        awaited = deeper


def _is_library(frame: types.FrameType) -> bool:
    return _belongs_to_library(str(frame.f_globals.get("__name__", "")))


@cache
def _belongs_to_library(module: str) -> bool:
    return any(module == library or module.startswith(f"{library}.") for library in _LIBRARIES)


_CLOSES_MAX: Final = 100
"""How often a coroutine may answer GeneratorExit with another await before it is left alone."""


def close_coroutine(task: SimTask[Any]) -> None:
    """Close a suspended coroutine in its own context and ignore what it has to say about it."""
    coro = cast("Coroutine[Any, Any, Any]", task.get_coro())
    for _ in range(_CLOSES_MAX):
        try:
            task.home.copy().run(coro.close)
        except BaseException:  # noqa: BLE001, S112 - the muted end of a dead task: nothing it raises has an addressee
            continue
        return
