"""Rules about ``hitl bench``: equal figures everywhere, honest real ones, files, and refusals."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

pytest.importorskip("hdrh")
pytest.importorskip("matplotlib")

from harness.cli import main

ROOT = Path(__file__).parents[2]
QUICK = ("--requests", "20", "--crowd", "1", "--crowd", "4")
Bench = Callable[..., tuple[int, str, str]]


@pytest.fixture
def bench(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Bench:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NO_COLOR", "1")

    def run(*words: str) -> tuple[int, str, str]:
        code = main(["bench", *words])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run


def in_another_process(folder: Path, hash_seed: str) -> dict[str, bytes]:
    command = [sys.executable, "-m", "harness.cli", "bench", "reference", *QUICK, "--out", str(folder)]
    surroundings = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONHASHSEED": hash_seed}
    subprocess.run(command, check=True, capture_output=True, env=surroundings, cwd=folder.parent)
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_virtual_figures_and_charts_are_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    one, other = (in_another_process(tmp_path / f"out{seed}", seed) for seed in ("1", "2"))
    assert one.keys() == other.keys()
    assert {name for name in one if one[name] != other[name]} == set()
    assert {"index.html", "bench.json", "latencies.csv", "end-to-end.svg", "end-to-end.png"} <= one.keys()


def test_the_table_says_what_was_measured_and_where_the_rest_lies(bench: Bench) -> None:
    code, out, _ = bench("reference", *QUICK, "--lane", "virtual")
    assert code == 0
    assert "the same on every machine" in out
    for words in ("fibre", "3g", "WebPageTest", "Reconnect storm", "4 devices", ".hitl/bench/index.html"):
        assert words in out


def test_a_network_of_long_ways_costs_what_its_round_trips_cost(bench: Bench) -> None:
    words = ("--profile", "fibre", "--profile", "3g", *QUICK, "--lane", "virtual", "--json")
    rows = json.loads(bench("reference", *words)[1])["virtual"]
    medians = {it["network"]: it["figures"]["end to end"]["percentiles"]["50"] for it in rows[:2]}
    assert 4_000 <= medians["fibre"] <= 12_000
    assert 300_000 <= medians["3g"] <= 600_000


def test_every_latency_is_in_the_csv(bench: Bench) -> None:
    bench("reference", "--profile", "lte", *QUICK, "--lane", "virtual")
    head, *lines = Path(".hitl/bench/latencies.csv").read_text().splitlines()
    assert head == "lane,sweep,adapter,network,rate,devices,segment,sample,microseconds"
    whole = [line for line in lines if line.startswith("virtual,networks,reference,lte,2,3,end to end,")]
    assert len(whole) == 20


def test_the_page_is_one_file_that_fetches_nothing_and_runs_no_script(bench: Bench) -> None:
    bench("reference", "--profile", "lte", *QUICK, "--lane", "virtual")
    page = Path(".hitl/bench/index.html").read_text()
    assert "default-src 'none'" in page
    assert "<script" not in page
    assert 'src="http' not in page
    assert page.count("<svg") >= 3


def test_implementations_stand_side_by_side(bench: Bench) -> None:
    code, out, _ = bench("reference", "ably-guide", "--profile", "lte", *QUICK, "--lane", "virtual", "--json")
    rows = json.loads(out)["virtual"]
    assert code == 0
    assert [it["adapter"] for it in rows[:2]] == ["reference", "ably-guide"]


def test_real_figures_carry_intervals_and_their_machine(bench: Bench) -> None:
    pytest.importorskip("ably")
    words = ("--lane", "wall", "--rate", "20", "--requests", "30", "--crowd", "1", "--json")
    code, out, err = bench("ably", *words)
    assert code == 0, err
    record = json.loads(out)
    assert record["virtual"] == []
    assert record["environment"]["python"]
    loads = [it for it in record["real_time"] if it["sweep"] == "load"]
    for it in loads:
        end = it["figures"]["end to end"]
        low, high = end["intervals"]["50"]
        assert 0 < low <= high
        assert end["count"] + it["unfinished"] == 30
        assert it["saturated"] in (True, False)


def test_who_has_no_such_lane_is_told(bench: Bench) -> None:
    code, out, _ = bench("reference", "--lane", "wall")
    assert code == 3
    assert "not measured  reference, wall: has no such lane" in out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nobody",), "nobody"),
        (("reference", "--profile", "fiber"), "Did you mean fibre?"),
        (("reference", "--lane", "live"), "ABLY_API_KEY"),
        (("reference", "--crowd", "20000"), "10000"),
        (("reference", "--requests", "0"), "--requests"),
    ],
)
def test_what_cannot_be_measured_is_refused_before_anything_runs(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], told: str
) -> None:
    monkeypatch.delenv("ABLY_API_KEY", raising=False)
    code, _, err = bench(*words)
    assert code == 2
    assert told in err
    assert not Path(".hitl").exists()


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(bench: Bench) -> None:
    Path("taken").write_text("a file")
    code, out, err = bench("reference", *QUICK, "--lane", "virtual", "--out", "taken")
    assert (code, out) == (2, "")
    assert "Choose another --out" in err
