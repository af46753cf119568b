"""The harness's end of one conversation with an adapter process, without any input or output.

Owns line framing, the ids of commands, which asks are open, and the list of what can go wrong with a line.
Bytes go in, records come out; what it says is handed back as bytes.

Invariant: no input raises. A line that breaks the contract becomes a :class:`Fault` that quotes it, and the
conversation goes on with the next line; memory is bounded by the longest line that is allowed.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from pydantic import JsonValue
from pydantic_core import from_json, to_json

from harness.stdio.messages import (
    COMMANDS,
    LINE_BYTES_MAX,
    Answered,
    Ask,
    AskAnswered,
    AskRefused,
    FromAdapter,
    Idle,
    Line,
    LineError,
    Observed,
    Refused,
    SawDecision,
    SawExpiry,
    SawRequest,
    SawScreen,
    SocketLine,
    read_line,
)
from harness.stdio.results import read_result

_SHOWN_CHARS: Final = 120


@dataclass(frozen=True, slots=True)
class Fault:
    """Something on the adapter's standard output that breaks the contract; ``kind`` groups equal ones."""

    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Result:
    """A command was carried out."""

    id: int
    do: str
    value: Any


@dataclass(frozen=True, slots=True)
class Failure:
    """A command was not carried out, or its result cannot be read; the text says which and why."""

    id: int
    do: str
    text: str


Received: TypeAlias = Result | Failure | Ask | Observed | Idle | SocketLine | Fault


@dataclass(slots=True)
class Peer:
    """One conversation."""

    _waiting: dict[int, str] = field(default_factory=dict)
    """Commands without an answer: what each does, by id."""
    _given_up: set[int] = field(default_factory=set)
    _asks: set[str] = field(default_factory=set)
    _last_id: int = 0
    _partial: bytearray = field(default_factory=bytearray)
    _skipping: bool = False
    """Whether the rest of a line that is too long is being thrown away."""

    # -- what the harness says

    def command(self, do: str, **fields: object) -> tuple[int, bytes]:
        """Return the id and the line of a new command."""
        self._last_id += 1
        self._waiting[self._last_id] = do
        return self._last_id, _line(COMMANDS[do](id=self._last_id, **fields))

    def give_up(self, command: int) -> None:
        """Wait no longer for an answer; one that comes late is no fault."""
        if self._waiting.pop(command, None) is not None:
            self._given_up.add(command)

    def answer(self, ask: str, ok: JsonValue) -> bytes:
        """Return the line that answers an ask."""
        self._asks.discard(ask)
        return _line(AskAnswered.model_construct(answer=ask, ok=ok))

    def refuse(self, ask: str, error: str, *, tool_failed: bool = False) -> bytes:
        """Return the line that refuses an ask."""
        self._asks.discard(ask)
        return _line(AskRefused(answer=ask, error=error, tool_failed=tool_failed))

    @property
    def unanswered(self) -> tuple[str, ...]:
        """The commands that have no answer, oldest first."""
        return tuple(self._waiting.values())

    # -- what the adapter says

    def feed(self, data: bytes) -> Iterator[Received]:
        """Yield what is whole by now; the rest is kept for the next bytes."""
        *lines, rest = data.split(b"\n")
        for line in lines:
            whole = bytes(self._partial) + line if self._partial else line
            self._partial.clear()
            if self._skipping:
                self._skipping = False
            elif len(whole) > LINE_BYTES_MAX:
                yield _too_long(whole)
            elif whole.strip():
                yield from self._read(whole)
        if self._skipping:
            return
        self._partial += rest
        if len(self._partial) > LINE_BYTES_MAX:
            self._skipping = True
            yield _too_long(bytes(self._partial[:_SHOWN_CHARS]))
            self._partial.clear()

    def end(self) -> Iterator[Fault]:
        """Yield what is wrong with the end of the stream: a line that was begun and not ended."""
        if self._partial.strip():
            yield Fault("partial-line", f"ended in the middle of a line: {_shown(bytes(self._partial))}")
        self._partial.clear()

    def _read(self, line: bytes) -> Iterator[Received]:
        try:
            text = line.decode()
        except UnicodeDecodeError as error:
            yield Fault("not-utf8", f"wrote a line that is not UTF-8 ({error.reason}): {_shown(line)}")
            return
        try:
            record = from_json(text, allow_inf_nan=False)
        except ValueError as error:
            hint = "standard output is for the contract, print to standard error"
            yield Fault("not-json", f"wrote a line that is no JSON ({error}): {_shown(line)}; {hint}")
            return
        try:
            said = read_line(record)
        except LineError as error:
            yield Fault("off-contract", f"{error}: {_shown(line)}")
            return
        heard = self._heard(said)
        if heard is not None:
            yield heard

    def _heard(self, said: FromAdapter) -> Received | None:
        match said:
            case Answered(id=command, ok=ok):
                return self._answered(command, ok)
            case Refused(id=command, error=error):
                do = self._waiting.pop(command, None)
                return self._stray(command) if do is None else Failure(command, do, f"refused {do}: {error}")
            case Idle() | SocketLine():
                return said
            case SawRequest() | SawDecision() | SawExpiry() | SawScreen():
                return said
            case _ if said.id in self._asks:
                return Fault("ask-twice", f"asked under the id {said.id!r} while an ask of that id is open")
            case _:
                self._asks.add(said.id)
                return said

    def _answered(self, command: int, ok: JsonValue) -> Received | None:
        do = self._waiting.pop(command, None)
        if do is None:
            return self._stray(command)
        try:
            return Result(command, do, read_result(do, ok))
        except LineError as error:
            return Failure(command, do, str(error))

    def _stray(self, command: int) -> Fault | None:
        if command in self._given_up:
            self._given_up.discard(command)
            return None
        if 1 <= command <= self._last_id:
            return Fault("answered-twice", f"answered command {command} twice")
        return Fault("unknown-id", f"answered command {command}, which it was never given")


def _line(record: Line) -> bytes:
    return to_json(record) + b"\n"


def _too_long(line: bytes) -> Fault:
    limit = f"{LINE_BYTES_MAX // 1024 // 1024} MiB"
    return Fault("too-long", f"wrote a line longer than {limit}, which begins {_shown(line)}")


def _shown(line: bytes) -> str:
    text = line[: _SHOWN_CHARS * 4].decode(errors="backslashreplace").strip()
    quoted = "".join(it if it.isprintable() else f"\\x{ord(it):02x}" for it in text)
    return f"«{quoted[:_SHOWN_CHARS]}…»" if len(quoted) > _SHOWN_CHARS else f"«{quoted}»"
