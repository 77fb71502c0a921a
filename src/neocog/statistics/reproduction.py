"""Published figures held against our own seeds: is what a lesson reports what its recipe gives?"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from statistics import fmean, stdev
from typing import Any, Literal

from neocog.notebook import html_of
from neocog.statistics.paired import PairedDifference, paired_difference

FEWEST_FOR_RANGE = 3  # seeds: one more of two would itself be outside their range in two of three cases
Kind = Literal["accuracy", "log loss", "log accuracy", "batch accuracy"]


@dataclass(frozen=True)
class Figure:
    """One published figure, and what our seeds give in its place.

    `published` and `ours` (one value a seed) are plain numbers, accuracies shares from 0 to 1; what is shown is
    `scale` times them in `unit`, with `digits` decimals, which are also those that the lesson prints.

    >>> figure = Figure("accuracy called test", 0.9704, (0.969, 0.971, 0.972))
    >>> figure.in_range, figure.expected
    (True, True)
    """

    what: str
    published: float | None
    ours: tuple[float, ...]
    unit: str = "%"
    scale: float = 100
    digits: int = 2
    at_least: bool = False  # the lesson only says that it is more than `published`
    cut: bool = False  # the lesson cuts its own to the digits shown, so ours are cut before they are held against it
    kind: Kind = "accuracy"

    @property
    def n(self) -> int:
        """How many seeds."""
        return len(self.ours)

    @property
    def as_printed(self) -> tuple[float, ...]:
        """Ours as the lesson would print them: cut where it cuts its own."""
        return tuple(cut(value, self.digits, self.scale) for value in self.ours) if self.cut else self.ours

    @property
    def mean(self) -> float | None:
        """The mean of our seeds, nothing cut; None without any."""
        return fmean(self.ours) if self.ours else None

    @property
    def sd(self) -> float | None:
        """The standard deviation of our seeds, divided by n − 1; None below two seeds."""
        return stdev(self.ours) if self.n > 1 else None

    @property
    def prediction(self) -> tuple[float, float] | None:
        """The 95 % prediction interval for one more seed of ours, as far as it is possible; None below two seeds."""
        if self.n < 2:
            return None
        low, high = prediction_interval(self.ours)
        return max(low, 0.0), min(high, 1.0) if self.unit == "%" else high

    @property
    def in_range(self) -> bool | None:
        """Whether the published figure lies between our lowest and our highest seed; None where that means nothing.

        Ours are rounded as the lesson rounds. "Over 98 %" is so when all our seeds are above it.
        """
        if self.published is None or not self.ours:
            return None
        if self.at_least:
            return min(self.ours) > self.published
        return self._within(min(self.as_printed), max(self.as_printed)) if self.n > 1 else None

    @property
    def out_of_range(self) -> bool:
        """Whether the published figure is outside a range that says something: that of three seeds or more.

        "Over 98 %" needs no range: one seed that isn't above it is enough.
        """
        return self.in_range is False and (self.at_least or self.n >= FEWEST_FOR_RANGE)

    @property
    def expected(self) -> bool | None:
        """Whether the published figure lies in `prediction`; for "over 98 %", whether that is all above it."""
        if self.published is None or (interval := self.prediction) is None:
            return None
        low, high = (cut(end, self.digits, self.scale) for end in interval) if self.cut else interval
        return low > self.published if self.at_least else self._within(low, high)

    def _within(self, low: float, high: float) -> bool:
        assert self.published is not None
        half_digit = 0.5 * 10.0**-self.digits / self.scale * (1 + 1e-9)
        return low - half_digit <= self.published <= high + half_digit

    def as_dict(self) -> dict[str, Any]:
        """Everything that is known of it, for JSON; accuracies are shares."""
        return {
            "what": self.what,
            "kind": self.kind,
            "published": self.published,
            "at_least": self.at_least,
            "cut": self.cut,
            "ours": list(self.ours),
            "n": self.n,
            "mean": self.mean,
            "sd": self.sd,
            "low": min(self.as_printed, default=None),
            "high": max(self.as_printed, default=None),
            "in_range": self.in_range,
            "prediction_95": self.prediction and list(self.prediction),
            "expected": self.expected,
        }


@dataclass(frozen=True)
class LossLog:
    """The loss at each line of a lesson's log: `published` (L,), which may be empty, and `ours` (seeds, L).

    One of the two may have fewer lines, where a training is shorter than the lesson's; `steps` has all.
    """

    steps: tuple[int, ...] = ()  # done at each line
    published: tuple[float, ...] = ()
    ours: tuple[tuple[float, ...], ...] = ()
    of: Literal["batch", "mean"] = "mean"  # the loss of the last batch, or its mean since the line before
    every: int | None = None  # steps between two lines; an epoch where None
    digits: int = 4


@dataclass(frozen=True)
class Reproduced:
    """One published recipe, trained over seeds exactly as published, and its mended twin with the same seeds."""

    name: str
    seeds: tuple[int, ...]  # that finished; the order of all values a seed
    figures: tuple[Figure, ...]  # the accuracy that the lesson calls test first, then its log and the rest
    log: LossLog
    accuracy: tuple[float, ...]  # of each seed, on the test part, after the last step, without dropout
    seconds: tuple[float, ...]  # of training
    epochs: float
    source: str = ""
    about: str = ""
    faults: tuple[str, ...] = ()
    seconds_per_epoch: float | None = None  # as published, on another machine
    twin: str | None = None
    twin_about: str = ""
    twin_seeds: tuple[int, ...] = ()
    twin_accuracy: tuple[float, ...] = ()
    twin_seconds: tuple[float, ...] = ()
    parameters: int = 0
    precision: str = ""
    openings: int = 0  # of the test part, in one run as published
    failures: Mapping[str, str] = field(default_factory=dict)  # "model-a, seed 3": one line
    notes: tuple[str, ...] = ()

    @property
    def called_test(self) -> Figure:
        """The accuracy that the lesson calls test accuracy."""
        return self.figures[0]

    def of_kind(self, kind: Kind) -> tuple[Figure, ...]:
        """The figures of one kind, such as "log loss"."""
        return tuple(figure for figure in self.figures if figure.kind == kind)

    @property
    def outside(self) -> tuple[Figure, ...]:
        """The figures that our seeds do not reproduce, or not surely: outside the 95 % interval, or outside our range.

        "Over 98 %" is among them where not all our seeds are above it.
        """
        return tuple(
            each for each in self.figures if each.out_of_range or (each.expected is False and not each.at_least)
        )

    @cached_property
    def gain(self) -> PairedDifference | None:
        """Test accuracy of the twin less that of the recipe as published, paired by seed; None without a shared seed.

        A twin that holds out validation pictures draws other batches. Pairs of independent draws are pairs all the
        same: the interval stays right, and is narrower where the shared start of the weights ties the two together.
        """
        ours, twins = dict(zip(self.seeds, self.accuracy, strict=True)), self._twins(self.twin_accuracy)
        shared = [seed for seed in self.seeds if seed in twins]
        return paired_difference([twins[seed] for seed in shared], [ours[seed] for seed in shared]) if shared else None

    @property
    def times(self) -> float | None:
        """Training time of the twin over that of the recipe as published, over the seeds that both finished."""
        ours, twins = dict(zip(self.seeds, self.seconds, strict=True)), self._twins(self.twin_seconds)
        shared = ours.keys() & twins.keys()
        taken = sum(ours[seed] for seed in shared)
        return sum(twins[seed] for seed in shared) / taken if taken else None

    def _twins(self, values: tuple[float, ...]) -> dict[int, float]:
        return dict(zip(self.twin_seeds, values, strict=True))

    def as_dict(self) -> dict[str, Any]:
        """Everything that is known of it, for JSON."""
        gain = self.gain
        return {
            "name": self.name,
            "source": self.source,
            "about": self.about,
            "faults": list(self.faults),
            "seeds": list(self.seeds),
            "precision": self.precision,
            "parameters": self.parameters,
            "figures": [figure.as_dict() for figure in self.figures],
            "log": {
                "of": self.log.of,
                "every": self.log.every,
                "steps": list(self.log.steps),
                "published": list(self.log.published),
                "ours": [list(losses) for losses in self.log.ours],
            },
            "test_accuracy": list(self.accuracy),
            "train_seconds": list(self.seconds),
            "epochs": self.epochs,
            "published_seconds_per_epoch": self.seconds_per_epoch,
            "test_openings": self.openings,
            "twin": self.twin
            and {
                "name": self.twin,
                "about": self.twin_about,
                "seeds": list(self.twin_seeds),
                "test_accuracy": list(self.twin_accuracy),
                "train_seconds": list(self.twin_seconds),
                "gain": gain
                and {
                    "mean": gain.mean,
                    "half_width": gain.half_width,
                    "sd": gain.sd,
                    "n": gain.n,
                    "p": gain.p,
                    "confidence": gain.confidence,
                    "method": gain.method,
                },
                "times": self.times,
            },
            "failures": dict(self.failures),
            "notes": list(self.notes),
        }


@dataclass(frozen=True)
class Reproduction:
    """Published recipes held against our own seeds, and the conditions of that."""

    recipes: tuple[Reproduced, ...]
    conditions: Mapping[str, Any] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        return html_of(self, "reproduction_html")

    def as_dict(self) -> dict[str, Any]:
        """Everything that is known of it, for JSON."""
        return {"conditions": dict(self.conditions), "recipes": [each.as_dict() for each in self.recipes]}


def prediction_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float]:
    """Where one more value from where these come from lies with that confidence: mean ± t·sd·√(1 + 1/n).

    t is Student's quantile for n − 1 degrees of freedom, n ≥ 2; the values are taken to be normal and independent.
    Source: Hahn and Meeker, Statistical Intervals, 1991, chapter 4.

    >>> low, high = prediction_interval([1.0, 2.0, 3.0])
    >>> round(low, 3), round(high, 3)
    (-2.968, 6.968)
    """
    from scipy.stats import t

    n = len(values)
    mean = fmean(values)
    half = float(t.ppf((1 + confidence) / 2, n - 1)) * stdev(values) * math.sqrt(1 + 1 / n)
    return mean - half, mean + half


def chance_in_range(n: int) -> float:
    """How often one more seed lies between the lowest and the highest of n seeds: (n − 1)/(n + 1), n ≥ 1.

    So even a figure that is truly a seed of ours lies outside the range of five in a third of all cases: each of the
    n + 1 values is as likely as any other to be the lowest, and to be the highest.
    Source: Hahn and Meeker, Statistical Intervals, 1991, chapter 5.

    >>> round(chance_in_range(5), 2)
    0.67
    """
    return (n - 1) / (n + 1)


def cut(value: float, digits: int = 0, scale: float = 100) -> float:
    """What is left when the digits after the last one shown are dropped, as `int(accuracy)` does with per cent.

    >>> cut(0.9678), cut(0.29)  # 0.29 · 100 is 28.999… in binary
    (0.96, 0.29)
    """
    unit = 10.0**digits * scale
    return math.floor(value * unit + 1e-6) / unit
