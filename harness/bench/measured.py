"""What a measurement hands on: samples, and how many approvals never came to their end."""

from collections.abc import Sequence
from dataclasses import dataclass

from harness.bench.segments import Sample, Segment


class UnmeasuredError(Exception):
    """An implementation could not be measured; the text says what it did instead."""


@dataclass(frozen=True, slots=True)
class Measured:
    """The samples of one implementation under one condition."""

    samples: tuple[Sample, ...]
    unfinished: int = 0

    def latencies(self, segment: Segment) -> list[int]:
        """Return what one segment took, in nanoseconds, in the order of the requests."""
        return [it.segments[segment] for it in self.samples if segment in it.segments]


def measured(taken: Sequence[Sample]) -> Measured:
    """Return those samples that are whole, the others counted."""
    whole = tuple(it for it in taken if it.whole)
    return Measured(whole, len(taken) - len(whole))
