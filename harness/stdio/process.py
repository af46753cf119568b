"""One adapter process: its start, its pipes, its death, and the last lines of its standard error.

Owns the operating system's side of the contract, and nothing of what the lines mean. A process stands in a
process group of its own, and the whole group is killed at once (kill -9): children that it forked die with
it, those that left the group too, also where it ended by itself. Pipes are never waited for: what a process
does not read is kept here up to a limit, so that a process that sleeps cannot hold up the harness.

Invariant: after :meth:`AdapterProcess.kill`, or after ``ended`` was told, no process of the group, no zombie
and no descriptor is left.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Any, Final

from harness.stdio.escaped import kill_escaped, marked

UNREAD_BYTES_MAX: Final = 64 * 1024 * 1024
"""How much may wait for a process that does not read its standard input."""
TAIL_LINES: Final = 12
_TAIL_CHARS: Final = 300
_CHUNK_BYTES: Final = 256 * 1024
_LAST_CHUNKS: Final = 256
"""How much is read of what a process left behind: 64 MiB."""
_LOOK_S: Final = 0.05
"""How often it is seen whether a process ended while something else holds its standard output open."""


class StartError(Exception):
    """A process could not be started; the text says which and why."""


class Tail:
    """The last lines of a stream of bytes, in bounded memory."""

    def __init__(self) -> None:
        self._lines: deque[str] = deque(maxlen=TAIL_LINES)
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Take in what was written."""
        *lines, rest = (self._rest + data).rsplit(b"\n", TAIL_LINES)
        self._lines.extend(_text(line) for line in lines if line.strip())
        self._rest = rest[: _TAIL_CHARS * 4]

    @property
    def lines(self) -> tuple[str, ...]:
        """The last lines, oldest first, an unfinished one included."""
        rest = (_text(self._rest),) if self._rest.strip() else ()
        return (*self._lines, *rest)[-TAIL_LINES:]


def _text(line: bytes) -> str:
    text = line.rsplit(b"\n", 1)[-1].decode(errors="backslashreplace").rstrip()
    shown = "".join(it if it.isprintable() else " " for it in text)
    return f"{shown[:_TAIL_CHARS]}…" if len(shown) > _TAIL_CHARS else shown


@dataclass(frozen=True, slots=True)
class Listeners:
    """Who is told what a process does: its standard output, its end (in words), and what stopped it."""

    received: Callable[[bytes], None]
    ended: Callable[[str], None]


