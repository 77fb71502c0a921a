"""What tests of the charts of one run share: evaluations made from counts, and from confidences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from neocog.evaluation import Evaluation, evaluate_predictions


def of_counts(counts: ArrayLike, names: Sequence[str] | None = None) -> Evaluation:
    """The evaluation whose confusion matrix is `counts`, (C, C), rows being true classes."""
    counts_CC = np.asarray(counts)
    classes = len(counts_CC)
    true, answer = (np.repeat(places, counts_CC.ravel()) for places in np.indices(counts_CC.shape).reshape(2, -1))
    probabilities = np.full((len(true), classes), 0.1 / classes)
    probabilities[np.arange(len(true)), answer] += 0.9
    found = evaluate_predictions(probabilities, true, names or [f"c{n}" for n in range(classes)], "test")
    np.testing.assert_array_equal(found.confusion, counts_CC)
    return found


def of_confidences(confidences: ArrayLike, right: ArrayLike, temperature: float = 1.0) -> Evaluation:
    """Two classes, the second one always the answer, so sure and so right."""
    sure = np.asarray(confidences, dtype=np.float64)
    labels = np.asarray(right, dtype=np.int64)
    both = np.stack([1 - sure, sure], axis=1)
    return evaluate_predictions(both, labels, ["no", "yes"], "test", temperature=temperature)


def random_counts(classes: int, each: int, seed: int = 0) -> np.ndarray:
    """Mostly right, with errors spread at random."""
    made = np.random.default_rng(seed)
    shares = np.eye(classes) * 8 * classes + made.uniform(0, 1, (classes, classes)) ** 8 + 1e-3
    return np.stack([made.multinomial(each, row / row.sum()) for row in shares])
