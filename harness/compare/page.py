"""A comparison as a page of text, and as Markdown for a pull request.

Owns the order in which changes are told: for the worse, for the better, the others; then what else differs
between the two runs. Text of a run is escaped in Markdown by the caller's hands: here it is only printable.
"""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from harness.compare import Change, Comparison, Turn
from harness.narrate import Line, Span, Tone, plural
from harness.report.markup import markdown_text, printable

_HEADS: Final = {
    Turn.WORSE: ("✗", "worse", Tone.BAD),
    Turn.BETTER: ("✓", "better", Tone.GOOD),
    Turn.OTHER: ("~", "different", Tone.DOUBTFUL),
}
_NONE: Final = "no verdict"


def comparison_page(comparison: Comparison, before: str, after: str) -> Iterator[Line]:
    """Yield the page; ``before`` and ``after`` name the runs."""
    yield (Span("from  ", Tone.LABEL), Span(printable(before)))
    yield (Span("to    ", Tone.LABEL), Span(printable(after)))
    yield ()
    for turn, (symbol, word, tone) in _HEADS.items():
        for change in (it for it in _turned(comparison, turn) if not _one_sided(it)):
            yield (
                Span(f"{symbol} {word:<10}", tone),
                Span(f"{change.adapter}  {change.property} {change.guarantee}", Tone.TITLE),
                Span(f"  {_step(change)}"),
            )
            if change.note:
                yield (Span(f"    {printable(change.note)}"),)
    for adapter, count in Counter(it.adapter for it in comparison.changes if _one_sided(it)).items():
        yield (Span(f"~ only in one run  {adapter}  {plural(count, 'verdict')}", Tone.DOUBTFUL),)
    if comparison.changes:
        yield ()
    if comparison.circumstances:
        yield (Span("not the same in both runs", Tone.HEADER),)
        for it in comparison.circumstances:
            yield (
                Span(f"  {it.what}: ", Tone.LABEL),
                Span(f"{printable(it.before)} -> {printable(it.after)}"),
            )
        yield ()
    tone = Tone.BAD if comparison.worse else Tone.GOOD
    yield (Span(f"{'✗' if comparison.worse else '✓'} {summary(comparison)}", tone),)


def comparison_markdown(comparison: Comparison, before: str, after: str) -> Iterator[str]:
    """Yield the lines of a comment for a pull request."""
    symbol = "✗" if comparison.worse else "✓"
    yield f"## {symbol} hitl: {summary(comparison)}"
    yield ""
    yield f"From {markdown_text(before)} to {markdown_text(after)}."
    yield ""
    if comparison.changes:
        yield "| | adapter | promise | before | after | finding |"
        yield "|---|---|---|---|---|---|"
    for turn, (mark, word, _) in _HEADS.items():
        for it in _turned(comparison, turn):
            cells = (f"{it.property} {it.guarantee}", it.before or _NONE, it.after or _NONE, it.note)
            rest = " | ".join(markdown_text(cell) for cell in cells)
            yield f"| {mark} {word} | **{markdown_text(it.adapter)}** | {rest} |"
    if comparison.changes:
        yield ""
    if comparison.circumstances:
        yield "Not the same in both runs:"
        yield ""
        for difference in comparison.circumstances:
            one, other = markdown_text(difference.before), markdown_text(difference.after)
            yield f"- {markdown_text(difference.what)}: {one} → {other}"
        yield ""


def summary(comparison: Comparison) -> str:
    """Return the comparison in one line."""
    other = len(comparison.changes) - comparison.worse - comparison.better
    if not comparison.changes:
        return f"nothing changed: {plural(comparison.same, 'verdict')} the same"
    counts = [
        f"{comparison.worse} worse",
        f"{comparison.better} better",
        *([f"{other} different"] if other else []),
    ]
    return f"{', '.join(counts)}; {plural(comparison.same, 'verdict')} the same"


def _turned(comparison: Comparison, turn: Turn) -> Iterator[Change]:
    return (change for change in comparison.changes if change.turn is turn)


def _one_sided(change: Change) -> bool:
    """Return whether only one run has a verdict, and it is no news: each of these would say the same."""
    return change.turn is Turn.OTHER and None in (change.before, change.after)


def _step(change: Change) -> str:
    if change.before == change.after:
        return f"{change.after}, by another counterexample"
    return f"{change.before or _NONE} -> {change.after or _NONE}"
