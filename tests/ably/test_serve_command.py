"""``hitl serve`` as a process of its own: start, connect lines, refusals, and a kill that loses nothing."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from pathlib import Path
from ssl import create_default_context
from threading import Thread
from typing import IO, Any

import pytest
from typer import Typer
from typer.testing import CliRunner

from harness.cli.errors import UserError
from harness.cli.serve import serve

ROOT = Path(__file__).parents[2]
PATIENCE_S = 60
CERTIFICATE = Path(__file__).with_name("loopback.pem")
COMMAND = (
    "import typer; from harness.cli.serve import serve;"
    "app = typer.Typer(pretty_exceptions_enable=False); app.command()(serve); app()"
)


@contextmanager
def serving(*options: str) -> Iterator[tuple["subprocess.Popen[str]", list[str]]]:
    """Start the command; give the process and its first lines, up to the one about test suites."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "-c", COMMAND, "--port", "0", *options],
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )
    try:
        assert process.stdout is not None
        yield process, greeting(process.stdout)
    finally:
        process.kill()
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def greeting(stdout: IO[str]) -> list[str]:
    lines: list[str] = []
    while not lines or "ABLY_LOCAL_SANDBOX_URL" not in lines[-1]:
        line = stdout.readline()
        assert line, f"the server ended after {lines}"
        lines.append(line)
    return lines


def address(lines: list[str]) -> tuple[int, str]:
    found = re.search(r"127\.0\.0\.1:(\d+) with the key (\S+)", lines[0])
    assert found
    return int(found[1]), found[2]


def ask(port: int, key: str, method: str, path: str, body: Any = None) -> Any:
    connection = HTTPConnection("127.0.0.1", port, timeout=PATIENCE_S)
    headers = {
        "Authorization": f"Basic {b64encode(key.encode()).decode()}",
        "Content-Type": "application/json",
    }
    connection.request(method, path, None if body is None else json.dumps(body), headers)
    reply = connection.getresponse()
    value = json.loads(reply.read())
    connection.close()
    return value


def test_it_starts_within_a_second_and_says_how_to_connect() -> None:
    began = time.monotonic()
    with serving("--control") as (process, lines):
        took_s = time.monotonic() - began
        port, key = address(lines)
        text = "".join(lines)
        assert f"new Ably.Realtime({{endpoint: '127.0.0.1', port: {port}, tls: false, key: '{key}'}})" in text
        assert f"AblyRealtime(key='{key}', endpoint='127.0.0.1:{port}', tls=False)" in text
        assert ask(port, key, "GET", "/control/connections") == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(PATIENCE_S) == 0
    print(f"hitl serve was ready after {took_s:.2f} s")  # noqa: T201 - a figure to read; no timed assertion


def test_it_serves_over_tls_where_a_certificate_is_given() -> None:
    with serving("--tls-cert", str(CERTIFICATE)) as (_, lines):
        port, key = address(lines)
        text = "".join(lines)
        assert f"https://127.0.0.1:{port}" in lines[0]
        assert f"new Ably.Realtime({{endpoint: '127.0.0.1', tlsPort: {port}, key: '{key}'}})" in text
        assert f"AblyRest(key='{key}', endpoint='127.0.0.1', tls_port={port})" in text
        trusting = create_default_context(cafile=str(CERTIFICATE))
        connection = HTTPSConnection("127.0.0.1", port, timeout=PATIENCE_S, context=trusting)
        connection.request("GET", "/time")
        assert json.loads(connection.getresponse().read())[0] > 0
        connection.close()


def test_what_was_acknowledged_survives_kill_9(tmp_path: Path) -> None:
    options = ("--data-dir", str(tmp_path), "--rule", "approvals:mutable,persisted")
    with serving(*options) as (process, lines):
        port, key = address(lines)
        for number in range(20):
            ask(port, key, "POST", "/channels/approvals:1/messages", {"name": "request", "data": str(number)})
        process.kill()
        process.wait()
    with serving(*options) as (_, lines):
        port, key_after = address(lines)
        assert key_after == key
        history = ask(port, key, "GET", "/channels/approvals:1/messages?direction=forwards")
        assert [message["data"] for message in history] == [str(number) for number in range(20)]
        serial = history[0]["serial"]
        ask(port, key, "PATCH", f"/channels/approvals:1/messages/{serial}", {"action": 1, "data": "approved"})
        newest = ask(port, key, "POST", "/channels/approvals:1/messages", {"name": "next"})
        assert newest["serials"][0] > history[-1]["serial"]


def test_a_kill_9_in_the_middle_takes_back_no_acknowledgement(tmp_path: Path) -> None:
    acknowledged: list[str] = []
    with serving("--data-dir", str(tmp_path)) as (process, lines):
        port, key = address(lines)

        def publish() -> None:
            with suppress(OSError, HTTPException):  # the server is killed meanwhile
                while True:
                    reply = ask(
                        port, key, "POST", "/channels/room/messages", {"data": str(len(acknowledged))}
                    )
                    acknowledged.extend(reply["serials"])

        publisher = Thread(target=publish)
        publisher.start()
        end = time.monotonic() + PATIENCE_S
        while len(acknowledged) < 30 and time.monotonic() < end:
            time.sleep(0.005)
        process.kill()
        process.wait()
        publisher.join(PATIENCE_S)
    assert len(acknowledged) >= 30
    with serving("--data-dir", str(tmp_path)) as (_, lines):
        port, key = address(lines)
        path = "/channels/room/messages?direction=forwards&limit=1000"
        found = [message["serial"] for message in ask(port, key, "GET", path)]
    assert found[: len(acknowledged)] == acknowledged[:1000]
    assert len(found) <= len(acknowledged) + 1


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (["--host", "0.0.0.0"], "--i-know"),
        (["--host", "example.com"], "--i-know"),
        (["--key", "nonsense"], "APP.ID:SECRET"),
        (["--rule", "ns:fast"], "persisted, persist-last, mutable, identified"),
        (["--rule", "nothing"], "NAMESPACE:SETTING"),
        (["--data-dir", "/dev/null/x"], "--data-dir"),
        (["--tls-cert", "/nowhere.pem"], "--tls-cert /nowhere.pem"),
        (["--tls-cert", __file__], "--tls-cert"),
        (["--tls-key", "key.pem"], "add --tls-cert"),
    ],
)
def test_what_can_not_be_served_is_refused_with_the_next_step(options: list[str], text: str) -> None:
    assert text in refusal_of("--port", "0", *options)


def test_a_port_in_use_is_refused_with_the_next_step() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "--port 0" in refusal_of("--port", str(taken.getsockname()[1]))


def refusal_of(*options: str) -> str:
    app = Typer()
    app.command()(serve)
    result = CliRunner().invoke(app, options)
    assert isinstance(result.exception, UserError)
    return str(result.exception)
