"""Garbage collection paced by runs instead of by allocations.

Owns one measured fact: what a run leaves behind in reference cycles is young, and is cheap to free soon after
the run. Left for longer it is freed from memory that no cache holds any more: once in 500 runs was a fifth
slower than once in four, and the collector's own triggers, which come in the middle of things, lie between.

Inside :func:`paced` the young are looked at after the run with which they have become more than
:data:`YOUNG_MAX`, and everything after every :data:`RUNS_BETWEEN_FULL`; what was alive before is exempt.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import count
from typing import Final

YOUNG_MAX: Final = 2_000
"""Four runs over messages, which leave some five hundred each; a vendor's SDK leaves more in one run."""
RUNS_BETWEEN_FULL: Final = 2_000
"""For what was kept for a while and then dropped."""

_YOUNG: Final = 0


@contextmanager
def paced() -> Iterator[Callable[[], None]]:
    """Turn automatic collection off; call what is yielded after every run."""
    was_enabled = gc.isenabled()
    gc.collect()
    gc.freeze()
    gc.disable()
    runs = count(1)

    def run_done() -> None:
        done = next(runs)
        if done % RUNS_BETWEEN_FULL == 0:
            gc.collect()
        elif gc.get_count()[_YOUNG] > YOUNG_MAX:
            gc.collect(_YOUNG)

    try:
        yield run_done
    finally:
        gc.unfreeze()
        if was_enabled:
            gc.enable()
