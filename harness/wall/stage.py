"""Hosts of a run in real time: names under which tasks of one process run.

Owns the tasks. A host here cannot lose power, because nothing can take a real task away without its
``finally`` blocks: plans with crashes are for virtual time.
"""

import asyncio
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import Any, NoReturn, TypeVar

from harness.sim import Disk, Host, Unsynced
from harness.sim.host import Peers
from harness.sim.incarnation import HERE, Incarnation
from harness.wall.calendar import WallCalendar

T = TypeVar("T")


class RealTimeError(Exception):
    """Something was asked of a run in real time that only virtual time can do; the text says what."""


class WallStage:
    """The machine of one run in real time. Implements ``harness.world.stage.Stage``."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._env = WallCalendar(loop)
        self._hosts: dict[str, Host] = {}
        self._disks: dict[str, Disk] = {}
        self._tasks: dict[asyncio.Task[Any], None] = {}

    @property
    def now_ns(self) -> int:
        """Real nanoseconds since the start of the run."""
        return self._env.real_ns()

    @property
    def env(self) -> WallCalendar:
        """The calendar in which people live."""
        return self._env

    def host(self, name: str) -> Host:
        """Return the host of that name."""
        if name not in self._hosts:
            self._hosts[name] = Host(name, self, self)
        return self._hosts[name]

    def current_host(self) -> Host | None:
        """Return the host whose task is running, or None."""
        here = HERE.get()
        return None if here is None else self.host(here.host_name)

    def shared_disk(self, name: str) -> Disk:
        """Return the disk of that name; it is in memory and lives as long as the run."""
        if name not in self._disks:
            self._disks[name] = Disk(name, lambda _incarnation, _kind: None)
        return self._disks[name]

    def call_at(self, at_ns: int, callback: Callable[..., object], *args: object) -> object:
        """Call ``callback`` at a time, outside every host."""
        timeout = self._env.timeout(max(0, at_ns - self.now_ns))

        def act(_event: object) -> None:
            callback(*args)

        timeout.callbacks.append(act)
        return timeout

    async def end(self) -> None:
        """Stop the calendar, cancel every task of every host and wait for their ends."""
        self._env.stop()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    # -- what hosts need

    def create_task(
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> asyncio.Task[T]:
        """Start a task in a host's context."""
        task = self._loop.create_task(coro, name=name, context=context)
        self._tasks[task] = None
        task.add_done_callback(lambda done: self._tasks.pop(done, None))
        return task

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        """Make a callback ready in a host's context."""
        return self._loop.call_soon(callback, *args, context=context)

    def bury(self, incarnation: Incarnation) -> NoReturn:
        """Refuse."""
        raise RealTimeError(f"{incarnation.host_name} cannot lose power in real time; run the plan virtually")

    def crashed(self, incarnation: Incarnation, unsynced: Unsynced, peers: Peers) -> None:
        """Refuse; `bury` has."""

    def restarted(self, host_name: str) -> None:
        """Refuse; `bury` has."""
