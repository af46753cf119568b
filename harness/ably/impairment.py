"""Faults on one socket: bytes that come late, in both directions.

Owns two queues of bytes with the time at which each may pass. Nothing is lost or reordered, as TCP has it; a
black hole is a delay without an end. Does not close sockets or know what the bytes are.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Final

HELD_BYTES_MAX: Final = 4 * 1024 * 1024
"""More than this in one direction ends the socket, as a full send buffer would."""
NEVER_NS: Final = 1 << 62


@dataclass(slots=True)
class Lane:
    """One direction."""

    queue: deque[tuple[int, bytes]] = field(default_factory=deque)
    held_bytes: int = 0

    def put(self, due_ns: int, data: bytes) -> bool:
        """Hold ``data`` until ``due_ns``, and not before what came earlier; ``False`` if too much is held."""
        if self.queue:
            due_ns = max(due_ns, self.queue[-1][0])
        self.queue.append((due_ns, data))
        self.held_bytes += len(data)
        return self.held_bytes <= HELD_BYTES_MAX

    def take(self, now_ns: int) -> list[bytes]:
        """Return what may pass now."""
        passed: list[bytes] = []
        while self.queue and self.queue[0][0] <= now_ns:
            passed.append(self.queue.popleft()[1])
            self.held_bytes -= len(passed[-1])
        return passed


@dataclass(slots=True)
class Impairment:
    """``delay_ns`` for every byte, and nothing before ``hold_until_ns``."""

    delay_ns: int = 0
    hold_until_ns: int = 0
    inbound: Lane = field(default_factory=Lane)
    outbound: Lane = field(default_factory=Lane)

    def due_ns(self, now_ns: int) -> int:
        """Return when a byte that arrives now may pass."""
        return max(now_ns + self.delay_ns, self.hold_until_ns)

    def next_due_ns(self) -> int | None:
        """Return when something may pass."""
        heads = [lane.queue[0][0] for lane in (self.inbound, self.outbound) if lane.queue]
        return min(heads, default=None)

    def release(self) -> None:
        """Let everything that is held pass at once."""
        self.delay_ns = self.hold_until_ns = 0
        for lane in (self.inbound, self.outbound):
            lane.queue = deque([(0, data) for _, data in lane.queue])
