"""What ``hitl bench`` does: measurements, then a table, charts, CSV and JSON.

Owns the files' names and the exit code. An interrupt leaves files about what was measured by then.
"""

import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.console import Console

from harness.adapter import Adapter
from harness.catalog import UnknownNameError
from harness.cli.apart import lineup
from harness.cli.errors import UserError
from harness.cli.paint import paint
from harness.cli.plugins import catalog_with
from harness.results import ExitCode
from harness.wall.lanes import Lane, LaneError, LoopbackLane, live_lane

if TYPE_CHECKING:
    from harness.bench.session import Session, Wanted

DEFAULT_ADAPTERS: Final = ("reference",)
_INTERRUPTED: Final = 130
_LIVE_RATES: Final = (2.0,)
"""An account is not for load tests."""
_LIVE_REQUESTS: Final = 60


@dataclass(frozen=True, slots=True)
class Request:
    """What the user asked for; empty tuples mean the defaults."""

    adapters: tuple[str, ...]
    lanes: tuple[str, ...]
    profiles: tuple[str, ...]
    requests: int
    rates: tuple[float, ...]
    devices: int
    crowds: tuple[int, ...]
    seed: int
    out: Path
    as_json: bool
    plugins: tuple[str, ...]


def measure(request: Request) -> int:
    """Do what ``request`` says and return the exit code; raises UserError."""
    try:
        from harness.bench.charts import charts  # noqa: PLC0415 - its library is an extra
        from harness.bench.html import bench_html  # noqa: PLC0415 - the same
        from harness.bench.page import bench_page  # noqa: PLC0415 - the same
        from harness.bench.result import bench_json, latencies_csv  # noqa: PLC0415 - the same
        from harness.bench.session import NO_SUCH_LANE, Session  # noqa: PLC0415 - the same
    except ModuleNotFoundError as error:
        raise UserError(
            f"hitl bench needs {error.name}, which is not installed: pip install 'hitl-harness[bench]'"
        ) from error
    wanted = _wanted(request)
    _write(request.out, {})
    console = Console(stderr=True)
    with progress(console) as tell:
        session = Session(wanted, tell, [], [])
        interrupted = _measured(session)
    result = session.result()
    drawn = charts(result)
    files = {
        "index.html": bench_html(result, drawn).encode(),
        "bench.json": bench_json(result).encode(),
        "latencies.csv": latencies_csv(result).encode(),
        **drawn,
    }
    _write(request.out, files)
    if request.as_json:
        sys.stdout.write(bench_json(result))
    else:
        paint(Console(), bench_page(result))
        print(f"charts and figures in {request.out / 'index.html'}")
    if interrupted:
        print("hitl: interrupted; the figures are of what was measured by now", file=sys.stderr)
        return _INTERRUPTED
    failed = any(reason != NO_SUCH_LANE for _, _, reason in result.not_measured)
    return (ExitCode.INCONCLUSIVE if failed or not result.rows else ExitCode.CONFORMANT).value


def _wanted(request: Request) -> "Wanted":
    """Return what is to be measured; raises UserError."""
    from harness.bench.profiles import PROFILES  # noqa: PLC0415 - its library is an extra
    from harness.bench.session import CROWDS, RATES, Wanted  # noqa: PLC0415 - the same

    unknown = [name for name in request.profiles if name not in PROFILES]
    if unknown:
        near = get_close_matches(unknown[0], PROFILES, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"no network is called {unknown[0]!r}.{hint} There are: {', '.join(PROFILES)}.")
    adapters = _adapters(request)
    lanes = request.lanes or ("virtual", "wall")
    live = "live" in lanes
    return Wanted(
        adapters=adapters,
        virtual="virtual" in lanes,
        lanes=_lanes(lanes, adapters, explicit=bool(request.lanes)),
        profiles=[PROFILES[name] for name in request.profiles or PROFILES],
        requests=min(request.requests, _LIVE_REQUESTS) if live else request.requests,
        devices=request.devices,
        rates=request.rates or (_LIVE_RATES if live else RATES),
        crowds=request.crowds or CROWDS,
        seed=request.seed,
    )


def _adapters(request: Request) -> list[Adapter]:
    catalog = catalog_with(request.plugins)
    try:
        named = [catalog.adapter(name) for name in request.adapters or DEFAULT_ADAPTERS]
    except UnknownNameError as error:
        raise UserError(f'{error} "hitl list adapters" shows all.') from error
    elsewhere = lineup(named, skips=False).apart
    if elsewhere:
        name = next(iter(elsewhere))
        raise UserError(
            f"{name}: what it wraps is installed apart, and a benchmark compares within one process: "
            "install that package here too, beside hitl-harness."
        )
    return list({plugin.name: plugin.value for plugin in named}.values())


def _lanes(names: Sequence[str], adapters: Sequence[Adapter], *, explicit: bool) -> list[Lane]:
    """Return the lanes in real time; the wall lane by default only where somebody has it."""
    lanes: list[Lane] = []
    if "wall" in names and (explicit or any("wall" in it.manifest.lanes for it in adapters)):
        lanes.append(LoopbackLane())
    if "live" in names:
        try:
            lanes.append(live_lane(os.environ))
        except LaneError as error:
            raise UserError(str(error)) from error
    return lanes


def _measured(session: "Session") -> bool:
    """Measure; returns whether the user ended it early. Raises UserError."""
    try:
        session.run()
    except KeyboardInterrupt:
        return True
    except LaneError as error:
        raise UserError(str(error)) from error
    return False


@contextmanager
def progress(console: Console) -> Iterator[Callable[[str], None]]:
    """Yield what is told of progress: a line that changes on a terminal, a line each elsewhere."""
    if not console.is_terminal:
        yield lambda text: print(f"hitl: {text}", file=sys.stderr)
        return
    with console.status("measuring") as status:
        yield status.update


def _write(folder: Path, files: Mapping[str, bytes]) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, content in files.items():
            (folder / name).write_bytes(content)
    except OSError as error:
        raise UserError(f"{folder}: cannot be written: {error.strerror}. Choose another --out.") from error
