"""Hosts of a run in real time: names under which tasks of one process run.

Owns the tasks, those too that libraries start by themselves: each belongs to the life of the host in whose
context it was started, and ends with the run at the latest. A host can lose power only where its life is a
process that can be killed, because nothing can take a task of this process away without its ``finally``
blocks: what dies then is the process, and here the tasks that served it.
"""

import asyncio
from collections.abc import Callable, Coroutine, Generator
from contextvars import Context, ContextVar
from typing import Any, Final, TypeVar

from harness.sim import Disk, Host, Unsynced
from harness.sim.host import Peers
from harness.sim.incarnation import HERE, Incarnation
from harness.wall.calendar import WallCalendar

T = TypeVar("T")

END_PATIENCE_S: Final = 30.0
"""How long the tasks of a run have to end after they were cancelled."""


class RealTimeError(Exception):
    """Something was asked of a run in real time that only virtual time can do; the text says what."""


class WallStage:
    """The machine of one run in real time. Implements ``harness.world.stage.Stage``."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._env = WallCalendar(loop)
        self._hosts: dict[str, Host] = {}
        self._disks: dict[str, Disk] = {}
        self._tasks: dict[asyncio.Future[Any], Incarnation | None] = {}
        loop.set_task_factory(_adopting_factory)

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
            self._own(self._hosts[name].life)
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

    def adopt(self, task: "asyncio.Future[Any]", life: Incarnation | None) -> None:
        """Take over a task that was started on a host of this run."""
        self._tasks[task] = life
        task.add_done_callback(lambda done: self._tasks.pop(done, None))

    async def end(self) -> None:
        """Stop the calendar, cancel every task of every host and wait for their ends."""
        self._env.stop()
        tasks = [task for task in self._tasks if not task.done()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait([asyncio.gather(*tasks, return_exceptions=True)], timeout=END_PATIENCE_S)

    # -- what hosts need

    def create_task(
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> "asyncio.Future[T]":
        """Start a task in a host's context; in that of a life that is over it never begins."""
        life = None if context is None else context.get(HERE)
        if life is not None and not life.alive:
            coro.close()
            never: asyncio.Future[T] = self._loop.create_future()
            never.cancel()
            return never
        return self._loop.create_task(coro, name=name, context=context)

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        """Make a callback ready in a host's context."""
        return self._loop.call_soon(callback, *args, context=context)

    def bury(self, incarnation: Incarnation) -> None:
        """Cancel the tasks that served a process which was killed."""
        for task, life in tuple(self._tasks.items()):
            if life is incarnation:
                task.cancel()

    def crashed(self, incarnation: Incarnation, unsynced: Unsynced, peers: Peers) -> None:
        """Leave everything else as it is: a killed process loses no write that the kernel has accepted."""

    def restarted(self, host_name: str) -> None:
        """Own the tasks of the new life."""
        self._own(self._hosts[host_name].life)

    def _own(self, life: Incarnation) -> None:
        life.context.run(_STAGE.set, self)


_STAGE: Final[ContextVar[WallStage | None]] = ContextVar("harness.wall.stage", default=None)
"""The run to which the current task belongs."""


def _adopting_factory(
    loop: asyncio.AbstractEventLoop,
    coro: Coroutine[Any, Any, Any] | Generator[Any, None, Any],
    **options: Any,
) -> "asyncio.Future[Any]":
    """Make a task as the loop would, and hand it to the run on whose host it was started."""
    assert isinstance(coro, Coroutine), "nobody makes tasks of generators any more"
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
    context: Context | None = options.get("context")
    stage = _STAGE.get() if context is None else context.get(_STAGE)
    if stage is not None:
        stage.adopt(task, HERE.get() if context is None else context.get(HERE))
    return task
