"""What predictions and labels must be before anything is said about them, and what is kept of them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocog.errors import DataError

LEAST = float(np.finfo(np.float32).tiny)
AT_ONCE = 4096  # pictures whose float64 copies are in memory at a time


def refuse_nonsense(scores_NC: NDArray[Any], labels_N: NDArray[Any], count: int, logits: bool) -> None:
    """Raises DataError for shapes, labels or probabilities that make no sense, naming the first one."""
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
    for start in range(0, len(scores_NC), AT_ONCE):
        _refuse_rows(scores_NC[start : start + AT_ONCE].astype(np.float64), start, logits)


def _refuse_rows(scores_NC: NDArray[np.float64], start: int, logits: bool) -> None:
    unreal = np.flatnonzero(~np.isfinite(scores_NC).all(axis=1))
    if len(unreal):
        raise DataError(
            f"prediction {start + unreal[0]} isn't finite; the weights are broken, train again with a lower rate"
        )
    if logits:
        return
    # bfloat16 rounds each number by up to 0.4 %, so also their sum.
    wrong = np.flatnonzero((scores_NC < 0).any(axis=1) | (np.abs(scores_NC.sum(axis=1) - 1) > 0.01))
    if len(wrong):
        raise DataError(
            f"prediction {start + wrong[0]} isn't a probability distribution (sum {scores_NC[wrong[0]].sum():.4g}); "
            f"give raw scores with logits=True"
        )


def probabilities_and_losses(
    scores_NC: NDArray[np.float64], labels_N: NDArray[np.int64], logits: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The probabilities (N, C) and losses (N,) of some pictures."""
    rows = np.arange(len(labels_N))
    if not logits:
        return scores_NC, -np.log(np.maximum(scores_NC[rows, labels_N], LEAST))
    shifted_NC = scores_NC - scores_NC.max(axis=1, keepdims=True)
    log_NC = shifted_NC - np.log(np.exp(shifted_NC).sum(axis=1, keepdims=True))
    return np.exp(log_NC), -log_NC[rows, labels_N]
