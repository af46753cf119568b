"""Owns the descriptors of simulated sockets, and a `select.poll` that answers for them without waiting.

Invariant: a poll answers from the state of simulated streams and never blocks; a real descriptor, or a poll
that would wait, is refused by the fence. HTTP clients ask in this way whether an idle connection was closed.
"""

import select
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

FIRST_DESCRIPTOR: Final = 1 << 28
"""Above every descriptor that an operating system gives out, so that a mix-up is noticed."""

_POLLIN: Final = getattr(select, "POLLIN", 1)


class Refusal(Protocol):
    """Raises the fence's error."""

    def __call__(self) -> Any:
        """Raise."""
        ...


class Descriptors:
    """Numbers for simulated sockets and whether each can be read without waiting."""

    __slots__ = ("_last", "_readable")

    def __init__(self) -> None:
        self._last = FIRST_DESCRIPTOR
        self._readable: dict[int, Callable[[], bool]] = {}

    def open(self, readable: Callable[[], bool]) -> int:
        """Return a new descriptor."""
        self._last += 1
        self._readable[self._last] = readable
        return self._last

    def close(self, descriptor: int) -> None:
        """Forget a descriptor."""
        self._readable.pop(descriptor, None)

    def readable(self, descriptor: int) -> bool | None:
        """Tell whether it can be read; None when it is none of ours."""
        found = self._readable.get(descriptor)
        return None if found is None else found()


class SimulatedPoll:
    """What `select.poll()` returns inside a run."""

    __slots__ = ("_descriptors", "_refuse", "_registered")

    def __init__(self, descriptors: Descriptors, refuse: Refusal) -> None:
        self._descriptors = descriptors
        self._refuse = refuse
        self._registered: dict[int, int] = {}

    def register(self, descriptor: Any, eventmask: int = _POLLIN) -> None:
        """Ask about a simulated descriptor; a real one is refused."""
        number = descriptor if isinstance(descriptor, int) else descriptor.fileno()
        if self._descriptors.readable(number) is None:
            self._refuse()
        self._registered[number] = eventmask

    def unregister(self, descriptor: Any) -> None:
        """Ask about it no more."""
        del self._registered[descriptor if isinstance(descriptor, int) else descriptor.fileno()]

    def poll(self, timeout_ms: float | None = None) -> Sequence[tuple[int, int]]:
        """Return what is readable now; a poll that would have to wait is refused."""
        ready = [
            (number, _POLLIN)
            for number, mask in self._registered.items()
            if mask & _POLLIN and self._descriptors.readable(number)
        ]
        if not ready and timeout_ms != 0:
            self._refuse()
        return ready
