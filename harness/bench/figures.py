"""Many latencies as few figures: percentiles from HDR histograms, and how sure they are.

Owns precision: three significant digits from a microsecond to an hour. Equal samples give equal figures.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

import numpy as np
from hdrh.histogram import HdrHistogram

PERCENTILES: Final = (50.0, 90.0, 99.0, 99.9)
_NS_PER_US: Final = 1_000
_HIGHEST_US: Final = 3_600 * 1_000_000
_DIGITS: Final = 3
_RESAMPLES: Final = 1_000
_CONFIDENCE: Final = 95.0
TAIL_MIN: Final = 10
"""How many samples should lie beyond a percentile; with fewer it is an extreme value and marked as such."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What is told of many latencies, in microseconds; ``intervals`` are empty where nothing is uncertain.

    ``percentiles`` and ``intervals`` go by the percentile's number as text: "99.9".
    """

    count: int
    mean_us: float
    max_us: int
    percentiles: Mapping[str, int]
    intervals: Mapping[str, tuple[int, int]]


def figures(latencies_ns: Sequence[int], *, seed: int | None = None) -> Figures:
    """Return the figures of at least one latency; with a ``seed``, with 95 % bootstrap intervals.

    Raises ValueError where there is none.
    """
    if not latencies_ns:
        raise ValueError("no latency was measured: there is nothing to tell")
    histogram = HdrHistogram(1, _HIGHEST_US, _DIGITS)
    micros = [min(max(it // _NS_PER_US, 1), _HIGHEST_US) for it in latencies_ns]
    for value in micros:
        histogram.record_value(value)
    return Figures(
        count=len(micros),
        mean_us=round(sum(micros) / len(micros), 1),
        max_us=max(micros),
        percentiles={_text(it): int(histogram.get_value_at_percentile(it)) for it in PERCENTILES},
        intervals={} if seed is None else _bootstrap(micros, seed),
    )


def reliable(percentile: str, count: int) -> bool:
    """Return whether so many samples say anything of a percentile."""
    return count * (100 - Decimal(percentile)) / 100 >= TAIL_MIN


def _bootstrap(micros: Sequence[int], seed: int) -> dict[str, tuple[int, int]]:
    """Return the interval of each percentile over resamples with replacement."""
    source = np.random.default_rng(seed)
    values = np.asarray(micros)
    drawn = values[source.integers(0, len(values), size=(_RESAMPLES, len(values)))]
    resampled = np.percentile(drawn, PERCENTILES, axis=1, method="higher")
    edge = (100 - _CONFIDENCE) / 2
    bounds = np.percentile(resampled, (edge, 100 - edge), axis=1, method="nearest")
    pairs = zip(PERCENTILES, bounds[0], bounds[1], strict=True)
    return {_text(it): (int(low), int(high)) for it, low, high in pairs}


def _text(percentile: float) -> str:
    return f"{percentile:g}"
