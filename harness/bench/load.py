"""Load as plans: when requests are made, and who answers them.

Owns open-loop arrivals: requests begin at their instants whether or not earlier ones are done, so that a slow
system is asked as often as a fast one. People answer at once: the time that they think is no latency.
"""

from collections.abc import Sequence
from dataclasses import replace
from enum import StrEnum
from random import Random
from typing import Final

from harness.bench.draws import exponential
from harness.casting import PUBLISHER
from harness.deviations import ResetLink
from harness.model import CallId, DeviceId, HostName, PersonId, Role
from harness.plan import SECOND, SERVICE_HOST, AnswerSpec, CallSpec, DeviceSpec, PersonSpec, Plan

SETTLING_NS: Final = 2 * SECOND
"""How long devices have to join before the first request."""
APPROVER: Final = PersonId("alice")


class Arrivals(StrEnum):
    """How requests follow each other."""

    POISSON = "poisson"
    """Independent of each other: what many agents together look like."""
    CONSTANT = "constant"


def instants(
    arrivals: Arrivals, rate: float, count: int, seed: int, begin_ns: int = SETTLING_NS
) -> list[int]:
    """Return ``count`` instants in nanoseconds from ``begin_ns`` on, ``rate`` a second on average."""
    dice = Random(seed)  # noqa: S311 - equal seeds, equal loads
    mean_ns = round(SECOND / rate)
    at, made = begin_ns, []
    for _ in range(count):
        made.append(at)
        at += mean_ns if arrivals is Arrivals.CONSTANT else exponential(dice, mean_ns)
    return made


def approvals(at_ns: Sequence[int], devices: int) -> Plan:
    """Return a plan in which one person with ``devices`` devices approves a request at each instant."""
    calls = tuple(
        CallSpec(CallId(f"c{number}"), at_ns=at, policy=PUBLISHER) for number, at in enumerate(at_ns)
    )
    held = tuple(DeviceSpec(name) for name in device_names(devices))
    answers = tuple(AnswerSpec(it.id, think_ns=0) for it in calls)
    return Plan("bench", (PersonSpec(APPROVER, Role("publisher"), held, answers),), calls)


def device_names(count: int) -> list[DeviceId]:
    """Return the names of the approver's devices, which are those of their hosts too."""
    return [DeviceId(f"device-{number}") for number in range(count)]


def hosts_of(plan: Plan) -> list[HostName]:
    """Return the hosts of all devices of a plan."""
    return [HostName(device.id) for person in plan.people for device in person.devices]


def with_storm(plan: Plan, at_ns: int) -> Plan:
    """Return ``plan`` with every device's connection broken at one instant."""
    resets = tuple(ResetLink(host, SERVICE_HOST, at_ns) for host in hosts_of(plan))
    return replace(plan, deviations=(*plan.deviations, *resets))
