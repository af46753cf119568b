"""The page's content, made ready for its template.

Owns what stands where on the page, how many rows a diagram may have, and the policy under which the page
runs: the one style sheet and the one script that it carries, named by their hashes, and nothing else.
Words come from :mod:`harness.narrate`, places from :mod:`harness.report.spacetime`.

Invariant: everything that stems from a run goes through the template's escape, or through
:mod:`harness.report.markup` where it stands in a drawing or in embedded data.
"""

import hashlib
import json
from base64 import b64encode
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from harness.model import Level
from harness.narrate import boundary_places, plan_sentence, plural
from harness.narrate.verdicts import LEGEND, Wording, ending, wording
from harness.plan import plan_record
from harness.properties import PROFILES, PROPERTIES
from harness.report import FinishedRun, Violation
from harness.report.difference import nearest_sentence
from harness.report.differing import Comparison, comparison
from harness.report.drawing import HEAD_HEIGHT, STYLE, graph, graph_width
from harness.report.markup import embedded_json, printable
from harness.report.moments import faces_table, moments
from harness.report.profiles import ProfileStanding, standings, summary_line
from harness.report.spacetime import ROW_HEIGHT, Diagram, Step, diagram
from harness.results import AdapterResult, Verdict

_HERE: Final = Path(__file__).parent
_ROWS_IN_ALL: Final = 6_000
"""Rows of all diagrams together: a page of 200 violations stays under 5 MB (measured: 500 bytes a row)."""
_PAIRS_IN_ALL: Final = 3_000
"""Rows of all comparisons together, for the same reason (measured: 200 bytes a row)."""
_PAIRS_MIN: Final = 8
_PAIRS_MAX: Final = 24
_ROWS_MIN: Final = 30
_ROWS_MAX: Final = 400
_OPEN_MAX: Final = 3
"""So many diagrams are open from the start; a page of many opens at once all the same."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One verdict in the matrix; ``target`` is the id of the violation that it leads to."""

    shown: Wording
    level: str
    note: str
    target: str


@dataclass(frozen=True, slots=True)
class MatrixRow:
    """One property over all adapters; None where an adapter was not judged."""

    property: str
    guarantee: str
    statement: str
    cells: tuple[Cell | None, ...]


@dataclass(frozen=True, slots=True)
class MatrixGroup:
    """The properties of one profile."""

    profile: str
    standings: tuple[ProfileStanding | None, ...]
    rows: tuple[MatrixRow, ...]


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One violation with its diagram."""

    id: str
    violation: Violation
    shown: Wording
    plan: str
    plan_json: str
    steps: tuple[Step, ...]
    first_marked: int
    lanes: int
    graph: Markup
    data: Markup
    note: str
    nearest: str
    compared: Comparison | None
    open: bool

    @property
    def found_after(self) -> str:
        """How long the search took."""
        shown = self.violation.counterexample
        return f"found after {plural(shown.found_after, 'run')} of {shown.scenario}"


def page_html(run: FinishedRun) -> str:
    """Return the whole page."""
    style, script = _style(), (_HERE / "stepper.js").read_text(encoding="utf-8")
    exhibits = _exhibits(run)
    targets = {(it.violation.adapter, it.violation.verdict.property): it.id for it in exhibits}
    widths = sorted({it.lanes for it in exhibits})
    style += "".join(f".g{lanes} li{{padding-left:{graph_width(lanes)}px}}" for lanes in widths)
    template = _environment().get_template("page.html.j2")
    return template.render(
        adapters=run.result.adapters,
        all_known=all(it.violation.verdict.expected is not None for it in exhibits),
        played=plural(sum(not it.skipped for it in run.result.adapters), "approval system"),
        ending=_ending(run),
        exhibits=exhibits,
        groups=tuple(_groups(run.result.adapters, targets)),
        legend=LEGEND,
        policy=_policy(style, script),
        run=run,
        script=Markup(script),  # noqa: S704 - this project's own file
        style=Markup(style),  # noqa: S704 - this project's own file
        summary_line=summary_line,
    )


def _ending(run: FinishedRun) -> tuple[Wording, str]:
    """Return how the run ended as a heading, and the counts behind it."""
    end = ending(run.result, run.result.exit_code())
    head, _, counts = end.words.partition(": ")
    return Wording(end.symbol, head[:1].upper() + head[1:], end.tone), counts


def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def _shown(value: object) -> object:
    """Return what the template may show of a value; markup made here passes as it is."""
    return printable(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def _style() -> str:
    own = (_HERE / "style.css").read_text(encoding="utf-8")
    return f"{own}{STYLE}:root{{--row:{ROW_HEIGHT}px;--head:{HEAD_HEIGHT}px}}"


def _policy(style: str, script: str) -> str:
    """Return the page's content security policy: nothing is fetched, and only these two texts count."""
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; "
        f"style-src '{_hash(style)}'; script-src '{_hash(script)}'"
    )


