"""Owns the choice among ready steps: which of the callbacks that could run now runs next.

Invariant: a policy returns an index into the ready list, which is in FIFO order, and touches nothing. Index 0
is the calm world's choice; every other choice is recorded by the loop as a (step, index) pair, so that any
run of any policy can be told again as explicit `Picks`. Policies see names, not callbacks, so they cannot run
or drop anything.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from random import Random
from typing import Any, Final, Literal, Protocol, overload

ActorKind = Literal["host", "task"]
"""What counts as one actor: all steps of a host together, or each task alone."""


class ReadyStep(Protocol):
    """What a policy may know about a step that is ready to run."""

    @property
    def host(self) -> str:
        """Name of the host it runs on."""
        ...

    @property
    def label(self) -> str:
        """`host/task` of a task step, the callback's name otherwise."""
        ...


class SchedulingPolicy(Protocol):
    """Chooses the next step. Asked only when two or more are ready."""

    def choose(self, ready: Sequence[ReadyStep], step: int) -> int:
        """Return an index into `ready` (FIFO order, at least two long) for scheduling step number `step`."""
        ...


WINDOW: Final = 1024
"""How many ready steps a policy is shown, the oldest first.

Reaching into a long queue takes time in proportion to its length (4 us among 10,000): crowds would be
quadratic. What a bound of 1,024 excludes is only that one step overtakes more than 1,023 others at once.
"""


class Window(Sequence[ReadyStep]):
    """The oldest `WINDOW` steps of a longer ready list."""

    __slots__ = ("_ready",)

    def __init__(self, ready: deque[Any]) -> None:
        self._ready = ready

    def __len__(self) -> int:
        return WINDOW

    @overload
    def __getitem__(self, index: int) -> ReadyStep: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[ReadyStep]: ...
    def __getitem__(self, index: int | slice) -> ReadyStep | Sequence[ReadyStep]:
        if isinstance(index, slice):
            return list(self)[index]
        if not -WINDOW <= index < WINDOW:
            raise IndexError(f"a policy sees {WINDOW} ready steps; there is no number {index}")
        found: ReadyStep = self._ready[index % WINDOW]
        return found

    def __iter__(self) -> Iterator[ReadyStep]:
        return islice(self._ready, WINDOW)


class Fifo:
    """The calm world: first come, first served."""

    __slots__ = ()

    def choose(self, ready: Sequence[ReadyStep], step: int) -> int:  # noqa: ARG002 - the protocol's shape
        """Return 0."""
        return 0


class SeededRandom:
    """Uniformly random among the ready steps; the best finder of shallow races."""

    __slots__ = ("_random",)

    def __init__(self, seed: int | Random) -> None:
        self._random: Callable[[], float] = (seed if isinstance(seed, Random) else Random(seed)).random  # noqa: S311 - reproducibility is the purpose

    def choose(self, ready: Sequence[ReadyStep], step: int) -> int:  # noqa: ARG002 - the protocol's shape
        """Return a uniformly drawn index."""
        return int(self._random() * len(ready))


class Picks:
    """Explicit picks by step, FIFO otherwise. An index beyond the ready list means its last entry."""

    __slots__ = ("_picks",)

    def __init__(self, picks: Mapping[int, int]) -> None:
        self._picks = dict(picks)

    def choose(self, ready: Sequence[ReadyStep], step: int) -> int:
        """Return the pick made for this step, or 0."""
        return min(self._picks.get(step, 0), len(ready) - 1)


class Priorities:
    """PCT: the highest-priority actor runs; at each change point the one about to run becomes the lowest.

    `order` lists actors from highest to lowest priority. Actors not in it rank below, in the order they are
    first seen, unless `place` draws a rank for them (it is given the number of ranks and returns one of
    them). `changes` are step numbers. Burckhardt et al., "A randomized scheduler with probabilistic
    guarantees of finding bugs", 2010.
    """

    __slots__ = ("_changes", "_kind", "_place", "_ranking")

    def __init__(
        self,
        order: Sequence[str],
        changes: Sequence[int] = (),
        *,
        by: ActorKind = "host",
        place: Callable[[int], int] | None = None,
    ) -> None:
        self._ranking = list(order)
        self._changes = sorted(changes, reverse=True)
        self._kind = by
        self._place = place

    @classmethod
    def sampled(cls, seed: int, *, depth: int, steps_expected: int, by: ActorKind = "host") -> "Priorities":
        """Draw `depth - 1` change points in `steps_expected` steps, and a rank for each actor."""
        drawn = Random(seed)  # noqa: S311 - reproducibility is the purpose
        changes = [drawn.randrange(max(1, steps_expected)) for _ in range(depth - 1)]
        return cls((), changes, by=by, place=drawn.randrange)

    def choose(self, ready: Sequence[ReadyStep], step: int) -> int:
        """Return the first step of the highest-ranking actor, after applying the change points now due."""
        actors = [entry.host if self._kind == "host" else entry.label for entry in ready]
        ranking = self._ranking
        for actor in actors:
            if actor not in ranking:
                ranking.insert(len(ranking) if self._place is None else self._place(len(ranking) + 1), actor)
        while self._changes and self._changes[-1] <= step:
            self._changes.pop()
            highest = min(actors, key=ranking.index)
            ranking.remove(highest)
            ranking.append(highest)
        return actors.index(min(actors, key=ranking.index))


class RandomWalk:
    """URW: an actor is drawn with probability proportional to the steps it still has to take.

    `steps_by_actor` is an estimate, usually counted in an earlier run of the same plan; an actor without one
    weighs like an actor with a single step left. Every interleaving of the estimated steps is then equally
    likely, which uniform choice among ready steps is not. Zhao et al., "Selectively uniform concurrency
    testing", 2025.
    """

    __slots__ = ("_kind", "_left", "_random")

    def __init__(self, seed: int, steps_by_actor: Mapping[str, int], *, by: ActorKind = "host") -> None:
        self._random: Callable[[], float] = Random(seed).random  # noqa: S311 - reproducibility is the purpose
        self._left = dict(steps_by_actor)
        self._kind = by

    def choose(self, ready: Sequence[ReadyStep], step: int) -> int:  # noqa: ARG002 - the protocol's shape
        """Return the first step of the drawn actor, and count it as taken."""
        first_of: dict[str, int] = {}
        for index, entry in enumerate(ready):
            first_of.setdefault(entry.host if self._kind == "host" else entry.label, index)
        drawn = self._random() * sum(max(1, self._left.get(actor, 1)) for actor in first_of)
        chosen = next(iter(first_of))
        for actor in first_of:
            chosen = actor
            drawn -= max(1, self._left.get(actor, 1))
            if drawn < 0:
                break
        self._left[chosen] = self._left.get(chosen, 1) - 1
        return first_of[chosen]
