"""Whatever a process does, who waits for it is told, its last words are kept, and nothing of it is left."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import pytest

from harness.adapter import AdapterFault
from harness.stdio.command import NobodysDesk, connected
from harness.stdio.escaped import VARIABLE
from harness.stdio.launch import Launch, launched
from harness.stdio.process import UNREAD_BYTES_MAX, StartError
from harness.stdio.session import PATIENCE_S, Session

SCRIPT: Final = Path(__file__).with_name("bad_adapter.py")
PATIENT_S: Final = 120
PROC: Final = Path("/proc")
pytestmark = pytest.mark.skipif(not PROC.is_dir(), reason="what is left of a process is looked up in /proc")


def started_here() -> set[str]:
    """Return the processes that bear a mark of this very process, with their command lines."""
    mine = f"{VARIABLE}={os.getpid()}-".encode()
    found = set()
    for folder in PROC.glob("[0-9]*"):
        try:
            if mine in (folder / "environ").read_bytes():
                found.add(f"{folder.name} {(folder / 'cmdline').read_bytes()!r}")
        except OSError:
            continue
    return found


def open_here() -> set[str]:
    """Return the pipes and sockets that this process holds."""
    found = set()
    for entry in (PROC / "self" / "fd").iterdir():
        try:
            found.add(str(entry.readlink()))
        except OSError:
            continue
    return {it for it in found if it.startswith(("pipe:", "socket:"))}


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    processes, pipes = started_here(), open_here()
    yield
    assert started_here() <= processes
    assert open_here() <= pipes


@dataclass(frozen=True, slots=True)
class Bad:
    """A conversation with a process that is a device and about to misbehave."""

    session: Session
    desk: NobodysDesk

    @property
    def faults(self) -> str:
        return "\n".join(self.desk.faults)


@asynccontextmanager
async def bad(how: str) -> AsyncIterator[Bad]:
    desk = NobodysDesk()
    started = launched(Launch((sys.executable, str(SCRIPT), how)))
    session = connected(started, desk)
    try:
        await session.result(started.hello, "hello", session.expect(started.hello))
        yield Bad(session, desk)
    finally:
        session.kill("was killed by the test")


def play(work: Coroutine[Any, Any, None]) -> None:
    async def patiently() -> None:
        async with asyncio.timeout(PATIENT_S):
            await work

    asyncio.run(patiently())


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("garbage", "wrote a line that is no JSON"),
        ("too long", "wrote a line longer than 8 MiB, which begins «xxx"),
        ("not utf-8", "wrote a line that is not UTF-8"),
        ("unknown id", "answered command 77, which it was never given"),
        ("misspelt", "screen_changd"),
    ],
)
def test_a_line_off_the_contract_is_told_and_the_conversation_goes_on(how: str, said: str) -> None:
    async def talk() -> None:
        async with bad(how) as it:
            assert await it.session.command("pending") == ()
            assert said in it.faults
            assert await it.session.command("settled", request="r1") is None
            await it.session.close()

    play(talk())


def test_an_answer_that_comes_twice_is_told() -> None:
    async def talk() -> None:
        async with bad("twice") as it:
            await it.session.command("pending")
            await it.session.command("settled", request="r1")
            assert "answered command 2 twice" in it.faults

    play(talk())


def test_how_many_more_faults_of_a_kind_there_were_is_told_at_the_end() -> None:
    async def talk() -> None:
        async with bad("garbage") as it:
            for _ in range(3):
                await it.session.command("pending")
            await it.session.close()
            assert "5 more lines like the first of this kind" in it.faults

    play(talk())


def test_a_line_of_megabytes_is_read() -> None:
    async def talk() -> None:
        async with bad("megabytes") as it:
            (card,) = await it.session.command("pending")
            assert len(card.tool) == 3 * 1024 * 1024
            assert it.faults == ""

    play(talk())


def test_a_result_that_does_not_fit_fails_its_call_and_says_what_is_due() -> None:
    async def talk() -> None:
        async with bad("wrong result") as it:
            with pytest.raises(AdapterFault, match="the result of pending has a field 'cards'; it may have"):
                await it.session.command("pending")

    play(talk())


def test_a_process_that_hangs_is_told_by_the_deadline_of_the_call(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATIENCE_S, "pending", 0.5)

    async def talk() -> None:
        async with bad("hangs") as it:
            with pytest.raises(AdapterFault, match="did not answer pending within"):
                await it.session.command("pending")

    play(talk())


@pytest.mark.parametrize(
    ("how", "end"),
    [
        ("exits", "exited with code 3"),
        ("partial", "exited with code 4"),
        ("forks", "exited with code 5"),
        ("leaves the group", "exited with code 6"),
        ("floods stderr", "exited with code 7"),
        ("is killed", "was ended by SIGKILL"),
    ],
)
def test_who_waits_for_a_process_that_ends_is_told_how_it_ended(how: str, end: str) -> None:
    async def talk() -> None:
        async with bad(how) as it:
            with pytest.raises(AdapterFault, match=f"the process {end} before it answered"):
                await it.session.command("pending")
            assert f"{end} while pending waited for an answer" in it.faults
            with pytest.raises(AdapterFault, match=f"pending came too late: the process {end}"):
                await it.session.command("pending")

    play(talk())


@pytest.mark.parametrize(("how", "words"), [("exits", "out of ink"), ("floods stderr", "the end")])
def test_the_last_words_on_standard_error_are_told(how: str, words: str) -> None:
    async def talk() -> None:
        async with bad(how) as it:
            with pytest.raises(AdapterFault):
                await it.session.command("pending")
            assert f"{words}" in it.faults
            assert len(it.faults) < 10_000

    play(talk())


def test_the_beginning_of_a_line_that_never_ended_is_told() -> None:
    async def talk() -> None:
        async with bad("partial") as it:
            with pytest.raises(AdapterFault):
                await it.session.command("pending")
            assert """ended in the middle of a line: «{"id": 3, "ok"»""" in it.faults

    play(talk())


def test_a_process_that_ignores_every_plea_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATIENCE_S, "close", 0.5)

    async def talk() -> None:
        async with bad("ignores SIGTERM") as it:
            with pytest.raises(AdapterFault, match="did not answer close"):
                await it.session.close()

    play(talk())


def test_a_process_that_reads_no_more_does_not_hold_up_the_harness() -> None:
    async def talk() -> None:
        async with bad("reads no more") as it:
            waiting = asyncio.ensure_future(it.session.command("settled", request="r1"))
            big = "x" * (UNREAD_BYTES_MAX // 4)
            calls = [asyncio.ensure_future(it.session.command("settled", request=big)) for _ in range(6)]
            ended = await asyncio.gather(waiting, *calls, return_exceptions=True)
            assert all(isinstance(one, AdapterFault) for one in ended)
            assert "did not read its standard input, 64 MiB wait; it was killed" in it.faults

    play(talk())


def test_answers_may_come_in_any_order() -> None:
    async def talk() -> None:
        async with bad("nothing") as it:
            asked = [it.session.command("settled", request=f"r{number}") for number in range(50)]
            assert await asyncio.gather(*asked) == [None] * 50

    play(talk())


def test_what_cannot_be_started_says_so() -> None:
    with pytest.raises(StartError, match="no-such-program could not be started"):
        launched(Launch(("no-such-program",)))
