"""Temperature scaling: one number that makes a network as sure as it is right, and changes no answer.

    probabilities = softmax(logits / T)

T > 1 makes the network less sure, T < 1 surer. A run stores probabilities p, not logits, which is enough: log p is
the logits up to a constant for each picture, and softmax doesn't see that constant. Probabilities below the smallest
normal float32, 1.2e-38, count as that: what lies below is stored with few digits or as 0, and the loss counts it
so, too. It matters where the network gave a class less than e⁻⁸⁷.

Legend: N pictures, C classes.
Source: Guo, Pleiss, Sun & Weinberger 2017, On Calibration of Modern Neural Networks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neocog.errors import DataError
from neocog.evaluation.checks import AT_ONCE, LEAST, refuse_nonsense

COLDEST, HOTTEST = 0.05, 20.0
_FIGURES = ("loss_before", "loss_after", "ece_before", "ece_after", "loss_change")


@dataclass(frozen=True)
class Calibration:
    """A temperature fitted to a run's probabilities, and what it changed. Made by `neocog.calibrate`.

    Loss (mean negative log likelihood, nats) and ECE are those of the `n` pictures of `part`, on which the temperature
    was fitted, so they flatter it. `loss_change` is after − before, and `intervals` has the 95 % interval of each of
    these figures; that of the change is paired, picture by picture. `test` holds the same for the test part, which
    had no say in the temperature; it is None where no test predictions are stored.
    """

    temperature: float
    part: str
    n: int
    loss_before: float
    loss_after: float
    ece_before: float
    ece_after: float
    test: Mapping[str, Any] | None = None  # n, the same figures, loss_change and intervals
    intervals: Mapping[str, list[float | None]] = field(default_factory=dict)

    @property
    def loss_change(self) -> float:
        """The loss after less the loss before; below 0 where the temperature helped."""
        return self.loss_after - self.loss_before

    @property
    def at_bound(self) -> bool:
        """Whether the best temperature lies beyond those that are searched."""
        return self.temperature in (COLDEST, HOTTEST)

    @property
    def helped(self) -> bool | None:
        """Whether the test loss fell; None when its change's interval holds 0, or there is no stored test part."""
        if self.test is None or not self.test.get("intervals"):
            return None
        low, high = self.test["intervals"]["loss_change"]
        return None if low is None else True if high < 0 else False if low > 0 else None

    def as_dict(self) -> dict[str, Any]:
        """All fields and `helped`, ready for JSON; it is what calibration.json holds."""
        return {**asdict(self), "loss_change": self.loss_change, "helped": self.helped}

    @classmethod
    def from_dict(cls, found: object) -> Calibration:
        """What `as_dict` gave. Raises ValueError naming what is missing or wrong."""
        if not isinstance(found, Mapping):
            raise ValueError("it holds no calibration")
        test = found.get("test")
        for figures in [found] + [test] * (test is not None):
            _check_figures(figures)
        temperature: Any = found.get("temperature")
        if not _is_number(temperature) or not COLDEST <= temperature <= HOTTEST:
            raise ValueError(f"its temperature is {temperature!r}, not a number from {COLDEST:g} to {HOTTEST:g}")
        if not isinstance(found.get("part"), str):
            raise ValueError(f"its part is {found.get('part')!r}, not the name of one")
        known: dict[str, Any] = {each.name: found.get(each.name) for each in fields(cls)}
        return cls(**known)

    def __str__(self) -> str:
        return f"temperature {self.temperature:.3g} (fitted on {self.n:,} {self.part} pictures)"


