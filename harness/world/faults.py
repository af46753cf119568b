"""Deviations put into effect: each kind of fault, how it is installed, and the mark that it fired.

Owns the table from a deviation's class to its installer. What people do differently is read by
:mod:`harness.world.people`; what changes the calm world before it starts (a stricter policy, a spoilt
credential, a failing tool) is folded into the plan by :func:`harness.world.build.calm_world`.

Invariant: every deviation that takes effect leaves one ``deviation-fired`` event the first time it does,
so that a fault which never fires can be told from a fault that did no harm.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from harness.deviations import (
    BoundaryStep,
    CancelCall,
    ChangeRole,
    Chatter,
    CrashAtBoundary,
    CrashAtTime,
    CutLink,
    DelayMessage,
    Deviation,
    DropMessage,
    DuplicateMessage,
    HandOutAgain,
    Pick,
    PrioritySchedule,
    RequireRole,
    ResetLink,
    RevokePerson,
    SeededSchedule,
    SkewClock,
    SpoilCredential,
    ToolFails,
)
from harness.identity import IdentityProvider, channel_name
from harness.model import DeviceId, HostName
from harness.plan import SECOND, Plan
from harness.sim import (
    Fate,
    Fifo,
    Host,
    Picks,
    Priorities,
    SchedulingPolicy,
    SeededRandom,
    Simulation,
    Transmission,
    Unsynced,
)
from harness.trace import DeviationFired, HostCrashed, HostRestarted, StandingChanged
from harness.world.agents import AgentSide
from harness.world.devices import DeviceSide
from harness.world.recorder import Recorder

_AS_SENT: Final = Fate()
SILENCE_NS: Final = 25 * SECOND
"""After this much silence both ends give a connection up: 15 s between heartbeats and 10 s of grace, as
Ably's SDKs have it. The heartbeats themselves are not simulated, so that an idle day costs nothing."""


_CHATTER: Final = "chatter"
"""The host from which messages about something else come."""

_COUNTED: Final[Mapping[BoundaryStep, frozenset[str] | None]] = {
    "any": None,
    "message": frozenset({"sent", "received"}),
    "write": frozenset({"write", "swap", "sync"}),
    "body": frozenset({"body entered"}),
    "effect": frozenset({"effect"}),
}
"""The kinds of boundary steps that a deviation counts, as hosts report them; None counts every step."""


def scheduling_policy(plan: Plan) -> SchedulingPolicy:
    """Return the order in which ready callbacks run: first-in first-out unless the plan deviates."""
    picks = {}
    for deviation in plan.deviations:
        match deviation:
            case SeededSchedule(seed=seed):
                return SeededRandom(seed)
            case PrioritySchedule(order=order, change_points=change_points):
                return Priorities(order, change_points)
            case Pick(step=step, index=index):
                picks[step] = index
            case _:
                continue
    return Picks(picks) if picks else Fifo()


