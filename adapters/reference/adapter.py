"""The reference as a plug-in: its parts put together, one instance a run.

Owns the choice of parts. An ablation is this adapter with one part replaced: an arbiter without a rule, a
store that forgets, an agent or a device with one method overridden.
"""

import weakref
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeAlias

from harness.adapter import Agent, Device, Environment, Implementation, Machine, Manifest
from harness.model import Person

from .agent import ReferenceAgent
from .arbiter import Arbiter
from .device import ReferenceDevice
from .hostile import HostileDevice
from .sqlite_store import SqliteStore, remover, run_folder
from .store import DiskStore, Store

StoreOf: TypeAlias = Callable[[Environment, Machine], Store]


def on_shared_disk(environment: Environment, machine: Machine) -> Store:
    """Return the store that all agent processes of a run share."""
    del machine
    return DiskStore(environment.shared_disk)


def on_own_disk(environment: Environment, machine: Machine) -> Store:
    """Return a store on the agent host's own disk: enough where a call never moves to another host."""
    del environment
    return DiskStore(machine.host.disk)


@dataclass(frozen=True, slots=True)
class Parts:
    """What an implementation is made of; its devices can also be made to forge, which none does unasked."""

    arbiter: Arbiter = field(default_factory=Arbiter)
    store: StoreOf = on_shared_disk
    agent: type[ReferenceAgent] = ReferenceAgent
    device: type[ReferenceDevice] = HostileDevice


def _nothing() -> None:
    """Release nothing."""


@dataclass(frozen=True, slots=True, weakref_slot=True)
class ReferenceImplementation:
    """One isolated instance; ``release`` gives back what it holds outside its hosts."""

    environment: Environment
    manifest: Manifest
    parts: Parts
    release: Callable[[], None] = _nothing
    _processes: list[ReferenceAgent | ReferenceDevice] = field(default_factory=list)

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start an agent process; what an earlier one left in the store is taken up again."""
        parts = self.parts
        agent = parts.agent(
            machine,
            self.environment,
            parts.store(self.environment, machine),
            parts.arbiter,
            self.manifest.style,
        )
        self._processes.append(agent)
        agent.recover()
        return agent

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Bring up a device, with an empty memory."""
        device = self.parts.device(machine, person)
        self._processes.append(device)
        await device.join()
        return device

    async def close(self) -> None:
        """Let every process go, and give back what the instance holds outside its hosts."""
        for process in self._processes:
            process.end()
        self._processes.clear()
        self.release()


@dataclass(frozen=True, slots=True)
class ReferenceAdapter:
    """The reference implementation under a manifest."""

    manifest: Manifest
    parts: Parts = field(default_factory=Parts)

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run."""
        return ReferenceImplementation(environment, self.manifest, self.parts)


@dataclass(frozen=True, slots=True)
class SqliteReferenceAdapter:
    """The reference over a SQLite database, in a folder that is gone with the run."""

    manifest: Manifest
    parts: Parts = field(default_factory=Parts)

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run, with a folder of its own."""
        folder = run_folder()
        parts = replace(self.parts, store=_in_folder(folder))
        remove = remover(folder)
        implementation = ReferenceImplementation(environment, self.manifest, parts, remove)
        weakref.finalize(implementation, remove)
        return implementation


def _in_folder(folder: Path) -> StoreOf:
    return lambda _environment, machine: SqliteStore(folder, machine.host)
