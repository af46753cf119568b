"""Run folders: a result with its counterexamples on disk.

Owns the layout: ``result.json``, and for every violation a folder ``<adapter>-<property>`` that ``hitl
replay`` takes. Folders are numbered; a number is taken by making the folder, so that two runs at once do
not share one.
"""

from collections.abc import Mapping
from itertools import count
from pathlib import Path
from typing import Final

from harness.catalog import Catalog
from harness.cli.errors import UserError
from harness.explore.replay import SavedRun, save, versions
from harness.narrate.units import plural
from harness.properties import Status
from harness.report import counterexample_name, result_json
from harness.results import Result
from harness.run import execute
from harness.trace import Trace

RESULT_FILE: Final = "result.json"
_DIGITS: Final = 3


def new_run_folder(runs_folder: Path) -> Path:
    """Make and return the next free run folder; raises UserError where it cannot be made."""
    try:
        runs_folder.mkdir(parents=True, exist_ok=True)
        taken = [int(path.name) for path in runs_folder.iterdir() if path.name.isdecimal()]
        for number in count(max(taken, default=0) + 1):
            folder = runs_folder / f"{number:0{_DIGITS}d}"
            try:
                folder.mkdir()
            except FileExistsError:
                continue
            return folder
    except OSError as error:
        raise UserError(
            f"{runs_folder}: no run folder can be made there: {error.strerror}. Choose another --runs-dir."
        ) from error
    raise AssertionError("count() is endless")


def fill(
    folder: Path,
    result: Result,
    catalog: Catalog,
    recorded: Mapping[tuple[str, str], Trace],
) -> Mapping[tuple[str, str], Trace]:
    """Write ``result`` and its counterexamples into ``folder``; returns their traces.

    A counterexample is executed once more: what is saved is what a replay must reproduce. Some are
    ``recorded``: those of real time, because nothing reproduces them, and those of a worker, which did this.
    """
    traces: dict[tuple[str, str], Trace] = {}
    try:
        (folder / RESULT_FILE).write_text(result_json(result), encoding="utf-8")
        for adapter in result.adapters:
            plugin = catalog.adapter(adapter.adapter)
            for verdict in adapter.verdicts:
                shown = verdict.counterexample
                if verdict.status is not Status.VIOLATED or shown is None:
                    continue
                where = adapter.adapter, verdict.property
                trace = recorded.get(where) or execute(plugin.value, shown.plan).trace
                saved = SavedRun(
                    adapter=adapter.adapter,
                    scenario=shown.scenario,
                    property=verdict.property,
                    digest=shown.digest,
                    plan=shown.plan,
                    made_with=versions(),
                )
                save(folder / counterexample_name(adapter.adapter, verdict.property), saved, trace)
                traces[where] = trace
    except OSError as error:
        done = plural(len(traces), "counterexample")
        raise UserError(f"{folder}: writing the run failed after {done}: {error.strerror}.") from error
    return traces
