"""Folders that a killed process left are removed by the next one; those of the living are not."""

import os
import subprocess
import sys
from pathlib import Path

from harness.install.abandoned import own_prefix, remove_abandoned
from harness.model import HostName
from harness.stdio.folders import RunFolders


def gone() -> int:
    """Return the number of a process that is no more."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_only_folders_of_dead_processes_are_removed(tmp_path: Path) -> None:
    names = [f".building-{gone()}-x", f"{own_prefix('.building-')}y", f".building-{os.getppid()}-z", "npm"]
    for name in names:
        (tmp_path / name / "inside").mkdir(parents=True)
    remove_abandoned(tmp_path, ".building-")
    assert sorted(it.name for it in tmp_path.iterdir()) == sorted(names[1:])


def test_a_home_that_is_not_there_has_nothing_to_remove(tmp_path: Path) -> None:
    remove_abandoned(tmp_path / "absent", ".building-")


def test_a_folder_of_a_run_bears_its_process_and_goes_with_it() -> None:
    folders = RunFolders()
    place = Path(folders.of(HostName("agent")))
    assert f"hitl-run-{os.getpid()}-" in str(place)
    folders.remove()
    assert not place.exists()
