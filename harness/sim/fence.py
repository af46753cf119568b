"""Owns the table of everything that may not escape a run, and the guards that enforce it.

Invariant: a guarded call made by the thread that runs a simulation raises `FenceError` before anything real
happens; other threads of the process are left alone. A refusal is also kept in `Fence.breaches`, because
programs swallow exceptions. The audit hook cannot be removed once installed, so it is installed once and
looks at a single global.

What it cannot see: C code that blocks without an audit event, and functions bound early with
`from time import sleep` before CPython 3.13. Files may be read and written; they are not simulated.
"""

import _thread
import select
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from threading import get_ident
from typing import Any, Final, Literal, NoReturn

from harness.sim.errors import FenceError
from harness.sim.polling import Descriptors, SimulatedPoll

_THREAD: Final = "use tasks; asyncio.to_thread and run_in_executor run inline as a scheduled step"
_SOCKET: Final = "use asyncio streams or loop.create_connection, which are simulated"
_PROCESS: Final = "give the program a simulated host instead of a process"
_SLEEP: Final = "use `await asyncio.sleep(...)`, which takes virtual time"
_BLOCK: Final = "nothing else can run while this blocks; use the asyncio counterpart"
_SIGNAL: Final = "crash or stop a host through the world instead of signalling the process"
_POLL: Final = "file descriptors have no place in virtual time; use asyncio streams"
_MESSAGES: Final = "only TCP streams are simulated"


@dataclass(frozen=True, slots=True)
class Row:
    """One guarded call: its public name, how it is caught, and what to use instead."""

    call: str
    caught_by: Literal["audit", "patch"]
    hint: str


ROWS: Final = (
    Row("socket.connect", "audit", _SOCKET),
    Row("socket.bind", "audit", _SOCKET),
    Row("socket.sendto", "audit", _SOCKET),
    Row("socket.sendmsg", "audit", _SOCKET),
    Row(
        "socket.getaddrinfo",
        "audit",
        "use `await loop.getaddrinfo(...)`, which asks the simulated host table",
    ),
    Row(
        "socket.getnameinfo",
        "audit",
        "use `await loop.getnameinfo(...)`, which asks the simulated host table",
    ),
    Row(
        "socket.gethostbyname",
        "audit",
        "use `await loop.getaddrinfo(...)`, which asks the simulated host table",
    ),
    Row(
        "socket.gethostbyaddr",
        "audit",
        "use `await loop.getnameinfo(...)`, which asks the simulated host table",
    ),
    Row("subprocess.Popen", "audit", _PROCESS),
    Row("os.system", "audit", _PROCESS),
    Row("os.exec", "audit", _PROCESS),
    Row("os.fork", "audit", _PROCESS),
    Row("os.forkpty", "audit", _PROCESS),
    Row("os.posix_spawn", "audit", _PROCESS),
    Row("os.kill", "audit", _SIGNAL),
    Row("builtins.input", "audit", "let a simulated person answer"),
    Row("_thread.start_new_thread", "patch", _THREAD),
    Row("threading.Thread.start", "patch", _THREAD),
    Row("threading.Condition.wait", "patch", _BLOCK),
    Row("time.sleep", "patch", _SLEEP),
    Row("signal.signal", "patch", _SIGNAL),
    Row("signal.alarm", "patch", _SIGNAL),
    Row("signal.setitimer", "patch", _SIGNAL),
    Row("select.select", "patch", _POLL),
    Row("select.poll", "patch", _POLL),
    Row("select.epoll", "patch", _POLL),
)
"""Everything refused outside the loop itself. `docs/contract.md` is rendered from this table and the next."""

