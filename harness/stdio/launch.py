"""How an adapter's command is started: words to arguments, kits on the path, hello said at once.

Owns the few things that the harness adds to a command of the user's. A Node script finds the kit as
``hitl-adapter-kit``, a Python script as ``hitl_adapter_kit``, wherever it lies.
"""

import os
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

from harness.install.node import NODE_PACKAGE, OLDEST, find_node
from harness.stdio.messages import Clock
from harness.stdio.peer import Peer
from harness.stdio.process import AdapterProcess, StartError, start

KITS: Final = Path(__file__).resolve().parent.parent / "kits"
NODE_KIT: Final = KITS / "node"
PYTHON_KIT: Final = KITS / "python"


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started for every host; ``options`` are told in hello, ``environment`` adds to our own."""

    command: tuple[str, ...]
    options: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Started:
    """A process that was told hello and may not have answered yet; ``hello`` is the id of that command."""

    process: AdapterProcess
    peer: Peer
    hello: int


def words_of(command: str) -> tuple[str, ...]:
    """Return the words of a command as a shell would split them; raises StartError."""
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise StartError(f"the command {command!r} cannot be split into words: {error}") from error
    if not words:
        raise StartError(
            "the command is empty: say what starts the adapter, for instance python my_adapter.py"
        )
    return words


def argv_of(command: Sequence[str], *preloads: Path) -> list[str]:
    """Return the arguments of a process; ``preloads`` are modules that Node loads before the script.

    The bare word ``node`` means a Node that is new enough for the kit. Raises StartError where none is here.
    """
    program, *rest = command
    if Path(program).name.removesuffix(".exe") not in ("node", "nodejs"):
        return [program, *rest]
    resolver = (NODE_KIT / "resolve.mjs").as_uri()
    modules = [it for it in (resolver, *(path.as_uri() for path in preloads)) if it not in rest]
    return [_node(program), *(word for it in modules for word in ("--import", it)), *rest]


def _node(program: str) -> str:
    if program != "node":
        return program
    found = find_node()
    if found is None:
        oldest = ".".join(map(str, OLDEST))
        raise StartError(f"Node {oldest} or newer is not here; pip install {NODE_PACKAGE} brings one")
    return str(found.program)


def environment_of(launch: Launch) -> dict[str, str]:
    """Return the environment variables of a process."""
    paths = [os.environ.get("PYTHONPATH", ""), str(PYTHON_KIT)]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **launch.environment}


def launched(launch: Launch, *, clock: Clock = "real") -> Started:
    """Start a process and tell it hello; raises StartError."""
    process = start(argv_of(launch.command), environment_of(launch))
    peer = Peer()
    hello, line = peer.command("hello", **greeting(launch, clock))
    process.write(line)
    return Started(process, peer, hello)


def greeting(launch: Launch, clock: Clock) -> dict[str, Any]:
    """Return the fields of hello."""
    return {"harness": version("hitl-harness"), "clock": clock, "options": dict(launch.options)}
