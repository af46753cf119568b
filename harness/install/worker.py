"""The harness started once more, inside an environment that holds what an adapter wraps.

Owns how that process finds its modules: the environment's own packages first, behind them this very harness
with what it needs, as they are found here. Nothing is copied, and both run the same Python.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent.parent.parent
_ENTRY: Final = "import sys; sys.path += {paths!r}; from harness.cli import main; sys.exit(main())"
_NOT_INHERITED: Final = ("PYTHONPATH", "PYTHONHOME")
"""They would put other packages before those of the environment."""


def start_worker(python: Path, words: Sequence[str]) -> subprocess.Popen[bytes]:
    """Start ``hitl`` with ``words`` in the environment of ``python``, in a process group of its own.

    Its standard input is a pipe that says by its end that this process is gone. Raises OSError.
    """
    code = _ENTRY.format(paths=list(_paths()))
    variables = {key: it for key, it in os.environ.items() if key not in _NOT_INHERITED}
    command = [str(python), "-P", "-c", code, *words]
    return subprocess.Popen(  # noqa: S603 - this harness, in an environment that it built
        command, stdin=subprocess.PIPE, stdout=None, env=variables, process_group=0
    )


def _paths() -> Iterator[str]:
    """Yield where this process finds its modules, the harness first, without its own environment's prefix."""
    yield str(_HERE)
    yield from (str(Path(entry).resolve()) for entry in sys.path if entry)
