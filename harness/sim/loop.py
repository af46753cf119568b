"""Owns the asyncio loop that runs on a run's calendar.

Invariants: everything due at one instant has joined the ready list before the policy picks, so simultaneous
events are real choices. A ready callback never touches the calendar. A callback of a dead incarnation is
never run, and never forgotten before the run is over, because forgetting a suspended coroutine would run its
`finally` blocks.

It does not know hosts, networks or entropy: `Simulation` puts those together. What a simulated loop refuses
to do is in `fence`, and its sockets are in `streams`.
"""

import asyncio
import sys
from collections import Counter, deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Iterable
from contextvars import Context, copy_context
from dataclasses import dataclass
from functools import partial
from itertools import count
from typing import Any, Final, NoReturn, TypeVar, TypeVarTuple, cast
from weakref import ref

from harness.sim.calendar import Calendar, Timer
from harness.sim.clock import NS_PER_SECOND, seconds_to_ns
from harness.sim.errors import Failure, LivelockError, SimulationError, StepLimitError, Waiting
from harness.sim.incarnation import HERE, Incarnation, host_name_of
from harness.sim.loop_face import ExceptionHandler, LoopFace, Sockets, TaskFactory
from harness.sim.schedule import WINDOW, Fifo, SchedulingPolicy, Window
from harness.sim.steps import Step, TimedStep, is_dead, label_of
from harness.sim.tasks import SimFuture, SimTask, close_coroutine, task_label, waiting_place

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_BLAME_WINDOW: Final = 1_000
"""How many of the last steps are counted to name a spinning task.

A spin fills any window, so a short one will do.
"""

_REGISTRY_MIN: Final = 256
"""Tasks kept before finished ones are first swept out.

Each sweep doubles the room, so that sweeping stays linear.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What a run may cost. Both are far above any real run.

    10,000 devices take some 100,000 steps in one instant.
    """

    steps_max: int = 20_000_000
    steps_per_instant_max: int = 1_000_000


_TEARDOWN_LIMITS: Final = Limits(steps_max=1_000_000, steps_per_instant_max=100_000)
"""What the tasks left over may take to end: ten steps for each of 10,000; a spinning one costs 0.1 s."""


