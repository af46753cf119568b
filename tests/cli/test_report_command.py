"""Rules about ``hitl report``: which run is meant, where its files go, and what is refused."""

import json
import os
import shutil
import tracemalloc
from dataclasses import replace
from pathlib import Path

import pytest

from harness.report import FinishedRun, result_json
from tests.cli.calling import Hitl
from tests.reports.sample import sample_run, sample_trace


def write_run(folder: Path, run: FinishedRun | None = None, *, trace: str | None = None) -> Path:
    folder.mkdir(parents=True)
    (folder / "result.json").write_text(result_json((run or sample_run()).result), encoding="utf-8")
    lines = "".join(f"{line}\n" for line in sample_trace().lines())
    (folder / "acme-P4").mkdir()
    (folder / "acme-P4" / "trace.jsonl").write_text(lines if trace is None else trace, encoding="utf-8")
    made = {"made_with": {"harness": "0.0.9", "python": "3.11.0"}}
    (folder / "acme-P4" / "plan.json").write_text(json.dumps(made), encoding="utf-8")
    return folder


def test_a_run_folder_gives_the_files_of_the_named_formats(hitl: Hitl) -> None:
    run = write_run(Path("runs/001"))
    done = hitl("report", str(run), "--out", "out", "--format", "html", "--format", "json")
    assert (done.code, done.out) == (0, "out/index.html\nout/result.json\n")
    assert Path("out/result.json").read_bytes() == (run / "result.json").read_bytes()
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert "hitl replay runs/001/acme-P4" in page
    assert "0.0.9" in page


def test_every_format_is_written_where_none_is_named(hitl: Hitl) -> None:
    write_run(Path(".hitl/runs/001"))
    assert hitl("report", "--out", "out").code == 0
    for name in ("index.html", "summary.md", "junit.xml", "report.txt", "diagrams/acme-P4.svg"):
        assert Path("out", name).exists()


def test_the_newest_run_is_meant_where_none_is_named(hitl: Hitl) -> None:
    for number in ("002", "010", "009"):
        write_run(Path(".hitl/runs", number))
    Path(".hitl/runs/011").mkdir()
    hitl("report", "--out", "out", "--format", "html")
    assert ".hitl/runs/010/acme-P4" in Path("out/index.html").read_text(encoding="utf-8")


def test_several_runs_go_into_folders_of_their_names(hitl: Hitl) -> None:
    runs = [str(write_run(Path("runs", name))) for name in ("001", "002")]
    done = hitl("report", *runs, "--out", "out", "--format", "junit")
    assert done.out == "out/001/junit.xml\nout/002/junit.xml\n"


def test_runs_of_one_name_are_refused_before_their_files_are_mixed(hitl: Hitl) -> None:
    runs = [str(write_run(Path(name, "001"))) for name in ("one", "two")]
    done = hitl("report", *runs, "--out", "out")
    assert done.code == 2
    assert "two of the runs are called 001" in done.err
    assert not Path("out").exists()


def test_no_run_at_all_is_told(hitl: Hitl) -> None:
    done = hitl("report", "--out", "out")
    assert done.code == 2
    assert 'do "hitl run" first' in done.err


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("{}", '"format": "hitl-result" is missing'),
        ('{"format": "hitl-result", "version": 99}', "Upgrade hitl-harness"),
        ('{"format": "hitl-result", "version": 0}', "install the harness that wrote it"),
        ('{"format": "hitl-result", "version": 1, "seed": "x"}', "seed: Input should be a valid integer"),
    ],
)
def test_a_result_that_is_none_is_refused_with_its_name_and_what_to_do(
    hitl: Hitl, text: str, told: str
) -> None:
    run = write_run(Path("runs/001"))
    (run / "result.json").write_text(text, encoding="utf-8")
    done = hitl("report", str(run), "--out", "out")
    assert done.code == 2
    assert "runs/001/result.json" in done.err
    assert told in done.err
    assert not Path("out").exists()


def test_folders_without_a_result_are_told_apart(hitl: Hitl) -> None:
    Path("empty").mkdir()
    write_run(Path("runs/001"))
    assert "no such run folder" in hitl("report", "gone", "--out", "out").err
    assert "the folder is empty" in hitl("report", "empty", "--out", "out").err
    assert "name one of them" in hitl("report", "runs", "--out", "out").err


@pytest.mark.parametrize(
    "trace",
    ["", "nonsense\n", '{"format": "hitl-trace", "version": 9}\n'],
    ids=["empty", "damaged", "newer"],
)
def test_a_trace_that_cannot_be_read_costs_its_diagram_only(hitl: Hitl, trace: str) -> None:
    run = write_run(Path("runs/001"), trace=trace)
    done = hitl("report", str(run), "--out", "out", "--format", "html")
    assert done.code == 0
    assert "The diagram of this violation is missing" in done.err
    assert "The trace of this run is missing" in Path("out/index.html").read_text(encoding="utf-8")


