"""The difference between a violation and its nearest passing run, as lines of text.

Owns its layout: what had to be otherwise, until when the two runs are the same, and the rows from there on,
signed like those of a patch.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Final

from harness.narrate import Line, Span, Tone
from harness.narrate.changes import change_phrase
from harness.report import Violation
from harness.report.differing import Comparison, Pair, Told
from harness.report.markup import shortened

ROWS_IN_TEXT: Final = 8
"""So many rows show the first difference: enough to see why; the page shows more."""


def nearest_sentence(violation: Violation, compared: Comparison | None) -> str:
    """Return what is otherwise in the nearest run that holds the property; empty where none was found."""
    near = violation.counterexample.nearest
    if near is None:
        return "no plan close to this one was found that keeps the promise" if violation.repeatable else ""
    change = change_phrase(violation.counterexample.plan, near.plan, violation.trace, violation.nearest)
    kept = f"{'kept' if near.tested else 'does not come up'} {change}"
    if compared is None:
        return kept
    if not compared.part:
        return f"{kept}; no row of the two runs differs"
    until = f"the same until {compared.until}" if compared.until else "other from the start"
    return f"{kept}; {until}"


def difference_lines(compared: Comparison, width: int) -> Iterator[Line]:
    """Yield the rows around the first difference of two runs that part."""
    clocks = [it.clock for pair in compared.pairs for it in (pair.broken, pair.kept) if it is not None]
    clock_width = max(map(len, clocks), default=0)
    head = f"   {'':>{clock_width}}  first difference to the nearest run: - here, + there"
    for alike, group in groupby(compared.pairs, key=lambda pair: pair.kind == "same"):
        pairs = tuple(group)
        if pairs[0].first:
            yield (Span(head, Tone.HEADER),)
        for sign, told, tone in _unsigned(pairs) if alike else _signed(pairs):
            mark = "✗" if told.marked else " "
            text = f"{sign}{mark} {told.clock:>{clock_width}}  {told.host}  {told.words}"
            yield (Span(shortened(text, width), tone),)
    if compared.more_broken or compared.more_kept:
        more = f"{compared.more_broken} more here, {compared.more_kept} more there"
        yield (Span(f"   {'':>{clock_width}}  … {more}", Tone.FOLDED),)


def _unsigned(pairs: Iterable[Pair]) -> Iterator[tuple[str, Told, Tone]]:
    return ((" ", pair.broken, Tone.FAINT) for pair in pairs if pair.broken is not None)


def _signed(pairs: Sequence[Pair]) -> Iterator[tuple[str, Told, Tone]]:
    """Yield what is in the broken run, then what is in the other."""
    yield from (("-", pair.broken, Tone.BAD) for pair in pairs if pair.broken is not None)
    yield from (("+", pair.kept, Tone.GOOD) for pair in pairs if pair.kept is not None)
