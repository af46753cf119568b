"""The real ``ably`` SDK for JavaScript against the server, in Node over loopback sockets.

It is installed from the package registry into a temporary folder. Without Node or the registry the tests are
reported as skipped; where ``CI`` is ``true`` they fail instead, so that nobody mistakes absence for success.
"""

import asyncio
import json
import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from harness.ably.apps import ServerOptions
from harness.ably.listener import Listener
from harness.ably.server import Server
from tests.ably.wire import APP, KEY

pytestmark = pytest.mark.once

SDK: Final = "ably@2.28.0"
SCRIPT: Final = Path(__file__).with_name("js_sdk.cjs")
TIMEOUT_S: Final = 60


def unavailable(why: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


@pytest.fixture(scope="session")
def modules(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that the SDK is installed in."""
    npm = shutil.which("npm")
    if npm is None or shutil.which("node") is None:
        unavailable("node and npm are not installed")
    folder = tmp_path_factory.mktemp("js")
    command = [npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder), SDK]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=TIMEOUT_S, cwd=folder)
    except (subprocess.SubprocessError, OSError) as error:
        unavailable(f"{SDK} could not be installed: {error}")
    return folder


async def talk(modules: Path, form: str) -> Any:
    options = ServerOptions(control=True)
    listener = Listener(Server("js", options, [APP]), time.time_ns)
    port = await listener.listen("127.0.0.1", 0)
    process = await asyncio.create_subprocess_exec(
        *("node", str(SCRIPT), str(modules), str(port), KEY.text, form),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(TIMEOUT_S):
            out, errors = await process.communicate()
    finally:
        listener.close()
    assert process.returncode == 0, errors.decode()
    return json.loads(out)


@pytest.mark.parametrize("form", ["json", "msgpack"])
def test_everything_an_approval_needs_works_from_javascript(modules: Path, form: str) -> None:
    assert asyncio.run(talk(modules, form)) == {
        "attachSerial": "string",
        "published": ["request", {"tool": "transfer"}, "bob", "message.create", True],
        "operations": [
            ["message.create", "Hel", "stream"],
            ["message.append", "lo", "stream"],
            ["message.update", "bye", "stream"],
        ],
        "versionSerial": True,
        "untilAttach": ["before"],
        "pages": [2, 1, False],
        "versions": 2,
        "binary": [0, 255],
        "dropped": 200,
        "resumed": [True, "missed"],
        "members": [["bob", "here"]],
        "presence": [["enter", "bob"], ["leave", "bob"]],
        "time": True,
        "rest": 1,
        "batch": 2,
        "dave": ["dave", 40160, 40160],
        "immutable": 93002,
        "eve": 40101,
        "ping": True,
    }
