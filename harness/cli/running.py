"""``hitl run``: names to plug-ins, plug-ins to a result, a result to folder, page, reports and exit code.

Owns the order of these steps. All that can be refused is refused before the first run; an interrupt
leaves a run folder with what is known by then.
"""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from rich.console import Console

from harness.adapter import Adapter
from harness.catalog import Catalog, Plugin, UnknownNameError
from harness.cli.errors import UserError
from harness.cli.expecting import bring_up_to_date
from harness.cli.interrupt import Interruptible, interrupts
from harness.cli.paint import page_width, paint
from harness.cli.plugins import catalog_with
from harness.cli.progress import progress_on
from harness.cli.reporting import chosen_reports, write_reports
from harness.cli.run_folder import fill, new_run_folder
from harness.expectations import ExpectationsError
from harness.explore.conformance import EXAMPLES, Options, RealTime, check
from harness.explore.replay import versions
from harness.report import FinishedRun, result_json
from harness.report.page import run_page
from harness.results import ExitCode, Result
from harness.scenario import Scenario

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
    examples: int
    seed: int | None
    as_json: bool
    report_folder: Path | None
    formats: tuple[str, ...]
    use_expectations: bool
    update_expectations: bool
    allow_inconclusive: bool
    plugins: tuple[str, ...]
    runs_folder: Path
    lane: Literal["virtual", "wall", "live"] = "virtual"


def run(request: Request) -> int:
    """Do what ``request`` says and return the exit code; raises UserError."""
    catalog = catalog_with(request.plugins)
    adapters = _adapters(catalog, request)
    scenarios = _scenarios(catalog, request)
    if request.formats and request.report_folder is None:
        raise UserError("--format needs --report DIR: say where the reports go.")
    if request.update_expectations and (request.scenarios or not request.use_expectations):
        raise UserError(
            "--update-expectations needs every scenario and the present expectations: leave out --scenario "
            "and --ignore-expectations.",
        )
    reports = chosen_reports(catalog, request.formats) if request.report_folder is not None else []
    real_time = _real_time(request)
    folder = new_run_folder(request.runs_folder)
    result = _result(adapters, scenarios, request, real_time)
    if request.update_expectations and not result.interrupted:
        strikes = request.examples >= EXAMPLES and real_time is None
        renewed = bring_up_to_date(adapters, result.adapters, strikes=strikes)
        result = replace(result, adapters=tuple(renewed))
    recorded = None if real_time is None else real_time.traces
    traces = fill(folder, result, catalog, recorded)
    finished = FinishedRun(result, traces, folder.as_posix(), request.plugins, versions())
    code = result.exit_code(allow_inconclusive=request.allow_inconclusive)
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
    return list({plugin.name: plugin for plugin in named}.values())


def _scenarios(catalog: Catalog, request: Request) -> list[Plugin[Scenario]]:
    try:
        named = [catalog.scenario(name) for name in request.scenarios or catalog.scenarios]
    except UnknownNameError as error:
        raise UserError(f'{error} "hitl list scenarios" shows all.') from error
    return list({plugin.name: plugin for plugin in named}.values())


def _real_time(request: Request) -> RealTime | None:
    """Return how runs take real time, None where they do not; raises UserError where the lane is closed."""
    if request.lane == "virtual":
        return None
    from harness.wall.lanes import Lane, LaneError, LoopbackLane, live_lane  # noqa: PLC0415 - needs an extra
    from harness.wall.play import execute_in_real_time  # noqa: PLC0415 - as above

    try:
        lane: Lane = LoopbackLane() if request.lane == "wall" else live_lane(os.environ)
    except LaneError as error:
        raise UserError(f"--{request.lane}: {error}") from None
    return RealTime(lambda adapter, plan: execute_in_real_time(adapter, plan, lane))


def _result(
    adapters: Sequence[Plugin[Adapter]],
    scenarios: Sequence[Plugin[Scenario]],
    request: Request,
    real_time: RealTime | None,
) -> Result:
    options = Options(
        examples=request.examples,
        seed=request.seed,
        database=request.runs_folder.parent / EXAMPLES_FOLDER,
        use_expectations=request.use_expectations,
        every_scenario=not request.scenarios,
        real_time=real_time,
    )
    try:
        with interrupts() as interrupt, progress_on(Console(stderr=True)) as progress:
            return check(adapters, scenarios, options, Interruptible(progress, interrupt))
    except ExpectationsError as error:
        raise UserError(str(error)) from error
