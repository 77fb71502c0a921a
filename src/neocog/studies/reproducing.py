"""`reproduce`: the published recipes, trained over seeds exactly as published, and their mended twins."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from neocog.data import Progress
from neocog.errors import RecipeError, TrainingError
from neocog.finished import Tell, open_data
from neocog.plots import save_figure
from neocog.recipe import Recipe, shipped_recipes
from neocog.render.reproduction import reproduction_markdown
from neocog.render.runs import as_json
from neocog.statistics.reproduction import Figure, LossLog, Reproduced, Reproduction, cut
from neocog.steps import Published
from neocog.studies.jobs import Job, Outcome, Watcher
from neocog.studies.saving import check_out, new_folder, save_texts
from neocog.studies.seeds import check_processes, check_seeds, train_jobs
from neocog.studies.sides import exists


def reproduce(
    *names: str | Path,
    seeds: int = 5,
    twins: bool = True,
    set: Mapping[str, Any] | None = None,
    device: str | None = None,
    processes: int | None = None,
    out: str | Path | None = None,
    store: str | Path | None = None,
    watcher: Watcher | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Reproduction:
    """Trains published recipes with seeds 0, 1, …, each exactly as published, and holds them against their lessons.

    Each recipe's mended twin is trained with the same seeds. A run that is already in the store is not trained again,
    so a second call goes on where the first one ended, also with more seeds.

    Args:
        names: recipes with a [published] table; all that are shipped unless given.
        twins: whether the mended twins are trained, too.
        set: other values by dotted key for all recipes; then nothing is as published any more, and the conditions of
            the result say so.
        processes: how many seeds are trained at once; by default what suits the machine.
        out: the folder to make for reproduction.md, .json and .png; by default runs/reproduce-1, -2, …
        store: where finished runs are kept, by default runs/seeds.

    Raises:
        RecipeError: a name that is no recipe, or a recipe without a [published] table.
        RunError: `out` exists already, or can't be made.
        TrainingError: not one training finished.
        Interrupted: Ctrl-C; what had finished is kept.
    """
    check_seeds(seeds)
    check_processes(processes)
    if not isinstance(set, Mapping | None):
        raise RecipeError(f"set is a {type(set).__name__}; give a mapping such as {{'train.iterations': 500}}")
    check_out(out)
    started = time.perf_counter()
    changes = dict(set or {}) | ({} if device is None else {"train.device": device})
    lessons = lessons_of(names, twins=twins, changes=changes)
    for recipe, twin in lessons:
        _refuse_without_test_part(recipe, twin)
    columns = [each for lesson in lessons for each in lesson if each is not None]
    # Seed by seed over all recipes, so that whoever stops early has fewer seeds of each, not fewer recipes.
    outcomes = train_jobs(
        [Job(each.name, each.changed({"train.seed": seed})) for seed in range(seeds) for each in columns],
        processes=processes,
        store=store,
        watcher=watcher,
        progress=progress,
        tell=tell,
    )
    _refuse_hopeless(outcomes)
    rows = iter([outcomes[place :: len(columns)] for place in range(len(columns))])
    reproduction = Reproduction(
        tuple(_reproduced(recipe, next(rows), twin, next(rows) if twin else []) for recipe, twin in lessons),
        _conditions(outcomes, seeds, time.perf_counter() - started, dict(set or {})),
    )
    return _saved(reproduction, out)


def lessons_of(
    names: Sequence[str | Path] = (), *, twins: bool = True, changes: Mapping[str, Any] | None = None
) -> list[tuple[Recipe, Recipe | None]]:
    """Each recipe of those names with its mended twin, if it has one; all that are published unless named.

    Raises RecipeError for a name that is no recipe, a recipe that isn't published, and two of one name.
    """
    lessons: list[tuple[Recipe, Recipe | None]] = []
    called: list[str] = []
    for given in names or published_recipes():
        if not isinstance(given, str | Path):
            raise RecipeError(
                f"a name is of type {type(given).__name__}; give names apart, each a recipe or a TOML file, such as "
                'reproduce("mlp", "model-a")'
            )
        name = str(given)
        if name in called:
            raise RecipeError(f"recipe '{name}' is given twice; give it once, and more seeds for more trainings")
        called.append(name)
        recipe = _loaded(name, changes)
        if recipe.published is None:
            raise RecipeError(
                f"recipe '{name}' has no [published] table, so there is nothing to hold it against; "
                f"{_reproducible(name)}"
            )
        if recipe.name in (other.name for other, _ in lessons):
            raise RecipeError(f"two recipes are called '{recipe.name}', so their lines can't be told apart; rename one")
        twin = recipe.published.twin if twins else None
        lessons.append((recipe, None if twin is None else Recipe.load(twin, changes)))
    return lessons


def _loaded(name: str, changes: Mapping[str, Any] | None) -> Recipe:
    plain = Path(name).suffix != ".toml" and len(Path(name).parts) <= 1 and not exists(name)
    if plain and name not in shipped_recipes():
        raise RecipeError(f"there is no recipe '{name}'; {_reproducible(name)}")
    return Recipe.load(name, changes)


def _reproducible(name: str) -> str:
    known = published_recipes()
    return f"these can be reproduced, the nearest first: {', '.join(get_close_matches(name, known, len(known), 0))}"


def published_recipes() -> list[str]:
    """The names of the shipped recipes that have a [published] table."""
    return [name for name in shipped_recipes() if Recipe.load(name).published]


def _saved(reproduction: Reproduction, out: str | Path | None) -> Reproduction:
    """The reproduction with the folder that its page, its numbers and its picture have been written into."""
    folder = new_folder(out, "reproduce")
    saved = replace(reproduction, conditions={**reproduction.conditions, "saved": str(folder)})
    save_texts(folder, {"reproduction.md": reproduction_markdown(saved), "reproduction.json": as_json(saved)})
    _draw(saved, folder)
    return saved


def _draw(reproduction: Reproduction, folder: Path) -> None:
    from neocog.plots.reproduction import plot_reproduction

    save_figure(plot_reproduction(reproduction), folder / "reproduction.png")


def _refuse_without_test_part(*recipes: Recipe | None) -> None:
    for recipe in recipes:
        if recipe and recipe.dataset.test == 0 and "test" not in open_data(recipe).counts:
            raise RecipeError(
                f"recipe '{recipe.name}' holds out no test part, so there is nothing to measure; "
                'give it dataset.test = "auto"'
            )


def _refuse_hopeless(outcomes: Sequence[Outcome]) -> None:
    if not any(each.run for each in outcomes):
        first = outcomes[0]
        raise TrainingError(f"none of the {len(outcomes)} trainings finished; the first: {_told(first)}: {first.error}")


def _told(outcome: Outcome) -> str:
    return f"{outcome.job.label}, seed {outcome.job.seed}"


def _reproduced(recipe: Recipe, own: Sequence[Outcome], twin: Recipe | None, twins: Sequence[Outcome]) -> Reproduced:
    published = recipe.published
    assert published is not None
    ours, mended = ({each.job.seed: each.run for each in some if each.run} for some in (own, twins))
    results = [run.results for run in ours.values()]
    any_result = results[0] if results else {}
    return Reproduced(
        name=recipe.name,
        seeds=tuple(ours),
        figures=_figures(published, results),
        log=_loss_log(published, results),
        accuracy=tuple(found["test_accuracy"] for found in results),
        seconds=tuple(run.train_seconds for run in ours.values()),
        epochs=any_result["steps"] / any_result["steps_per_epoch"] if results else 0,
        source=published.source,
        about=recipe.about.strip(),
        faults=published.faults,
        seconds_per_epoch=published.seconds_per_epoch,
        twin=twin.name if twin else None,
        twin_about=twin.about.strip() if twin else "",
        twin_seeds=tuple(mended),
        twin_accuracy=tuple(run.results["test_accuracy"] for run in mended.values()),
        twin_seconds=tuple(run.train_seconds for run in mended.values()),
        parameters=any_result.get("parameters", 0),
        precision=any_result.get("precision", ""),
        openings=any_result.get("test_openings", 0),
        failures={
            f"{each.job.label}, seed {each.job.seed}": each.error for each in (*own, *twins) if each.error is not None
        },
        notes=_notes(published, results),
    )


def _figures(published: Published, results: Sequence[Mapping[str, Any]]) -> tuple[Figure, ...]:
    """The accuracy that the lesson calls test, what else it measures at the end, then its log line by line."""
    records = [found["as_published"] for found in results]
    honest = published.part == "test" and not published.dropout
    called_test = Figure(
        "test accuracy" if honest else _what_it_is(published),
        published.accuracy,
        tuple(record["accuracy"] for record in records),
        at_least=published.at_least,
    )
    figures = [called_test]
    if not honest:
        figures.append(Figure("test accuracy", None, tuple(found["test_accuracy"] for found in results)))
    if published.train_accuracy:
        figures.append(Figure("training accuracy", None, tuple(record["train_accuracy"] for record in records)))
    logs: list[list[dict[str, Any]]] = [record["log"] for record in records]
    return (*figures, *_batch_figures(published, logs), *_log_figures(published, logs))


def _what_it_is(published: Published) -> str:
    """What a lesson calls test accuracy and isn't; short, because it stands in a table."""
    return ("training" if published.part == "train" else "test") + (
        ", dropout on" if published.dropout else " accuracy"
    )


