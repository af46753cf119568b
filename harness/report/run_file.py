"""Run folders read back: a result, and the traces of its counterexamples.

Owns every refusal of a result that is missing, damaged or of another version; each names the file and what
to do. What is missing beside a sound result, a trace or a plan, is no refusal: it becomes a note that the
reports show. Traces beyond a limit are cut, and said to be.
"""

import json
from itertools import islice
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from harness.plan import check_plan
from harness.properties import Status
from harness.report import FinishedRun, counterexample_name
from harness.results import FORMAT, VERSION, Result
from harness.trace import Trace
from harness.trace_file import TraceError, read_trace

RESULT_FILE: Final = "result.json"
PLAN_FILE: Final = "plan.json"
TRACE_FILE: Final = "trace.jsonl"
_EVENTS_MAX: Final = 100_000
"""Ten times what a picture of a run was made for; more are not worth the memory."""
_LINE_BYTES_MAX: Final = 1_000_000
"""No event of a run comes near it; a file without line ends is not read whole."""
_RESULT_BYTES_MAX: Final = 200_000_000
_RESULT: Final[TypeAdapter[Result]] = TypeAdapter(Result)


class RunFolderError(ValueError):
    """A run folder cannot be read; the text names the file, what is wrong with it and what to do."""


def read_run(folder: Path) -> FinishedRun:
    """Read the run in ``folder``. Raises RunFolderError, PlanError where a plan makes no sense."""
    result = _read_result(folder)
    traces: dict[tuple[str, str], Trace] = {}
    made_with: dict[str, str] = {}
    notes: list[str] = []
    for adapter in result.adapters:
        for verdict in adapter.verdicts:
            shown = verdict.counterexample
            if verdict.status is not Status.VIOLATED or shown is None:
                continue
            name = counterexample_name(adapter.adapter, verdict.property)
            check_plan(shown.plan, name=f"{folder / RESULT_FILE}: the plan of {name}")
            if not _is_plain(name):
                notes.append(f"{name}: no folder of a run bears such a name; its trace is left out.")
                continue
            trace = _read_trace(folder / name / TRACE_FILE, notes)
            if trace is not None:
                traces[adapter.adapter, verdict.property] = trace
            made_with = made_with or _made_with(folder / name / PLAN_FILE)
    return FinishedRun(result, traces, folder.as_posix(), made_with=made_with, notes=tuple(notes))


def _is_plain(name: str) -> bool:
    """Return whether ``name`` is one part of a path: a result may come from anywhere."""
    return "\0" not in name and Path(name).name == name and "\\" not in name


def _read_result(folder: Path) -> Result:
    file = folder / RESULT_FILE
    try:
        if file.stat().st_size > _RESULT_BYTES_MAX:
            raise RunFolderError(f"{file}: larger than any result ({_RESULT_BYTES_MAX} bytes at most).")
        record = json.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise RunFolderError(f"{file}: {_absence(folder)}") from error
    except OSError as error:
        raise RunFolderError(f"{file}: cannot be read: {error.strerror}.") from error
    except (ValueError, RecursionError) as error:
        if isinstance(error, RunFolderError):
            raise
        raise RunFolderError(f"{file}: not JSON: {error}. Was it cut short? Run it again.") from error
    return _validated(file, record)


def _absence(folder: Path) -> str:
    """Return why there is no result in ``folder``."""
    if not folder.exists():
        return "there is no such run folder. Runs lie in .hitl/runs unless --runs-dir said otherwise."
    if any(folder.glob(f"*/{RESULT_FILE}")):
        return f"missing, but there are runs in {folder}: name one of them."
    if folder.is_dir() and not any(folder.iterdir()):
        return 'missing: the folder is empty, its run ended before it had a result. "hitl run" makes another.'
    return 'missing: this is no run folder, or its run was ended by force. "hitl run" makes one.'


def _validated(file: Path, record: object) -> Result:
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise RunFolderError(f'{file}: no result: "format": "{FORMAT}" is missing. "hitl run" writes it.')
    version = record.get("version")
    if version != VERSION:
        newer = isinstance(version, int) and version > VERSION
        raise RunFolderError(
            f"{file}: result version {version!r} is not {VERSION}, which this harness reads. "
            + ("Upgrade hitl-harness." if newer else "Run it again, or install the harness that wrote it."),
        )
    fields: dict[str, Any] = {key: it for key, it in record.items() if key not in ("format", "version")}
    try:
        return _RESULT.validate_python(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(str(part) for part in first["loc"])
        raise RunFolderError(f"{file}: {where}: {first['msg']}. Was it changed by hand?") from error


def _read_trace(file: Path, notes: list[str]) -> Trace | None:
    """Return a counterexample's trace, None where there is none that can be read; adds to ``notes``."""
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            lines = iter(lambda: stream.readline(_LINE_BYTES_MAX), "")
            trace = read_trace(islice(lines, _EVENTS_MAX + 1), name=file.as_posix())
            if stream.readline(1):
                notes.append(f"{file}: only its first {_EVENTS_MAX} events are shown; the rest is cut off.")
            return trace
    except OSError as error:
        notes.append(f"{file}: cannot be read: {error.strerror}; the diagram of this violation is missing.")
    except TraceError as error:
        notes.append(f"{error} The diagram of this violation is missing.")
    return None


def _made_with(file: Path) -> dict[str, str]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    made_with = record.get("made_with") if isinstance(record, dict) else None
    pairs = made_with.items() if isinstance(made_with, dict) else ()
    return {str(name): str(value) for name, value in pairs}
