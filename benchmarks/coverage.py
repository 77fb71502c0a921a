"""How often the intervals of `neocog evaluate` hold the truth, on simulated predictions whose truth is known.

A 95 % interval should hold it in 95 % of samples. The loss and the calibration error are tried with networks that know
the true probabilities of 5 classes, or raise them to the third power (far too sure), on hard pictures and on easy
ones, the loss beside Student's interval of all pictures; macro F1 and kappa with classes of equal share and mistakes
that fall evenly on the others, macro F1 beside percentiles of the resamples.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.common import Report
from neocog.evaluation import Evaluation, evaluate_predictions, mean_interval
from neocog.evaluation.reliability import expected_calibration_error, reliability
from neocog.evaluation.resampling import resampled_confusion
from neocog.randomness import numpy_stream

SIZES = (30, 100, 300, 1000, 3000)
SAMPLES = 120
SPREADS = {"hard": 3.0, "easy": 20.0}  # of the scores that the true probabilities are made of
POWERS = {"calibrated": 1.0, "far too sure": 3.0}
CLASSES, EACH, SHARES = (3, 20), (2, 5, 10, 30), (0.8, 0.97)
TRUTH = 400_000  # pictures from which the truth is known where no formula gives it

Stream = np.random.Generator


def sampled(stream: Stream, n: int, spread: float, power: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """(n, 5) the true probabilities of so many pictures, and what the network says of them."""
    scores = spread * stream.standard_normal((n, 5))
    true, said = (np.exp(factor * (scores - scores.max(1, keepdims=True))) for factor in (1.0, power))
    return true / true.sum(1, keepdims=True), said / said.sum(1, keepdims=True)


def judged(stream: Stream, n: int, spread: float, power: float) -> Evaluation:
    true, said = sampled(stream, n, spread, power)
    labels = (true.cumsum(1) < stream.random((n, 1))).sum(1).clip(0, 4)
    return evaluate_predictions(said, labels, list("abcde"), "simulated")


def truth_of(spread: float, power: float) -> tuple[float, float, float]:
    """Accuracy, loss and calibration error, expected over labels rather than drawn."""
    true, said = sampled(numpy_stream(0, f"truth {spread} {power}"), TRUTH, spread, power)
    loss = float(-(true * np.log(np.maximum(said, 1e-38))).sum(1).mean())
    # As `reliability` bins them, with the probability of being right in the place of right or wrong.
    sure = said.max(1).astype(np.float32)
    right = np.take_along_axis(true, said.argmax(1)[:, None], axis=1)[:, 0]
    return float(right.mean()), loss, expected_calibration_error(reliability(sure, right))


def holds(interval: Sequence[float], truth: float) -> bool:
    return interval[0] <= truth <= interval[1]


def probabilities(report: Report) -> None:
    report("pictures  network       right  pictures    loss  Student's  calibration error")
    for kind, spread in SPREADS.items():
        for name, power in POWERS.items():
            accuracy, loss, ece = truth_of(spread, power)
            for n in SIZES:
                found = []
                for number in range(SAMPLES):
                    each = judged(numpy_stream(0, f"{kind} {name} {n} {number}"), n, spread, power)
                    plain = mean_interval(each.losses)
                    losses = (holds(each.loss_interval, loss), holds((plain.low, plain.high), loss))
                    found.append([*losses, holds(each.ece_interval, 0.0 if power == 1 else ece)])
                means = 100 * np.mean(found, axis=0)
                figures = f"{means[0]:>8.1f}{means[1]:>11.1f}{means[2]:>19.1f}"
                report(f"{kind:<10}{name:<14}{accuracy:>5.0%}{n:>10,}{figures}")
                report.figures[f"{kind}, {name}, {n}"] = means.tolist()


def confusions(report: Report) -> None:
    report("classes  pictures of each  right  macro F1  percentiles  kappa")
    for count in CLASSES:
        for each in EACH:
            for share in SHARES:
                found = [confusion_holds(count, each, share, number) for number in range(SAMPLES)]
                means = 100 * np.mean(found, axis=0)
                figures = f"{means[0]:>10.1f}{means[1]:>13.1f}{means[2]:>7.1f}"
                report(f"{count:>7}{each:>18}{share:>7.0%}{figures}")
                report.figures[f"{count} classes, {each} of each, {share}"] = means.tolist()


def confusion_holds(count: int, each: int, share: float, number: int) -> list[bool]:
    """Whether macro F1's interval, percentiles of it, and kappa's interval hold the truth in one sample."""
    n, stream = count * each, numpy_stream(0, f"{count} {each} {share} {number}")
    labels = stream.integers(0, count, size=n)
    answers = np.where(stream.random(n) < share, labels, (labels + stream.integers(1, count, size=n)) % count)
    found = evaluate_predictions(np.eye(count)[answers], labels, [str(c) for c in range(count)], "simulated")
    percentiles = np.quantile(resampled_confusion(found.confusion).macro_f1, [0.025, 0.975])
    # Every class has the same share and the same mistakes, so each F1 is the accuracy.
    kappa = (share - 1 / count) / (1 - 1 / count)
    return [holds(found.macro_f1_interval, share), holds(percentiles, share), holds(found.kappa_interval, kappa)]


def main() -> None:
    report = Report("coverage", f"Samples in % whose 95 % interval holds the truth ({SAMPLES} samples, so ± 4 points)")
    probabilities(report)
    report("")
    confusions(report)
    report.save()


if __name__ == "__main__":
    main()
