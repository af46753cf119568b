"""One conversation with one adapter process: calls are awaited, asks are served, faults are told.

Owns what the end of a process, a deadline or a line off the contract means for who waits. How bytes travel is
the transport's affair (a real process, or one in lockstep with virtual time); what asks and observations mean
is the desk's.

Invariant: every command ends, by its answer, by its deadline or by the end of the process. A fault is told to
the desk once for each kind, and how many more there were when the process is gone.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Final, Protocol

from pydantic import JsonValue

from harness.adapter import AdapterFault
from harness.stdio.messages import (
    Ask,
    Idle,
    Observed,
    SawDecision,
    SawExpiry,
    SawRequest,
    SawScreen,
    SocketLine,
)
from harness.stdio.peer import Failure, Fault, Peer, Received, Result

SHORT_S: Final = 20.0
"""How long a command may take that only reads or notes something."""
LONG_S: Final = 60.0
"""How long a command may take that starts an interpreter or crosses a network."""
PATIENCE_S: Final[dict[str, float | None]] = {
    "hello": LONG_S,
    "boot": LONG_S,
    "join": LONG_S,
    "call": None,  # waits for people
    "cancel": SHORT_S,
    "pending": SHORT_S,
    "respond": LONG_S,
    "settled": SHORT_S,
    "forge": SHORT_S,
    "close": SHORT_S,
}


class AskError(Exception):
    """An ask is refused; the text is the adapter's to read."""

    def __init__(self, text: str, *, tool_failed: bool = False) -> None:
        super().__init__(text)
        self.tool_failed = tool_failed


class Transport(Protocol):
    """How lines reach a process."""

    @property
    def last_words(self) -> tuple[str, ...]:
        """The last lines of its standard error."""

    def write(self, data: bytes) -> None:
        """Hand bytes over; never waits."""

    def kill(self) -> None:
        """End the process at once and let go of everything; nobody is told."""


class Desk(Protocol):
    """Who serves one process on the harness's side."""

    def observed(self, record: Observed) -> None:
        """Take note of what the adapter observed."""

    def answer(self, ask: Ask) -> JsonValue | Awaitable[JsonValue]:
        """Return the answer of an ask, or what it can be awaited from; raises AskError, now or then."""

    def failed(self, where: str, error: str) -> None:
        """Take note that the adapter broke the contract outside of any call."""

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        """Start a task."""


