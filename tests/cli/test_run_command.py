"""Rules about ``hitl run``: what it shows, what it writes, what it refuses, and its exit codes."""

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from harness.cli.progress import LineProgress
from tests.cli.calling import Hitl

ROLES = ("--scenario", "role_rejection", "--examples", "8")


def test_a_violation_is_shown_with_finding_promise_plan_listing_and_replay_command(
    hitl: Hitl, plugin: str
) -> None:
    done = hitl("run", "forgetful", "--plugin", plugin, *ROLES)
    assert done.code == 1
    first, *_ = done.out.splitlines()
    assert first == "✗ forgetful  P9 authority  violated (must)"
    for label in ("finding", "promise", "plan", "search", "replay"):
        assert f"\n  {label:<9}" in done.out
    assert "time" in done.out
    assert "│" in done.out
    assert "  ✗ " in done.out
    assert "P9  authority" in done.out
    assert done.out.splitlines()[-1].endswith("(exit 1)")


def test_the_replay_command_that_is_shown_replays_the_same_bytes(hitl: Hitl, plugin: str) -> None:
    done = hitl("run", "forgetful", "--plugin", plugin, *ROLES)
    (line,) = [line for line in done.out.splitlines() if line.startswith("  replay ")]
    _, program, *words = shlex.split(line)
    assert program == "hitl"
    replayed = hitl(*words)
    assert replayed.code == 0
    assert "✓ same digest" in replayed.out
    assert "✗ violated" in replayed.out
    drawn = [line.strip() for line in done.out.splitlines() if "│" in line]
    assert [line.strip() for line in replayed.out.splitlines() if "│" in line] == drawn


def test_json_is_all_there_is_on_standard_output_and_equals_the_run_folders_result(
    hitl: Hitl, plugin: str
) -> None:
    words = ("run", "forgetful", "--plugin", plugin, *ROLES, "--json")
    one, two = hitl(*words), hitl(*words)
    assert one.out == two.out
    assert json.loads(one.out)["format"] == "hitl-result"
    assert Path(".hitl/runs/001/result.json").read_text(encoding="utf-8") == one.out
    assert Path(".hitl/runs/002/result.json").read_text(encoding="utf-8") == one.out
    assert str(Path.cwd()) not in one.out


def test_processes_under_different_hash_seeds_print_the_same_bytes(tmp_path: Path, plugin: str) -> None:
    words = ["run", "forgetful", "--plugin", plugin, *ROLES, "--json", "--seed", "7"]
    outs = [
        subprocess.run(
            [sys.executable, "-m", "harness.cli", *words, "--runs-dir", str(tmp_path)],
            env={**os.environ, "PYTHONHASHSEED": seed},
            check=False,
            capture_output=True,
        ).stdout
        for seed in ("1", "2")
    ]
    assert outs[0] == outs[1]
    assert len(outs[0]) > 100


def test_an_adapter_that_raises_is_named_and_the_rest_of_the_matrix_completes(
    hitl: Hitl, plugin: str
) -> None:
    done = hitl("run", "clumsy", "reference", "--plugin", plugin, *ROLES)
    assert done.code == 2
    assert "! clumsy: the adapter itself failed" in done.out
    assert "the button fell off at forgetful.py:" in done.out
    row = next(line for line in done.out.splitlines() if line.startswith("P9"))
    assert row.rstrip().endswith("✓ holds")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("run", "refrence"), "unknown adapter 'refrence'. Did you mean reference"),
        (("run", "--scenario", "role_rejektion"), "Did you mean role_rejection"),
        (("run", "--report", "out", "--format", "jsn"), "unknown report 'jsn'. Did you mean json"),
        (("run", "--format", "json"), "--format needs --report DIR"),
        (("run", "reference", "--all"), "--all tests every adapter"),
        (("run", "--seed", "-1"), 'a number from 0 on or "random" is due'),
        (("run", "--examples", "0"), "examples"),
        (("run", "--exmples", "3"), "--examples"),
        (("explain", "single-wiener"), "Did you mean single-winner"),
        (("replay", "nowhere"), "nowhere: cannot be read"),
        (("frobnicate",), "frobnicate"),
    ],
)
def test_wrong_input_is_told_in_a_line_or_two_with_the_next_step(
    hitl: Hitl, words: tuple[str, ...], told: str
) -> None:
    done = hitl(*words)
    assert done.code == 2
    assert done.out == ""
    assert done.err.startswith("hitl: ")
    assert told in done.err
    assert len(done.err.splitlines()) <= 2
    assert "Traceback" not in done.err


def test_a_broken_plug_in_is_reported_with_file_and_line_and_stops_nobody(hitl: Hitl, plugin: str) -> None:
    Path("broken.py").write_text('"""Broken."""\n\nimport nothing_of_that_name\n', encoding="utf-8")
    done = hitl("run", "forgetful", "--plugin", "broken.py", "--plugin", plugin, *ROLES)
    assert done.code == 1
    assert "hitl: plug-in left out: broken.py:3: ModuleNotFoundError" in done.err


