"""The drivers of a :class:`~harness.plan.Chooser`: Hypothesis, and a seeded sampler.

Owns how choices are made. Both shrink in the same direction: towards the first option, the low end and
the empty selection; the sampler has no shrinking of its own and leaves it to the plan-level shrinker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random
from typing import TypeVar

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class HypothesisChooser:
    """Draws from Hypothesis."""

    draw: DrawFn

    def integer(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return self.draw(st.integers(low, high))

    def pick(self, options: Sequence[T]) -> T:
        """Return one of ``options``."""
        return self.draw(st.sampled_from(options))

    def some(self, options: Sequence[T], at_most: int) -> tuple[T, ...]:
        """Return up to ``at_most`` distinct items of ``options`` in their order."""
        places = st.lists(st.integers(0, len(options) - 1), max_size=at_most, unique=True)
        return tuple(options[place] for place in sorted(self.draw(places))) if options else ()


@dataclass(frozen=True, slots=True)
class SeededChooser:
    """Draws from a seeded generator: no database, no shrinking, hardly any cost."""

    random: Random

    def integer(self, low: int, high: int) -> int:
        """Return an integer from ``low`` to ``high``, both included."""
        return self.random.randint(low, high)

    def pick(self, options: Sequence[T]) -> T:
        """Return one of ``options``."""
        return options[int(self.random.random() * len(options))]

    def some(self, options: Sequence[T], at_most: int) -> tuple[T, ...]:
        """Return up to ``at_most`` distinct items of ``options`` in their order."""
        count = self.random.randint(0, min(at_most, len(options)))
        places = self.random.sample(range(len(options)), count)
        return tuple(options[place] for place in sorted(places))
