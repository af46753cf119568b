"""Processes started ahead of need, so that a boot does not wait for an interpreter to start.

Owns those that no run uses yet: they were told hello and nothing else. A process is used by one host once,
and never comes back. All are killed when the pool is drained or collected, and at the end of this process.
"""

import weakref
from typing import Final

from harness.stdio.launch import Launch, Started, launched

IDLE_MAX: Final = 6


class Pool:
    """Idle processes of one command."""

    def __init__(self, launch: Launch) -> None:
        self._launch = launch
        self._idle: list[Started] = []
        weakref.finalize(self, drain, self._idle)

    def take(self) -> Started:
        """Return a process that was told hello; raises StartError."""
        while self._idle:
            started = self._idle.pop(0)
            if started.process.alive:
                return started
            started.process.kill()
        return launched(self._launch)

    def stock(self, number: int) -> None:
        """Have up to ``number`` idle processes ready; raises StartError."""
        while len(self._idle) < min(number, IDLE_MAX):
            self._idle.append(launched(self._launch))

    def drain(self) -> None:
        """Kill the idle processes."""
        drain(self._idle)


def drain(idle: list[Started]) -> None:
    """Kill and forget processes."""
    while idle:
        idle.pop().process.kill()
