"""Temporary folders that bear the number of the process that made them, and the removal of those left behind.

Owns the name. A process that is killed removes nothing; the next one of its kind does. A folder whose process
lives is never touched, nor one that somebody else owns.
"""

import os
import re
import shutil
from pathlib import Path


def own_prefix(kind: str) -> str:
    """Return how the names of this process's folders of a kind begin."""
    return f"{kind}{os.getpid()}-"


def remove_abandoned(home: Path, kind: str) -> None:
    """Remove the folders of a kind in ``home`` whose process is no more."""
    if not home.is_dir():
        return
    for folder in home.iterdir():
        named = re.fullmatch(rf"{re.escape(kind)}([0-9]+)-.*", folder.name)
        if named is not None and not _lives(int(named[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True
