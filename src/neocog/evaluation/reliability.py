"""Do probabilities mean what they say? How often the network is right when it is so sure.

Legend: N pictures, R resamples, B bins, K kinds of pictures that count alike.
Source: Guo, Pleiss, Sun & Weinberger 2017, On Calibration of Modern Neural Networks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocog.evaluation.intervals import CONFIDENCE, wilson_interval
from neocog.evaluation.resampling import METHOD, RESAMPLES, resampled
from neocog.randomness import numpy_stream

BINS = 15
ECE_METHOD = f"{METHOD}, widened for its bias, {CONFIDENCE * 100:g} %"
_FINER = 64  # steps within a bin, below which pictures count alike when they are resampled

Values = NDArray[np.float64]


@dataclass(frozen=True)
class ReliabilityBin:
    """The pictures whose highest probability lies above `low` and up to `high`: how sure, and how often right."""

    low: float
    high: float
    n: int
    confidence: float  # mean of the highest probabilities
    accuracy: float
    interval: tuple[float, float]  # Wilson, of the accuracy


def reliability(confidences_N: NDArray[np.float32], right_N: NDArray[np.bool_]) -> tuple[ReliabilityBin, ...]:
    """The 15 bins of equal width, without the empty ones: what a network is sure of against how often it is right."""
    places_N = _bins(confidences_N)
    counts_B = np.bincount(places_N, minlength=BINS)
    sure_B = np.bincount(places_N, confidences_N, BINS)
    right_B = np.bincount(places_N, right_N, BINS)
    return tuple(
        ReliabilityBin(
            low=place / BINS,
            high=(place + 1) / BINS,
            n=int(counts_B[place]),
            confidence=float(sure_B[place] / counts_B[place]),
            accuracy=float(right_B[place] / counts_B[place]),
            interval=wilson_interval(int(right_B[place]), int(counts_B[place])),
        )
        for place in np.flatnonzero(counts_B).tolist()
    )


def expected_calibration_error(bins: tuple[ReliabilityBin, ...]) -> float:
    """The mean distance between how sure the network is and how often it is right, over pictures, bin by bin.

        ECE = Σ_b n_b/N · |accuracy_b − confidence_b|

    It is never negative, so chance alone makes it more than 0: see `ece_by_chance`.
    """
    return sum(each.n * abs(each.accuracy - each.confidence) for each in bins) / sum(each.n for each in bins)


def ece_by_chance(confidences_N: NDArray[np.float32]) -> Values:
    """(R,) what ECE would be if each picture were right with just the probability that the network gives it."""
    counts_K, sure_K, places_K, _ = _kinds(confidences_N, np.zeros(len(confidences_N), dtype=bool))
    stream = numpy_stream(0, "chance calibration")
    right_RK = stream.binomial(counts_K, np.minimum(sure_K, 1), size=(RESAMPLES, len(counts_K)))
    return _gaps(right_RK - counts_K * sure_K, places_K) / len(confidences_N)


def ece_interval(
    confidences_N: NDArray[np.float32], right_N: NDArray[np.bool_], by_chance_R: Values
) -> tuple[float, float]:
    """The 95 % interval of ECE, from resampled pictures.

    Resampling adds chance to chance, so that resampled ECEs lie too high: their percentiles never hold the 0 of a
    perfectly calibrated network. The low end is therefore reversed, 2·ECE less the upper percentile, and 0 wherever
    a perfectly calibrated network would reach this ECE in more than 2.5 % of cases. The high end is the upper
    percentile. Both are at least as far off as the accuracy's ends (Wilson), as what never occurred can't be resampled.
    In simulations with 30 to 3,000 pictures it covered 95 to 100 % (benchmarks/coverage.py).
    """
    counts_K, sure_K, places_K, right_K = _kinds(confidences_N, right_N)
    times_RK = resampled(counts_K, "ece bootstrap")
    values_R = _gaps(times_RK * (right_K - sure_K), places_K) / len(right_N)
    ece = expected_calibration_error(reliability(confidences_N, right_N))
    upper = float(np.quantile(values_R, (1 + CONFIDENCE) / 2))
    chance = float(np.quantile(by_chance_R, (1 + CONFIDENCE) / 2))
    right, n = int(right_N.sum()), len(right_N)
    least, most = wilson_interval(right, n)
    lower = 0.0 if ece <= chance else max(0.0, min(2 * ece - upper, ece - (most - right / n)))
    return lower, min(1.0, max(upper, ece + right / n - least))


def _bins(confidences_N: NDArray[np.float32] | Values) -> NDArray[np.int64]:
    """(N,) the bin of each; a border belongs to the bin below."""
    # In float32, so that 0.2 is the end of the third bin and not, as float32's 0.2 is, a little beyond.
    scaled_N = np.asarray(confidences_N, dtype=np.float32) * np.float32(BINS)
    return np.asarray(np.clip(np.ceil(scaled_N).astype(np.int64) - 1, 0, BINS - 1))


def _kinds(
    confidences_N: NDArray[np.float32], right_N: NDArray[np.bool_]
) -> tuple[NDArray[np.int64], Values, NDArray[np.int64], Values]:
    """Pictures that count alike: how many, their mean confidence, their bin, and whether they are right (0 or 1).

    Alike are those in the same 64th of a bin, all right or all wrong. Each counts with the mean of its kind, so ECE
    itself is exact, and a resample's is off by far less than a 64th of a bin.
    """
    steps = BINS * _FINER
    finer_N = np.minimum((confidences_N.astype(np.float64) * steps).astype(np.int64), steps - 1)
    keys_N = (_bins(confidences_N) * steps + finer_N) * 2 + right_N
    keys_K, kinds_N, counts_K = np.unique(keys_N, return_inverse=True, return_counts=True)
    sure_K = np.bincount(kinds_N, confidences_N) / counts_K
    return counts_K, sure_K, keys_K // 2 // steps, (keys_K % 2).astype(np.float64)


def _gaps(gaps_RK: Values, places_K: NDArray[np.int64]) -> Values:
    """(R,) the summed distances: of each bin the sum of its kinds, without its sign."""
    starts = np.flatnonzero(np.diff(places_K, prepend=-1))  # kinds come in the order of their bins
    return np.asarray(np.abs(np.add.reduceat(gaps_RK, starts, axis=1)).sum(axis=1))
