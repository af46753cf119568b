"""The deterministic machine: asyncio programs on simulated hosts, in virtual time, repeatable from a seed.

It knows nothing of approvals. `simulate` runs one coroutine; `Simulation` is the world on which more is
built.
"""

from harness.sim.calendar import Timer
from harness.sim.clock import EPOCH, VirtualNs
from harness.sim.disk import Disk, Unsynced
from harness.sim.errors import (
    DeadlockError,
    Failure,
    FenceError,
    LivelockError,
    SimulationError,
    StepLimitError,
    Waiting,
)
from harness.sim.fence import unfenced
from harness.sim.host import Host, Peers
from harness.sim.incarnation import acting_while_dead, halt_if_dead
from harness.sim.links import Fate, NetworkEvent, Transmission
from harness.sim.loop import Limits, SimLoop
from harness.sim.network import Attempt, Listener, Network
from harness.sim.pipes import Cancellable, Pipe
from harness.sim.schedule import (
    Fifo,
    Picks,
    Priorities,
    RandomWalk,
    ReadyStep,
    SchedulingPolicy,
    SeededRandom,
)
from harness.sim.simulation import (
    Simulation,
    Stop,
    at_end_of_run,
    current_host,
    freeze,
    seed_of_run,
    simulate,
)

__all__ = [
    "EPOCH",
    "Attempt",
    "Cancellable",
    "DeadlockError",
    "Disk",
    "Failure",
    "Fate",
    "FenceError",
    "Fifo",
    "Host",
    "Limits",
    "Listener",
    "LivelockError",
    "Network",
    "NetworkEvent",
    "Peers",
    "Picks",
    "Pipe",
    "Priorities",
    "RandomWalk",
    "ReadyStep",
    "SchedulingPolicy",
    "SeededRandom",
    "SimLoop",
    "Simulation",
    "SimulationError",
    "StepLimitError",
    "Stop",
    "Timer",
    "Transmission",
    "Unsynced",
    "VirtualNs",
    "Waiting",
    "acting_while_dead",
    "at_end_of_run",
    "current_host",
    "freeze",
    "halt_if_dead",
    "seed_of_run",
    "simulate",
    "unfenced",
]
