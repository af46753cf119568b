"""``hitl replay``: a saved run executed again, shown as it was first shown, and compared byte by byte.

Owns what is said of a replay. A difference is told with the first event that differs and the versions
on both sides, because a replay holds within one version of the harness and one minor version of Python.
A run in real time is played once more in its lane, and only judged: no bytes of it can be compared.
"""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from harness.adapter import Manifest, OptionError
from harness.catalog import UnknownNameError
from harness.cli.apart import python_of, run_worker
from harness.cli.errors import UserError
from harness.cli.paint import page_width, paint
from harness.cli.playing import real_lane
from harness.cli.plugins import catalog_with
from harness.explore.replay import Replay, SavedRun, adapter_of, load, replay, versions
from harness.install.folders import NotInstalledError
from harness.narrate import Line, Span, Tone, boundary_places, listing, plan_sentence
from harness.plan import PlanError
from harness.properties import PROPERTIES, Finding
from harness.run import Run, judge_run
from harness.stdio.command import CommandError
from harness.wall.parallel import play_again

_SAME: Final = 0
_DIFFERENT: Final = 1


def replay_file(path: Path, plugins: Sequence[str]) -> int:
    """Replay the run saved in ``path`` and show it; returns the exit code, raises UserError."""
    catalog = catalog_with(plugins)
    try:
        saved = load(path)
        plugin = adapter_of(saved, catalog)
        python = python_of(plugin)
        if python is not None:
            extra = [word for it in plugins for word in ("--plugin", it)]
            return run_worker(python, ["replay", str(path), *extra])
    except (PlanError, UnknownNameError, NotInstalledError, OptionError, CommandError) as error:
        raise UserError(str(error)) from error
    console = Console()
    width = page_width(console)
    if saved.lane != "virtual":
        run = play_again(plugin.value, saved.plan, real_lane(saved.lane))
        finding = _finding(saved, run, plugin.value.manifest)
        paint(console, [*_page(saved, run, finding, width), *_of_real_time(saved.lane, finding, width)])
        return _DIFFERENT if finding is None else _SAME
    done = replay(saved, plugin.value)
    finding = _finding(saved, done.run, plugin.value.manifest)
    paint(console, [*_page(saved, done.run, finding, width), *_comparison(done)])
    return _SAME if done.digest_matches else _DIFFERENT


def _finding(saved: SavedRun, run: Run, manifest: Manifest) -> Finding | None:
    """Return what the replay shows of the property that was saved with it."""
    wanted = saved.property
    if wanted not in PROPERTIES:
        return None
    findings = judge_run(manifest, run, (wanted,))[wanted].findings
    return findings[0] if findings else None


def _page(saved: SavedRun, run: Run, finding: Finding | None, width: int) -> Iterator[Line]:
    trace = run.trace
    known = PROPERTIES.get(saved.property)
    name = f"{saved.property} {known.guarantee.value}" if known else saved.property
    yield (Span(f"{saved.adapter}  {name}  {saved.scenario}", Tone.TITLE),)
    yield (Span(plan_sentence(saved.plan, trace)),)
    yield ()
    marked = boundary_places(trace, finding.events) if finding else ()
    yield from listing(trace, marked, width)
    yield ()
    if finding is not None:
        yield (Span(f"✗ violated: {finding.sentence}", Tone.BAD),)
    elif known is not None:
        yield (Span(f"{saved.property} is not violated in this run", Tone.DOUBTFUL),)
    for failure in run.failures:
        yield (Span(f"! the adapter failed in {failure.where}: {failure.error}", Tone.BAD),)


def _of_real_time(lane: str, finding: Finding | None, width: int) -> Iterator[Line]:
    """Say what such a replay is worth."""
    seen = "violated again" if finding is not None else "not seen this time; try again, or play more examples"
    text = (
        f"played again in the {lane} lane: {seen}. Real time repeats nothing exactly: no bytes are compared."
    )
    for piece in textwrap.wrap(text, width):
        yield (Span(piece, Tone.DOUBTFUL),)


def _comparison(done: Replay) -> Iterator[Line]:
    if done.digest_matches:
        yield (Span(f"✓ same digest: {done.digest} ({len(done.run.trace.events)} events)", Tone.GOOD),)
        return
    yield (Span(f"✗ another digest: {done.digest}, recorded was {done.saved.digest}", Tone.BAD),)
    if done.divergence is not None:
        yield (Span(f"  first difference at event {done.divergence.seq}:"),)
        yield (Span(f"    recorded  {done.divergence.recorded or 'nothing'}"),)
        yield (Span(f"    replayed  {done.divergence.replayed or 'nothing'}"),)
    yield (Span(f"  {_versions(done.saved)}", Tone.FAINT),)


def _versions(saved: SavedRun) -> str:
    here = versions()
    if saved.made_with == here:
        return "the harness and Python are the same: the adapter changed since, or is not repeatable"
    pairs = [f"{name} {saved.made_with.get(name, 'unknown')} then, {here[name]} now" for name in sorted(here)]
    return "; ".join(pairs)
