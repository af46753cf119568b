"""One channel's log: the single place where its total order is made.

Owns serial and time stamping, idempotent publishes, and the consistency of the live window with history:
every non-ephemeral frame enters both, in one order, or neither. The store is asked first, so a failing
store leaves no trace. Does not know connections, capabilities or attachments.
"""

from collections import deque
from typing import Final, NamedTuple

from harness.channel.errors import refusal
from harness.channel.frames import Frame, Store
from harness.channel.history import HistoryPage, HistoryQuery, MessageHistory
from harness.channel.live import LiveWindow, Replay
from harness.channel.messages import (
    MESSAGE_BYTES_MAX,
    CheckedPublish,
    Message,
    MessageAction,
    Version,
    check_size,
)
from harness.channel.operations import merge
from harness.channel.rules import ChannelRule
from harness.channel.serials import SerialClock, message_serial, serial_ms, series_of

IDEMPOTENCY_MS: Final = 120_000
"""How long a publisher's message ids are remembered (Ably: two minutes)."""


class Published(NamedTuple):
    """``frame`` is ``None`` for a repeat, which gets its first serials again and is not delivered again."""

    serials: tuple[str, ...]
    frame: Frame | None


class Operated(NamedTuple):
    """``frame`` as ordered; ``merged`` is the whole message after the operation."""

    frame: Frame
    merged: Message


