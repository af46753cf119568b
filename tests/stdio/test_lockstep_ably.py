"""The real ably SDK for JavaScript in virtual time: it works, it reconnects, and does the same every time."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from harness.model import OutcomeStatus, ReceiptStatus
from harness.plan import DAY, SECOND
from harness.run import Run
from harness.stdio.adapter import StdioAdapter
from harness.trace import AdapterFailed, OutcomeReported, ReceiptGiven, RequestPublished, ScreenShown
from tests.stdio.ably_runs import PHONE, PLANS, SDK, adapter_with, digested, plan_of
from tests.stdio.stepping import installed

pytestmark = pytest.mark.once

TIMEOUT_S: Final = 300
ROOT: Final = Path(__file__).parent.parent.parent


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the SDK is installed in."""
    return installed(SDK, tmp_path_factory.mktemp("lockstep"))


@pytest.fixture(scope="module")
def adapter(modules: Path) -> Iterator[StdioAdapter]:
    adapter = adapter_with(modules)
    yield adapter
    adapter.stock.drain()


def outcomes(done: Run) -> list[OutcomeStatus]:
    assert [it for it in done.boundary.events if isinstance(it, AdapterFailed)] == []
    return [it.status for it in done.boundary.events if isinstance(it, OutcomeReported)]


def test_the_sdk_connects_publishes_and_subscribes_over_the_simulated_network(adapter: StdioAdapter) -> None:
    done, _ = digested(adapter, PLANS["calm"])
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    shown = {it.device for it in done.boundary.events if isinstance(it, ScreenShown) and it.cards}
    assert shown == {"alice-phone", "alice-laptop", "alice-tablet"}
    (published,) = [it for it in done.boundary.events if isinstance(it, RequestPublished)]
    assert 0 < published.at < SECOND


def test_a_day_of_waiting_takes_no_real_time(adapter: StdioAdapter) -> None:
    done, _ = digested(adapter, plan_of(think_ns=DAY))
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    (told,) = [it for it in done.boundary.events if isinstance(it, ReceiptGiven)]
    assert told.at > DAY


@pytest.mark.parametrize("name", ["reset", "cut", "shuffled", "crashed", "agent crashed", "agent reset"])
def test_whatever_happens_to_its_connection_the_sdk_carries_on(adapter: StdioAdapter, name: str) -> None:
    done, _ = digested(adapter, PLANS[name])
    assert done.fired == frozenset({0})
    assert outcomes(done) == [OutcomeStatus.EXECUTED]


def test_an_answer_given_while_the_link_is_cut_arrives_after_it(adapter: StdioAdapter) -> None:
    done, _ = digested(adapter, PLANS["cut"])
    (told,) = [it for it in done.boundary.events if isinstance(it, ReceiptGiven)]
    assert (told.host, told.status) == (PHONE, ReceiptStatus.SENT)
    assert told.at > 10 * SECOND


def test_equal_plans_are_equal_to_the_byte_in_other_processes_and_under_other_hash_seeds(
    adapter: StdioAdapter, modules: Path
) -> None:
    here = {name: digested(adapter, plan)[1] for name, plan in PLANS.items()}
    assert len(set(here.values())) == len(here)
    for seed in ("1", "2"):
        printed = subprocess.run(
            [sys.executable, "-m", "tests.stdio.ably_runs", str(modules)],
            check=True,
            capture_output=True,
            timeout=TIMEOUT_S,
            cwd=ROOT,
            env={**os.environ, "PYTHONHASHSEED": seed},
        )
        assert json.loads(printed.stdout) == here
