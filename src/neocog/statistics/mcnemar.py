"""Two networks on the same pictures: are they right equally often?

Legend: N pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import brentq
from scipy.special import bdtr, ndtri

from neocog.errors import DataError
from neocog.evaluation import CONFIDENCE


@dataclass(frozen=True)
class McNemar:
    """How two networks were right on the same n pictures, and whether chance explains it. Made by `mcnemar`.

    `difference` is the first's accuracy less the second's, a share, with its interval from `low` to `high`.
    """

    n: int
    both_right: int
    only_first: int
    only_second: int
    both_wrong: int
    p: float
    difference: float
    low: float
    high: float
    confidence: float = CONFIDENCE


def mcnemar(first_right: ArrayLike, second_right: ArrayLike, confidence: float = CONFIDENCE) -> McNemar:
    """McNemar's exact test of two networks on the same pictures, from which each got right: two bool arrays (N,).

    Pictures that both got right, or both wrong, say nothing about which is better. Of the b + c others, b are the
    first's alone; were the networks equally good, b would be binomial with probability ½:

        p = min(1, 2 · P(X ≤ min(b, c))),    X ~ Binomial(b + c, ½)

    The interval of the difference (b − c)/N is Tango's: all δ that the score test of "the difference is δ" doesn't
    reject. It is good at small counts, but not made from the exact test, so at the border of 5 % the two may differ;
    the test decides. It speaks of these two trained networks, not of the recipes that made them, since the training
    isn't repeated (Dietterich 1998, Approximate Statistical Tests for Comparing Supervised Classification Learning
    Algorithms).

    Raises DataError for arrays that aren't bool, (N,), equally long and N ≥ 1.
    Sources: McNemar 1947; Tango 1998, Equivalence test and confidence interval for the difference in proportions for
    the paired-sample design.

    >>> got = mcnemar([True] * 6 + [False] * 4, [False] * 5 + [True] * 5)
    >>> got.both_right, got.only_first, got.only_second, got.both_wrong, round(got.p, 4)
    (1, 5, 4, 0, 1.0)
    """
    first_N, second_N = np.asarray(first_right), np.asarray(second_right)
    if first_N.shape != second_N.shape or first_N.ndim != 1 or not first_N.size:
        raise DataError(f"right answers {first_N.shape} and {second_N.shape} don't pair; both must be (N,), N ≥ 1")
    if first_N.dtype != bool or second_N.dtype != bool:
        raise DataError(f"right answers are {first_N.dtype} and {second_N.dtype}; both must be true or false")
    n, both = len(first_N), int((first_N & second_N).sum())
    first, second = int(first_N.sum()) - both, int(second_N.sum()) - both
    p = min(1.0, 2 * float(bdtr(min(first, second), first + second, 0.5)))
    low, high = _tango(first, second, n, confidence)
    return McNemar(n, both, first, second, n - both - first - second, p, (first - second) / n, low, high, confidence)


def _tango(first: int, second: int, n: int, confidence: float) -> tuple[float, float]:
    """Where the score statistic of a difference δ passes ± z; it falls as δ grows."""
    z = float(ndtri((1 + confidence) / 2))

    def score(difference: float) -> float:
        # q: the likeliest share of "only the second is right" if the shares differ by just that much.
        b = (2 * n - first + second) * difference - first - second
        c = -second * difference * (1 - difference)
        q = ((b * b - 8 * n * c) ** 0.5 - b) / (4 * n)
        variance = n * (2 * q + difference * (1 - difference))
        gap = first - second - n * difference
        return gap / variance**0.5 if variance > 0 else 0.0

    observed = (first - second) / n
    low = -1.0 if second == n else float(brentq(lambda at: score(at) - z, -1 + 1e-12, observed))
    high = 1.0 if first == n else float(brentq(lambda at: score(at) + z, observed, 1 - 1e-12))
    return low, high
