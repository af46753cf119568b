"""Where agents and devices keep things during a run: the folders are there, and no others are removed."""

import gc
from pathlib import Path

from harness.model import HostName
from harness.stdio.folders import RunFolders


def test_the_folders_of_a_run_end_with_it() -> None:
    folders = RunFolders()
    kept = Path(folders.of(HostName("agent")), "kept.json")
    kept.write_text("{}")
    folders.remove()
    assert not kept.parent.exists()


def test_a_folder_of_another_run_by_the_name_of_a_removed_one_stays() -> None:
    folders = RunFolders()
    shared = Path(folders.shared)
    folders.remove()
    shared.mkdir(parents=True)
    del folders
    gc.collect()
    assert shared.is_dir()
    shared.rmdir()
    shared.parent.rmdir()
