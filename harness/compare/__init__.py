"""What changed between two results: verdict by verdict, adapter by adapter.

Owns which change is for the worse. It reads two results and knows nothing of folders, commands or colours.

Invariant: two equal results show no change, and swapping the two swaps worse with better.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from harness.properties import Status
from harness.results import AdapterResult, Result, Verdict

FORMAT: Final = "hitl-comparison"
VERSION: Final = 1


class Turn(StrEnum):
    """Which way a verdict went."""

    WORSE = "worse"
    BETTER = "better"
    OTHER = "other"
    """Neither: another counterexample, or a verdict that says neither good nor bad."""


_RANK: Final = {Status.VIOLATED: 0, Status.INCONCLUSIVE: 1, Status.NOT_OFFERED: 1, Status.HOLDS: 2}
"""What was promised no longer, or cannot be judged, is less than a promise kept and more than one broken."""


@dataclass(frozen=True, slots=True)
class Change:
    """One verdict that is not what it was; None where there was, or is, no verdict of that name."""

    adapter: str
    property: str
    guarantee: str
    before: Status | None
    after: Status | None
    turn: Turn
    note: str
    """The finding of the side that is violated, the newer one first; empty where none is."""


@dataclass(frozen=True, slots=True)
class Difference:
    """One circumstance that the two runs do not share, in words."""

    what: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Comparison:
    """Everything that differs; ``same`` counts the verdicts that do not."""

    changes: tuple[Change, ...]
    circumstances: tuple[Difference, ...]
    same: int

    @property
    def worse(self) -> int:
        """How many verdicts changed for the worse."""
        return sum(change.turn is Turn.WORSE for change in self.changes)

    @property
    def better(self) -> int:
        """How many verdicts changed for the better."""
        return sum(change.turn is Turn.BETTER for change in self.changes)


def compare(
    before: Result,
    after: Result,
    versions_before: Mapping[str, str] | None = None,
    versions_after: Mapping[str, str] | None = None,
) -> Comparison:
    """Return what changed from ``before`` to ``after``; versions are those that the runs were made with."""
    pairs = list(_pairs(before, after))
    changes = [change for pair in pairs if (change := _change(*pair)) is not None]
    return Comparison(
        changes=tuple(changes),
        circumstances=tuple(_circumstances(before, after, versions_before or {}, versions_after or {})),
        same=len(pairs) - len(changes),
    )


def comparison_record(comparison: Comparison) -> dict[str, Any]:
    """Return ``comparison`` as plain JSON data with its format and version."""
    return {
        "format": FORMAT,
        "version": VERSION,
        "worse": comparison.worse,
        "better": comparison.better,
        **asdict(comparison),
    }


_Pair = tuple[str, Verdict | None, Verdict | None]


def _pairs(before: Result, after: Result) -> Iterator[_Pair]:
    old, new = _verdicts(before), _verdicts(after)
    for where in {**new, **old}:
        yield where[0], old.get(where), new.get(where)


def _verdicts(result: Result) -> dict[tuple[str, str], Verdict]:
    return {(it.adapter, verdict.property): verdict for it in result.adapters for verdict in it.verdicts}


def _change(adapter: str, before: Verdict | None, after: Verdict | None) -> Change | None:
    named = after or before
    if named is None or (before and after and _said(before) == _said(after)):
        return None
    return Change(
        adapter=adapter,
        property=named.property,
        guarantee=named.guarantee,
        before=before.status if before else None,
        after=after.status if after else None,
        turn=_turn(before, after),
        note=_finding(after) or _finding(before),
    )


def _said(verdict: Verdict) -> tuple[Status, str]:
    return verdict.status, _finding(verdict)


def _finding(verdict: Verdict | None) -> str:
    if verdict is None or verdict.counterexample is None or verdict.status is not Status.VIOLATED:
        return ""
    return verdict.counterexample.finding.sentence


def _turn(before: Verdict | None, after: Verdict | None) -> Turn:
    """Return which way it went; an adapter that only one run has is no turn, unless a promise is broken."""
    if before is None or after is None:
        return Turn.WORSE if after is not None and after.status is Status.VIOLATED else Turn.OTHER
    step = _RANK[after.status] - _RANK[before.status]
    return Turn.WORSE if step < 0 else Turn.BETTER if step > 0 else Turn.OTHER


def _circumstances(
    before: Result, after: Result, versions_before: Mapping[str, str], versions_after: Mapping[str, str]
) -> Iterator[Difference]:
    facts = [
        ("seed", _seed(before), _seed(after)),
        ("examples", str(before.examples), str(after.examples)),
        ("scenarios", ", ".join(before.scenarios), ", ".join(after.scenarios)),
        ("interrupted", _yes(before.interrupted), _yes(after.interrupted)),
    ]
    if versions_before and versions_after:
        names = sorted({*versions_before, *versions_after})
        facts += [(name, versions_before.get(name, "-"), versions_after.get(name, "-")) for name in names]
    old, new = ({it.adapter: it for it in result.adapters} for result in (before, after))
    names = list({**new, **old})
    facts += [(f"adapter {name}", _adapter(old.get(name)), _adapter(new.get(name))) for name in names]
    yield from (Difference(*fact) for fact in facts if fact[1] != fact[2])


def _seed(result: Result) -> str:
    return "random" if result.seed is None else str(result.seed)


def _yes(true: bool) -> str:  # noqa: FBT001 - a fact in words
    return "yes" if true else "no"


def _adapter(adapter: AdapterResult | None) -> str:
    if adapter is None:
        return "not played"
    if adapter.skipped:
        return "skipped"
    failed = len(adapter.failures)
    return f"version {adapter.version}" + (f", the adapter itself failed {failed} times" if failed else "")
