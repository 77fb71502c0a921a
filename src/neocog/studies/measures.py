"""What `compare` and `sweep` measure of each thing they train: its cost, and its figures over the seeds."""

from __future__ import annotations

from collections.abc import Sequence

from neocog.errors import NeocogError, RecipeError, unknown
from neocog.finished import Data, Run, open_data
from neocog.networks import Model, build
from neocog.recipe import Recipe
from neocog.statistics.comparison import METRICS, Metric, Side
from neocog.studies.jobs import Outcome
from neocog.summary import summarize
from neocog.training import refuse_unfit


def metric_called(name: str) -> Metric:
    """The metric of that name, with - or _. Raises RecipeError for another.

    >>> metric_called("macro-f1").title
    'validation macro F1'
    """
    known = {key.replace("_", "-"): metric for key, metric in METRICS.items()}
    if name.replace("_", "-") not in known:
        if part := [key for key in known if name and name in key]:  # too short to be near
            raise RecipeError(f"unknown metric '{name}'; did you mean '{part[0]}'? Known: {', '.join(sorted(known))}")
        raise RecipeError(unknown("metric", name, known))
    return known[name.replace("_", "-")]


def cost_of(name: str, recipe: Recipe, model: Model | None, arrays: Data | None) -> tuple[int, int | None]:
    """Parameters and multiply-adds of one picture; None for these where they can't be counted.

    What can't be trained is refused here, before any training: raises a NeocogError that begins with `name`.
    """
    try:
        source = open_data(recipe, arrays)
        classes = len(source.classes)
        network = build(recipe, source.image_shape, classes, model)
        refuse_unfit(network, recipe, classes)
    except NeocogError as error:
        raise type(error)(f"{name}: {error}") from None
    try:
        table = summarize(recipe.layers or network, source.image_shape, classes)
    except NeocogError:  # code of the user's own, which trains all the same
        return sum(parameter.numel() for parameter in network.parameters()), None
    return table.total_parameters, None if table.unknown else table.total_macs


def side_of(name: str, outcomes: Sequence[Outcome], cost: tuple[int, int | None], metric: Metric) -> Side:
    """What the runs of one side give; a seed without a figure is among its failures."""
    values: dict[int, float] = {}
    test: dict[int, float] = {}
    seconds: dict[int, float] = {}
    failures: dict[int, str] = {}
    for outcome in outcomes:
        seed, run = outcome.job.seed, outcome.run
        value = _value(run, metric) if run else None
        if run is None or value is None:
            failures[seed] = outcome.error or "no validation pictures were held out; give --set dataset.validation=0.2"
            continue
        values[seed], seconds[seed] = value, run.train_seconds
        if run.results["test_accuracy"] is not None:
            test[seed] = run.results["test_accuracy"]
    return Side(name, values, test, seconds, *cost, failures)


def _value(run: Run, metric: Metric) -> float | None:
    if metric.name == "macro_f1":
        return run.validation.macro_f1 if run.validation else None
    value: float | None = run.results[f"val_{metric.name}"]
    return value
