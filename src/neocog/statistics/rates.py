"""A range test of learning rates: the curve of loss over rate, and what it suggests. Numbers only.

The test (Smith 2017, "Cyclical learning rates for training neural networks", section 3.3): the rate grows from step to
step, and the loss of each batch is noted. Where the loss falls the network learns; where it rises the rate is too high.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

import numpy as np

SMOOTHING = 0.8
EXPLODED = 4.0  # times the lowest loss so far: the end of the test
_NOISE = 4.0  # standard deviations of a single loss: a smaller fall is taken for chance
_LEAST_FALL = 0.01  # of the loss: less is no learning, though steady drifts may exceed the noise
_BEGINS = 0.1  # of the fall is done where it is said to begin; so much of it must be lost again for a rise
_SETTLES = round(1 / (1 - SMOOTHING)) - 1  # values before the mean is one over as many losses as it looks back
_MARGIN = 3.0  # times below the rate at the lowest loss, at least, lies the suggestion

Ending = Literal["loss exploded", "loss is no number", "last rate reached"]
EXPLODES: Ending = "loss exploded"
NO_NUMBER: Ending = "loss is no number"
REACHED: Ending = "last rate reached"


@dataclass(frozen=True)
class RateCurve:
    """The range test with one seed; `smoothed` is the exponential mean of `losses`, both in nats."""

    seed: int
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    ending: Ending
    suggestion: float | None


@dataclass(frozen=True)
class RateRange:
    """What a range test found; made by `range_of`.

    With several seeds `losses` and `smoothed` are means over them, and go as far as the shortest seed's curve.
    """

    recipe: str
    data: str
    rates: tuple[float, ...]
    losses: tuple[float, ...]
    smoothed: tuple[float, ...]
    suggestion: float | None
    falls: tuple[float, float] | None  # the loss falls from the first of these rates to the second
    rises: bool  # whether it rises again after that
    curves: tuple[RateCurve, ...]  # one a seed
    changes: Mapping[str, float] = field(default_factory=dict)  # the suggestion as values of the recipe
    command: str | None = None  # which trains with them
    warnings: tuple[str, ...] = ()
    conditions: Mapping[str, Any] = field(default_factory=dict)

    @property
    def spread(self) -> tuple[float, float] | None:
        """The lowest and the highest suggestion of a single seed; None for fewer than two suggestions."""
        found = [curve.suggestion for curve in self.curves if curve.suggestion is not None]
        return (min(found), max(found)) if len(found) > 1 else None

    def as_dict(self) -> dict[str, Any]:
        """Everything as what JSON can hold."""
        return {**asdict(self), "spread": self.spread}

    def __str__(self) -> str:
        if self.suggestion is None:
            return f"{self.recipe} on {self.data}: no rate can be suggested"
        return f"{self.recipe} on {self.data}: {self.suggestion:g} is the suggested rate"


class RunningMean:
    """A bias-corrected exponential mean, and whether what it follows has exploded.

        m ← βm + (1 − β)·loss        smoothed = m / (1 − βᵗ)        after t losses, from m = 0

    The division makes the first value the first loss itself (Kingma & Ba 2015, section 3). β = 0.8 looks back over
    about 5 losses.

    >>> mean = RunningMean()
    >>> [round(mean.add(loss), 3) for loss in (2.0, 1.0, 1.0)]
    [2.0, 1.444, 1.262]
    """

    def __init__(self, smoothing: float = SMOOTHING) -> None:
        self.smoothing, self._sum, self._count = smoothing, 0.0, 0
        self.last, self.lowest = math.nan, math.inf

    def add(self, loss: float) -> float:
        """Takes in one loss and gives the smoothed one."""
        self._count += 1
        self._sum = self.smoothing * self._sum + (1 - self.smoothing) * loss
        self.last = self._sum / (1 - self.smoothing**self._count)
        self.lowest = min(self.lowest, self.last)
        return self.last

    @property
    def exploded(self) -> bool:
        """Whether the smoothed loss exceeds 4 times its lowest value, or is no finite number."""
        return not self.last <= EXPLODED * self.lowest or math.isinf(self.last)


@dataclass(frozen=True)
class Reading:
    """What a curve says: where the loss falls, whether it rises after that, and the rate to take."""

    falls: tuple[float, float] | None
    rises: bool
    suggestion: float | None


def read_curve(rates: Sequence[float], losses: Sequence[float], smoothed: Sequence[float]) -> Reading:
    """Reads a range test.

    The fall goes down to the lowest smoothed loss, from the highest one before it; the first four are left out, as they
    are means over fewer than five losses. It begins where a tenth of it is done. It counts if it is a hundredth of the
    loss or more, and more than 4 standard deviations of a single batch's loss, which the median step of the losses
    before the lowest tells: 1.4826·median|Δ|/√2. The loss rises again if a tenth of the fall is lost by the end.

        suggestion = min(rate at half of the fall, rate at the lowest loss / 3)

    Half of the fall lies near the steepest place, which others take (fastai's "steep"), but doesn't hang on the
    differences of neighbouring points. The third keeps away from the edge where the fall is sudden, as with plain SGD,
    whose loss hardly moves until the rate is nearly too high. Rates are in units of `optimizer.lr`, losses in nats.
    """
    smooth_N = np.asarray(smoothed)
    if len(smooth_N) <= _SETTLES:
        return Reading(None, False, None)
    lowest = _SETTLES + int(smooth_N[_SETTLES:].argmin())
    highest = _SETTLES + int(smooth_N[_SETTLES : lowest + 1].argmax())
    fall = float(smooth_N[highest] - smooth_N[lowest])
    steps = np.abs(np.diff(np.asarray(losses)[: lowest + 1]))
    noise = 1.4826 * float(np.median(steps)) / math.sqrt(2) if len(steps) else math.inf
    if fall <= _NOISE * noise or fall < _LEAST_FALL * smooth_N[highest]:
        return Reading(None, bool(smooth_N[-1] - smooth_N[lowest] > _NOISE * noise), None)
    done_N = (smooth_N[highest] - smooth_N[highest : lowest + 1]) / fall
    begins, half = (rates[highest + int(np.argmax(done_N >= share))] for share in (_BEGINS, 0.5))
    rises = bool(smooth_N[-1] - smooth_N[lowest] > _BEGINS * fall)
    return Reading((begins, rates[lowest]), rises, _two_digits(min(half, rates[lowest] / _MARGIN)))


def range_of(
    curves: Sequence[RateCurve], *, recipe: str, data: str, conditions: Mapping[str, Any] | None = None
) -> RateRange:
    """The curves of several seeds as one: their means at the same rates, as far as all of them go."""
    length = min(len(curve.smoothed) for curve in curves)
    losses, smoothed = (
        tuple(np.mean([getattr(curve, name)[:length] for curve in curves], axis=0).tolist())
        for name in ("losses", "smoothed")
    )
    rates = curves[0].rates[:length]
    found = read_curve(rates, losses, smoothed)
    # Where one seed explodes early, the others may have gone on: it is the end all the same.
    rises = found.rises or any(curve.ending != REACHED for curve in curves)
    return RateRange(
        recipe=recipe,
        data=data,
        rates=rates,
        losses=losses,
        smoothed=smoothed,
        suggestion=found.suggestion,
        falls=found.falls,
        rises=rises,
        curves=tuple(curves),
        warnings=tuple(_warnings(found.falls, rises, curves)),
        conditions=conditions or {},
    )


def _warnings(falls: tuple[float, float] | None, rises: bool, curves: Sequence[RateCurve]) -> list[str]:
    first, last = curves[0].rates[0], max(curve.rates[-1] for curve in curves)
    said = []
    if falls is None:
        higher = "" if rises else ", or a higher --high"
        said.append(
            f"the loss never falls between {first:.2g} and {last:.2g}, so no rate can be suggested; "
            f"give more --steps{higher}, or check that the network can learn at all"
        )
    elif not rises:
        said.append(f"the loss never rises up to {last:.2g}, so higher rates may do, too; raise --high")
    if falls is not None and falls[0] <= curves[0].rates[_SETTLES + 1]:
        said.append(f"the loss falls from the first rate on, so lower rates may do, too; lower --low from {first:.2g}")
    return said


def _two_digits(rate: float) -> float:
    """A rate is known to no more than that, if at all."""
    return float(f"{rate:.1e}")
