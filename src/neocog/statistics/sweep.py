"""Many configurations of one recipe, ranked on validation, and how far the best of many may be believed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from statistics import fmean
from typing import Any

from neocog.errors import DataError
from neocog.evaluation import CONFIDENCE, MeanInterval, mean_interval
from neocog.notebook import html_of
from neocog.statistics.comparison import Comparison, Metric, Pair, Side
from neocog.statistics.holm import holm
from neocog.statistics.paired import PairedDifference, paired_difference, win_share
from neocog.statistics.verdict import MOST_SEEDS_ADVISED, needed_seeds

_ROUNDING = 1e-12  # of a metric: smaller differences come from adding up in another order


@dataclass(frozen=True)
class Configuration:
    """One setting of the keys that were tried, and what it reached.

    `difference` is the best − this one over the seeds that both finished, unscaled; None for the best itself.
    """

    side: Side
    changes: Mapping[str, Any]  # by dotted key, all that were asked for
    labels: Mapping[str, str] = field(default_factory=dict)  # the same as short texts
    difference: PairedDifference | None = None
    p_adjusted: float | None = None  # Holm's, over all pairs of configurations
    apart: bool = False  # whether the best is shown to be better

    @property
    def name(self) -> str:
        """What tells it from the others."""
        return self.side.name

    def __repr__(self) -> str:
        """Its name with mean ± standard deviation over seeds, in the metric's own unit."""
        found = self.side.interval
        if found is None:
            return f"<{self.name}: no seed finished>"
        spread = "" if found.sd is None else f" ± {found.sd:.4f}"
        return f"<{self.name}: {found.mean:.4f}{spread} (n = {found.n})>"


@dataclass(frozen=True)
class LeftOut:
    """The choice repeated without each seed in turn, and measured on that seed. Made by `left_out`."""

    apparent: float  # the winner's mean on the seeds that it was chosen by, averaged over the choices
    honest: float  # its value on the seed left out, likewise
    winners: tuple[str, ...]  # one for each seed left out

    @property
    def n(self) -> int:
        """How many seeds were left out, one at a time."""
        return len(self.winners)


