"""Sides over seeds: every pair of them, corrected for their number, and the verdict in one sentence.

Seeds are paired because the same seed gives both sides the same split, order and augmentation: a lucky split lifts
both, so it cancels in their difference, and fewer seeds show it (Bouthillier et al. 2021, Accounting for Variance in
Machine Learning Benchmarks). An interval over seeds says where the mean difference would settle if the training were
repeated with ever more seeds. It says nothing about other data: all seeds share one set of pictures to learn from and
one set to be tested on, and other pictures could move them all together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from itertools import combinations
from math import isfinite
from typing import Any

from neocog.errors import DataError
from neocog.evaluation import CONFIDENCE, MeanInterval, mean_interval
from neocog.notebook import html_of
from neocog.statistics.cost import Cost, ratio
from neocog.statistics.holm import holm
from neocog.statistics.mcnemar import McNemar
from neocog.statistics.paired import PairedDifference, WinShare, paired_difference, win_share
from neocog.statistics.verdict import verdict_of_many, verdict_of_runs, verdict_of_two

ALPHA = round(1 - CONFIDENCE, 12)
_LEAST_SECONDS = 1.0  # of a training; a shorter one mostly starts up, so its ratio to another says nothing


@dataclass(frozen=True)
class Metric:
    """What sides are compared by. Values are kept unscaled; `scale` and `digits` are for showing them."""

    name: str
    title: str
    unit: str  # of a difference
    scale: float
    higher_is_better: bool
    digits: int

    def text(self, difference: float, half_width: float | None = None) -> str:
        """A difference in the metric's unit, with more digits where the usual ones would show 0 for what isn't 0.

        >>> METRICS["accuracy"].text(0.0312, 0.003), METRICS["accuracy"].text(0.0312, 0.00002)
        ('3.12 ± 0.30 points', '3.120 ± 0.002 points')
        """
        finest = abs((half_width or difference) * self.scale)
        digits = self.digits
        while finest > 0 and round(finest, digits) == 0:
            digits += 1
        spread = f" ± {half_width * self.scale:.{digits}f}" if half_width else ""
        shown = round(difference * self.scale, digits) + 0.0  # no minus zero
        return f"{shown:.{digits}f}{spread} {self.unit}".replace("-", "−")


METRICS = {
    metric.name: metric
    for metric in (
        Metric("accuracy", "validation accuracy", "points", 100, True, 2),
        Metric("loss", "validation loss", "nats", 1, False, 4),
        Metric("macro_f1", "validation macro F1", "points", 100, True, 2),
    )
}


@dataclass(frozen=True)
class Side:
    """What one side of a comparison reached with each seed, and what it cost."""

    name: str
    values: Mapping[int, float]  # seed -> the metric, unscaled
    test: Mapping[int, float]  # seed -> test accuracy, a share; empty where no test part was opened
    seconds: Mapping[int, float]
    parameters: int
    macs: int | None = None  # multiply-adds for one picture
    failures: Mapping[int, str] = field(default_factory=dict)  # seed -> one line

    @property
    def interval(self) -> MeanInterval | None:
        """The mean of the metric with Student's interval; None when no seed finished."""
        return mean_interval(list(self.values.values())) if self.values else None

    @property
    def test_interval(self) -> MeanInterval | None:
        """The mean test accuracy with Student's interval; None where no test part was opened."""
        return mean_interval(list(self.test.values())) if self.test else None

    def as_dict(self) -> dict[str, Any]:
        """What is known of this side as plain numbers, lists and texts, ready for JSON."""
        return {
            "name": self.name,
            "over_seeds": _interval_as_dict(self.interval),
            "values": {str(seed): value for seed, value in sorted(self.values.items())},
            "test_over_seeds": _interval_as_dict(self.test_interval),
            "test": {str(seed): value for seed, value in sorted(self.test.items())},
            "seconds": {str(seed): value for seed, value in sorted(self.seconds.items())},
            "parameters": self.parameters,
            "macs": self.macs,
            "failures": {str(seed): line for seed, line in sorted(self.failures.items())},
        }


