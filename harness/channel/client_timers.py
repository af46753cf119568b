"""The client's deadlines: several kinds of waiting behind the one timer that its shell keeps.

Owns which deadline comes first, with ties broken by kind and then by age, so that two runs agree.
Does not know what a deadline means; ``client_core`` does.
"""

from enum import IntEnum, auto


class TimerKind(IntEnum):
    """What the client waits for; the later ones exist once per channel or token."""

    ATTEMPT = auto()
    RETRY = auto()
    SUSPEND = auto()
    CLOSE = auto()
    IDLE = auto()
    CHANNEL_ANSWER = auto()
    CHANNEL_RETRY = auto()
    REQUEST = auto()


class ClientTimers:
    """Deadlines by kind and subject (a channel's name, a token, or nothing)."""

    __slots__ = ("_at_ns", "changed")

    def __init__(self) -> None:
        self._at_ns: dict[tuple[TimerKind, str | int], int] = {}
        self.changed = False
        """Whether a deadline came or went since its owner last looked (and set this back)."""

    def start(self, kind: TimerKind, at_ns: int, subject: str | int = "") -> None:
        """Set a deadline, replacing the one of the same kind and subject."""
        self._at_ns[(kind, subject)] = at_ns
        self.changed = True

    def start_once(self, kind: TimerKind, at_ns: int, subject: str | int = "") -> None:
        """Set a deadline unless there is one."""
        self._at_ns.setdefault((kind, subject), at_ns)
        self.changed = True

    def cancel(self, kind: TimerKind, subject: str | int = "") -> None:
        """Forget a deadline, if there is one."""
        if self._at_ns.pop((kind, subject), None) is not None:
            self.changed = True

    def clear(self) -> None:
        """Forget all deadlines."""
        self._at_ns.clear()
        self.changed = True

    @property
    def nearest_ns(self) -> int | None:
        """The earliest deadline."""
        return min(self._at_ns.values()) if self._at_ns else None

    def pop_due(self, now_ns: int) -> tuple[TimerKind, str | int] | None:
        """Take the earliest deadline that is not after ``now_ns``."""
        if not self._at_ns:
            return None
        key, at_ns = min(self._at_ns.items(), key=lambda item: (item[1], item[0][0]))
        if at_ns > now_ns:
            return None
        del self._at_ns[key]
        self.changed = True
        return key
