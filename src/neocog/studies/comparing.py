"""`compare`: sides trained over the same seeds, and what may be said of their difference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from neocog.data import Progress, Source
from neocog.device import environment
from neocog.errors import RecipeError, RunError, TrainingError
from neocog.finished import Data, Run, Tell, name_given, open_data, part_named, warn
from neocog.render.comparison import comparison_markdown, run_comparison_markdown
from neocog.render.runs import as_json
from neocog.statistics.comparison import Comparison, RunComparison, Side, compare_sides
from neocog.statistics.many_runs import RunComparisons
from neocog.studies.alike import made_alike, same_pictures
from neocog.studies.jobs import Outcome, Watcher
from neocog.studies.measures import cost_of, metric_called, side_of
from neocog.studies.predictions import compare_runs
from neocog.studies.saving import check_out, new_folder, save_texts
from neocog.studies.seeds import check_processes, check_seeds, seeds_of, train_jobs
from neocog.studies.sides import Given, GivenSide, read_sides

SEEDS = 10


def compare(
    *sides: Given,
    seeds: int | None = None,
    vary: str | None = None,
    data: Data | None = None,
    metric: str | None = None,
    set: Mapping[str, Any] | None = None,
    split: str | None = None,
    device: str | None = None,
    precision: str | None = None,
    processes: int | None = None,
    out: str | Path | None = None,
    watcher: Watcher | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Comparison | RunComparison | RunComparisons:
    """Trains each side with the same seeds, and says which is better, by how much, and how sure one may be.

    Seed k gives every side the same split of the data, order of the pictures and, with batches of one size,
    augmentation, so that what an easy split adds to all of them cancels in the differences (Bouthillier et al. 2021,
    Accounting for Variance in Machine Learning Benchmarks). Sides are judged on validation pictures; each run opens
    the test part once, after its last step. Finished runs are kept in runs/seeds and not trained again. The answer is
    saved as comparison.md, comparison.json and three pictures.

    Finished runs alone, without `seeds`, are compared picture by picture, as `compare_runs` does it.

    Args:
        sides: two or more of: a recipe's name, a TOML file, a run directory, a `Recipe`, a `Run`; one of these in a
            text with changes, "model-a optimizer.lr=0.02"; or a pair of one of these and its changes,
            ("model-a", {"optimizer.lr": 0.02}).
        seeds: how many, from 0 on; 10 unless given.
        vary: a table or key, such as "model" or "optimizer.lr": every side is the first but for this.
        data: in place of the data of all sides; as in `train`.
        metric: "accuracy" (unless given), "loss" or "macro-f1".
        set: other values by dotted key, for every side that doesn't say otherwise.
        split: for finished runs alone, the part that they are compared on: "test" (unless given) or "val".
        processes: how many trainings at once.
        out: the directory to make; by default runs/compare-A-B-1, -2, …, and none for finished runs alone.
        watcher: told of each training; see `studies.jobs.Watcher`.

    Raises a NeocogError when something given can't be used; before training starts wherever that can be known.
    """
    if not isinstance(set, Mapping | None):
        raise RecipeError(f"set is a {type(set).__name__}; give a mapping such as {{'optimizer.lr': 0.02}}")
    if len(sides) < 2:
        raise RecipeError('compare needs two sides or more, such as model-a "model-a optimizer.lr=0.02"')
    everywhere: dict[str, Any] = {"dataset.name": None if data is None else name_given(data)}
    everywhere |= {"train.device": device, "train.precision": precision}
    given = read_sides(sides, set or {}, {key: value for key, value in everywhere.items() if value is not None})
    if seeds is not None:
        check_seeds(seeds)
    check_processes(processes)
    check_out(out)
    if seeds is None and all(side.run for side in given):
        others: dict[str, Any] = {"vary": vary, "data": data, "metric": metric, "set": set or None}
        others |= {"device": device, "precision": precision, "processes": processes}
        return _of_runs(given, split or "test", out, [name for name, value in others.items() if value is not None])
    if split is not None:
        raise RecipeError("--split is for finished runs; recipes are compared on validation pictures, leave it out")
    measure = metric_called(metric or "accuracy")
    given, notes = made_alike(given, vary)
    arrays = data if isinstance(data, tuple | list) else None
    source = open_data(given[0].recipe, arrays)
    costs = [cost_of(side.label, side.recipe, side.model, arrays) for side in given]
    count = SEEDS if seeds is None else seeds
    by_side = [seeds_of(side.recipe, count, side.label, model=side.model, data=arrays) for side in given]
    # Seed by seed, so that what is finished when one stops comes in pairs.
    outcomes = train_jobs(
        [job for jobs in zip(*by_side, strict=True) for job in jobs],
        processes=processes,
        watcher=watcher,
        progress=progress,
        tell=tell or warn,
    )
    found = [outcomes[place :: len(given)] for place in range(len(given))]
    _check_pairing(found)
    measured = [side_of(side.label, rows, cost, measure) for side, rows, cost in zip(given, found, costs, strict=True)]
    _refuse_unpaired(measured)
    comparison = compare_sides(measured, measure, conditions=_conditions(given, found, source), notes=notes)
    return _saved(comparison, found, out)


def _of_runs(
    sides: Sequence[GivenSide], split: str, out: str | Path | None, unused: Sequence[str]
) -> RunComparison | RunComparisons:
    if unused:
        raise RecipeError(
            f"finished runs are compared by their stored predictions, which --{unused[0]} can't change; "
            f"leave it out, or add --seeds {SEEDS} to train their recipes"
        )
    part = part_named(split)
    runs = [side.run for side in sides if side.run]
    for place, run in enumerate(runs):
        if run.path.resolve() in [other.path.resolve() for other in runs[:place]]:
            raise RunError(f"run '{run.path}' is given twice, and nothing differs from itself; give another run")
    found = compare_runs(runs, part, [side.label for side in sides])
    if out is not None:
        texts = {"comparison.md": run_comparison_markdown(found), "comparison.json": as_json(found)}
        save_texts(new_folder(out), texts)
    return found


def _check_pairing(found: Sequence[Sequence[Outcome]]) -> None:
    """Raises RunError when one seed did not give all sides the same pictures to train on."""
    for row in zip(*found, strict=True):
        runs = [outcome.run for outcome in row if outcome.run]
        splits = [(run.directory.path / "split.json").read_text(encoding="utf-8") for run in runs]
        same = all(same_pictures(runs[0].recipe, run.recipe) for run in runs)
        if not same or any(other != splits[0] for other in splits):
            paths = " and ".join(f"'{run.path}'" for run in runs)
            raise RunError(
                f"{paths} were not trained on the same pictures, so they don't pair; give the data as it was"
            )


def _refuse_unpaired(sides: Sequence[Side]) -> None:
    """Raises TrainingError when no two sides have a seed that both finished."""
    shared = [a.values.keys() & b.values.keys() for place, a in enumerate(sides) for b in sides[:place]]
    if not any(shared):
        name, failures = next((side.name, side.failures) for side in sides if side.failures)
        seed, error = next(iter(failures.items()))
        raise TrainingError(f"no seed gave a figure for two sides, so nothing pairs; {name}, seed {seed}: {error}")


def _conditions(sides: Sequence[GivenSide], found: Sequence[Sequence[Outcome]], source: Source) -> dict[str, Any]:
    """All that the figures depend on, and where the runs lie."""
    runs = [outcome.run for outcomes in found for outcome in outcomes if outcome.run]

    def each(key: str) -> list[Any]:
        return sorted({run.results[key] for run in runs})

    return {
        **environment(),
        "data": source.name,
        "data_checksum": runs[0].recipe.resolved and runs[0].recipe.resolved.data_checksum,
        "validation_pictures": max(run.results["val_pictures"] or 0 for run in runs),
        "seeds": len(found[0]),
        "trained": sum(not outcome.reused for outcomes in found for outcome in outcomes if outcome.run),
        "kept": sum(outcome.reused for outcomes in found for outcome in outcomes),
        "device": ", ".join(each("device")),
        "precision": ", ".join(each("precision")),
        "threads": ", ".join(str(number) for number in each("threads")),
        "sides": {side.label: side.text for side in sides},
        "runs": {
            side.label: {str(outcome.job.seed): str(outcome.run.path) for outcome in outcomes if outcome.run}
            for side, outcomes in zip(sides, found, strict=True)
        },
    }


def _saved(comparison: Comparison, found: Sequence[Sequence[Outcome]], out: str | Path | None) -> Comparison:
    """The comparison with its place among its conditions, once everything is written there."""
    folder = new_folder(out, "compare", *(side.name for side in comparison.sides))
    comparison = replace(comparison, conditions={**comparison.conditions, "saved": str(folder)})
    save_texts(folder, {"comparison.md": comparison_markdown(comparison), "comparison.json": as_json(comparison)})
    runs = [[outcome.run for outcome in outcomes if outcome.run] for outcomes in found]
    _draw(comparison, dict(zip([side.name for side in comparison.sides], runs, strict=True)), folder)
    return comparison


def _draw(comparison: Comparison, runs: Mapping[str, Sequence[Run]], folder: Path) -> None:
    from neocog.plots.cost import plot_cost
    from neocog.plots.curves import plot_curves
    from neocog.plots.saving import save_figure
    from neocog.plots.seeds import plot_seeds

    curves = {name: [run.metrics for run in each] for name, each in runs.items() if each}
    for name, figure in (
        ("seeds", plot_seeds(comparison)),
        ("curves", plot_curves(curves)),
        ("cost", plot_cost(comparison, _telling_cost(comparison))),
    ):
        save_figure(figure, folder / f"{name}.png")


def _telling_cost(comparison: Comparison) -> Literal["parameters", "macs", "seconds"]:
    """The first cost in which the sides differ; their seconds always do."""
    if len({side.parameters for side in comparison.sides}) > 1:
        return "parameters"
    return "macs" if len({side.macs for side in comparison.sides}) > 1 else "seconds"
