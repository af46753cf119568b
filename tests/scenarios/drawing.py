"""What the tests of scenarios share: the built-in ones, and what a seeded campaign of each comes to."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, TypeVar

from harness.catalog import load_catalog
from harness.explore.campaign import campaign
from harness.explore.search import Tally
from harness.properties import PROPERTIES
from harness.scenario import Scenario

T = TypeVar("T")

CATALOG: Final = load_catalog()
NAMES: Final = tuple(CATALOG.scenarios)
RUNS: Final = 160
SEED: Final = 1


def scenario(name: str) -> Scenario:
    """Return a built-in scenario."""
    return CATALOG.scenario(name).value


@cache
def tally_of(name: str) -> Tally:
    """Return what ``RUNS`` seeded runs of a scenario against the reference come to; run once a session."""
    reference = CATALOG.adapter("reference").value
    return campaign(reference, (scenario(name),), tuple(PROPERTIES), SEED, RUNS)


@dataclass(frozen=True, slots=True)
class CalmChooser:
    """Chooses what every driver shrinks towards."""

    def integer(self, low: int, high: int) -> int:
        """Return the low end."""
        del high
        return low

    def pick(self, options: Sequence[T]) -> T:
        """Return the first option."""
        return options[0]

    def some(self, options: Sequence[T], at_most: int) -> tuple[T, ...]:
        """Return nothing."""
        del options, at_most
        return ()
