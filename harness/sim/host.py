"""Owns hosts: where tasks are pinned, what a power cut takes away and what a restart finds again.

Invariant: a crash is a power cut. No `finally` block and no `except CancelledError` of the dead life ever
runs within the run; what its tasks still do before their step ends changes nothing outside. A restart begins
a new incarnation with the same disk and no memory.

It does not decide when to crash: the owner of the world does, at a time or at a boundary step
(`on_boundary`).
"""

from collections.abc import Callable, Coroutine
from contextvars import Context
from enum import StrEnum
from typing import Any, Final, Protocol, TypeVar

from harness.sim.disk import Disk, Unsynced
from harness.sim.errors import SimulationError
from harness.sim.incarnation import HERE, Incarnation

T = TypeVar("T")

BoundaryKind = str
"""`sent`, `received`, `write`, `swap`, `sync`, and whatever the owner reports through `Host.boundary`."""


class Peers(StrEnum):
    """What the other ends of a crashed host's connections notice."""

    SILENT = "silent"
    """Nothing, until they send something and the host is back: its new kernel answers with a reset."""
    RESET = "reset"
    """A reset, one link latency later."""


class Scheduler(Protocol):
    """The part of the loop that hosts need."""

    def create_task(
        self, coro: Coroutine[Any, Any, T], *, name: str | None = None, context: Context | None = None
    ) -> Any:
        """Start a task in a context."""
        ...

    def call_soon(self, callback: Callable[..., object], *args: Any, context: Context | None = None) -> Any:
        """Make a callback ready in a context."""
        ...

    def bury(self, incarnation: Incarnation) -> None:
        """Discard what a dead incarnation had scheduled."""
        ...


class Wiring(Protocol):
    """What happens elsewhere in the world when a host's life ends or begins."""

    def crashed(self, incarnation: Incarnation, unsynced: Unsynced, peers: Peers) -> None:
        """Settle the disks and the connections of a life that ended."""
        ...

    def restarted(self, host_name: str) -> None:
        """Let the network answer for a host that is back."""
        ...


class _Over:
    """The wiring of a run that has ended."""

    def crashed(self, incarnation: Incarnation, unsynced: Unsynced, peers: Peers) -> None:  # noqa: ARG002 - the protocol's shape
        """Refuse."""
        raise SimulationError(f"the run is over: host {incarnation.host_name!r} can no longer crash")

    def restarted(self, host_name: str) -> None:
        """Refuse."""
        raise SimulationError(f"the run is over: host {host_name!r} can no longer restart")


_OVER: Final = _Over()


class Host:
    """A named machine. Made by `Simulation.host`; alive from the start.

    `on_boundary` is called after each boundary step with its kind; it may crash this host. `boundary_count`
    is the number of boundary steps so far, over all lives.
    """

    __slots__ = (
        "_kills",
        "_scheduler",
        "_wiring",
        "boundary_count",
        "disk",
        "life",
        "name",
        "on_boundary",
    )

    def __init__(self, name: str, scheduler: Scheduler, wiring: Wiring) -> None:
        self.name: Final = name
        self.life = Incarnation(name, 1)
        self.on_boundary: Callable[[BoundaryKind], None] | None = None
        self.boundary_count = 0
        self.disk: Final = Disk(name, self.boundary_of)
        self._scheduler = scheduler
        self._wiring: Wiring = wiring
        self._kills: list[Callable[[], None]] = []

    def __repr__(self) -> str:
        return f"<Host {self.name}>"

    @property
    def alive(self) -> bool:
        """Whether the host has power."""
        return self.life.alive

    @property
    def incarnation(self) -> int:
        """Number of the present life, or of the last one while the power is off; the first is 1."""
        return self.life.number

    @property
    def skew_ns(self) -> int:
        """How far this host's wall clock is ahead of virtual time."""
        return self.life.skew_ns

    @skew_ns.setter
    def skew_ns(self, skew_ns: int) -> None:
        self.life.skew_ns = skew_ns

    def spawn(self, coro: Coroutine[Any, Any, T], name: str | None = None) -> Any:
        """Start `coro` as a task of the present life and return the task. On a dead host it never begins."""
        return self._scheduler.create_task(coro, name=name, context=self.life.context.copy())

    def call_soon(self, callback: Callable[..., object], *args: Any) -> Any:
        """Make `callback` ready to run on this host, as a scheduled step."""
        return self._scheduler.call_soon(callback, *args, context=self.life.context.copy())

    def on_power_loss(self, kill: Callable[[], None]) -> None:
        """Call `kill` at the instant at which the present life ends by a power cut.

        For what lives outside of this process and would outlast the cut: a child process to be killed.
        """
        self._kills.append(kill)

    @property
    def killable(self) -> bool:
        """Whether something outside of this process ends with the present life."""
        return bool(self._kills)

    def boundary(self, kind: BoundaryKind) -> None:
        """Report a step at which a crash can matter; ignored from a life that is over."""
        here = HERE.get()
        if here is None or here is self.life:
            self.boundary_of(self.life, kind)

    def boundary_of(self, incarnation: Incarnation, kind: BoundaryKind) -> None:
        """Report such a step for one of this host's lives; ignored unless that life is the present one."""
        if incarnation is self.life and incarnation.alive:
            self.boundary_count += 1
            if self.on_boundary is not None:
                self.on_boundary(kind)

    def crash(self, unsynced: Unsynced = Unsynced.LOST, peers: Peers = Peers.SILENT) -> None:
        """Cut the power. A host that is already off stays off."""
        life = self.life
        if life.alive:
            life.alive = False
            kills, self._kills = self._kills, []
            for kill in kills:
                kill()
            self._scheduler.bury(life)
            self._wiring.crashed(life, unsynced, peers)

    def restart(self) -> None:
        """Power on again, as a new incarnation with the same disk and clock skew.

        Crash first if the host is on.
        """
        if self.life.alive:
            self.crash()
        self.life = Incarnation(self.name, self.life.number + 1, self.life.skew_ns)
        self._wiring.restarted(self.name)

    def dissolve(self) -> None:
        """Let go of the world once the run is over; the disk stays readable."""
        self.life.context = Context()
        self.disk.detach()
        self._wiring = _OVER
