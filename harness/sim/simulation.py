"""Owns the assembly of one run: it builds the parts, hands them to each other and takes them down again.

Invariant: inside the `with` block the standard library's clocks, randomness and escapes belong to the run;
after it they are as they were, and nothing of the run is left. One run at a time in a process.

It decides nothing: order is `schedule`'s, time is the calendar's, faults are the owner's.
"""

import gc
import hashlib
import warnings
from collections.abc import Callable, Coroutine
from contextlib import ExitStack
from enum import StrEnum
from functools import partial
from types import TracebackType
from typing import Any, Final, Self, TypeVar, cast

from harness.sim.calendar import Calendar, Timer, WorldEvent
from harness.sim.clock import EPOCH, Instant, VirtualClocks, VirtualNs, epoch_ns
from harness.sim.disk import Disk, Unsynced
from harness.sim.entropy import Entropy
from harness.sim.errors import DeadlockError, Failure, FenceError, SimulationError, Waiting
from harness.sim.fence import Fence
from harness.sim.host import Host, Peers
from harness.sim.incarnation import HERE, Incarnation
from harness.sim.loop import Limits, SimLoop
from harness.sim.network import Network
from harness.sim.schedule import SchedulingPolicy, SeededRandom
from harness.sim.streams import SimSockets
from harness.sim.teardown import close_down

T = TypeVar("T")

_NO_LIMITS: Final = Limits()
_current: list["Simulation"] = []


class Stop(StrEnum):
    """Why `Simulation.run_until` came back."""

    EVENT = "event"
    DEADLINE = "deadline"
    IDLE = "idle"


