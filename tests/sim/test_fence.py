"""Nothing escapes: every row of the fence's tables is tried, names the call and says what to use instead."""

import _thread
import asyncio
import builtins
import contextlib
import os
import queue
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from harness import simulate
from harness.sim import FenceError, Simulation
from harness.sim.fence import LOOP_ROWS, ROWS


def _connect() -> None:
    with socket.socket() as it:
        it.connect(("127.0.0.1", 9))


def _bind() -> None:
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))


def _sendto() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        it.sendto(b"x", ("127.0.0.1", 9))


def _sendmsg() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as it:
        it.sendmsg([b"x"], [], 0, ("127.0.0.1", 9))


ESCAPES: dict[str, Callable[[], Any]] = {
    "socket.connect": _connect,
    "socket.bind": _bind,
    "socket.sendto": _sendto,
    "socket.sendmsg": _sendmsg,
    "socket.getaddrinfo": lambda: socket.getaddrinfo("localhost", 80),
    "socket.getnameinfo": lambda: socket.getnameinfo(("127.0.0.1", 80), 0),
    "socket.gethostbyname": lambda: socket.gethostbyname("localhost"),
    "socket.gethostbyaddr": lambda: socket.gethostbyaddr("127.0.0.1"),
    "subprocess.Popen": lambda: subprocess.run([sys.executable, "-V"], check=True),
    "os.system": lambda: os.system("true"),
    "os.exec": lambda: os.execv(sys.executable, [sys.executable, "-V"]),
    "os.fork": os.fork,
    "os.forkpty": os.forkpty,
    "os.posix_spawn": lambda: os.posix_spawn(sys.executable, [sys.executable, "-V"], {}),
    "os.kill": lambda: os.kill(os.getpid(), 0),
    "builtins.input": lambda: builtins.input("approve? "),
    "_thread.start_new_thread": lambda: _thread.start_new_thread(print, ()),
    "threading.Thread.start": lambda: threading.Thread(target=print).start(),
    "threading.Condition.wait": lambda: queue.Queue[int]().get(timeout=0.01),
    "time.sleep": lambda: time.sleep(0.001),
    "signal.signal": lambda: signal.signal(signal.SIGTERM, signal.SIG_DFL),
    "signal.alarm": lambda: signal.alarm(0),
    "signal.setitimer": lambda: signal.setitimer(signal.ITIMER_REAL, 0),
    "select.select": lambda: select.select([], [], [], 0),
    "select.poll": lambda: select.poll().register(0),
    "select.epoll": lambda: select.epoll(),  # noqa: PLW0108 - looked up when called
}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.call)
def test_an_escape_is_refused_naming_the_call(row: Any) -> None:
    async def main() -> None:
        ESCAPES[row.call]()

    with pytest.raises(FenceError) as caught:
        simulate(main)
    assert caught.value.call == row.call
    assert caught.value.hint == row.hint
    assert str(caught.value).startswith(f"{row.call} would leave the simulation")


def test_every_escape_that_is_tried_has_a_row_and_every_row_is_tried() -> None:
    assert list(ESCAPES) == [row.call for row in ROWS]


@pytest.mark.parametrize("name", [name for name in LOOP_ROWS if name != "set_task_factory"])
def test_a_loop_method_that_cannot_be_simulated_is_refused(name: str) -> None:
    async def main() -> None:
        getattr(asyncio.get_running_loop(), name)()

    with pytest.raises(FenceError) as caught:
        simulate(main)
    assert caught.value.call == f"loop.{name}"
    assert caught.value.hint == LOOP_ROWS[name]


def test_every_method_of_an_event_loop_is_simulated_or_refused() -> None:
    loop_class = type(Simulation().loop)
    missing = [
        name
        for name in vars(asyncio.AbstractEventLoop)
        if not name.startswith("__") and getattr(loop_class, name) is getattr(asyncio.AbstractEventLoop, name)
    ]
    assert [name for name in missing if not name.startswith("_")] == []


def test_a_thread_pool_is_refused_when_it_starts_a_thread() -> None:
    async def main() -> None:
        with ThreadPoolExecutor() as pool:
            pool.submit(print)

    with pytest.raises(FenceError):
        simulate(main)


def test_a_swallowed_refusal_is_still_among_the_breaches() -> None:
    async def main() -> str:
        with contextlib.suppress(Exception):
            time.sleep(1)  # noqa: ASYNC251 - the call to be refused
        return "carried on"

    with Simulation() as sim:
        assert sim.run(main) == "carried on"
    assert [breach.call for breach in sim.breaches] == ["time.sleep"]


def test_the_real_functions_are_back_after_a_run() -> None:
    async def main() -> None:
        """Do nothing."""

    before = (time.sleep, threading.Condition.wait, select.poll, os.urandom)
    simulate(main)
    assert (time.sleep, threading.Condition.wait, select.poll, os.urandom) == before
    with socket.socket() as it:
        it.bind(("127.0.0.1", 0))
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def test_other_threads_are_not_fenced() -> None:
    waited: list[bool] = []
    go, done = threading.Event(), threading.Event()

    def outside() -> None:
        go.wait()
        time.sleep(0.001)
        waited.append(True)
        done.set()

    thread = threading.Thread(target=outside)
    thread.start()
    with Simulation():
        go.set()
        while not done.is_set():
            pass
    thread.join()
    assert waited == [True]
