"""Serving the Ably protocol until told to stop.

Owns the way from what the user asked for to a running ``harness.ably`` server: keys, rules, data folder, and
what is printed at the start. Does not parse a command line (``serve`` does).
"""

import asyncio
import contextlib
import signal
from dataclasses import dataclass
from pathlib import Path
from ssl import PROTOCOL_TLS_SERVER, SSLContext
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
    tls_cert: Path | None = None
    tls_key: Path | None = None


def serve_until_told(request: ServeRequest) -> int:
    """Serve until a signal ends it; raise ``UserError`` for input that can not be served."""
    rules = _rules(request.rules)
    tls = _tls(request.tls_cert, request.tls_key)
    database = None if request.data_dir is None else _database(request.data_dir, wall_ns() // 1_000_000)
    configs = _apps(request.keys, rules, database)
    limits = {"messages_per_s": 50, "channel_messages_per_s": 50, "frames_per_s": 2000}
    options = ServerOptions(
        heartbeat_ms=request.heartbeat_ms,
        sandbox=True,
        control=request.control,
        tls=tls is not None,
        **(limits if request.enforce_limits else {}),
    )
    try:
        asyncio.run(_run(request, options, configs, tls))
    finally:
        if database is not None:
            database.close()
    return 0


async def _run(
    request: ServeRequest, options: ServerOptions, configs: tuple[AppConfig, ...], tls: SSLContext | None
) -> None:
    listener = Listener(Server(fresh_text(), options, configs), wall_ns)
    try:
        port = await listener.listen(request.host, request.port, tls)
    except OSError as error:
        raise UserError(
            f"{request.host}:{request.port}: {error.strerror or error}. Try --port 0, which picks a free one."
        ) from None
    for line in _greeting(request.host, port, configs[0].keys[0].text, request):
        typer.echo(line)
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        with contextlib.suppress(NotImplementedError):  # not on Windows, where Ctrl-C raises instead
            loop.add_signal_handler(number, ended.set)
    await ended.wait()
    listener.close()


def _greeting(host: str, port: int, key: str, request: ServeRequest) -> list[str]:
    """Return one line per SDK: how to point it here."""
    encrypted = request.tls_cert is not None
    base = f"http{'s' if encrypted else ''}://{host}:{port}"
    javascript = f"endpoint: '{host}', port: {port}, tls: false, key: '{key}'"
    realtime = f"key='{key}', endpoint='{host}:{port}', tls=False"
    rest = f"key='{key}', use_token_auth=True, endpoint='{host}', port={port}, tls=False"
    if encrypted:
        javascript = f"endpoint: '{host}', tlsPort: {port}, key: '{key}'"
        realtime = f"key='{key}', endpoint='{host}:{port}'"
        rest = f"key='{key}', endpoint='{host}', tls_port={port}"
    lines = [
        f"Serving the Ably protocol on {base} with the key {key}",
        f"  JavaScript       new Ably.Realtime({{{javascript}}})",
        f"  Python realtime  AblyRealtime({realtime})",
        f"  Python REST      AblyRest({rest})",
        f"  SDK test suites  ABLY_LOCAL_SANDBOX_URL={base}",
    ]
    if request.control:
        lines.append(f"  Faults           POST {base}/control/faults")
    return lines


def _tls(certificate: Path | None, key: Path | None) -> SSLContext | None:
    """Return how to encrypt, ``None`` for not at all."""
    if certificate is None:
        if key is not None:
            raise UserError(f"--tls-key {key}: a key needs its certificate; add --tls-cert FILE.")
        return None
    context = SSLContext(PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(certificate, key)
    except OSError as error:
        raise UserError(f"--tls-cert {certificate}: {error.strerror or error}.") from None
    return context


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
