"""History: the messages of one channel in their order of creation, each as its latest version.

Owns retention, pages in both directions, bounds and cursors. The invariant: a page costs its own length
plus a few binary searches, however long the log, and a cursor means the same item whatever was added or
expired meanwhile. Does not check capabilities and does not merge operations.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from harness.channel.errors import refusal
from harness.channel.messages import Message
from harness.channel.rules import PERSIST_LAST_MS, ChannelRule
from harness.channel.serials import channel_serial_of

PAGE_DEFAULT: Final = 100
PAGE_MAX: Final = 1000
_TRIM_AT: Final = 256
"""Expired messages are dropped in bulk from this many on, so that dropping costs O(1) per message."""
_LAST_INDEX: Final = ":999"


class Direction(StrEnum):
    """From which end a query reads; the limit counts from there."""

    BACKWARDS = "backwards"
    FORWARDS = "forwards"


@dataclass(frozen=True, slots=True)
class HistoryQuery:
    """A request for one page.

    ``start_ms`` and ``end_ms`` are inclusive. ``until_serial`` bounds the query to messages up to an attach
    point, itself included. ``cursor`` is the serial of the last message of the page before; take it from
    :attr:`HistoryPage.next`.
    """

    direction: Direction = Direction.BACKWARDS
    limit: int = PAGE_DEFAULT
    start_ms: int | None = None
    end_ms: int | None = None
    until_serial: str | None = None
    cursor: str | None = None

    def check(self) -> None:
        """Refuse an unusable query with 40003."""
        if not 1 <= self.limit <= PAGE_MAX:
            raise refusal(40003, f"the history limit is {self.limit}; it must be from 1 to {PAGE_MAX}")
        if self.start_ms is not None and self.end_ms is not None and self.start_ms > self.end_ms:
            raise refusal(40003, f"the history start {self.start_ms} lies after its end {self.end_ms}")


@dataclass(frozen=True, slots=True)
class HistoryPage:
    """One page in the query's direction, and the query for the page after it (``None`` on the last)."""

    items: tuple[Message, ...]
    next: HistoryQuery | None


class _Entry:
    """One message: its latest version and the versions that are kept one by one."""

    __slots__ = ("latest", "versions")

    def __init__(self, message: Message) -> None:
        self.latest = message
        self.versions = [message]


class MessageHistory:
    """All retained messages of one channel."""

    __slots__ = ("_entries", "_rule", "_serials", "_times")

    def __init__(self, rule: ChannelRule) -> None:
        self._rule = rule
        self._entries: list[_Entry] = []
        self._serials: list[str] = []
        self._times: list[int] = []

    def add(self, message: Message) -> None:
        """Append a created message, which must be the newest."""
        self._entries.append(_Entry(message))
        self._serials.append(message.serial)
        self._times.append(message.timestamp_ms)
        if len(self._times) % _TRIM_AT == 0:
            self._trim(message.timestamp_ms)

    def amend(self, merged: Message, *, keep_version: bool) -> None:
        """Make ``merged`` the latest version; appends are not kept one by one."""
        entry = self._entries[bisect_left(self._serials, merged.serial)]
        entry.latest = merged
        if keep_version:
            entry.versions.append(merged)

    def latest(self, serial: str, now_ms: int) -> Message | None:
        """Return the latest version of a retained message."""
        entry = self._entry(serial, now_ms)
        return entry.latest if entry else None

    def versions(self, serial: str, now_ms: int) -> tuple[Message, ...]:
        """Return the kept versions, oldest first, and the latest; empty if the message is not retained."""
        entry = self._entry(serial, now_ms)
        if entry is None:
            return ()
        kept = tuple(entry.versions)
        return kept if kept[-1] is entry.latest else (*kept, entry.latest)

    def page(self, query: HistoryQuery, now_ms: int) -> HistoryPage:
        """Return one page (Ably spec RSL2): latest versions at their position of creation."""
        query.check()
        low, high = self._bounds(query, now_ms)
        if query.direction is Direction.BACKWARDS:
            start = max(low, high - query.limit)
            chosen = self._entries[start:high][::-1]
            more = start > low
        else:
            chosen = self._entries[low : max(low, min(high, low + query.limit))]
            more = low + query.limit < high
        items = tuple([entry.latest for entry in chosen])
        return HistoryPage(items, replace(query, cursor=items[-1].serial) if more else None)

    def newest(self, count: int, now_ms: int) -> tuple[Message, ...]:
        """Return up to ``count`` newest messages, oldest first (rewind by count)."""
        return self.page(HistoryQuery(limit=count), now_ms).items[::-1]

    def since(self, start_ms: int, now_ms: int) -> tuple[Message, ...]:
        """Return the messages created at or after ``start_ms``, oldest first (rewind by duration)."""
        low = max(self._first(now_ms), bisect_left(self._times, start_ms))
        return tuple([entry.latest for entry in self._entries[low:]])

    def is_empty(self, now_ms: int) -> bool:
        """Whether nothing is retained any more."""
        return self._first(now_ms) == len(self._times) and not self._keeps_last(now_ms)

    def _bounds(self, query: HistoryQuery, now_ms: int) -> tuple[int, int]:
        low, high = self._first(now_ms), len(self._serials)
        if query.limit == 1 and self._keeps_last(now_ms):
            low = min(low, high - 1)
        if query.start_ms is not None:
            low = max(low, bisect_left(self._times, query.start_ms))
        if query.end_ms is not None:
            high = min(high, bisect_right(self._times, query.end_ms))
        if query.until_serial is not None:
            high = min(high, bisect_right(self._serials, channel_serial_of(query.until_serial) + _LAST_INDEX))
        if query.cursor is not None and query.direction is Direction.BACKWARDS:
            high = min(high, bisect_left(self._serials, query.cursor))
        elif query.cursor is not None:
            low = max(low, bisect_right(self._serials, query.cursor))
        return low, max(low, high)

    def _keeps_last(self, now_ms: int) -> bool:
        """Rule persistLast: the newest message outlives retention for a page or rewind of exactly one."""
        return self._rule.persist_last and bool(self._times) and self._times[-1] >= now_ms - PERSIST_LAST_MS

    def _first(self, now_ms: int) -> int:
        return bisect_left(self._times, now_ms - self._rule.retention_ms)

    def _trim(self, now_ms: int) -> None:
        expired = min(self._first(now_ms), len(self._times) - 1)
        if expired >= _TRIM_AT:
            del self._entries[:expired], self._serials[:expired], self._times[:expired]

    def _entry(self, serial: str, now_ms: int) -> _Entry | None:
        index = bisect_left(self._serials, serial, lo=self._first(now_ms))
        found = index < len(self._serials) and self._serials[index] == serial
        return self._entries[index] if found else None
