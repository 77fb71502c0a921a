"""How far a network's answers hold when its pictures change: accuracy over graded strengths."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neocog.evaluation import wilson_interval
from neocog.tables import percent, table


def strength_text(value: float, unit: str) -> str:
    """A strength with its unit, as it is read.

    >>> strength_text(1.5, "factor"), strength_text(4.0, "pixels"), strength_text(0.2, "share")
    ('× 1.5', '4 pixels', '20 %')
    """
    if unit == "factor":
        return f"× {value:g}"
    if unit == "share":
        return f"{value * 100:g} %"
    return f"{value:g} {unit.removesuffix('s') if value == 1 else unit}"


@dataclass(frozen=True)
class StressCurve:
    """Accuracy under one change at growing strength; the first strength changes nothing.

    >>> curve = StressCurve("shift", "pixels", (0, 1, 2), (90, 80, 20), n=100, guess=0.1)
    >>> curve.accuracies, curve.half_lost
    ((0.9, 0.8, 0.2), 1.5)
    """

    name: str
    unit: str
    strengths: tuple[float, ...]
    correct: tuple[int, ...]  # of n, at each strength
    n: int
    guess: float = 0.0  # accuracy of one who guesses: 1/classes
    about: str = ""

    @property
    def accuracies(self) -> tuple[float, ...]:
        """The share that was right at each strength, 0 to 1."""
        return tuple(correct / self.n for correct in self.correct)

    @cached_property
    def intervals(self) -> tuple[tuple[float, float], ...]:
        """The 95 % Wilson interval of each accuracy."""
        return tuple(wilson_interval(correct, self.n) for correct in self.correct)

    @property
    def half_lost(self) -> float | None:
        """The strength at which half of the lead over guessing is lost, on the straight line between two strengths.

        None where it never comes to that, or where there is no lead to lose.
        """
        first = self.accuracies[0]
        half = (first + self.guess) / 2
        if first <= self.guess:
            return None
        points = zip(self.strengths, self.accuracies, strict=True)
        for (weaker, before), (stronger, after) in pairwise(points):
            if after <= half:
                return weaker + (stronger - weaker) * (before - half) / (before - after)
        return None

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON."""
        return {
            "name": self.name,
            "unit": self.unit,
            "about": self.about,
            "strengths": list(self.strengths),
            "correct": list(self.correct),
            "accuracies": list(self.accuracies),
            "intervals": [list(interval) for interval in self.intervals],
            "half_lost": self.half_lost,
        }


@dataclass(frozen=True, eq=False)
class Broken:
    """A picture that was right until it was changed this much; the strength is the mildest that flips it."""

    index: int
    name: str
    true: str
    answer: str
    corruption: str
    strength: float
    picture: NDArray[np.uint8] = field(repr=False)  # (H, W, C), as changed
    probability: float = 1.0  # given to the wrong answer
    original: NDArray[np.uint8] | None = field(default=None, repr=False)  # (H, W, C)

    def as_dict(self) -> dict[str, Any]:
        """What can be written down without the pixels."""
        return {
            "index": self.index,
            "name": self.name,
            "true": self.true,
            "answer": self.answer,
            "probability": self.probability,
            "corruption": self.corruption,
            "strength": self.strength,
        }


@dataclass(frozen=True, eq=False, repr=False)
class StressTest:
    """A network on changed pictures; `str()` gives one line for each kind of change."""

    run: str
    part: str
    n: int
    accuracy: float  # of the unchanged pictures
    curves: tuple[StressCurve, ...]
    first: tuple[Broken, ...]  # of each change those that break first, the mildest strength first
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON; the pictures themselves are left out."""
        return {
            "run": self.run,
            "part": self.part,
            "n": self.n,
            "accuracy": self.accuracy,
            "interval_method": "Wilson, 95 %",
            "curves": [curve.as_dict() for curve in self.curves],
            "first": [broken.as_dict() for broken in self.first],
            "conditions": dict(self.conditions),
        }

    def __str__(self) -> str:
        head = f"{percent(self.accuracy)} of {self.n:,} unchanged pictures ({self.part} part)"
        return "\n".join([head, *(f"{curve.name}: {_range(curve)}" for curve in self.curves)])

    def __repr__(self) -> str:
        return f"<StressTest of '{self.run}' on {self.part}: {', '.join(curve.name for curve in self.curves)}>"

    def _repr_html_(self) -> str:
        """One row a change, for notebooks."""
        rows = [[curve.name, _range(curve)] for curve in self.curves]
        return table(["change", "accuracy"], rows, "html")


def _range(curve: StressCurve) -> str:
    last = f"{percent(curve.accuracies[-1])} at {strength_text(curve.strengths[-1], curve.unit)}"
    if curve.half_lost is None:
        return last
    half = strength_text(float(f"{curve.half_lost:.2g}"), curve.unit)
    return f"{last}; half of its lead over guessing is lost at about {half}"
