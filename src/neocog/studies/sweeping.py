"""`sweep`: many configurations of one recipe, trained over the same seeds and ranked on validation."""

from __future__ import annotations

import platform
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

import neocog
from neocog.data import Progress
from neocog.device import choose
from neocog.errors import RecipeError, RunError, TrainingError
from neocog.finished import Data, Run, Tell, evaluate, name_given, open_data, warn
from neocog.networks import Model, model_changes, refuse_foreign_code
from neocog.recipe import Recipe
from neocog.render.runs import as_json
from neocog.render.sweep import sweep_markdown
from neocog.statistics.comparison import Side
from neocog.statistics.sweep import Configuration, Sweep, rank
from neocog.studies.grid import Choices, drawn, grid, normalized, value_text
from neocog.studies.jobs import Outcome, Watcher
from neocog.studies.measures import cost_of, metric_called, side_of
from neocog.studies.saving import check_out, new_folder, save_texts
from neocog.studies.seeds import check_processes, check_seeds, seeds_of, train_jobs
from neocog.studies.sides import exists

SEEDS = 3
_MOST_DRAWN = 30  # rows of the picture
_LONGEST_VALUE = 40
_NOT_TRAINED = ("name", "about", "published", "resolved")  # what a recipe says, not what it does
# What decides which pictures are held out: configurations on different ones can't be ranked.
_SAME_FOR_ALL = ("dataset.name", "dataset.validation", "dataset.test")


