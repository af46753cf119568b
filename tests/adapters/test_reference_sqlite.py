"""The reference over a SQLite database: what a power cut leaves, and that the rest behaves as over a disk."""

import gc
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest

from adapters.reference import REFERENCE, SQLITE
from adapters.reference import request as requests
from adapters.reference.request import Request, Vote
from adapters.reference.sqlite_store import SqliteStore, run_folder
from harness.catalog import load_catalog
from harness.explore.choosers import SeededChooser
from harness.model import CallId, Choice, PersonId, Policy, RequestId, Role, digest
from harness.run import execute, judge_run
from harness.sim import Simulation
from harness.trace import Event

ARGUMENTS = {"title": "Hällo"}
PENDING = Request(
    RequestId("c1"),
    CallId("c1"),
    "approvals:acme:main",
    "acme",
    "publish_blog_post",
    ARGUMENTS,
    digest(ARGUMENTS),
    Policy(),
    None,
    None,
)
VOTE = Vote(PersonId("alice"), Role("admin"), Choice.APPROVED, "a1")
DECIDED = requests.decided(PENDING, VOTE)


def on_agent(folder: Path, act: Callable[[SqliteStore], object], dies_at: str | None = None) -> list[object]:
    """Let ``act`` happen on a host that loses power right after the boundary step ``dies_at``."""
    results: list[object] = []
    with Simulation(seed=0) as sim:
        host = sim.host("agent")

        def step(kind: str) -> None:
            if kind == dies_at:
                host.crash()

        async def program() -> None:
            results.append(act(SqliteStore(folder, host)))

        host.on_boundary = step
        host.spawn(program())
        sim.run_until(None)
    return results


def test_a_record_is_read_back_identical_by_another_process(tmp_path: Path) -> None:
    assert on_agent(tmp_path, lambda store: store.replace(None, DECIDED)) == [True]
    assert on_agent(tmp_path, lambda store: store.load(CallId("c1"))) == [DECIDED]
    assert on_agent(tmp_path, lambda store: list(store.all())) == [[DECIDED]]


def test_of_two_writers_the_first_wins_and_the_second_is_told(tmp_path: Path) -> None:
    on_agent(tmp_path, lambda store: store.replace(None, PENDING))
    assert on_agent(tmp_path, lambda store: store.replace(PENDING, DECIDED)) == [True]
    late = requests.cancelled(PENDING)
    assert on_agent(tmp_path, lambda store: store.replace(PENDING, late)) == [False]
    assert on_agent(tmp_path, lambda store: store.load(CallId("c1"))) == [DECIDED]


@pytest.mark.parametrize(("dies_at", "left"), [("write", PENDING), ("sync", DECIDED)])
def test_a_power_cut_loses_what_was_not_committed_and_nothing_else(
    tmp_path: Path, dies_at: str, left: Request
) -> None:
    on_agent(tmp_path, lambda store: store.replace(None, PENDING))
    on_agent(tmp_path, lambda store: store.replace(PENDING, DECIDED), dies_at)
    assert on_agent(tmp_path, lambda store: store.load(CallId("c1"))) == [left]


def test_a_process_that_lost_power_writes_no_more(tmp_path: Path) -> None:
    def twice(store: SqliteStore) -> tuple[bool, bool]:
        return store.replace(None, PENDING), store.replace(PENDING, DECIDED)

    on_agent(tmp_path, twice, "sync")
    assert on_agent(tmp_path, lambda store: store.load(CallId("c1"))) == [PENDING]


def test_every_run_has_a_folder_of_its_own_and_leaves_nothing_behind() -> None:
    before = run_folder()
    plan = load_catalog().scenario("durable_pending").value.draw(SeededChooser(Random(3)))
    execute(SQLITE, plan)
    gc.collect()
    after = run_folder()
    before.rmdir()
    after.rmdir()
    assert int(after.name.rpartition("-")[2]) == int(before.name.rpartition("-")[2]) + 1


@pytest.mark.parametrize("scenario", ["first_response_wins", "reinvocation", "shared_store"])
def test_without_crashes_both_stores_give_the_same_story(scenario: str) -> None:
    drawn = load_catalog().scenario(scenario).value
    for seed in range(4):
        plan = drawn.draw(SeededChooser(Random(seed)))
        plan = plan.but(*(it for it in plan.deviations if not it.kind.startswith("crash")))
        assert _story(execute(SQLITE, plan).boundary.events) == _story(
            execute(REFERENCE, plan).boundary.events
        )


def _story(events: tuple[Event, ...]) -> list[Event]:
    return [replace(event, index=0) if event.kind == "deviation-fired" else event for event in events]


def test_it_keeps_every_promise_over_seeded_runs() -> None:
    for name, plugin in load_catalog().scenarios.items():
        for seed in range(4):
            run = execute(SQLITE, plugin.value.draw(SeededChooser(Random(f"sqlite:{seed}"))))
            judged = judge_run(SQLITE.manifest, run, plugin.value.properties)
            broken = {it: judgement.findings for it, judgement in judged.items() if judgement.findings}
            assert not broken, (name, seed)
            assert not run.failures, (name, seed)
