"""Owns every error the machine raises, and the records they are made of.

Invariant: an error says whose fault it is, where, and what to do next. Tasks are named as `host/task` with
the file and line at which they wait. Nothing here decides anything; the loop and the fence raise these.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Waiting:
    """One unfinished task: its host, its name, and `where` it is suspended (file, line and function)."""

    host: str
    task: str
    where: str

    def __str__(self) -> str:
        return f"{self.host}/{self.task} waits at {self.where}"


@dataclass(frozen=True, slots=True)
class Failure:
    """An exception nobody awaited.

    The host and the task (or callback) it came from, and what asyncio said of it.
    """

    host: str
    task: str
    message: str
    error: BaseException | None


class SimulationError(Exception):
    """A run could not go on. The simulated program, or the way it is driven, is at fault."""


class DeadlockError(SimulationError):
    """Nothing is scheduled any more and the main task is not done. `waiting` holds every unfinished task."""

    def __init__(self, at_ns: int, waiting: tuple[Waiting, ...]) -> None:
        super().__init__(at_ns, waiting)
        self.at_ns = at_ns
        self.waiting = waiting

    def __str__(self) -> str:
        tasks = "".join(f"\n  {task}" for task in self.waiting)
        return (
            f"deadlock at {self.at_ns / 1e9:.9f} s of virtual time: nothing is scheduled and "
            f"{len(self.waiting)} task(s) wait for something that nobody will do:{tasks}\n"
            f"Look at the first task above: what should have woken it was never sent, or its sender is done "
            f"or crashed."
        )


class LivelockError(SimulationError):
    """A virtual instant went on for too many steps. `task` ran in most of the last of them."""

    def __init__(self, at_ns: int, steps: int, task: str, share: float) -> None:
        super().__init__(at_ns, steps, task, share)
        self.at_ns = at_ns
        self.steps = steps
        self.task = task
        self.share = share

    def __str__(self) -> str:
        return (
            f"livelock at {self.at_ns / 1e9:.9f} s of virtual time: {self.steps} steps and time does not "
            f"advance; {self.task} took {self.share:.0%} of the last ones. It spins without waiting for "
            f"anything that takes time; a loop around sleep(0), or around a deadline that is exactly now, "
            f"does this."
        )


class StepLimitError(SimulationError):
    """The whole run took more steps than `Limits.steps_max` allows."""

    def __init__(self, at_ns: int, steps: int, task: str, share: float) -> None:
        super().__init__(at_ns, steps, task, share)
        self.at_ns = at_ns
        self.steps = steps
        self.task = task
        self.share = share

    def __str__(self) -> str:
        return (
            f"the run took {self.steps} steps by {self.at_ns / 1e9:.9f} s of virtual time, its limit; "
            f"{self.task} took {self.share:.0%} of the last ones. Raise Limits(steps_max=...) if the run is "
            f"meant to be this long."
        )


class FenceError(SimulationError):
    """A call would have escaped the simulation. `call` names it and `hint` says what to use instead."""

    def __init__(self, call: str, hint: str) -> None:
        super().__init__(call, hint)
        self.call = call
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.call} would leave the simulation, whose runs could then differ: {self.hint}"
