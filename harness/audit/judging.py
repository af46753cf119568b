"""A log judged: every property's verdict, with the lines that show it and what could not be told.

Owns what a reservation takes away from a verdict. A finding that rests on the absence of something is no
finding in a log from which something is missing; one that rests on time is none where clocks disagree. Both
become inconclusive, with the reason.
"""

from collections.abc import Collection, Iterable
from collections.abc import Mapping as Table
from dataclasses import dataclass
from typing import Any, Final

from harness.audit.log import Doubt, Log, Reservation
from harness.audit.mapping import Mapping
from harness.model import Guarantee, Level
from harness.properties import PROPERTIES, Finding, Judgement, Status, Terms, judge

FORMAT: Final = "hitl-check"
VERSION: Final = 1

SURE_WITHOUT_THE_REST: Final = frozenset({"P4", "P5"})
"""Properties whose findings nothing that is missing could explain: a second effect, a contradiction."""
TIMED: Final = frozenset({"P2", "P11", "P13", "P21", "P24", "P26"})
"""Properties whose findings rest on when something happened, or on which of two things came first."""

_ARGUMENTS: Final = ("tool-called", "body-entered", "effect-executed")


@dataclass(frozen=True, slots=True)
class Shown:
    """A finding, or something that could not be told, and the lines of the log that show it."""

    sentence: str
    lines: tuple[int, ...]
    level: Level


@dataclass(frozen=True, slots=True)
class CheckedProperty:
    """The verdict on one property of one log."""

    property: str
    status: Status
    exercised: int
    findings: tuple[Shown, ...] = ()
    unknown: tuple[Shown, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Checked:
    """One log after judging."""

    log: str
    adapter: str
    events: int
    lines_read: int
    place: str
    since: str
    reservations: tuple[Reservation, ...]
    verdicts: tuple[CheckedProperty, ...]

    @property
    def violated(self) -> bool:
        """Whether a property is violated at MUST."""
        return any(verdict.status is Status.VIOLATED for verdict in self.verdicts)

    @property
    def conclusive(self) -> bool:
        """Whether something was judged, nothing stayed open and nothing casts doubt on the log."""
        judged = any(verdict.status is Status.HOLDS for verdict in self.verdicts)
        doubtful = any(it.doubt is not Doubt.NOTHING for it in self.reservations)
        return judged and not doubtful and not any(verdict.unknown for verdict in self.verdicts)


def unjudgeable(mapping: Mapping) -> dict[str, str]:
    """Return the properties that logs of ``mapping`` cannot show, each with the reason."""
    kinds = {rule.kind for rule in mapping.event}
    hidden: dict[str, str] = {}
    if not mapping.maps("answer-sent", "shown"):
        hidden["P6"] = "the mapping does not say what people were shown when they answered"
    blind = [kind for kind in _ARGUMENTS if kind in kinds and not mapping.maps(kind, "arguments")]
    if blind:
        hidden |= dict.fromkeys(("P6", "P20"), f"the mapping gives no arguments of {' and '.join(blind)}")
    return hidden


def check_log(
    log: Log,
    terms: Terms,
    *,
    offers: Collection[Guarantee] | None = None,
    without: Table[str, str] | None = None,
) -> Checked:
    """Judge a log by every property on the terms that its implementation declares.

    ``offers`` None means that every guarantee is in question. ``without`` are properties that this kind of
    log cannot show, with the reason.
    """
    doubts, hidden = log.doubts(), without or {}
    verdicts = []
    for property_id, judgement in judge(log.trace, terms).items():
        prop = PROPERTIES[property_id]
        if offers is not None and prop.guarantee not in offers:
            verdicts.append(CheckedProperty(property_id, Status.NOT_OFFERED, 0))
        elif property_id in hidden:
            note = f"not judged: {hidden[property_id]}"
            verdicts.append(CheckedProperty(property_id, Status.INCONCLUSIVE, 0, note=note))
        else:
            _weaken(property_id, judgement, doubts)
            verdicts.append(_checked(property_id, judgement, log))
    return Checked(
        log=log.name,
        adapter=log.trace.adapter,
        events=len(log.trace.events),
        lines_read=log.lines_read,
        place=log.place,
        since=log.since,
        reservations=log.reservations,
        verdicts=tuple(verdicts),
    )


def _weaken(property_id: str, judgement: Judgement, doubts: Collection[Doubt]) -> None:
    """Turn findings on which a reservation casts doubt into what cannot be told."""
    reason = ""
    if Doubt.ABSENCE in doubts and property_id not in SURE_WITHOUT_THE_REST:
        reason = "events are missing from this log"
    elif Doubt.TIME in doubts and property_id in TIMED:
        reason = "the clocks of this log disagree"
    if reason:
        for finding in judgement.findings:
            judgement.cannot_tell(f"{finding.sentence}; but {reason}", *finding.events)
        judgement.findings.clear()


def _checked(property_id: str, judgement: Judgement, log: Log) -> CheckedProperty:
    return CheckedProperty(
        property_id,
        judgement.status,
        judgement.exercised,
        tuple(_shown(judgement.findings, log)),
        tuple(_shown(judgement.unknown, log)),
    )


def _shown(findings: Iterable[Finding], log: Log) -> Iterable[Shown]:
    for finding in findings:
        lines = tuple(sorted({log.lines[seq] for seq in finding.events if seq < len(log.lines)}))
        yield Shown(finding.sentence, lines, finding.level)


def check_record(checked: Iterable[Checked]) -> dict[str, Any]:
    """Return judged logs as plain JSON data with its format and version."""
    return {"format": FORMAT, "version": VERSION, "logs": [_record(it) for it in checked]}


def _record(checked: Checked) -> dict[str, Any]:
    return {
        "log": checked.log,
        "adapter": checked.adapter,
        "events": checked.events,
        "lines": checked.lines_read,
        "place": checked.place,
        "since": checked.since,
        "violated": checked.violated,
        "conclusive": checked.conclusive,
        "reservations": [
            {"line": it.line, "reason": it.reason, "doubt": it.doubt.value} for it in checked.reservations
        ],
        "verdicts": [
            {
                "property": it.property,
                "guarantee": PROPERTIES[it.property].guarantee.value,
                "status": it.status.value,
                "exercised": it.exercised,
                "note": it.note,
                "findings": [_shown_record(finding) for finding in it.findings],
                "unknown": [_shown_record(unknown) for unknown in it.unknown],
            }
            for it in checked.verdicts
        ],
    }


def _shown_record(shown: Shown) -> dict[str, Any]:
    return {"sentence": shown.sentence, "lines": list(shown.lines), "level": shown.level.value}