class Simulation:
    """One run of the machine; a context manager. Use it for worlds, and `simulate` for a single coroutine.

    `seed` feeds every random stream; `policy` chooses among ready steps (uniformly at random from the seed
    when None); `start` is the wall-clock instant at which the run begins; `limits` bound its steps.

    What is entered into `resources` during the run is left at its end.
    After the block, `leaks` names the tasks that were still pending and `failures` the errors nobody awaited.
    """

    def __init__(
        self,
        *,
        seed: int = 0,
        policy: SchedulingPolicy | None = None,
        start: Instant = EPOCH,
        limits: Limits = _NO_LIMITS,
    ) -> None:
        self.seed: Final = seed
        self.entropy: Final = Entropy(seed)
        chooser = policy or SeededRandom(self.entropy.stream("schedule"))
        self.loop: Final = SimLoop(chooser, limits, self._make_sockets)  # type: ignore[abstract] # the fence's table has the rest
        self.env: Final[Calendar] = self.loop.calendar
        self.leaks: tuple[Waiting, ...] = ()
        self._start_ns = _EPOCH_NS if start is EPOCH else epoch_ns(start)
        self._hosts: dict[str, Host] = {}
        self._disks: dict[str, Disk] = {}
        self._network: Network | None = None
        self._sockets: SimSockets | None = None
        self._fence = Fence()
        self._clocks = VirtualClocks()
        self._collecting = False
        self._warn_unawaited: Any = None
        self.resources: Final = ExitStack()

    # -- entering and leaving

    def __enter__(self) -> Self:
        if _current:
            raise SimulationError(
                "a simulation is already open in this process; close it before opening another"
            )
        _current.append(self)
        self._collecting = gc.isenabled()
        gc.disable()
        self.entropy.install()
        self._fence.install()
        self._clocks.install(lambda: self.env.now_ns, self._wall_ns)
        self._warn_unawaited = warnings._warn_unawaited_coroutine  # type: ignore[attr-defined]  # noqa: SLF001 - the hook CPython calls
        warnings._warn_unawaited_coroutine = self._note_unawaited  # type: ignore[attr-defined]  # noqa: SLF001 - as above
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if self._network is not None:
                self._network.shut()
            if self._sockets is not None:
                self._sockets.shut()
            for host in self._hosts.values():
                host.on_boundary = None
            self.leaks = close_down(self.loop, self._seal_off)
            self._dissolve()
        finally:
            self.resources.close()
            warnings._warn_unawaited_coroutine = self._warn_unawaited  # type: ignore[attr-defined]  # noqa: SLF001 - as above
            self._clocks.uninstall()
            self._fence.uninstall()
            self.entropy.uninstall()
            _current.clear()
            if self._collecting:
                gc.enable()

    def _seal_off(self) -> None:
        if self._sockets is not None:
            self._sockets.seal_off()

    def _dissolve(self) -> None:
        """Break the run's reference cycles: it shall die with its last reference, collector or not."""
        if self._network is not None:
            self._network.dissolve()
        for host in self._hosts.values():
            host.dissolve()
        for disk in self._disks.values():
            disk.detach()
        self.loop.dissolve()

    def _note_unawaited(self, coro: Coroutine[Any, Any, Any]) -> None:
        code = coro.cr_code  # type: ignore[attr-defined]
        self.loop.failures.append(
            Failure(
                _here_name(),
                code.co_qualname,
                "coroutine was never awaited; put `await` before the call",
                None,
            )
        )

    # -- the parts

    @property
    def now_ns(self) -> VirtualNs:
        """Virtual time since the start of the run."""
        return cast("VirtualNs", self.env.now_ns)

    @property
    def steps(self) -> int:
        """Scheduling steps so far."""
        return self.loop.steps

    @property
    def picks(self) -> tuple[tuple[int, int], ...]:
        """Every (step, index) at which the policy left FIFO order.

        `Picks(dict(sim.picks))` repeats the run.
        """
        return tuple(self.loop.picks)

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Errors that no task awaited, attributed to hosts."""
        return tuple(self.loop.failures)

    @property
    def breaches(self) -> tuple[FenceError, ...]:
        """Calls that were refused, including those whose error the program swallowed."""
        return tuple(self._fence.breaches)

    @property
    def network(self) -> Network:
        """The network between the hosts."""
        if self._network is None:
            self._network = Network(self.env, self.loop, self.host, self._hosts.__contains__)
        return self._network

    def _make_sockets(self) -> SimSockets:
        if self._sockets is None:
            self._sockets = SimSockets(self.loop, self.network, self._fence.descriptors)
        return self._sockets

    def host(self, name: str) -> Host:
        """Return the host of that name, creating it at its first use."""
        found = self._hosts.get(name)
        if found is None:
            found = self._hosts[name] = Host(name, self.loop, self)
        return found

    def shared_disk(self, name: str) -> Disk:
        """Return the disk of that name, which any host may use.

        A crash costs a host only its own unsynced writes.
        """
        found = self._disks.get(name)
        if found is None:
            found = self._disks[name] = Disk(name, self._report_boundary)
        return found

    def current_host(self) -> Host | None:
        """Return the host whose step is running, or None."""
        here = HERE.get()
        return None if here is None else self.host(here.host_name)

    def call_at(self, at_ns: int, callback: Callable[..., object], *args: Any) -> Timer:
        """Call `callback` at a virtual instant, outside every host; the timer returned can be cancelled."""
        return self.env.at(at_ns, partial(callback, *args))

    # -- running

    def run(self, main: Callable[[], Coroutine[Any, Any, T]], *, host: str = "main") -> T:
        """Run `main()` as a task of `host` to its end in virtual time and return its result.

        Raises what `main` raises, `DeadlockError` when nothing is left to happen before it is done,
        `LivelockError` and `StepLimitError` when it does not end.
        """
        self._require_open("run")
        task = self.host(host).spawn(main(), name="main")
        if not self.loop.drive(task.done):
            raise DeadlockError(self.now_ns, self.loop.waiting(self.loop.pending_tasks()))
        result: T = task.result()
        return result

    def run_until(self, event: WorldEvent | None = None, *, deadline_ns: int | None = None) -> Stop:
        """Step the world until `event` was processed, the deadline has come, or nothing is left to happen.

        An idle world is a result here, not an error. With neither an event nor a deadline the world runs
        until idle. At the deadline the clock stands exactly on it, and what is due at that instant has not
        necessarily happened.
        """
        self._require_open("run_until")
        happened: list[Stop] = []
        if event is not None and event.processed:
            return Stop.EVENT
        alarm = (
            None if deadline_ns is None else self.env.at(deadline_ns, lambda: happened.append(Stop.DEADLINE))
        )
        if event is not None:
            event.callbacks.append(lambda _: happened.append(Stop.EVENT))
        try:
            self.loop.drive(happened.__len__)
        finally:
            if alarm is not None:
                alarm.cancel()
        if not happened:
            return Stop.IDLE
        return Stop.EVENT if Stop.EVENT in happened else Stop.DEADLINE

    def _require_open(self, call: str) -> None:
        if not _current or _current[0] is not self:
            raise SimulationError(
                f"Simulation.{call} needs the simulation to be open; use `with Simulation(...) as sim:`"
            )

    def waiting(self) -> tuple[Waiting, ...]:
        """Unfinished tasks of living hosts and where each waits."""
        return self.loop.waiting(self.loop.pending_tasks())

    def schedule_digest(self) -> str:
        """Digest over the label of every step and every advance of time.

        Equal digests mean equal executions.
        """
        return hashlib.blake2b("\n".join(map(str, self.loop.record)).encode(), digest_size=16).hexdigest()

    # -- what hosts tell

    def crashed(self, incarnation: Incarnation, unsynced: Unsynced, peers: Peers) -> None:
        """Settle disks and connections of a life that ended; called by `Host.crash`."""
        name = incarnation.host_name
        self.host(name).disk.power_cut(name, unsynced)
        for disk in self._disks.values():
            disk.power_cut(name, unsynced)
        if self._network is not None:
            self._network.host_crashed(incarnation, reset=peers is Peers.RESET)

    def restarted(self, host_name: str) -> None:
        """Let the network answer for a host that is back; called by `Host.restart`."""
        if self._network is not None:
            self._network.host_restarted(host_name)

    def _report_boundary(self, incarnation: Incarnation, kind: str) -> None:
        host = self._hosts.get(incarnation.host_name)
        if host is not None and host.life is incarnation:
            host.boundary(kind)

    def _wall_ns(self) -> int:
        here = HERE.get()
        return self._start_ns + self.env.now_ns + (0 if here is None else here.skew_ns)


_EPOCH_NS: Final = epoch_ns(EPOCH)


def _here_name() -> str:
    here = HERE.get()
    return "world" if here is None else here.host_name


def simulate(
    main: Callable[[], Coroutine[Any, Any, T]], *, seed: int = 0, policy: SchedulingPolicy | None = None
) -> T:
    """Run an async function in virtual time and return its result, or raise what it raises.

    Without a `policy` the order of simultaneous steps is drawn from `seed`; equal seeds give equal
    executions.
    """
    with Simulation(seed=seed, policy=policy) as sim:
        return sim.run(main)


def current_host() -> Host | None:
    """Return the host whose step is running, or None outside of any host or any simulation."""
    return _current[0].current_host() if _current else None


def at_end_of_run(release: Callable[[], object]) -> None:
    """Have ``release`` called when the present run is over, however it ends."""
    _present().resources.callback(release)


def seed_of_run() -> int:
    """Return the seed of the present run."""
    return _present().seed


def _present() -> Simulation:
    if not _current:
        raise SimulationError("no simulation is open; this belongs to code that runs inside of one")
    return _current[0]


def freeze() -> None:
    """Collect garbage once and exempt everything alive from later collections. Call it before a campaign.

    A collection in a process that has imported Hypothesis and pydantic takes 30 ms, and each one between runs
    would look at all of it again.
    """
    gc.collect()
    gc.freeze()
