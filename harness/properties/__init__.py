"""The promises that an approval system must keep, P1 to P27, each a pure function over a trace.

Owns the registry and the profiles. ``judge`` sorts a trace once and asks every wanted property; it needs no
implementation, no plan and no clock, so it judges a simulated run, a live run and a recorded log alike.

Invariant: this package reads :mod:`harness.model` and :mod:`harness.trace` and nothing else of the harness.
"""

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

from harness.model import Level
from harness.properties.authority import AUTHORITY, FAIL_CLOSED, SEPARATION_OF_DUTY
from harness.properties.base import Finding, Judgement, Property, Status, Terms, moment
from harness.properties.binding import ARGUMENT_BINDING, ID_BINDING
from harness.properties.deadlines import CANCEL_IS_FINAL, DEADLINE
from harness.properties.durability import DURABILITY
from harness.properties.execution import AT_MOST_ONCE, GRANT, NO_ORPHAN
from harness.properties.first_response import FINALITY, FIRST_VALID_WINS, ONLY_DELIBERATE, SINGLE_WINNER
from harness.properties.index import Index
from harness.properties.isolation import AUDIT_TRUTH, ISOLATION
from harness.properties.progress import EARLY_RESPONSE, PAUSE_IS_FREE, PROGRESS
from harness.properties.provenance import PROVENANCE, SINGLE_USE
from harness.properties.receipts import TRUTHFUL_RECEIPT
from harness.properties.reinvocation import BATCH_ISOLATION, REINVOCATION
from harness.properties.views import DISCOVERABILITY, VIEW_CONVERGENCE
from harness.trace import Trace

PROPERTIES: Final[Mapping[str, Property]] = MappingProxyType(
    {
        it.id: it
        for it in (
            SINGLE_WINNER,
            FIRST_VALID_WINS,
            GRANT,
            AT_MOST_ONCE,
            FINALITY,
            ARGUMENT_BINDING,
            ID_BINDING,
            PROVENANCE,
            AUTHORITY,
            SEPARATION_OF_DUTY,
            DEADLINE,
            CANCEL_IS_FINAL,
            DURABILITY,
            NO_ORPHAN,
            TRUTHFUL_RECEIPT,
            VIEW_CONVERGENCE,
            DISCOVERABILITY,
            ONLY_DELIBERATE,
            BATCH_ISOLATION,
            REINVOCATION,
            EARLY_RESPONSE,
            SINGLE_USE,
            FAIL_CLOSED,
            AUDIT_TRUTH,
            PROGRESS,
            PAUSE_IS_FREE,
            ISOLATION,
        )
    },
)
"""Every property by its id, from P1 to P27."""

PROFILES: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "core": ("P1", "P2", "P3", "P4", "P5", "P7", "P15", "P18", "P23", "P27"),
        "durable": ("P13", "P14", "P16", "P17", "P21", "P25", "P26"),
        "authority": ("P8", "P9", "P10", "P24"),
        "re-invocation": ("P19", "P20", "P22"),
        "bounded": ("P6", "P11", "P12"),
    },
)
"""What a badge says: every property is in exactly one profile."""


_GRAVEST_FIRST: Final = tuple(Level)


def judge(trace: Trace, terms: Terms, wanted: Iterable[str] = PROPERTIES) -> dict[str, Judgement]:
    """Judge ``trace`` by the ``wanted`` properties, on the terms that its implementation declares.

    Raises ValueError for an id that no property bears. The result is in the order of ``wanted``; what a
    MUST finds stands before what a SHOULD finds.
    """
    chosen = list(wanted)
    for property_id in chosen:
        if property_id not in PROPERTIES:
            raise ValueError(f"no property is called {property_id!r}; ask for P1 to P{len(PROPERTIES)}.")
    index = Index.of(trace)
    judgements = {property_id: PROPERTIES[property_id].check(index, terms) for property_id in chosen}
    for judgement in judgements.values():
        if len(judgement.findings) > 1:
            judgement.findings.sort(key=_gravity)
    return judgements


def _gravity(finding: Finding) -> int:
    return _GRAVEST_FIRST.index(finding.level)


__all__ = [
    "PROFILES",
    "PROPERTIES",
    "Finding",
    "Index",
    "Judgement",
    "Property",
    "Status",
    "Terms",
    "judge",
    "moment",
]
