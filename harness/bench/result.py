"""What a benchmark says, as plain data: rows of figures, one for each implementation and condition.

Owns the stable JSON form, and the split into what is the same on every machine and what is not. The raw
latencies stay beside the figures for charts and CSV; they are no part of the JSON.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any, Final

from harness.bench.figures import Figures, figures
from harness.bench.measured import Measured
from harness.bench.segments import Segment

FORMAT: Final = "hitl-bench"
VERSION: Final = 1


class Sweep(StrEnum):
    """What was varied."""

    NETWORKS = "networks"
    LOAD = "load"
    DEVICES = "devices"
    STORM = "reconnect storm"


@dataclass(frozen=True, slots=True)
class Row:
    """One implementation under one condition.

    ``lane`` is ``virtual``, ``wall`` or ``live``; ``rate`` is in requests a second, 0 where a single one was
    made; ``figures`` go by segment; ``latencies_ns`` are the raw samples by segment.
    """

    sweep: Sweep
    lane: str
    adapter: str
    version: str
    network: str
    rate: float
    devices: int
    unfinished: int
    figures: Mapping[Segment, Figures]
    achieved: float | None = None
    saturated: bool | None = None
    latencies_ns: Mapping[Segment, list[int]] = field(default_factory=dict, repr=False)


@dataclass(frozen=True, slots=True)
class BenchResult:
    """All rows of one invocation; ``not_measured`` holds reasons by adapter and lane."""

    seed: int
    requests: int
    rows: tuple[Row, ...]
    not_measured: tuple[tuple[str, str, str], ...]
    environment: Mapping[str, str]
    """The machine and its versions, on which the rows in real time depend; empty without such rows."""


def row(
    sweep: Sweep,
    lane: str,
    adapter: tuple[str, str],
    taken: Measured,
    *,
    network: str,
    rate: float,
    devices: int,
    interval_seed: int | None,
) -> Row:
    """Return the row of what was measured; with an ``interval_seed`` its figures carry intervals."""
    latencies = {it: taken.latencies(it) for it in Segment}
    return Row(
        sweep=sweep,
        lane=lane,
        adapter=adapter[0],
        version=adapter[1],
        network=network,
        rate=rate,
        devices=devices,
        unfinished=taken.unfinished,
        figures={it: figures(values, seed=interval_seed) for it, values in latencies.items() if values},
        latencies_ns={it: values for it, values in latencies.items() if values},
    )


def bench_json(result: BenchResult) -> str:
    """Return the result as JSON; what stands under ``virtual`` is the same on every machine."""
    record = {
        "format": FORMAT,
        "version": VERSION,
        "seed": result.seed,
        "requests": result.requests,
        "virtual": [_record(it) for it in result.rows if it.lane == "virtual"],
        "real_time": [_record(it) for it in result.rows if it.lane != "virtual"],
        "environment": dict(result.environment),
        "not_measured": [
            {"adapter": adapter, "lane": lane, "reason": reason}
            for adapter, lane, reason in result.not_measured
        ],
    }
    return json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def latencies_csv(result: BenchResult) -> str:
    """Return every single latency as CSV, in microseconds: a line for each approval and segment."""
    lines = ["lane,sweep,adapter,network,rate,devices,segment,sample,microseconds"]
    for it in result.rows:
        head = f"{it.lane},{it.sweep},{it.adapter},{it.network},{it.rate:g},{it.devices}"
        for segment, values in it.latencies_ns.items():
            lines += [f"{head},{segment},{place},{ns // 1_000}" for place, ns in enumerate(values)]
    return "\n".join(lines) + "\n"


def _record(it: Row) -> dict[str, Any]:
    record = asdict(it)
    del record["latencies_ns"]
    return record
