"""Named networks: how long a message travels between a device and the service, and how that varies.

Owns the table of profiles with their sources, and how a profile becomes part of a plan: every message on
every device's link is given its own delay, drawn from a seed, so that the plan holds the whole network.

Bandwidth is not modelled: an approval is a few hundred bytes. Delays and losses are published figures. No
source states jitter with them; it is ours, a share of the delay with a long tail, and said to be.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from harness.bench.draws import exponential
from harness.deviations import DelayMessage
from harness.model import HostName
from harness.plan import MS, SERVICE_HOST, Plan

DATACENTRE_NS: Final = MS
"""One way between an agent and the service: hosts of one region."""
RETRANSMISSION_NS: Final = 200 * MS
"""What a lost segment costs at least: the smallest retransmission timeout of Linux (TCP_RTO_MIN)."""


@dataclass(frozen=True, slots=True)
class NetworkProfile:
    """One network: ``delay_ns`` one way without jitter, ``jitter_ns`` the mean of what comes on top.

    Jitter is drawn from an exponential distribution, as queues make it. ``loss`` is the share of messages
    that are lost once and sent again after the retransmission timeout and a round trip.
    """

    name: str
    delay_ns: int
    jitter_ns: int
    loss: float
    source: str


_WPT: Final = "WebPageTest, connectivity.ini.sample"

PROFILES: Final = {
    profile.name: profile
    for profile in (
        NetworkProfile("fibre", 2 * MS, MS // 5, 0.0, f"{_WPT}: FIOS, 4 ms RTT"),
        NetworkProfile("wi-fi", 2 * MS, 2 * MS, 0.0, "Firefox DevTools, throttling profile Wi-Fi: 2 ms"),
        NetworkProfile("lte", 35 * MS, 10 * MS, 0.0, f"{_WPT}: LTE, 70 ms RTT"),
        NetworkProfile("3g", 150 * MS, 45 * MS, 0.0, f"{_WPT}: 3G, 300 ms RTT"),
        NetworkProfile("lossy", 100 * MS, 30 * MS, 0.01, "BrowserStack, 3g-umts-lossy: 200 ms, 1 % loss"),
        NetworkProfile(
            "intercontinental", 80 * MS, 4 * MS, 0.0, "Verizon IP latency SLA, trans-Pacific: 160 ms RTT"
        ),
    )
}


def under(profile: NetworkProfile, plan: Plan, devices: Sequence[HostName], messages: int, seed: int) -> Plan:
    """Return ``plan`` with its devices behind ``profile``.

    Each of the first ``messages`` of every link of a device, each way, has a delay of its own. Equal
    arguments give equal plans, on every machine.
    """
    dice = Random(seed)  # noqa: S311 - equal seeds, equal networks
    delays = [
        DelayMessage(source, target, k, delay)
        for source, target in _links(devices)
        for k in range(messages)
        if (delay := _travel_ns(profile, dice) - DATACENTRE_NS) > 0
    ]
    return replace(plan, latency_ns=DATACENTRE_NS, deviations=(*plan.deviations, *delays))


def _links(devices: Sequence[HostName]) -> Iterator[tuple[HostName, HostName]]:
    for device in devices:
        yield device, SERVICE_HOST
        yield SERVICE_HOST, device


def _travel_ns(profile: NetworkProfile, dice: Random) -> int:
    """Return how long one message travels."""
    travel = profile.delay_ns + exponential(dice, profile.jitter_ns)
    if dice.random() < profile.loss:
        travel += RETRANSMISSION_NS + 2 * profile.delay_ns
    return travel
