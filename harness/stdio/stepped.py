"""Adapter processes that are driven step by step: they work only while the harness waits for them.

Owns the blocking side of the pipes of a process in virtual time, and the processes that were started ahead of
need. What the lines mean is not known here.

Invariant: nothing is waited for without end. A process that is silent for :data:`SILENCE_MS` of real time is
hung; real time has no other influence. After :meth:`SteppedProcess.kill` no process of its group, no zombie
and no descriptor is left.
"""

import contextlib
import os
import signal
import subprocess
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from select import POLLIN, POLLOUT, poll
from typing import Any, Final

from harness.sim import unfenced
from harness.stdio.process import StartError, Tail

SILENCE_MS: Final = 60_000
"""How long a process that is to work may say nothing; the time in which its modules load is in it."""
STOCK_MAX: Final = 12
_CHUNK_BYTES: Final = 256 * 1024


class SteppedProcess:
    """A process on three pipes. Made by :func:`start_stepped`."""

    def __init__(self, popen: "subprocess.Popen[bytes]") -> None:
        self._popen = popen
        self._pipes = tuple(it for it in (popen.stdin, popen.stdout, popen.stderr) if it is not None)
        self._into, self._out, self._err = (it.fileno() for it in self._pipes)
        self._tail = Tail()
        self._over = False
        for descriptor in (self._into, self._out, self._err):
            os.set_blocking(descriptor, False)
        with unfenced():
            self._ready = poll()
        self._ready.register(self._out, POLLIN)
        self._ready.register(self._err, POLLIN)

    @property
    def pid(self) -> int:
        """Its process id, which is also the id of its group."""
        return self._popen.pid

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines of its standard error."""
        return self._tail.lines

    def exchange(self, lines: bytes, is_idle: Callable[[], bool]) -> Iterator[bytes]:
        """Write ``lines``, and yield what the process writes until ``is_idle()`` or the end of its output.

        Raises TimeoutError where it is silent for too long.
        """
        rest = lines[self._written(lines) :]
        if rest:
            self._ready.register(self._into, POLLOUT)
        while not is_idle():
            events = dict(self._ready.poll(SILENCE_MS))
            if not events:
                seconds = SILENCE_MS // 1000
                raise TimeoutError(
                    f"said nothing, not even that it is idle, for {seconds} s of real time; it was killed"
                )
            if self._into in events:
                rest = rest[self._written(rest) :]
                if not rest:
                    self._ready.unregister(self._into)
            if self._err in events:
                self._hear_errors()
            if self._out in events:
                data = os.read(self._out, _CHUNK_BYTES)
                if not data:
                    return
                yield data

    def wait(self) -> str:
        """Wait for the end of a process whose output ended, and return in words how it ended."""
        with unfenced():
            try:
                code = self._popen.wait()
            finally:
                self.kill()
        if code >= 0:
            return f"exited with code {code}"
        with contextlib.suppress(ValueError):
            return f"was ended by {signal.Signals(-code).name}"
        return f"was ended by signal {-code}"

    def kill(self) -> None:
        """Kill the whole group at once and let go of everything; done once."""
        if self._over:
            return
        self._over = True
        with unfenced():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGKILL)
            self._popen.wait()
        self._hear_errors()
        for pipe in self._pipes:
            with contextlib.suppress(OSError):
                pipe.close()

    def _written(self, data: bytes) -> int:
        try:
            return os.write(self._into, data)
        except BlockingIOError:
            return 0
        except OSError:
            return len(data)  # it no longer reads; that it ended is seen on its output

    def _hear_errors(self) -> None:
        """Take what is on standard error; its end takes it off the list of what is waited for."""
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self._err, _CHUNK_BYTES):
                self._tail.feed(data)
            with contextlib.suppress(KeyError):
                self._ready.unregister(self._err)


def start_stepped(argv: Sequence[str], environment: Mapping[str, str], **options: Any) -> SteppedProcess:
    """Start ``argv`` in a process group of its own; ``options`` go to Popen. Raises StartError."""
    try:
        with unfenced():
            popen = subprocess.Popen(  # noqa: S603 - to run the user's command is what it is for
                list(argv),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environment),
                bufsize=0,
                start_new_session=True,
                **options,
            )
    except (OSError, ValueError) as error:
        raise StartError(f"{argv[0]} could not be started: {error}") from error
    return SteppedProcess(popen)


@dataclass(slots=True, weakref_slot=True)
class Stock:
    """Processes of one command, started ahead of need: they have loaded their modules and were told nothing.

    Each serves one life of one host. All are killed when the stock is drained or collected.
    """

    start: Callable[[], SteppedProcess]
    _waiting: list[SteppedProcess] = field(default_factory=list)

    def __post_init__(self) -> None:
        weakref.finalize(self, _kill_all, self._waiting)

    def take(self) -> SteppedProcess:
        """Return a process that was told nothing yet; raises StartError."""
        return self._waiting.pop(0) if self._waiting else self.start()

    def fill(self, number: int) -> None:
        """Have ``number`` processes ready, :data:`STOCK_MAX` at the most; raises StartError."""
        while len(self._waiting) < min(number, STOCK_MAX):
            self._waiting.append(self.start())

    def drain(self) -> None:
        """Kill what waits."""
        _kill_all(self._waiting)


def _kill_all(waiting: list[SteppedProcess]) -> None:
    while waiting:
        waiting.pop().kill()
