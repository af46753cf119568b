"""Run folders read back: a result, and the traces of its counterexamples.

Owns every refusal of a result that is missing, damaged or of another version; each names the file and what
to do. What is missing beside a sound result, a trace or a plan, is no refusal: it becomes a note that the
reports show. Traces beyond a limit are cut, and said to be; how much is read of one run is bounded, so that
memory is, however large its files are.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TextIO

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
ENVIRONMENT_FILE: Final = "environment.json"
NEAREST_FOLDER: Final = "nearest"
"""Within a counterexample's folder: the nearest run that holds the property."""
_EVENTS_MAX: Final = 100_000
"""Ten times what a picture of a run was made for; more are not worth the memory."""
_LINE_LENGTH_MAX: Final = 1_000_000
"""No event of a run comes near it; a file without line ends is not read whole."""
_TRACE_LENGTH_MAX: Final = 64_000_000
_EVENTS_IN_ALL_MAX: Final = 400_000
_LENGTH_IN_ALL_MAX: Final = 256_000_000
_ENVIRONMENT_BYTES_MAX: Final = 100_000
_RESULT_BYTES_MAX: Final = 200_000_000
_RESULT: Final[TypeAdapter[Result]] = TypeAdapter(Result)


class RunFolderError(ValueError):
    """A run folder cannot be read; the text names the file, what is wrong with it and what to do."""


def read_run(folder: Path) -> FinishedRun:
    """Read the run in ``folder``. Raises RunFolderError, PlanError where a plan makes no sense."""
    result = _read_result(folder)
    traces: dict[tuple[str, str], Trace] = {}
    nearest: dict[tuple[str, str], Trace] = {}
    made_with = _environment(folder)
    notes: list[str] = []
    allowance = _Allowance(_EVENTS_IN_ALL_MAX, _LENGTH_IN_ALL_MAX)
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
            where = adapter.adapter, verdict.property
            trace = _read_trace(folder / name / TRACE_FILE, "diagram", allowance, notes)
            if trace is not None:
                traces[where] = trace
            if shown.nearest is not None:
                check_plan(shown.nearest.plan, name=f"{folder / RESULT_FILE}: the plan nearest to {name}")
                near = folder / name / NEAREST_FOLDER / TRACE_FILE
                passing = _read_trace(near, "comparison", allowance, notes)
                if passing is not None:
                    nearest[where] = passing
            made_with = made_with or _made_with(folder / name / PLAN_FILE)
    return FinishedRun(
        result, traces, folder.as_posix(), made_with=made_with, notes=tuple(notes), nearest=nearest
    )


def _is_plain(name: str) -> bool:
    """Return whether ``name`` is one part of a path: a result may come from anywhere."""
    return "\0" not in name and Path(name).name == name and "\\" not in name


def _read_result(folder: Path) -> Result:
    file = folder / RESULT_FILE
    try:
        if file.stat().st_size > _RESULT_BYTES_MAX:
            raise RunFolderError(f"{file}: larger than any result ({_RESULT_BYTES_MAX} bytes at most).")
        record = json.loads(file.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError) as error:
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
    if not folder.is_dir():
        return "a run folder is due, and this is a file. Name the folder that holds result.json."
    files = [path.name for path in folder.iterdir()]
    if files == [ENVIRONMENT_FILE]:
        made_with = ", ".join(f"{name} {value}" for name, value in sorted(_environment(folder).items()))
        ended = f"its run ended before it had a result (made with {made_with})"
        return f'missing: {ended}. "hitl run" makes another.'
    if not files:
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


@dataclass(slots=True)
class _Allowance:
    """What may still be read of the traces of one run, and how much one of them took."""

    events: int
    length: int

    def lines(self, stream: TextIO) -> Iterator[str]:
        """Yield the lines of a trace, its header first, until it ends or as much is read as may be."""
        events = min(self.events, _EVENTS_MAX)
        length = min(self.length, _TRACE_LENGTH_MAX)
        yield stream.readline(_LINE_LENGTH_MAX)
        while events > 0 and length > 0:
            line = stream.readline(_LINE_LENGTH_MAX)
            if not line:
                return
            events, length = events - 1, length - len(line)
            self.events, self.length = self.events - 1, self.length - len(line)
            yield line


def _read_trace(file: Path, picture: str, allowance: _Allowance, notes: list[str]) -> Trace | None:
    """Return a trace, None where there is none that can be read; adds to ``notes``.

    ``picture`` is what of the violation is missing without it.
    """
    missing = f"the {picture} of this violation is missing."
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            trace = read_trace(allowance.lines(stream), name=file.as_posix())
            if stream.readline(1):
                notes.append(f"{file}: {_cut(len(trace.events), missing)}")
            return trace if trace.events else None
    except OSError as error:
        notes.append(f"{file}: cannot be read: {error.strerror}; {missing}")
    except TraceError as error:
        notes.append(f"{error} {missing[:1].upper()}{missing[1:]}")
    return None


def _cut(events: int, missing: str) -> str:
    if not events:
        return f"left out, because the traces before it are as large as is read of one run; {missing}"
    return f"only its first {events} events are shown; the rest is cut off."


def _environment(folder: Path) -> dict[str, str]:
    """Return what the run says of where it was made; nothing where it says nothing."""
    file = folder / ENVIRONMENT_FILE
    try:
        with file.open(encoding="utf-8", errors="replace") as stream:
            return _texts(json.loads(stream.read(_ENVIRONMENT_BYTES_MAX)))
    except (OSError, ValueError, RecursionError):
        return {}


def _made_with(file: Path) -> dict[str, str]:
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return _texts(record.get("made_with")) if isinstance(record, dict) else {}


def _texts(value: object) -> dict[str, str]:
    pairs = value.items() if isinstance(value, dict) else ()
    return {str(name): str(text) for name, text in pairs}
