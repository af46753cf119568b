"""Where requests are kept: one durable record each, changed by compare-and-set only.

Owns the durable form of a request. :class:`Store` is the seam: anything that reads a record and replaces it
atomically will do, and several agent processes may share one.

Invariant: ``replace`` is atomic and durable when it returns True, and changes nothing when it returns
False. No caller ever writes without saying what it believes to be there.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Final, Protocol

from pydantic import TypeAdapter

from harness.model import CallId
from harness.sim import Disk

from .request import Request

_PREFIX: Final = "request/"
_CODEC: Final = TypeAdapter(Request)


class Store(Protocol):
    """The durable records of requests, by call."""

    def load(self, call: CallId) -> Request | None:
        """Return the record of ``call``, None where there is none."""

    def replace(self, before: Request | None, after: Request) -> bool:
        """Write ``after`` if ``before`` (None: nothing) is what is there; return whether it was."""

    def all(self) -> Iterator[Request]:
        """Yield every record, in the order of the calls' ids."""


class EncodedStore(ABC):
    """A :class:`Store` over anything that swaps bytes; remembers what it read last, to parse it once."""

    def __init__(self) -> None:
        self._read: dict[CallId, tuple[bytes, Request]] = {}

    def load(self, call: CallId) -> Request | None:
        """Return the record of ``call``; raises pydantic.ValidationError where it is damaged."""
        found = self._find(call)
        if found is None:
            return None
        known = self._read.get(call)
        if known is None or known[0] != found:
            known = self._read[call] = (found, _CODEC.validate_json(found))
        return known[1]

    def replace(self, before: Request | None, after: Request) -> bool:
        """Write ``after`` if ``before`` is what is there; return whether it was."""
        written = _CODEC.dump_json(after)
        if not self._swap(after.call, self._bytes(before), written):
            return False
        self._read[after.call] = (written, after)
        return True

    def all(self) -> Iterator[Request]:
        """Yield every record, in the order of the calls' ids."""
        for call in self._calls():
            request = self.load(call)
            if request is not None:
                yield request

    def _bytes(self, before: Request | None) -> bytes | None:
        if before is None:
            return None
        known = self._read.get(before.call)
        return known[0] if known is not None and known[1] is before else _CODEC.dump_json(before)

    @abstractmethod
    def _find(self, call: CallId) -> bytes | None:
        """Return the bytes of a record, None where there is none."""

    @abstractmethod
    def _swap(self, call: CallId, expected: bytes | None, written: bytes) -> bool:
        """Write in one durable step if ``expected`` (None: nothing) is there; return whether it was."""

    @abstractmethod
    def _calls(self) -> list[CallId]:
        """Return the calls that have a record, sorted."""


class DiskStore(EncodedStore):
    """A :class:`Store` over a durable disk."""

    def __init__(self, disk: Disk) -> None:
        super().__init__()
        self._disk = disk

    def _find(self, call: CallId) -> bytes | None:
        return self._disk.read(_PREFIX + call)

    def _swap(self, call: CallId, expected: bytes | None, written: bytes) -> bool:
        return self._disk.compare_and_swap(_PREFIX + call, expected, written)

    def _calls(self) -> list[CallId]:
        return [CallId(key.removeprefix(_PREFIX)) for key in sorted(self._disk.keys(_PREFIX))]
