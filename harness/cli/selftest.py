"""``hitl selftest``: the table that shows what the harness finds, and that it finds nothing else.

Owns the face of :mod:`harness.explore.selftest`: progress on standard error, the table or JSON on standard
output, one line of summary at the end, and the exit code.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Final

from rich.console import Console

from harness.cli.errors import UserError
from harness.cli.paint import paint
from harness.cli.plugins import catalog_with
from harness.explore.selftest import FULL, SHORT, OnDone, Row, SelfTest, Vigil, self_test, self_test_record
from harness.explore.stopwatch import Stopwatch
from harness.narrate import Line, Span, Tone, plural
from harness.results import ExitCode

_EVERY: Final = 20
"""Jobs between two lines of progress where standard error is no terminal."""


def run_self_test(plugins: Sequence[str], *, short: bool, as_json: bool, processes: int | None) -> int:
    """Run the self-test, print its table and return the exit code; raises UserError."""
    catalog = catalog_with(plugins)
    if not catalog.ablations:
        raise UserError("no ablations to look for: an adapter's folder exports them as ABLATIONS.")
    watch = Stopwatch()
    form = SHORT if short else FULL
    result = self_test(catalog, form, plugins=plugins, processes=processes, on_done=_progress())
    if as_json:
        sys.stdout.write(json.dumps(self_test_record(result), indent=1, sort_keys=True) + "\n")
    else:
        paint(Console(), _page(result, watch.elapsed_s()))
    return (ExitCode.CONFORMANT if result.as_expected else ExitCode.VIOLATED).value


def _progress() -> OnDone:
    live = sys.stderr.isatty()

    def on_done(done: int, total: int) -> None:
        if live:
            end = "\r" if done < total else "\n"
            print(f"self-test: {done} of {total} jobs done ", end=end, file=sys.stderr, flush=True)
        elif done % _EVERY == 0 or done == total:
            print(f"self-test: {done} of {total} jobs done", file=sys.stderr, flush=True)

    return on_done


def _page(result: SelfTest, elapsed_s: float) -> Iterator[Line]:
    width = max(len(row.ablation) for row in result.rows)
    seeds = len(result.rows[0].runs)
    of_seeds = "" if seeds == 1 else f" (median of {seeds} seeds)"
    yield (Span(f"{'':6}{'ablation':<{width}}  found   runs  deviations  seconds", Tone.HEADER),)
    yield from (_row(row, width) for row in result.rows)
    yield ()
    yield (Span(f"runs until found{of_seeds}; deviations in the shrunk plan", Tone.FAINT),)
    for vigil in result.intact:
        yield from _intact(vigil)
    yield ()
    yield (Span(_summary(result, elapsed_s), Tone.GOOD if result.as_expected else Tone.BAD),)


def _row(row: Row, width: int) -> Line:
    found = Span("✓ yes", Tone.GOOD) if row.found else Span("✗ NO ", Tone.BAD)
    runs = row.median_runs if row.found else "/".join("-" if it is None else str(it) for it in row.runs)
    size = "-" if row.deviations is None else row.deviations
    return (
        Span(f"{row.breaks[0]:<6}", Tone.LABEL),
        Span(f"{row.ablation:<{width}}  "),
        found,
        Span(f"  {runs!s:>5}  {size!s:>10}  {row.seconds:>7.1f}"),
    )


def _intact(vigil: Vigil) -> Iterator[Line]:
    alarms = plural(len(vigil.alarms), "false alarm")
    tone = Tone.BAD if vigil.alarms else Tone.GOOD
    yield (Span(f"intact {vigil.adapter}: "), Span(f"{alarms} in {plural(vigil.runs, 'run')}", tone))
    for alarm in vigil.alarms:
        yield (Span(f"  {alarm.property} (seed {alarm.seed}): {alarm.sentence}", Tone.BAD),)


def _summary(result: SelfTest, elapsed_s: float) -> str:
    found = [row for row in result.rows if row.found]
    worst = max((runs for row in found for runs in row.runs if runs is not None), default=0)
    verdict = "as expected" if result.as_expected else "NOT as expected"
    watched = sum(vigil.runs for vigil in result.intact)
    return (
        f"self-test {verdict}: {len(found)} of {plural(len(result.rows), 'ablation')} found within "
        f"{plural(worst, 'run')}, median {plural(result.median_deviations or 0, 'deviation')}, "
        f"{plural(len(result.alarms), 'false alarm')} in {plural(watched, 'intact run')}, {elapsed_s:.0f} s"
    )
