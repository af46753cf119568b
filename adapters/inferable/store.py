"""The control plane's records in a SQLite database: calls, runs and registered services.

Owns the tables and the compare-and-set. Whatever was answered to a client is committed before, so that a
killed control plane takes nothing back. It does not know what may follow what.
"""

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import TypeAdapter

from .jobs import Job

_SCHEMA: Final = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = NORMAL;
CREATE TABLE IF NOT EXISTS job (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, cluster TEXT NOT NULL,
  open INTEGER NOT NULL, record BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS open_jobs ON job (number) WHERE open;
CREATE TABLE IF NOT EXISTS run (
  number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT UNIQUE NOT NULL, cluster TEXT NOT NULL,
  record BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS service (
  cluster TEXT NOT NULL, name TEXT NOT NULL, record BLOB NOT NULL, PRIMARY KEY (cluster, name)
);
"""


@dataclass(frozen=True, slots=True)
class Run:
    """One run: the call that its agent makes, the caller's own labels, and who is told of its end.

    ``told`` names a service and its function, None where nobody asked to be told.
    """

    id: str
    cluster: str
    job: str
    metadata: dict[str, str]
    told: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Function:
    """A registered function and how often and how long a machine may try it."""

    name: str
    timeout_s: float
    retries_on_stall: int


_JOBS: Final = TypeAdapter(Job)
_RUNS: Final = TypeAdapter(Run)
_FUNCTIONS: Final = TypeAdapter(tuple[Function, ...])


class Store:
    """The records in one file; several control planes may open it."""

    def __init__(self, path: Path) -> None:
        self._database = sqlite3.connect(path, isolation_level=None)
        self._database.executescript(_SCHEMA)

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def job(self, cluster: str, job_id: str) -> Job | None:
        """Return a call of a cluster, None where it has none of that id."""
        found = self._one("SELECT record FROM job WHERE id = ? AND cluster = ?", job_id, cluster)
        return None if found is None else _JOBS.validate_json(found)

    def open_jobs(self) -> Iterator[Job]:
        """Yield every call that is not over, oldest first."""
        rows = self._database.execute("SELECT record FROM job WHERE open ORDER BY number").fetchall()
        for (record,) in rows:
            yield _JOBS.validate_json(record)

    def replace(self, before: Job, after: Job, notice: Job | None = None) -> bool:
        """Write ``after``, and ``notice`` with it, if ``before`` is what is there; return whether it was."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        changed = database.execute(
            "UPDATE job SET record = ?, open = ? WHERE id = ? AND record = ?",
            (_JOBS.dump_json(after), not after.over, after.id, _JOBS.dump_json(before)),
        )
        if notice is not None and changed.rowcount == 1:
            self._insert(notice)
        database.execute("COMMIT")
        return changed.rowcount == 1

    def add(self, run: Run, job: Job) -> None:
        """Write a new run and its call, both or neither."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        database.execute(
            "INSERT INTO run (id, cluster, record) VALUES (?, ?, ?)",
            (run.id, run.cluster, _RUNS.dump_json(run)),
        )
        self._insert(job)
        database.execute("COMMIT")

    def _insert(self, job: Job) -> None:
        self._database.execute(
            "INSERT INTO job (id, cluster, open, record) VALUES (?, ?, 1, ?)",
            (job.id, job.cluster, _JOBS.dump_json(job)),
        )

    def run(self, cluster: str, run_id: str) -> Run | None:
        """Return a run of a cluster, None where it has none of that id."""
        found = self._one("SELECT record FROM run WHERE id = ? AND cluster = ?", run_id, cluster)
        return None if found is None else _RUNS.validate_json(found)

    def runs(self, cluster: str) -> list[Run]:
        """Return the runs of a cluster, newest first."""
        rows = self._database.execute(
            "SELECT record FROM run WHERE cluster = ? ORDER BY number DESC", (cluster,)
        ).fetchall()
        return [_RUNS.validate_json(record) for (record,) in rows]

    def next_number(self) -> int:
        """Return the number of the next call, which is also that of a run that makes it."""
        found = self._one("SELECT coalesce(max(number), 0) + 1 FROM job")
        return int(found)

    def register(self, cluster: str, service: str, functions: tuple[Function, ...]) -> None:
        """Write what a service offers, in place of what it offered before."""
        self._database.execute(
            "INSERT OR REPLACE INTO service VALUES (?, ?, ?)",
            (cluster, service, _FUNCTIONS.dump_json(functions)),
        )

    def functions(self, cluster: str, service: str) -> tuple[Function, ...] | None:
        """Return what a service offers, None where it never registered."""
        found = self._one("SELECT record FROM service WHERE cluster = ? AND name = ?", cluster, service)
        return None if found is None else _FUNCTIONS.validate_json(found)

    def _one(self, query: str, *values: str) -> Any:
        row = self._database.execute(query, values).fetchone()
        return None if row is None else row[0]
