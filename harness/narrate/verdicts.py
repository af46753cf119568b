"""Verdicts in words and symbols: what a cell of the matrix says.

Owns the vocabulary of results: one symbol and one wording for every verdict, and the sentence with which
a run ends. Exit codes are decided by :class:`~harness.results.Result`, not here.
"""

from dataclasses import dataclass
from typing import Final

from harness.model import Level
from harness.narrate.page import Tone
from harness.narrate.units import plural
from harness.properties import Status
from harness.results import ExitCode, Result, Verdict


@dataclass(frozen=True, slots=True)
class Wording:
    """How a verdict is shown."""

    symbol: str
    words: str
    tone: Tone

    def __str__(self) -> str:
        return f"{self.symbol} {self.words}".lstrip()


LEGEND: Final = "✓ holds   ✗ violated   - not offered   ? inconclusive (could not be judged)"
_PLAIN: Final = {
    Status.HOLDS: Wording("✓", "holds", Tone.GOOD),
    Status.VIOLATED: Wording("✗", "violated", Tone.BAD),
    Status.NOT_OFFERED: Wording("-", "not offered", Tone.FAINT),
    Status.INCONCLUSIVE: Wording("?", "inconclusive", Tone.DOUBTFUL),
}
_LISTED: Final = {
    Status.HOLDS: Wording("!", "holds, yet listed", Tone.BAD),
    Status.VIOLATED: Wording("✗", "violated, known", Tone.DOUBTFUL),
}
"""The same where the expectations list a violation."""
_NOT_DRAWN: Final = Wording("✗", "known, not drawn", Tone.DOUBTFUL)
"""A violation that is known to be found seldom, in a run that did not find it."""
NOT_JUDGED: Final = Wording("", "not judged", Tone.FAINT)
SKIPPED: Final = Wording("-", "skipped", Tone.DOUBTFUL)
"""What stands in place of every verdict on an adapter that was not played."""


def wording(verdict: Verdict) -> Wording:
    """Return how one verdict is shown."""
    if verdict.expected is not None and verdict.expected.seldom and verdict.status is Status.HOLDS:
        return _NOT_DRAWN
    if verdict.expected is not None and verdict.status in _LISTED:
        return _LISTED[verdict.status]
    if verdict.status is Status.VIOLATED and verdict.level is not Level.MUST:
        return Wording("✗", f"violated ({verdict.level.value})", Tone.DOUBTFUL)
    return _PLAIN[verdict.status]


_ENDINGS: Final = {
    ExitCode.CONFORMANT: ("conformant", Tone.GOOD),
    ExitCode.VIOLATED: ("not conformant", Tone.BAD),
    ExitCode.HARNESS_AT_FAULT: ("an adapter failed", Tone.BAD),
    ExitCode.INCONCLUSIVE: ("inconclusive", Tone.DOUBTFUL),
}


def ending(result: Result, code: ExitCode) -> Wording:
    """Return the sentence with which a run ends: what was done, what was found, what the exit code is."""
    verdicts = [verdict for adapter in result.adapters for verdict in adapter.verdicts]
    violated = [verdict for verdict in verdicts if verdict.status is Status.VIOLATED]
    known = sum(verdict.expected is not None for verdict in violated)
    stale = sum(verdict.expected is not None and verdict.surprising for verdict in verdicts)
    unjudged = sum(verdict.status is Status.INCONCLUSIVE for verdict in verdicts)
    skipped = sum(bool(adapter.skipped) for adapter in result.adapters)
    counts = [
        plural(sum(adapter.runs for adapter in result.adapters), "run"),
        plural(len(violated), "violation") + (f" ({known} known)" if known else ""),
        *([f"{stale} listed as violated but not found"] if stale else []),
        *([f"{unjudged} inconclusive"] if unjudged else []),
        *([f"{skipped} skipped"] if skipped else []),
        *(["interrupted"] if result.interrupted else []),
    ]
    words, tone = _ENDINGS[code]
    if code is ExitCode.HARNESS_AT_FAULT and not any(adapter.failures for adapter in result.adapters):
        words = "an adapter was skipped where none may be"
    return Wording(
        "✓" if tone is Tone.GOOD else "✗", f"{words}: {', '.join(counts)} (exit {code.value})", tone
    )