def _batch_figures(published: Published, logs: Sequence[Sequence[Mapping[str, Any]]]) -> list[Figure]:
    """The lowest and the highest accuracy on a last batch among the lines of some epochs."""
    if published.batch_accuracies is None or published.batch_epochs is None:
        return []
    first, last = published.batch_epochs
    seen = [[line["batch_accuracy"] for line in log if first < line["epoch"] <= last + 1] for log in logs]
    return [
        Figure(
            f"{word} batch, epochs {first}–{last}",
            figure,
            tuple(pick(values) for values in seen if values),
            digits=1,
            kind="batch accuracy",
        )
        for word, pick, figure in zip(("lowest", "highest"), (min, max), published.batch_accuracies, strict=True)
    ]


def _log_figures(published: Published, logs: Sequence[Sequence[Mapping[str, Any]]]) -> list[Figure]:
    """A figure for each line of the lesson's log that all of our seeds have, too."""
    shared = logs[0][: min(map(len, logs))] if logs else []
    names = [f"step {line['step']:,}" if published.every else f"epoch {line['epoch']:g}" for line in shared]
    digits = _digits(published.losses)
    losses = [
        Figure(f"loss, {name}", figure, tuple(log[place]["loss"] for log in logs), "nats", 1, digits, kind="log loss")
        for place, (name, figure) in enumerate(zip(names, published.losses, strict=False))
    ]
    accuracies = [
        Figure(
            f"accuracy, {name}",
            figure,
            tuple(log[place]["test_accuracy"] for log in logs),
            digits=0,
            cut=True,
            kind="log accuracy",
        )
        for place, (name, figure) in enumerate(zip(names, published.accuracies, strict=False))
        if "test_accuracy" in shared[place]
    ]
    return losses + accuracies


