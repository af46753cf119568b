"""One run of the adapter: the embedded control plane, real workers in processes, and people's devices.

Owns how they find each other. The control plane runs on the service's host and keeps its records in a SQLite
file; each agent host is one process of ``worker.mjs``; devices are clients of the API in this process.
"""

import asyncio
import copy
import weakref
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final

from pydantic import JsonValue

from harness.adapter import (
    Agent,
    Device,
    Environment,
    Implementation,
    Machine,
    Manifest,
    NpmRequires,
    ServicePort,
)
from harness.install.node import node_variables
from harness.model import HostName, Person
from harness.stdio.adapter import StdioAdapter
from harness.stdio.launch import Launch
from harness.stdio.messages import Services
from harness.stdio.virtual import is_virtual

from .device import LOOK_PATIENCE_S, ApproverDevice
from .plane import NS_PER_S, Pace, Plane
from .rights import KEY_PREFIX
from .rulings import Rulings
from .shell import Shell
from .store import Store

_FOLDER: Final = Path(__file__).parent
_SCRIPT: Final = _FOLDER / "worker.mjs"
REQUIRES: Final = NpmRequires("inferable", "inferable", _FOLDER / "package-lock.json")
CONTROL_PLANE: Final = HostName("control-plane")
"""The folder of the control plane's file, among those of the run's hosts."""


@dataclass(frozen=True, slots=True)
class Tempo:
    """What depends on the clock alone: how long things wait for each other.

    ``pace_ms`` is the shortest pause of who asks again and again; ``timeout_s`` is how long a machine may
    have a call, 30 s by default. A ``patient`` worker's HTTP client waits for answers without a
    timeout, which otherwise costs it a timer twice a second.
    """

    pace_ms: int
    timeout_s: float
    plane: Pace
    patient: bool = False


VIRTUAL: Final = Tempo(pace_ms=500, timeout_s=30, plane=Pace(86_400 * NS_PER_S, 1), patient=True)
"""A poll waits for a day, so that idle days are cheap; the world itself ends connections that are dead."""
REAL: Final = Tempo(pace_ms=50, timeout_s=4, plane=Pace(10 * NS_PER_S, 0.05))


@dataclass(frozen=True, slots=True)
class Form:
    """One way to deploy it: whose rules, how often a stalled call is tried again, and whether with claims."""

    rulings: Callable[[], Rulings]
    retries: int = 0
    claims: bool = False


@dataclass(frozen=True, slots=True)
class ControlPlane:
    """The control plane of one run, where it listens, and how long things wait for it."""

    shell: Shell
    port: ServicePort
    tempo: Tempo


class InferableImplementation:
    """One isolated instance; its control plane starts with its first host."""

    def __init__(self, environment: Environment, form: Form, workers: StdioAdapter) -> None:
        self._environment = environment
        self._form = form
        agents = copy.copy(workers)
        agents.services = self._services
        self._agents = agents.open(environment)
        self._devices: dict[str, ApproverDevice] = {}

    async def boot_agent(self, machine: Machine) -> Agent:
        """Start a worker; raises AdapterFault."""
        return await self._agents.boot_agent(machine)

    async def join_device(self, machine: Machine, person: Person) -> Device:
        """Bring up a device."""
        plane = self._control_plane
        device = ApproverDevice(machine, person, plane.port, plane.tempo.pace_ms / 1000)
        self._devices[machine.host.name] = device
        device.join()
        return device

    async def close(self) -> None:
        """End the control plane once the last looks at screens are done, then the workers.

        Raises AdapterFault.
        """
        plane = self._control_plane
        with suppress(TimeoutError):
            async with asyncio.timeout(LOOK_PATIENCE_S):
                await self._last_looks(plane.tempo.pace_ms / 1000)
        plane.shell.close()
        plane.shell.plane.store.close()
        await self._agents.close()

    async def _last_looks(self, pace_s: float) -> None:
        await asyncio.sleep(pace_s)
        while any(device.looking for device in self._devices.values()):  # noqa: ASYNC110 - of several hosts
            await asyncio.sleep(pace_s)

    @cached_property
    def _control_plane(self) -> ControlPlane:
        tempo = VIRTUAL if is_virtual() else REAL
        service, folder = self._environment.service, self._agents.folders.of(CONTROL_PLANE)
        store = Store(Path(folder) / "control-plane.sqlite3")
        weakref.finalize(self, store.close)
        plane = Plane(
            store,
            self._form.rulings(),
            tempo.plane,
            self._environment.directory,
            service.machine.observe,
        )
        shell = Shell(plane, service.machine.now_ns)
        return ControlPlane(shell, service.listen(shell.protocol), tempo)

    async def _services(self, environment: Environment, machine: Machine, token: str) -> Services:
        """Return where the control plane is, and how a worker shall use it."""
        del environment, machine, token
        plane = self._control_plane
        host, port = await plane.port.address()
        settings: dict[str, JsonValue] = {
            "host": host,
            "port": port,
            "key_prefix": KEY_PREFIX,
            "pace_ms": plane.tempo.pace_ms,
            "timeout_s": plane.tempo.timeout_s,
            "patient": plane.tempo.patient,
            "retries": self._form.retries,
            "claims": self._form.claims,
        }
        return {"inferable": settings}


@dataclass(slots=True)
class InferableAdapter:
    """A form under a manifest."""

    manifest: Manifest
    form: Form
    _started: list[StdioAdapter] = field(default_factory=list)

    def open(self, environment: Environment) -> Implementation:
        """Return a fresh instance for one run; raises NotInstalledError."""
        return InferableImplementation(environment, self.form, self._workers())

    def end(self) -> None:
        """Kill the workers that were started ahead of need."""
        for workers in self._started:
            workers.stock.drain()
            workers.pool.drain()
        self._started.clear()

    def _workers(self) -> StdioAdapter:
        """Return the command that starts a worker, with those that wait started ahead of need."""
        if not self._started:
            launch = Launch(("node", str(_SCRIPT)), environment=node_variables(REQUIRES))
            self._started.append(StdioAdapter(launch, self.manifest))
        return self._started[0]
