"""Serials: the channel's total order written as text that sorts like the order.

Owns the formats, ``<14-digit ms>-<3-digit counter>@<series>`` for a channel serial and ``<channel
serial>:<3-digit index>`` for a message serial (Ably spec TM2r; readers compare serials as plain strings),
and the clock that mints them: strictly increasing even if many messages share a millisecond or the wall
clock steps back. Does not know what a serial stands for.
"""

import re
from typing import Final

_COUNTER_MAX: Final = 999
_MS_MAX: Final = 10**14 - 1
MESSAGES_PER_FRAME_MAX: Final = 1000
"""What a three-digit index can number."""

_SHAPE: Final = re.compile(r"\d{14}-\d{3}@([^:@]+)(?::\d{3})?")


class SerialClock:
    """Mints increasing channel serials of one channel in one series."""

    __slots__ = ("_counter", "_ms", "head", "series")

    def __init__(self, series: str, now_ms: int) -> None:
        self.series = series
        self._ms = now_ms
        self._counter = 0
        self.head = self._text()
        """The newest serial handed out."""

    def _text(self) -> str:
        if not 0 <= self._ms <= _MS_MAX:
            raise ValueError(f"{self._ms} ms since 1970 does not fit 14 digits; pass Unix time in ns")
        return f"{self._ms:014}-{self._counter:03}@{self.series}"

    def next(self, now_ms: int) -> str:
        """Mint a serial above every earlier one; the counter absorbs ties and steps back of the clock."""
        if now_ms > self._ms:
            self._ms, self._counter = now_ms, 0
        elif self._counter < _COUNTER_MAX:
            self._counter += 1
        else:
            self._ms, self._counter = self._ms + 1, 0
        self.head = self._text()
        return self.head

    def mark(self, now_ms: int) -> str:
        """Return a serial for "everything up to now": fresh if time has moved, else the head.

        An attach point minted this way carries the time of the attach even on a silent channel.
        """
        return self.next(now_ms) if now_ms > self._ms else self.head

    def catch_up(self, channel_serial: str) -> None:
        """Continue above a serial read back from a store (of any series); an older one changes nothing."""
        ms, _, counter = channel_serial.partition("@")[0].partition("-")
        if (int(ms), int(counter)) > (self._ms, self._counter):
            self._ms, self._counter = int(ms), int(counter)
            self.head = self._text()


def message_serial(channel_serial: str, index: int) -> str:
    """Return the serial of message ``index`` of the frame with ``channel_serial``."""
    return f"{channel_serial}:{index:03}"


def channel_serial_of(serial: str) -> str:
    """Return the frame's channel serial for a message or channel serial."""
    return serial.partition(":")[0]


def serial_ms(serial: str) -> int:
    """Return the milliseconds since 1970 written in a well-formed serial."""
    return int(serial[:14])


def series_of(serial: str) -> str | None:
    """Return the series of a serial, or ``None`` for text that no service of this kind wrote."""
    match = _SHAPE.fullmatch(serial)
    return match[1] if match else None