@dataclass(frozen=True)
class Sweep:
    """Configurations tried, the best first; made by `rank`. `str()` gives the verdict."""

    recipe: str
    metric: Metric
    configurations: tuple[Configuration, ...]
    seeds: int
    left_out: LeftOut | None
    test: Mapping[int, float] = field(default_factory=dict)  # of the best: seed -> test accuracy, a share
    command: str | None = None  # which trains the best one
    confidence: float = CONFIDENCE
    conditions: Mapping[str, Any] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def best(self) -> Configuration:
        """The configuration with the best mean on validation."""
        return self.configurations[0]

    @property
    def varying(self) -> list[str]:
        """The keys in which configurations differ."""
        first, *others = (each.labels for each in self.configurations)
        return [key for key in first if any(other[key] != first[key] for other in others)]

    @property
    def test_interval(self) -> MeanInterval | None:
        """The mean test accuracy of the best, with Student's interval; None where it wasn't measured."""
        return mean_interval(list(self.test.values())) if self.test else None

    @property
    def verdict(self) -> str:
        """What may be said, in one sentence."""
        metric, found = self.metric, self.best.side.interval
        assert found is not None
        unit = "%" if metric.scale == 100 else metric.unit
        spread = "" if found.sd is None else f" (sd {found.sd * metric.scale:.{metric.digits}f})"
        reached = f"{found.mean * metric.scale:.{metric.digits}f} {unit}{spread}"
        tried = f"{len(self.configurations)} tried on validation ({self.seeds} seed{'s' * (self.seeds > 1)} each)"
        start = f"{self.best.name} is the best of {tried}: {reached}"
        others = [each for each in self.configurations[1:] if each.side.values]
        alike = sum(not each.apart for each in others)
        if not others:
            return f"{start}; no other finished"
        if self.seeds == 1:
            return f"{start}; one seed can't tell it apart from any other"
        if not alike:
            every = len(others) + 1 == len(self.configurations)
            return f"{start}; it beats all others{'' if every else ' that finished'}"
        return f"{start}; {alike} other{'s' * (alike > 1)} can't be told apart from it; {self._more_seeds}"

    @property
    def pairs(self) -> int:
        """How many pairs of configurations there are, of those that finished a seed: what Holm corrects p for."""
        finished = sum(bool(each.side.values) for each in self.configurations)
        return finished * (finished - 1) // 2

    @property
    def _more_seeds(self) -> str:
        """How many seeds would tell the best from the closest that isn't told apart.

        Each p is taken to be corrected for all pairs, as the smallest one is; so fewer seeds may do.
        """
        rivals = [each.difference for each in self.configurations if each.difference and not each.apart]
        if not rivals:
            return "more seeds are needed"
        closest = min(rivals, key=lambda found: abs(found.mean))
        needed = needed_seeds(closest, (1 - self.confidence) / self.pairs) if closest.n > 1 else None
        if needed is None or not self.seeds < needed <= MOST_SEEDS_ADVISED:
            return "more seeds are needed"
        return f"about {needed:,} seeds would show the closest one's {self.metric.text(abs(closest.mean))}"

    @property
    def optimism(self) -> str | None:
        """How much better the best looks than it is, in one sentence; None where one seed can't tell."""
        if self.left_out is None:
            return None
        metric, left = self.metric, self.left_out
        lost = (left.apparent - left.honest) * (1 if metric.higher_is_better else -1)
        unit = "%" if metric.scale == 100 else metric.unit
        honest, apparent = (f"{each * metric.scale:.{metric.digits}f} {unit}" for each in (left.honest, left.apparent))
        how = f"chosen without one seed and measured on that seed, the winner reaches {honest}"
        counted = f"mean over {left.n} seeds left out"
        if len(set(left.winners)) == 1:
            # Then the two means are equal by arithmetic, which says nothing of luck.
            return f"the same configuration wins whichever seed is left out ({left.n} seeds, one at a time)"
        if lost <= _ROUNDING:  # different winners that tie but for rounding
            return f"{how}, just as by the seeds that it was chosen by ({counted})"
        return (
            f"the best of many looks better than it is: {how}, {metric.text(lost)} worse than the {apparent} that it "
            f"was chosen by ({counted})"
        )

    @property
    def comparison(self) -> Comparison:
        """The configurations as sides, each paired with the best; for pictures."""
        pairs = tuple(
            Pair(
                first=self.best.name,
                second=each.name,
                difference=each.difference,
                wins=win_share(*_paired(self.best.side, each.side), higher_is_better=self.metric.higher_is_better),
                p_adjusted=each.p_adjusted,
                seeds=_shared(self.best.side, each.side),
                beats=each.apart,
            )
            for each in self.configurations
            if each.difference is not None
        )
        sides = tuple(each.side for each in self.configurations)
        return _Ranking(self.metric, sides, pairs, self.confidence, self.conditions, self.notes, self.verdict)

    def as_dict(self) -> dict[str, Any]:
        """Everything as plain numbers, lists and texts, ready for JSON."""
        return {
            "recipe": self.recipe,
            "verdict": self.verdict,
            "optimism": self.optimism,
            "metric": asdict(self.metric),
            "seeds": self.seeds,
            "configurations": [_plain(each) for each in self.configurations],
            "left_out": self.left_out and asdict(self.left_out),
            "test": {str(seed): value for seed, value in self.test.items()},
            "test_interval": self.test_interval and asdict(self.test_interval),
            "command": self.command,
            "confidence": self.confidence,
            "conditions": dict(self.conditions),
            "notes": list(self.notes),
        }

    def __str__(self) -> str:
        return self.verdict

    def _repr_html_(self) -> str:
        return html_of(self, "sweep_html")


@dataclass(frozen=True)
class _Ranking(Comparison):
    """A comparison whose verdict is the sweep's."""

    said: str = ""

    @property
    def verdict(self) -> str:
        return self.said