class ChannelLog:
    """Ordered messages of one channel.

    Times are Unix milliseconds; one that steps back counts as the last seen.
    """

    __slots__ = ("_clock", "_history", "_keys", "_keys_by_age", "_live", "_name", "_now_ms", "_store", "rule")

    def __init__(self, name: str, rule: ChannelRule, series: str, now_ms: int, store: Store) -> None:
        self.rule = rule
        self._name = name
        self._store = store
        self._now_ms = now_ms
        self._clock = SerialClock(series, now_ms)
        frames = tuple(store.load(name))
        if frames:
            self._clock = SerialClock(series, min(now_ms, frames[0].timestamp_ms))
        self._live = LiveWindow(rule, self._clock.head)
        self._history = MessageHistory(rule)
        self._keys: dict[str, tuple[str, ...]] = {}
        self._keys_by_age: deque[tuple[int, str]] = deque()
        for frame in frames:
            self._clock.catch_up(frame.channel_serial)
            self._now_ms = max(self._now_ms, frame.timestamp_ms)
            self._admit(frame)

    @property
    def head(self) -> str:
        """The newest serial of the channel."""
        return self._clock.head

    def mark(self, now_ms: int) -> str:
        """Return a serial for the present: after everything published, before everything to come."""
        return self._clock.mark(self._at(now_ms))

    def step(self, now_ms: int) -> str:
        """Return a serial of its own for something that is ordered here but kept elsewhere (presence)."""
        return self._clock.next(self._at(now_ms))

    def publish(
        self, checked: CheckedPublish, id_base: str, connection_id: str | None, now_ms: int
    ) -> Published:
        """Order one publish whose messages already carry their publisher's identity."""
        now_ms = self._at(now_ms)
        key = checked.idempotency_key
        if key is not None:
            self._forget_keys(now_ms)
            known = self._keys.get(key)
            if known is not None:
                return Published(known, None)
        channel_serial = self._clock.next(now_ms)
        stamped: list[Message] = []
        for index, draft in enumerate(checked.messages):
            serial = message_serial(channel_serial, index)
            stamped.append(
                Message(
                    draft.name,
                    draft.data,
                    draft.encoding,
                    draft.client_id,
                    draft.id or f"{id_base}:{index}",
                    draft.extras,
                    connection_id,
                    now_ms,
                    serial,
                    MessageAction.CREATE,
                    Version(serial, now_ms),
                )
            )
        frame = Frame(channel_serial, id_base, connection_id, now_ms, tuple(stamped), key, checked.ephemeral)
        self._record(frame)
        return Published(tuple([message.serial for message in stamped]), frame)

    def operate(
        self,
        operation: Message,
        operator_id: str | None,
        id_base: str,
        connection_id: str | None,
        now_ms: int,
    ) -> Operated:
        """Order an update, delete or append of the message that ``operation.serial`` names.

        Refusals: 40400 unknown serial, 40030 mismatched data, 40009 if the merged message grows too large.
        """
        now_ms = self._at(now_ms)
        target = self.message(operation.serial, now_ms)
        asked = operation.version or Version()
        described = Version("", now_ms, operator_id, asked.description, asked.metadata)
        check_size((merge(target, operation, described).merged,), MESSAGE_BYTES_MAX)
        channel_serial = self._clock.next(now_ms)
        version = Version(
            message_serial(channel_serial, 0), now_ms, operator_id, asked.description, asked.metadata
        )
        delivered, _ = merge(target, operation, version)
        frame = Frame(channel_serial, id_base, connection_id, now_ms, (delivered,))
        self._record(frame)
        return Operated(frame, self.message(operation.serial, now_ms))

    def message(self, serial: str, now_ms: int) -> Message:
        """Return the latest version of a message; 40400 if it is unknown or no longer retained."""
        found = self._history.latest(serial, self._at(now_ms))
        if found is None:
            raise refusal(40400, f"channel {self._name!r} holds no message with the serial {serial!r}")
        return found

    def versions(self, serial: str, now_ms: int) -> tuple[Message, ...]:
        """Return the versions of a message, oldest first; 40400 if it is unknown."""
        self.message(serial, now_ms)
        return self._history.versions(serial, self._at(now_ms))

    def replay(self, serial: str, now_ms: int) -> Replay:
        """Return the frames after ``serial``, or what is left of them and why."""
        return self._live.replay(serial, self._clock.head, self._at(now_ms))

    def page(self, query: HistoryQuery, now_ms: int) -> HistoryPage:
        """Return one page of history.

        Refusals: 40003 unusable query, 40024 attach point of another series, 90008 attach point older than
        the live window (by its own time, as documented; even if the messages are still held).
        """
        now_ms = self._at(now_ms)
        until = query.until_serial
        if until is not None:
            series = series_of(until)
            if series is None:
                raise refusal(40003, f"{until!r} is not a serial; pass the attach serial exactly as received")
            if series != self._clock.series:
                raise refusal(40024, "the attach point belongs to another series; attach again")
            if serial_ms(until) < now_ms - self.rule.live_window_ms:
                raise refusal(90008, "the attach point is older than the live window; attach again")
        return self._history.page(query, now_ms)

    def newest(self, count: int, now_ms: int) -> tuple[Message, ...]:
        """Return up to ``count`` newest messages, oldest first."""
        return self._history.newest(count, self._at(now_ms))

    def since(self, start_ms: int, now_ms: int) -> tuple[Message, ...]:
        """Return the retained messages created at or after ``start_ms``, oldest first."""
        return self._history.since(start_ms, self._at(now_ms))

    def is_idle(self, now_ms: int) -> bool:
        """Whether forgetting this log would be noticed by nobody."""
        now_ms = self._at(now_ms)
        self._forget_keys(now_ms)
        return not self._keys and self._live.is_empty(now_ms) and self._history.is_empty(now_ms)

    def _at(self, now_ms: int) -> int:
        self._now_ms = max(self._now_ms, now_ms)
        return self._now_ms

    def _record(self, frame: Frame) -> None:
        if not frame.ephemeral:
            self._store.append(self._name, frame)
        self._admit(frame)

    def _admit(self, frame: Frame) -> None:
        """Enter an ordered frame; also rebuilds the log from stored frames."""
        if frame.idempotency_key is not None:
            self._forget_keys(frame.timestamp_ms)
            self._keys[frame.idempotency_key] = tuple([message.serial for message in frame.messages])
            self._keys_by_age.append((frame.timestamp_ms, frame.idempotency_key))
        if frame.ephemeral:
            return
        self._live.append(frame)
        for message in frame.messages:
            if message.action is MessageAction.CREATE:
                self._history.add(message)
            else:
                self._amend(message, frame.timestamp_ms)

    def _amend(self, delivered: Message, now_ms: int) -> None:
        target = self._history.latest(delivered.serial, now_ms)
        if target is not None and delivered.version is not None:
            merged = merge(target, delivered, delivered.version).merged
            self._history.amend(merged, keep_version=delivered.action is not MessageAction.APPEND)

    def _forget_keys(self, now_ms: int) -> None:
        while self._keys_by_age and self._keys_by_age[0][0] < now_ms - IDEMPOTENCY_MS:
            del self._keys[self._keys_by_age.popleft()[1]]
