"""The worker's side of a run apart: a request read from a file, and a run that shows nothing.

Owns the end of a worker whose parent is gone: the pipe on standard input closes, and so does the worker.
"""

import os
import sys
import threading
from pathlib import Path
from typing import Final

from pydantic import TypeAdapter

from harness.cli.running import Request, run

_ORPHANED: Final = 130


def run_task(file: Path) -> int:
    """Do the task in ``file``; returns the exit code of the run."""
    threading.Thread(target=_end_with_the_parent, name="parent", daemon=True).start()
    return run(TypeAdapter(Request).validate_json(file.read_bytes()))


def _end_with_the_parent() -> None:
    while os.read(sys.stdin.fileno(), 1):
        continue
    os._exit(_ORPHANED)