@dataclass(frozen=True)
class Pair:
    """Two sides over the seeds that both finished; `first` is the one whose mean is better, or was given first."""

    first: str
    second: str
    difference: PairedDifference  # first − second, unscaled
    wins: WinShare  # of the first
    p_adjusted: float | None  # Holm's, over all pairs
    seeds: tuple[int, ...]
    beats: bool  # the claim: first is better than second

    @property
    def same(self) -> bool:
        """Whether both sides gave the same number with every seed."""
        return self.difference.mean == 0 and not self.difference.sd

    def as_dict(self) -> dict[str, Any]:
        """What is known of this pair as plain numbers, lists and texts, ready for JSON."""
        return {
            "first": self.first,
            "second": self.second,
            "difference": {**asdict(self.difference), "low": self.difference.low, "high": self.difference.high},
            "wins": {**asdict(self.wins), "method": "Wilson, a tie counts half"},
            "p_adjusted": self.p_adjusted,
            "seeds": list(self.seeds),
            "beats": self.beats,
        }


@dataclass(frozen=True)
class Comparison:
    """Sides compared over paired seeds. Made by `compare_sides`; `str()` gives the verdict."""

    metric: Metric
    sides: tuple[Side, ...]
    pairs: tuple[Pair, ...]  # of all sides that share a finished seed
    confidence: float
    conditions: Mapping[str, Any]
    notes: tuple[str, ...]

    @property
    def ordered(self) -> tuple[Side, ...]:
        """The sides, best mean first; those without a finished seed come last."""
        sign = -1 if self.metric.higher_is_better else 1
        return tuple(sorted(self.sides, key=lambda side: sign * side.interval.mean if side.interval else float("inf")))

    @property
    def correction(self) -> str | None:
        """How p values were corrected for the number of pairs; None for a single pair."""
        tested = sum(pair.p_adjusted is not None for pair in self.pairs)
        return f"Holm over {tested} pairs" if tested > 1 else None

    @property
    def verdict(self) -> str:
        """What may be said, in one sentence, and which sides it says that of without the seeds that failed."""
        if len(self.sides) > 2:
            said = verdict_of_many(self.ordered, self.pairs, self.correction)
        else:
            first, second = self.sides
            said = verdict_of_two(first, second, self.pair(first.name, second.name), self.metric, ALPHA)
        return said + "".join(
            f"; {side.name} failed with {len(side.failures)} of {len(side.failures) + len(side.values)} seeds"
            for side in self.sides
            if side.failures and side.values
        )

    def pair(self, first: str, second: str) -> Pair | None:
        """The pair of two sides, in whichever order it has them; None where they share no finished seed."""
        return next((pair for pair in self.pairs if {pair.first, pair.second} == {first, second}), None)

    def cost(self, first: str, second: str) -> Cost:
        """What the first side costs beside the second, as ratios; seconds are those of the seeds both finished.

        Where a mean training took under a second there is no ratio of seconds.
        """
        sides = {side.name: side for side in self.sides}
        ours, theirs = sides[first], sides[second]
        seeds = ours.seconds.keys() & theirs.seconds.keys()
        seconds = [sum(side.seconds[seed] for seed in seeds) for side in (ours, theirs)]
        long = min(seconds) >= _LEAST_SECONDS * len(seeds)
        return Cost(
            first,
            second,
            ratio(ours.parameters, theirs.parameters),
            ratio(ours.macs, theirs.macs),
            ratio(*seconds) if long else None,
        )

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON; sides come best first."""
        return {
            "verdict": self.verdict,
            "metric": asdict(self.metric),
            "confidence": self.confidence,
            "correction": self.correction,
            "intervals": "of each pair alone",
            "sides": [side.as_dict() for side in self.ordered],
            "pairs": [{**pair.as_dict(), "cost": asdict(self.cost(pair.first, pair.second))} for pair in self.pairs],
            "conditions": dict(self.conditions),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return self.verdict

    def _repr_html_(self) -> str:
        return html_of(self, "comparison_html")


def compare_sides(
    sides: Sequence[Side],
    metric: Metric,
    *,
    conditions: Mapping[str, Any] | None = None,
    notes: Sequence[str] = (),
) -> Comparison:
    """Compare two or more sides, each pair over the seeds that both finished.

    The difference of a pair is claimed where its p value, adjusted by Holm's method over all pairs, is at most
    1 − confidence = 0.05; so equal sides, however many, bring any claim in at most 5 % of all comparisons. The
    intervals are those of each pair alone. A pair with a single seed has a difference but no interval; sides that
    share no finished seed make no pair.

    Raises DataError for fewer than two sides, a name given twice, or a value that isn't finite.
    Sources: those of `paired_difference`, `win_share` and `holm`.

    >>> accuracies = {"a": [0.97, 0.96, 0.98], "b": [0.91, 0.91, 0.93]}
    >>> sides = [Side(name, dict(enumerate(values)), {}, {}, 1000) for name, values in accuracies.items()]
    >>> print(compare_sides(sides, METRICS["accuracy"]))
    a beats b by 5.33 ± 1.43 points (n = 3, P = 1.00)
    """
    _check(sides, metric)
    measured = []
    for first, second in combinations(sides, 2):
        seeds = tuple(sorted(first.values.keys() & second.values.keys()))
        if not seeds:
            continue
        ours, theirs = ([side.values[seed] for seed in seeds] for side in (first, second))
        difference = paired_difference(ours, theirs)
        if difference.mean and (difference.mean > 0) != metric.higher_is_better:
            first, second, ours, theirs = second, first, theirs, ours
            difference = replace(difference, mean=-difference.mean)
        wins = win_share(ours, theirs, higher_is_better=metric.higher_is_better)
        measured.append((first.name, second.name, difference, wins, seeds))

    adjusted = iter(holm([difference.p for _, _, difference, _, _ in measured if difference.p is not None]))
    pairs = []
    for name, other, difference, wins, seeds in measured:
        p = None if difference.p is None else next(adjusted)
        pairs.append(Pair(name, other, difference, wins, p, seeds, p is not None and p <= ALPHA))
    return Comparison(metric, tuple(sides), tuple(pairs), CONFIDENCE, dict(conditions or {}), tuple(notes))


def _check(sides: Sequence[Side], metric: Metric) -> None:
    if len(sides) < 2:
        raise DataError(f"a comparison of {len(sides)} can't be made; give two or more sides")
    names = [side.name for side in sides]
    for side in sides:
        if names.count(side.name) > 1:
            raise DataError(f"two sides are called '{side.name}'; give each a name of its own")
        for seed, value in side.values.items():
            if not isfinite(value):
                raise DataError(f"the {metric.title} of {side.name} with seed {seed} is {value}; it must be finite")


def _interval_as_dict(interval: MeanInterval | None) -> dict[str, Any] | None:
    return None if interval is None else {**asdict(interval), "method": "Student's t"}


@dataclass(frozen=True)
class Difference:
    """A picture on which two runs differ in being right."""

    index: int
    name: str
    true: str
    first: str  # what the first run answered
    second: str
    first_probability: float  # of its own answer
    second_probability: float


@dataclass(frozen=True)
class RunComparison:
    """Two finished runs on the same pictures: McNemar's test, and the pictures on which they differ."""

    first: str
    second: str
    part: str  # "test" or "validation"
    test: McNemar
    differ: tuple[Difference, ...]

    @property
    def verdict(self) -> str:
        """What may be said, in one sentence."""
        return verdict_of_runs(self, ALPHA)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON."""
        methods = {"method": "McNemar, exact binomial, two-sided", "interval_method": "Tango, score"}
        return {
            "verdict": self.verdict,
            "first": self.first,
            "second": self.second,
            "part": self.part,
            "test": {**asdict(self.test), **methods},
            "differ": [asdict(difference) for difference in self.differ],
        }

    def __str__(self) -> str:
        return self.verdict

    def _repr_html_(self) -> str:
        return html_of(self, "run_comparison_html")
