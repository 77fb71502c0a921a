"""How far a float32 sum can be from the exact one, whatever the order of adding, and how a float32 is written."""

from __future__ import annotations

from collections.abc import Sequence
from math import fsum

import numpy as np

HALF_STEP = 2.0**-24  # the largest relative error of one float32 operation
LEAST_NORMAL = 2.0**-126  # below it float32 loses digits, or is flushed to zero


def sum_rounding(parts: Sequence[float]) -> float:
    """How far a float32 sum can be from the exact one; 0 when all sums on the way are whole multiples of one unit.

    With n parts (products of two float32 numbers, not rounded) and u = 2⁻²⁴ it is n·u/(1 − n·u) · Σ|parts|, and what
    numbers below 2⁻¹²⁶ may lose.

    Source: N. Higham, Accuracy and Stability of Numerical Algorithms, 2nd edition, 2002, section 3.1.

    >>> sum_rounding([1.0, 2.5]), sum_rounding([1.0, 1e-9]) > 2**-24
    (0.0, True)
    """
    size = fsum(abs(part) for part in parts)
    unit = 1 / max(part.as_integer_ratio()[1] for part in parts)
    if unit >= LEAST_NORMAL and size <= unit / HALF_STEP:
        return 0.0
    error = len(parts) * HALF_STEP
    return error / (1 - error) * size + 2 * len(parts) * LEAST_NORMAL


def shortest(value: float) -> str:
    """As few digits as tell a float32 from all others, whole numbers without a point.

    >>> shortest(0.10000000149011612), shortest(-3.0), shortest(-0.0)
    ('0.1', '-3', '0')
    """
    return str(np.float32(value) + np.float32(0)).removesuffix(".0")  # -0 + 0 is 0
