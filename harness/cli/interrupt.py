"""Ctrl-C at a moment that leaves everything usable.

Owns the signal handler of a run. The first interrupt takes effect between two runs, where no simulation
is half torn down and no foreign code can swallow it; a second one takes effect at once, for a run that
hangs.
"""

import signal
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import NoReturn

from harness.explore.conformance import Progress, Seen
from harness.results import Counterexample


@dataclass(slots=True)
class Interrupt:
    """Whether the user asked to stop."""

    wanted: bool = False

    def on_signal(self, _number: int, _frame: FrameType | None) -> None:
        """Take note; raise at once where note was taken before."""
        if self.wanted:
            _stop()
        self.wanted = True

    def check(self) -> None:
        """Raise KeyboardInterrupt if the user asked to stop."""
        if self.wanted:
            _stop()


def _stop() -> NoReturn:
    raise KeyboardInterrupt


@contextmanager
def interrupts() -> Iterator[Interrupt]:
    """Yield what notes interrupts in the meantime; outside the main thread nothing changes."""
    interrupt = Interrupt()
    if threading.current_thread() is not threading.main_thread():
        yield interrupt
        return
    before = signal.signal(signal.SIGINT, interrupt.on_signal)
    try:
        yield interrupt
    finally:
        signal.signal(signal.SIGINT, before)


@dataclass(frozen=True, slots=True)
class Interruptible:
    """Progress that stops between two runs when the user asked for it."""

    shown: Progress
    interrupt: Interrupt

    def scenario_started(self, adapter: str, scenario: str, examples: int) -> None:
        """Hand on."""
        self.interrupt.check()
        self.shown.scenario_started(adapter, scenario, examples)

    def ran(self, adapter: str, scenario: str, runs: int, violations: int, fired: Mapping[str, int]) -> None:
        """Hand on."""
        self.interrupt.check()
        self.shown.ran(adapter, scenario, runs, violations, fired)

    def shrinking(self, adapter: str, property_id: str) -> None:
        """Hand on."""
        self.interrupt.check()
        self.shown.shrinking(adapter, property_id)

    def found(self, adapter: str, property_id: str, counterexample: Counterexample, see: Seen) -> None:
        """Hand on."""
        self.interrupt.check()
        self.shown.found(adapter, property_id, counterexample, see)

    def scenario_done(self, adapter: str, scenario: str, runs: int, violations: int) -> None:
        """Hand on."""
        self.shown.scenario_done(adapter, scenario, runs, violations)
