"""From a plan to a world: hosts, screens, people, agents and faults, wired once and handed over.

Owns the wiring and the order in which things start. Nothing calls back into it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import simpy

from harness.adapter import (
    AblyAccess,
    Adapter,
    Directory,
    Identity,
    Implementation,
    Machine,
    ServiceHost,
    Standing,
)
from harness.deviations import RequireRole, SpoilCredential, SwitchDevice, ToolFails
from harness.identity import IdentityProvider, channel_name
from harness.messaging import EPOCH_NS, ChannelServiceHost
from harness.model import CallId, DeviceId, PersonId
from harness.plan import SERVICE_HOST, PersonSpec, Plan
from harness.sim import Disk, Host, NetworkEvent, Simulation, SimulationError
from harness.trace import Defect
from harness.world.ably_service import AblyServiceHost
from harness.world.agents import AgentSide, GatedCall
from harness.world.boundary import Boundary, SimMachine, open_implementation
from harness.world.devices import DeviceSide
from harness.world.faults import Faults
from harness.world.people import Crowd, of_people
from harness.world.recorder import HostObserver, Recorder
from harness.world.screens import Screens
from harness.world.service_host import SimServiceHost
from harness.world.tools import ToolBench


def calm_world(plan: Plan) -> Plan:
    """Return ``plan`` with the deviations that change the cast folded into it.

    A stricter policy and a device that joins later are properties of the world from its start; the
    deviations stay in the plan, so that their marks can be left.
    """
    people, calls = list(plan.people), list(plan.calls)
    for deviation in plan.deviations:
        match deviation:
            case RequireRole(call=call, role=role):
                calls = [
                    replace(spec, policy=replace(spec.policy, minimum_role=role)) if spec.id == call else spec
                    for spec in calls
                ]
            case SwitchDevice(person=person, device=device, at_ns=at_ns):
                people = [_joins_late(it, device, at_ns) if it.id == person else it for it in people]
            case _:
                continue
    return replace(plan, people=tuple(people), calls=tuple(calls))


def _joins_late(person: PersonSpec, late: DeviceId, at_ns: int) -> PersonSpec:
    devices = [replace(it, joins_ns=at_ns) if it.id == late else it for it in person.devices]
    return replace(person, devices=tuple(devices))


@dataclass(frozen=True, slots=True)
class SimDirectory:
    """The identity provider as implementations see it, reading the run's clock."""

    provider: IdentityProvider
    sim: Simulation

    def verify(self, token: str) -> Identity:
        """Return whom ``token`` speaks for; raises jwt.InvalidTokenError with the reason otherwise."""
        return self.provider.verify(token, (EPOCH_NS + self.sim.now_ns) / 1e9)

    def standing(self, person: PersonId) -> Standing | None:
        """Return the directory's current record of a person."""
        return self.provider.standing(person)


@dataclass(frozen=True, slots=True)
class SimEnvironment:
    """What an implementation is handed at the start of a run."""

    directory: Directory
    agent_token: str
    shared_disk: Disk
    ably: AblyAccess
    service: ServiceHost


@dataclass(frozen=True, slots=True)
class World:
    """One run's world, ready to start."""

    sim: Simulation
    plan: Plan
    recorder: Recorder
    service: ChannelServiceHost
    vendor: SimServiceHost
    boundary: Boundary
    implementation: Implementation
    agents: AgentSide
    devices: DeviceSide
    faults: Faults
    crowd: Crowd

    def start(self) -> list[simpy.Event]:
        """Schedule everything the plan says; returns the events that all happen in a run that ends well."""
        self.faults.install()
        for name in self.plan.agents:
            self.agents.boot(name)
        for person in self.plan.people:
            for device in person.devices:
                self.sim.call_at(device.joins_ns, self.devices.join, device.id)
        for call in self.plan.calls:
            self.sim.call_at(call.at_ns, self.agents.begin, call.id)
        processes: Sequence[simpy.Event] = self.crowd.start(self.plan.people)
        return [*(call.ended for call in self.agents.calls.values()), *processes]

    def dissolve(self) -> None:
        """Let go of the implementation and break the world's reference cycles, after teardown.

        A run that waits for the collector costs its memory once more: the next run finds none of it free.
        """
        self.service.dissolve()
        self.agents.agents.clear()
        self.devices.devices.clear()
        self.agents.machine = self.devices.machine = _no_machine


def build(adapter: Adapter, plan: Plan, sim: Simulation) -> World:
    """Wire the world of ``plan`` around a fresh instance of the implementation.

    Raises AdapterStartError where the adapter cannot open one.
    """
    plan = calm_world(plan)
    recorder = Recorder(lambda: sim.env.now_ns)
    identity = IdentityProvider(plan.people, defects_of(plan), EPOCH_NS // 1_000_000_000)
    service = ChannelServiceHost(sim, SERVICE_HOST, identity.authenticate)
    owners = {device.id: person for person in plan.people for device in person.devices}
    screens = Screens(recorder, sim.env, {device: person.id for device, person in owners.items()})
    directory = SimDirectory(identity, sim)
    ably = AblyServiceHost(sim, identity, plan)

    def machine(host: Host) -> Machine:
        def on_screen() -> None:
            if host.name in owners:
                devices.screen_changed(DeviceId(host.name))

        observer = HostObserver(recorder, host, host.incarnation, screens.name_call, on_screen)
        return SimMachine(host, observer, recorder.now_ns, service)

    vendor = SimServiceHost(sim, machine(sim.host(SERVICE_HOST)))
    environment = SimEnvironment(directory, identity.agent_token(), sim.shared_disk("store"), ably, vendor)
    implementation = open_implementation(adapter, environment)
    boundary = Boundary(recorder)
    tools = ToolBench(recorder, failing_of(plan))
    calls = {spec.id: GatedCall(spec, sim.env.event()) for spec in plan.calls}
    agents = AgentSide(sim, recorder, boundary, tools, implementation, machine, calls)
    devices = DeviceSide(sim, recorder, boundary, screens, identity, implementation, machine, owners)
    faults = Faults(sim, plan, recorder, agents, devices, identity)
    crowd = Crowd(sim.env, screens, devices.press, devices.forge, of_people(plan.deviations), faults.fired)
    sim.network.latency_ns = plan.latency_ns
    if plan.backlog:
        _preload(service, identity, plan)

    def on_network(event: NetworkEvent) -> None:
        recorder.entries.append(event)
        if event.kind == "delivered" and event.target in owners:
            devices.message_arrived(DeviceId(event.target))

    sim.network.recorder = on_network
    return World(
        sim, plan, recorder, service, vendor, boundary, implementation, agents, devices, faults, crowd
    )


def _no_machine(host: Host) -> Machine:
    raise SimulationError(f"the run is over: no machine can be had for {host.name!r}")


def _preload(service: ChannelServiceHost, identity: IdentityProvider, plan: Plan) -> None:
    channels = {channel_name(call.tenant, call.session) for call in plan.calls}
    for channel in sorted(channels):
        service.preload(channel, plan.backlog, identity.agent_token())


def defects_of(plan: Plan) -> dict[PersonId, Defect]:
    """Return what is wrong with whose credential."""
    return {it.person: it.defect for it in plan.deviations if isinstance(it, SpoilCredential)}


def failing_of(plan: Plan) -> frozenset[CallId]:
    """Return the calls whose tool fails."""
    fails = {it.call for it in plan.deviations if isinstance(it, ToolFails)}
    return frozenset(fails | {spec.id for spec in plan.calls if spec.fails})
