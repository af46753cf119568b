"""The machine's own clock and randomness, for servers that run outside of a simulation.

Owns the only two places where this package touches either. A simulated world hands in its own instead.
"""

import secrets
import time


def wall_ns() -> int:
    """Return Unix time in nanoseconds."""
    return time.time_ns()


def fresh_text() -> str:
    """Return text that nobody can guess, 32 characters."""
    return secrets.token_hex(16)
