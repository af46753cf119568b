"""``hitl selftest``: its table, its last line and its exit codes."""

import json
from dataclasses import replace

import pytest

from harness.catalog import Catalog, load_catalog
from harness.cli import main
from harness.cli import selftest as command
from harness.explore import selftest
from harness.explore.selftest import Form

EASY = ("run-the-tool-and-pass-it-the-verdict", "resuming-starts-over")


@pytest.fixture(autouse=True)
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    full = load_catalog()
    few = replace(full, ablations={name: full.ablations[name] for name in EASY})
    monkeypatch.setattr(command, "SHORT", Form(seeds=1, runs_max=20, intact_runs=4, intact_chunk=4))
    monkeypatch.setattr(command, "catalog_with", lambda _plugins: few)


def test_a_table_as_expected_exits_0_and_says_so_in_its_last_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--short", "--processes", "1"]) == 0
    out, err = capsys.readouterr()
    last = out.rstrip().splitlines()[-1]
    assert last.startswith("self-test as expected: 2 of 2 ablations found within ")
    assert "0 false alarms in 12 intact runs" in last
    assert "P3    run-the-tool-and-pass-it-the-verdict" in out
    assert "intact reference-sqlite: 0 false alarms in 4 runs" in out
    assert "self-test: 5 of 5 jobs done" in err


def test_a_missed_ablation_exits_1(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(command, "SHORT", Form(seeds=1, runs_max=0, intact_runs=0))
    assert main(["selftest", "--short", "--processes", "1"]) == 1
    out = capsys.readouterr().out
    assert "✗ NO" in out
    assert "self-test NOT as expected: 0 of 2 ablations found" in out.splitlines()[-1]


def test_json_goes_to_standard_output_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["selftest", "--short", "--json", "--processes", "1"]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["as_expected"] is True
    assert [row["ablation"] for row in record["rows"]] == list(EASY)


def test_a_catalogue_without_ablations_says_what_is_missing(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    bare: Catalog = replace(load_catalog(), ablations={})
    monkeypatch.setattr(command, "catalog_with", lambda _plugins: bare)
    assert main(["selftest"]) == 2
    assert "no ablations to look for" in capsys.readouterr().err
    assert selftest.FULL.seeds == 5
