"""How long something took on the machine's own clock.

Owns the one reading of real time outside the simulated machine. It is for reports about the harness itself:
nothing that decides, and nothing that is traced, reads it.
"""

import time


class Stopwatch:
    """Runs from its making."""

    def __init__(self) -> None:
        self._started_s = time.perf_counter()

    def elapsed_s(self) -> float:
        """Return the seconds since this watch was made."""
        return time.perf_counter() - self._started_s