@dataclass(slots=True)
class Faults:
    """The deviations of one run at work."""

    sim: Simulation
    plan: Plan
    recorder: Recorder
    agents: AgentSide
    devices: DeviceSide
    identity: IdentityProvider
    _over: bool = False
    _fired: set[int] = field(default_factory=set)
    _places: dict[Deviation, int] = field(default_factory=dict)
    _fates: dict[tuple[str, str, int], list[tuple[Deviation, Fate]]] = field(
        default_factory=lambda: defaultdict(list),
    )

    def install(self) -> None:
        """Put every deviation of the plan into effect, now or at its time."""
        for place, deviation in enumerate(self.plan.deviations):
            self._places.setdefault(deviation, place)
            installer = _INSTALLERS.get(type(deviation))
            if installer is not None:
                installer(self, deviation)
        if self._fates:
            self.sim.network.fate = self._fate

    def fired(self, deviation: Deviation) -> None:
        """Leave the mark that ``deviation`` took effect, once."""
        index = self._places[deviation]
        if index not in self._fired:
            self._fired.add(index)
            host = HostName(getattr(deviation, "host", "world"))
            self.recorder.add(DeviationFired(self.sim.now_ns, host, index, deviation.kind))

    def heal(self) -> None:
        """End every fault: none begins, links heal, messages travel as they should, hosts come back."""
        self._over = True
        self.sim.network.heal_all()
        self.sim.network.fate = None
        for name in (*self.plan.agents, *self.devices.owners):
            self._restart(self.sim.host(name))

    def crash(self, host: Host, down_ns: int, *, unsynced: Unsynced, boundary: str = "") -> None:
        """Cut the power of ``host`` and schedule its return."""
        name = HostName(host.name)
        self.recorder.add(HostCrashed(self.sim.now_ns, name, boundary))
        host.crash(unsynced)
        self.agents.power_lost(name)
        self.devices.power_lost(DeviceId(name))
        self.sim.call_at(self.sim.now_ns + down_ns, self._restart, host)

    def _restart(self, host: Host) -> None:
        if host.alive:
            return
        name = HostName(host.name)
        host.restart()
        self.recorder.add(HostRestarted(self.sim.now_ns, name))
        if name in self.plan.agents:
            self.agents.boot(name)
        elif DeviceId(name) in self.devices.owners:
            self.devices.join(DeviceId(name))

    def _fate(self, sent: Transmission) -> Fate:
        due = self._fates.get((sent.source, sent.target, sent.number))
        if due is None or sent.kind == "connection":
            return _AS_SENT
        for deviation, _ in due:
            self.fired(deviation)
        fates = [fate for _, fate in due]
        return Fate(
            delay_ns=sum(fate.delay_ns for fate in fates),
            copies=min((fate.copies for fate in fates), key=lambda copies: (copies == 1, copies)),
            reset=any(fate.reset for fate in fates),
        )

    def on_message(self, deviation: DelayMessage | DropMessage | DuplicateMessage, fate: Fate) -> None:
        """Delay, drop or double one message on a link."""
        self._fates[deviation.source, deviation.target, deviation.k].append((deviation, fate))

    def _between(self, deviation: Deviation, at_ns: int, act: Callable[[], None]) -> None:
        def happen() -> None:
            self.fired(deviation)
            act()

        self._at(at_ns, happen)

    def _at(self, at_ns: int, act: Callable[[], None]) -> None:
        """Let a fault begin at its time, unless all faults are over by then."""
        self.sim.call_at(at_ns, lambda: None if self._over else act())

    def crash_at_time(self, deviation: CrashAtTime) -> None:
        """Cut the power of a host at a time."""
        host = self.sim.host(deviation.host)

        def happen() -> None:
            if host.alive:
                self.fired(deviation)
                self.crash(host, deviation.down_ns, unsynced=Unsynced.LOST)

        self._at(deviation.at_ns, happen)

    def crash_at_boundary(self, deviation: CrashAtBoundary) -> None:
        """Cut the power of a host right after one of its boundary steps."""
        host, kinds = self.sim.host(deviation.host), _COUNTED[deviation.step]
        passed = 0
        earlier = host.on_boundary

        def step(kind: str) -> None:
            nonlocal passed
            if earlier is not None:
                earlier(kind)
            if kinds is not None and kind not in kinds:
                return
            if passed == deviation.k and host.alive and not self._over:
                self.fired(deviation)
                self.crash(host, deviation.down_ns, unsynced=Unsynced(deviation.unsynced), boundary=kind)
            passed += 1

        host.on_boundary = step

    def skew_clock(self, deviation: SkewClock) -> None:
        """Set the wall clock of a host wrong for the whole run."""
        self.sim.host(deviation.host).skew_ns = deviation.by_ns
        self.fired(deviation)

    def cut_link(self, deviation: CutLink) -> None:
        """Let nothing pass between two hosts for a while; both notice a long silence, as heartbeats would."""
        network, ends = self.sim.network, (deviation.one, deviation.other)
        self._between(deviation, deviation.at_ns, lambda: network.cut(*ends))
        if deviation.for_ns > SILENCE_NS:
            self._at(deviation.at_ns + SILENCE_NS, lambda: network.reset(*ends))
        self.sim.call_at(deviation.at_ns + deviation.for_ns, lambda: network.heal(*ends))

    def chatter(self, deviation: Chatter) -> None:
        """Have the agent side publish messages about something else, as a busy session does."""
        spec = next(it for it in self.plan.calls if it.id == deviation.call)
        host = self.sim.host(_CHATTER)

        async def talk() -> None:
            client = self.agents.machine(host).connect(self.identity.agent_token())
            channel = client.channel(channel_name(spec.tenant, spec.session))
            for number in range(deviation.count):
                await channel.publish("note", f"about something else {number}")
            await client.close()

        self._between(deviation, deviation.at_ns, lambda: host.spawn(talk()))

    def reset_link(self, deviation: ResetLink) -> None:
        """Break the connections between two hosts."""
        network, ends = self.sim.network, (deviation.one, deviation.other)
        self._between(deviation, deviation.at_ns, lambda: network.reset(*ends))

    def change_role(self, deviation: ChangeRole) -> None:
        """Have the identity provider give a person another role."""

        def act() -> None:
            self.identity.change_role(deviation.person, deviation.role)
            self._record_standing(deviation.person)

        self._between(deviation, deviation.at_ns, act)

    def revoke(self, deviation: RevokePerson) -> None:
        """Have the identity provider revoke a person."""

        def act() -> None:
            self.identity.revoke(deviation.person)
            self._record_standing(deviation.person)

        self._between(deviation, deviation.at_ns, act)

    def _record_standing(self, person: Any) -> None:
        standing = self.identity.standing(person)
        assert standing is not None, "the plan was checked: the person exists"
        host = HostName("identity")
        self.recorder.add(
            StandingChanged(self.sim.now_ns, host, person, standing.role, revoked=not standing.active),
        )

    def hand_out_again(self, deviation: HandOutAgain) -> None:
        """Give a call to another agent too."""

        def happen() -> None:
            if self.agents.hand_out_again(deviation.call, deviation.agent):
                self.fired(deviation)

        self._at(deviation.at_ns, happen)

    def cancel_call(self, deviation: CancelCall) -> None:
        """Have the agent's caller cancel a call."""

        def happen() -> None:
            if self.agents.cancel(deviation.call):
                self.fired(deviation)

        self._at(deviation.at_ns, happen)


# One line a kind of fault; what is not here is read by people or folded into the calm world.
_INSTALLERS: Final[dict[type[Any], Callable[[Faults, Any], None]]] = {
    SeededSchedule: Faults.fired,
    PrioritySchedule: Faults.fired,
    Pick: Faults.fired,
    SpoilCredential: Faults.fired,
    RequireRole: Faults.fired,
    ToolFails: Faults.fired,
    DelayMessage: lambda faults, it: faults.on_message(it, Fate(delay_ns=it.by_ns)),
    DropMessage: lambda faults, it: faults.on_message(it, Fate(copies=0, reset=True)),
    DuplicateMessage: lambda faults, it: faults.on_message(it, Fate(copies=2)),
    CutLink: Faults.cut_link,
    ResetLink: Faults.reset_link,
    Chatter: Faults.chatter,
    CrashAtTime: Faults.crash_at_time,
    CrashAtBoundary: Faults.crash_at_boundary,
    SkewClock: Faults.skew_clock,
    ChangeRole: Faults.change_role,
    RevokePerson: Faults.revoke,
    CancelCall: Faults.cancel_call,
    HandOutAgain: Faults.hand_out_again,
}
