"""The scenario contract: what draws plans for one family of behaviour and names its judges.

A scenario is a plug-in of one file. It draws through a :class:`~harness.plan.Chooser` only, so that its
generator is written once and driven by Hypothesis, by a seeded sampler or by an enumerator alike.
"""

from collections.abc import Sequence
from typing import Any, Protocol

from harness.plan import Chooser, Plan


class Scenario(Protocol):
    """One family of behaviour."""

    @property
    def name(self) -> str:
        """What users type, with underscores, the same as the file's name."""

    @property
    def summary(self) -> str:
        """The promise it tests, in one line."""

    @property
    def properties(self) -> Sequence[str]:
        """The ids of the properties that its plans can break ("P1", ...)."""

    @property
    def faults(self) -> Sequence[type[Any]]:
        """The classes of deviation it draws; each must really fire in some of its runs."""

    def draw(self, choose: Chooser) -> Plan:
        """Return one plan."""
