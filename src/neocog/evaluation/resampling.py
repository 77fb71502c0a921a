"""What a measure would have been on other pictures: bootstrap intervals, resampled without touching the pictures.

A picture counts in macro-F1 and kappa only through its cell of the confusion matrix. To draw N pictures with
replacement is then to draw how often each class comes up rightly answered, which is multinomial, and which of the
mistakes: the same answer for the price of the mistakes. The random numbers have their own stream, so that an interval
repeats.

Legend: N pictures, E mistakes, C classes, R resamples, K kinds of pictures that count alike.
Source: Efron & Tibshirani 1993, An Introduction to the Bootstrap, chapters 6 and 13.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neocog.evaluation.intervals import CONFIDENCE, wilson_interval
from neocog.randomness import numpy_stream

RESAMPLES = 1000
METHOD = f"bootstrap over pictures, {RESAMPLES:,} resamples"
AROUND_METHOD = f"{METHOD}, Wilson's shape, widened for its bias, {CONFIDENCE * 100:g} %"

Numbers = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class ConfusionSums:
    """Of R confusion matrices the diagonal, the sums of rows (true class) and of columns (predicted)."""

    right_RC: Numbers
    true_RC: Numbers
    named_RC: Numbers

    @property
    def macro_f1(self) -> Values:
        """(R,) the mean F1 of the classes that occur in the labels."""
        sizes_RC = self.true_RC + self.named_RC
        f1_RC = np.divide(2 * self.right_RC, sizes_RC, out=np.zeros(sizes_RC.shape), where=sizes_RC > 0)
        return np.asarray(f1_RC.sum(axis=1) / (self.true_RC > 0).sum(axis=1))  # F1 is 0 where no label is

    @property
    def kappa(self) -> Values:
        """(R,) Cohen's kappa; 0 where it would be 0/0."""
        n_R = self.true_RC.sum(axis=1).astype(np.float64)
        observed_R = self.right_RC.sum(axis=1) / n_R
        by_chance_R = (self.true_RC.astype(np.float64) * self.named_RC).sum(axis=1) / n_R**2
        beyond_R = observed_R - by_chance_R
        return np.asarray(np.divide(beyond_R, 1 - by_chance_R, out=np.zeros(len(n_R)), where=by_chance_R < 1))


def resampled_confusion(confusion_CC: Numbers) -> ConfusionSums:
    """R confusion matrices of as many pictures, drawn with replacement from those counted in this one."""
    classes, n = len(confusion_CC), int(confusion_CC.sum())
    right_C = np.diag(confusion_CC)
    wrong_CC = confusion_CC - np.diag(right_C)
    true_K, named_K = np.nonzero(wrong_CC)
    cells_K = wrong_CC[true_K, named_K]
    true_E, named_E = np.repeat(true_K, cells_K), np.repeat(named_K, cells_K)
    stream = numpy_stream(0, "confusion bootstrap")
    # Of the right answers only their class counts; the wrong ones are one more kind, told apart below.
    kinds_RC = stream.multinomial(n, np.append(right_C, len(true_E)) / n, size=RESAMPLES)
    right_RC, errors_R = kinds_RC[:, :-1], kinds_RC[:, -1]
    true_RC, named_RC = right_RC.copy(), right_RC.copy()
    for resample in np.flatnonzero(errors_R):
        drawn = stream.integers(len(true_E), size=errors_R[resample])
        true_RC[resample] += np.bincount(true_E[drawn], minlength=classes)
        named_RC[resample] += np.bincount(named_E[drawn], minlength=classes)
    return ConfusionSums(right_RC, true_RC, named_RC)


def resampled(counts_K: Numbers, purpose: str) -> Numbers:
    """(R, K) how often each kind comes up when as many pictures are drawn with replacement."""
    n = int(counts_K.sum())
    return numpy_stream(0, purpose).multinomial(n, counts_K / n, size=RESAMPLES)


def interval_around(value: float, values_R: Values, n: int, low: float = 0.0, high: float = 1.0) -> tuple[float, float]:
    """The 95 % interval of a measure between `low` and `high`, from its value on R resamples of n pictures.

    It is Wilson's of a plain share that would scatter as the resamples do, one of

        n′ = s(1 − s) / variance,    s = (value − low) / (high − low)

    pictures; where no resample differs, n′ is n. Percentiles would be far too narrow near the top, as a resample knows
    no mistakes but those that occurred: with 30 pictures of 3 classes and true 97 % they held the truth in 57 % of 120
    samples, this in all.
    A measure that isn't linear is biased, most of all macro-F1 of many classes with few pictures each: one end moves by
    the mean of the resamples less the value. In simulations with 5 to 30 pictures a class macro-F1's covered 92 to
    100 %, and kappa's with 2 to 30 90 to 98 %; with 2 a class macro-F1's bias is larger than resamples show, and it
    covered 87 to 95 % (benchmarks/coverage.py).
    Sources: Korn & Graubard 1998, Confidence intervals for proportions with small expected number of positive counts
    (n′, there with another interval around it); Wilson 1927; Efron & Tibshirani 1993, chapter 10 (the bias).
    """
    share, spread = min((value - low) / (high - low), 1.0), float(values_R.std()) / (high - low)
    alike = share * (1 - share) / spread**2 if spread else n * (high - low)
    alike = max(alike, 1.0)
    ends = wilson_interval(share * alike, alike)
    bias = float(values_R.mean()) - value
    return (
        max(low + ends[0] * (high - low) - max(bias, 0.0), low),
        min(low + ends[1] * (high - low) - min(bias, 0.0), high),
    )
