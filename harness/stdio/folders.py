"""The folders of one run: what agents and devices keep over a crash.

Owns their places and their removal: with the run, or at the latest with this process.
"""

import shutil
import tempfile
import weakref
from collections.abc import Callable
from pathlib import Path

from harness.model import HostName


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
            self._root = Path(tempfile.mkdtemp(prefix="hitl-"))
            root = str(self._root)
            self._remove_once = weakref.finalize(self, shutil.rmtree, root, ignore_errors=True)
        folder = self._root.joinpath(*names)
        folder.mkdir(parents=True, exist_ok=True)
        return str(folder)
