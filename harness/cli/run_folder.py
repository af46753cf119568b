"""Run folders: a result with its counterexamples on disk.

Owns the layout: ``environment.json`` from the start, ``result.json``, and for every violation a folder
``<adapter>-<property>`` that ``hitl replay`` takes; in there ``nearest`` is another such folder, of the
nearest run that holds the property. Folders are numbered; a number is taken by making the folder, so that two
runs at once do not share one.
"""

import json
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

from harness.adapter import Adapter
from harness.catalog import Catalog
from harness.cli.errors import UserError
from harness.explore.replay import SavedRun, environment, save, versions
from harness.narrate.units import plural
from harness.properties import Status
from harness.report import Recorded, counterexample_name, result_json
from harness.report.run_file import ENVIRONMENT_FILE, NEAREST_FOLDER, RESULT_FILE
from harness.results import Result
from harness.run import execute
from harness.trace import Trace

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
            text = json.dumps(environment(), indent=1, sort_keys=True)
            (folder / ENVIRONMENT_FILE).write_text(f"{text}\n", encoding="utf-8")
            return folder
    except OSError as error:
        raise UserError(
            f"{runs_folder}: no run folder can be made there: {error.strerror}. Choose another --runs-dir."
        ) from error
    raise AssertionError("count() is endless")


def fill(folder: Path, result: Result, catalog: Catalog, recorded: Recorded) -> Recorded:
    """Write ``result`` and its counterexamples into ``folder``; returns their traces.

    A counterexample is executed once more: what is saved is what a replay must reproduce. Some are
    ``recorded``: those of real time, because nothing reproduces them, and those of a worker, which did this.
    """
    traces: dict[tuple[str, str], Trace] = {}
    nearest: dict[tuple[str, str], Trace] = {}
    try:
        (folder / RESULT_FILE).write_text(result_json(result), encoding="utf-8")
        for adapter in result.adapters:
            plugin = catalog.adapter(adapter.adapter)
            for verdict in adapter.verdicts:
                shown = verdict.counterexample
                if verdict.status is not Status.VIOLATED or shown is None:
                    continue
                where = adapter.adapter, verdict.property
                place = folder / counterexample_name(*where)
                saved = SavedRun(
                    adapter=adapter.adapter,
                    scenario=shown.scenario,
                    property=verdict.property,
                    digest=shown.digest,
                    plan=shown.plan,
                    made_with=versions(),
                    reference=plugin.reference,
                    options=plugin.options,
                    lane=adapter.lane,
                )
                traces[where] = _keep(place, saved, plugin.value, recorded.traces.get(where))
                if shown.nearest is not None:
                    near = replace(saved, plan=shown.nearest.plan, digest=shown.nearest.digest)
                    known = recorded.nearest.get(where)
                    nearest[where] = _keep(place / NEAREST_FOLDER, near, plugin.value, known)
    except OSError as error:
        done = plural(len(traces), "counterexample")
        raise UserError(f"{folder}: writing the run failed after {done}: {error.strerror}.") from error
    return Recorded(traces, nearest)


def _keep(folder: Path, saved: SavedRun, adapter: Adapter, recorded: Trace | None) -> Trace:
    """Write one run into ``folder`` and return its trace, which is ``recorded`` or made by playing it."""
    trace = recorded or execute(adapter, saved.plan).trace
    save(folder, saved, trace)
    return trace
