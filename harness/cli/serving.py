"""Serving the Ably protocol until told to stop.

Owns the way from what the user asked for to a running ``harness.ably`` server: keys, rules, data folder, and
what is printed at the start. Does not parse a command line (``serve`` does).
"""

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

from harness.ably.apps import AppConfig, ServerOptions
from harness.ably.keys import Key, parse_key
from harness.ably.listener import Listener
from harness.ably.machine import fresh_text, wall_ns
from harness.ably.sandbox import rule_of
from harness.ably.server import Server
from harness.ably.store import Database, SqliteStore, StoreError
from harness.channel.errors import RefusalError
from harness.channel.rules import ChannelRules
from harness.cli.errors import UserError

_RULE_SETTINGS: Final = {
    "persisted": "persisted",
    "persist-last": "persistLast",
    "mutable": "mutableMessages",
    "identified": "authenticated",
}
_KEEP_MS: Final = 366 * 86_400_000
"""Frames in a data folder are kept for a year: the longest that any rule looks back."""
_FILE: Final = "hitl-serve.sqlite3"


@dataclass(frozen=True, slots=True)
class ServeRequest:
    """What the user asked for."""

    host: str
    port: int
    keys: tuple[str, ...]
    rules: tuple[str, ...]
    data_dir: Path | None
    heartbeat_ms: int
    control: bool
    enforce_limits: bool


def serve_until_told(request: ServeRequest) -> int:
    """Serve until a signal ends it; raise ``UserError`` for input that can not be served."""
    rules = _rules(request.rules)
    database = None if request.data_dir is None else _database(request.data_dir, wall_ns() // 1_000_000)
    configs = _apps(request.keys, rules, database)
    limits = {"messages_per_s": 50, "channel_messages_per_s": 50, "frames_per_s": 2000}
    options = ServerOptions(
        heartbeat_ms=request.heartbeat_ms,
        sandbox=True,
        control=request.control,
        **(limits if request.enforce_limits else {}),
    )
    try:
        asyncio.run(_run(request, options, configs))
    finally:
        if database is not None:
            database.close()
    return 0


async def _run(request: ServeRequest, options: ServerOptions, configs: tuple[AppConfig, ...]) -> None:
    listener = Listener(Server(fresh_text(), options, configs), wall_ns)
    try:
        port = await listener.listen(request.host, request.port)
    except OSError as error:
        raise UserError(
            f"{request.host}:{request.port}: {error.strerror or error}. Try --port 0, which picks a free one."
        ) from None
    for line in _greeting(request.host, port, configs[0].keys[0].text, control=request.control):
        typer.echo(line)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on Windows, where Ctrl-C raises instead
            loop.add_signal_handler(number, ended.set)
    await ended.wait()
    listener.close()


def _greeting(host: str, port: int, key: str, *, control: bool) -> list[str]:
    """Return one line per SDK: how to point it here."""
    javascript = f"endpoint: '{host}', port: {port}, tls: false, key: '{key}'"
    rest = f"key='{key}', use_token_auth=True, endpoint='{host}', port={port}, tls=False"
    lines = [
        f"Serving the Ably protocol on http://{host}:{port} with the key {key}",
        f"  JavaScript       new Ably.Realtime({{{javascript}}})",
        f"  Python realtime  AblyRealtime(key='{key}', endpoint='{host}:{port}', tls=False)",
        f"  Python REST      AblyRest({rest})",
        f"  SDK test suites  ABLY_LOCAL_SANDBOX_URL=http://{host}:{port}",
    ]
    if control:
        lines.append(f"  Faults           POST http://{host}:{port}/control/faults")
    return lines


def _rules(texts: tuple[str, ...]) -> ChannelRules:
    by_namespace = {}
    for text in texts:
        namespace, colon, listed = text.partition(":")
        settings = listed.split(",")
        unknown = sorted(set(settings) - _RULE_SETTINGS.keys())
        if not colon or not namespace or unknown:
            raise UserError(
                f"--rule {text}: a rule reads NAMESPACE:SETTING,... with settings of "
                f"{', '.join(_RULE_SETTINGS)}."
            )
        by_namespace[namespace] = rule_of({_RULE_SETTINGS[setting] for setting in settings})
    return ChannelRules(by_namespace)


def _database(folder: Path, now_ms: int) -> Database:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        return Database(folder / _FILE, now_ms, _KEEP_MS)
    except OSError as error:
        raise UserError(f"--data-dir {folder}: {error.strerror or error}.") from None
    except StoreError as error:
        raise UserError(f"--data-dir {folder}: {error}") from None


def _apps(texts: tuple[str, ...], rules: ChannelRules, database: Database | None) -> tuple[AppConfig, ...]:
    """Return one app per app id among the keys. A made-up key and the series stay with the data folder."""
    if not texts:
        made_up = f"hitl.key:{fresh_text()}"
        texts = (made_up if database is None else database.fact("key", made_up),)
    by_app: dict[str, list[Key]] = {}
    for text in texts:
        parsed = _key(text)
        by_app.setdefault(parsed.app_id, []).append(parsed)
    series = None if database is None else database.fact("series", fresh_text()[:8])
    return tuple(
        AppConfig(
            app_id, tuple(keys), rules, series, None if database is None else SqliteStore(database, app_id)
        )
        for app_id, keys in by_app.items()
    )


def _key(text: str) -> Key:
    try:
        return parse_key(text)
    except RefusalError:
        raise UserError(
            "--key: a key reads APP.ID:SECRET, of letters, digits, _ and - before the colon."
        ) from None