def test_a_trace_without_end_is_cut_and_said_to_be(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.run_file._EVENTS_MAX", 15)
    run = write_run(Path("runs/001"))
    done = hitl("report", str(run), "--out", "out", "--format", "html")
    assert done.code == 0
    assert "only its first 15 events are shown" in done.err
    assert "15 events in" in Path("out/index.html").read_text(encoding="utf-8")


def test_a_trace_of_a_gigabyte_is_cut_in_bounded_memory(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.run_file._EVENTS_MAX", 15)
    file = write_run(Path("runs/001")) / "acme-P4" / "trace.jsonl"
    os.truncate(file, 1_000_000_000)
    tracemalloc.start()
    done = hitl("report", "runs/001", "--out", "out", "--format", "html")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert done.code == 0
    assert "only its first 15 events are shown; the rest is cut off" in done.err
    assert "only its first 15 events are shown" in Path("out/index.html").read_text(encoding="utf-8")
    assert peak_bytes < 100_000_000


def test_a_gigabyte_without_a_line_end_is_not_read_whole(hitl: Hitl) -> None:
    file = write_run(Path("runs/001"), trace="") / "acme-P4" / "trace.jsonl"
    os.truncate(file, 1_000_000_000)
    tracemalloc.start()
    done = hitl("report", "runs/001", "--out", "out", "--format", "junit")
    _, peak_bytes = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert done.code == 0
    assert "not a line of JSON" in done.err
    assert peak_bytes < 100_000_000


@pytest.mark.parametrize("limit", ["_LENGTH_IN_ALL_MAX", "_TRACE_LENGTH_MAX"])
def test_few_but_long_events_are_cut_too(hitl: Hitl, monkeypatch: pytest.MonkeyPatch, limit: str) -> None:
    monkeypatch.setattr(f"harness.report.run_file.{limit}", 1_000)
    write_run(Path("runs/001"))
    done = hitl("report", "runs/001", "--out", "out", "--format", "html")
    assert done.code == 0
    assert "events are shown; the rest is cut off" in done.err


def test_many_large_traces_share_one_limit(hitl: Hitl, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.report.run_file._EVENTS_IN_ALL_MAX", 10)
    run = write_run(Path("runs/001"))
    shutil.copytree(run / "acme-P4", run / "acme-P7")
    done = hitl("report", "runs/001", "--out", "out", "--format", "html")
    assert done.code == 0
    assert "acme-P4/trace.jsonl: only its first 10 events are shown" in done.err
    assert "acme-P7/trace.jsonl: left out, because the traces before it" in done.err


def test_a_passing_run_that_is_missing_costs_the_comparison_only(hitl: Hitl) -> None:
    write_run(Path("runs/001"))
    done = hitl("report", "runs/001", "--out", "out", "--format", "html")
    assert done.code == 0
    assert "nearest/trace.jsonl: cannot be read" in done.err
    assert "the comparison of this violation is missing" in done.err
    page = Path("out/index.html").read_text(encoding="utf-8")
    assert "Kept without this" in page
    assert "First difference" not in page


def test_a_run_without_violations_says_where_it_was_made(hitl: Hitl) -> None:
    clean = sample_run().result
    run = Path("runs/001")
    run.mkdir(parents=True)
    (run / "result.json").write_text(
        result_json(replace(clean, adapters=clean.adapters[1:])), encoding="utf-8"
    )
    (run / "environment.json").write_text('{"harness": "0.0.9", "python": "3.11.0"}', encoding="utf-8")
    assert hitl("report", "runs/001", "--out", "out", "--format", "html").code == 0
    assert "<dt>harness</dt><dd>0.0.9</dd>" in Path("out/index.html").read_text(encoding="utf-8")


def test_a_run_that_was_killed_still_says_where_it_was_made(hitl: Hitl) -> None:
    run = Path("runs/001")
    run.mkdir(parents=True)
    (run / "environment.json").write_text('{"harness": "0.0.9"}', encoding="utf-8")
    done = hitl("report", "runs/001", "--out", "out")
    assert done.code == 2
    assert "ended before it had a result (made with harness 0.0.9)" in done.err


@pytest.mark.parametrize("text", ["{", "[]", "[" * 100_000, "7", "\x00"])
def test_a_damaged_environment_is_no_reason_to_refuse_a_run(hitl: Hitl, text: str) -> None:
    run = write_run(Path("runs/001"))
    (run / "environment.json").write_text(text, encoding="utf-8")
    assert hitl("report", "runs/001", "--out", "out", "--format", "junit").code == 0


def test_a_file_in_place_of_a_run_folder_is_told(hitl: Hitl) -> None:
    Path("run").write_text("no folder", encoding="utf-8")
    done = hitl("report", "run", "--out", "out")
    assert done.code == 2
    assert "this is a file" in done.err


def test_an_adapters_name_leads_nowhere_outside_the_run_folder(hitl: Hitl) -> None:
    run = sample_run()
    (first, *_) = run.result.adapters
    escaping = replace(run.result, adapters=(replace(first, adapter="../../etc"),))
    write_run(Path("runs/001"), replace(run, result=escaping))
    done = hitl("report", "runs/001", "--out", "out")
    assert done.code == 0
    assert "no folder of a run bears such a name" in done.err
    assert {path.parts[0] for path in Path().rglob("*") if path.is_file()} == {"out", "runs"}


def test_a_place_that_cannot_be_written_is_told(hitl: Hitl) -> None:
    write_run(Path("runs/001"))
    Path("out").write_text("a file", encoding="utf-8")
    done = hitl("report", "runs/001", "--out", "out")
    assert done.code == 2
    assert "out" in done.err
    assert "Choose another folder" in done.err


def test_an_unknown_format_is_refused_with_the_nearest(hitl: Hitl) -> None:
    write_run(Path("runs/001"))
    done = hitl("report", "runs/001", "--out", "out", "--format", "htlm")
    assert done.code == 2
    assert "Did you mean html" in done.err
