"""Rules about the command: the run is that of ``hitl run``, and what cannot be served is refused."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[2]
RUN: Final = ("ably-guide-older", "--scenario", "first_response_wins", "--examples", "10")


def hitl(folder: Path, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "harness.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "120", "NO_COLOR": "1"}
    return subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=300
    )


def contents(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_watched_run_is_byte_for_byte_the_run_that_nobody_watches(tmp_path: Path) -> None:
    plain = hitl(tmp_path, "run", *RUN)
    watched = hitl(tmp_path, "watch", *RUN, "--once")
    assert re.search(r"Watch the run at http://127\.0\.0\.1:\d+/[0-9a-f]{32}/", watched.stderr)
    assert watched.returncode == plain.returncode
    assert watched.stdout.replace("runs/002", "runs/001") == plain.stdout
    runs = tmp_path / ".hitl" / "runs"
    assert contents(runs / "002") == contents(runs / "001")


def test_a_port_in_use_is_refused_before_anything_runs(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        done = hitl(tmp_path, "watch", *RUN, "--port", port)
        played = hitl(tmp_path, "watch", "--play", "genie-webhook", "--port", port)
    for refused in (done, played):
        assert refused.returncode == 2
        assert f"127.0.0.1:{port}: " in refused.stderr
        assert "Try --port 0" in refused.stderr
    assert not (tmp_path / ".hitl" / "runs").exists()


def test_input_that_is_refused_ends_the_page_too(tmp_path: Path) -> None:
    done = hitl(tmp_path, "watch", "nobody")
    assert done.returncode == 2
    assert "nobody" in done.stderr


def test_what_cannot_be_played_by_hand_is_refused_with_the_reason(tmp_path: Path) -> None:
    no_lane = hitl(tmp_path, "watch", "--play", "reference")
    assert (no_lane.returncode, "has no wall lane" in no_lane.stderr) == (2, True)
    suite = hitl(tmp_path, "watch", "--play", "--all")
    assert (suite.returncode, "--play runs no suite" in suite.stderr) == (2, True)