def sweep(
    recipe: str | Path | Recipe,
    values: Mapping[str, Any],
    *,
    seeds: int = SEEDS,
    random: int | None = None,
    seed: int = 0,
    data: Data | None = None,
    metric: str = "accuracy",
    device: str | None = None,
    precision: str | None = None,
    processes: int | None = None,
    out: str | Path | None = None,
    watcher: Watcher | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Sweep:
    """Trains every combination of some values with the same seeds, and ranks them on validation pictures.

    The test part stays closed but for the winner's runs, on which it is opened once each at the end. A training that
    fails, as with too high a rate, stops no other. Finished runs are kept in runs/seeds and not trained again. The
    answer is saved as sweep.md, sweep.json and a picture of all seeds.

    Args:
        values: what to try, by dotted key: a list of values, such as {"optimizer.lr": [0.01, 0.02]}, or a range as a
            text, "0.001..0.1", for `random`. A key with one value has it in all configurations.
        seeds: how many each configuration is trained with, from 0 on.
        random: so many configurations drawn at random instead of all; from a range of positive fractions
            log-uniformly.
        seed: where the drawing starts.
        data, device, precision, progress, tell: as for `neocog.train`.
        metric: "accuracy", "loss" or "macro-f1".
        processes: how many trainings at once.
        out: the directory to make; by default runs/sweep-RECIPE-1, -2, …
        watcher: told of each training; see `studies.jobs.Watcher`.

    Raises a NeocogError when something given can't be used; every configuration is tried before the first is trained.
    How they are told apart stands at `statistics.sweep.rank`, how far the best may be believed at `left_out`.
    """
    measure = metric_called(metric)
    check_seeds(seeds)
    check_processes(processes)
    check_out(out)
    _refuse_no_recipe(recipe)
    choices = normalized(values)
    _check_keys(choices, Recipe.load(recipe) if not isinstance(recipe, Recipe) else recipe)
    changes, notes = (grid(choices), []) if random is None else drawn(choices, random, seed)
    shared: dict[str, Any] = {"dataset.name": None if data is None else name_given(data)}
    shared |= {"train.device": device, "train.precision": precision}
    shared = {key: value for key, value in shared.items() if value is not None}
    for key in shared.keys() & choices.keys():
        raise RecipeError(f"{key} is given twice, among the values to try and by an option of its own; leave one out")
    tried, more = _recipes(recipe, changes, shared)
    notes += more
    arrays = data if isinstance(data, tuple | list) else None
    names = _names([own for own, _, _ in tried])
    for _, one, _ in tried:
        choose(one.train.device, one.train.precision)
    open_data(tried[0][1], arrays)  # what is wrong with the data is the fault of no configuration
    costs = [cost_of(name, one, model, arrays) for name, (_, one, model) in zip(names, tried, strict=True)]
    by_configuration = [
        seeds_of(one, seeds, name, model=model, data=arrays, open_test=False)
        for name, (_, one, model) in zip(names, tried, strict=True)
    ]
    if tell is None:
        tell = warn
    else:  # a plan is nothing to warn of
        tell(_announcement(len(tried), seeds))
    # Seed by seed, so that what is finished when one stops is the same for all configurations.
    jobs = [job for row in zip(*by_configuration, strict=True) for job in row]
    outcomes = train_jobs(jobs, processes=processes, watcher=watcher, progress=progress, tell=tell)
    found = [outcomes[place :: len(tried)] for place in range(len(tried))]
    configurations = [
        Configuration(side_of(name, rows, cost, measure), own, {key: _label(value) for key, value in own.items()})
        for name, (own, _, _), rows, cost in zip(names, tried, found, costs, strict=True)
    ]
    _refuse_all_failed([each.side for each in configurations])
    ranked = rank(tried[0][1].name, configurations, measure, seeds)
    place = names.index(ranked.best.name)
    ranked = replace(
        ranked,
        test=_opened([outcome.run for outcome in found[place] if outcome.run], tried[place][2], data, device, tell),
        command=_command(recipe, data, device, precision, ranked.best.changes),
        conditions=_conditions(names, found, random, seed),
        notes=tuple(notes),
    )
    return _saved(ranked, out)


def _refuse_no_recipe(recipe: str | Path | Recipe) -> None:
    if isinstance(recipe, str) and "=" in recipe and not exists(recipe):
        raise RecipeError(
            f"'{recipe}' is a key with its values, and the recipe before it is missing; write one, as in: "
            f"neocog sweep fast {shlex.quote(recipe)}"
        )


def _check_keys(choices: Choices, recipe: Recipe) -> None:
    for key in choices:
        if key == "train.seed" or key.partition(".")[0] in _NOT_TRAINED:
            raise RecipeError(f"{key} is not for you to set: a sweep gives each configuration the same; leave it out")
    if not choices:
        example = f"optimizer.lr={recipe.optimizer.lr:g},{recipe.optimizer.lr / 10:g}"
        raise RecipeError(f"a sweep needs a key and the values to try, such as {example}")
    for key in _SAME_FOR_ALL:
        values = choices.get(key, ())
        if not isinstance(values, Sequence) or len(values) > 1:
            raise RecipeError(f"{key} decides which pictures are held out, so configurations need one value; give one")


def _recipes(
    recipe: str | Path | Recipe, changes: Sequence[Mapping[str, Any]], shared: Mapping[str, Any]
) -> tuple[list[tuple[Mapping[str, Any], Recipe, Model | None]], list[str]]:
    """Each different configuration: its changes, its recipe, and the code that the user named; and notes."""
    base = recipe if isinstance(recipe, Recipe) else Recipe.load(recipe)
    made: list[tuple[Mapping[str, Any], Recipe, Model | None]] = []
    places: set[tuple[str, Any]] = set()
    notes = []
    carved = asked = False
    for own in changes:
        # A callable is a value like any other in Python; the recipe has its name.
        model = own.get("model.factory")
        named = {**own, **(model_changes(model) if model is not None else {})}
        one = base.changed({**shared, **named})
        if one.dataset.validation == 0:
            one, carved = one.changed({"dataset.validation": "auto"}), True
            asked = "dataset.validation" in named
        # Its progress meter would open the test part; and what training finds out of the data is found out anew.
        one = one.model_copy(update={"published": None, "resolved": None})
        refuse_foreign_code(one, model)
        place = one.model_dump_json(), model if isinstance(model, str) else id(model)
        if place in places:
            notes.append(f"{_name(own, list(own))} is there twice and trained once")
        else:
            places.add(place)
            made.append((own, one, model))
    if asked:
        notes.append(
            "dataset.validation = 0 was asked for, but configurations are ranked on validation pictures: "
            "dataset.validation = auto"
        )
    elif carved:
        notes.append(f"{base.name} holds out no validation part of its own: dataset.validation = auto")
    if len(made) == 1:
        only = _name(made[0][0], list(made[0][0]))
        raise RecipeError(f"there is one configuration alone, {only}; give two or more values with commas between")
    return made, notes


def _names(tried: Sequence[Mapping[str, Any]]) -> list[str]:
    """What tells each configuration from the others: its keys that differ, with their values."""
    varying = [key for key in tried[0] if any(own[key] != tried[0][key] for own in tried)]
    names: list[str] = []
    for own in tried:
        plain = name = _name(own, varying)
        number = 2
        while name in names:  # long values cut to the same text
            name, number = f"{plain} ({number})", number + 1
        names.append(name)
    return names


def _name(own: Mapping[str, Any], keys: Sequence[str]) -> str:
    return " ".join(f"{key}={_label(own[key])}" for key in keys)


def _label(value: Any) -> str:
    """A value in few signs."""
    text = getattr(value, "__qualname__", "code") if callable(value) else " ".join(value_text(value).split())
    return text if len(text) <= _LONGEST_VALUE else text[: _LONGEST_VALUE - 1] + "…"


def _announcement(count: int, seeds: int) -> str:
    return f"{count} configurations with {seeds} seed{'s' * (seeds > 1)} each: {count * seeds:,} trainings"


def _refuse_all_failed(sides: Sequence[Side]) -> None:
    if not any(side.values for side in sides):
        seed, error = next(iter(sides[0].failures.items()))
        raise TrainingError(
            f"no configuration finished a seed, so there is nothing to rank; {sides[0].name}, seed {seed}: {error}"
        )


def _opened(
    runs: Sequence[Run], model: Model | None, data: Data | None, device: str | None, tell: Tell
) -> dict[int, float]:
    """The test accuracy of the winner's runs; one that was measured by an earlier sweep isn't opened again."""
    arrays = data if isinstance(data, tuple | list) else None
    found: dict[int, float] = {}
    for run in runs:
        accuracy = _noted(run)
        if accuracy is None:
            try:
                accuracy = evaluate(run, data=arrays, model=model, device=device, tell=lambda _: None).accuracy
            except RunError as error:
                tell(f"test accuracy of the best: {error}")
                return {}
        found[run.recipe.train.seed] = accuracy
    return found


def _noted(run: Run) -> float | None:
    """What evaluations.jsonl says of the test part of the data that was trained on."""
    if run.recipe.resolved is None:
        return None
    for record in run.directory.read_evaluations():
        own = record.get("checksum") == run.recipe.resolved.data_checksum
        accuracy = record.get("accuracy")
        if own and record.get("split") == "test" and isinstance(accuracy, float) and 0 <= accuracy <= 1:
            return accuracy
    return None


def _command(
    recipe: str | Path | Recipe,
    data: Data | None,
    device: str | None,
    precision: str | None,
    changes: Mapping[str, Any],
) -> str | None:
    """What trains the best; None where something was given that no command line can say."""
    if isinstance(recipe, Recipe) or isinstance(data, tuple | list) or any(callable(each) for each in changes.values()):
        return None
    words = ["neocog", "train", str(recipe)]
    for option, value in (("--data", data), ("--device", device), ("--precision", precision)):
        words += [option, str(value)] if value is not None else []
    for key, value in changes.items():
        words += ["--model", value] if key == "model.factory" else ["--set", f"{key}={value_text(value)}"]
    return shlex.join(words)


def _conditions(
    names: Sequence[str], found: Sequence[Sequence[Outcome]], random: int | None, seed: int
) -> dict[str, Any]:
    """All that the figures depend on, and where the runs lie."""
    outcomes = [outcome for rows in found for outcome in rows]
    runs = [outcome.run for outcome in outcomes if outcome.run]

    def each(key: str) -> str:
        return ", ".join(sorted({str(run.results[key]) for run in runs}))

    return {
        "data": each("data"),
        "data_checksum": runs[0].recipe.resolved and runs[0].recipe.resolved.data_checksum,
        "validation_pictures": max(run.results["val_pictures"] or 0 for run in runs),
        "drawn": None if random is None else {"configurations": random, "seed": seed},
        "trained": sum(outcome.run is not None and not outcome.reused for outcome in outcomes),
        "kept": sum(outcome.reused for outcome in outcomes),
        "failed": sum(outcome.run is None for outcome in outcomes),
        "device": each("device"),
        "precision": each("precision"),
        "threads": each("threads"),
        "neocog": neocog.__version__,
        "torch": torch.__version__,
        "machine": platform.machine(),
        "runs": {
            name: {str(outcome.job.seed): str(outcome.run.path) for outcome in rows if outcome.run}
            for name, rows in zip(names, found, strict=True)
        },
    }


def _saved(ranked: Sweep, out: str | Path | None) -> Sweep:
    """The sweep with its place among its conditions, once everything is written there."""
    from neocog.plots.saving import save_figure
    from neocog.plots.seeds import plot_seeds

    folder = new_folder(out, "sweep", ranked.recipe)
    ranked = replace(ranked, conditions={**ranked.conditions, "saved": str(folder)})
    save_texts(folder, {"sweep.md": sweep_markdown(ranked), "sweep.json": as_json(ranked)})
    shown = ranked.comparison
    save_figure(plot_seeds(replace(shown, sides=shown.sides[:_MOST_DRAWN])), folder / "seeds.png")
    return ranked
