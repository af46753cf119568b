"""Processes that left the group of the adapter that forked them, found by the mark in their environment.

Owns the search, on systems that have ``/proc``; elsewhere a process that left its group is not found. A mark
is unique to one start of one adapter, so that nothing else can bear it.
"""

import contextlib
import os
import signal
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Final

VARIABLE: Final = "HITL_ADAPTER_START"
_PROC: Final = Path("/proc")
_ROUNDS: Final = 200
_STARTS: Final = count(1)


def marked(environment: Mapping[str, str]) -> tuple[str, dict[str, str]]:
    """Return a new mark, and the environment with which a process and all that it forks bear it."""
    mark = f"{os.getpid()}-{next(_STARTS)}"
    return mark, {**environment, VARIABLE: mark}


def kill_escaped(mark: str) -> None:
    """Kill every process that bears ``mark``, and those that they fork meanwhile."""
    for _ in range(_ROUNDS):
        found = list(bearers(mark))
        if not found:
            return
        for pid in found:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)


def bearers(mark: str) -> Iterator[int]:
    """Yield the processes that bear ``mark`` and are no zombies."""
    line = f"{VARIABLE}={mark}".encode()
    for folder in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if line in (folder / "environ").read_bytes().split(b"\0"):
                yield int(folder.name)
