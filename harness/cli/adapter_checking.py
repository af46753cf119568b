"""How the trial of an adapter is shown: a line a step, and under it what is wrong, why, and what to do.

Owns the page and the exit code.
"""

import asyncio
import textwrap
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console

from harness.adapter import Manifest
from harness.cli.errors import UserError
from harness.cli.paint import page_width, paint
from harness.narrate import Line, Span, Tone
from harness.stdio.command import PREFIX, CommandError, StartCommandError, adapter_of
from harness.wall.lanes import LoopbackLane
from harness.wall.tryout import Finding, Tried, try_out

_KEEPS_THE_CONTRACT: Final = 0
_BREAKS_IT: Final = 1
_LABEL_WIDTH: Final = 8


def check_command(command: str) -> int:
    """Try the adapter that ``command`` starts; returns the exit code. Raises UserError where none starts."""
    console = Console()
    width = page_width(console)
    try:
        adapter = adapter_of(f"{PREFIX}{command.removeprefix(PREFIX)}")
    except StartCommandError as error:
        raise UserError(str(error)) from error
    except CommandError as error:
        tried = [Tried("says hello", (_unheard(error),))]
        paint(console, _page(tried, width))
        return _BREAKS_IT
    try:
        tried = [Tried(_hello(adapter.manifest)), *asyncio.run(try_out(adapter, LoopbackLane()))]
    finally:
        adapter.pool.drain()
    paint(console, _page(tried, width))
    return _BREAKS_IT if any(it.findings for it in tried) else _KEEPS_THE_CONTRACT


def _hello(manifest: Manifest) -> str:
    number = len(manifest.offers)
    offers = f"{number} guarantee{'' if number == 1 else 's'}" if number else "none: nothing is judged"
    return f"says hello: {manifest.name} {manifest.version}, offers {offers}"


def _unheard(error: CommandError) -> Finding:
    why = "nothing can be played with an adapter that does not say what it is"
    do = 'answer hello with {"contract": 1, "manifest": {...}}; "hitl schema stdio" has every field'
    return Finding(error.reason, why, do)


def _page(tried: Sequence[Tried], width: int) -> Iterator[Line]:
    for it in tried:
        if it.skipped:
            yield Span("- ", Tone.FAINT), Span(f"{it.name}: not tried, {it.skipped}", Tone.FAINT)
        elif it.findings:
            yield Span("✗ ", Tone.BAD), Span(it.name)
        else:
            yield Span("✓ ", Tone.GOOD), Span(it.name)
        for finding in it.findings:
            yield from _finding(finding, width)
    wrong = sum(len(it.findings) for it in tried)
    yield ()
    if wrong:
        yield (
            Span(f"{wrong} finding{'' if wrong == 1 else 's'}: the adapter breaks the contract.", Tone.BAD),
        )
    else:
        yield (Span("The adapter keeps the contract.", Tone.GOOD),)


def _finding(finding: Finding, width: int) -> Iterator[Line]:
    for label, text in (("wrong", finding.wrong), ("why", finding.why), ("do", finding.do)):
        first, *more = textwrap.wrap(text, width - _LABEL_WIDTH - 4) or [""]
        yield Span(f"    {label:<{_LABEL_WIDTH}}", Tone.LABEL), Span(first)
        yield from ((Span(" " * (4 + _LABEL_WIDTH) + line),) for line in more)
