"""Speed of runs over simulated messages: one executed and judged, a crowd, a month. No timed assertions.

The figure that counts is runs a second on one core: one request, three people with a device each, network and
all checks. Collections are paced as in a campaign.
"""

import resource
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

import pytest

from adapters.reference import ADAPTERS
from harness.adapter import Adapter
from harness.casting import call, person
from harness.explore.pacing import paced
from harness.model import CallId, DeviceId, PersonId, Role
from harness.plan import DAY, MS, SECOND, AnswerSpec, DeviceSpec, PersonSpec, Plan
from harness.properties import PROPERTIES
from harness.run import execute, judge_run

REFERENCE: Final[Adapter] = ADAPTERS[0]
CALL: Final = CallId("c1")
CROWDS: Final = (10, 100, 1_000, 3_000, 10_000)
_BYTES_PER_RSS_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def three_people(think_ns: int = SECOND) -> Plan:
    people = tuple(
        person(name, [AnswerSpec(CALL, think_ns=think_ns + place * 3 * MS)])
        for place, name in enumerate(("alice", "bob", "carol"))
    )
    return Plan("bench", people, (call(),))


def crowd(devices: int) -> Plan:
    """Return a plan in which one person has this many devices and answers on the first of them."""
    held = tuple(DeviceSpec(DeviceId(f"device-{number}")) for number in range(devices))
    alice = PersonSpec(PersonId("alice"), Role("publisher"), held, (AnswerSpec(CALL, device=held[0].id),))
    return Plan("bench", (alice,), (call(),))


@pytest.fixture
def pace() -> Iterator[Any]:
    with paced() as run_done:
        yield run_done


@pytest.mark.benchmark(group="one reference run: 1 request, 3 people, 27 properties", timer=time.process_time)
def test_a_run_executed_and_judged(benchmark: Any, pace: Any) -> None:
    plan = three_people()

    def run() -> None:
        findings = judge_run(REFERENCE.manifest, execute(REFERENCE, plan), PROPERTIES)
        assert not any(judgement.findings for judgement in findings.values())
        pace()

    benchmark.pedantic(run, rounds=10, iterations=100, warmup_rounds=1)
    if benchmark.stats is not None:
        print(f"\n{1 / benchmark.stats.stats.min:.0f} runs a second on one core")  # noqa: T201 - the figure is the point


@pytest.mark.benchmark(group="one reference run: 1 request, 3 people, 27 properties", timer=time.process_time)
def test_a_run_executed(benchmark: Any, pace: Any) -> None:
    plan = three_people()

    def run() -> None:
        execute(REFERENCE, plan)
        pace()

    benchmark.pedantic(run, rounds=10, iterations=100, warmup_rounds=1)


@pytest.mark.benchmark(group="a reference run that waits", timer=time.process_time)
@pytest.mark.parametrize("think_ns", [30 * SECOND, 30 * DAY], ids=["30 s", "30 days"])
def test_a_pending_month_costs_what_half_a_minute_does(benchmark: Any, pace: Any, think_ns: int) -> None:
    plan = three_people(think_ns)

    def run() -> None:
        execute(REFERENCE, plan)
        pace()

    benchmark.pedantic(run, rounds=5, iterations=50, warmup_rounds=1)


@pytest.mark.benchmark(group="devices on one request", timer=time.process_time)
def test_ten_thousand_devices(benchmark: Any) -> None:
    rows: list[tuple[int, float, float]] = []

    def curve() -> None:
        for devices in CROWDS:
            start = time.process_time()
            done = execute(REFERENCE, crowd(devices))
            peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _BYTES_PER_RSS_UNIT
            rows.append((devices, time.process_time() - start, peak / 2**20))
            assert not done.failures

    benchmark.pedantic(curve, rounds=1)
    lines = [
        f"{devices:7,}  {seconds:8.3f}  {seconds / devices * 1e6:10.0f}  {mebibytes:9.0f}"
        for devices, seconds, mebibytes in rows
    ]
    heading = "devices   seconds   us/device   peak MiB of the process so far"
    print("", heading, *lines, sep="\n")  # noqa: T201 - the curve is the point
