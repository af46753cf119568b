"""One run in real time: the same world, people and properties, on a real event loop and real sockets.

Owns the order in which such a run ends. It is over when everything happened or patience ran out; then links
are healed, devices get time to catch up with the channel's history, and the screens are read a last time.
What is unknown by then stays unknown: no property is judged by how long anything took.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, NoReturn

from harness.ably.machine import fresh_text, wall_ns
from harness.adapter import AblyAccess, Adapter, Directory, Identity, Machine, ServiceHost, Standing
from harness.deviations import CutLink, Deviation, ResetLink
from harness.identity import IdentityProvider
from harness.messaging import ChannelClient
from harness.model import DeviceId, HostName, PersonId
from harness.plan import SERVICE_HOST, Plan
from harness.run import Run, finished_run
from harness.sim import Disk, Host
from harness.trace import AdapterFailed, DeviationFired, Quiet
from harness.wall.lanes import Lane, Site
from harness.wall.service_host import WallServiceHost
from harness.wall.small import on_own_channels, small
from harness.wall.stage import RealTimeError, WallStage
from harness.world.agents import AgentSide, GatedCall
from harness.world.boundary import AdapterStartError, Boundary, open_implementation
from harness.world.build import calm_world, defects_of, failing_of
from harness.world.devices import DeviceSide
from harness.world.people import Crowd
from harness.world.recorder import HostObserver, Recorder
from harness.world.screens import Screens
from harness.world.tools import ToolBench

PATIENCE_S: Final = 30.0
"""How long a run may take; longer than the SDK's connection timeout and its retry put together (25 s)."""
SETTLE_S: Final = 1.0
"""How long devices have to catch up after faults are healed."""
LAST_READ_S: Final = 5.0
_POLL_S: Final = 0.02
_WORLD: Final = HostName("world")
_NS_PER_S: Final = 1_000_000_000


@dataclass(frozen=True, slots=True)
class WallDirectory:
    """The identity provider as implementations see it, by the machine's clock."""

    provider: IdentityProvider

    def verify(self, token: str) -> Identity:
        """Return whom ``token`` speaks for; raises jwt.InvalidTokenError with the reason otherwise."""
        return self.provider.verify(token, wall_ns() / _NS_PER_S)

    def standing(self, person: PersonId) -> Standing | None:
        """Return the directory's current record of a person."""
        return self.provider.standing(person)


@dataclass(frozen=True, slots=True)
class WallEnvironment:
    """What an implementation is handed at the start of a run."""

    directory: Directory
    agent_token: str
    shared_disk: Disk
    ably: AblyAccess
    service: ServiceHost


@dataclass(frozen=True, slots=True)
class WallMachine:
    """One host as an adapter's code on it sees it."""

    host: Host
    observe: HostObserver
    clock: Callable[[], int]

    def now_ns(self) -> int:
        """Return nanoseconds since the start of the run."""
        return self.clock()

    def connect(self, token: str, *, client_id: str | None = None) -> ChannelClient:
        """Refuse: simulated messages have no place in real time."""
        del token, client_id
        return _no_messages()

    def on_power_loss(self, kill: Callable[[], None]) -> None:
        """Call ``kill`` when this life of the host loses power."""
        self.host.on_power_loss(kill)


def _no_messages() -> NoReturn:
    raise RealTimeError("this adapter runs over simulated messages; in real time only those over sockets do")


@dataclass(slots=True)
class WallFaults:
    """Cuts and resets of links, made by the proxy."""

    plan: Plan
    stage: WallStage
    recorder: Recorder
    site: Site
    vendor: WallServiceHost
    _fired: set[int] = field(default_factory=set)

    def install(self) -> None:
        """Put every fault of a link into effect at its time; mark what the cast has from the start."""
        for deviation in self.plan.deviations:
            match deviation:
                case CutLink(at_ns=at_ns, for_ns=for_ns):
                    self.stage.call_at(at_ns, self._cut, deviation)
                    self.stage.call_at(at_ns + for_ns, self._heal, _far_end(deviation))
                case ResetLink(at_ns=at_ns):
                    self.stage.call_at(at_ns, self._reset, deviation)
                case _:
                    continue

    def fired(self, deviation: Deviation) -> None:
        """Leave the mark that ``deviation`` took effect, once."""
        index = self.plan.deviations.index(deviation)
        if index not in self._fired:
            self._fired.add(index)
            self.recorder.add(DeviationFired(self.stage.now_ns, _WORLD, index, deviation.kind))

    def heal(self) -> None:
        """End every fault."""
        for name in (*self.plan.agents, *(it.id for person in self.plan.people for it in person.devices)):
            self._heal(HostName(name))

    def _cut(self, deviation: CutLink) -> None:
        self.fired(deviation)
        if self.site.proxy is not None:
            self.site.proxy.blackhole(_far_end(deviation))
        self.vendor.blackhole(_far_end(deviation))

    def _reset(self, deviation: ResetLink) -> None:
        self.fired(deviation)
        if self.site.proxy is not None:
            self.site.proxy.reset(_far_end(deviation))
        self.vendor.reset(_far_end(deviation))

    def _heal(self, host: HostName) -> None:
        if self.site.proxy is not None:
            self.site.proxy.heal(host)
        self.vendor.heal(host)