class AdapterProcess:
    """A process that runs. Made by :func:`start`; :meth:`attach` connects it to an event loop."""

    def __init__(self, popen: "subprocess.Popen[bytes]", mark: str) -> None:
        assert popen.stdin is not None
        assert popen.stdout is not None
        assert popen.stderr is not None
        self._popen = popen
        self._mark = mark
        self._stdin: IO[bytes] = popen.stdin
        self._stdout: IO[bytes] = popen.stdout
        self._stderr: IO[bytes] = popen.stderr
        self._unwritten = bytearray()
        self._tail = Tail()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._listeners: Listeners | None = None
        self._look: asyncio.TimerHandle | None = None
        self._over = False
        for stream in (self._stdin, self._stdout, self._stderr):
            os.set_blocking(stream.fileno(), False)

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its group."""
        return self._popen.pid

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return not self._over and not self._has_exited()

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines of its standard error."""
        return self._tail.lines

    def attach(self, loop: asyncio.AbstractEventLoop, listeners: Listeners) -> None:
        """Have ``loop`` read and write the pipes from now on; ``listeners`` are called on it."""
        self._loop, self._listeners = loop, listeners
        loop.add_reader(self._stdout, self._on_stdout)
        loop.add_reader(self._stderr, self._on_stderr)
        self._look = loop.call_later(_LOOK_S, self._look_again)
        if self._unwritten:
            loop.add_writer(self._stdin, self._on_stdin)

    def write(self, data: bytes) -> None:
        """Hand bytes over for its standard input; never waits. Lost where the process is dead."""
        if self._over:
            return
        if not self._unwritten:
            data = data[self._written(data) :]
            if data and self._loop is not None:
                self._loop.add_writer(self._stdin, self._on_stdin)
        self._unwritten += data
        if len(self._unwritten) > UNREAD_BYTES_MAX:
            unread = UNREAD_BYTES_MAX // 1024 // 1024
            self._end(f"did not read its standard input, {unread} MiB wait; it was killed")

    def close_input(self) -> None:
        """End its standard input."""
        if self._loop is not None:
            self._loop.remove_writer(self._stdin)
        self._unwritten.clear()
        with contextlib.suppress(OSError):
            self._stdin.close()

    def kill(self) -> None:
        """Kill the whole group with signal 9, at once, and let go of everything; nobody is told."""
        self._listeners = None
        self._end("was killed")

    # -- reading and writing

    def _written(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._stdin.fileno(), data)
        except BlockingIOError:
            return 0
        except (OSError, ValueError):
            return len(data)  # its reading end is closed; that it ended is noticed elsewhere

    def _on_stdin(self) -> None:
        del self._unwritten[: self._written(self._unwritten)]
        if not self._unwritten and self._loop is not None:
            self._loop.remove_writer(self._stdin)

    def _on_stdout(self) -> None:
        data = _read(self._stdout)
        if data is None:
            return
        if data:
            self._hand_on(data)
        else:
            self._lost_stdout()

    def _on_stderr(self) -> None:
        data = _read(self._stderr)
        if data:
            self._tail.feed(data)
        elif data is not None and self._loop is not None:
            self._loop.remove_reader(self._stderr)

    def _hand_on(self, data: bytes) -> None:
        if self._listeners is not None:
            self._listeners.received(data)

    def _lost_stdout(self) -> None:
        """Go on without standard output; a process that only closed it still runs, and is of no more use."""
        assert self._loop is not None
        self._loop.remove_reader(self._stdout)
        self._look_again()

    def _look_again(self) -> None:
        if self._over or self._loop is None:
            return
        if self._has_exited():
            self._end("")
            return
        if self._look is not None:
            self._look.cancel()
        self._look = self._loop.call_later(_LOOK_S, self._look_again)

    # -- the end

    def _has_exited(self) -> bool:
        """Return whether it exited; it stays a zombie, so that its group's number is nobody else's yet."""
        if self._popen.returncode is not None:
            return True
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def _end(self, why: str) -> None:
        if self._over:
            return
        self._over = True
        exited = self._has_exited()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
        kill_escaped(self._mark)
        code = self._popen.wait()
        self._drain(told=exited)
        self._release()
        listeners, self._listeners = self._listeners, None
        if listeners is not None:
            listeners.ended(why or _exit_text(code))

    def _drain(self, *, told: bool) -> None:
        """Read what is left in the pipes; standard output is handed on where the process ended by itself."""
        for _ in range(_LAST_CHUNKS):
            data = _read(self._stdout) if told else None
            if not data:
                break
            self._hand_on(data)
        for _ in range(_LAST_CHUNKS):
            data = _read(self._stderr)
            if not data:
                break
            self._tail.feed(data)

    def _release(self) -> None:
        if self._look is not None:
            self._look.cancel()
        if self._loop is not None and not self._loop.is_closed():
            self._loop.remove_reader(self._stdout)
            self._loop.remove_reader(self._stderr)
        self.close_input()
        self._stdout.close()
        self._stderr.close()


def _read(stream: IO[bytes]) -> bytes | None:
    """Return what can be read now, empty at the end of the stream, None where there is nothing yet."""
    try:
        return os.read(stream.fileno(), _CHUNK_BYTES)
    except BlockingIOError:
        return None


def _exit_text(code: int) -> str:
    if code >= 0:
        return f"exited with code {code}"
    with contextlib.suppress(ValueError):
        return f"was ended by {signal.Signals(-code).name}"
    return f"was ended by signal {-code}"


def start(argv: Sequence[str], environment: Mapping[str, str], **options: Any) -> AdapterProcess:
    """Start ``argv`` in a process group of its own; ``options`` go to Popen. Raises StartError."""
    mark, environment = marked(environment)
    try:
        popen = subprocess.Popen(  # noqa: S603 - to run the user's command is what it is for
            list(argv),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=environment,
            bufsize=0,
            start_new_session=True,
            **options,
        )
    except (OSError, ValueError) as error:
        raise StartError(f"{argv[0]} could not be started: {error}") from error
    return AdapterProcess(popen, mark)
