"""``hitl run``: names to plug-ins, plug-ins to a result, a result to folder, page, reports and exit code.

Owns the order of these steps. All that can be refused is refused before the first run; an interrupt
leaves a run folder with what is known by then.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter
from rich.console import Console

from harness.adapter import Adapter, LaneName
from harness.catalog import Catalog, Plugin, UnknownNameError
from harness.cli.apart import Lineup, Returned, in_place, lineup, play_apart
from harness.cli.configuring import configured
from harness.cli.errors import UserError
from harness.cli.expecting import bring_up_to_date
from harness.cli.interrupt import Interrupt, Interruptible, interrupts
from harness.cli.onlooking import Both, Onlooker
from harness.cli.paint import page_width, paint
from harness.cli.playing import Playing, choose_lanes
from harness.cli.plugins import catalog_with
from harness.cli.progress import progress_on
from harness.cli.remembering import remember
from harness.cli.reporting import chosen_reports, write_reports
from harness.cli.run_folder import fill, new_run_folder
from harness.expectations import ExpectationsError
from harness.explore.conformance import EXAMPLES, Options, check
from harness.explore.replay import environment, versions
from harness.report import FinishedRun, Recorded, result_json
from harness.report.page import run_page
from harness.results import ExitCode, Result
from harness.scenario import Scenario
from harness.stdio.command import CommandError

DEFAULT_ADAPTERS: Final = ("reference",)
EXAMPLES_FOLDER: Final = "examples"
"""Beside the run folders: Hypothesis's database of failures, used where the seed is random."""
_INTERRUPTED: Final = 130


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for."""

    adapters: tuple[str, ...]
    every_adapter: bool
    scenarios: tuple[str, ...]
    examples: int | None
    """Plans a scenario; None: as many as the lane of an adapter affords."""
    seed: int | None
    as_json: bool
    report_folder: Path | None
    formats: tuple[str, ...]
    use_expectations: bool
    update_expectations: bool
    allow_inconclusive: bool
    plugins: tuple[str, ...]
    runs_folder: Path
    lane: LaneName | None = None
    """Where every adapter is played; None: each in its own default lane."""
    for_another: bool = False
    """Whether another ``hitl`` waits for the run folder: nothing is shown but how far the run is."""
    options: tuple[str, ...] = ()
    """NAME=VALUE, for the adapters that take them."""


def run(request: Request, onlooker: Onlooker | None = None) -> int:
    """Do what ``request`` says and return the exit code; raises UserError.

    An ``onlooker`` learns what happens, and changes nothing.
    """
    catalog = catalog_with(request.plugins)
    adapters = configured(catalog, _adapters(catalog, request), request.options)
    playing = choose_lanes(adapters, request.lane, request.examples, skips=request.every_adapter)
    playable = [plugin for plugin in adapters if plugin.name not in playing.skipped]
    line = lineup(playable, skips=request.every_adapter)
    scenarios = _scenarios(catalog, request)
    if request.formats and request.report_folder is None:
        raise UserError("--format needs --report DIR: say where the reports go.")
    if request.update_expectations and (request.scenarios or not request.use_expectations):
        raise UserError(
            "--update-expectations needs every scenario and the present expectations: leave out --scenario "
            "and --ignore-expectations.",
        )
    reports = chosen_reports(catalog, request.formats) if request.report_folder is not None else []
    folder = new_run_folder(request.runs_folder)
    result, recorded = _result(adapters, line, scenarios, request, playing, onlooker)
    if request.update_expectations and not result.interrupted:
        tried = [request.examples or it.value.manifest.examples for it in adapters]
        strikes = min(tried) >= EXAMPLES and not playing.real_time
        renewed = bring_up_to_date(adapters, result.adapters, strikes=strikes)
        result = replace(result, adapters=tuple(renewed))
    kept = fill(folder, result, catalog, recorded)
    finished = FinishedRun(
        result,
        kept.traces,
        folder.as_posix(),
        request.plugins,
        made_with=environment(),
        nearest=kept.nearest,
    )
    code = result.exit_code(
        allow_inconclusive=request.allow_inconclusive, allow_skipped=not (in_ci() and line.skipped)
    )
    if onlooker is not None:
        onlooker.ended(finished, code)
    if request.for_another:
        return code.value
    remember(result, folder, versions()["harness"], code.value)
    if request.as_json:
        sys.stdout.write(result_json(result))
    else:
        console = Console()
        paint(console, run_page(finished, page_width(console), code))
    if request.report_folder is not None:
        first, complete = write_reports(finished, reports, request.report_folder)
        for path in first:
            print(f"report: {path}", file=sys.stderr)
        code = code if complete else ExitCode.HARNESS_AT_FAULT
    if result.interrupted:
        print(f"hitl: interrupted; what is known by now is in {folder}", file=sys.stderr)
        return _INTERRUPTED
    return code.value


def _adapters(catalog: Catalog, request: Request) -> list[Plugin[Adapter]]:
    if request.every_adapter and request.adapters:
        raise UserError("--all tests every adapter: leave out the names, or leave out --all.")
    if request.every_adapter:
        return list(catalog.adapters.values())
    try:
        named = [catalog.adapter(name) for name in request.adapters or DEFAULT_ADAPTERS]
    except UnknownNameError as error:
        raise UserError(f'{error} "hitl list adapters" shows all.') from error
    except CommandError as error:
        raise UserError(str(error)) from error
    return list({plugin.name: plugin for plugin in named}.values())


def _scenarios(catalog: Catalog, request: Request) -> list[Plugin[Scenario]]:
    try:
        named = [catalog.scenario(name) for name in request.scenarios or catalog.scenarios]
    except UnknownNameError as error:
        raise UserError(f'{error} "hitl list scenarios" shows all.') from error
    return list({plugin.name: plugin for plugin in named}.values())


def _result(
    adapters: Sequence[Plugin[Adapter]],
    line: Lineup,
    scenarios: Sequence[Plugin[Scenario]],
    request: Request,
    playing: Playing,
    onlooker: Onlooker | None,
) -> tuple[Result, Recorded]:
    """Play all that can be played, here and apart; return what came of it and the traces that are kept."""
    played = [*(plugin.name for plugin in line.here), *line.apart]
    options = Options(
        examples=playing.examples(request.examples, played),
        seed=request.seed,
        database=request.runs_folder.parent / EXAMPLES_FOLDER,
        use_expectations=request.use_expectations,
        every_scenario=not request.scenarios,
        real_time=playing.real_time,
    )
    if onlooker is not None:
        names = [it.name for it in scenarios]
        examples = options.examples or EXAMPLES
        onlooker.began([it.name for it in adapters], [*line.apart], names, examples)
    try:
        with interrupts() as interrupt:
            with progress_on(Console(stderr=True)) as progress:
                told = progress if onlooker is None else Both(progress, onlooker)
                result = check(line.here, scenarios, options, Interruptible(told, interrupt))
            back = _apart(adapters, line, request, interrupt)
    except ExpectationsError as error:
        raise UserError(str(error)) from error
    rows = in_place(adapters, [*result.adapters, *back.results], {**line.skipped, **playing.skipped})
    recorded = Recorded(playing.traces | back.traces, back.nearest)
    interrupted = result.interrupted or back.interrupted
    return replace(result, adapters=tuple(rows), interrupted=interrupted), recorded


def _apart(
    adapters: Sequence[Plugin[Adapter]], line: Lineup, request: Request, interrupt: Interrupt
) -> Returned:
    """Have workers play the adapters that need them, one after the other."""
    back = Returned()
    for plugin in adapters:
        if plugin.name in line.apart and not interrupt.wanted:
            task = partial(_task, request, plugin.name)
            python = line.apart[plugin.name]
            play_apart(plugin, python, request.runs_folder, task, lambda: interrupt.wanted, back)
    back.interrupted |= interrupt.wanted
    return back


def _task(request: Request, adapter: str, runs_folder: Path) -> str:
    """Return the task of playing one adapter of ``request`` apart, as text."""
    task = replace(
        request,
        adapters=(adapter,),
        every_adapter=False,
        as_json=False,
        report_folder=None,
        formats=(),
        update_expectations=False,
        runs_folder=runs_folder,
        for_another=True,
    )
    return TypeAdapter(Request).dump_json(task).decode()


def in_ci() -> bool:
    """Return whether this is a run in which nothing may be left out."""
    return os.environ.get("CI") == "true"
