"""``hitl serve``: the embedded Ably-compatible server on this machine.

Owns the options, and the refusal to listen where others could reach it. What they lead to is in ``serving``.
"""

import logging
from enum import StrEnum
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final

import typer

from harness.cli.errors import UserError

DEFAULT_PORT: Final = 9010


class LogLevel(StrEnum):
    """What is logged to standard error."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


def serve(  # noqa: PLR0913 - one parameter per option
    *,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="Where to listen; 0 picks a free port.")
    ] = DEFAULT_PORT,
    key: Annotated[
        list[str] | None,
        typer.Option(metavar="APP.ID:SECRET", help="A key to accept; repeatable. Default: one is made up."),
    ] = None,
    rule: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NS:SETTING,...",
            help="A rule for a namespace: persisted, persist-last, mutable, identified; repeatable.",
        ),
    ] = None,
    data_dir: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Keep messages in this folder across restarts.")
    ] = None,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    i_know: Annotated[
        bool, typer.Option("--i-know", help="Really listen on an address that others can reach.")
    ] = False,
    control: Annotated[
        bool, typer.Option("--control", help="Let POST /control/faults break connections on purpose.")
    ] = False,
    enforce_limits: Annotated[
        bool,
        typer.Option("--enforce-limits", help="Refuse what exceeds the message rates of a free account."),
    ] = False,
    heartbeat_ms: Annotated[
        int, typer.Option(min=0, metavar="MS", help="Longest silence on a connection; 0: no heartbeats.")
    ] = 15_000,
    tls_cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Serve over TLS with this certificate (PEM).")
    ] = None,
    tls_key: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Its private key, if it is in another file.")
    ] = None,
    log_level: Annotated[LogLevel, typer.Option(help="What to log to standard error.")] = LogLevel.WARNING,
) -> int:
    """Serve the Ably protocol on this machine, for the real SDKs. Ctrl-C ends it."""
    if not (i_know or _is_loopback(host)):
        raise UserError(
            f"--host {host}: other machines could reach the server there, over plain HTTP. "
            "Add --i-know if that is meant."
        )
    logging.basicConfig(level=log_level.upper(), format="%(levelname)s %(name)s: %(message)s")
    from harness.cli.serving import ServeRequest, serve_until_told  # noqa: PLC0415 - `hitl --help` starts at once

    request = ServeRequest(
        host,
        port,
        tuple(key or ()),
        tuple(rule or ()),
        data_dir,
        heartbeat_ms,
        control,
        enforce_limits,
        tls_cert,
        tls_key,
    )
    return serve_until_told(request)


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
