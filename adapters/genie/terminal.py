"""A real pseudo-terminal with the prompting program on it, and whoever sits before it.

Owns the process, its two pipes and the screen. Nothing here knows of approvals but the prompts' texts: what
is asked is read off the screen, as a person does.

Invariant: when :meth:`Terminal.close` has returned, the process is gone, its children too, and every
descriptor is closed.
"""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from ast import literal_eval
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from harness.model import CallId, Card, RequestId

from .terminal_program import APPROVE

PROGRAM: Final = Path(__file__).with_name("terminal_program.py")
PATIENCE_S: Final = 60.0
"""How long whoever types waits for the next question."""
KEY_S: Final = 0.002
"""Between the keys of somebody who types slowly."""
END_OF_INPUT: Final = "\x04"
_READ_BYTES: Final = 65_536
_ASKED: Final = re.compile(r"Request ID: (\S+)\nPrompt: .*\nData/Action: (.*)\n", re.MULTILINE)


class TerminalClosedError(Exception):
    """The program on the terminal has ended, or does not ask what it should."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """What the screen asks; ``place`` is where on it the question ends."""

    request: RequestId
    data: str
    place: int

    def card(self, calls: Mapping[str, CallId]) -> Card:
        """Return what a person understands of it; data that is cut off is taken as the text that it is."""
        try:
            data: Any = literal_eval(self.data)
        except (SyntaxError, ValueError):
            data = {"tool_id": "", "params": {"shown": self.data}}
        return Card(self.request, str(data.get("tool_id")), data.get("params", data), calls.get(self.request))


class Terminal:
    """One terminal; ``on_change`` is called when its screen changed, ``on_response`` for each response.

    ``on_response`` gets None when the program ended by itself.
    """

    def __init__(
        self, on_change: Callable[[], None], on_response: Callable[[dict[str, Any] | None], None]
    ) -> None:
        self._on_change = on_change
        self._on_response = on_response
        self._loop = asyncio.get_running_loop()
        self._text = ""
        self._partial = b""
        self._answered = 0
        self._moved: asyncio.Future[None] | None = None
        self.typing = asyncio.Lock()
        self._start()

    def _start(self) -> None:
        self._screen, screen_side = os.openpty()
        requests_side, self._requests = os.pipe()
        self._responses, responses_side = os.pipe()
        theirs = (screen_side, requests_side, responses_side)
        self._process: subprocess.Popen[bytes] | None = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-u", str(PROGRAM), str(requests_side), str(responses_side)],
            stdin=screen_side,
            stdout=screen_side,
            stderr=screen_side,
            pass_fds=(requests_side, responses_side),
            start_new_session=True,
        )
        for descriptor in theirs:
            os.close(descriptor)
        self._loop.add_reader(self._screen, self._read_screen)
        self._loop.add_reader(self._responses, self._read_responses)

    @property
    def text(self) -> str:
        """Everything that was on the screen so far."""
        return self._text

    @property
    def prompt(self) -> Prompt | None:
        """What the screen asks now and nobody has begun to answer, None where it asks nothing."""
        asked = max(_ASKED.finditer(self._text), key=re.Match.start, default=None)
        if asked is None:
            return None
        place = self._text.find(APPROVE, asked.end())
        if place < self._answered:
            return None
        return Prompt(RequestId(asked[1]), asked[2], place + len(APPROVE))

    def send(self, request: Mapping[str, Any]) -> None:
        """Hand a request to the program; raises TerminalClosedError where that is gone."""
        try:
            os.write(self._requests, json.dumps(request).encode() + b"\n")
        except OSError as error:
            raise TerminalClosedError(f"the terminal's program is gone: {error}") from error

    async def answer(self, prompt: Prompt, line: str, then: str, *, slowly: bool = False) -> None:
        """Answer ``prompt`` with a line, and what it asks next with another.

        Raises TerminalClosedError where the program does not ask on.
        """
        self._answered = prompt.place
        self._on_change()
        await self.type(line + "\n", slowly=slowly)
        await self.until(lambda: "eason" in self._text[prompt.place + len(line) :])
        await self.type(then + "\n", slowly=slowly)

    async def type(self, keys: str, *, slowly: bool = False) -> None:
        """Press keys; raises TerminalClosedError where the program is gone."""
        for key in keys if slowly else (keys,):
            if self._process is None:
                raise TerminalClosedError("the terminal is closed")
            try:
                os.write(self._screen, key.encode())
            except OSError as error:
                raise TerminalClosedError(f"the terminal's program is gone: {error}") from error
            if slowly:
                await asyncio.sleep(KEY_S)

    async def until(self, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> None:
        """Return when ``condition`` of the screen holds; raises TerminalClosedError when it never will."""
        try:
            async with asyncio.timeout(patience_s):
                while not condition():
                    if self._process is None:
                        raise TerminalClosedError("the terminal is closed")
                    if self._moved is None:
                        self._moved = self._loop.create_future()
                    await self._moved
        except TimeoutError:
            raise TerminalClosedError(f"the screen never got there: {self._text[-200:]!r}") from None

    def close(self) -> None:
        """Kill the program and everything that it started, and close what leads to it."""
        process, self._process = self._process, None
        if process is None:
            return
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        for descriptor in (self._screen, self._responses):
            self._loop.remove_reader(descriptor)
        for descriptor in (self._screen, self._responses, self._requests):
            os.close(descriptor)
        self._told()

    def _read_screen(self) -> None:
        try:
            read = os.read(self._screen, _READ_BYTES)
        except OSError:
            read = b""
        if not read:
            self._loop.remove_reader(self._screen)
        self._text += read.decode(errors="replace").replace("\r", "")
        self._told()
        self._on_change()

    def _read_responses(self) -> None:
        read = os.read(self._responses, _READ_BYTES)
        if not read:
            self.close()
            self._on_response(None)
            return
        *lines, self._partial = (self._partial + read).split(b"\n")
        for line in lines:
            self._on_response(json.loads(line))

    def _told(self) -> None:
        moved, self._moved = self._moved, None
        if moved is not None and not moved.done():
            moved.set_result(None)
