"""From stored predictions to measures: accuracy with its interval, loss, per-class measures, confusion, mistakes.

No model in here: what a run stored for each picture is enough, today or in a year.

Legend: N pictures, C classes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri, stdtrit

from neocog.errors import DataError

CONFIDENCE = 0.95


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

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur in the labels."""
        return float(self.f1[self.support > 0].mean())

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
            "interval_method": f"Wilson, {CONFIDENCE * 100:g} %",
            "loss": self.loss,
            "macro_f1": self.macro_f1,
            "classes": list(self.classes),
            "per_class": [
                {
                    "class": name,
                    "precision": float(self.precision[place]),
                    "recall": float(self.recall[place]),
                    "f1": float(self.f1[place]),
                    "support": int(self.support[place]),
                }
                for place, name in enumerate(self.classes)
            ],
            "confusion": self.confusion.tolist(),
        }

    def __str__(self) -> str:
        low, high = self.interval
        bounds = f"{low * 100:.2f}–{high * 100:.2f}, {CONFIDENCE * 100:g} % Wilson"
        return f"{self.accuracy * 100:.2f} % ({bounds}, n = {self.n:,})"

    def __repr__(self) -> str:
        return f"<Evaluation on {self.split}: {self}>"


def evaluate_predictions(
    predictions: ArrayLike,
    labels: ArrayLike,
    classes: Sequence[str],
    split: str,
    *,
    logits: bool = False,
    indices: ArrayLike | None = None,
    names: Sequence[str] | None = None,
) -> Evaluation:
    """Judge predictions (N, C), probabilities or with `logits=True` raw scores, against labels (N,) in 0 … C − 1.

    The loss is computed in float64 from what is given: exactly from logits; from probabilities with the smallest
    normal float32 (1.2e-38, a loss of 87 nats) in place of zeros. `indices` and `names` say which picture each
    row is; they only travel along. Raises DataError for shapes, labels or probabilities that make no sense.

    >>> evaluation = evaluate_predictions([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]], [0, 1, 1], ["cat", "dog"], "test")
    >>> evaluation.correct, evaluation.confusion.tolist()
    (2, [[1, 0], [1, 1]])
    >>> print(evaluation)
    66.67 % (20.77–93.85, 95 % Wilson, n = 3)
    """
    scores_NC = np.asarray(predictions, dtype=np.float64)
    labels_N = np.asarray(labels)
    _check(scores_NC, labels_N, len(classes), logits)
    labels_N = labels_N.astype(np.int64)
    rows = np.arange(len(labels_N))
    if logits:
        shifted_NC = scores_NC - scores_NC.max(axis=1, keepdims=True)
        log_NC = shifted_NC - np.log(np.exp(shifted_NC).sum(axis=1, keepdims=True))
        probabilities_NC = np.exp(log_NC)
        loss = -log_NC[rows, labels_N].mean()
    else:
        probabilities_NC = scores_NC
        loss = -np.log(np.maximum(scores_NC[rows, labels_N], np.finfo(np.float32).tiny)).mean()

    stored_NC = probabilities_NC.astype(np.float32)
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
        indices=rows if indices is None else np.asarray(indices, dtype=np.int64),
        names=None if names is None else tuple(names),
        loss=float(loss) + 0.0,  # no minus zero
        confusion=confusion,
        precision=_share(right, named),
        recall=_share(right, support),
        f1=_share(2 * right, support + named),
    )


def wilson_interval(successes: float, n: int, confidence: float = CONFIDENCE) -> tuple[float, float]:
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


def mean_interval(values: Sequence[float], confidence: float = CONFIDENCE) -> MeanInterval:
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


def _share(part: NDArray[np.int64], whole: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)


def _check(scores_NC: NDArray[np.float64], labels_N: NDArray[Any], count: int, logits: bool) -> None:
    if scores_NC.ndim != 2 or scores_NC.shape[1] != count or labels_N.shape != scores_NC.shape[:1]:
        raise DataError(
            f"predictions {scores_NC.shape} and labels {labels_N.shape} don't fit {count} classes; "
            f"they must be (N, {count}) and (N,)"
        )
    if not len(labels_N):
        raise DataError("there are no predictions to evaluate; the split is empty")
    if labels_N.dtype.kind not in "iu":
        raise DataError(f"labels are {labels_N.dtype}; they must be whole numbers from 0 to {count - 1}")
    outside = np.flatnonzero((labels_N < 0) | (labels_N >= count))
    if len(outside):
        raise DataError(f"label {outside[0]} is {labels_N[outside[0]]}; it must be from 0 to {count - 1}")
    unreal = np.flatnonzero(~np.isfinite(scores_NC).all(axis=1))
    if len(unreal):
        raise DataError(f"prediction {unreal[0]} isn't finite; the weights are broken, train again with a lower rate")
    if logits:
        return
    # bfloat16 rounds each number by up to 0.4 %, so also their sum.
    wrong = np.flatnonzero((scores_NC < 0).any(axis=1) | (np.abs(scores_NC.sum(axis=1) - 1) > 0.01))
    if len(wrong):
        raise DataError(
            f"prediction {wrong[0]} isn't a probability distribution (sum {scores_NC[wrong[0]].sum():.4g}); "
            f"give raw scores with logits=True"
        )
