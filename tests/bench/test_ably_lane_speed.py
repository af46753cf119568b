"""Speed of the vendor's SDK in virtual time. Figures to read, no timed assertions.

The run is one agent, three devices, one request and one reconnect, with garbage collected between runs as a
campaign does it. Where the time goes is in ``docs/ably-lanes.md``.
"""

from typing import Any, Final

import pytest

from adapters.ably_guide import ADAPTERS
from harness.casting import call, person
from harness.deviations import ResetLink
from harness.explore.pacing import paced
from harness.model import HostName
from harness.plan import DAY, MINUTE, SECOND, SERVICE_HOST, AnswerSpec, Plan
from harness.run import execute

pytest.importorskip("ably")

BY_NAME: Final = {adapter.manifest.name: adapter for adapter in ADAPTERS}
NAMES: Final = ("ably-guide", "ably", "ably-guide-hardened", "ably-hardened")


def plan_of(think_ns: int) -> Plan:
    alice = person("alice", [AnswerSpec(call().id, think_ns=think_ns)], devices=3)
    reconnect = ResetLink(HostName("alice-phone"), SERVICE_HOST, SECOND // 2)
    return Plan("bench", (alice,), (call(),), deviations=(reconnect,))


@pytest.mark.benchmark(group="one agent, three devices, one request, one reconnect")
@pytest.mark.parametrize("name", NAMES)
def test_one_run(benchmark: Any, name: str) -> None:
    with paced() as run_done:

        def one_run() -> None:
            execute(BY_NAME[name], plan_of(SECOND))
            run_done()

        benchmark.pedantic(one_run, rounds=10, iterations=8, warmup_rounds=1)


@pytest.mark.benchmark(group="a pending approval over the SDK")
@pytest.mark.parametrize("think_ns", [MINUTE, DAY, 30 * DAY], ids=["minute", "day", "30 days"])
def test_waiting(benchmark: Any, think_ns: int) -> None:
    benchmark.pedantic(
        lambda: execute(BY_NAME["ably"], plan_of(think_ns)), rounds=3, iterations=5, warmup_rounds=1
    )
