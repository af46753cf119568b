"""The command-line approver: a real process on a real pseudo-terminal, and people who sit before it.

Owns how requests reach the terminal and how people type. One terminal belongs to one agent process; everybody
sees all of them. It knows nobody: what is typed there counts, whoever typed it.

Invariant: people answer a question that stands on the screen, and only that one.
"""

import asyncio
from collections.abc import Sequence
from typing import Any, Final, cast

from harness.adapter import Machine
from harness.model import (
    CallId,
    Card,
    Choice,
    Decision,
    Receipt,
    ReceiptStatus,
    RequestId,
    Settled,
    digest,
)

from .protocol import ApprovalRequest, ApprovalResponse, context_text, params_of
from .terminal import Terminal, TerminalClosedError

CLI_APPROVER: Final = "cli_approval_plugin_v1"
_NS_PER_S: Final = 1_000_000_000
_YES: Final = ("yes", "y", "YES", " Yes ")
_NO: Final = ("no", "n", "NO", "never")


class Room:
    """The terminals of one run, and who looks at them."""

    def __init__(self) -> None:
        self.terminals: list[Terminal] = []
        self.calls: dict[str, CallId] = {}
        self.watchers: list[Machine] = []

    def changed(self) -> None:
        """Let everybody look again."""
        for machine in self.watchers:
            machine.observe.screen_changed()

    def close(self) -> None:
        """Close every terminal."""
        for terminal in self.terminals:
            terminal.close()


class CliApprover:
    """Asks on the terminal of this agent process."""

    plugin_id = CLI_APPROVER

    def __init__(self, machine: Machine, room: Room) -> None:
        self._machine = machine
        self._room = room
        self._waiting: dict[str, asyncio.Future[ApprovalResponse]] = {}
        self._unseen: dict[RequestId, ApprovalRequest] = {}
        self._terminal = Terminal(self._seen, self._respond)
        room.terminals.append(self._terminal)
        machine.on_power_loss(self._terminal.close)

    async def setup(self, config: dict[str, Any] | None = None) -> None:
        """Take no configuration, as the documentation has it."""

    async def teardown(self) -> None:
        """Close the terminal."""
        self._terminal.close()

    async def request_approval(self, request: ApprovalRequest) -> ApprovalResponse:
        """Send the request to the terminal and wait for what comes back."""
        request_id = request["request_id"]
        self._room.calls[request_id] = CallId(context_text(request, "correlation_id"))
        self._unseen[RequestId(request_id)] = request
        waiting: asyncio.Future[ApprovalResponse] = asyncio.get_running_loop().create_future()
        self._waiting[request_id] = waiting
        try:
            self._terminal.send(request)
            response = await waiting
        except TerminalClosedError as error:
            return ApprovalResponse(request_id=request_id, status="error", reason=str(error))
        finally:
            self._waiting.pop(request_id, None)
        response["timestamp"] = self._machine.now_ns() / _NS_PER_S
        if response["status"] == "timeout":
            call = self._room.calls[request_id]
            self._machine.observe.request_expired(RequestId(request_id), call=call)
        return response

    def _seen(self) -> None:
        prompt = self._terminal.prompt
        request = None if prompt is None else self._unseen.pop(prompt.request, None)
        if request is not None:
            call = self._room.calls[request["request_id"]]
            self._machine.observe.request_published(
                RequestId(request["request_id"]), call, params_of(request)
            )
        self._room.changed()

    def _respond(self, response: dict[str, Any] | None) -> None:
        for request_id in tuple(self._waiting) if response is None else (str(response["request_id"]),):
            waiting = self._waiting.pop(request_id, None)
            if waiting is None or waiting.done():
                continue
            gone = ApprovalResponse(request_id=request_id, status="error", reason="the terminal is gone")
            waiting.set_result(gone if response is None else cast("ApprovalResponse", response))
        self._room.changed()


class Typist:
    """One person before the terminals; how they write yes and no, and how fast, is their habit."""

    def __init__(self, machine: Machine, room: Room) -> None:
        self._machine = machine
        self._room = room
        self._habit = int(digest(machine.host.name)[:8], 16)
        room.watchers.append(machine)

    async def pending(self) -> Sequence[Card]:
        """Return what the terminals ask."""
        prompts = [terminal.prompt for terminal in self._room.terminals]
        return tuple(prompt.card(self._room.calls) for prompt in prompts if prompt is not None)

    async def settled(self, request: RequestId) -> Settled | None:
        """Return None: a terminal does not tell how a request ended."""
        del request
        return None

    async def respond(self, request: RequestId, decision: Decision) -> Receipt:
        """Type the answer if a terminal asks for it."""
        if decision.arguments is not None:
            return Receipt(ReceiptStatus.INVALID, note="the protocol carries no edits: approve or deny")
        approve = decision.choice is Choice.APPROVED
        words = _YES if approve else _NO
        line = words[self._habit % len(words)]
        for terminal in self._room.terminals:
            async with terminal.typing:
                prompt = terminal.prompt
                if prompt is None or prompt.request != request:
                    continue
                reason = decision.reason or ("" if approve else "not like this")
                try:
                    await terminal.answer(prompt, line, reason, slowly=self._habit % 2 == 1)
                except TerminalClosedError as error:
                    return Receipt(ReceiptStatus.UNKNOWN, note=str(error))
                return Receipt(ReceiptStatus.SENT)
        return Receipt(ReceiptStatus.UNKNOWN_REQUEST, note="no terminal asks for this now")
