"""Approval latency in virtual time: the same figures on every machine.

Owns how plans are put behind a network, executed and sampled. A virtual machine has no processor that could
be busy: what is measured is the number of round trips that an implementation needs and what the network
makes of them, never how fast anybody's code is.
"""

from collections.abc import Iterator
from typing import Final

from harness.adapter import Adapter
from harness.bench.load import Arrivals, approvals, hosts_of, instants, with_storm
from harness.bench.measured import Measured, UnmeasuredError, measured
from harness.bench.profiles import NetworkProfile, under
from harness.bench.segments import Sample, samples
from harness.plan import AGENT_HOST, SECOND, SERVICE_HOST, Plan
from harness.run import Run, execute
from harness.sim import NetworkEvent

REQUESTS_A_RUN: Final = 20
WARM_UP: Final = 2
"""The first requests of every run, in no figure: connections and caches are young."""
RATE: Final = 2.0
_MESSAGES_FIRST: Final = 256
_STORM_REQUESTS: Final = 3
_STORM_LEAD_NS: Final = 10 * SECOND


def measure_profile(
    adapter: Adapter, profile: NetworkProfile, requests: int, devices: int, seed: int
) -> Measured:
    """Return the samples of ``requests`` approvals behind a network, in as many runs as they need.

    Raises UnmeasuredError where the adapter failed.
    """
    kept: list[Sample] = []
    number = 0
    while len(kept) < requests:
        at_ns = instants(Arrivals.POISSON, RATE, REQUESTS_A_RUN + WARM_UP, _mixed(seed, number))
        run = _behind(adapter, approvals(at_ns, devices), profile, _mixed(seed, number))
        kept += samples(run.plan, run.boundary)[WARM_UP:]
        number += 1
    return measured(kept[:requests])


def measure_devices(adapter: Adapter, profile: NetworkProfile, devices: int, seed: int) -> Measured:
    """Return the samples of one run in which every one of many devices shows the requests."""
    at_ns = instants(Arrivals.CONSTANT, 1.0, _STORM_REQUESTS, seed, begin_ns=_STORM_LEAD_NS)
    run = _behind(adapter, approvals(at_ns, devices), profile, seed)
    return measured(samples(run.plan, run.boundary))


def measure_storm(adapter: Adapter, profile: NetworkProfile, devices: int, seed: int) -> Measured:
    """Return the sample of a request made at the instant at which every device loses its connection."""
    at_ns = _STORM_LEAD_NS
    run = _behind(adapter, with_storm(approvals([at_ns], devices), at_ns), profile, seed)
    return measured(samples(run.plan, run.boundary))


def _behind(adapter: Adapter, plan: Plan, profile: NetworkProfile, seed: int) -> Run:
    """Execute ``plan`` behind ``profile``, every message of a device delayed as the profile says."""
    devices, messages = hosts_of(plan), _MESSAGES_FIRST
    while True:
        run = execute(adapter, under(profile, plan, devices, messages, seed))
        if run.failures:
            first = run.failures[0]
            raise UnmeasuredError(f"{adapter.manifest.name}: {first.where}: {first.error}")
        most = max(_messages(run), default=0)
        if most <= messages:
            return run
        messages = 2 * most


def _messages(run: Run) -> Iterator[int]:
    """Yield how many messages each link between a device and the service carried."""
    counts: dict[tuple[str, str], int] = {}
    for event in run.entries:
        if isinstance(event, NetworkEvent) and event.kind == "sent":
            link = event.source, event.target
            if SERVICE_HOST in link and AGENT_HOST not in link:
                counts[link] = counts.get(link, 0) + 1
    yield from counts.values()


def _mixed(seed: int, number: int) -> int:
    return seed * 1_000_003 + number
