"""One run in real time: the same world, people and properties, on a real event loop and real sockets.

Owns the order of such a run. Agents and devices that are there from the start come up first, and only then
the plan's clock starts: what comes before what is the plan's affair, not the machine's. The run is over when
everything happened or nothing stirs; then faults are healed, devices catch up, and the screens are read a
last time. What is unknown by then stays unknown: no property is judged by how long anything took.
"""

import asyncio
from dataclasses import dataclass
from typing import Final

from harness.ably.machine import fresh_text, wall_ns
from harness.adapter import Adapter, Machine
from harness.identity import IdentityProvider
from harness.model import CallId, DeviceId, HostName
from harness.plan import SERVICE_HOST, Plan
from harness.run import Run, finished_run
from harness.sim import Host
from harness.trace import AdapterFailed, DeviceJoined, HostCrashed, Quiet
from harness.wall.environment import WallDirectory, WallEnvironment, WallMachine, WallObserver
from harness.wall.faults import WORLD, WallFaults, without_impossible_crashes
from harness.wall.guests import Guests, ShownRecorder
from harness.wall.lanes import Lane, Site
from harness.wall.service_host import WallServiceHost
from harness.wall.small import on_own_channels, small
from harness.wall.stage import WallStage
from harness.wall.stillness import (
    ARRIVED,
    PATIENCE_S,
    SETTLED,
    SETTLED_APART,
    UNDECIDED,
    UNDECIDED_APART,
    Span,
    Watch,
)
from harness.world.agents import AgentSide, GatedCall
from harness.world.boundary import AdapterStartError, Boundary, open_implementation
from harness.world.build import calm_world, defects_of, failing_of
from harness.world.devices import DeviceSide
from harness.world.people import Crowd, of_people
from harness.world.recorder import Recorder
from harness.world.screens import Screens
from harness.world.tools import ToolBench

_NS_PER_S: Final = 1_000_000_000
_PATIENCE_NS: Final = int(PATIENCE_S) * _NS_PER_S


def execute_in_real_time(adapter: Adapter, plan: Plan, lane: Lane) -> Run:
    """Play ``plan``, made small, against a fresh instance of the adapter's implementation, in real time.

    Raises LaneError where the lane cannot be used.
    """
    return asyncio.run(play(adapter, plan, lane))


async def play(adapter: Adapter, plan: Plan, lane: Lane, *, apart: Span = UNDECIDED_APART) -> Run:
    """Play ``plan``, made small, on the running loop; several runs may share one loop.

    ``apart`` is how long nothing stirs, where hosts are processes of their own, before the run is over.
    """
    return await play_as_planned(adapter, small(plan, own_service=lane.own_service), lane, apart=apart)