def listed(folder: Path, plugin: str, property_id: str) -> str:
    """Copy the plug-in beside an expectations file that lists one violation; return its path."""
    folder.mkdir()
    copy = folder / "forgetful.py"
    copy.write_text(Path(plugin).read_text(encoding="utf-8"), encoding="utf-8")
    entry = f'adapter = "forgetful"\nproperty = "{property_id}"\nreason = "it believes everybody"\n'
    (folder / "expectations.toml").write_text(f"[[violation]]\n{entry}", encoding="utf-8")
    return str(copy)


def test_a_known_violation_is_shown_with_its_reason_and_does_not_fail_the_run(
    hitl: Hitl, plugin: str, tmp_path: Path
) -> None:
    copy = listed(tmp_path / "known", plugin, "P9")
    done = hitl("run", "forgetful", "--plugin", copy, *ROLES)
    assert "✗ violated, known" in done.out
    assert "\n  known    it believes everybody" in done.out
    assert done.code == 0
    assert hitl("run", "forgetful", "--plugin", copy, *ROLES, "--ignore-expectations").code == 1


def test_a_known_violation_that_is_gone_fails_the_run(hitl: Hitl, plugin: str, tmp_path: Path) -> None:
    copy = listed(tmp_path / "stale", plugin, "P1")
    done = hitl("run", "forgetful", "--plugin", copy)
    assert "! holds, yet listed" in done.out
    assert "listed as a known violation" in done.out
    assert done.code == 1


def test_a_run_too_small_to_show_every_known_violation_does_not_call_them_gone(
    hitl: Hitl, plugin: str, tmp_path: Path
) -> None:
    copy = listed(tmp_path / "small", plugin, "P1")
    done = hitl("run", "forgetful", "--plugin", copy, "--scenario", "first_response_wins", "--examples", "5")
    assert "yet listed" not in done.out
    assert done.code == 0


def test_an_unreadable_expectations_file_is_the_users_to_mend(
    hitl: Hitl, plugin: str, tmp_path: Path
) -> None:
    copy = listed(tmp_path / "bad", plugin, "P9")
    (tmp_path / "bad" / "expectations.toml").write_text("[[violation]\n", encoding="utf-8")
    done = hitl("run", "forgetful", "--plugin", copy, *ROLES)
    assert done.code == 2
    assert "expectations.toml: not a TOML file" in done.err


def test_an_offered_promise_that_nothing_exercised_is_inconclusive_unless_allowed(
    hitl: Hitl, plugin: str
) -> None:
    words = ("run", "clumsy", "--plugin", plugin, "--scenario", "reinvocation", "--examples", "1")
    assert hitl(*words).code == 2
    quiet = ("run", "reference", "--scenario", "reinvocation", "--examples", "1")
    assert hitl(*quiet, "--allow-inconclusive").code == 0


def test_an_interrupt_leaves_a_usable_run_folder(
    hitl: Hitl, plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(_self: LineProgress, _adapter: str, _scenario: str, runs: int, *_: object) -> None:
        if runs == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(LineProgress, "ran", interrupt)
    done = hitl("run", "reference", "forgetful", "--plugin", plugin, *ROLES)
    assert done.code == 130
    assert "interrupted; what is known by now is in .hitl/runs/001" in done.err
    assert json.loads(Path(".hitl/runs/001/result.json").read_text(encoding="utf-8"))["interrupted"] is True


def test_control_c_in_the_middle_of_a_run_ends_it_without_a_traceback(tmp_path: Path) -> None:
    words = ["run", "reference", "--examples", "5000", "--runs-dir", str(tmp_path / "runs")]
    process = subprocess.Popen(
        [sys.executable, "-m", "harness.cli", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "runs" / "001").exists():
        assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(timeout=1.5)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=300)
    assert process.returncode == 130
    assert "Traceback" not in err
    result = json.loads((tmp_path / "runs" / "001" / "result.json").read_text(encoding="utf-8"))
    assert result["interrupted"] is True


def test_a_runs_folder_that_cannot_be_made_is_refused_before_the_first_run(hitl: Hitl) -> None:
    Path("taken").write_text("a file", encoding="utf-8")
    done = hitl("run", "--runs-dir", "taken")
    assert done.code == 2
    assert "Choose another --runs-dir" in done.err


def test_run_folders_are_numbered_and_never_written_over(hitl: Hitl, plugin: str) -> None:
    for _ in range(2):
        hitl("run", "forgetful", "--plugin", plugin, *ROLES)
    assert sorted(path.name for path in Path(".hitl/runs").iterdir()) == ["001", "002"]
    names = sorted(path.name for path in Path(".hitl/runs/002").iterdir())
    assert names == ["environment.json", "forgetful-P9", "result.json"]


def test_a_page_fits_eighty_columns_but_for_commands(
    hitl: Hitl, plugin: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = hitl("run", "forgetful", "clumsy", "reference", "--plugin", plugin, *ROLES)
    too_wide = [line for line in done.out.splitlines() if len(line) > 80 and "  replay " not in line]
    assert too_wide == []


def test_the_race_of_the_readme_is_found_without_being_told_where(hitl: Hitl) -> None:
    done = hitl("run", "ably-guide-older", "--scenario", "first_response_wins", "--examples", "20")
    assert "✗ ably-guide-older  P4 at-most-one-execution  violated" in done.out
    assert "2nd time" in done.out