def rank(recipe: str, tried: Sequence[Configuration], metric: Metric, seeds: int) -> Sweep:
    """The configurations in order of their means, those that failed on some seed behind all that didn't.

    Each is compared with the best over the seeds that both finished (`paired_difference`). The p values are adjusted
    by Holm's method for the number of all pairs of configurations, not just those with the best: the best was picked by
    the same numbers, so each pair had a chance to be looked at. Over the pairs with the best alone, 12 equal
    configurations with 5 seeds would give a false claim in 15 of 100 sweeps, not in at most 5 (400 simulated).

    Raises DataError when nothing was tried, or no configuration finished a seed.
    """
    sign = -1 if metric.higher_is_better else 1
    if not any(each.side.values for each in tried):
        raise DataError("no configuration finished a seed, so none is the best; look at what failed")
    ordered = sorted(
        tried,
        key=lambda each: (not each.side.values, len(each.side.failures), sign * _mean(each.side)),
    )
    best, *others = ordered
    compared = []
    for other in others:
        if _shared(best.side, other.side):
            other = replace(other, difference=paired_difference(*_paired(best.side, other.side)))
        compared.append(other)
    found = [p for each in compared if (p := _p(each)) is not None]
    # Pairs without the best may stand in as p = 1: that makes the others larger than Holm's own, never smaller.
    finished = sum(bool(each.side.values) for each in ordered)
    adjusted = iter(holm([*found, *[1.0] * (finished * (finished - 1) // 2 - len(found))]))
    told = []
    for each in compared:
        if _p(each) is not None:
            p = next(adjusted)
            # A best that comes first for its seeds alone, not for its mean, has beaten nothing.
            better = each.difference is not None and sign * each.difference.mean < 0
            each = replace(each, p_adjusted=p, apart=better and p <= round(1 - CONFIDENCE, 12))
        told.append(each)
    sides = [each.side for each in ordered]
    return Sweep(recipe, metric, (best, *told), seeds, left_out(sides, higher_is_better=metric.higher_is_better))


def left_out(sides: Sequence[Side], *, higher_is_better: bool = True) -> LeftOut | None:
    """What choosing the best of many costs in honesty, by leaving out one seed at a time.

        winner₋ₛ = the side with the best mean over all seeds but s
        apparent = mean over s of winner₋ₛ's mean over those seeds,    honest = mean over s of winner₋ₛ's value at s

    The largest of many means is, on average, larger than the mean of what it belongs to (Cawley & Talbot 2010, "On
    over-fitting in model selection and subsequent selection bias in performance evaluation"). A seed that had no part
    in the choice has no such bias, so `honest` is an unbiased estimate for choosing by one seed fewer. It tells the
    luck of the seeds alone: weights, order, and which pictures are held out. That these all come from one data set is
    not in it.

    Only sides that finished all seeds take part; None for fewer than two of these, or fewer than two seeds.

    >>> sides = [Side("a", {0: 0.9, 1: 0.5, 2: 0.7}, {}, {}, 0), Side("b", {0: 0.6, 1: 0.8, 2: 0.7}, {}, {}, 0)]
    >>> found = left_out(sides)
    >>> found.winners, round(found.apparent, 3), round(found.honest, 3)
    (('b', 'a', 'a'), 0.75, 0.6)
    """
    seeds = sorted({seed for side in sides for seed in side.values})
    whole = [side for side in sides if len(side.values) == len(seeds)]
    if len(seeds) < 2 or len(whole) < 2:
        return None
    best_of = max if higher_is_better else min
    winners, apparent, honest = [], [], []
    for seed in seeds:
        means = [fmean(value for other, value in side.values.items() if other != seed) for side in whole]
        place = means.index(best_of(means))
        winners.append(whole[place].name)
        apparent.append(means[place])
        honest.append(whole[place].values[seed])
    return LeftOut(fmean(apparent), fmean(honest), tuple(winners))


def _mean(side: Side) -> float:
    return fmean(side.values.values()) if side.values else 0.0


def _p(configuration: Configuration) -> float | None:
    return None if configuration.difference is None else configuration.difference.p


def _shared(first: Side, second: Side) -> tuple[int, ...]:
    return tuple(sorted(first.values.keys() & second.values.keys()))


def _paired(first: Side, second: Side) -> tuple[list[float], list[float]]:
    seeds = _shared(first, second)
    return [first.values[seed] for seed in seeds], [second.values[seed] for seed in seeds]


def _plain(each: Configuration) -> dict[str, Any]:
    side, found = each.side, each.side.interval
    difference = each.difference
    return {
        "name": each.name,
        "changes": {
            **each.changes,
            **{key: each.labels[key] for key, value in each.changes.items() if callable(value)},
        },
        "mean": found and found.mean,
        "sd": found and found.sd,
        "n": len(side.values),
        "values": {str(seed): value for seed, value in side.values.items()},
        "failures": {str(seed): line for seed, line in side.failures.items()},
        "seconds": {str(seed): value for seed, value in side.seconds.items()},
        "parameters": side.parameters,
        "macs": side.macs,
        "behind_best": difference and {**asdict(difference), "low": difference.low, "high": difference.high},
        "p_adjusted": each.p_adjusted,
        "told_apart_from_best": each.apart,
    }
