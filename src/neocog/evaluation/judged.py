"""From stored predictions to measures: accuracy with its interval, loss, per-class measures, confusion, mistakes.

No model in here: what a run stored for each picture is enough, today or in a year.

Legend: N pictures, C classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neocog.errors import DataError
from neocog.evaluation.checks import AT_ONCE, LEAST, probabilities_and_losses, refuse_nonsense
from neocog.evaluation.intervals import CONFIDENCE, finite_ends, picture_interval, wilson_interval, wilson_intervals
from neocog.evaluation.reliability import (
    ECE_METHOD,
    ReliabilityBin,
    ece_by_chance,
    ece_interval,
    expected_calibration_error,
    reliability,
)
from neocog.evaluation.resampling import (
    AROUND_METHOD,
    ConfusionSums,
    Values,
    interval_around,
    resampled_confusion,
)
from neocog.notebook import html_of

WILSON_METHOD = f"Wilson, {CONFIDENCE * 100:g} %"
LOSS_METHOD = f"Wilson of the share of mistakes, Student's t of right and of wrong pictures, {CONFIDENCE * 100:g} %"
METHODS = {
    "accuracy": WILSON_METHOD,
    "precision": WILSON_METHOD,
    "recall": WILSON_METHOD,
    "top_k": WILSON_METHOD,
    "macro_f1": AROUND_METHOD,
    "kappa": AROUND_METHOD,
    "loss": LOSS_METHOD,
    "ece": ECE_METHOD,
}
_TOP = (2, 3, 5)  # of the texts, where there are more classes than that
_AT_ONCE = 8192  # pictures that are ranked at a time


@dataclass(frozen=True)
class Mistake:
    """One picture that was classified wrongly."""

    index: int
    name: str | None
    true: str
    predicted: str
    probability: float  # given to the predicted class
    true_probability: float


@dataclass(frozen=True, eq=False, repr=False)
class Evaluation:
    """How well a set of predictions fits its labels. Made by `evaluate_predictions`.

    Precision is the share of right answers among those that named the class, recall the share of the class that
    was found, F1 their harmonic mean; each is 0 where it would be 0/0. `macro_f1` is the mean F1 of the classes
    that occur in the labels. `loss` is the mean negative log likelihood, in nats.

    Intervals are of 95 %, over pictures: they say how far these figures would move with other pictures of the same
    kind, not with another training. Each is computed when it is first asked for.
    """

    split: str
    classes: tuple[str, ...]
    labels: NDArray[np.int64]  # (N,)
    probabilities: NDArray[np.float32]  # (N, C)
    indices: NDArray[np.int64]  # (N,) places in the data set
    names: tuple[str, ...] | None  # (N,) file names, where the pictures have some
    loss: float
    confusion: NDArray[np.int64]  # (C, C), rows are the true class
    precision: NDArray[np.float64]  # (C,)
    recall: NDArray[np.float64]  # (C,)
    f1: NDArray[np.float64]  # (C,)
    losses: NDArray[np.float64]  # (N,) negative log likelihood of each, in nats
    temperature: float = 1.0  # that the probabilities were softened with

    @property
    def n(self) -> int:
        """How many pictures were judged."""
        return len(self.labels)

    @property
    def correct(self) -> int:
        """How many of them were classified rightly."""
        return int(np.trace(self.confusion))

    @property
    def errors(self) -> int:
        """How many of them were classified wrongly."""
        return self.n - self.correct

    @property
    def accuracy(self) -> float:
        """The share that was classified rightly, 0 to 1."""
        return self.correct / self.n

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % Wilson interval of the accuracy."""
        return wilson_interval(self.correct, self.n)

    @property
    def support(self) -> NDArray[np.int64]:
        """(C,) how many pictures each class has."""
        return np.asarray(self.confusion.sum(axis=1), dtype=np.int64)

    @cached_property
    def precision_intervals(self) -> NDArray[np.float64]:
        """(C, 2) the 95 % Wilson interval of each class's precision; NaN where no answer named the class."""
        return wilson_intervals(np.diag(self.confusion), self.confusion.sum(axis=0))

    @cached_property
    def recall_intervals(self) -> NDArray[np.float64]:
        """(C, 2) the 95 % Wilson interval of each class's recall; NaN where the class has no pictures."""
        return wilson_intervals(np.diag(self.confusion), self.support)

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur in the labels."""
        return float(self.f1[self.support > 0].mean())

    @cached_property
    def macro_f1_interval(self) -> tuple[float, float]:
        """Its 95 % interval, from resampled pictures; see `resampling.interval_around`."""
        return interval_around(self.macro_f1, self._resampled.macro_f1, self.n)

    @property
    def kappa(self) -> float:
        """Cohen's kappa: the agreement of answers and labels beyond what chance gives, 1 for full agreement.

            κ = (pₒ − pₑ) / (1 − pₑ),    pₒ the accuracy,  pₑ = Σ_c (labels of c)·(answers c) / N²

        0 where it would be 0/0, with a single class. Source: Cohen 1960.
        """
        sums = ConfusionSums(np.diag(self.confusion)[None], self.support[None], self.confusion.sum(axis=0)[None])
        return float(sums.kappa[0])

    @cached_property
    def kappa_interval(self) -> tuple[float, float]:
        """Its 95 % interval, from resampled pictures; see `resampling.interval_around`."""
        return interval_around(self.kappa, self._resampled.kappa, self.n, low=-1.0)

    @cached_property
    def loss_interval(self) -> tuple[float, float]:
        """Its 95 % interval, no lower than 0; see `intervals.picture_interval`."""
        found = picture_interval(self.losses, self.right, self.losses_otherwise)
        return (0.0, math.inf) if found is None else (max(0.0, found[0]), found[1])

    def top_k(self, k: int) -> float:
        """The share of pictures whose class is among the k most probable; of equal ones the first count."""
        return self._within(k) / self.n

    def top_k_interval(self, k: int) -> tuple[float, float]:
        """Its 95 % Wilson interval."""
        return wilson_interval(self._within(k), self.n)

    @cached_property
    def confidences(self) -> NDArray[np.float32]:
        """(N,) the highest probability of each."""
        return np.asarray(self.probabilities.max(axis=1), dtype=np.float32)

    @cached_property
    def right(self) -> NDArray[np.bool_]:
        """(N,) whether each was classified rightly."""
        return np.asarray(self.predictions == self.labels)

    @property
    def losses_otherwise(self) -> NDArray[np.float64]:
        """(N,) what a right one would lose at least if it were wrong, and a wrong one if it were right, in nats."""
        confidences_N = self.confidences.astype(np.float64)
        return -np.log(np.maximum(np.where(self.right, 1 - confidences_N, confidences_N), LEAST))

    @cached_property
    def reliability(self) -> tuple[ReliabilityBin, ...]:
        """How often the network is right when it is so sure: 15 bins of equal width, without the empty ones."""
        return reliability(self.confidences, self.right)

    @property
    def ece(self) -> float:
        """The expected calibration error; see `reliability.expected_calibration_error`."""
        return expected_calibration_error(self.reliability)

    @cached_property
    def ece_interval(self) -> tuple[float, float]:
        """Its 95 % interval, from resampled pictures; see `reliability.ece_interval`."""
        return ece_interval(self.confidences, self.right, self._ece_by_chance)

    @property
    def ece_by_chance(self) -> float:
        """What ECE would be on average if each picture were right with just the probability the network gives it."""
        return float(self._ece_by_chance.mean())

    @property
    def predictions(self) -> NDArray[np.int64]:
        """(N,) the class with the highest probability; of equal ones the first."""
        return np.asarray(self.probabilities.argmax(axis=1), dtype=np.int64)

    def worst_mistakes(self, k: int = 10) -> list[Mistake]:
        """The k mistakes that gave the true class the least probability, worst first."""
        predictions = self.predictions
        wrong = np.flatnonzero(predictions != self.labels)
        of_truth = self.probabilities[wrong, self.labels[wrong]]
        worst = wrong[np.argsort(of_truth, kind="stable")[:k]]
        return [
            Mistake(
                index=int(self.indices[row]),
                name=self.names[row] if self.names else None,
                true=self.classes[self.labels[row]],
                predicted=self.classes[predictions[row]],
                probability=float(self.probabilities[row, predictions[row]]),
                true_probability=float(self.probabilities[row, self.labels[row]]),
            )
            for row in worst
        ]

    def most_confused(self, k: int = 10) -> list[tuple[str, str, int]]:
        """Up to k pairs (true class, predicted class, how often), most frequent first; only pairs that occurred."""
        wrong = self.confusion.copy()
        np.fill_diagonal(wrong, 0)
        order = np.argsort(-wrong, axis=None, kind="stable")[:k]
        pairs = [(int(place) // len(self.classes), int(place) % len(self.classes)) for place in order]
        return [
            (self.classes[true], self.classes[predicted], int(wrong[true, predicted]))
            for true, predicted in pairs
            if wrong[true, predicted]
        ]

    def as_dict(self) -> dict[str, Any]:
        """All measures as plain numbers, lists and texts, ready for JSON; the predictions themselves are left out."""
        return {
            "split": self.split,
            "n": self.n,
            "correct": self.correct,
            "errors": self.errors,
            "accuracy": self.accuracy,
            "interval": list(self.interval),
            "interval_method": WILSON_METHOD,
            "loss": self.loss,
            "loss_interval": finite_ends(self.loss_interval),
            "macro_f1": self.macro_f1,
            "macro_f1_interval": list(self.macro_f1_interval),
            "kappa": self.kappa,
            "kappa_interval": list(self.kappa_interval),
            "top_k": {
                str(k): {"accuracy": self.top_k(k), "interval": list(self.top_k_interval(k))} for k in self.shown_top
            },
            "ece": self.ece,
            "ece_interval": list(self.ece_interval),
            "ece_by_chance": self.ece_by_chance,
            "interval_methods": dict(METHODS),
            "temperature": self.temperature,
            "reliability": [{**asdict(each), "interval": list(each.interval)} for each in self.reliability],
            "classes": list(self.classes),
            "per_class": [
                {
                    "class": name,
                    "precision": float(self.precision[place]),
                    "precision_interval": finite_ends(tuple(self.precision_intervals[place].tolist())),
                    "recall": float(self.recall[place]),
                    "recall_interval": finite_ends(tuple(self.recall_intervals[place].tolist())),
                    "f1": float(self.f1[place]),
                    "support": int(self.support[place]),
                }
                for place, name in enumerate(self.classes)
            ],
            "confusion": self.confusion.tolist(),
        }

    @property
    def shown_top(self) -> tuple[int, ...]:
        """The k whose `top_k` says something: less than the number of classes."""
        return tuple(k for k in _TOP if k < len(self.classes))

    @cached_property
    def _resampled(self) -> ConfusionSums:
        return resampled_confusion(self.confusion)

    @cached_property
    def _ece_by_chance(self) -> Values:
        return ece_by_chance(self.confidences)

    @cached_property
    def _ranks(self) -> NDArray[np.int64]:
        """(C,) how many pictures have their class at place 1, 2, … of the most probable."""
        counts_C = np.zeros(len(self.classes), dtype=np.int64)
        places_C = np.arange(len(self.classes))
        for start in range(0, self.n, _AT_ONCE):
            some_NC, labels_N1 = (
                self.probabilities[start : start + _AT_ONCE],
                self.labels[start : start + _AT_ONCE, None],
            )
            of_truth_N1 = np.take_along_axis(some_NC, labels_N1, axis=1)
            before_NC = (some_NC > of_truth_N1) | ((some_NC == of_truth_N1) & (places_C < labels_N1))
            counts_C += np.bincount(before_NC.sum(axis=1), minlength=len(counts_C))
        return counts_C

    def _within(self, k: int) -> int:
        count = len(self.classes)
        if not 1 <= k <= count:
            raise DataError(f"top-{k} of {count} classes; give k from 1 to {count}")
        return int(self._ranks[:k].sum())

    def __str__(self) -> str:
        low, high = self.interval
        bounds = f"{low * 100:.2f}–{high * 100:.2f}, {CONFIDENCE * 100:g} % Wilson"
        return f"{self.accuracy * 100:.2f} % ({bounds}, n = {self.n:,})"

    def __repr__(self) -> str:
        return f"<Evaluation on {self.split}: {self}>"

    def _repr_html_(self) -> str:
        return html_of(self, "evaluation_html")


def evaluate_predictions(
    predictions: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    split: str,
    *,
    logits: bool = False,
    indices: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    temperature: float = 1.0,
) -> Evaluation:
    """Judge predictions (N, C), probabilities or with `logits=True` raw scores, against labels (N,) in 0 … C − 1.

    The loss is computed in float64 from what is given: exactly from logits; from probabilities with the smallest
    normal float32 (1.2e-38, a loss of 87 nats) in place of zeros. `indices` and `names` say which picture each
    row is, `temperature` what the predictions were softened with; they only travel along.
    Raises DataError for shapes, labels or probabilities that make no sense.

    >>> evaluation = evaluate_predictions([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]], [0, 1, 1], ["cat", "dog"], "test")
    >>> evaluation.correct, evaluation.confusion.tolist()
    (2, [[1, 0], [1, 1]])
    >>> print(evaluation)
    66.67 % (20.77–93.85, 95 % Wilson, n = 3)
    """
    scores_NC = np.asarray(predictions)
    labels_N = np.asarray(labels)
    refuse_nonsense(scores_NC, labels_N, len(classes), logits)
    labels_N = labels_N.astype(np.int64)
    stored_NC = np.empty(scores_NC.shape, dtype=np.float32)
    losses_N = np.empty(len(labels_N))
    for start in range(0, len(labels_N), AT_ONCE):
        some = slice(start, start + AT_ONCE)
        stored_NC[some], losses_N[some] = probabilities_and_losses(
            scores_NC[some].astype(np.float64), labels_N[some], logits
        )

    # Judged by what is stored, so that the same file gives the same confusion later.
    count = len(classes)
    pairs = labels_N * count + stored_NC.argmax(axis=1)
    confusion = np.bincount(pairs, minlength=count * count).reshape(count, count).astype(np.int64)
    right, support, named = np.diag(confusion), confusion.sum(axis=1), confusion.sum(axis=0)
    return Evaluation(
        split=split,
        classes=tuple(str(name) for name in classes),
        labels=labels_N,
        probabilities=stored_NC,
        indices=np.arange(len(labels_N)) if indices is None else np.asarray(indices, dtype=np.int64),
        names=None if names is None else tuple(names),
        loss=float(losses_N.mean()) + 0.0,  # no minus zero
        confusion=confusion,
        precision=_share(right, named),
        recall=_share(right, support),
        f1=_share(2 * right, support + named),
        losses=losses_N,
        temperature=temperature,
    )


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
