"""Presence: who is on one channel, and what they said about themselves.

Owns the member set (Ably spec RTP2: one member per connection and client id), its limits, the pages in which
it is brought to a new subscriber, and the recent history of changes. The invariant: applying the announced
changes in order to an empty set gives the member set. Does not check capabilities, deliver, or decide when a
lost connection's members leave (``hub`` and ``service`` do).
"""

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from itertools import islice
from typing import Final, NamedTuple

from harness.channel.errors import refusal
from harness.channel.frozen_json import Json
from harness.channel.history import Direction, HistoryQuery
from harness.channel.messages import Data, Message, check_extras, check_size

MEMBERS_MAX: Final = 200
"""Most members of one channel, unless its service says otherwise (Ably account limits)."""
SYNC_PAGE: Final = 100
"""Members in one page of a sync; readers have to follow the cursor anyway."""
HISTORY_MAX: Final = 10_000
"""Changes remembered per channel, so that a restless member costs bounded memory."""


class PresenceAction(IntEnum):
    """What a presence message says (spec TP2)."""

    ABSENT = 0
    PRESENT = 1
    ENTER = 2
    LEAVE = 3
    UPDATE = 4


CLIENT_ACTIONS: Final = frozenset({PresenceAction.ENTER, PresenceAction.LEAVE, PresenceAction.UPDATE})


@dataclass(frozen=True, slots=True)
class PresenceMessage:
    """One statement about one member. A client fills ``action`` to ``extras``; the server writes the rest.

    ``id`` is ``<connection id>:<msg serial>:<index>``, or starts otherwise if the server speaks for a member
    that is gone (spec RTP2b1). One that a client fills in counts only as :meth:`PresenceSet.repeats` says.
    """

    action: PresenceAction
    client_id: str | None = None
    data: Data = None
    encoding: str | None = None
    extras: Mapping[str, Json] | None = None
    id: str = ""
    connection_id: str | None = None
    timestamp_ms: int = 0


class PresencePage(NamedTuple):
    """One page of presence history and the query for the next, ``None`` on the last."""

    items: tuple[PresenceMessage, ...]
    next: HistoryQuery | None


class _Change(NamedTuple):
    """A change as remembered: its place among all, and in the order of the channel."""

    number: int
    serial: str
    message: PresenceMessage


def check_presence(message: PresenceMessage, bytes_max: int) -> PresenceMessage:
    """Check form and size. Refusals: 40030 an action that clients may not send, 40032 extras, 40009 size."""
    if message.action not in CLIENT_ACTIONS:
        raise refusal(40030, f"a client may not announce the presence action {message.action.name.lower()}")
    extras = None if message.extras is None else check_extras(message.extras)
    sized = Message(data=message.data, client_id=message.client_id, extras=extras)
    check_size((sized,), bytes_max)
    return replace(message, extras=extras)


class PresenceSet:
    """The members of one channel. Times are Unix milliseconds."""

    __slots__ = ("_changes", "_count", "_members", "_members_max", "_retention_ms")

    def __init__(self, retention_ms: int, members_max: int = MEMBERS_MAX) -> None:
        self._members_max = members_max
        self._retention_ms = retention_ms
        self._members: dict[tuple[str | None, str | None], PresenceMessage] = {}
        self._changes: deque[_Change] = deque(maxlen=HISTORY_MAX)
        self._count = 0

    def __len__(self) -> int:
        return len(self._members)

    @property
    def members(self) -> tuple[PresenceMessage, ...]:
        """Everybody present, in order of entry."""
        return tuple(self._members.values())

    def _apply(self, message: PresenceMessage) -> PresenceMessage | None:
        """Return what to announce.

        An update by somebody who is not present is an entry; a leave by such a one is nothing; a leave
        without data carries the member's last.
        """
        key = (message.connection_id, message.client_id)
        known = key in self._members
        if message.action is PresenceAction.LEAVE:
            if not known:
                return None
            left = self._members.pop(key)
            if message.data is None:
                message = replace(message, data=left.data, encoding=left.encoding)
        else:
            if message.action is PresenceAction.UPDATE and not known:
                message = replace(message, action=PresenceAction.ENTER)
            self._members[key] = replace(message, action=PresenceAction.PRESENT)
        return message

    def admit(self, messages: Sequence[PresenceMessage], serial: str) -> tuple[PresenceMessage, ...]:
        """Apply stamped changes, all or none, and return what to announce; 91003 for too many members."""
        entering = {
            (message.connection_id, message.client_id)
            for message in messages
            if message.action is not PresenceAction.LEAVE
        } - self._members.keys()
        if len(self._members) + len(entering) > self._members_max:
            raise refusal(91003, f"the channel would have more than {self._members_max} members")
        changes = tuple([change for change in map(self._apply, messages) if change is not None])
        for change in changes:
            self._count += 1
            self._changes.append(_Change(self._count, serial, change))
        return changes

    def repeats(self, message: PresenceMessage, claimed_id: str) -> bool:
        """Whether a client enters again as the very member that is present (spec RTP17g): no change."""
        member = self._members.get((message.connection_id, message.client_id))
        return (
            member is not None
            and member.id == claimed_id
            and message.action is not PresenceAction.LEAVE
            and (member.data, member.encoding, member.extras)
            == (message.data, message.encoding, message.extras)
        )

    def of_connection(self, connection_id: str) -> tuple[PresenceMessage, ...]:
        """Return the members that one connection has entered."""
        return tuple([member for key, member in self._members.items() if key[0] == connection_id])

    def pages(self) -> list[tuple[PresenceMessage, ...]]:
        """Return the members in the pages of a sync."""
        members = iter(self._members.values())
        return list(iter(lambda: tuple(islice(members, SYNC_PAGE)), ()))

    def is_idle(self, now_ms: int) -> bool:
        """Whether nobody is present and nothing is remembered any more."""
        self._forget(now_ms)
        return not self._members and not self._changes

    def history(self, query: HistoryQuery, now_ms: int) -> PresencePage:
        """Return one page of changes. The cursor is the number of the last change of the page before."""
        query.check()
        self._forget(now_ms)
        chosen = [
            it
            for it in self._changes
            if (query.start_ms is None or it.message.timestamp_ms >= query.start_ms)
            and (query.end_ms is None or it.message.timestamp_ms <= query.end_ms)
            and (query.until_serial is None or it.serial <= query.until_serial)
        ]
        after = _cursor(query.cursor)
        if query.direction is Direction.BACKWARDS:
            chosen.reverse()
            chosen = [it for it in chosen if after is None or it.number < after]
        else:
            chosen = [it for it in chosen if after is None or it.number > after]
        page = chosen[: query.limit]
        more = len(chosen) > len(page)
        return PresencePage(
            tuple([it.message for it in page]), replace(query, cursor=str(page[-1].number)) if more else None
        )

    def _forget(self, now_ms: int) -> None:
        while self._changes and self._changes[0].message.timestamp_ms < now_ms - self._retention_ms:
            self._changes.popleft()


def _cursor(text: str | None) -> int | None:
    if text is None:
        return None
    if not text.isdecimal() or len(text) > 18:  # noqa: PLR2004 - digits of a 64-bit number
        raise refusal(40003, f"{text!r} is no cursor; pass the one of the page before")
    return int(text)
