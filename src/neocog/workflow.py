"""The main job from end to end: recipe -> data -> network -> training -> measuring -> run; and looks at its parts."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import nn

import neocog
from neocog.checkpoint import EVERY, CheckpointKeeper, Checkpoints, RunSize, resume_command
from neocog.data import Dataset, Progress, open_source
from neocog.data.batches import Normalization, brightness_range
from neocog.device import Compute, environment
from neocog.errors import RecipeError
from neocog.evaluation import Evaluation
from neocog.finished import Data, Run, Tell, classifier_of, data_name, measured, name_given, open_data, warn
from neocog.insight import reporting
from neocog.insight.pictures import keep_pictures
from neocog.insight.ready import made_ready
from neocog.layers import WORDS, Layers
from neocog.logs import MetricsLog, TensorBoardLog
from neocog.networks import Model, from_code, is_factory, model_changes, refuse_foreign_code
from neocog.published import PublishedLog
from neocog.recipe import Recipe, shipped_recipes
from neocog.run import RUNS, RunDirectory, git_commit
from neocog.snapshots import Snapshot
from neocog.steps import Resolved
from neocog.stopping import FirstSignal, Stopped, heeding
from neocog.summary import Summary
from neocog.summary import summarize as table_of
from neocog.training import Observer, Trained, fit


def train(
    recipe: str | Path | Recipe = "fast",
    *,
    data: Data | None = None,
    model: Model | None = None,
    set: Mapping[str, Any] | None = None,
    seed: int | None = None,
    run: str | Path | None = None,
    device: str | None = None,
    precision: str | None = None,
    tensorboard: bool = False,
    open_test: bool = True,
    figures: bool = True,
    checkpoint_every: float | None = EVERY,
    observers: Sequence[Observer] = (),
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Run:
    """Trains a classifier and measures it: on validation data, and once, at the end, on the test part.

    A published recipe is measured as its lesson does it, too, under `as_published` in the results. That may open the
    test part more often; `Run.test_openings` counts.

    Args:
        recipe: the name of a shipped recipe, a TOML file, a run directory, or a `Recipe`.
        data: a name (`neocog data list`), a folder, or (images, labels) with uint8 images (N, H, W) or (N, H, W, C) and
            labels of any kind; the recipe's own data unless given.
        model: a layer text, `Layers`, "module:factory", or a callable (in_channels, classes) -> nn.Module, in place
            of the recipe's.
        set: other values by dotted key, such as {"optimizer.lr": 0.02}.
        run: the directory to make; by default runs/RECIPE-DATA-1, -2, …
        open_test: whether the test part is measured at all; a choice among many is made without it. A published
            recipe is then not measured as its lesson does it.
        figures: whether to draw the run's figures and write its report at the end; what goes wrong there is a remark.
        checkpoint_every: seconds from one checkpoint to the next, from which `resume` goes on, and 0 for as many as
            can be written; None writes none, and leaves Ctrl-C alone. With checkpoints, the first Ctrl-C or SIGTERM
            stops after the step, or at once while results are measured, as `Stopped`.
        progress: called with (what, done, total) while data is made ready.
        tell: called with each remark about the data, such as a file that is no picture; they are warnings unless given.

    Raises a NeocogError when something given can't be used; before training starts wherever that can be known.
    """
    given = {"train.seed": seed, "train.device": device, "train.precision": precision}
    chosen = recipe_with(recipe, data, model, set, given)

    tell = tell or warn
    RunDirectory.check_place(run)
    if tensorboard:
        TensorBoardLog.check()
    ready = made_ready(chosen, data, model)
    compute, source, network = ready.compute, ready.source, ready.network
    dataset, notes = ready.load(progress)
    for note in notes:
        tell(note)
    chosen = _resolved(chosen, dataset, compute)
    size = RunSize.of(
        chosen, network, dataset, keeping=checkpoint_every is not None, open_test=open_test, figures=figures
    )
    size.refuse(RUNS / chosen.name if run is None else Path(run))
    conditions = {
        **environment(),
        "device": str(compute.device),
        "precision": compute.precision,
        "data": dataset.checksum,
        "git_commit": git_commit(),
        "open_test": open_test,
        "tensorboard": tensorboard,
        "pictures": pictures_of(dataset),
    }
    signals = FirstSignal()
    with heeding(signals) if checkpoint_every is not None else nullcontext():
        # A signal is kept in mind from here on, so that it leaves a run that can go on and none half made.
        directory = RunDirectory.create(run, f"{chosen.name}-{source.name}")
        with directory.owned(tell):
            directory.begin(chosen, dataset.split_record(), conditions)
            finished = train_in(
                *(directory, chosen, dataset, network, compute),
                model=model,
                open_test=open_test,
                observers=[*observers, *([TensorBoardLog(directory)] if tensorboard else [])],
                checkpoint_every=checkpoint_every,
                tell=tell,
                signals=signals,
            )
    if figures:
        reporting.look(finished, tell)
    return finished


def train_in(
    directory: RunDirectory,
    recipe: Recipe,
    dataset: Dataset,
    network: nn.Module,
    compute: Compute,
    *,
    model: Model | None,
    open_test: bool,
    observers: Sequence[Observer],
    checkpoint_every: float | None,
    tell: Tell,
    signals: FirstSignal,
    start: Snapshot | None = None,
) -> Run:
    """Trains in a directory that is owned and has its recipe, from the beginning or from a snapshot, and measures.

    The first of `signals` stops the training after its step, and later the measuring at once.
    """
    assert recipe.resolved is not None
    normalization = Normalization(recipe.resolved.mean, recipe.resolved.std)
    published = PublishedLog(recipe, network, dataset, normalization) if recipe.published and open_test else None
    log = MetricsLog(directory)
    watchers = [log, *observers, *([published] if published else [])]
    keeper = None
    if checkpoint_every is not None:
        facts = facts_of(recipe, network)
        keeper = CheckpointKeeper(Checkpoints(directory.path), facts, checkpoint_every)
        signals.does(keeper.ask_to_stop)
    try:
        trained = fit(
            *(network, dataset.train, recipe, normalization, compute, dataset.validation, watchers),
            keeper=keeper,
            start=start,
        )
    finally:
        if keeper:
            keeper.wait()
    signals.does(stops_at_once(directory, "while results were measured"))
    log.flush()  # or after a power cut the run might be called complete without its curve
    digest = directory.write_weights(network)
    return _finished(directory, recipe, dataset, compute, trained, digest, model, open_test, published, tell)


def stops_at_once(directory: RunDirectory, when: str) -> Callable[[int], NoReturn]:
    """What stops a run outside of its steps, where nothing is lost by it, and says how it goes on."""

    def stop(number: int) -> NoReturn:
        run = directory.path
        text = f"stopped {when}; go on with: {resume_command(run)}"
        if (run / "results.json").exists():
            text = f"stopped, but the run is complete; look at it with: neocog report {shlex.quote(str(run))}"
        raise Stopped(run, number, text)

    return stop


def pictures_of(dataset: Dataset) -> dict[str, int]:
    """How many there are to train on and to choose by, which a run notes."""
    return {"train": len(dataset.train), "validation": len(dataset.validation or ())}


def facts_of(recipe: Recipe, network: nn.Module) -> dict[str, Any]:
    """What a checkpoint belongs to: a training that goes on with anything else is another training."""
    return {
        "recipe": tomllib.loads(recipe.to_toml()),  # as the run's own file has it, where layers are in normal form
        "model": {name: list(value.shape) for name, value in network.state_dict().items()},
    }


def recipe_with(
    recipe: str | Path | Recipe,
    data: Data | None,
    model: Model | None,
    set: Mapping[str, Any] | None,
    given: Mapping[str, Any],
) -> Recipe:
    """The recipe with all that was asked for besides it; of `given`, by dotted key, what is None changes nothing.

    Raises a NeocogError for what can't be read, and for code that the user has not named.
    """
    if not isinstance(set, Mapping | None):
        raise RecipeError(f"set is a {type(set).__name__}; give a mapping such as {{'optimizer.lr': 0.02}}")
    changes = dict(set or {})
    changes |= {key: value for key, value in given.items() if value is not None}
    if data is not None:
        changes["dataset.name"] = name_given(data)
    changes |= model_changes(model)
    chosen = recipe.changed(changes) if isinstance(recipe, Recipe) else Recipe.load(recipe, changes)
    refuse_foreign_code(chosen, model)
    return chosen


def summarize(
    what: str | Path | Layers | nn.Module,
    input_shape: tuple[int, ...] | None = None,
    classes: int | None = None,
    *,
    model: Model | None = None,
) -> Summary:
    """The layer table of a recipe, a run, a layer text, a `module:factory`, or any torch module.

    Shape and number of classes come from the recipe's data unless given; for code and texts they are 1×28×28 and 10.
    `model` names the code again when a recipe's network is code. A torch module without a shape gives its parameters
    only.

    >>> summarize("conv 16 5 same | relu | maxpool 2 | flatten | linear 10", (1, 28, 28)).total_parameters
    31786
    """
    if isinstance(what, nn.Module):
        return table_of(what, input_shape)
    recipe = None if isinstance(what, Layers) or _is_text(str(what)) else Recipe.load(what)
    if recipe is not None and (input_shape is None or classes is None):
        found = recipe.resolved or open_data(recipe)
        input_shape, classes = input_shape or found.image_shape, classes or len(found.classes)
    input_shape, classes = input_shape or (1, 28, 28), classes or 10
    network: Model = what if isinstance(what, Layers) else str(what)
    if recipe is not None:
        refuse_foreign_code(recipe, model)
        network = recipe.layers or model or str(recipe.model.factory)
    if isinstance(network, Layers) or (isinstance(network, str) and not is_factory(network)):
        return table_of(network, input_shape, classes)
    channels, height, width = input_shape
    return table_of(from_code(network, (channels, height, width), classes), input_shape)


def _is_text(what: str) -> bool:
    """Whether this is a layer text or `module:factory`, and not the name of a recipe, a file or a run."""
    if what in shipped_recipes() or what.endswith(".toml"):
        return False
    try:
        if Path(what).exists():
            return False
    except OSError:  # a text is no path: too long for one, most often
        return True
    return any(sign in what for sign in "|:\n ") or what.lower() in WORDS


def describe_data(what: str, *, progress: Progress | None = None) -> dict[str, Any]:
    """What a named data set or a folder holds, everything read and checked: parts, classes, counts, remarks."""
    source = open_source(what)
    dataset = source.load(seed=0, progress=progress)
    return {
        "name": source.name,
        "from": source.origin,
        "licence": source.licence,
        "citation": source.citation,
        "shape": list(source.image_shape),
        "classes": list(source.classes),
        "counts": dataset.counts(),
        "carved": list(dataset.carved_parts),
        "mean": list(dataset.mean),
        "std": list(dataset.std),
        "checksum": dataset.checksum,
        "notes": list(dataset.notes),
    }


def _finished(
    directory: RunDirectory,
    recipe: Recipe,
    dataset: Dataset,
    compute: Compute,
    trained: Trained,
    digest: str,
    model: Model | None,
    open_test: bool,
    published: PublishedLog | None,
    tell: Tell,
) -> Run:
    """The last part of a training: predictions for each part, the numbers, and pictures to look at."""
    classifier = classifier_of(directory, model if recipe.model.factory else None, compute)
    stored: dict[str, np.ndarray[Any, Any]] = {}
    judged: dict[str, Evaluation] = {}
    results: dict[str, Any] = {
        "recipe": recipe.name,
        "data": dataset.name,
        "seed": recipe.train.seed,
        "parameters": sum(parameter.numel() for parameter in classifier.model.parameters()),
        "classes": len(dataset.classes),
        "train_pictures": len(dataset.train),
        "train_counts": torch.bincount(dataset.train.labels, minlength=len(dataset.classes)).tolist(),
        "steps": trained.steps,
        "steps_per_epoch": trained.steps_per_epoch,
        "notes": list(dataset.notes),
        "train_seconds": round(trained.seconds, 3),
        "device": str(compute.device),
        "precision": compute.precision,
        "threads": torch.get_num_threads(),
        "weights_sha256": digest,
    }
    for part, name in (("validation", "val"), ("test", "test")):
        split = dataset.validation if part == "validation" else dataset.test if open_test else None
        found = None if split is None else measured(classifier, split, part, dataset.classes)
        results |= {
            f"{name}_accuracy": found and found.accuracy,
            f"{name}_interval": found and list(found.interval),
            f"{name}_loss": found and found.loss,
            f"{name}_pictures": found and found.n,
        }
        if found is not None:
            judged[part] = found
            stored |= {
                f"{part}_index": found.indices,
                f"{part}_label": found.labels,
                f"{part}_probabilities": found.probabilities,
                f"{part}_name": np.array(found.names or [""] * found.n),
            }
    as_published = published and published.record(results["test_accuracy"])
    results["open_test"] = open_test
    results["test_openings"] = (results["test_accuracy"] is not None) + (published.openings if published else 0)
    if as_published:
        results["as_published"] = as_published
    directory.write_predictions(stored)
    fault = None
    try:
        keep_pictures(directory, recipe, dataset, judged, trained.steps)
    except Exception as error:  # no reason to lose a training
        fault = reporting.one_line(error)
    directory.write_json("results.json", results)
    if fault:  # a warning may be an error, so it comes when the run is complete
        tell(f"no pictures are kept for the figures 'samples' and 'mistakes': {fault}")
    return Run(directory)


def _resolved(recipe: Recipe, dataset: Dataset, compute: Compute) -> Recipe:
    """The recipe with all that was left open filled in: what training found out about its data, where it runs."""
    channels = len(dataset.mean)
    normalize = recipe.dataset.normalize
    return recipe.model_copy(
        update={
            "dataset": recipe.dataset.model_copy(update={"name": _lasting_name(recipe)}),
            "train": recipe.train.model_copy(update={"device": str(compute.device), "precision": compute.precision}),
            "resolved": Resolved(
                classes=dataset.classes,
                image_shape=dataset.image_shape,
                mean=dataset.mean if normalize else (0.0,) * channels,
                std=dataset.std if normalize else (1.0,) * channels,
                brightness=brightness_range(dataset.train.images),
                data_checksum=dataset.checksum,
                neocog=neocog.__version__,
            ),
        }
    )


def _lasting_name(recipe: Recipe) -> str:
    """The data's name in the recipe that a run keeps; a recipe file may name a folder relative to where one stands."""
    return recipe.dataset.name if recipe.dataset.name == "arrays" else data_name(recipe.dataset.name)
