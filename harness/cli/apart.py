"""Adapters whose packages live in environments of their own, played there and told of here.

Owns which of the wanted adapters can be played, where, and the way of a result from a worker to this process:
the worker writes a run folder as ``hitl run`` always does, and that is read back.
"""

import os
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from harness.adapter import Adapter
from harness.catalog import Plugin
from harness.cli.errors import UserError
from harness.install.folders import NotInstalledError
from harness.install.standing import interpreter, needs
from harness.install.worker import start_worker
from harness.plan import PlanError
from harness.report.run_file import RunFolderError, read_run
from harness.results import AdapterResult
from harness.trace import Trace

INSIDE: Final = "inside"
"""The hidden command that a worker is started with."""
_POLL_S: Final = 0.2


@dataclass(frozen=True, slots=True)
class Lineup:
    """The wanted adapters by where they are played; ``skipped`` says why some are not."""

    here: tuple[Plugin[Adapter], ...]
    apart: Mapping[str, Path]
    skipped: Mapping[str, str]


@dataclass(slots=True)
class Returned:
    """What workers handed back."""

    results: list[AdapterResult] = field(default_factory=list)
    traces: dict[tuple[str, str], Trace] = field(default_factory=dict)
    nearest: dict[tuple[str, str], Trace] = field(default_factory=dict)
    interrupted: bool = False


def lineup(adapters: Sequence[Plugin[Adapter]], *, skips: bool) -> Lineup:
    """Return where each of ``adapters`` is played.

    One that lacks something is skipped where the user did not name it (``skips``). Raises UserError, with the
    command to type, where it was named.
    """
    here: list[Plugin[Adapter]] = []
    apart: dict[str, Path] = {}
    skipped: dict[str, str] = {}
    for plugin in adapters:
        try:
            python = python_of(plugin)
        except NotInstalledError as error:
            if not skips:
                raise UserError(f"{plugin.name}: {error}") from error
            skipped[plugin.name] = str(error)
            continue
        if python is None:
            here.append(plugin)
        else:
            apart[plugin.name] = python
    return Lineup(tuple(here), apart, skipped)


def python_of(plugin: Plugin[Adapter]) -> Path | None:
    """Return the Python in which an adapter is played, None for this one; raises NotInstalledError."""
    requires = plugin.value.manifest.requires
    needs(requires, plugin.name)
    return interpreter(requires)


def skipped_result(plugin: Plugin[Adapter], why: str) -> AdapterResult:
    """Return the row of an adapter that is not played."""
    manifest = plugin.value.manifest
    return AdapterResult(manifest.name, manifest.version, 0, (), {}, skipped=why)


def in_place(
    adapters: Iterable[Plugin[Adapter]], played: Iterable[AdapterResult], skipped: Mapping[str, str]
) -> Iterator[AdapterResult]:
    """Yield the rows of a matrix in the order in which the adapters were named."""
    rows = {row.adapter: row for row in played}
    for plugin in adapters:
        if plugin.name in rows:
            yield rows[plugin.name]
        elif plugin.name in skipped:
            yield skipped_result(plugin, skipped[plugin.name])


def play_apart(
    plugin: Plugin[Adapter],
    python: Path,
    near: Path,
    task: Callable[[Path], str],
    stop: Callable[[], bool],
    returned: Returned,
) -> None:
    """Have a worker play one adapter and add what it hands back to ``returned``.

    ``task`` returns what the worker is to do, given a folder for its runs, which lies beside ``near`` and is
    removed at the end. Where ``stop`` says so, the worker is asked to end early.
    """
    with tempfile.TemporaryDirectory(prefix="worker-", dir=near.parent) as scratch:
        runs = Path(scratch) / "runs"
        file = Path(scratch) / "task.json"
        file.write_text(task(runs), encoding="utf-8")
        code = run_worker(python, [INSIDE, str(file)], stop)
        try:
            (folder,) = sorted(runs.glob("*"))
            run = read_run(folder)
            (row,) = run.result.adapters
        except (ValueError, RunFolderError, PlanError):
            returned.results.append(_without_result(plugin, python, code))
            return
    returned.results.append(row)
    returned.traces.update(run.traces)
    returned.nearest.update(run.nearest)
    returned.interrupted |= run.result.interrupted


def _without_result(plugin: Plugin[Adapter], python: Path, code: int) -> AdapterResult:
    manifest = plugin.value.manifest
    ended = f"was killed by signal {-code}" if code < 0 else f"ended with exit code {code}"
    text = f"the worker in {python.parent.parent} {ended} and left no result; what it said stands above"
    return AdapterResult(manifest.name, manifest.version, 0, (), {}, failures=(text,))


def run_worker(python: Path, words: Sequence[str], stop: Callable[[], bool] = lambda: False) -> int:
    """Run ``hitl`` with ``words`` in an environment until it ends; returns its exit code.

    Where ``stop`` becomes true it is interrupted, once. Whatever ends this call ends the worker too.
    """
    with _worker(python, words) as process:
        told = False
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_POLL_S)
            if stop() and not told:
                told = True
                process.send_signal(signal.SIGINT)


@contextmanager
def _worker(python: Path, words: Sequence[str]) -> Iterator[subprocess.Popen[bytes]]:
    try:
        process = start_worker(python, words)
    except OSError as error:
        raise UserError(f"{python}: no worker can be started: {error.strerror}. Install it again.") from error
    with process:
        try:
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
