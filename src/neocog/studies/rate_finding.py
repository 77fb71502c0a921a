"""`lr_find`: the range test of learning rates, with a recipe's own network, data, batches and optimizer."""

from __future__ import annotations

import math
import shlex
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import neocog
from neocog.curve import Point
from neocog.data import Dataset, Progress
from neocog.data.batches import Normalization
from neocog.device import Compute, choose
from neocog.errors import RecipeError, TrainingError
from neocog.finished import Data, Tell, open_data, warn
from neocog.networks import Model, build
from neocog.optim import rate_factor
from neocog.recipe import Recipe
from neocog.statistics.rates import (
    EXPLODED,
    EXPLODES,
    NO_NUMBER,
    REACHED,
    SMOOTHING,
    Ending,
    RateCurve,
    RateRange,
    RunningMean,
    range_of,
    read_curve,
)
from neocog.steps import Resolved
from neocog.studies.grid import value_text
from neocog.training import Observer, fit, refuse_unfit
from neocog.workflow import recipe_with

FEWEST_STEPS = 20
_USUAL = {"low": "1e-7", "high": "10"}
_LOWEST_RATE, _HIGHEST_RATE = 1e-30, 1e38  # beyond these, numbers of float32 end, and the ratio of two rates is none

Watch = Callable[[int, int, float], None]
"""Called as watch(done, total, smoothed loss) after each step; the total counts the steps of all seeds."""


