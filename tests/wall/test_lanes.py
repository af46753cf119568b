"""The adapter in real time: the same world over real sockets. Nothing here asserts how long anything took."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Final

import pytest

from adapters.ably_guide import ADAPTERS, GuideAdapter
from harness.casting import call, person
from harness.deviations import CutLink, DoubleTap, ResetLink, SeededSchedule
from harness.identity import SIM_KEY
from harness.model import CallId, HostName, OutcomeStatus, PersonId, ReceiptStatus
from harness.plan import AGENT_HOST, DAY, SECOND, SERVICE_HOST, AnswerSpec, Plan
from harness.properties import PROPERTIES
from harness.run import Run, judge_run
from harness.trace import DeviationFired, EffectExecuted, OutcomeReported, ReceiptGiven
from harness.wall.lanes import (
    ENDPOINT_VARIABLE,
    KEY_VARIABLE,
    Lane,
    LaneError,
    LiveLane,
    LoopbackLane,
    live_lane,
)
from harness.wall.play import execute_in_real_time
from harness.wall.small import BACKLOG_MAX, CUT_NS_MAX, WAIT_NS_MAX, on_own_channels, small

pytest.importorskip("ably")

BY_NAME: Final = {adapter.manifest.name: adapter for adapter in ADAPTERS}
BOTH: Final = pytest.mark.parametrize("name", ["ably", "ably-hardened"])
SECRET: Final = "a-secret-that-nobody-may-see-in-any-text"
ROOT: Final = Path(__file__).parents[2]


def plan_of(*deviations: ResetLink | CutLink | DoubleTap, devices: int = 2) -> Plan:
    alice = person("alice", [AnswerSpec(CallId("c1"), think_ns=2 * SECOND)], devices=devices)
    return Plan("by hand", (alice,), (call(),), deviations=deviations)


def run(name: str, plan: Plan, lane: Lane) -> Run:
    done = execute_in_real_time(BY_NAME[name], plan, lane)
    assert done.failures == ()
    return done


def outcomes(done: Run) -> list[OutcomeStatus]:
    return [it.status for it in done.boundary.events if isinstance(it, OutcomeReported)]


def broken(adapter: GuideAdapter, done: Run) -> list[str]:
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    return [name for name, judged in judge_run(adapter.manifest, done, offered).items() if judged.findings]


@BOTH
def test_an_approved_call_is_executed_once_over_real_sockets(name: str) -> None:
    done = run(name, plan_of(), LoopbackLane())
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(BY_NAME[name], done) == []


@pytest.mark.parametrize("host", [AGENT_HOST, HostName("alice-phone")])
@pytest.mark.parametrize("fault", [ResetLink, CutLink])
def test_faults_of_the_proxy_are_survived(host: HostName, fault: type[ResetLink | CutLink]) -> None:
    deviation = (
        ResetLink(host, SERVICE_HOST, SECOND)
        if fault is ResetLink
        else CutLink(host, SERVICE_HOST, SECOND, SECOND)
    )
    done = run("ably-hardened", plan_of(deviation), LoopbackLane())
    assert sum(isinstance(it, DeviationFired) for it in done.boundary.events) == 1
    assert sum(isinstance(it, EffectExecuted) for it in done.boundary.events) == 1
    assert broken(BY_NAME["ably-hardened"], done) == []


def test_people_misbehave_in_real_time_too() -> None:
    tap = DoubleTap(PersonId("alice"), CallId("c1"), SECOND)
    done = run("ably-hardened", plan_of(tap), LoopbackLane())
    told = [it.status for it in done.boundary.events if isinstance(it, ReceiptGiven)]
    assert sorted(told) == sorted([ReceiptStatus.DECIDED, told[-1]])
    assert sum(isinstance(it, EffectExecuted) for it in done.boundary.events) == 1


def test_an_adapter_over_simulated_messages_says_that_it_has_no_place_here() -> None:
    done = execute_in_real_time(
        BY_NAME["ably-guide"], replace(plan_of(), calls=(), people=()), LoopbackLane()
    )
    assert any("simulated messages" in it.error for it in done.failures)


# -- making plans small ---------------------------------------------------------------------------------


def test_a_small_plan_waits_for_no_longer_than_its_measure() -> None:
    alice = person("alice", [AnswerSpec(CallId("c1"), think_ns=30 * DAY)])
    cut = CutLink(AGENT_HOST, SERVICE_HOST, DAY, DAY)
    made = small(Plan("x", (alice,), (call(),), deviations=(cut,), backlog=10_000), own_service=True)
    assert made.people[0].answers[0].think_ns == WAIT_NS_MAX
    assert made.deviations == (CutLink(AGENT_HOST, SERVICE_HOST, WAIT_NS_MAX, CUT_NS_MAX),)
    assert made.backlog == BACKLOG_MAX


def test_what_only_virtual_time_can_do_is_left_out() -> None:
    made = small(plan_of().but(SeededSchedule(1)), own_service=True)
    assert made.deviations == ()


def test_a_service_that_is_not_the_runs_own_gets_no_faults_and_no_backlog() -> None:
    plan = replace(plan_of(ResetLink(AGENT_HOST, SERVICE_HOST, SECOND)), backlog=5)
    made = small(plan, own_service=False)
    assert (made.deviations, made.backlog) == ((), 0)


def test_two_runs_share_no_channel() -> None:
    one, other = (on_own_channels(plan_of(), suffix) for suffix in ("a1", "b2"))
    assert one.calls[0].session != other.calls[0].session
    assert one.people[0].sessions == (one.calls[0].session,)


# -- the live lane ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    """Return HOST:PORT of a server in a process of its own, which knows the key of the live lane."""
    command = [sys.executable, "-m", "harness.cli", "serve", "--port", "0", "--key", f"live.key:{SECRET}"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        greeting = server.stdout.readline()
        yield greeting.partition("http://")[2].split()[0]
        server.terminate()
        server.stdout.read()


@BOTH
def test_the_live_lane_runs_the_same_code_against_another_server(name: str, served: str) -> None:
    lane = live_lane({KEY_VARIABLE: f"live.key:{SECRET}", ENDPOINT_VARIABLE: served})
    done = run(name, plan_of(ResetLink(AGENT_HOST, SERVICE_HOST, SECOND)), lane)
    assert outcomes(done) == [OutcomeStatus.EXECUTED]
    assert broken(BY_NAME[name], done) == []


def test_a_key_that_the_service_does_not_know_ends_in_refusals_and_shows_no_secret(served: str) -> None:
    lane = live_lane({KEY_VARIABLE: f"live.other:{SECRET}", ENDPOINT_VARIABLE: served})
    watching = replace(plan_of(), people=(person("alice"),))
    done = execute_in_real_time(BY_NAME["ably"], watching, lane)
    assert outcomes(done) == [OutcomeStatus.CANCELLED]
    assert SECRET not in "".join(map(repr, done.boundary.events))


@pytest.mark.parametrize("text", ["", "no-colon", "app.key:", ":secret", "appkey:secret"])
def test_the_live_lane_is_closed_without_a_usable_key_and_names_the_variable(text: str) -> None:
    with pytest.raises(LaneError, match=KEY_VARIABLE) as refused:
        live_lane({KEY_VARIABLE: text})
    assert "secret" not in str(refused.value).replace("SECRET", "")


def test_an_endpoint_that_is_no_address_is_named() -> None:
    with pytest.raises(LaneError, match=ENDPOINT_VARIABLE):
        live_lane({KEY_VARIABLE: "app.key:secret", ENDPOINT_VARIABLE: "here"})


def test_without_an_endpoint_the_vendors_own_service_is_meant() -> None:
    lane = live_lane({KEY_VARIABLE: f"app.key:{SECRET}"})
    assert lane.endpoint.host == ""
    assert isinstance(lane, LiveLane)
    assert SECRET not in repr(lane)
    assert SECRET not in repr([lane])


def hitl(*arguments: str, folder: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("ABLY_")}
    return subprocess.run(
        [sys.executable, "-m", "harness.cli", *arguments],
        cwd=folder,
        env={**surroundings, "PYTHONPATH": str(ROOT), **variables},
        capture_output=True,
        text=True,
        check=False,
    )


def test_hitl_run_live_without_a_key_exits_2_before_anything_runs(tmp_path: Path) -> None:
    done = hitl("run", "ably", "--live", folder=tmp_path)
    assert done.returncode == 2
    assert KEY_VARIABLE in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_hitl_run_wall_and_live_exclude_each_other(tmp_path: Path) -> None:
    assert hitl("run", "ably", "--wall", "--live", folder=tmp_path).returncode == 2


def test_hitl_run_live_never_shows_the_key(tmp_path: Path, served: str) -> None:
    done = hitl(
        "run",
        "ably-hardened",
        "--live",
        "--examples",
        "1",
        "--scenario",
        "reinvocation",
        "--allow-inconclusive",
        folder=tmp_path,
        **{KEY_VARIABLE: f"live.key:{SECRET}", ENDPOINT_VARIABLE: served},
    )
    assert done.returncode == 0, done.stderr
    written = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    shown = [done.stdout.encode(), done.stderr.encode()]
    assert not any(SECRET.encode() in text for text in [*shown, *written])


def test_simulated_people_sign_with_no_key_of_a_real_account() -> None:
    assert "worthless" in SIM_KEY.secret


def test_a_run_in_real_time_leaves_no_task_behind() -> None:
    async def tasks_left() -> int:
        return len(asyncio.all_tasks()) - 1

    run("ably", plan_of(devices=1), LoopbackLane())
    assert asyncio.run(tasks_left()) == 0
