"""Rules about ``hitl replay``: the same bytes or the first difference, and what it refuses."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.calling import Hitl


@pytest.fixture
def saved(hitl: Hitl, plugin: str) -> Path:
    """Return the folder of a saved counterexample."""
    hitl("run", "forgetful", "--plugin", plugin, "--scenario", "role_rejection", "--examples", "8")
    return Path(".hitl/runs/001/forgetful-P9")


def altered(folder: Path, **fields: Any) -> Path:
    """Write the saved run with other ``fields`` and return the folder."""
    file = folder / "plan.json"
    record = json.loads(file.read_text(encoding="utf-8")) | fields
    file.write_text(json.dumps(record), encoding="utf-8")
    return folder


def test_a_folder_and_the_plan_in_it_replay_alike(hitl: Hitl, plugin: str, saved: Path) -> None:
    by_folder = hitl("replay", str(saved), "--plugin", plugin)
    by_file = hitl("replay", str(saved / "plan.json"), "--plugin", plugin)
    assert by_folder.code == by_file.code == 0
    assert by_folder.out == by_file.out


def test_a_replay_that_differs_says_where_and_exits_with_one(hitl: Hitl, plugin: str, saved: Path) -> None:
    trace = saved / "trace.jsonl"
    lines = trace.read_text(encoding="utf-8").splitlines()
    lines[5] = lines[5].replace('"at":', '"at":1')
    trace.write_text("\n".join(lines) + "\n", encoding="utf-8")
    done = hitl("replay", str(altered(saved, digest="0" * 64)), "--plugin", plugin)
    assert done.code == 1
    assert "✗ another digest" in done.out
    assert "first difference at event 4" in done.out
    assert "the adapter changed since, or is not repeatable" in done.out


def test_a_difference_between_versions_is_told(hitl: Hitl, plugin: str, saved: Path) -> None:
    made_with = {"python": "3.9.1", "harness": "0.0.1"}
    done = hitl("replay", str(altered(saved, digest="0" * 64, made_with=made_with)), "--plugin", plugin)
    assert done.code == 1
    assert "python 3.9.1 then" in done.out


def test_a_plan_without_its_trace_still_replays(hitl: Hitl, plugin: str, saved: Path) -> None:
    (saved / "trace.jsonl").unlink()
    assert hitl("replay", str(saved), "--plugin", plugin).code == 0


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"version": 99}, "saved run version 99 is not 1"),
        ({"format": "holiday-snaps"}, "no saved run"),
        ({"adapter": "nobody"}, "unknown adapter 'nobody'"),
        ({"digest": 7}, "digest: a text is due"),
        ({"plan": {"format": "hitl-plan", "version": 2}}, "plan version 2 is not 1"),
        ({"plan": []}, "no plan"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_with_what_is_wrong(
    hitl: Hitl, plugin: str, saved: Path, fields: dict[str, Any], told: str
) -> None:
    done = hitl("replay", str(altered(saved, **fields)), "--plugin", plugin)
    assert done.code == 2
    assert done.out == ""
    assert told in done.err
    assert len(done.err.splitlines()) <= 2


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe\x00", b"[]", b"null"])
def test_a_file_that_is_no_saved_run_at_all_is_refused(hitl: Hitl, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "plan.json"
    file.write_bytes(content)
    done = hitl("replay", str(file))
    assert done.code == 2
    assert "Traceback" not in done.err
    assert done.err.startswith("hitl: ")


def test_a_saved_run_of_a_missing_adapter_names_what_is_known(hitl: Hitl, saved: Path) -> None:
    done = hitl("replay", str(saved))
    assert done.code == 2
    assert "unknown adapter 'forgetful'" in done.err
