"""The same records in a SQLite database in a file, which several agent processes may open.

Owns the table, the transaction around each change, and what a power cut leaves of it: a change that was not
committed is gone, a committed one is there. The file lives in a folder of its own for one run.

Invariant: a change is one transaction that compares and writes, and it is reported as made only after its
commit. What a lost machine does to the file itself is SQLite's own promise and not tried here; therefore the
database does not wait for the real disk.
"""

import os
import shutil
import sqlite3
import weakref
from collections.abc import Callable
from itertools import count
from pathlib import Path
from tempfile import gettempdir
from typing import Final

from harness.model import CallId
from harness.sim import Host, acting_while_dead

from .store import EncodedStore

_FOLDERS: Final = Path(gettempdir())
_FILE: Final = "requests.sqlite3"
_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
CREATE TABLE IF NOT EXISTS request (call TEXT PRIMARY KEY, record BLOB NOT NULL) WITHOUT ROWID;
"""


def run_folder() -> Path:
    """Make and return a folder for one run, by number and not by chance, so that no run draws from it."""
    for number in count():
        folder = _FOLDERS / f"hitl-reference-{os.getpid()}-{number}"
        try:
            folder.mkdir()
        except FileExistsError:
            continue
        return folder
    raise AssertionError("counting does not end")


def remover(folder: Path) -> Callable[[], None]:
    """Return what removes ``folder`` with all that is in it."""
    return lambda: shutil.rmtree(folder, ignore_errors=True)


class SqliteStore(EncodedStore):
    """A :class:`~.store.Store` over a database in ``folder``, opened by the agent process on ``host``."""

    def __init__(self, folder: Path, host: Host) -> None:
        super().__init__()
        self._host = host
        self._database = sqlite3.connect(folder / _FILE, isolation_level=None)
        weakref.finalize(self, self._database.close)  # a process that lost power closes nothing itself
        self._database.executescript(_SCHEMA)

    def _find(self, call: CallId) -> bytes | None:
        row = self._database.execute("SELECT record FROM request WHERE call = ?", (call,)).fetchone()
        return None if row is None else row[0]

    def _swap(self, call: CallId, expected: bytes | None, written: bytes) -> bool:
        if acting_while_dead():
            return False
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        if self._find(call) != expected:
            database.execute("ROLLBACK")
            return False
        database.execute("INSERT OR REPLACE INTO request VALUES (?, ?)", (call, written))
        self._host.boundary("write")
        if acting_while_dead():
            database.execute("ROLLBACK")
            return False
        database.execute("COMMIT")
        self._host.boundary("sync")
        return True

    def _calls(self) -> list[CallId]:
        return [CallId(call) for (call,) in self._database.execute("SELECT call FROM request ORDER BY call")]
