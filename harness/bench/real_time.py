"""Approval latency in real time: real SDKs over real sockets, on loopback or against an account.

Owns how load is offered there, and when a rate is more than an implementation can take. Client, service and
implementation share one process and one machine: the figures say what an implementation costs there, and are
comparable with others of the same run only.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from harness.adapter import Adapter
from harness.bench.load import Arrivals, approvals, instants, with_storm
from harness.bench.measured import Measured, UnmeasuredError, measured
from harness.bench.segments import Segment, samples
from harness.plan import MS, SECOND, Plan
from harness.wall.lanes import Lane
from harness.wall.play import play_as_planned

LEAD_NS: Final = 500 * MS
WARM_UP: Final = 10
"""The first requests of every run, in no figure: connections, caches and code are cold."""
_KEPT_UP: Final = 0.95
"""The share of the offered rate that must be finished while it is offered."""


@dataclass(frozen=True, slots=True)
class Load:
    """What one step of a sweep offered, and what came of it."""

    offered: float
    """Requests a second."""
    achieved: float
    """Requests a second that were finished, from the first intended beginning to the last outcome."""
    measured: Measured

    @property
    def saturated(self) -> bool:
        """Whether requests came faster than they were finished."""
        return self.measured.unfinished > 0 or self.achieved < _KEPT_UP * self.offered


def measure_load(adapter: Adapter, lane: Lane, rate: float, requests: int, devices: int, seed: int) -> Load:
    """Offer ``requests`` approvals at a rate, after a warm-up at the same rate.

    Raises UnmeasuredError where the adapter failed, LaneError where the lane cannot be used.
    """
    at_ns = instants(Arrivals.POISSON, rate, requests + WARM_UP, seed, begin_ns=LEAD_NS)
    result = _played(adapter, approvals(at_ns, devices), lane, warm_up=WARM_UP)
    offered_s = (at_ns[-1] - at_ns[WARM_UP]) / SECOND
    ends = [it.intended_ns + it.segments[Segment.END_TO_END] for it in result.samples]
    needed_s = (max(ends, default=at_ns[-1]) - at_ns[WARM_UP]) / SECOND
    offered = (requests - 1) / offered_s if offered_s else rate
    return Load(round(offered, 2), round((len(result.samples) - 1) / needed_s, 2), result)


def measure_storm(adapter: Adapter, lane: Lane, devices: int) -> Measured:
    """Return the sample of a request made at the instant at which every device loses its connection."""
    plan = approvals([2 * SECOND], devices)
    return _played(adapter, with_storm(plan, 2 * SECOND), lane, warm_up=0)


def measure_devices(adapter: Adapter, lane: Lane, devices: int) -> Measured:
    """Return the samples of a few requests that every one of many devices shows."""
    at_ns = instants(Arrivals.CONSTANT, 2.0, 4, 0, begin_ns=LEAD_NS)
    return _played(adapter, approvals(at_ns, devices), lane, warm_up=1)


def _played(adapter: Adapter, plan: Plan, lane: Lane, *, warm_up: int) -> Measured:
    run = asyncio.run(play_as_planned(adapter, plan, lane))
    if run.failures:
        first = run.failures[0]
        raise UnmeasuredError(f"{adapter.manifest.name}: {first.where}: {first.error}")
    return measured(samples(run.plan, run.boundary)[warm_up:])