def fit_temperature(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """The temperature from 0.05 to 20 at which probabilities (N, C) give labels (N,) the least loss.

        T = argmin Σᵢ log Σⱼ exp((log pᵢⱼ − log pᵢ,label) / T)

    The loss is convex in 1/T, so it has one valley, and a bounded search of log T finds it. A bound itself is the
    answer where the loss still falls there.

    Raises DataError for what makes no sense, and where each label has the highest probability of its picture: the loss
    then falls without end as T goes to 0. Source: Guo et al. 2017.

    >>> round(fit_temperature([[0.9, 0.1]] * 4, [0, 0, 0, 1]), 6)  # sure to 90 %, right in 75 %: log 9 / log 3
    2.0
    """
    from scipy.optimize import minimize_scalar

    probabilities_NC, labels_N = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    refuse_nonsense(probabilities_NC, labels_N, probabilities_NC.shape[1] if probabilities_NC.ndim == 2 else 0, False)
    log_NC = np.log(np.maximum(probabilities_NC, LEAST))
    beyond_NC = log_NC - log_NC[np.arange(len(labels_N)), labels_N][:, None]
    if not (beyond_NC > 0).any():
        raise DataError(
            f"no temperature fits {len(labels_N):,} pictures that are all classified rightly: the surer, the less loss"
        )

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return sum(
            float(_log_sum_exp(beyond_NC[start : start + AT_ONCE] * inverse).sum())
            for start in range(0, len(beyond_NC), AT_ONCE)
        ) / len(beyond_NC)

    bounds = math.log(COLDEST), math.log(HOTTEST)
    best = float(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-9}).x)
    for bound, temperature in zip(bounds, (COLDEST, HOTTEST), strict=True):
        if loss(bound) <= loss(best):
            return temperature
    return math.exp(best)


def softened(
    probabilities_NC: NDArray[np.float32], temperature: float, logits_NC: NDArray[np.float32] | None = None
) -> NDArray[np.float32]:
    """The probabilities (N, C) of temperature 1 at another one; from the logits, where they are at hand.

    The class with the highest probability stays the same, also where two are so close that float32 can't tell them
    apart any more: it then gets the next number above.

    >>> softened(np.array([[0.9, 0.1]], dtype=np.float32), 2.0).round(3)
    array([[0.75, 0.25]], dtype=float32)
    """
    if temperature == 1:
        return probabilities_NC
    found_NC = np.empty_like(probabilities_NC, dtype=np.float32)
    for start in range(0, len(probabilities_NC), AT_ONCE):
        rows = slice(start, start + AT_ONCE)
        if logits_NC is None:
            scores_NC = np.log(np.maximum(probabilities_NC[rows].astype(np.float64), LEAST))
        else:
            scores_NC = logits_NC[rows].astype(np.float64)
        scores_NC = scores_NC / temperature
        found_NC[rows] = np.exp(scores_NC - _log_sum_exp(scores_NC)[:, None])
    chosen_N = probabilities_NC.argmax(axis=1)
    moved = np.flatnonzero(found_NC.argmax(axis=1) != chosen_N)
    found_NC[moved, chosen_N[moved]] = np.nextafter(found_NC[moved].max(axis=1), np.float32(2))
    return found_NC


def _log_sum_exp(scores_NC: NDArray[np.float64]) -> NDArray[np.float64]:
    highest_N = scores_NC.max(axis=1)
    return np.asarray(highest_N + np.log(np.exp(scores_NC - highest_N[:, None]).sum(axis=1)))


def _check_figures(found: object) -> None:
    """Raises ValueError unless these are the figures of a part, each with its interval."""
    if not isinstance(found, Mapping):
        raise ValueError(f"its test is {found!r}, not figures")
    if not isinstance(found.get("n"), int):
        raise ValueError(f"its n is {found.get('n')!r}, not a whole number")
    intervals = found.get("intervals")
    for name in _FIGURES:
        if not _is_number(found.get(name)):
            raise ValueError(f"its {name} is {found.get(name)!r}, not a number")
        ends = intervals.get(name) if isinstance(intervals, Mapping) else None
        if not isinstance(ends, list) or len(ends) != 2 or not all(end is None or _is_number(end) for end in ends):
            raise ValueError(f"its interval of {name} is {ends!r}, not two numbers")


def _is_number(found: object) -> bool:
    return isinstance(found, int | float) and not isinstance(found, bool) and math.isfinite(found)
