"""A SimPy calendar that keeps real time inside an asyncio loop.

Owns the clock of a run in real time and the one alarm that wakes its events. The clock stands still at zero
until :meth:`WallCalendar.start`, so that a slow machine's preparations take none of the plan's time. Nothing
is early; how late an event is depends on the machine, so nothing may be asserted of it.
"""

import asyncio

import simpy
from simpy.events import NORMAL, Event, EventPriority

NS_PER_S: int = 1_000_000_000


class WallCalendar(simpy.Environment):
    """Counts nanoseconds from its start on the loop's monotonic clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(initial_time=0)
        self._loop = loop
        self._began_s: float | None = None
        self._alarm: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Let time pass from now on; what was entered before is due from this instant."""
        self._began_s = self._loop.time()
        self._set_alarm()

    @property
    def idle(self) -> bool:
        """Whether nothing is entered: nobody is thinking, and no fault is to come or to end."""
        return not self._queue

    def real_ns(self) -> int:
        """Return how long ago the calendar was started, 0 before."""
        return 0 if self._began_s is None else int((self._loop.time() - self._began_s) * NS_PER_S)

    def schedule(self, event: Event, priority: EventPriority = NORMAL, delay: float = 0) -> None:
        """Enter an event, counted from the real present."""
        self._now = max(self._now, self.real_ns())
        super().schedule(event, priority, delay)
        self._set_alarm()

    def stop(self) -> None:
        """Wake nothing any more."""
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        self._queue.clear()

    def _set_alarm(self) -> None:
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm = None
        if self._queue and self._began_s is not None:
            self._alarm = self._loop.call_at(self._began_s + self.peek() / NS_PER_S, self._ring)

    def _ring(self) -> None:
        while self._queue and self.peek() <= self.real_ns():
            self.step()
        self._set_alarm()
