"""Owns virtual time as code inside a run sees it: `time`, `datetime` and the monotonic clocks.

Invariant: every clock is *pulled*. Nothing is moved when virtual time advances; a reading asks the calendar
for its integer nanoseconds, so that a thousand timers cost no clock work at all. Wall clocks are shifted by
the skew of the host whose task is asking; monotonic clocks are not, because a skewed host still measures
durations correctly.

It does not schedule anything and does not fence `time.sleep` (see `fence`).
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from threading import get_ident
from typing import Final, NewType, TypeAlias

import time_machine

VirtualNs = NewType("VirtualNs", int)
"""A point in, or a span of, virtual time: integer nanoseconds since the start of the run."""

NS_PER_SECOND: Final = 1_000_000_000

Instant: TypeAlias = datetime
"""A wall-clock instant with a time zone."""

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""Where every run begins unless told otherwise.

A round instant, so that an offset is easy to read off a timestamp.
"""

_MONOTONIC_CLOCKS: Final = ("monotonic", "perf_counter", "process_time", "thread_time")
_REAL: Final = {
    name: getattr(time, name)
    for clock in _MONOTONIC_CLOCKS
    for name in (clock, f"{clock}_ns")
    if hasattr(time, name)
}


def seconds_to_ns(seconds: float) -> int:
    """Convert float seconds to integer nanoseconds, exactly for every instant below 97 days.

    The whole and the fractional part are converted apart, because `seconds * 1e9` as one float loses the last
    nanosecond after 26 days.
    """
    whole = int(seconds)
    return whole * NS_PER_SECOND + round((seconds - whole) * 1e9)


def epoch_ns(start: datetime) -> int:
    """Nanoseconds between 1970 and `start`, which must carry a time zone."""
    if start.tzinfo is None:
        raise ValueError(
            f"Simulation(start={start!r}) has no time zone; pass for instance datetime(..., tzinfo=UTC)"
        )
    span = start - datetime(1970, 1, 1, tzinfo=UTC)
    return (span.days * 86_400 + span.seconds) * NS_PER_SECOND + span.microseconds * 1_000


class VirtualClocks:
    """Replaces the clocks of the standard library for the thread that runs a simulation."""

    __slots__ = ("_travel",)

    def __init__(self) -> None:
        self._travel = time_machine.travel(0, tick=False)

    def install(self, now_ns: Callable[[], int], wall_ns: Callable[[], int]) -> None:
        """Start answering clock readings; undone by `uninstall`. Other threads keep reading the real clocks.

        `now_ns` gives virtual nanoseconds since the start of the run, `wall_ns` nanoseconds since 1970 as
        the asking host believes them to be.
        """
        owner = get_ident()
        real_wall_ns = time_machine.escape_hatch.time.time_ns

        def current_wall_ns() -> int:
            return wall_ns() if get_ident() == owner else real_wall_ns()

        def current_ns() -> int:
            return now_ns() if get_ident() == owner else time_ns()

        def current_seconds() -> float:
            return now_ns() / NS_PER_SECOND if get_ident() == owner else time_s()

        time_ns, time_s = _REAL["monotonic_ns"], _REAL["monotonic"]
        # The C side asks the top traveller for time_ns() on every reading: shadowing that one method makes
        # the clock a pull, where move_to() at every advance would cost 1.4 us a timer.
        self._travel.start().time_ns = current_wall_ns  # type: ignore[method-assign]
        for name in _REAL:
            setattr(time, name, current_ns if name.endswith("_ns") else current_seconds)

    def uninstall(self) -> None:
        """Give the real clocks back."""
        for name, real in _REAL.items():
            setattr(time, name, real)
        self._travel.stop()
