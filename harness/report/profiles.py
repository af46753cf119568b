"""Verdicts by profile: what a badge may say of an adapter.

Owns how the verdicts of one profile add up to a standing. The worst of them speaks; a profile of which
nothing is offered has no standing. What a single verdict means is decided elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from harness.narrate import Tone, plural
from harness.properties import PROFILES, Status
from harness.results import AdapterResult, Verdict


class Standing(StrEnum):
    """What the verdicts of a profile add up to."""

    CONFORMANT = "conformant"
    KNOWN = "known violations"
    INCONCLUSIVE = "inconclusive"
    VIOLATED = "violated"
    STALE = "listed as violated"
    NOT_OFFERED = "not offered"

    @property
    def tone(self) -> Tone:
        """What a reader should feel."""
        return _TONES[self]


_TONES = {
    Standing.CONFORMANT: Tone.GOOD,
    Standing.KNOWN: Tone.DOUBTFUL,
    Standing.INCONCLUSIVE: Tone.DOUBTFUL,
    Standing.VIOLATED: Tone.BAD,
    Standing.STALE: Tone.BAD,
    Standing.NOT_OFFERED: Tone.FAINT,
}


@dataclass(frozen=True, slots=True)
class ProfileStanding:
    """One profile of one adapter: how many of the promises that it offers hold."""

    adapter: str
    profile: str
    standing: Standing
    holding: int
    offered: int

    @property
    def words(self) -> str:
        """What a badge says."""
        if self.standing in (Standing.CONFORMANT, Standing.NOT_OFFERED):
            return self.standing.value
        if self.standing is Standing.KNOWN:
            return f"{self.holding} of {self.offered} hold, rest known"
        if self.standing is Standing.STALE:
            return f"{self.holding} of {self.offered} hold, stale list"
        return f"{self.standing.value}, {self.holding} of {self.offered} hold"


def standings(adapter: AdapterResult) -> Iterator[ProfileStanding]:
    """Yield the standing of every profile, in their order; one that was not judged is left out."""
    by_id = {verdict.property: verdict for verdict in adapter.verdicts}
    for profile, members in PROFILES.items():
        judged = [by_id[member] for member in members if member in by_id]
        if judged:
            yield _standing(adapter.adapter, profile, judged)


def _standing(adapter: str, profile: str, judged: Sequence[Verdict]) -> ProfileStanding:
    offered = [verdict for verdict in judged if verdict.status is not Status.NOT_OFFERED]
    holding = sum(verdict.status is Status.HOLDS for verdict in offered)
    return ProfileStanding(adapter, profile, _worst(offered), holding, len(offered))


def _worst(offered: Sequence[Verdict]) -> Standing:
    if not offered:
        return Standing.NOT_OFFERED
    surprises = [verdict.status for verdict in offered if verdict.surprising]
    if surprises:
        return Standing.VIOLATED if Status.VIOLATED in surprises else Standing.STALE
    statuses = [verdict.status for verdict in offered]
    if Status.INCONCLUSIVE in statuses:
        return Standing.INCONCLUSIVE
    known = Status.VIOLATED in statuses or any(verdict.expected is not None for verdict in offered)
    return Standing.KNOWN if known else Standing.CONFORMANT


def summary_line(adapter: AdapterResult) -> str:
    """Return an adapter's verdicts in numbers: "14 hold, 2 violated"."""
    if adapter.skipped:
        return "skipped"
    counts = dict.fromkeys(Status, 0)
    for verdict in adapter.verdicts:
        counts[verdict.status] += 1
    words = {
        Status.HOLDS: "hold" if counts[Status.HOLDS] != 1 else "holds",
        Status.VIOLATED: "violated",
        Status.INCONCLUSIVE: "inconclusive",
        Status.NOT_OFFERED: "not offered",
    }
    told = [f"{counts[status]} {word}" for status, word in words.items() if counts[status]]
    return f"{', '.join(told) or 'nothing judged'} in {plural(adapter.runs, 'run')}"