async def play_as_planned(
    adapter: Adapter,
    plan: Plan,
    lane: Lane,
    guests: Guests | None = None,
    *,
    apart: Span = UNDECIDED_APART,
) -> Run:
    """Play ``plan`` as it is, at its own pace; it may deviate only as real time can.

    ``guests`` take part beside the people of the plan. Raises LaneError where the lane cannot be used.
    """
    plan = on_own_channels(plan, fresh_text()[:12])
    identity = IdentityProvider(plan.people, defects_of(plan), wall_ns() // _NS_PER_S)
    hosts = [*plan.agents, *(device.id for person in plan.people for device in person.devices)]
    async with lane.open(plan, identity, hosts) as site:
        stage = WallStage(asyncio.get_running_loop())
        recorder = ShownRecorder(lambda: stage.now_ns, guests=guests)
        try:
            plan = await _play(_world(adapter, plan, identity, site, stage, recorder), guests, apart)
        except AdapterStartError as error:
            recorder.add(AdapterFailed(0, WORLD, "open", str(error)))
        finally:
            await stage.end()
    return finished_run(adapter, plan, tuple(recorder.entries), 0)


@dataclass(frozen=True, slots=True)
class _World:
    """The wired world of one run; its calls become due once the agents' ``calls`` hold them."""

    cast: Plan
    stage: WallStage
    recorder: Recorder
    boundary: Boundary
    agents: AgentSide
    devices: DeviceSide
    faults: WallFaults
    crowd: Crowd
    vendor: WallServiceHost
    watch: Watch

    def arriving(self) -> set[HostName]:
        """Return the hosts that are coming up; those that a fault has befallen are not waited for."""
        coming = dict.fromkeys(self.cast.agents)
        for entry in self.recorder.entries:
            match entry:
                case DeviceJoined(host=host):
                    coming[host] = None
                case AdapterFailed(host=host) | HostCrashed(host=host):
                    coming.pop(host, None)
                case _:
                    continue
        up = self.agents.agents.keys() | {HostName(name) for name in self.devices.devices}
        return coming.keys() - up - self.faults.disturbed

    @property
    def apart(self) -> bool:
        """Whether a host of this run is a process of its own."""
        return any(self.stage.host(name).killable for name in (*self.cast.agents, *self.devices.owners))


def _world(
    adapter: Adapter,
    plan: Plan,
    identity: IdentityProvider,
    site: Site,
    stage: WallStage,
    recorder: Recorder,
) -> _World:
    """Wire the world of a run; raises AdapterStartError."""
    cast = calm_world(plan)
    owners = {device.id: person for person in cast.people for device in person.devices}
    screens = Screens(recorder, stage.env, {device: person.id for device, person in owners.items()})

    def machine(host: Host) -> Machine:
        def on_screen() -> None:
            if host.name in owners:
                devices.screen_changed(DeviceId(host.name))

        observer = WallObserver(recorder, host, host.incarnation, screens.name_call, on_screen)
        return WallMachine(host, observer, lambda: stage.now_ns)

    vendor = WallServiceHost(stage, machine(stage.host(SERVICE_HOST)), (*cast.agents, *owners))
    environment = WallEnvironment(
        WallDirectory(identity), identity.agent_token(), stage.shared_disk("store"), site.access, vendor
    )
    implementation = open_implementation(adapter, environment)
    boundary = Boundary(recorder)
    tools = ToolBench(recorder, failing_of(cast), stage.current_host)
    agents = AgentSide(stage, recorder, boundary, tools, implementation, machine, {})
    devices = DeviceSide(stage, recorder, boundary, screens, identity, implementation, machine, owners)
    faults = WallFaults(plan, stage, recorder, site.proxy, vendor, agents, devices)
    crowd = Crowd(stage.env, screens, devices.press, devices.forge, of_people(cast.deviations), faults.fired)

    def bytes_seen() -> int:
        return vendor.bytes_received + (0 if site.proxy is None else site.proxy.bytes_received)

    watch = Watch(recorder, stage.env, boundary, faults, bytes_seen)
    return _World(cast, stage, recorder, boundary, agents, devices, faults, crowd, vendor, watch)


async def _play(world: _World, guests: Guests | None, apart: Span) -> Plan:
    """Play from the first boot to the last look; returns the plan without what could not be done here."""
    await _bring_up(world)
    faults, stage = world.faults, world.stage
    plan = faults.plan = without_impossible_crashes(faults.plan, lambda host: stage.host(host).killable)
    calls = {spec.id: GatedCall(spec, stage.env.event()) for spec in world.cast.calls}
    world.agents.calls.update(calls)
    stage.env.start()
    faults.install()
    _schedule(world)
    people = world.crowd.start(world.cast.people)
    if guests is not None:
        await guests.take_part(world.devices, faults.proxy)
    everything = stage.env.all_of([*(it.ended for it in calls.values()), *people])
    span = apart if world.apart else UNDECIDED
    await world.watch.wait(lambda: everything.processed, span, for_people=True)
    faults.heal()
    await world.watch.wait(lambda: False, SETTLED_APART if world.apart else SETTLED, for_people=False)
    await _read_last(world)
    return plan


async def _bring_up(world: _World) -> None:
    """Boot the agents and join the devices that are there from the start."""
    world.faults.begin()
    for name in world.cast.agents:
        world.agents.boot(name)
    for person in world.cast.people:
        for device in person.devices:
            if device.joins_ns == 0:
                world.devices.join(device.id)
    await world.watch.wait(lambda: not world.arriving(), ARRIVED, for_people=False)


def _schedule(world: _World) -> None:
    """Enter what the plan says for later: devices that join, calls, and deadlines worth waiting for."""
    stage = world.stage
    for person in world.cast.people:
        for device in person.devices:
            if device.joins_ns:
                stage.call_at(device.joins_ns, world.devices.join, device.id)
    for call in world.cast.calls:
        stage.call_at(call.at_ns, _begin, world, call.id)
        if call.timeout_ns is not None and call.timeout_ns <= _PATIENCE_NS:
            stage.call_at(call.at_ns + call.timeout_ns, world.arriving)


def _begin(world: _World, call: CallId) -> None:
    """Make a call, after the devices that the plan has joining before it."""

    async def in_order() -> None:
        await world.watch.wait(lambda: not world.arriving(), ARRIVED, for_people=False)
        world.agents.begin(call)

    world.stage.host(WORLD).spawn(in_order(), name=f"begin {call}")


async def _read_last(world: _World) -> None:
    recorder, boundary, stage = world.recorder, world.boundary, world.stage
    recorder.add(Quiet(stage.now_ns, WORLD))
    world.devices.read_last_screens()
    await world.watch.wait(lambda: not boundary.busy, ARRIVED, for_people=False)
    boundary.report_hung_calls()
    boundary.run(stage.host(WORLD), "close", world.agents.implementation.close, lambda _: None)
    await world.watch.wait(lambda: not boundary.busy, ARRIVED, for_people=False)
    await world.vendor.close()
