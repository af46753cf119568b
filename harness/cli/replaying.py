"""``hitl replay``: a saved run executed again, shown as it was first shown, and compared byte by byte.

Owns what is said of a replay. A difference is told with the first event that differs and the versions
on both sides, because a replay holds within one version of the harness and one minor version of Python.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from rich.console import Console

from harness.adapter import Manifest
from harness.catalog import UnknownNameError
from harness.cli.apart import python_of, run_worker
from harness.cli.errors import UserError
from harness.cli.paint import page_width, paint
from harness.cli.plugins import catalog_with
from harness.explore.replay import Replay, SavedRun, load, replay, versions
from harness.install.folders import NotInstalledError
from harness.narrate import Line, Span, Tone, boundary_places, listing, plan_sentence
from harness.plan import PlanError
from harness.properties import PROPERTIES, Finding
from harness.run import judge_run

_SAME: Final = 0
_DIFFERENT: Final = 1


def replay_file(path: Path, plugins: Sequence[str]) -> int:
    """Replay the run saved in ``path`` and show it; returns the exit code, raises UserError."""
    catalog = catalog_with(plugins)
    try:
        saved = load(path)
        plugin = catalog.adapter(saved.adapter)
        python = python_of(plugin)
        if python is not None:
            extra = [word for it in plugins for word in ("--plugin", it)]
            return run_worker(python, ["replay", str(path), *extra])
        manifest = plugin.value.manifest
        done = replay(saved, catalog)
    except (PlanError, UnknownNameError, NotInstalledError) as error:
        raise UserError(str(error)) from error
    console = Console()
    paint(console, _page(done, _finding(done, manifest), page_width(console)))
    return _SAME if done.digest_matches else _DIFFERENT


def _finding(done: Replay, manifest: Manifest) -> Finding | None:
    """Return what the replay shows of the property that was saved with it."""
    wanted = done.saved.property
    if wanted not in PROPERTIES:
        return None
    findings = judge_run(manifest, done.run, (wanted,))[wanted].findings
    return findings[0] if findings else None


def _page(done: Replay, finding: Finding | None, width: int) -> Iterator[Line]:
    saved, trace = done.saved, done.run.trace
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
    for failure in done.run.failures:
        yield (Span(f"! the adapter failed in {failure.where}: {failure.error}", Tone.BAD),)
    yield from _comparison(done)


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
