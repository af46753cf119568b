"""Numbers as people read them: durations, points in virtual time, ordinals, plurals.

Owns the spelling of quantities. Durations are exact: no digit that matters is rounded away.
"""

from typing import Final

from harness.plan import DAY, MINUTE, MS, SECOND

_HOUR: Final = 60 * MINUTE
_MICROSECOND: Final = 1_000
_SCALES: Final = ((DAY, "day"), (_HOUR, "h"), (MINUTE, "min"), (SECOND, "s"), (MS, "ms"))
_TEEN: Final = range(11, 14)


def plural(count: int, noun: str, many: str | None = None) -> str:
    """Return ``count`` with its noun: "1 device", "2 devices"."""
    return f"{count} {noun if count == 1 else many or f'{noun}s'}"


def ordinal(number: int) -> str:
    """Return "1st", "2nd", "3rd", "4th", "11th"..."""
    tail = "th" if number % 100 in _TEEN else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{tail}"


def duration(ns: int) -> str:
    """Return a duration with the unit that suits it: "40 ms", "1.5 s", "5 min", "3 days"."""
    if ns < 0:
        return f"-{duration(-ns)}"
    if ns == 0:
        return "0 s"
    for scale, unit in _SCALES:
        if ns >= scale:
            whole, rest = divmod(ns, scale)
            if scale >= MINUTE and rest:
                return f"{_spelled(whole, '', unit)} {duration(rest)}"
            return _spelled(whole, _fraction(rest, scale), unit)
    return f"{_decimal(ns, _MICROSECOND)} us"


def _spelled(whole: int, fraction: str, unit: str) -> str:
    return plural(whole, "day") if unit == "day" else f"{whole}{fraction} {unit}"


def _decimal(ns: int, scale: int) -> str:
    whole, rest = divmod(ns, scale)
    return f"{whole}{_fraction(rest, scale)}"


def _fraction(rest: int, scale: int) -> str:
    digits = f"{rest:0{len(str(scale)) - 1}d}".rstrip("0")
    return f".{digits}" if digits else ""


def instant(ns: int, *, digits: int = 3) -> str:
    """Return a point in virtual time: "1.005", "5:01.005", "3d 04:00:01.005" (seconds last)."""
    days, rest = divmod(ns, DAY)
    hours, rest = divmod(rest, _HOUR)
    minutes, rest = divmod(rest, MINUTE)
    seconds, rest = divmod(rest, SECOND)
    tail = f".{rest:09d}"[: digits + 1]
    if days:
        return f"{days}d {hours:02d}:{minutes:02d}:{seconds:02d}{tail}"
    if hours:
        return f"{hours}:{minutes:02d}:{seconds:02d}{tail}"
    if minutes:
        return f"{minutes}:{seconds:02d}{tail}"
    return f"{seconds}{tail}"


def instant_digits(instants_ns: tuple[int, ...]) -> int:
    """Return how many digits of a second tell these instants exactly: 3, 6 or 9."""
    for digits, unit in ((3, MS), (6, _MICROSECOND)):
        if all(at % unit == 0 for at in instants_ns):
            return digits
    return 9
