"""Frames on disk: the channel service's store over SQLite.

Owns the file. A frame is on disk, synced, before its publisher is acknowledged, so that neither a killed
process nor a power cut takes back an acknowledgement. One process uses a file at a time; another one is told
so. Does not order, retain or merge: a channel's log does that again as it is loaded.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import msgpack  # type: ignore[import-untyped]  # ships no annotations

from harness.ably.fields import refuse
from harness.channel.frames import Frame
from harness.channel.frozen_json import freeze_mapping
from harness.channel.messages import Message, MessageAction, Version

FORMAT: Final = "1"
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS facts (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS frames (
  number INTEGER PRIMARY KEY, app TEXT NOT NULL, channel TEXT NOT NULL, written_ms INTEGER NOT NULL,
  frame BLOB NOT NULL
);
CREATE INDEX IF NOT EXISTS frames_by_channel ON frames (app, channel, number);
CREATE INDEX IF NOT EXISTS frames_by_age ON frames (written_ms);
"""


class StoreError(Exception):
    """The file can not be used; the text says why and what to do."""


class Database:
    """One file. ``keep_ms`` is how old a frame may get; older ones are dropped when the file is opened."""

    def __init__(self, path: Path, now_ms: int, keep_ms: int) -> None:
        try:
            self.connection = sqlite3.connect(path, isolation_level=None, timeout=0.2)
            with ExitStack() as on_failure:
                on_failure.callback(self.connection.close)
                self._prepare(path, now_ms, keep_ms)
                on_failure.pop_all()
        except sqlite3.Error as error:
            raise StoreError(
                f"{path} can not be used: {error}. Is another server using it? Name another --data-dir."
            ) from None

    def _prepare(self, path: Path, now_ms: int, keep_ms: int) -> None:
        self.connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute("PRAGMA synchronous = FULL")
        self.connection.executescript(_SCHEMA)
        self.connection.execute("DELETE FROM frames WHERE written_ms < ?", (now_ms - keep_ms,))
        written = self.fact("format", FORMAT)
        if written != FORMAT:
            raise StoreError(f"{path} has the format {written}; this version reads {FORMAT}.")

    def fact(self, name: str, value: str) -> str:
        """Return what is kept under ``name``, which is ``value`` if there was nothing."""
        self.connection.execute("INSERT OR IGNORE INTO facts VALUES (?, ?)", (name, value))
        kept: str = self.connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()[0]
        return kept

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


class SqliteStore:
    """The frames of one app in a database. Implements ``harness.channel.frames.Store``."""

    def __init__(self, database: Database, app_id: str) -> None:
        self._connection = database.connection
        self._app_id = app_id

    def append(self, channel: str, frame: Frame) -> None:
        """Write a frame and sync. Refusal: 50000, the publisher is told; nothing else has happened."""
        row = (self._app_id, channel, frame.timestamp_ms, pack(frame))
        try:
            self._connection.execute(
                "INSERT INTO frames (app, channel, written_ms, frame) VALUES (?, ?, ?, ?)", row
            )
        except sqlite3.Error as error:
            raise refuse(50000, f"the message could not be stored: {error}") from None

    def load(self, channel: str) -> Iterator[Frame]:
        """Return the frames of a channel in order."""
        rows = self._connection.execute(
            "SELECT frame FROM frames WHERE app = ? AND channel = ? ORDER BY number", (self._app_id, channel)
        ).fetchall()
        return (unpack(row[0]) for row in rows)


def pack(frame: Frame) -> bytes:
    """Return a frame as bytes. Ephemeral ones are never stored."""
    packed: bytes = msgpack.packb(
        (
            frame.channel_serial,
            frame.id,
            frame.connection_id,
            frame.timestamp_ms,
            frame.idempotency_key,
            [_message_row(message) for message in frame.messages],
        )
    )
    return packed


def unpack(data: bytes) -> Frame:
    """Return the frame that :func:`pack` wrote."""
    channel_serial, frame_id, connection_id, timestamp_ms, key, rows = msgpack.unpackb(data)
    return Frame(
        channel_serial, frame_id, connection_id, timestamp_ms, tuple([_message(row) for row in rows]), key
    )


def _message_row(message: Message) -> tuple[object, ...]:
    version = message.version or Version()
    return (
        message.name,
        message.data,
        message.encoding,
        message.client_id,
        message.id,
        message.extras,
        message.connection_id,
        message.timestamp_ms,
        message.serial,
        int(message.action),
        (version.serial, version.timestamp_ms, version.client_id, version.description, version.metadata),
    )


def _message(row: list[Any]) -> Message:
    (
        name,
        data,
        encoding,
        client_id,
        message_id,
        extras,
        connection_id,
        timestamp_ms,
        serial,
        action,
        version,
    ) = row
    return Message(
        name,
        data,
        encoding,
        client_id,
        message_id,
        None if extras is None else freeze_mapping(extras, 50000, "stored extras"),
        connection_id,
        timestamp_ms,
        serial,
        MessageAction(action),
        Version(*version),
    )
