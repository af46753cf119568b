"""Owns durable storage: a key-value disk of bytes whose writes a crash may lose until they are synced.

Invariant: what was synced survives every crash; what was not survives as the crash says (lost, kept or torn).
A writer that is dead changes nothing. Readers see unsynced writes at once, as a page cache shows them.

A disk belongs to a host, or is shared by several; then a crash of one loses only its own unsynced writes.
"""

import asyncio
from collections.abc import Callable
from enum import StrEnum
from typing import Any, Final, NamedTuple

from harness.sim.clock import NS_PER_SECOND
from harness.sim.incarnation import HERE, Incarnation, halt_if_dead


class Unsynced(StrEnum):
    """What becomes of unsynced writes in a power cut."""

    LOST = "lost"
    KEPT = "kept"
    TORN = "torn"
    """The first half of the writes is there, the next one is cut in the middle, the rest is gone."""


class _Write(NamedTuple):
    """One unsynced write; a NamedTuple because a disk write is on the path of every simulated request."""

    number: int
    host_name: str
    key: str
    value: bytes | None


class Disk:
    """A key-value disk. Made by `Host.disk` and `Simulation.shared_disk`.

    `boundary` is told "write", "swap" or "sync" after each such step of the current host. `sync_latency_ns`
    is the virtual time a sync takes; with 0 it is still a scheduling point.
    """

    __slots__ = (
        "_boundary",
        "_durable",
        "_settled",
        "_unsynced",
        "_visible",
        "_writes",
        "name",
        "sync_latency_ns",
    )

    def __init__(
        self, name: str, boundary: Callable[[Incarnation, str], Any], *, sync_latency_ns: int = 0
    ) -> None:
        self.name: Final = name
        self.sync_latency_ns = sync_latency_ns
        self._boundary = boundary
        self._durable: dict[str, bytes] = {}
        self._visible: dict[str, bytes] = {}
        self._unsynced: list[_Write] = []
        self._settled: dict[str, int] = {}
        self._writes = 0

    def detach(self) -> None:
        """Report no more boundary steps: the run is over."""
        self._boundary = _unheard

    def read(self, key: str) -> bytes | None:
        """Return the value last written, synced or not; None when there is none."""
        return self._visible.get(key)

    def keys(self, prefix: str = "") -> list[str]:
        """Return the keys that begin with `prefix`, sorted."""
        return sorted(key for key in self._visible if key.startswith(prefix))

    def write(self, key: str, value: bytes) -> None:
        """Write, without syncing."""
        self._note(key, bytes(value))

    def delete(self, key: str) -> None:
        """Remove a key, without syncing; a key that is not there is fine."""
        self._note(key, None)

    def _note(self, key: str, value: bytes | None) -> None:
        here = HERE.get()
        if here is not None and not here.alive:
            return
        self._writes += 1
        self._unsynced.append(_Write(self._writes, "" if here is None else here.host_name, key, value))
        _apply(self._visible, key, value)
        if here is not None:
            self._boundary(here, "write")

    def compare_and_swap(self, key: str, expected: bytes | None, new: bytes | None) -> bool:
        """Replace the value in one atomic, durable step if it is `expected` (None: absent).

        Tells whether it was.

        A dead writer is told False.
        """
        here = HERE.get()
        if (here is not None and not here.alive) or self._visible.get(key) != expected:
            return False
        self._unsynced = [write for write in self._unsynced if write.key != key]
        self._writes += 1
        _apply(self._visible, key, new)
        self._settle(_Write(self._writes, "", key, new))
        if here is not None:
            self._boundary(here, "swap")
        return True

    async def sync(self) -> None:
        """Make the current host's writes so far durable. Never returns into a host that died meanwhile."""
        here = HERE.get()
        owner = "" if here is None else here.host_name
        pending = [write for write in self._unsynced if write.host_name == owner]
        await asyncio.sleep(self.sync_latency_ns / NS_PER_SECOND)
        if here is not None and not here.alive:
            return
        for write in pending:
            self._settle(write)
        last = pending[-1].number if pending else 0
        self._unsynced = [
            write for write in self._unsynced if write.host_name != owner or write.number > last
        ]
        if here is not None:
            self._boundary(here, "sync")
        await halt_if_dead()

    def _settle(self, write: _Write) -> None:
        """Make one write durable, unless a later write of the same key already is."""
        if write.number > self._settled.get(write.key, 0):
            self._settled[write.key] = write.number
            _apply(self._durable, write.key, write.value)

    def power_cut(self, host_name: str, unsynced: Unsynced) -> None:
        """Settle the unsynced writes of a host that crashed."""
        mine = [write for write in self._unsynced if write.host_name == host_name]
        self._unsynced = [write for write in self._unsynced if write.host_name != host_name]
        for write in _survivors(mine, unsynced):
            self._settle(write)
        self._visible = dict(self._durable)
        for write in self._unsynced:
            _apply(self._visible, write.key, write.value)


def _unheard(_incarnation: Incarnation, _kind: str) -> None:
    """Take the place of a boundary hook after the run."""


def _survivors(writes: list[_Write], unsynced: Unsynced) -> list[_Write]:
    match unsynced:
        case Unsynced.LOST:
            return []
        case Unsynced.KEPT:
            return writes
        case Unsynced.TORN:
            whole = len(writes) // 2
            torn = [
                write._replace(value=write.value[: len(write.value) // 2])
                for write in writes[whole : whole + 1]
                if write.value is not None
            ]
            return writes[:whole] + torn


def _apply(cells: dict[str, bytes], key: str, value: bytes | None) -> None:
    if value is None:
        cells.pop(key, None)
    else:
        cells[key] = value
