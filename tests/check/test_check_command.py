"""``hitl check``: sources, exit codes, the page and the JSON."""

import io
import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.cli import main

FIXTURES = Path(__file__).parent / "fixtures"
HISTORY = str(FIXTURES / "ably-history.json")
TWICE = str(FIXTURES / "ably-history-twice.json")


def call(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, str, str]:
    code = main(["check", *words])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_clean_log_exits_0_and_the_page_ends_with_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--mapping", "ably-history", HISTORY)
    assert code == 0
    assert "5 events in 6 records" in out
    assert "times count from 2025-11-22T09:00:00Z" in out
    assert out.rstrip().splitlines()[-1] == "1 log checked: 0 properties violated in 0 of them"


def test_a_violation_exits_1_with_its_sentence_and_places(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--mapping", "ably-history", HISTORY, TWICE)
    assert code == 1
    assert "✗ P4 at-most-one-execution (must): call call_7 was executed twice" in out
    assert "[records 4, 5]" in out
    assert "2 logs checked: 5 properties violated in 1 of them" in out


def test_what_stays_open_exits_3_and_0_where_that_is_allowed(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    history = [it for it in json.loads(Path(HISTORY).read_text()) if it["name"] != "approval-response"]
    (tmp_path / "part.json").write_text(json.dumps(history))
    words = ("--mapping", "ably-history", str(tmp_path / "part.json"))
    code, out, _ = call(capsys, *words)
    assert code == 3
    assert "1 not judged in full" in out
    assert call(capsys, *words, "--allow-inconclusive")[0] == 0


def test_standard_input_is_read(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(HISTORY).read_bytes()
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(data)))
    code, out, _ = call(capsys, "--mapping", "ably-history", "-")
    assert code == 0
    assert out.startswith("standard input")


def test_json_is_all_there_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = call(capsys, "--json", "--mapping", "ably-history", TWICE)
    record = json.loads(out)
    assert code == 1
    assert (record["format"], record["version"]) == ("hitl-check", 1)
    (log,) = record["logs"]
    assert log["violated"] is True
    assert {it["property"] for it in log["verdicts"] if it["status"] == "violated"} >= {"P3", "P4"}


def test_a_saved_counterexample_is_judged_on_its_adapters_terms(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    main(["run", "ably-guide", "--scenario", "reinvocation", "--examples", "12"])
    (saved, *_) = sorted(Path(".hitl/runs/001").glob("ably-guide-P*"))
    capsys.readouterr()
    code, out, _ = call(capsys, str(saved))
    broken = saved.name.rpartition("-")[2]
    assert code == 1
    assert "adapter ably-guide" in out
    assert f"✗ {broken} " in out
    assert "not offered" in out


def test_a_trace_of_an_adapter_that_is_not_installed_is_judged_as_far_as_that_goes(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    trace = tmp_path / "trace.jsonl"
    trace.write_text('{"format": "hitl-trace", "version": 1, "adapter": "gone", "scenario": "x"}\n')
    code, out, _ = call(capsys, str(tmp_path))
    assert code == 3
    assert "0 events in 1 line, adapter gone" in out


@pytest.mark.parametrize(
    ("words", "text"),
    [
        (("missing.jsonl",), "missing.jsonl: cannot be read: No such file"),
        (("--mapping", "nope", HISTORY), "nope: cannot be read"),
        ((HISTORY,), "not a line of JSON"),
    ],
)
def test_what_cannot_be_read_exits_2_with_the_next_step(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], text: str
) -> None:
    code, out, err = call(capsys, *words)
    assert (code, out) == (2, "")
    assert text in err
    assert "Traceback" not in err


def test_binary_garbage_exits_2(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "x.jsonl").write_bytes(bytes(range(255, -1, -1)) * 100)
    code, _, err = call(capsys, str(tmp_path / "x.jsonl"))
    assert code == 2
    assert "x.jsonl:1: not UTF-8 text" in err
    shutil.copy(tmp_path / "x.jsonl", tmp_path / "y.jsonl")
    assert call(capsys, "--mapping", "ably-history", str(tmp_path / "y.jsonl"))[0] == 2
