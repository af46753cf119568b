"""The file that remembers what every run said, and when.

Owns the tables and every refusal of a file that is none of ours. Times of day live here alone: results hold
none, so that equal runs give equal bytes.

Invariant: a run is remembered wholly or not at all, and several processes may write at once.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from harness.properties import Status
from harness.results import Result

FILE_NAME: Final = "trend.sqlite"
VERSION: Final = 1
APPLICATION_ID: Final = 0x4849544C
"""The letters HITL: tells this file from other SQLite files."""
_PATIENCE_S: Final = 10.0
_TABLES: Final = """
create table run (
    id integer primary key,
    at text not null default (strftime('%Y-%m-%dT%H:%M:%SZ', 'now')),
    folder text not null,
    harness text not null,
    seed text not null,
    examples integer not null,
    scenarios text not null,
    exit_code integer not null
) strict;
create table verdict (
    run integer not null references run (id),
    adapter text not null,
    version text not null,
    runs integer not null,
    property text not null,
    guarantee text not null,
    status text not null,
    known integer not null,
    primary key (run, adapter, property)
) strict, without rowid;
"""
_ADD_RUN: Final = (
    "insert into run (folder, harness, seed, examples, scenarios, exit_code) values (?, ?, ?, ?, ?, ?)"
)


class TrendError(Exception):
    """The file cannot be used; the text names it, what is wrong and what to do."""


@dataclass(frozen=True, slots=True)
class RunStamp:
    """Where a run lies, what made it and how it ended."""

    folder: str
    harness: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class Point:
    """What one run said of one property of one adapter; ``at`` is UTC in ISO 8601, with seconds."""

    run: int
    at: str
    adapter: str
    version: str
    property: str
    guarantee: str
    status: Status
    known: bool


@dataclass(frozen=True, slots=True)
class TrendStore:
    """The store in one file, opened anew for each call."""

    file: Path

    def add(self, result: Result, stamp: RunStamp) -> None:
        """Remember a run. Raises TrendError where the file cannot be used."""
        run = (
            stamp.folder,
            stamp.harness,
            "random" if result.seed is None else str(result.seed),
            result.examples,
            json.dumps(result.scenarios),
            stamp.exit_code,
        )
        verdicts = [
            (
                it.adapter,
                it.version,
                it.runs,
                verdict.property,
                verdict.guarantee,
                verdict.status.value,
                verdict.expected is not None,
            )
            for it in result.adapters
            for verdict in it.verdicts
        ]
        with self._opened() as base, base:
            base.execute("begin immediate")
            _prepare(base)
            number = base.execute(_ADD_RUN, run).lastrowid
            rows = [(number, *verdict) for verdict in verdicts]
            base.executemany("insert into verdict values (?, ?, ?, ?, ?, ?, ?, ?)", rows)

    def points(self, adapters: Sequence[str], last: int) -> list[Point]:
        """Return what the ``last`` runs said of ``adapters``, none meaning all; the oldest run first.

        Raises TrendError where the file cannot be used, FileNotFoundError where there is none.
        """
        if not self.file.exists():
            raise FileNotFoundError(self.file)
        chosen = "" if not adapters else f" and adapter in ({', '.join('?' * len(adapters))})"
        query = (
            "select run.id, at, adapter, version, property, guarantee, status, known from verdict"  # noqa: S608
            " join run on run.id = verdict.run where run.id in (select distinct run from verdict where 1=1"
            f"{chosen} order by run desc limit ?){chosen} order by run.id, adapter, property"
        )
        with self._opened() as base:
            rows = base.execute(query, (*adapters, last, *adapters)).fetchall()
        return [_point(*row) for row in rows]

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(sqlite3.connect(self.file, timeout=_PATIENCE_S, isolation_level=None)) as base:
                _refuse_foreign(base, self.file)
                yield base
        except (sqlite3.Error, ValueError) as error:
            raise TrendError(
                f"{self.file}: cannot be used: {error}. Move it away: a new one is made."
            ) from error


def _point(run: int, at: str, adapter: str, version: str, name: str, guarantee: str, *said: object) -> Point:
    status, known = said
    return Point(run, at, adapter, version, name, guarantee, Status(str(status)), bool(known))


def _prepare(base: sqlite3.Connection) -> None:
    """Make the tables of a file that is new."""
    if _version(base) == 0:
        for statement in _TABLES.split(";\n"):
            base.execute(statement)
        base.execute(f"pragma application_id = {APPLICATION_ID}")
        base.execute(f"pragma user_version = {VERSION}")


def _refuse_foreign(base: sqlite3.Connection, file: Path) -> None:
    base.execute("begin")
    (tables,) = base.execute("select count(*) from sqlite_master").fetchone()
    (owner,) = base.execute("pragma application_id").fetchone()
    version = _version(base)
    base.execute("commit")
    if owner != APPLICATION_ID and tables:
        raise TrendError(f"{file}: holds something else. Move it away: a new one is made.")
    if version > VERSION:
        raise TrendError(
            f"{file}: written by a newer hitl-harness (version {version}, this one reads {VERSION}). "
            "Upgrade hitl-harness, or move the file away."
        )


def _version(base: sqlite3.Connection) -> int:
    (version,) = base.execute("pragma user_version").fetchone()
    return int(version)
