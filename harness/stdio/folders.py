"""The folders of one run: what agents and devices keep over a crash.

Owns their places and their removal: with the run, or at the latest with this process; what a killed process
left is removed by the next one.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Final

from harness.install.abandoned import own_prefix, remove_abandoned
from harness.model import HostName
from harness.sim import unfenced

_KIND: Final = "hitl-run-"


class RunFolders:
    """A temporary folder with one folder a host and one that all agents share; made at its first use."""

    def __init__(self) -> None:
        self._root: Path | None = None
        self._remove_once: Callable[[], object] = lambda: None

    @property
    def shared(self) -> str:
        """The durable folder that every agent process of the run may use, as they would a database."""
        return self._folder("shared")

    def of(self, host: HostName) -> str:
        """Return the durable folder of one host."""
        return self._folder("hosts", host)

    def remove(self) -> None:
        """Remove everything."""
        self._remove_once()
        self._root = None

    def _folder(self, *names: str) -> str:
        if self._root is None:
            with unfenced():  # a simulation lets nobody ask for other processes
                _remove_abandoned(tempfile.gettempdir())
            self._root = Path(tempfile.mkdtemp(prefix=own_prefix(_KIND)))
            root = str(self._root)
            self._remove_once = weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
        folder = self._root.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)


@cache
def _remove_abandoned(home: str) -> None:
    """Remove what killed processes left in ``home``, once in the life of this one."""
    remove_abandoned(Path(home), _KIND)
