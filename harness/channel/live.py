"""The live window: the recent frames from which an interrupted subscriber continues.

Owns "nothing lost, nothing twice" for resumption (Ably spec RTL4c1) and the explicit discontinuities beyond
it (90003, 90004, 90005). The invariant: a replay without an error starts directly after the given serial. A
serial is covered while every frame after it is still held, so silence never makes it too old. Does not
serve history; ephemeral frames never come here.
"""

from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from typing import Final

from harness.channel.errors import ErrorInfo, error_info
from harness.channel.frames import Frame
from harness.channel.rules import ChannelRule
from harness.channel.serials import channel_serial_of, series_of

_TRIM_AT: Final = 256
"""Expired frames are dropped in bulk from this many on, so that dropping costs O(1) per frame."""


@dataclass(frozen=True, slots=True)
class Replay:
    """What an attach with a serial receives.

    ``error`` set means that messages may be missing before ``frames``.
    """

    frames: tuple[Frame, ...]
    after_serial: str
    error: ErrorInfo | None


class LiveWindow:
    """The frames of the last ``rule.live_window_ms`` of one channel."""

    __slots__ = ("_first", "_floor", "_frames", "_rule", "_serials", "_times")

    def __init__(self, rule: ChannelRule, floor: str) -> None:
        self._rule = rule
        self._frames: list[Frame] = []
        self._serials: list[str] = []
        self._times: list[int] = []
        self._first = 0
        self._floor = floor

    def append(self, frame: Frame) -> None:
        """Add the newest frame."""
        self._frames.append(frame)
        self._serials.append(frame.channel_serial)
        self._times.append(frame.timestamp_ms)
        if len(self._times) % _TRIM_AT == 0:
            self._expire(frame.timestamp_ms)

    def is_empty(self, now_ms: int) -> bool:
        """Whether nothing is left to replay."""
        self._expire(now_ms)
        return self._first == len(self._frames)

    def _expire(self, now_ms: int) -> None:
        first = bisect_left(self._times, now_ms - self._rule.live_window_ms)
        if first > self._first:
            self._first = first
            self._floor = self._serials[first - 1]
        if self._first >= _TRIM_AT:
            del self._frames[: self._first], self._serials[: self._first], self._times[: self._first]
            self._first = 0

    def replay(self, serial: str, head: str, now_ms: int) -> Replay:
        """Return what follows ``serial`` up to ``head``, the newest serial of the channel.

        90005: the serial is of another series, no serial at all, or ahead of this channel (its state was
        lost); nothing is replayed. 90003: older than the window; replays from the earliest frame held (the
        error catalogue's reading; a reference server attaches at the head instead). 90004: more than one
        replay may hold; replays the newest that fit.
        """
        self._expire(now_ms)
        after = channel_serial_of(serial)
        if series_of(serial) != series_of(head) or after > head:
            return Replay(
                (), head, error_info(90005, f"the serial {serial!r} is not of this channel's series")
            )
        error = None
        start = bisect_right(self._serials, after)
        if after < self._floor:
            start = self._first
            error = error_info(90003, "the serial is older than the live window; messages may be lost")
            after = self._floor
        fitting = self._newest_fitting(start)
        if fitting > start:
            start = fitting
            error = error_info(
                90004, f"more than {self._rule.replay_messages_max} messages were missed; some are lost"
            )
            after = self._serials[start - 1]
        return Replay(tuple(self._frames[start:]), after, error)

    def _newest_fitting(self, start: int) -> int:
        """Return the least index from ``start`` on whose frames fit one replay."""
        room = self._rule.replay_messages_max
        for index in range(len(self._frames) - 1, start - 1, -1):
            room -= len(self._frames[index].messages)
            if room < 0:
                return index + 1
        return start