def _loss_log(published: Published, results: Sequence[Mapping[str, Any]]) -> LossLog:
    logs = [found["as_published"]["log"] for found in results]
    step = published.every or (results[0]["steps_per_epoch"] if results else 1)
    lines = max(len(published.losses), *map(len, logs), 0)
    return LossLog(
        steps=tuple(step * line for line in range(1, lines + 1)),
        published=published.losses,
        ours=tuple(tuple(line["loss"] for line in log) for log in logs),
        of=published.loss,
        every=published.every,
        digits=_digits(published.losses),
    )


def _digits(values: Sequence[float]) -> int:
    """How many decimals a lesson prints: those of its longest figure, as 1.7610 is read as 1.761."""
    return max((len(repr(value).partition(".")[2]) for value in values), default=4)


def _notes(published: Published, results: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    notes = list(dict.fromkeys(note for found in results for note in found["notes"]))
    steps = results[0]["steps"] if results else 0
    last = len(published.accuracies) * (published.every or 0)
    if published.accuracy is not None and published.part == "test" and last == steps > 0:
        logged = published.accuracies[-1]
        if cut(published.accuracy) != logged:
            notes.append(
                f"the lesson's last line, {logged * 100:.0f} % after {steps:,} steps, and its test accuracy, "
                f"{published.accuracy * 100:.2f} %, can't be of one network: cut to whole per cent they would be equal"
            )
    return tuple(notes)


def _conditions(outcomes: Sequence[Outcome], seeds: int, seconds: float, changes: dict[str, Any]) -> dict[str, Any]:
    """What the figures depend on, each as all the values that were met."""
    runs = [each.run for each in outcomes if each.run]
    environments = [run.directory.read_json("environment.json") for run in runs]
    met = {
        name: list(dict.fromkeys(str(each[name]) for each in environments if name in each))
        for name in ("cpu", "gpu", "system", "python", "torch", "neocog", "device", "threads")
    }
    return {
        "date": date.today().isoformat(),
        "seeds": seeds,
        **{name: ", ".join(values) for name, values in met.items() if values},
        "data": ", ".join(dict.fromkeys(str(run.results["data"]) for run in runs)),
        "runs": len(runs),
        "kept": sum(each.reused for each in outcomes),
        "train_seconds": round(sum(run.train_seconds for run in runs), 1),
        "seconds": round(seconds, 1),
        "changes": changes,
    }
