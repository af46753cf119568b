"""What the people, devices and agents of a world need of the machine that they run on.

Owns the one protocol that a simulation and a real event loop both keep, so that the same world plays in
virtual time and in real time. Does not run anything.
"""

from collections.abc import Callable
from typing import Protocol

import simpy

from harness.sim import Host


class Stage(Protocol):
    """A clock, a calendar of events, and named hosts. Times are nanoseconds since the start of the run."""

    @property
    def now_ns(self) -> int:
        """The time."""

    @property
    def env(self) -> simpy.Environment:
        """The calendar in which people live."""

    def host(self, name: str) -> Host:
        """Return the host of that name, made at its first use."""

    def call_at(self, at_ns: int, callback: Callable[..., object], *args: object) -> object:
        """Call ``callback`` at a time, outside every host."""
