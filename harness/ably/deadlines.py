"""Deadlines of many sessions, the nearest first.

Owns the heap; a deadline that was replaced stays in it as a superseded entry until it comes up. Does not act.
"""

import heapq


class Deadlines:
    """One deadline per id, or none."""

    __slots__ = ("_due_ns", "_heap")

    def __init__(self) -> None:
        self._due_ns: dict[int, int] = {}
        self._heap: list[tuple[int, int]] = []

    def set(self, owner: int, due_ns: int | None) -> None:
        """Replace the deadline of ``owner``; ``None`` removes it."""
        if due_ns is None:
            self._due_ns.pop(owner, None)
        elif self._due_ns.get(owner) != due_ns:
            self._due_ns[owner] = due_ns
            if len(self._heap) > 64 + 4 * len(self._due_ns):
                self._heap = [(due, it) for it, due in self._due_ns.items()]
                heapq.heapify(self._heap)
            else:
                heapq.heappush(self._heap, (due_ns, owner))

    def next_ns(self) -> int | None:
        """Return the nearest deadline."""
        while self._heap:
            due_ns, owner = self._heap[0]
            if self._due_ns.get(owner) == due_ns:
                return due_ns
            heapq.heappop(self._heap)
        return None

    def pop_due(self, now_ns: int) -> int | None:
        """Take the owner of the nearest deadline if it has come."""
        due_ns = self.next_ns()
        if due_ns is None or due_ns > now_ns:
            return None
        owner = heapq.heappop(self._heap)[1]
        del self._due_ns[owner]
        return owner
