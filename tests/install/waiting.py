"""Waiting for what another process does, with patience for a busy machine."""

import os
import time
from collections.abc import Callable
from typing import Final

PATIENCE_S: Final = 300.0


def wait_until(done: Callable[[], bool]) -> None:
    """Return once ``done``; fails when patience runs out."""
    ends = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < ends, "what is waited for never came"
        time.sleep(0.02)


def gone(process: int) -> bool:
    """Return whether a process has ended, waited for by its parent or not."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return True
    try:
        with open(f"/proc/{process}/stat", encoding="utf-8") as stat:  # noqa: PTH123 - no file on a disk
            return stat.read().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return False
