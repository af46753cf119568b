"""Whole runs with adapters that are processes: calls, crashes, folders, failures, and nothing left behind."""

import os
import sys
from pathlib import Path
from typing import Final

import pytest

from harness.casting import call, person
from harness.catalog import load_catalog
from harness.deviations import CrashAtTime, Deviation
from harness.model import OutcomeStatus
from harness.plan import AGENT_HOST, MS, SECOND, AnswerSpec, Plan
from harness.properties import PROPERTIES
from harness.run import Run, judge_run
from harness.stdio.adapter import StdioAdapter
from harness.stdio.command import CommandError, StartCommandError, adapter_of
from harness.stdio.escaped import VARIABLE
from harness.stdio.launch import PYTHON_KIT
from harness.trace import EffectExecuted, HostRestarted, OutcomeReported, ReceiptGiven
from harness.wall.lanes import LoopbackLane
from harness.wall.play import execute_in_real_time

HERE: Final = Path(__file__).parent
EXAMPLE: Final = f"cmd:{sys.executable} {PYTHON_KIT / 'example_adapter.py'}"
BAD: Final = f"cmd:{sys.executable} {HERE / 'bad_adapter.py'}"


def processes() -> set[str]:
    """Return the processes that adapters started from here, or anything that they forked."""
    mine, found = f"{VARIABLE}={os.getpid()}-".encode(), set()
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if mine in (folder / "environ").read_bytes():
                found.add(folder.name)
        except OSError:
            continue
    return found


def plan_of(*deviations: Deviation) -> Plan:
    alice = person("alice", [AnswerSpec(call().id, think_ns=2 * SECOND)], devices=2)
    return Plan("by hand", (alice,), (call(),), deviations=deviations)


def played(reference: str, plan: Plan) -> Run:
    adapter = adapter_of(reference)
    try:
        return execute_in_real_time(adapter, plan, LoopbackLane())
    finally:
        adapter.pool.drain()


def outcomes(run: Run) -> list[OutcomeStatus]:
    return [it.status for it in run.boundary.events if isinstance(it, OutcomeReported)]


def broken(adapter: StdioAdapter, run: Run) -> list[str]:
    offered = [it.id for it in PROPERTIES.values() if it.guarantee in adapter.manifest.offers]
    return [name for name, judged in judge_run(adapter.manifest, run, offered).items() if judged.findings]


def test_a_call_is_approved_on_a_device_and_executed_by_an_agent_in_processes_of_their_own() -> None:
    before = processes()
    run = played(EXAMPLE, plan_of())
    assert run.failures == ()
    assert outcomes(run) == [OutcomeStatus.EXECUTED]
    assert sum(isinstance(it, EffectExecuted) for it in run.boundary.events) == 1
    assert sum(isinstance(it, ReceiptGiven) for it in run.boundary.events) == 1
    assert broken(adapter_of(EXAMPLE), run) == []
    assert processes() <= before


def test_an_agent_that_lost_power_recovers_from_its_folder() -> None:
    run = played(EXAMPLE, plan_of(CrashAtTime(AGENT_HOST, SECOND, 500 * MS)))
    assert run.failures == ()
    assert sum(isinstance(it, HostRestarted) for it in run.boundary.events) == 1
    assert outcomes(run)[-1] is OutcomeStatus.EXECUTED
    assert sum(isinstance(it, EffectExecuted) for it in run.boundary.events) == 1


def test_a_run_leaves_no_folder_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    played(EXAMPLE, plan_of())
    assert list(tmp_path.glob("hitl-*")) == []


def test_a_process_that_dies_is_a_failure_of_the_adapter_with_its_last_words_and_the_run_goes_on() -> None:
    before = processes()
    run = played(f"{BAD} exits", Plan("by hand", (person("alice"),), ()))
    texts = [f"{it.where}: {it.error}" for it in run.failures]
    assert any(text.startswith("process: exited with code 3") and "out of ink" in text for text in texts)
    assert run.boundary.events[-1].kind in ("quiet", "adapter-failed")
    assert any(it.kind == "quiet" for it in run.boundary.events)
    assert processes() <= before


def test_processes_are_started_ahead_of_the_next_run_and_can_be_drained() -> None:
    before, adapter = processes(), adapter_of(EXAMPLE)
    execute_in_real_time(adapter, plan_of(), LoopbackLane())
    ahead = processes() - before
    assert len(ahead) == 3
    run = execute_in_real_time(adapter, plan_of(), LoopbackLane())
    assert run.failures == ()
    adapter.pool.drain()
    assert processes() <= before


def test_a_process_that_died_while_it_waited_is_not_used() -> None:
    adapter = adapter_of(EXAMPLE)
    adapter.pool.stock(2)
    for started in adapter.pool._idle:
        os.kill(started.process.pid, 9)
        os.waitid(os.P_PID, started.process.pid, os.WEXITED | os.WNOWAIT)
    taken = adapter.pool.take()
    assert taken.process.alive
    taken.process.kill()


def test_an_adapter_is_named_by_its_command_and_found_by_its_name() -> None:
    catalog = load_catalog()
    plugin = catalog.adapter(EXAMPLE)
    assert plugin.name == "python-example"
    assert plugin.path == PYTHON_KIT / "example_adapter.py"
    assert catalog.adapter("python-example") is plugin
    assert load_catalog([EXAMPLE]).adapters["python-example"].value.manifest.version == "1"


def test_a_command_that_does_not_start_says_so() -> None:
    with pytest.raises(StartCommandError, match="no-such-program could not be started"):
        adapter_of("cmd:no-such-program")
    assert "no-such" in str(load_catalog(["cmd:no-such-program"]).problems[-1])


def test_a_misspelt_guarantee_is_told_with_the_nearest_one(tmp_path: Path) -> None:
    script = tmp_path / "adapter.py"
    manifest = '{"name": "x", "version": "1", "summary": "s", "offers": {"single_winer": {"sentence": "s"}}}'
    script.write_text(f"import hitl_adapter_kit as kit\nkit.serve({manifest}, None, None)\n")
    with pytest.raises(
        CommandError, match=r"'single_winer', which is no guarantee; did you mean single-winner"
    ):
        adapter_of(f"cmd:{sys.executable} {script}")
