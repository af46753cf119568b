"""Owns every random number of a run.

There are named streams from one seed, and the standard library's sources are redirected to them.

Invariant: streams are independent, so one more draw in user code never reshuffles the schedule or the
network. The standard library's generators are seeded at the start of a run and given back, in the state they
had, at its end.

It does not decide anything. Other threads of the process keep the operating system's randomness, except that
they share the state of the global `random` functions.
"""

import os
import random
import uuid
from random import Random
from threading import get_ident
from typing import Any, Final, Literal

StreamName = Literal["schedule", "network", "ids", "user", "seeds"]
"""schedule: the policy; network: jitter; ids: urandom, secrets, uuid; user: `random`; seeds: `Random()`."""

_STREAMS: Final[dict[StreamName, int]] = {"schedule": 0, "network": 1, "ids": 2, "user": 3, "seeds": 4}

_NODE: Final = 0x02_00_00_00_00_01
"""The machine's address in uuid1.

A locally administered one, where the real one would differ from machine to machine.
"""

_real_urandom: Final = os.urandom
_real_getnode: Final = uuid.getnode
_real_seed: Final = Random.seed


class Entropy:
    """Seeded streams, created when first asked for (a generator costs 4 us, a toy run uses one)."""

    __slots__ = ("_owner", "_saved", "_seed", "_streams")

    def __init__(self, seed: int) -> None:
        # Random takes the absolute value of an integer seed: keep negative seeds apart from positive ones.
        self._seed = 2 * seed if seed >= 0 else -2 * seed - 1
        self._streams: dict[StreamName, Random] = {}
        self._saved: Any = None
        self._owner = 0

    def stream(self, name: StreamName) -> Random:
        """Return the generator of that name, always the same one."""
        found = self._streams.get(name)
        if found is None:
            found = self._streams[name] = Random(self._stream_seed(name))  # noqa: S311 - reproducibility is the purpose
        return found

    def _stream_seed(self, name: StreamName) -> int:
        return self._seed * len(_STREAMS) + _STREAMS[name]

    def install(self) -> None:
        """Seed the standard library's sources for this thread; undone by `uninstall`.

        Saving, seeding and restoring the global generator costs 14 us, the cheapest way that also reaches
        functions bound early with `from random import choice`.
        """
        self._owner = owner = get_ident()

        def urandom(size: int) -> bytes:
            return self.stream("ids").randbytes(size) if get_ident() == owner else _real_urandom(size)

        def seed(generator: Random, a: Any = None, version: int = 2) -> None:
            if a is None and get_ident() == owner:
                a = self.stream("seeds").getrandbits(64)
            _real_seed(generator, a, version)

        self._saved = random.getstate()
        random.seed(self._stream_seed("user"))
        os.urandom = urandom
        random._urandom = urandom  # type: ignore[attr-defined]  # noqa: SLF001 - SystemRandom and secrets bound it early
        uuid.getnode = lambda: _NODE
        Random.seed = seed  # type: ignore[assignment,method-assign]

    def uninstall(self) -> None:
        """Give the real sources back."""
        Random.seed = _real_seed  # type: ignore[method-assign]
        uuid.getnode = _real_getnode
        random._urandom = _real_urandom  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        os.urandom = _real_urandom
        random.setstate(self._saved)