LOOP_ROWS: Final = {
    "set_task_factory": "eager tasks run before the scheduling policy can choose; keep the default factory",
    "run_forever": "Simulation.run drives the world",
    "stop": "return from the main coroutine to end a run",
    "close": "the simulation closes its own loop",
    "add_reader": _POLL,
    "remove_reader": _POLL,
    "add_writer": _POLL,
    "remove_writer": _POLL,
    "sock_recv": _SOCKET,
    "sock_recv_into": _SOCKET,
    "sock_recvfrom": _SOCKET,
    "sock_recvfrom_into": _SOCKET,
    "sock_sendall": _SOCKET,
    "sock_sendto": _SOCKET,
    "sock_connect": _SOCKET,
    "sock_accept": _SOCKET,
    "sock_sendfile": _SOCKET,
    "sendfile": "read the file and write its bytes to the transport",
    "start_tls": "speak plain TCP inside a simulation; TLS record counts depend on the OpenSSL build",
    "create_datagram_endpoint": _MESSAGES,
    "create_unix_connection": _MESSAGES,
    "create_unix_server": _MESSAGES,
    "connect_accepted_socket": _SOCKET,
    "connect_read_pipe": _PROCESS,
    "connect_write_pipe": _PROCESS,
    "subprocess_exec": _PROCESS,
    "subprocess_shell": _PROCESS,
    "add_signal_handler": _SIGNAL,
    "remove_signal_handler": _SIGNAL,
}
"""Methods of the event loop that are refused, with what to use instead."""

_AUDITED: Final = {row.call: row.hint for row in ROWS if row.caught_by == "audit"}
_HINTS: Final = {row.call: row.hint for row in ROWS}


class Fence:
    """Guards the thread that enters it. `breaches` holds the refusals so far, swallowed ones included."""

    def __init__(self) -> None:
        self.breaches: list[FenceError] = []
        self.descriptors = Descriptors()
        self.owner = 0

    def install(self) -> None:
        """Start refusing; undone by `uninstall`."""
        global _active  # noqa: PLW0603 - the audit hook cannot be removed, so one global gates it
        if not _hooked:
            sys.addaudithook(_on_audit)
            _hooked.append(True)
        self.owner = get_ident()
        _active = self
        for guard in _GUARDS:
            setattr(guard.holder, guard.attribute, guard.refusing)

    def uninstall(self) -> None:
        """Stop refusing and give the real functions back."""
        global _active  # noqa: PLW0603 - as above
        _active = None
        for guard in _GUARDS:
            setattr(guard.holder, guard.attribute, guard.real)


_active: Fence | None = None
_hooked: list[bool] = []


@contextmanager
def unfenced() -> Iterator[None]:
    """Let what is called within reach the operating system.

    For the harness's own dealings with processes that it drives itself, never for code under test.
    """
    global _active  # noqa: PLW0603 - as in Fence
    fence, _active = _active, None
    try:
        yield
    finally:
        _active = fence


def refuse(call: str, hint: str) -> NoReturn:
    """Raise `FenceError`, keeping it among the breaches of the fence in force."""
    error = FenceError(call, hint)
    if _active is not None:
        _active.breaches.append(error)
    raise error


def _on_audit(event: str, _args: tuple[Any, ...]) -> None:
    if _active is not None and event in _AUDITED and _active.owner == get_ident():
        refuse(event, _AUDITED[event])


class _Guard:
    """One patched attribute: the real function and the one that refuses in the fenced thread."""

    __slots__ = ("attribute", "holder", "real", "refusing")

    def __init__(self, holder: Any, attribute: str, call: str) -> None:
        self.holder = holder
        self.attribute = attribute
        self.real = real = getattr(holder, attribute)
        hint = _HINTS[call]

        def refuse_this() -> NoReturn:
            refuse(call, hint)

        def refusing(*args: Any, **options: Any) -> Any:
            if _active is not None and _active.owner == get_ident():
                if call == "select.poll":
                    return SimulatedPoll(_active.descriptors, refuse_this)
                refuse_this()
            return real(*args, **options)

        self.refusing = refusing


def _guards() -> tuple[_Guard, ...]:
    places: tuple[tuple[Any, str, str], ...] = (
        (_thread, "start_new_thread", "_thread.start_new_thread"),
        (_thread, "start_joinable_thread", "_thread.start_new_thread"),
        (threading, "_start_new_thread", "threading.Thread.start"),
        (threading, "_start_joinable_thread", "threading.Thread.start"),
        (threading.Condition, "wait", "threading.Condition.wait"),
        (time, "sleep", "time.sleep"),
        (signal, "signal", "signal.signal"),
        (signal, "alarm", "signal.alarm"),
        (signal, "setitimer", "signal.setitimer"),
        (select, "select", "select.select"),
        (select, "poll", "select.poll"),
        (select, "epoll", "select.epoll"),
    )
    return tuple(_Guard(*place) for place in places if hasattr(place[0], place[1]))


_GUARDS: Final = _guards()
