"""The main job from end to end: recipe -> data -> network -> training -> measuring -> run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

import neocog
from neocog.data import Dataset, Progress, Source, Split, open_source
from neocog.data.batches import Normalization, brightness_range
from neocog.device import Compute, choose, environment
from neocog.errors import RecipeError, RunError
from neocog.evaluation import Evaluation, evaluate_predictions
from neocog.networks import Model, build, is_factory, load_factory, model_changes, refuse_foreign_code
from neocog.predict import Classifier
from neocog.recipe import Recipe, Resolved, shipped
from neocog.run import MetricsLog, RunDirectory, TensorBoardLog, git_commit
from neocog.summary import Summary, summarize
from neocog.training import Observer, Trained, fit, refuse_unfit

Data = str | Path | tuple[Any, Any]
SPLITS = {"val": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True)
class Run:
    """A finished run: its figures, and where its files lie."""

    directory: RunDirectory

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with every value, as it was run."""
        return self.directory.read_recipe()

    @cached_property
    def results(self) -> dict[str, Any]:
        """The figures of results.json, which are also what `neocog train --json` prints."""
        return {"run": str(self.path), **self.directory.read_results()}

    @property
    def parameters(self) -> int:
        """How many numbers the network has learned."""
        return int(self.results["parameters"])

    @property
    def train_seconds(self) -> float:
        """How long the training took; reading data and measuring on the validation part are not counted."""
        return float(self.results["train_seconds"])

    @cached_property
    def validation(self) -> Evaluation | None:
        """How good the network is on the part held out of the training pictures; None without one."""
        return self._stored("validation")

    @cached_property
    def test(self) -> Evaluation | None:
        """How good the network is on the test part; None where the data has none."""
        return self._stored("test")

    def _stored(self, split: str) -> Evaluation | None:
        assert self.recipe.resolved is not None
        stored = self.directory.read_predictions()
        if f"{split}_label" not in stored:
            return None
        try:
            return evaluate_predictions(
                stored[f"{split}_probabilities"],
                stored[f"{split}_label"],
                self.recipe.resolved.classes,
                split,
                indices=stored[f"{split}_index"],
                names=stored[f"{split}_name"].tolist(),
            )
        except KeyError as error:
            raise RunError(f"'{self.path / 'predictions.npz'}' has lost its part {error}; train again") from None


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
    observers: Sequence[Observer] = (),
    progress: Progress | None = None,
    tell: Callable[[str], None] | None = None,
) -> Run:
    """Trains a classifier and measures it: on validation data, and once, at the end, on the test part.

    Args:
        recipe: the name of a shipped recipe, a TOML file, a run directory, or a `Recipe`.
        data: a name (`neocog data list`), a folder, or (images, labels) with uint8 images (N, H, W) or (N, H, W, C) and
            labels of any kind; the recipe's own data unless given.
        model: a layer text, "module:factory", or a callable (in_channels, classes) -> nn.Module, in place of the
            recipe's.
        set: other values by dotted key, such as {"optimizer.lr": 0.02}.
        run: the directory to make; by default runs/RECIPE-DATA-1, -2, …
        progress: called with (what, done, total) while data is made ready.
        tell: called with each remark about the data, such as a file that is no picture.

    Raises a NeocogError when something given can't be used; before training starts wherever that can be known.
    """
    changes = dict(set or {})
    given = {"train.seed": seed, "train.device": device, "train.precision": precision}
    changes |= {key: value for key, value in given.items() if value is not None}
    if isinstance(data, str | Path):
        changes["dataset.name"] = str(data)
    elif data is not None:
        changes["dataset.name"] = "arrays"
    changes |= model_changes(model)
    chosen = recipe.changed(changes) if isinstance(recipe, Recipe) else Recipe.load(recipe, changes)
    refuse_foreign_code(chosen, model)

    RunDirectory.refuse_taken(run)
    compute = choose(chosen.train.device, chosen.train.precision)
    source = open_data(chosen, data)
    network = build(chosen, source.image_shape, len(source.classes), model)
    refuse_unfit(network, chosen, len(source.classes))
    dataset = source.load(seed=chosen.train.seed, progress=progress)
    if tell:
        for note in dataset.notes:
            tell(note)
    chosen = _resolved(chosen, dataset)
    directory = RunDirectory.create(run, f"{chosen.name}-{source.name}")
    directory.write_recipe(chosen)
    directory.write_json("split.json", dataset.split_record())
    directory.write_json(
        "environment.json",
        {
            **environment(),
            "device": str(compute.device),
            "precision": compute.precision,
            "data": dataset.checksum,
            "git_commit": git_commit(),
        },
    )
    watchers: list[Observer] = [MetricsLog(directory), *observers]
    if tensorboard:
        watchers.append(TensorBoardLog(directory))
    assert chosen.resolved is not None
    normalization = Normalization(chosen.resolved.mean, chosen.resolved.std)
    trained = fit(network, dataset.train, chosen, normalization, compute, dataset.validation, watchers)
    directory.write_weights(network)
    return _measured(directory, chosen, dataset, compute, trained, model)


