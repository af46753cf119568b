"""Faults of a run in real time: links cut and reset by the proxy, hosts whose processes are killed.

Owns when each begins and ends, and the mark that it took effect. A host without a process to kill does not
crash: such deviations are taken out of the plan before they could begin.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Final, Protocol, TypeAlias

from harness.deviations import BoundaryStep, CrashAtBoundary, CrashAtTime, CutLink, Deviation, ResetLink
from harness.model import DeviceId, HostName
from harness.plan import SERVICE_HOST, Plan
from harness.proxy import Proxy
from harness.sim import Host, Unsynced
from harness.trace import DeviationFired, HostCrashed, HostRestarted
from harness.wall.service_host import WallServiceHost
from harness.wall.stage import WallStage
from harness.world.agents import AgentSide
from harness.world.devices import DeviceSide
from harness.world.recorder import Recorder

WORLD: Final = HostName("world")
Crash: TypeAlias = CrashAtTime | CrashAtBoundary
_COUNTED: Final[dict[BoundaryStep, frozenset[str] | None]] = {
    "body": frozenset({"body entered"}),
    "effect": frozenset({"effect"}),
}
"""The kinds of boundary steps that a deviation counts; every step that can be seen, where none are named."""


class _Path(Protocol):
    """What connections of hosts pass, and what can go wrong there."""

    def blackhole(self, host: str, /) -> None:
        """Let nothing pass."""

    def reset(self, host: str, /) -> None:
        """Break the connections."""


@dataclass(slots=True)
class WallFaults:
    """The deviations of one run at work; ``proxy`` None means that the service is somebody else's."""

    plan: Plan
    stage: WallStage
    recorder: Recorder
    proxy: Proxy | None
    vendor: WallServiceHost
    agents: AgentSide
    devices: DeviceSide
    disturbed: set[HostName] = field(default_factory=set)
    """Hosts whose links or lives a fault has befallen so far."""
    _linked: set[HostName] = field(default_factory=set)
    """Those of them that were connected when it did."""
    _over: bool = False
    _fired: set[int] = field(default_factory=set)

    def begin(self) -> None:
        """Put into effect what the plan has from its start."""
        for deviation in self.plan.deviations:
            if isinstance(deviation, CutLink | ResetLink) and deviation.at_ns == 0:
                self._disturb(deviation)

    def install(self) -> None:
        """Put everything else into effect at its time, counted from now."""
        for deviation in self.plan.deviations:
            match deviation:
                case CutLink(at_ns=at_ns, for_ns=for_ns):
                    if at_ns:
                        self.stage.call_at(at_ns, self._disturb, deviation)
                    self.stage.call_at(at_ns + for_ns, self._heal_link, far_end(deviation))
                case ResetLink(at_ns=at_ns) if at_ns:
                    self.stage.call_at(at_ns, self._disturb, deviation)
                case CrashAtTime(at_ns=at_ns):
                    self.stage.call_at(at_ns, self._crash_at_time, deviation)
                case CrashAtBoundary():
                    self._crash_at_boundary(deviation)
                case _:
                    continue

    def fired(self, deviation: Deviation) -> None:
        """Leave the mark that ``deviation`` took effect, once."""
        index = self.plan.deviations.index(deviation)
        if index not in self._fired:
            self._fired.add(index)
            host = HostName(getattr(deviation, "host", WORLD))
            self.recorder.add(DeviationFired(self.stage.now_ns, host, index, deviation.kind))

    @property
    def awaits_reconnects(self) -> bool:
        """Whether a host that lost its connections to a fault has none yet."""
        return any(not self._connections(host) for host in self._linked)

    def heal(self) -> None:
        """End every fault: none begins, links heal, hosts come back."""
        self._over = True
        for name in (*self.plan.agents, *map(HostName, self.devices.owners)):
            self._heal_link(name)
            self._restart(self.stage.host(name))

    def _disturb(self, deviation: CutLink | ResetLink) -> None:
        if self._over:
            return
        self.fired(deviation)
        host = far_end(deviation)
        self._note_disturbed(host)
        paths: list[_Path] = [self.vendor] if self.proxy is None else [self.vendor, self.proxy]
        for path in paths:
            (path.blackhole if isinstance(deviation, CutLink) else path.reset)(host)

    def _note_disturbed(self, host: HostName) -> None:
        self.disturbed.add(host)
        if self._connections(host):
            self._linked.add(host)

    def _connections(self, host: HostName) -> int:
        return self.vendor.connections(host) + (0 if self.proxy is None else self.proxy.connections(host))

    def _heal_link(self, host: HostName) -> None:
        if self.proxy is not None:
            self.proxy.heal(host)
        self.vendor.heal(host)

    def _crash_at_time(self, deviation: CrashAtTime) -> None:
        host = self.stage.host(deviation.host)
        if host.alive and host.killable and not self._over:
            self.fired(deviation)
            self._crash(host, deviation.down_ns)

    def _crash_at_boundary(self, deviation: CrashAtBoundary) -> None:
        host, kinds = self.stage.host(deviation.host), _COUNTED.get(deviation.step)
        passed, earlier = 0, host.on_boundary

        def step(kind: str) -> None:
            nonlocal passed
            if earlier is not None:
                earlier(kind)
            if kinds is not None and kind not in kinds:
                return
            if passed == deviation.k and host.alive and host.killable and not self._over:
                self.fired(deviation)
                self._crash(host, deviation.down_ns, kind)
            passed += 1

        host.on_boundary = step

    def _crash(self, host: Host, down_ns: int, boundary: str = "") -> None:
        name = HostName(host.name)
        self._note_disturbed(name)
        self.recorder.add(HostCrashed(self.stage.now_ns, name, boundary))
        host.crash(Unsynced.KEPT)
        self.agents.power_lost(name)
        self.devices.power_lost(DeviceId(name))
        self.stage.call_at(self.stage.now_ns + down_ns, self._restart, host)

    def _restart(self, host: Host) -> None:
        if host.alive:
            return
        name = HostName(host.name)
        host.restart()
        self.recorder.add(HostRestarted(self.stage.now_ns, name))
        if name in self.plan.agents:
            self.agents.boot(name)
        elif DeviceId(name) in self.devices.owners:
            self.devices.join(DeviceId(name))


def far_end(deviation: CutLink | ResetLink) -> HostName:
    """Return the host at the other end of a link of the service."""
    return deviation.other if deviation.one == SERVICE_HOST else deviation.one


def without_impossible_crashes(plan: Plan, killable: Callable[[HostName], bool]) -> Plan:
    """Return ``plan`` without the crashes of hosts that no process stands behind.

    Crashes stand last in small plans, so that the places of the other deviations stay the same.
    """
    kept = tuple(
        it for it in plan.deviations if not isinstance(it, CrashAtTime | CrashAtBoundary) or killable(it.host)
    )
    return replace(plan, deviations=kept)
