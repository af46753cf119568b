"""One run: a plan executed against an implementation, and judged.

Owns the order in which a run ends: the world plays until everything happened or the plan's horizon is
reached, and a while longer; every fault is healed, time passes, the trace says ``quiet``, the screens are
read a last time, and only then the simulation is torn down. Properties judge afterwards.
"""

import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from typing import Any, Final

from harness.adapter import Adapter, Manifest
from harness.model import HostName
from harness.plan import MINUTE, SECOND, SERVICE_HOST, Plan
from harness.properties import Judgement, Terms, judge
from harness.sim import Failure, Limits, LivelockError, NetworkEvent, Simulation, StepLimitError
from harness.trace import AdapterFailed, DeviationFired, Event, Quiet, Trace
from harness.world.boundary import AdapterStartError
from harness.world.build import World, build
from harness.world.faults import scheduling_policy
from harness.world.recorder import all_events

PATIENCE_NS: Final = 5 * MINUTE
"""How long after everything that the plan says could have happened a run still waits for an ending."""
AFTERMATH_NS: Final = 60 * SECOND
"""How long a run goes on, faults included, after the last outcome and answer: what comes late may harm."""
SETTLE_NS: Final = 60 * SECOND
"""How long a run goes on after faults are healed, before the screens are read for the last time."""
_LAST_READ_NS: Final = 10 * SECOND
_STEPS_PER_INSTANT: Final = 20_000
_STEPS_PER_CAST: Final = 200
_WORLD: Final = HostName("world")
_LOOP: Final = ("asyncio.", "harness.sim.")
"""The modules that only hand on control."""


class HarnessBug(Exception):  # noqa: N818 - the name says whose fault it is
    """The harness itself went wrong; nothing is said about the implementation."""


@dataclass(frozen=True, slots=True)
class Run:
    """One executed plan; ``boundary`` is its trace without network movements, what properties read."""

    plan: Plan
    adapter: str
    boundary: Trace
    entries: tuple[Event | NetworkEvent, ...]
    steps: int
    fired: frozenset[int]
    failures: tuple[AdapterFailed, ...]

    @property
    def trace(self) -> Trace:
        """The full trace, network movements included: what is saved, and what a digest covers.

        Built anew at each reading, because most runs are judged and forgotten.
        """
        return Trace(all_events(self.entries), self.adapter, self.plan.scenario)


def execute(adapter: Adapter, plan: Plan) -> Run:
    """Execute ``plan`` against a fresh instance of the adapter's implementation, in virtual time.

    Equal plans give equal traces, in any process. What the adapter does wrong is in ``failures``; an
    exception from here is a fault of the harness or of the plan.
    """
    with Simulation(seed=plan.seed, policy=scheduling_policy(plan), limits=_limits(plan)) as sim:
        try:
            world = build(adapter, plan, sim)
        except AdapterStartError as error:
            return finished_run(adapter, plan, (AdapterFailed(0, _WORLD, "open", str(error)),), 0)
        try:
            _play(sim, world, plan)
        except (LivelockError, StepLimitError) as error:
            world.recorder.add(AdapterFailed(sim.now_ns, _WORLD, "run", str(error)))
        end_ns, steps = sim.now_ns, sim.steps
    world.dissolve()
    entries = (*world.recorder.entries, *_unnoticed(sim, end_ns, vendor_listens=world.vendor.listens))
    return finished_run(adapter, plan, entries, steps)


def _limits(plan: Plan) -> Limits:
    """Return how many steps one instant may take: a cast's size times more than any sound run was seen to."""
    cast = len(plan.calls) * (1 + sum(len(person.devices) for person in plan.people))
    return Limits(steps_per_instant_max=_STEPS_PER_INSTANT + _STEPS_PER_CAST * cast)


def _unnoticed(sim: Simulation, end_ns: int, *, vendor_listens: bool) -> Iterator[AdapterFailed]:
    """Yield what went wrong in tasks that nobody awaited, and calls that tried to leave the simulation.

    Raises HarnessBug where it was our own service that failed, and not one that the adapter brought.
    """
    for failure in sim.failures:
        if failure.host == SERVICE_HOST and _is_ours(failure, vendor_listens=vendor_listens):
            raise HarnessBug(f"the service failed: {failure.message}") from failure.error
        error = f"{failure.message}: {failure.error!r}" if failure.error else failure.message
        yield AdapterFailed(end_ns, HostName(failure.host), f"task {failure.task}", error)
    for breach in sim.breaches:
        yield AdapterFailed(end_ns, _WORLD, "fence", str(breach))


def _is_ours(failure: Failure, *, vendor_listens: bool) -> bool:
    """Return whether code of the harness failed on the service's host: whose code the loop entered tells.

    Where nothing tells, it is the adapter's if the adapter has a server there.
    """
    trace = None if failure.error is None else failure.error.__traceback__
    modules = (str(frame.f_globals.get("__name__")) for frame, _ in traceback.walk_tb(trace))
    entered = next((it for it in modules if not it.startswith(_LOOP)), None)
    return not vendor_listens if entered is None else entered.startswith("harness.")


def finished_run(adapter: Adapter, plan: Plan, entries: tuple[Event | NetworkEvent, ...], steps: int) -> Run:
    """Return the run that ``entries`` recorded."""
    boundary = tuple([entry for entry in entries if not isinstance(entry, NetworkEvent)])
    name = adapter.manifest.name
    return Run(
        plan=plan,
        adapter=name,
        boundary=Trace(boundary, name, plan.scenario),
        entries=entries,
        steps=steps,
        fired=frozenset(it.index for it in boundary if isinstance(it, DeviationFired)),
        failures=tuple(it for it in boundary if isinstance(it, AdapterFailed)),
    )


def judge_run(manifest: Manifest, run: Run, wanted: Iterable[str]) -> dict[str, Judgement]:
    """Judge a run by the properties ``wanted``, under the terms that the manifest declares."""
    return judge(run.boundary, Terms(manifest.style, manifest.on_unauthorised), wanted)


def _play(sim: Simulation, world: World, plan: Plan) -> None:
    everything = sim.env.all_of(world.start())
    sim.run_until(everything, deadline_ns=_horizon_ns(plan))
    sim.run_until(None, deadline_ns=max(sim.now_ns, _last_join_ns(plan)) + AFTERMATH_NS)
    world.faults.heal()
    sim.run_until(None, deadline_ns=sim.now_ns + SETTLE_NS)
    world.recorder.add(Quiet(sim.now_ns, _WORLD))
    world.devices.read_last_screens()
    world.boundary.run(sim.host(_WORLD), "close", world.implementation.close, lambda _: None)
    sim.run_until(None, deadline_ns=sim.now_ns + _LAST_READ_NS)
    world.boundary.report_hung_calls()


def _horizon_ns(plan: Plan) -> int:
    """Return a time by which everything that the plan says has had the chance to happen.

    No single chain of causes is longer than all its durations laid end to end.
    """
    thinking = sum(answer.think_ns for person in plan.people for answer in person.answers)
    calling = max((call.at_ns + (call.timeout_ns or 0) for call in plan.calls), default=0)
    deviating = sum(_durations_ns(deviation) for deviation in plan.deviations)
    return _last_join_ns(plan) + calling + thinking + deviating + PATIENCE_NS


def _last_join_ns(plan: Plan) -> int:
    return max((device.joins_ns for person in plan.people for device in person.devices), default=0)


def _durations_ns(deviation: Any) -> int:
    return sum(abs(getattr(deviation, it.name)) for it in fields(deviation) if it.name.endswith("_ns"))
