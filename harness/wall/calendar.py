"""A SimPy calendar that keeps real time inside an asyncio loop.

Owns the clock of a run in real time and the one alarm that wakes its events. Nothing is early; how late an
event is depends on the machine, so nothing may be asserted of it.
"""

import asyncio

import simpy
from simpy.events import NORMAL, Event, EventPriority

NS_PER_S = 1_000_000_000


class WallCalendar(simpy.Environment):
    """Counts nanoseconds from its making on the loop's monotonic clock."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(initial_time=0)
        self._loop = loop
        self._began_s = loop.time()
        self._alarm: asyncio.TimerHandle | None = None

    def real_ns(self) -> int:
        """Return how long ago the calendar was made."""
        return int((self._loop.time() - self._began_s) * NS_PER_S)

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
        if self._queue:
            self._alarm = self._loop.call_at(self._began_s + self.peek() / NS_PER_S, self._ring)

    def _ring(self) -> None:
        while self._queue and self.peek() <= self.real_ns():
            self.step()
        self._set_alarm()
