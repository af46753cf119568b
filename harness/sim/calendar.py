"""Owns the event queue of a run: SimPy's heap, in integer nanoseconds, with timers that can be cancelled.

The only module of `sim` that knows SimPy.

Invariant: the heap is the only clock and the only queue of future events, and it orders entries by time and
then by the order of entering. Timers and SimPy's events share it. What is ready to run now is the loop's
business.
"""

from collections.abc import Callable, Iterator
from contextvars import Context
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any, Final, cast

import simpy
from simpy.events import NORMAL, Event, EventPriority

WorldEvent = Event
"""What SimPy calls an event, under a name that modules without SimPy can import."""

_CANCELLED_MIN: Final = 64
"""Cancelled timers tolerated before they may be swept (asyncio's own figure is 100)."""


class Timer:
    """A cancellable entry of the calendar that calls `action` when it is due.

    Most of a run's entries are timers, so they are no SimPy events, which cost three times as much: nobody
    waits for one. `context` is set for timers that belong to a host.
    """

    __slots__ = ("_calendar", "action", "context")

    def __init__(self, calendar: "Calendar", action: Callable[[], object], context: Context | None) -> None:
        self._calendar = calendar
        self.action: Callable[[], object] | None = action
        self.context = context

    def cancel(self) -> None:
        """Make sure that the action is never called; a timer that has fired is left alone."""
        if self.action is not None:
            self.action = None
            self._calendar.count_cancelled()


class Calendar(simpy.Environment):
    """A SimPy environment in integer nanoseconds that can cancel timers and knows if something is due now."""

    def __init__(self) -> None:
        super().__init__(initial_time=0)
        self.now_ns = 0
        """Virtual nanoseconds since the start of the run: read by everybody, written by `step` alone."""
        self.due = False
        self._cancelled = 0
        self._joinable: tuple[int, list[Callable[[], object]]] | None = None

    def schedule(self, event: Event, priority: EventPriority = NORMAL, delay: float = 0) -> None:
        """Enter an event, as SimPy does, and remember whether it is due at this very instant."""
        self._joinable = None
        if delay <= 0:
            self.due = True
        super().schedule(event, priority, int(delay))

    def at(self, at_ns: int, action: Callable[[], object], context: Context | None = None) -> Timer:
        """Call `action` at `at_ns` (now, if that is past) and return the timer, which can be cancelled."""
        self._joinable = None
        timer = Timer(self, action, context)
        if at_ns <= self.now_ns:
            at_ns = self.now_ns
            self.due = True
        entry: Any = timer
        heappush(self._queue, (at_ns, NORMAL, next(self._eid), entry))
        return timer

    def join(self, at_ns: int, action: Callable[[], object]) -> None:
        """Call `action` at `at_ns`, as `at` does, without a way to cancel it.

        What is entered in a row for one instant shares one entry, and happens in the order in which it would
        happen with an entry each: a message to a crowd is one entry, however many receive it.
        """
        if self._joinable is not None and self._joinable[0] == at_ns > self.now_ns:
            self._joinable[1].append(action)
            return
        actions = [action]
        self.at(at_ns, partial(_each, actions))
        self._joinable = (at_ns, actions)

    def step(self) -> None:
        """Advance to the next entry and process it: fire a timer, or leave an event to SimPy."""
        at_ns, _, _, entry = self._queue[0]
        self.now_ns = self._now = int(at_ns)
        timer: Any = entry
        if type(timer) is Timer:
            heappop(self._queue)
            self._fire(timer)
        else:
            super().step()

    def _fire(self, timer: Timer) -> None:
        action = timer.action
        if action is None:
            self._cancelled -= 1
        else:
            timer.action = None
            action()

    def count_cancelled(self) -> None:
        """Note one more cancelled timer, and sweep them when they are the greater part of the queue."""
        self._cancelled += 1
        if self._cancelled > _CANCELLED_MIN and 2 * self._cancelled > len(self._queue):
            self.remove(lambda timer: timer.action is None)

    def remove(self, unwanted: Callable[[Timer], bool]) -> list[Timer]:
        """Take the unwanted timers out of the queue and return them, earliest first."""
        removed = [(at, eid, timer) for at, _, eid, timer in self._timers() if unwanted(timer)]
        if removed:
            gone = {eid for _, eid, _ in removed}
            self._queue = [entry for entry in self._queue if entry[2] not in gone]
            heapify(self._queue)
            self._cancelled = sum(timer.action is None for *_, timer in self._timers())
        return [timer for _, _, timer in sorted(removed, key=lambda entry: entry[:2])]

    def _timers(self) -> Iterator[tuple[float, int, int, Timer]]:
        """Yield every entry of the queue that is a timer, in no order."""
        for at, priority, eid, entry in self._queue:
            if isinstance(timer := cast("object", entry), Timer):
                yield at, priority, eid, timer

    def keep_only_timers_of_hosts(self) -> None:
        """Drop every other entry: people, faults and messages in flight. For teardown."""
        for timer in self.remove(lambda timer: timer.context is None):
            timer.action = None
        self._queue = [entry for entry in self._queue if isinstance(cast("object", entry[3]), Timer)]
        heapify(self._queue)

    def clear(self) -> None:
        """Drop every entry, and what its timers would have called."""
        for *_, timer in self._timers():
            timer.action = None
        self._queue.clear()
        self.due = False

    def next_ns(self) -> int | None:
        """Return the instant of the next event that will really happen, or None when there is none."""
        queue = self._queue
        while queue:
            entry: Any = queue[0][3]
            if not (isinstance(entry, Timer) and entry.action is None):
                return int(queue[0][0])
            heappop(queue)
            self._cancelled -= 1
        return None

    def drain(self, events_max: int) -> int:
        """Process everything due at this instant and return how many events there were.

        `events_max` at most.
        """
        queue, now, processed = self._queue, self._now, 0
        while queue and queue[0][0] <= now and processed < events_max:
            processed += 1
            timer: Any = queue[0][3]
            if type(timer) is Timer:
                heappop(queue)
                self._fire(timer)
            else:
                super().step()
            queue = self._queue
        self.due = processed >= events_max
        return processed


def _each(actions: list[Callable[[], object]]) -> None:
    for action in actions:
        action()
