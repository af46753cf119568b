"""Rules about ``hitl trend``: what is remembered of a run, and what a store that is none does."""

import json
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from harness.properties import Status
from harness.results import Result
from harness.trend.store import RunStamp, TrendError, TrendStore
from tests.cli.calling import Hitl
from tests.reports.sample import sample_run

STAMP = RunStamp("runs/001", "0.1.0", 1)


def with_status(property_id: str, status: Status) -> Result:
    result = sample_run().result
    first = result.adapters[0]
    verdicts = tuple(
        replace(it, status=status) if it.property == property_id else it for it in first.verdicts
    )
    return replace(result, adapters=(replace(first, verdicts=verdicts), *result.adapters[1:]))


@pytest.fixture
def store(tmp_path: Path) -> TrendStore:
    return TrendStore(tmp_path / "trend.sqlite")


def test_runs_come_back_in_their_order_and_only_the_last_ones(store: TrendStore) -> None:
    for status in (Status.HOLDS, Status.VIOLATED, Status.HOLDS):
        store.add(with_status("P1", status), STAMP)
    said = [it.status for it in store.points([], last=2) if (it.adapter, it.property) == ("acme", "P1")]
    assert said == [Status.VIOLATED, Status.HOLDS]


def test_an_adapter_can_be_asked_for_alone(store: TrendStore) -> None:
    store.add(sample_run().result, STAMP)
    assert {it.adapter for it in store.points(["acme"], last=9)} == {"acme"}
    assert store.points(["nobody"], last=9) == []


def test_processes_that_write_at_once_lose_nothing(store: TrendStore) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: store.add(sample_run().result, STAMP), range(24)))
    assert len({it.run for it in store.points([], last=99)}) == 24


def test_a_file_that_is_no_store_is_refused_and_left_as_it_was(store: TrendStore) -> None:
    store.file.write_bytes(b"something else entirely, longer than a header" * 50)
    before = store.file.read_bytes()
    with pytest.raises(TrendError, match="Move it away"):
        store.add(sample_run().result, STAMP)
    assert store.file.read_bytes() == before


def test_the_database_of_another_program_is_refused(store: TrendStore) -> None:
    with closing(sqlite3.connect(store.file)) as base, base:
        base.execute("create table run (x)")
    with pytest.raises(TrendError, match="something else"):
        store.add(sample_run().result, STAMP)


def test_a_store_of_a_newer_version_is_refused_with_what_to_do(store: TrendStore) -> None:
    store.add(sample_run().result, STAMP)
    with closing(sqlite3.connect(store.file)) as base, base:
        base.execute("pragma user_version = 99")
    with pytest.raises(TrendError, match="Upgrade hitl-harness"):
        store.points([], last=1)


def test_every_run_is_remembered_and_shown(hitl: Hitl, plugin: str) -> None:
    for _ in range(2):
        hitl("run", "forgetful", "--plugin", plugin, "--examples", "5", "--scenario", "first_response_wins")
    done = hitl("trend")
    assert done.code == 0, done.err
    assert "2 runs" in done.out
    assert "forgetful" in done.out
    record = json.loads(hitl("trend", "forgetful", "--json").out)
    assert {it["run"] for it in record} == {1, 2}


def test_a_promise_that_broke_is_told_with_since_when(hitl: Hitl) -> None:
    store = TrendStore(Path(".hitl/trend.sqlite"))
    store.file.parent.mkdir()
    for status in (Status.HOLDS, Status.VIOLATED, Status.VIOLATED):
        store.add(with_status("P1", status), STAMP)
    (row,) = [line for line in hitl("trend", "acme").out.splitlines() if line.strip().startswith("P1 ")]
    assert "✓✗✗" in row
    assert "violated since 20" in row


def test_a_store_that_cannot_be_written_is_told_and_spoils_no_run(hitl: Hitl, plugin: str) -> None:
    Path(".hitl").mkdir()
    Path(".hitl/trend.sqlite").write_bytes(b"not a database, but a file of the user" * 40)
    words = ("--plugin", plugin, "--examples", "5", "--scenario", "first_response_wins")
    with_store = hitl("run", "forgetful", *words)
    assert "this run is not in the trend" in with_store.err
    assert Path(".hitl/runs/001/result.json").exists()
    assert with_store.code == hitl("run", "forgetful", *words, "--runs-dir", "elsewhere/runs").code


def test_where_nothing_is_remembered_it_is_said_how_to_begin(hitl: Hitl) -> None:
    done = hitl("trend")
    assert done.code == 2
    assert '"hitl run" remembers each' in done.err