def lr_find(
    recipe: str | Path | Recipe = "fast",
    *,
    data: Data | None = None,
    model: Model | None = None,
    set: Mapping[str, Any] | None = None,
    low: float = 1e-7,
    high: float = 10.0,
    steps: int = 100,
    seed: int | None = None,
    seeds: int = 1,
    device: str | None = None,
    watch: Watch | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> RateRange:
    """The range test: trains for a few steps while the rate grows, and suggests one from where the loss falls.

        rate at step t = low · (high/low)^(t/(steps − 1))

    Each batch's loss is smoothed (`statistics.rates.RunningMean`), and the test ends where that exceeds 4 times its
    lowest value so far or is no number, which is a finding and no error. How the suggestion is read from the curve
    stands at `statistics.rates.read_curve`. Network, batches, augmentation and optimizer are the recipe's; its schedule
    is replaced, so the suggestion is for the highest rate of a schedule. Only training pictures are looked at: the
    validation part stays held out and the test part closed. Nothing is written.

    Args:
        recipe, data, model, set, device, progress, tell: as for `neocog.train`.
        low, high: the first and the last `optimizer.lr`; muon's `other_lr` grows with it.
        seed: of the first test; the recipe's own unless given.
        seeds: how many tests, with seeds that follow on the first; their curves are averaged.

    Raises a NeocogError when something given can't be used.

    Source: Smith (2017), "Cyclical learning rates for training neural networks", section 3.3.
    """
    _check(low, high, steps, seeds)
    if not isinstance(set, Mapping | None):  # an example without the rate, which is what is looked for
        raise RecipeError(f"set is a {type(set).__name__}; give a mapping such as {{'loader.batch_size': 64}}")
    chosen = recipe_with(recipe, data, model, set, {"train.seed": seed, "train.device": device})
    compute = choose(chosen.train.device, chosen.train.precision)
    source = open_data(chosen, data)
    tested = _tested(chosen, low, high, steps)
    refuse_unfit(build(tested, source.image_shape, len(source.classes), model), tested, len(source.classes))

    curves = []
    dataset: Dataset | None = None
    for number in range(seeds):
        one = tested.model_copy(update={"train": tested.train.model_copy(update={"seed": chosen.train.seed + number})})
        dataset = source.load(seed=one.train.seed, progress=progress)
        if number == 0:
            for note in dataset.notes:
                (tell or warn)(note)
        watching = _Curve(one, number * steps, seeds * steps, watch)
        curves.append(_test(one, dataset, compute, model, watching))
    assert dataset is not None
    conditions = {
        "optimizer": chosen.optimizer.name,
        "batch_size": chosen.loader.batch_size,
        "low": low,
        "high": high,
        "steps": steps,
        "seeds": [curve.seed for curve in curves],
        "smoothing": SMOOTHING,
        "ends_at": EXPLODED,
        "train_pictures": len(dataset.train),
        "device": str(compute.device),
        "precision": compute.precision,
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "neocog": neocog.__version__,
    }
    found = range_of(curves, recipe=chosen.name, data=source.name, conditions=conditions)
    suggested = {} if found.suggestion is None else _with_rate(chosen, found.suggestion)
    command = _command(recipe, data, model, set or {}, suggested, device) if suggested else None
    return replace(found, changes=suggested, command=command)


class _Exploded(Exception):
    """The range test is over before its last step."""


class _Curve(Observer):
    """Collects the loss of each step, and ends the training where it explodes."""

    def __init__(self, recipe: Recipe, before: int, total: int, watch: Watch | None) -> None:
        self.recipe, self.before, self.total, self.watch = recipe, before, total, watch
        self.mean = RunningMean()
        self.losses: list[float] = []
        self.smoothed: list[float] = []

    def point(self, point: Point) -> None:
        assert point.batch_loss is not None
        self.losses.append(point.batch_loss)
        self.smoothed.append(self.mean.add(point.batch_loss))
        if self.watch:
            self.watch(self.before + point.step, self.total, self.smoothed[-1])
        if self.mean.exploded:
            raise _Exploded

    def finished(self, ending: Ending) -> RateCurve:
        """The curve; its rates are those that were set, not those of one group of weights."""
        schedule, steps = self.recipe.schedule, self.recipe.train.iterations or 0
        rates = tuple(
            self.recipe.optimizer.lr * rate_factor(schedule.name, step, steps, start=schedule.start, end=schedule.end)
            for step in range(len(self.losses))
        )
        found = read_curve(rates, self.losses, self.smoothed)
        seed = self.recipe.train.seed
        return RateCurve(seed, rates, tuple(self.losses), tuple(self.smoothed), ending, found.suggestion)


def _test(recipe: Recipe, dataset: Dataset, compute: Compute, model: Model | None, curve: _Curve) -> RateCurve:
    """One range test, on a network of its own."""
    channels = len(dataset.mean)
    mean = dataset.mean if recipe.dataset.normalize else (0.0,) * channels
    std = dataset.std if recipe.dataset.normalize else (1.0,) * channels
    resolved = Resolved(
        classes=dataset.classes,
        image_shape=dataset.image_shape,
        mean=mean,
        std=std,
        data_checksum=dataset.checksum,
        neocog=neocog.__version__,
    )
    recipe = recipe.model_copy(update={"resolved": resolved})
    network = build(recipe, dataset.image_shape, len(dataset.classes), model)
    try:
        fit(network, dataset.train, recipe, Normalization(mean, std), compute, observers=[curve], log_every=1)
    except _Exploded:
        return curve.finished(EXPLODES)
    except TrainingError:  # nothing else of `fit` is one but a loss that is no number
        if not curve.losses:
            raise
        return curve.finished(NO_NUMBER)
    return curve.finished(REACHED)


def _tested(recipe: Recipe, low: float, high: float, steps: int) -> Recipe:
    """The recipe of the test: the rate grows geometrically up to `high`, step by step."""
    changed = recipe.changed(
        {
            **_with_rate(recipe, high),
            "schedule.name": "exponential",
            "schedule.start": low / high,
            "schedule.end": 1.0,
            "train.iterations": steps,
        }
    )
    # An average of the weights changes no batch's loss, and a lesson's log has its own lines.
    return changed.model_copy(update={"published": None, "train": changed.train.model_copy(update={"ema": None})})


def _with_rate(recipe: Recipe, rate: float) -> dict[str, float]:
    """The rate as changes of the recipe; a second rate keeps its ratio to the first."""
    changes = {"optimizer.lr": rate}
    if recipe.optimizer.other_lr is not None:
        changes["optimizer.other_lr"] = float(f"{recipe.optimizer.other_lr * rate / recipe.optimizer.lr:.3g}")
    return changes


def _command(
    recipe: str | Path | Recipe,
    data: Data | None,
    model: Model | None,
    set: Mapping[str, Any],
    suggested: Mapping[str, float],
    device: str | None,
) -> str | None:
    """What trains with the suggested rate; None where something was given that no command line can say."""
    if isinstance(recipe, Recipe) or isinstance(data, tuple | list) or not isinstance(model, str | None):
        return None
    words = ["neocog", "train", str(recipe)]
    for option, value in (("--data", data), ("--model", model), ("--device", device)):
        words += [option, str(value)] if value is not None else []
    for key, value in {**set, **suggested}.items():
        words += ["--set", f"{key}={value_text(value)}"]
    return shlex.join(words)


def _check(low: float, high: float, steps: int, seeds: int) -> None:
    for option, rate in (("low", low), ("high", high)):
        if not math.isfinite(rate):
            raise RecipeError(f"{option} = {rate:g}: give a number, such as {_USUAL[option]}")
    if not 0 < low < high:
        raise RecipeError(f"rates from {low:g} to {high:g}: give a low above 0 and a high above it")
    if low < _LOWEST_RATE or high > _HIGHEST_RATE:
        raise RecipeError(
            f"rates from {low:g} to {high:g}: float32 can't tell such numbers from 0 or infinity; "
            f"give a low of {_LOWEST_RATE:g} or more and a high of {_HIGHEST_RATE:g} or less"
        )
    if steps < FEWEST_STEPS:
        raise RecipeError(f"steps = {steps}: too few to see where a loss falls; give {FEWEST_STEPS} or more")
    if seeds < 1:
        raise RecipeError(f"seeds = {seeds}: give a whole number of 1 or more")