def _far_end(deviation: CutLink | ResetLink) -> HostName:
    """Return the host at the other end of a link of the service."""
    return deviation.other if deviation.one == SERVICE_HOST else deviation.one


def execute_in_real_time(adapter: Adapter, plan: Plan, lane: Lane) -> Run:
    """Play ``plan``, made small, against a fresh instance of the adapter's implementation, in real time.

    Raises LaneError where the lane cannot be used.
    """
    plan = on_own_channels(small(plan, own_service=lane.own_service), fresh_text()[:12])
    return asyncio.run(_play(adapter, plan, lane))


async def _play(adapter: Adapter, plan: Plan, lane: Lane) -> Run:
    identity = IdentityProvider(plan.people, defects_of(plan), wall_ns() // _NS_PER_S)
    hosts = [*plan.agents, *(device.id for person in plan.people for device in person.devices)]
    async with lane.open(plan, identity, hosts) as site:
        stage = WallStage(asyncio.get_running_loop())
        recorder = Recorder(lambda: stage.now_ns)
        try:
            await _Game(adapter, plan, identity, site, stage, recorder).play()
        except AdapterStartError as error:
            recorder.add(AdapterFailed(0, _WORLD, "open", str(error)))
        finally:
            await stage.end()
    return finished_run(adapter, plan, tuple(recorder.entries), 0)


@dataclass(frozen=True, slots=True)
class _Game:
    """Wires the world of one run and plays it."""

    adapter: Adapter
    plan: Plan
    identity: IdentityProvider
    site: Site
    stage: WallStage
    recorder: Recorder

    async def play(self) -> None:
        stage, recorder, cast = self.stage, self.recorder, calm_world(self.plan)
        owners = {device.id: person for person in cast.people for device in person.devices}
        screens = Screens(recorder, stage.env, {device: person.id for device, person in owners.items()})

        def machine(host: Host) -> Machine:
            def on_screen() -> None:
                if host.name in owners:
                    devices.screen_changed(DeviceId(host.name))

            observer = HostObserver(recorder, host, host.incarnation, screens.name_call, on_screen)
            return WallMachine(host, observer, lambda: stage.now_ns)

        hosts = (*cast.agents, *owners)
        vendor = WallServiceHost(stage, machine(stage.host(SERVICE_HOST)), hosts)
        environment = WallEnvironment(
            WallDirectory(self.identity),
            self.identity.agent_token(),
            stage.shared_disk("store"),
            self.site.access,
            vendor,
        )
        implementation = open_implementation(self.adapter, environment)
        boundary = Boundary(recorder)
        tools = ToolBench(recorder, failing_of(cast), stage.current_host)
        calls = {spec.id: GatedCall(spec, stage.env.event()) for spec in cast.calls}
        agents = AgentSide(stage, recorder, boundary, tools, implementation, machine, calls)
        devices = DeviceSide(
            stage, recorder, boundary, screens, self.identity, implementation, machine, owners
        )
        faults = WallFaults(self.plan, stage, recorder, self.site, vendor)
        crowd = Crowd(stage.env, screens, devices.press, devices.forge, cast.deviations, faults.fired)
        faults.install()
        for name in cast.agents:
            agents.boot(name)
        for person in cast.people:
            for device in person.devices:
                stage.call_at(device.joins_ns, devices.join, device.id)
        for call in cast.calls:
            stage.call_at(call.at_ns, agents.begin, call.id)
        everything = stage.env.all_of([*(it.ended for it in calls.values()), *crowd.start(cast.people)])
        await _until(lambda: everything.processed, PATIENCE_S)
        faults.heal()
        await asyncio.sleep(SETTLE_S)
        recorder.add(Quiet(stage.now_ns, _WORLD))
        devices.read_last_screens()
        await _until(lambda: not boundary.busy, LAST_READ_S)
        boundary.report_hung_calls()
        boundary.run(stage.host(_WORLD), "close", implementation.close, lambda _: None)
        await _until(lambda: not boundary.busy, LAST_READ_S)
        await vendor.close()


async def _until(done: Callable[[], bool], patience_s: float) -> None:
    """Wait until ``done``, or until patience runs out."""
    loop = asyncio.get_running_loop()
    ends_s = loop.time() + patience_s
    while not done() and loop.time() < ends_s:  # noqa: ASYNC110 - SimPy's events wake no coroutine
        await asyncio.sleep(_POLL_S)
