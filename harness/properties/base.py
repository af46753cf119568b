"""What a property is, what judging a trace says, and how one judgement is worded.

Owns the records that every family of properties shares. A property is a pure function of one indexed trace
and of the terms that a manifest declares; it never reads a clock, a plan or an implementation.

Invariant: a judgement tells three things apart and never guesses between them: what was seen to break
(``findings``), what could not be told (``unknown``), and how often the premise was met at all
(``exercised``). This module judges nothing itself.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final

from harness.model import Guarantee, Level, OnUnauthorised, Style
from harness.properties.index import Index
from harness.trace import Trace

SECOND_NS: Final = 1_000_000_000
HOUR_NS: Final = 3_600 * SECOND_NS
DAY_NS: Final = 24 * HOUR_NS


class Status(StrEnum):
    """The verdict on one property of one implementation, over one run or many."""

    HOLDS = "holds"
    VIOLATED = "violated"
    NOT_OFFERED = "not offered"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True)
class Finding:
    """One plain sentence with names from the trace, and the events (by ``seq``) that show it."""

    sentence: str
    events: tuple[int, ...]
    level: Level = Level.MUST


@dataclass(slots=True)
class Judgement:
    """What one trace says about one property.

    ``exercised`` counts how often the premise was met: 0 means that this trace says nothing. ``unknown``
    holds what could not be judged, each with the reason in its sentence.
    """

    exercised: int = 0
    findings: list[Finding] = field(default_factory=list)
    unknown: list[Finding] = field(default_factory=list)

    def find(self, sentence: str, *events: int, level: Level = Level.MUST) -> None:
        """Add a finding that ``events`` show."""
        self.findings.append(Finding(sentence, tuple(sorted(events)), level))

    def cannot_tell(self, sentence: str, *events: int) -> None:
        """Add something that this trace leaves open; the sentence says why."""
        self.unknown.append(Finding(sentence, tuple(sorted(events))))

    @property
    def status(self) -> Status:
        """Return the verdict of this one trace; findings below MUST do not violate."""
        if any(finding.level is Level.MUST for finding in self.findings):
            return Status.VIOLATED
        return Status.INCONCLUSIVE if self.unknown or not self.exercised else Status.HOLDS


@dataclass(frozen=True, slots=True)
class Terms:
    """What a manifest declares about its semantics; properties judge on these terms."""

    style: Style = Style.INLINE
    on_unauthorised: OnUnauthorised = OnUnauthorised.IGNORE


@dataclass(frozen=True, slots=True)
class Property:
    """One promise, how it is judged, and two tiny hand-written traces: one keeps it, one breaks it.

    ``source`` says where the statement comes from, ``why`` cites a public field report. ``reads`` lists the
    event classes that the check looks at. ``terms`` are those under which the two traces are judged.
    """

    id: str
    guarantee: Guarantee
    family: str
    level: Level
    statement: str
    why: str
    source: str
    reads: tuple[type[Any], ...]
    check: Callable[[Index, Terms], Judgement]
    holding: Trace
    violating: Trace
    terms: Terms = field(default_factory=Terms)


def moment(at_ns: int) -> str:
    """Return a virtual time as people read it: ``2.005 s``, or ``3 d 02:00:05`` from one hour on."""
    seconds, rest_ns = divmod(at_ns, SECOND_NS)
    fraction = f".{rest_ns:09d}".rstrip("0") if rest_ns else ""
    if at_ns < HOUR_NS:
        return f"{seconds}{fraction or '.0'} s"
    days, seconds = divmod(seconds, DAY_NS // SECOND_NS)
    clock = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}{fraction}"
    return f"{days} d {clock}" if days else clock
