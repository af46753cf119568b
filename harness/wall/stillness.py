"""When a run in real time is over: everything happened, or nothing stirs any more.

Owns the notion of stillness. All is still when nobody is thinking, no fault is to come, no call that has to
return is under way, no host is without the connection that a fault took from it, and then neither a byte nor
an event was seen for a while. That while is counted in turns of this process's event loop, not on the clock:
a machine that is busy with other things makes everybody slow, and nothing still.

Invariant: stillness only ends a wait; no property is judged by it.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from harness.trace import AnswerSent, HostCrashed, ReceiptGiven
from harness.wall.calendar import WallCalendar
from harness.wall.faults import WallFaults
from harness.world.boundary import Boundary
from harness.world.recorder import Recorder

PATIENCE_S: Final = 30.0
"""How long a run waits for another event; longer than an SDK's connection timeout and retry (25 s)."""
RUN_S_MAX: Final = 180.0
"""How long a run may take at all, however much goes on in it."""
TURN_S: Final = 0.02


@dataclass(frozen=True, slots=True)
class Span:
    """How long nothing must have stirred, in seconds of turns; ``chatty_s`` where bytes move all the time."""

    still_s: float
    chatty_s: float = PATIENCE_S


ARRIVED: Final = Span(still_s=PATIENCE_S)
UNDECIDED: Final = Span(still_s=2.0)
"""Longer than any pause between two attempts of a client that is connected (1 s)."""
UNDECIDED_APART: Final = Span(still_s=8.0)
"""Where hosts are processes of their own, which may wait for the processor while this one does not."""
SETTLED: Final = Span(still_s=1.0, chatty_s=5.0)
SETTLED_APART: Final = Span(still_s=3.0, chatty_s=5.0)


@dataclass(slots=True)
class Watch:
    """Watches one run; ``bytes_seen`` counts what passed its services, 0 where that cannot be seen."""

    recorder: Recorder
    calendar: WallCalendar
    boundary: Boundary
    faults: WallFaults
    bytes_seen: Callable[[], int]

    async def wait(self, over: Callable[[], bool], span: Span, *, for_people: bool) -> None:
        """Wait until ``over``, or until all is still, or until patience runs out.

        With ``for_people`` somebody who is thinking, or a fault that is to come, is worth waiting for.
        """
        loop = asyncio.get_running_loop()
        began_s = stirred_s = loop.time()
        seen, turns, silent_turns = self._reading(), 0, 0
        while not over() and loop.time() < min(stirred_s + PATIENCE_S, began_s + RUN_S_MAX):
            await asyncio.sleep(TURN_S)
            now = self._reading()
            if now[0] != seen[0]:
                stirred_s = loop.time()
            if now[0] != seen[0] or self._under_way(for_people=for_people):
                turns = silent_turns = 0
            else:
                turns, silent_turns = (turns + 1 if now == seen else 0), silent_turns + 1
            seen = now
            visible = now[1] > 0
            if (visible and turns * TURN_S >= span.still_s) or silent_turns * TURN_S >= span.chatty_s:
                return

    def _reading(self) -> tuple[int, int]:
        return len(self.recorder.entries), self.bytes_seen()

    def _under_way(self, *, for_people: bool) -> bool:
        return (
            (for_people and not self.calendar.idle)
            or self.boundary.busy
            or self.faults.awaits_reconnects
            or self._open_presses()
        )

    def _open_presses(self) -> bool:
        """Return whether a device that is up owes a receipt."""
        owed: dict[str, str] = {}
        for entry in self.recorder.entries:
            match entry:
                case AnswerSent(answer=answer, host=host):
                    owed[answer] = host
                case ReceiptGiven(answer=answer):
                    owed.pop(answer, None)
                case HostCrashed(host=host):
                    owed = {answer: where for answer, where in owed.items() if where != host}
        return bool(owed)
