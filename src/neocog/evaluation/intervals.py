"""Intervals that need no resampling: of a share, and of a mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri, stdtrit

from neocog.errors import DataError

CONFIDENCE = 0.95


def wilson_interval(successes: float, n: float, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """The interval of a share that was seen `successes` times in `n` independent tries (Wilson 1927).

        (p + z²/2n ± z·√(p(1 − p)/n + z²/4n²)) / (1 + z²/n),    p = successes/n,  z the normal quantile

    It stays inside [0, 1] and is honest near 100 %, where p ± z·√(p(1 − p)/n) is too narrow.
    A try that is half a success, such as a tie between two sides, may count 0.5.
    Raises DataError when 0 ≤ successes ≤ n, n ≥ 1 doesn't hold.

    >>> [round(bound, 4) for bound in wilson_interval(9928, 10000)]
    [0.9909, 0.9943]
    """
    if not 0 <= successes <= n or n < 1:
        raise DataError(f"{successes} successes in {n} tries have no interval; it takes 0 ≤ successes ≤ n and n ≥ 1")
    z = float(ndtri((1 + confidence) / 2))
    share = successes / n
    centre = share + z * z / (2 * n)
    half = z * ((share * (1 - share) + z * z / (4 * n)) / n) ** 0.5
    scale = 1 + z * z / n
    # Rounding must not push a bound past what was seen: at 0 and n they are 0 and 1 exactly.
    low = 0.0 if successes == 0 else (centre - half) / scale
    high = 1.0 if successes == n else (centre + half) / scale
    return low, high


def wilson_intervals(successes: NDArray[np.int64], n: NDArray[np.int64]) -> NDArray[np.float64]:
    """(K, 2) the interval of each of K shares; NaN where there was no try.

    >>> wilson_intervals(np.array([1, 0]), np.array([1, 0])).round(4)
    array([[0.2065, 1.    ],
           [   nan,    nan]])
    """
    pairs = zip(successes.tolist(), n.tolist(), strict=True)
    return np.array([wilson_interval(some, of) if of else (math.nan, math.nan) for some, of in pairs])


@dataclass(frozen=True)
class MeanInterval:
    """A mean of independent values, such as accuracies over seeds, with what is known of its error."""

    mean: float
    low: float | None
    high: float | None
    sd: float | None
    n: int
    confidence: float

    @property
    def half_width(self) -> float | None:
        """Half the interval: the number after ±."""
        return None if self.high is None else self.high - self.mean

    def text(self, unit: str = "", of: str = "seeds", digits: int = 2) -> str:
        """The mean with its interval and conditions; `unit="%"` shows a share in per cent.

        >>> mean_interval([0.9925, 0.9931, 0.9928]).text("%")
        '99.28 ± 0.07 % (95 %, n = 3 seeds)'
        >>> mean_interval([4.1]).text("s", digits=1)
        '4.1 s (n = 1 seed, so no interval)'
        """
        scale = 100 if unit == "%" else 1
        space = " " if unit else ""
        mean = f"{self.mean * scale:.{digits}f}"
        if self.half_width is None:
            return f"{mean}{space}{unit} (n = 1 {of.removesuffix('s')}, so no interval)"
        half = f"{self.half_width * scale:.{digits}f}"
        return f"{mean} ± {half}{space}{unit} ({self.confidence * 100:g} %, n = {self.n} {of})"

    def __str__(self) -> str:
        return self.text(of="values", digits=4)


def mean_interval(values: Sequence[float] | NDArray[np.float64], confidence: float = CONFIDENCE) -> MeanInterval:
    """The mean of independent values with Student's interval: mean ± t·sd/√n, t with n − 1 degrees of freedom.

    `sd` is the sample's (divided by n − 1). One value has neither sd nor interval: they are None.
    Raises DataError for no values, or one that isn't finite. Source: Student 1908.

    >>> got = mean_interval([1.0, 2.0, 3.0])
    >>> got.mean, got.sd, round(got.half_width, 4)
    (2.0, 1.0, 2.4841)
    """
    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1 or array.size == 0 or not np.isfinite(array).all():
        raise DataError(f"no mean interval of {list(values)!r}; it takes one or more finite numbers")
    n, mean = array.size, float(array.mean())
    if n == 1:
        return MeanInterval(mean, None, None, None, 1, confidence)
    sd = float(array.std(ddof=1))
    half = float(stdtrit(n - 1, (1 + confidence) / 2)) * sd / n**0.5
    return MeanInterval(mean, mean - half, mean + half, sd, n, confidence)


def picture_interval(
    values_N: NDArray[np.float64], right_N: NDArray[np.bool_], otherwise_N: NDArray[np.float64]
) -> tuple[float, float] | None:
    """The 95 % interval of a mean over pictures, such as the loss, that a few mistakes may decide; None for n = 1.

        mean = (1 − q)·a + q·b,    q the share of mistakes, a the mean of the right pictures, b that of the wrong ones

    Each end is as far off as Wilson's interval of q, times b − a, and Student's of a and of b, times their shares,
    together: the root of the sum of squares. Where there are no right or no wrong pictures, a or b is the mean of
    `otherwise_N`, what each picture would count if its answer were wrong instead of right, or right instead of wrong;
    where there is one, which has no interval, Student's of all pictures stands for both.
    In simulations with 30 to 3,000 pictures of calibrated and of far too sure networks it covered 91 to 100 %, where
    Student's of all pictures covered 56 to 98 % (benchmarks/coverage.py).
    Source: Zou & Donner 2008, Construction of confidence limits about effect measures: a general approach.
    """
    n, mean = len(values_N), float(values_N.mean())
    if n == 1:
        return None
    groups = values_N[right_N], values_N[~right_N]
    a, b = (float((group if group.size else otherwise_N).mean()) for group in groups)
    if min(map(len, groups)) == 1:
        groups = values_N, values_N[:0]
    inside = math.hypot(*(len(group) / n * (mean_interval(group).half_width or 0.0) for group in groups if group.size))
    wrong = n - int(right_N.sum())
    moves = sorted((end - wrong / n) * (b - a) for end in wilson_interval(wrong, n))
    return mean - math.hypot(moves[0], inside), mean + math.hypot(moves[1], inside)


def finite_ends(interval: tuple[float, float]) -> list[float | None]:
    """An interval's ends for JSON, which has None in the place of one that isn't finite."""
    return [end if math.isfinite(end) else None for end in interval]
