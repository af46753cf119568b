"""Saved runs: a plan with its digest on disk, executed again and compared event by event.

Owns the files of a counterexample's folder, ``plan.json`` and ``trace.jsonl``, and the comparison. A
replay holds within one minor version of Python and one version of the harness; the file names both, so
that a difference can be told from drift.
"""

import json
import platform
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError
from typing_extensions import TypedDict

from harness.adapter import Adapter, LaneName
from harness.catalog import Catalog, Plugin
from harness.plan import Plan, PlanError, plan_from_record, plan_record
from harness.run import Run, execute
from harness.trace import Trace

FORMAT: Final = "hitl-run"
VERSION: Final = 1
PLAN_FILE: Final = "plan.json"
TRACE_FILE: Final = "trace.jsonl"
_DECIDING: Final = ("hypothesis", "simpy")
"""Distributions whose version may change what is drawn, and in which order it happens."""


@dataclass(frozen=True, slots=True)
class SavedRun:
    """A plan as it was saved, with what its replay must reproduce."""

    adapter: str
    scenario: str
    property: str
    digest: str
    plan: Plan
    made_with: dict[str, str]
    trace_path: Path | None = None
    reference: str = ""
    """What gets the adapter where that is not its name: ``cmd:`` and a command, typed in the same folder."""
    options: Mapping[str, str] = field(default_factory=dict)
    """What was set on the adapter."""
    lane: LaneName = "virtual"
    """Where it was played; only in virtual time a replay is exact."""


class _Played(TypedDict, total=False):
    reference: str
    options: dict[str, str]
    lane: LaneName


_PLAYED: Final[TypeAdapter[_Played]] = TypeAdapter(_Played)


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first event in which a replay differs from what was recorded; None: no event there."""

    seq: int
    recorded: str | None
    replayed: str | None


@dataclass(frozen=True, slots=True)
class Replay:
    """A saved run executed again."""

    saved: SavedRun
    run: Run
    digest: str
    divergence: Divergence | None

    @property
    def digest_matches(self) -> bool:
        """Whether every byte of the trace came out the same."""
        return self.digest == self.saved.digest


def versions() -> dict[str, str]:
    """Return the versions on which a replay depends."""
    return {"harness": version("hitl-harness"), "python": platform.python_version()}


def environment() -> dict[str, str]:
    """Return what a reader of a run wants to know of where it was made, by name."""
    deciding = {name: version(name) for name in _DECIDING}
    return {**versions(), **deciding, "platform": f"{platform.system()} {platform.machine()}"}


def save(folder: Path, saved: SavedRun, trace: Trace) -> None:
    """Write ``plan.json`` and ``trace.jsonl`` into ``folder``, which is made if it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    record = {
        "format": FORMAT,
        "version": VERSION,
        "adapter": saved.adapter,
        "scenario": saved.scenario,
        "property": saved.property,
        "digest": saved.digest,
        "made_with": saved.made_with,
        "plan": plan_record(saved.plan),
        "reference": saved.reference,
        "options": dict(saved.options),
        "lane": saved.lane,
    }
    (folder / PLAN_FILE).write_text(json.dumps(record, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    (folder / TRACE_FILE).write_text("".join(f"{line}\n" for line in trace.lines()), encoding="utf-8")


def load(path: Path) -> SavedRun:
    """Read a saved run: its ``plan.json``, or the folder that holds it. Raises PlanError."""
    file = path / PLAN_FILE if path.is_dir() else path
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise PlanError(
            f"{file}: cannot be read: {error.strerror}. Give a plan.json of a run folder."
        ) from error
    except ValueError as error:
        raise PlanError(f"{file}: not JSON: {error}. Was it cut short?") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise PlanError(f'{file}: no saved run: "format": "{FORMAT}" is missing. "hitl run" writes it.')
    if record.get("version") != VERSION:
        raise PlanError(
            f"{file}: saved run version {record.get('version')!r} is not {VERSION}, which this one reads. "
            "Install the harness that wrote it.",
        )
    texts: dict[str, Any] = {
        key: _text(file, record, key) for key in ("adapter", "scenario", "property", "digest")
    }
    played = _how_it_was_played(file, record)
    trace = file.parent / TRACE_FILE
    made_with = record.get("made_with")
    return SavedRun(
        **texts,
        plan=plan_from_record(record.get("plan"), name=f"{file}: plan"),
        made_with=made_with if isinstance(made_with, dict) else {},
        trace_path=trace if trace.is_file() else None,
        **played,
    )


def _how_it_was_played(file: Path, record: dict[str, Any]) -> dict[str, Any]:
    """Return the fields that runs saved by older versions lack; raises PlanError."""
    try:
        played = _PLAYED.validate_python(
            {key: record[key] for key in _Played.__annotations__ if key in record}
        )
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        raise PlanError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    return dict(played)


def _text(file: Path, record: dict[str, Any], key: str) -> str:
    value = record.get(key)
    if not isinstance(value, str):
        raise PlanError(f"{file}: {key}: a text is due, not {value!r}.")
    return value


def adapter_of(saved: SavedRun, catalog: Catalog) -> Plugin[Adapter]:
    """Return the adapter of a saved run, with the options that were set on it.

    Raises UnknownNameError where there is no such adapter or option, OptionError where a value cannot be
    used, CommandError where its command starts none.
    """
    return catalog.configured(catalog.adapter(saved.reference or saved.adapter), saved.options)


def replay(saved: SavedRun, adapter: Adapter) -> Replay:
    """Execute a saved run again, in virtual time, and compare."""
    run = execute(adapter, saved.plan)
    digest = run.trace.digest()
    divergence = None if digest == saved.digest else _first_difference(saved, run.trace)
    return Replay(saved, run, digest, divergence)


def _first_difference(saved: SavedRun, trace: Trace) -> Divergence | None:
    if saved.trace_path is None:
        return None
    recorded = saved.trace_path.read_text(encoding="utf-8").splitlines()[1:]
    replayed = list(trace.lines())[1:]
    for seq, (before, now) in enumerate(zip_longest(recorded, replayed)):
        if before != now:
            return Divergence(seq, before, now)
    return None
