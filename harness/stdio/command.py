"""The adapter behind a command that a user typed: started once to hear what it says of itself.

Owns the reference ``cmd:COMMAND``. What goes wrong here goes wrong before any run; the text says what to do.
"""

import asyncio
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

from harness.adapter import Adapter, AdapterFault, Manifest, OptionError
from harness.stdio.adapter import StdioAdapter
from harness.stdio.launch import Launch, Started, launched, words_of
from harness.stdio.manifest import check_greeting, manifest_of
from harness.stdio.messages import Ask, Greeting, LineError, Observed
from harness.stdio.process import Listeners, StartError
from harness.stdio.session import AskError, Session

PREFIX: Final = "cmd:"


class CommandError(Exception):
    """A command starts no adapter; the text says what happened and what to do, ``reason`` only the first."""

    def __init__(self, command: str, reason: str) -> None:
        super().__init__(
            f"the adapter {command!r} cannot be used: {reason}. "
            f"What is wrong, why, and what to do is said by: hitl adapter check {command!r}"
        )
        self.reason = reason


class StartCommandError(CommandError):
    """Nothing could even be started."""

    def __str__(self) -> str:
        return f"{self.reason}. Give the command as you would type it in this folder, in quotes."


class CommandAdapter(StdioAdapter):
    """The adapter that a user's command starts; options are told to it in ``hello``."""

    def __init__(self, launch: Launch, manifest: Manifest, *, forges: bool, reference: str) -> None:
        super().__init__(launch, manifest, forges=forges)
        self._reference = reference

    def with_options(self, options: Mapping[str, str]) -> Adapter:
        """Return the adapter as it is when told ``options``; raises OptionError where it refuses them."""
        try:
            return adapter_of(self._reference, options)
        except CommandError as error:
            raise OptionError(f"{self.manifest.name}: {error.reason}") from error


def adapter_of(reference: str, options: Mapping[str, str] | None = None) -> StdioAdapter:
    """Return the adapter of ``cmd:COMMAND``; raises CommandError. Not to be called inside an event loop."""
    command = reference.removeprefix(PREFIX)
    try:
        launch = Launch(words_of(command), dict(options or {}))
        record = asyncio.run(_greeting(launch)).manifest
        return CommandAdapter(launch, manifest_of(record), forges=record.forges, reference=reference)
    except StartError as error:
        raise StartCommandError(command, str(error)) from error
    except (AdapterFault, LineError) as error:
        raise CommandError(command, str(error)) from error


def script_of(reference: str) -> Path:
    """Return the file that a command is about: the first of its words that is one, else where it is typed."""
    words = words_of(reference.removeprefix(PREFIX))
    files = [path for path in map(Path, words[1:] or words) if path.is_file()]
    return files[0].resolve() if files else Path.cwd() / "command"


async def _greeting(launch: Launch) -> Greeting:
    started = launched(launch)
    desk = NobodysDesk()
    session = connected(started, desk)
    try:
        greeting: Greeting = await session.result(started.hello, "hello", session.expect(started.hello))
        check_greeting(greeting)
    except AdapterFault as error:
        raise AdapterFault("; ".join(dict.fromkeys([*desk.faults, str(error)]))) from None
    finally:
        session.kill("was not needed any more")
    return greeting


def connected(started: Started, desk: "NobodysDesk") -> Session:
    """Return the conversation with a process that no host of a run stands for."""
    session = Session(desk, started.peer)
    session.connect(started.process)
    listeners = Listeners(session.received, session.exited)
    started.process.attach(asyncio.get_running_loop(), listeners)
    return session


@dataclass(slots=True)
class NobodysDesk:
    """Serves a process outside of every run: it answers nothing and keeps what went wrong."""

    faults: list[str] = field(default_factory=list)
    _tasks: list[object] = field(default_factory=list)

    def observed(self, record: Observed) -> None:
        """Keep that something was observed where nothing can be."""
        self.failed("observed", f"observed {record.observed} before it was a host")

    def answer(self, ask: Ask) -> NoReturn:
        """Refuse."""
        raise AskError(f"{ask.ask} cannot be answered before boot or join")

    def failed(self, where: str, error: str) -> None:
        """Keep what went wrong."""
        del where
        self.faults.append(error)

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        """Start a task."""
        task = asyncio.get_running_loop().create_task(work, name=name)
        self._tasks.append(task)
        return task
