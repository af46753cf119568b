"""The command-line approver: a real process on a real pseudo-terminal, in real time."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.genie import ADAPTERS, terminal_program
from adapters.genie.protocol import tool_request
from adapters.genie.terminal import END_OF_INPUT, Prompt, Terminal
from adapters.genie.terminal_program import APPROVE, PromptApprover
from harness.casting import call, person
from harness.model import CallId, Choice, OutcomeStatus, RequestId
from harness.plan import SECOND, AnswerSpec, Plan
from harness.run import Run
from harness.trace import DecisionTaken, EffectExecuted, OutcomeReported
from harness.wall.lanes import LoopbackLane
from harness.wall.play import execute_in_real_time

(CLI,) = [adapter for adapter in ADAPTERS if adapter.manifest.name == "genie-cli"]
PATIENCE_S = 60.0


class Seat:
    """Somebody before one terminal."""

    def __init__(self) -> None:
        self.responses: list[dict[str, Any] | None] = []
        self._came = asyncio.Event()
        self.terminal = Terminal(lambda: None, self._respond)

    def _respond(self, response: dict[str, Any] | None) -> None:
        self.responses.append(response)
        self._came.set()

    async def asked(self, name: str = "r1", timeout_s: float | None = None) -> Prompt:
        self.terminal.send(tool_request(name, "publish", {"title": "Hello"}, {}, timeout_s))
        await self.terminal.until(lambda: (p := self.terminal.prompt) is not None and p.request == name)
        prompt = self.terminal.prompt
        assert prompt is not None
        return prompt

    async def told(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_S):
            await self._came.wait()
        response = self.responses[-1]
        assert response is not None
        return response


def seated(play: Callable[[Seat], Awaitable[None]]) -> None:
    async def main() -> None:
        seat = Seat()
        try:
            await play(seat)
        finally:
            seat.terminal.close()

    asyncio.run(main())


def test_the_screen_shows_what_is_asked_and_yes_approves_it() -> None:
    async def play(seat: Seat) -> None:
        prompt = await seat.asked()
        card = prompt.card({"r1": CallId("c1")})
        assert (card.request, card.tool, card.arguments) == (RequestId("r1"), "publish", {"title": "Hello"})
        await seat.terminal.answer(prompt, "yes", "looks fine", slowly=True)
        response = await seat.told()
        assert (response["status"], response["reason"]) == ("approved", "looks fine")
        assert response["approver_id"] == "cli_user"

    seated(play)


def test_anything_but_yes_is_a_denial_that_must_have_a_reason() -> None:
    async def play(seat: Seat) -> None:
        prompt = await seat.asked()
        await seat.terminal.answer(prompt, "maybe", "")
        await seat.terminal.until(lambda: seat.terminal.text.rstrip().endswith("Reason for denial:"))
        await seat.terminal.type("not on a Friday\n")
        response = await seat.told()
        assert (response["status"], response["reason"]) == ("denied", "not on a Friday")

    seated(play)


def test_the_end_of_input_is_an_error_and_no_approval() -> None:
    async def play(seat: Seat) -> None:
        await seat.asked()
        await seat.terminal.type(END_OF_INPUT)
        assert (await seat.told())["status"] == "error"

    seated(play)


def test_a_time_limit_that_passes_is_told_as_one() -> None:
    async def play(seat: Seat) -> None:
        seat.terminal.send(tool_request("r1", "publish", {}, {}, 0.01))
        assert (await seat.told())["status"] == "timeout"

    seated(play)


def test_the_time_limit_does_not_hold_for_the_second_question(monkeypatch: pytest.MonkeyPatch) -> None:
    limit_s = 0.2

    async def typed(question: str) -> str:
        if question == APPROVE:
            return "y"
        await asyncio.sleep(2 * limit_s)
        return "sorry for the delay"

    monkeypatch.setattr(terminal_program, "_typed", typed)
    request = dict(tool_request("r1", "publish", {}, {}, limit_s))
    response = asyncio.run(PromptApprover().request_approval(request))
    assert response["status"] == "approved"


def test_a_terminal_that_is_closed_leaves_no_process_and_no_descriptor_behind() -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    left: list[int] = []

    async def play(seat: Seat) -> None:
        await seat.asked()
        process = seat.terminal._process
        assert process is not None
        left.append(process.pid)

    seated(play)
    assert not Path(f"/proc/{left[0]}").exists()
    assert len(list(Path("/proc/self/fd").iterdir())) <= before


def test_who_waits_is_told_where_the_program_dies() -> None:
    async def play(seat: Seat) -> None:
        await seat.asked()
        process = seat.terminal._process
        assert process is not None
        process.kill()
        async with asyncio.timeout(PATIENCE_S):
            await seat._came.wait()
        assert seat.responses == [None]

    seated(play)


def played(choice: Choice) -> Run:
    people = (person("alice", [AnswerSpec(CallId("c1"), choice, think_ns=SECOND)]),)
    done = execute_in_real_time(CLI, Plan("by hand", people, (call(),)), LoopbackLane())
    assert done.failures == ()
    return done


def test_simulated_people_answer_a_real_terminal() -> None:
    done = played(Choice.APPROVED)
    assert [it.status for it in done.boundary.events if isinstance(it, OutcomeReported)] == [
        OutcomeStatus.EXECUTED
    ]
    assert sum(isinstance(it, EffectExecuted) for it in done.boundary.events) == 1
    (decided,) = [it for it in done.boundary.events if isinstance(it, DecisionTaken)]
    assert decided.person == "cli_user"


def test_a_denial_at_the_terminal_reaches_the_caller() -> None:
    done = played(Choice.REJECTED)
    (outcome,) = [it for it in done.boundary.events if isinstance(it, OutcomeReported)]
    assert (outcome.status, outcome.reason) == (OutcomeStatus.REJECTED, "not like this")