class Session:
    """One process's conversation. :meth:`connect` before anything else."""

    def __init__(self, desk: Desk, peer: Peer) -> None:
        self._desk = desk
        self._peer = peer
        self._transport: Transport | None = None
        self._futures: dict[int, asyncio.Future[Any]] = {}
        self._faults: Counter[str] = Counter()
        self._gone = ""
        self._closing = False
        self.ended = asyncio.Event()
        self.on_lockstep: Callable[[Idle | SocketLine], None] | None = None
        """Who takes lines of the virtual clock; without one they are faults."""

    def connect(self, transport: Transport) -> None:
        """Use ``transport`` from now on."""
        self._transport = transport

    @property
    def gone(self) -> str:
        """How the process ended, empty while it runs."""
        return self._gone

    # -- commands

    async def command(self, do: str, **fields: object) -> Any:
        """Have a command carried out and return its result; raises AdapterFault."""
        if self._gone:
            raise AdapterFault(f"{do} came too late: the process {self._gone}")
        command, line = self._peer.command(do, **fields)
        answered = self.expect(command)
        self._wire.write(line)
        return await self.result(command, do, answered)

    def expect(self, command: int) -> "asyncio.Future[Any]":
        """Return where the answer of a command that was sent will stand."""
        future = self._futures[command] = asyncio.get_running_loop().create_future()
        return future

    async def result(self, command: int, do: str, answered: "asyncio.Future[Any]") -> Any:
        """Wait for an answer as long as that command may take; raises AdapterFault."""
        patience_s = PATIENCE_S[do]
        try:
            async with asyncio.timeout(patience_s):
                return await answered
        except TimeoutError:
            self._peer.give_up(command)
            raise AdapterFault(f"did not answer {do} within {patience_s:.0f} s{self._last_words()}") from None
        finally:
            self._futures.pop(command, None)

    async def close(self) -> None:
        """End in good order: answer, exit, code 0. A process that does not is killed; raises AdapterFault."""
        if self._gone:
            return
        self._closing = True
        for command, future in self._futures.items():
            self._peer.give_up(command)
            future.cancel()  # a call that waits for people when the run ends is nobody's fault
        try:
            await self.command("close")
            async with asyncio.timeout(PATIENCE_S["close"]):
                await self.ended.wait()
        except TimeoutError:
            raise AdapterFault(
                f"answered close and did not exit within {SHORT_S:.0f} s; it was killed{self._last_words()}"
            ) from None
        finally:
            self.kill("was killed after close")

    def kill(self, how: str) -> None:
        """End the process at once; who waits for an answer is told ``how`` it ended."""
        if not self._gone:
            self._wire.kill()
            self._over(how)

    # -- what the transport tells

    def received(self, data: bytes) -> None:
        """Take in what the process wrote."""
        for it in self._peer.feed(data):
            if self._gone:
                return
            self._take(it)

    def exited(self, how: str) -> None:
        """Take note that the process ended by itself, or was ended by the transport."""
        if self._gone:
            return
        for fault in self._peer.end():
            self._fault(fault)
        asked_to = self._closing and how == "exited with code 0"
        if not asked_to:
            waiting = ", ".join(self._peer.unanswered)
            during = f" while {waiting} waited for an answer" if waiting else ""
            where = "close" if self._closing else "process"
            self._desk.failed(where, f"{how}{during}{self._last_words()}")
        self._over(how)

    def _take(self, it: Received) -> None:
        match it:
            case Result(id=command, value=value):
                self._settle(command, value=value)
            case Failure(id=command, text=text):
                self._settle(command, error=AdapterFault(f"{text}{self._last_words()}"))
            case Fault():
                self._fault(it)
            case SawRequest() | SawDecision() | SawExpiry() | SawScreen():
                self._desk.observed(it)
            case Idle() | SocketLine():
                self._lockstep(it)
            case _:
                self._asked(it)

    def _settle(self, command: int, *, value: Any = None, error: AdapterFault | None = None) -> None:
        future = self._futures.pop(command, None)
        if future is None or future.done():
            return
        if error is None:
            future.set_result(value)
        else:
            future.set_exception(error)

    def _asked(self, ask: Ask) -> None:
        try:
            answer = self._desk.answer(ask)
        except AskError as error:
            self._refuse(ask, error)
            return
        if isinstance(answer, Awaitable):
            self._desk.spawn(self._answer_later(ask, answer), f"ask {ask.ask}")
        else:
            self._wire.write(self._peer.answer(ask.id, answer))

    async def _answer_later(self, ask: Ask, answer: Awaitable[JsonValue]) -> None:
        try:
            line = self._peer.answer(ask.id, await answer)
        except AskError as error:
            self._refuse(ask, error)
            return
        if not self._gone:
            self._wire.write(line)

    def _refuse(self, ask: Ask, error: AskError) -> None:
        if not self._gone:
            self._wire.write(self._peer.refuse(ask.id, str(error), tool_failed=error.tool_failed))

    def _lockstep(self, record: Idle | SocketLine) -> None:
        if self.on_lockstep is not None:
            self.on_lockstep(record)
        else:
            self._fault(Fault("real-clock", "wrote a line of the virtual clock, and the clock is real"))

    def off_contract(self, text: str) -> None:
        """Take note of a line that makes no sense to who takes lines of the virtual clock."""
        self._fault(Fault("off-contract", text))

    def _fault(self, fault: Fault) -> None:
        self._faults[fault.kind] += 1
        if self._faults[fault.kind] == 1:
            self._desk.failed(f"line: {fault.kind}", f"{fault.text}{self._last_words()}")

    def _over(self, how: str) -> None:
        self._gone = how
        for kind, times in self._faults.items():
            if times > 1:
                self._desk.failed(f"lines: {kind}", f"{times - 1} more lines like the first of this kind")
        for future in self._futures.values():
            if not future.done():
                future.set_exception(AdapterFault(f"the process {how} before it answered"))
        self._futures.clear()
        self.ended.set()

    @property
    def _wire(self) -> Transport:
        assert self._transport is not None, "connect a session before use"
        return self._transport

    def _last_words(self) -> str:
        words = self._wire.last_words
        return f". Its last words on standard error: {' | '.join(words)}" if words else ""
