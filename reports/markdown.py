"""The summary for a pull request or a CI job, as GitHub-flavoured Markdown.

Owns what fits into such a place and in which order: how it ended, what counts against the run, the matrix,
then the known violations by name. Text of a run is escaped: it makes no markup, no mention and no link.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from harness.narrate import boundary_places, listing, plain, plan_sentence, plural
from harness.narrate.verdicts import LEGEND, SKIPPED, ending, wording
from harness.properties import Status
from harness.report import FinishedRun, Violation
from harness.report.markup import markdown_text, printable
from harness.report.profiles import standings
from harness.results import AdapterResult, Result

_LENGTH_MAX: Final = 60_000
"""GitHub refuses a comment of more than 65,536 characters."""
_LISTING_WIDTH: Final = 96
_LISTING_LINES_MAX: Final = 40
_KNOWN_MAX: Final = 20


@dataclass(frozen=True, slots=True)
class MarkdownReport:
    """A summary for pull requests and CI jobs."""

    name: str = "markdown"
    summary: str = "a summary for pull requests and CI jobs, short enough for a comment"

    def render(self, run: FinishedRun) -> Mapping[str, str | bytes]:
        """Return ``summary.md``."""
        return {"summary.md": "\n".join(_document(run)) + "\n"}


def _document(run: FinishedRun) -> Iterator[str]:
    end = ending(run.result, run.result.exit_code())
    head = [
        f"## {end.symbol} hitl: {markdown_text(end.words)}",
        "",
        *map(markdown_text, run.notes),
        *_failures(run.result),
    ]
    table = list(_matrix(run.result))
    violations = list(run.violations())
    new = [it for it in violations if it.verdict.surprising]
    known = [it for it in violations if not it.verdict.surprising]
    tail = list(_known(known))
    room = _LENGTH_MAX - sum(len(line) + 1 for line in [*head, *table, *tail])
    yield from head
    untold = 0
    for violation in new:
        block = list(_block(violation))
        room -= sum(len(line) + 1 for line in block)
        if room < 0:
            untold += 1
            continue
        yield from block
    if untold:
        yield f"_{plural(untold, 'more violation')} would not fit here: see the other reports._"
        yield ""
    yield from table
    yield from tail


def _failures(result: Result) -> Iterator[str]:
    for adapter in result.adapters:
        for text in adapter.failures:
            failed = f"**{markdown_text(adapter.adapter)}: the adapter itself failed**, which is no verdict"
            yield f"- {failed}: {markdown_text(text)}"
        if adapter.skipped:
            yield f"- **{markdown_text(adapter.adapter)} was skipped**: {markdown_text(adapter.skipped)}"
    yield ""


def _block(violation: Violation) -> Iterator[str]:
    verdict, shown = violation.verdict, violation.counterexample
    marked = boundary_places(violation.trace, shown.finding.events)
    title = f"{violation.adapter} {verdict.property} {verdict.guarantee}: {wording(verdict)}"
    yield f"### {markdown_text(title)}"
    yield ""
    yield f"**{markdown_text(shown.finding.sentence)}**"
    yield ""
    yield f"- promise: {markdown_text(violation.statement)}"
    yield f"- plan: {markdown_text(plan_sentence(shown.plan, violation.trace))}"
    yield ""
    if violation.trace.events:
        lines = listing(violation.trace, marked, _LISTING_WIDTH, lines_max=_LISTING_LINES_MAX)
        yield "<details><summary>What happened</summary>"
        yield ""
        yield from _fenced(plain(lines), "text")
        yield ""
        yield "</details>"
        yield ""
    if violation.replay:
        yield from _fenced(violation.replay, "sh")
        yield ""


def _known(violations: list[Violation]) -> Iterator[str]:
    if not violations:
        return
    yield f"<details><summary>{plural(len(violations), 'violation')} known or not binding</summary>"
    yield ""
    for it in violations[:_KNOWN_MAX]:
        reason = it.verdict.expected.reason if it.verdict.expected else it.verdict.level.value
        name = f"{it.adapter} {it.verdict.property} {it.verdict.guarantee}"
        finding = markdown_text(it.counterexample.finding.sentence)
        yield f"- **{markdown_text(name)}** ({markdown_text(reason)}): {finding}"
    if len(violations) > _KNOWN_MAX:
        yield f"- … and {len(violations) - _KNOWN_MAX} more"
    yield ""
    yield "</details>"


def _matrix(result: Result) -> Iterator[str]:
    if not result.adapters:
        yield "Nothing was judged."
        return
    yield "| adapter | " + " | ".join(_profiles(result)) + " |"
    yield "|---|" + "---|" * len(_profiles(result))
    for adapter in result.adapters:
        said = {it.profile: it.words for it in standings(adapter)}
        cells = (markdown_text(said.get(profile, "")) for profile in _profiles(result))
        yield (
            f"| **{markdown_text(adapter.adapter)}** {markdown_text(adapter.version)} | "
            + " | ".join(cells)
            + " |"
        )
    yield ""
    verdicts = list(_verdicts(result))
    if sum(map(len, verdicts)) < _LENGTH_MAX // 3:
        yield from verdicts


def _verdicts(result: Result) -> Iterator[str]:
    yield "<details><summary>All verdicts</summary>"
    yield ""
    yield "| promise | " + " | ".join(markdown_text(it.adapter) for it in result.adapters) + " |"
    yield "|---|" + "---|" * len(result.adapters)
    names = {it.property: it.guarantee for adapter in result.adapters for it in adapter.verdicts}
    for name, guarantee in names.items():
        cells = (_cell(adapter, name) for adapter in result.adapters)
        yield f"| {markdown_text(f'{name} {guarantee}')} | " + " | ".join(cells) + " |"
    yield ""
    yield LEGEND
    yield ""
    yield "</details>"
    yield ""


def _profiles(result: Result) -> list[str]:
    return list(dict.fromkeys(it.profile for adapter in result.adapters for it in standings(adapter)))


def _cell(adapter: AdapterResult, name: str) -> str:
    verdict = next((it for it in adapter.verdicts if it.property == name), None)
    if adapter.skipped:
        return SKIPPED.words
    if verdict is None or verdict.status is Status.NOT_OFFERED:
        return "-"
    shown = wording(verdict)
    return f"{shown.symbol} {markdown_text(shown.words)}"


def _fenced(text: str, language: str) -> Iterator[str]:
    """Yield ``text`` as a block of code, fenced by more back-ticks than it holds in a row."""
    longest = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    yield f"{fence}{language}"
    yield printable(text)
    yield fence


REPORTS: Final = (MarkdownReport(),)