def load(run: str | Path, *, model: Model | None = None, device: str | None = None) -> Classifier:
    """The classifier of a finished run; `model` again when the network was a callable of your own."""
    return _classifier(RunDirectory.open(run), model, choose(device or "auto", "float32"))


def evaluate(
    run: str | Path,
    *,
    split: str = "test",
    data: Data | None = None,
    model: Model | None = None,
    device: str | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Measures a finished run again, on a part of its own data, or on other data with the same classes.

    Other data without that part of its own, such as a plain folder of pictures, is measured whole. Each call is noted in
    the run's evaluations.jsonl, so that one can see how often the test part was looked at.
    """
    if split not in SPLITS:
        raise RecipeError(f"split '{split}': give val or test")
    part = SPLITS[split]
    directory = RunDirectory.open(run)
    recipe = directory.read_recipe()
    classifier = _classifier(directory, model, choose(device or "auto", "float32"))
    recipe = _prepared_alike(recipe, data)
    source = open_data(recipe, data)
    whole = data is not None and part not in source.counts
    if whole:
        source = open_data(recipe.changed({"dataset.validation": 0, "dataset.test": 0}), data)
    _same_classes(source, classifier, directory)
    dataset = source.load(seed=recipe.train.seed, progress=progress)
    assert recipe.resolved is not None
    if data is None and dataset.checksum != recipe.resolved.data_checksum:
        raise RunError(
            f"data '{source.name}' has changed since this run, so what was held out can't be told from what was trained "
            "on; measure on pictures of their own with --data"
        )
    chosen = dataset.train if whole else dataset.validation if part == "validation" else dataset.test
    if chosen is None:
        raise RunError(f"data '{source.name}' has no {part} part; choose another --split")
    evaluation = _evaluate(classifier, chosen, source.name if whole else part)
    low, high = evaluation.interval
    directory.append_evaluation(
        {"split": evaluation.split, "data": source.origin, "checksum": dataset.checksum, "n": evaluation.n}
        | {"accuracy": evaluation.accuracy, "interval": [low, high], "loss": evaluation.loss}
    )
    return evaluation


def open_data(recipe: Recipe, data: Data | None = None) -> Source:
    """The recipe's data, or (images, labels) given in its place, prepared as step 1 of the recipe says."""
    step = recipe.dataset
    if step.name == "arrays" and not isinstance(data, tuple):
        raise RecipeError("this recipe was made for arrays in memory; give them again as data=(images, labels)")
    return open_source(
        data if isinstance(data, tuple) else step.name,
        image_size=step.image_size,
        color=step.color,
        resize=step.resize,
        background=step.background,
        validation=step.validation,
        test=step.test,
    )


def summary_of(what: str, *, input_shape: tuple[int, int, int] | None = None, classes: int | None = None) -> Summary:
    """The layer table of a recipe, a run, a `module:factory` or a layer text.

    Shape and number of classes come from the recipe's data unless given; for code and texts they are 1×28×28 and 10.
    """
    recipe: Recipe | None = None
    if what in shipped() or Path(what).is_dir() or what.endswith(".toml"):
        recipe = Recipe.load(what)
        if recipe.resolved is not None:
            input_shape = input_shape or recipe.resolved.image_shape
            classes = classes or len(recipe.resolved.classes)
        elif input_shape is None or classes is None:
            source = open_data(recipe)
            input_shape, classes = input_shape or source.image_shape, classes or len(source.classes)
    input_shape, classes = input_shape or (1, 28, 28), classes or 10
    factory = what if recipe is None and is_factory(what) else recipe and recipe.model.factory
    if factory:
        if recipe is not None:
            refuse_foreign_code(recipe, None)
        return summarize(load_factory(factory)(input_shape[0], classes), input_shape)
    return summarize(what if recipe is None else str(recipe.model.layers), input_shape, classes)


def describe_data(what: str, *, progress: Progress | None = None) -> dict[str, Any]:
    """What a named data set or a folder holds, everything read and checked: parts, classes, counts, remarks."""
    source = open_source(what)
    dataset = source.load(seed=0, progress=progress)
    parts = {"train": dataset.train, "validation": dataset.validation, "test": dataset.test}
    return {
        "name": source.name,
        "from": source.origin,
        "licence": source.licence,
        "citation": source.citation,
        "shape": list(source.image_shape),
        "classes": list(source.classes),
        "counts": {
            part: torch.bincount(split.labels, minlength=len(source.classes)).tolist()
            for part, split in parts.items()
            if split is not None
        },
        "carved": sorted(set(dataset.split_record()) - {"seed"}),
        "mean": list(dataset.mean),
        "std": list(dataset.std),
        "checksum": dataset.checksum,
        "notes": list(dataset.notes),
    }


def _measured(
    directory: RunDirectory, recipe: Recipe, dataset: Dataset, compute: Compute, trained: Trained, model: Model | None
) -> Run:
    """The last part of a training: predictions for each part, and the figures."""
    classifier = _classifier(directory, model if recipe.model.factory else None, compute)
    stored: dict[str, np.ndarray[Any, Any]] = {}
    results: dict[str, Any] = {
        "recipe": recipe.name,
        "data": dataset.name,
        "seed": recipe.train.seed,
        "parameters": sum(parameter.numel() for parameter in classifier.model.parameters()),
        "classes": len(dataset.classes),
        "train_pictures": len(dataset.train),
        "steps": trained.steps,
        "notes": list(dataset.notes),
        "train_seconds": round(trained.seconds, 3),
        "device": str(compute.device),
        "precision": compute.precision,
        "threads": torch.get_num_threads(),
    }
    for part, name in (("validation", "val"), ("test", "test")):
        split = dataset.validation if part == "validation" else dataset.test
        found = None if split is None else _evaluate(classifier, split, part)
        results |= {
            f"{name}_accuracy": found and found.accuracy,
            f"{name}_interval": found and list(found.interval),
            f"{name}_loss": found and found.loss,
            f"{name}_pictures": found and found.n,
        }
        if found is not None:
            stored |= {
                f"{part}_index": found.indices,
                f"{part}_label": found.labels,
                f"{part}_probabilities": found.probabilities,
                f"{part}_name": np.array(found.names or [""] * found.n),
            }
    directory.write_predictions(stored)
    directory.write_json("results.json", results)
    return Run(directory)


def _evaluate(classifier: Classifier, split: Split, part: str) -> Evaluation:
    return evaluate_predictions(
        classifier.probabilities(split.images), split.labels.numpy(), classifier.classes, part, names=list(split.names)
    )


def _classifier(directory: RunDirectory, model: Model | None, compute: Compute) -> Classifier:
    recipe = directory.read_recipe()
    if recipe.resolved is None:
        raise RunError(f"'{directory.path / 'recipe.toml'}' has lost its [resolved] table; train again")
    refuse_foreign_code(recipe, model)
    if model is not None and recipe.model.factory is None:
        raise RecipeError("this run's network is a layer text, which it knows itself; leave --model out")
    network = build(recipe, recipe.resolved.image_shape, len(recipe.resolved.classes), model)
    return Classifier.make(network, recipe, directory.read_weights(), compute)


def _resolved(recipe: Recipe, dataset: Dataset) -> Recipe:
    """The recipe with what training found out about its data."""
    channels = len(dataset.mean)
    normalize = recipe.dataset.normalize
    return recipe.model_copy(
        update={
            "resolved": Resolved(
                classes=dataset.classes,
                image_shape=dataset.image_shape,
                mean=dataset.mean if normalize else (0.0,) * channels,
                std=dataset.std if normalize else (1.0,) * channels,
                brightness=brightness_range(dataset.train.images),
                data_checksum=dataset.checksum,
                neocog=neocog.__version__,
            )
        }
    )


def _prepared_alike(recipe: Recipe, data: Data | None) -> Recipe:
    """The recipe of a run, pointed at other data if there is any, with pictures prepared exactly as the run's were."""
    assert recipe.resolved is not None
    channels, height, width = recipe.resolved.image_shape
    changes: dict[str, Any] = {
        "dataset.image_size": [height, width],
        "dataset.color": "grey" if channels == 1 else "rgb",
    }
    if data is not None:
        changes["dataset.name"] = str(data) if isinstance(data, str | Path) else "arrays"
    return recipe.changed(changes)


def _same_classes(source: Source, classifier: Classifier, directory: RunDirectory) -> None:
    if source.classes != classifier.classes:
        missing = sorted({*classifier.classes} - {*source.classes})
        extra = sorted({*source.classes} - {*classifier.classes})
        difference = "; ".join(
            f"{what}: {', '.join(names)}" for what, names in (("missing there", missing), ("new there", extra)) if names
        )
        raise RunError(f"data '{source.name}' has other classes than run '{directory.path}' ({difference})")