class SimLoop(LoopFace):
    """An asyncio event loop in virtual time.

    Built by `Simulation`; see the module docstring for its invariants.

    `steps` counts scheduling steps, `picks` holds every (step, index) at which the policy left FIFO order,
    `record` the label of each step, with the new time as an integer wherever the clock advanced.
    """

    def __init__(self, policy: SchedulingPolicy, limits: Limits, sockets: Callable[[], Sockets]) -> None:
        self._sockets = sockets
        self.calendar: Final = Calendar()
        self.steps = 0
        self.picks: list[tuple[int, int]] = []
        self.record: list[str | int] = []
        self.failures: list[Failure] = []
        self._ready: deque[Step] = deque()
        self._policy = policy
        self._limits = limits
        self._registry: list[SimTask[Any]] = []
        self._registry_max = _REGISTRY_MIN
        self._graveyard: list[object] = []
        self._numbers = count(1)
        self._names = count(1)
        self._asyncgens: list[ref[AsyncGenerator[Any, Any]]] = []
        self._task_factory: TaskFactory | None = None
        self._exception_handler: ExceptionHandler | None = None
        self._running = False
        self._closed = False
        self._muted = False
        self._sealed = False

    # -- time

    @property
    def now_ns(self) -> int:
        """Virtual nanoseconds since the start of the run."""
        return self.calendar.now_ns

    def time(self) -> float:
        """Virtual seconds since the start of the run."""
        return self.calendar.now_ns / NS_PER_SECOND

    # -- scheduling

    def call_soon(
        self, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> Step:
        """Make `callback` ready to run; which of the ready callbacks runs next is the policy's choice."""
        if context is None:
            context = copy_context()
        step = Step(callback, args, context)
        if self._graveyard and is_dead(context):
            self._graveyard.append(step)
        else:
            self._ready.append(step)
        return step

    call_soon_threadsafe = call_soon

    def call_later(
        self, delay: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimedStep:
        """Make `callback` ready after `delay` seconds; a positive delay is never rounded down to nothing."""
        delay_ns = max(1, seconds_to_ns(delay)) if delay > 0 else 0
        return self.call_at_ns(self.calendar.now_ns + delay_ns, callback, args, context)

    def call_at(
        self, when: float, callback: Callable[[*Ts], object], *args: *Ts, context: Context | None = None
    ) -> TimedStep:
        """Make `callback` ready at the instant `when`, in seconds of `time()`, and never before it.

        A fraction of a nanosecond rounds up: who looks at `time()` then finds that the deadline has passed.
        """
        at_ns = seconds_to_ns(when)
        return self.call_at_ns(at_ns + (at_ns / NS_PER_SECOND < when), callback, args, context)

    def call_at_ns(
        self, at_ns: int, callback: Callable[..., object], args: tuple[Any, ...], context: Context | None
    ) -> TimedStep:
        """Make `callback` ready at an instant in whole nanoseconds."""
        if context is None:
            context = copy_context()
        step = TimedStep(at_ns / NS_PER_SECOND, callback, args, context)
        make_ready = partial(self._ready.append, step)
        if self._graveyard and is_dead(context):
            step._timer = Timer(self.calendar, make_ready, context)  # noqa: SLF001 - its own handle, here and below
            self._graveyard.append(step)
        else:
            step._timer = self.calendar.at(at_ns, make_ready, context)  # noqa: SLF001 - as above
        return step

    def next_number(self) -> int:
        """Return the next sequence number, for hashes."""
        return next(self._numbers)

    def create_future(self) -> SimFuture[Any]:
        """Return a future whose hash does not depend on its address."""
        return SimFuture(loop=self)

    def create_task(
        self,
        coro: Generator[Any, None, T] | Coroutine[Any, Any, T],
        *,
        name: str | None = None,
        context: Context | None = None,
        **options: Any,
    ) -> asyncio.Task[T]:
        """Start `coro` as a task of the current host.

        Eager start is deferred: the policy chooses when it begins.
        """
        options.pop("eager_start", None)
        if self._task_factory is not None:
            made = self._task_factory(
                self, coro, **({"context": context} if context is not None else {}), **options
            )
            return cast("asyncio.Task[T]", made)
        if context is None:
            context = copy_context()
        title = f"Task-{next(self._names)}" if name is None else str(name)
        task = SimTask(coro, self, title, context, next(self._numbers), task_label(context, title))
        registry = self._registry
        registry.append(task)
        if len(registry) > self._registry_max:
            self._registry = [kept for kept in registry if not kept.done()]
            self._registry_max = 2 * len(self._registry) + _REGISTRY_MIN
        return task

    # -- running

    def drive(self, finished: Callable[[], object]) -> bool:
        """Run steps and advance time until `finished()`, or return False when nothing is left to happen.

        Raises `LivelockError` when an instant never ends and `StepLimitError` when the run does not.
        """
        self._running = True
        asyncio._set_running_loop(self)  # noqa: SLF001 - the documented hook of loop implementers
        hooks = sys.get_asyncgen_hooks()
        sys.set_asyncgen_hooks(firstiter=self._asyncgen_started, finalizer=self._asyncgen_dropped)
        try:
            while not self._run_instant(finished):
                at_ns = self.calendar.next_ns()
                if at_ns is None:
                    return False
                self.calendar.step()
                self.calendar.due = True
                self.record.append(at_ns)
            return True
        finally:
            sys.set_asyncgen_hooks(*hooks)
            asyncio._set_running_loop(None)  # noqa: SLF001 - as above
            self._running = False

    def _run_instant(self, finished: Callable[[], object]) -> bool:  # noqa: C901, PLR0912 - one frame for every step is the speed
        """Run what is ready at this instant. This is the hot loop: locals, no layers, one record a step."""
        ready, calendar, limits = self._ready, self.calendar, self._limits
        popleft, choose, picks, record = ready.popleft, self._policy.choose, self.picks, self.record.append
        step_number = first = self.steps
        limit = min(limits.steps_max, first + limits.steps_per_instant_max)
        window, in_order = Window(ready), type(self._policy) is Fifo
        step: Step | None
        try:
            while not finished():
                if calendar.due:
                    limit -= calendar.drain(limit - step_number)
                    if limit <= step_number:
                        self._report_limit(step_number, step_number - first)
                if not ready:
                    return bool(finished())
                if in_order or len(ready) == 1:
                    step = popleft()
                else:
                    index = choose(ready if len(ready) <= WINDOW else window, step_number)
                    if index:
                        step = ready[index]
                        del ready[index]
                        picks.append((step_number, index))
                    else:
                        step = popleft()
                step_number += 1
                if step_number > limit:
                    self._report_limit(step_number, step_number - first)
                callback = step._callback  # noqa: SLF001 - its own handle, here and below
                if callback is None:
                    continue
                try:
                    record(callback.__self__.label)  # type: ignore[attr-defined]
                except AttributeError:
                    record(label_of(callback))
                try:
                    step._context.run(callback, *step._args)  # noqa: SLF001 - as above
                except (SystemExit, KeyboardInterrupt):
                    raise
                except BaseException as error:  # noqa: BLE001 - the loop's one boundary: a callback's error is reported
                    self._report_callback(step, error)
            return True
        finally:
            self.steps = step_number
            step = callback = (
                None  # a callback's error refers to this frame, which must not keep a task alive
            )

    def _report_callback(self, step: Step, error: BaseException) -> None:
        """Report a callback's error, without the loop's own frame."""
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        self.call_exception_handler({"message": "Exception in callback", "exception": error, "handle": step})

    def _report_limit(self, steps: int, instant_steps: int) -> NoReturn:
        labels = Counter(label for label in self.record[-_BLAME_WINDOW:] if isinstance(label, str))
        (label, times), *_ = labels.most_common(1) or [("the calendar", 1)]
        share = times / max(1, labels.total())
        if steps > self._limits.steps_max:
            raise StepLimitError(self.now_ns, steps, label, share)
        raise LivelockError(self.now_ns, instant_steps, label, share)

    # -- what went wrong and what is left

    def note_failure(self, context: dict[str, Any]) -> None:
        """Keep an error that nobody awaits, attributed to the host and the task it came from."""
        error = context.get("exception")
        if self._muted or (self._sealed and isinstance(error, asyncio.CancelledError)):
            return
        origin = context.get("task") or context.get("future")
        step = context.get("handle")
        if isinstance(origin, SimTask):
            host, name = host_name_of(origin.home), origin.get_name()
        elif isinstance(step, Step):
            host, name = step.host, step.label
        else:
            host, name = "world", type(origin).__qualname__
        self.failures.append(Failure(host, name, str(context.get("message")), error))

    def seal(self) -> None:
        """End the record of the run.

        What teardown does is FIFO and is not recorded, and only hosts' timers remain.
        """
        self.steps, self.record = 0, []
        self._limits = _TEARDOWN_LIMITS
        self._sealed = True
        self._policy = Fifo()
        self.calendar.keep_only_timers_of_hosts()

    def has_asyncgens(self) -> bool:
        """Whether an asynchronous generator is still open."""
        return any(weak() is not None for weak in self._asyncgens)

    def close_asyncgens(self) -> None:
        """Close the asynchronous generators that are still open, oldest first, within the simulation.

        Ends with the last of them: timers of hosts that go on for ever are no reason to. One that a task is
        inside of (a power cut left it there) is closed with that task.
        """
        left = [found for weak in self._asyncgens if (found := weak()) is not None]
        idle = [generator for generator in left if not generator.ag_running]  # type: ignore[attr-defined]
        closing = [self.create_task(generator.aclose(), context=Context()) for generator in idle]
        self.drive(lambda: all(task.done() for task in closing))

    def close_muted(self) -> None:
        """Close what is left, unheard: the coroutines of dead lives and those that would not be cancelled."""
        self._closed = True
        registry, self._registry = self._registry, []
        left = [task for task in registry if not task.done()]
        registry.reverse()
        while registry:  # oldest first, and each may die at once: its last words are still heard
            asyncio._unregister_task(registry.pop())  # noqa: SLF001 - documented; a task that lingers must not slow later runs
        self._muted = True
        for task in left:
            task._log_destroy_pending = False  # type: ignore[attr-defined]  # noqa: SLF001 - as asyncio.runners does
            close_coroutine(task)
        for step in self._ready:
            step.cancel()
        self._ready.clear()
        self.calendar.clear()
        self._graveyard.clear()
        self._asyncgens.clear()
        self._exception_handler = self._task_factory = None

    def dissolve(self) -> None:
        """Let go of the simulation, which refers to the loop."""
        self._sockets = _no_sockets

    def _asyncgen_started(self, generator: AsyncGenerator[Any, Any]) -> None:
        self._asyncgens.append(ref(generator))

    def _asyncgen_dropped(self, generator: AsyncGenerator[Any, Any]) -> None:
        if self._graveyard and is_dead(copy_context()):
            self._graveyard.append(generator)
        elif not self._closed:
            self.create_task(generator.aclose())

    # -- hosts' lives

    def bury(self, incarnation: Incarnation) -> None:
        """Discard what a dead incarnation had scheduled, but keep it referenced until the run is closed."""
        self._graveyard.append(incarnation)
        kept: list[Step] = []
        for step in self._ready:
            dead_step = step._context.get(HERE) is incarnation  # noqa: SLF001 - its own handle
            (self._graveyard if dead_step else kept).append(step)
        self._ready.clear()
        self._ready.extend(kept)
        dead = self.calendar.remove(
            lambda timer: timer.context is not None and timer.context.get(HERE) is incarnation
        )
        self._graveyard.extend(dead)

    def pending_tasks(self) -> list[SimTask[Any]]:
        """Unfinished tasks of living hosts, in the order they were created."""
        return [task for task in self._registry if not task.done() and not is_dead(task.home)]

    def waiting(self, tasks: Iterable[SimTask[Any]]) -> tuple[Waiting, ...]:
        """Describe where tasks wait."""
        return tuple(Waiting(host_name_of(task.home), task.get_name(), waiting_place(task)) for task in tasks)


def _no_sockets() -> Sockets:
    raise SimulationError("the run is over, and with it its network")