def _hash(text: str) -> str:
    return f"sha256-{b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _exhibits(run: FinishedRun) -> tuple[Exhibit, ...]:
    """Return all violations: those that count against the run first."""
    violations = sorted(run.violations(), key=lambda it: not it.verdict.surprising)
    count = max(len(violations), 1)
    rows_max = min(max(_ROWS_IN_ALL // count, _ROWS_MIN), _ROWS_MAX)
    pairs_max = min(max(_PAIRS_IN_ALL // count, _PAIRS_MIN), _PAIRS_MAX)
    return tuple(_exhibit(number, it, rows_max, pairs_max) for number, it in enumerate(violations, start=1))


def _exhibit(number: int, violation: Violation, rows_max: int, pairs_max: int) -> Exhibit:
    trace, shown = violation.trace, violation.counterexample
    marked = boundary_places(trace, shown.finding.events)
    drawn = diagram(trace, marked, shown.plan, rows_max=rows_max)
    table, steps = faces_table(moments(trace.events, drawn.lanes, (step.place for step in drawn.steps)))
    compared = comparison(violation, pairs_max)
    first_marked = next((place for place, step in enumerate(drawn.steps) if step.marked), 0)
    return Exhibit(
        id=f"v{number}",
        violation=violation,
        shown=wording(violation.verdict),
        plan=plan_sentence(shown.plan, trace),
        plan_json=json.dumps(plan_record(shown.plan), indent=1, ensure_ascii=False),
        steps=drawn.steps,
        first_marked=first_marked,
        lanes=len(drawn.lanes),
        graph=Markup(graph(drawn)),  # noqa: S704 - the drawing escapes its names
        data=Markup(embedded_json({"faces": table, "steps": steps})),  # noqa: S704 - escaped for a script element
        note=_note(violation, drawn),
        nearest=nearest_sentence(violation, compared),
        compared=compared if compared is not None and compared.part else None,
        open=number <= _OPEN_MAX,
    )


def _note(violation: Violation, drawn: Diagram) -> str:
    """Return what a reader must know of what the diagram leaves out."""
    events = len(violation.trace.events)
    if not events:
        return "The trace of this run is missing: there is no diagram."
    rows = sum(bool(step.clock) for step in drawn.steps)
    return f"{plural(events, 'event')} in {plural(rows, 'row')}; what carries nothing is folded."


def _groups(
    adapters: tuple[AdapterResult, ...], targets: Mapping[tuple[str, str], str]
) -> Iterator[MatrixGroup]:
    verdicts = [{it.property: it for it in adapter.verdicts} for adapter in adapters]
    by_profile = [{it.profile: it for it in standings(adapter)} for adapter in adapters]
    grouped = {member for members in PROFILES.values() for member in members}
    every = dict.fromkeys(name for judged in verdicts for name in judged)
    groups = {**PROFILES, "other": tuple(name for name in every if name not in grouped)}
    for profile, members in groups.items():
        rows = tuple(
            _matrix_row(member, adapters, verdicts, targets) for member in members if member in every
        )
        if rows:
            yield MatrixGroup(profile, tuple(it.get(profile) for it in by_profile), rows)


def _matrix_row(
    name: str,
    adapters: tuple[AdapterResult, ...],
    verdicts: list[dict[str, Verdict]],
    targets: Mapping[tuple[str, str], str],
) -> MatrixRow:
    known = PROPERTIES.get(name)
    guarantee = next(judged[name].guarantee for judged in verdicts if name in judged)
    cells = tuple(
        _cell(judged[name], targets.get((adapter.adapter, name), "")) if name in judged else None
        for adapter, judged in zip(adapters, verdicts, strict=True)
    )
    return MatrixRow(name, guarantee, known.statement if known else "", cells)


def _cell(verdict: Verdict, target: str) -> Cell:
    level = "" if verdict.level is Level.MUST else verdict.level.value
    exercised = f"exercised {plural(verdict.exercised, 'time')}" if verdict.exercised else ""
    reason = verdict.expected.reason if verdict.expected is not None else ""
    note = "; ".join(filter(None, (verdict.note, reason, exercised)))
    shown = wording(verdict)
    return Cell(shown, "" if f"({level})" in shown.words else level, note, target)
