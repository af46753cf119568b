"""Exponential draws that are the same on every machine.

Owns one table of quantiles, computed in decimal arithmetic: logarithms of binary floating point differ in
their last digit from one C library to the next.
"""

from decimal import Context, Decimal
from functools import cache
from random import Random
from typing import Final

_BITS: Final = 12
_SCALE: Final = 1_000_000
_EXACT: Final = Context(prec=28)


def exponential(dice: Random, mean: int) -> int:
    """Return a draw from the exponential distribution with this mean, in whole units of the mean."""
    return mean * _quantiles()[dice.getrandbits(_BITS)] // _SCALE


@cache
def _quantiles() -> tuple[int, ...]:
    """Return the quantiles in the middle of each of 4,096 equal parts, in millionths of the mean."""
    parts = 1 << _BITS
    shares = ((Decimal(2 * place + 1) / (2 * parts)) for place in range(parts))
    return tuple(int(-_EXACT.ln(1 - share) * _SCALE) for share in shares)
