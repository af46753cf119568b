"""How an adapter's command is started under the virtual clock, and how its conversation begins.

Owns the variables of the environment that repeatable processes need, and the folder in which Node keeps
modules that it compiled. A Node script is started behind ``virtual.mjs``; another program has to keep the
lockstep of the contract itself.
"""

import asyncio
import os
from pathlib import Path
from typing import Any, Final

from harness.adapter import AdapterFault
from harness.sim import Host, SimLoop, seed_of_run, unfenced
from harness.stdio.launch import NODE_KIT, Launch, argv_of, environment_of, greeting
from harness.stdio.lockstep import keep_step
from harness.stdio.manifest import check_greeting
from harness.stdio.messages import LineError
from harness.stdio.peer import Peer
from harness.stdio.process import StartError
from harness.stdio.session import Desk, Session
from harness.stdio.stepped import SteppedProcess, Stock, start_stepped

VIRTUAL_MODULE: Final = NODE_KIT / "virtual.mjs"
REPEATABLE: Final = {
    "UV_THREADPOOL_SIZE": "1",
    "UV_USE_IO_URING": "0",
    "TZ": "UTC",
    "LC_ALL": "C.UTF-8",
    "PYTHONHASHSEED": "0",
    "NO_PROXY": "*",
    "no_proxy": "*",
}
"""One thread does a process's work in the order in which it was asked for; time zone, language, proxies and
the order of sets are not the machine's."""
_ONE_COMPILER: Final = "--v8-pool-size=1"
_CACHE: Final = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")  # noqa: PTH111 - never raises
COMPILED: Final = Path(_CACHE) / "hitl-harness" / "node-compiled"
"""Where Node keeps modules that it compiled, from process to process: a place that is the user's alone."""


def is_virtual() -> bool:
    """Return whether the present time is virtual."""
    return isinstance(asyncio.get_running_loop(), SimLoop)


def stock_of(launch: Launch) -> Stock:
    """Return the processes of a command, started ahead of need.

    They get the environment variables of this moment: a run may change the harness's own while it lasts.
    """
    environment = _environment(launch)
    return Stock(lambda: _started(launch, environment))


def _environment(launch: Launch) -> dict[str, str]:
    given = environment_of(launch)
    options = " ".join(filter(None, (given.get("NODE_OPTIONS"), _ONE_COMPILER)))
    return {**given, "NODE_COMPILE_CACHE": str(COMPILED), "NODE_OPTIONS": options, **REPEATABLE}


def _started(launch: Launch, environment: dict[str, str]) -> SteppedProcess:
    with unfenced():  # to find out which Node is here takes a process too
        argv = argv_of(launch.command, VIRTUAL_MODULE)
    return start_stepped(argv, environment)


async def begin_in_lockstep(launch: Launch, stock: Stock, desk: Desk, host: Host) -> Session:
    """Return the conversation with a fresh process that has said hello; raises AdapterFault."""
    try:
        process = stock.take()
    except StartError as error:
        raise AdapterFault(str(error)) from error
    session = Session(desk, Peer())
    keep_step(process, host, session)
    hello: dict[str, Any] = {**greeting(launch, "virtual"), "seed": seed_of_run()}
    try:
        check_greeting(await session.command("hello", **hello))
    except LineError as error:
        raise AdapterFault(str(error)) from error
    return session
