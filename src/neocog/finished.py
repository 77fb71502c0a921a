"""A finished run: its figures, its classifier, and measuring it again."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neocog.data import Dataset, Progress, Source, Split, catalogue, open_source
from neocog.device import Compute, choose
from neocog.errors import DataError, RecipeError, RunError
from neocog.evaluation import Calibration, Evaluation, evaluate_predictions, softened
from neocog.networks import Model, build, refuse_foreign_code
from neocog.predict import Classifier
from neocog.recipe import Recipe
from neocog.render.runs import train_text
from neocog.results import Results
from neocog.run import RunDirectory
from neocog.untrusted import content_of, json_object

Data = str | Path | tuple[Any, Any] | list[Any]
Tell = Callable[[str], None]

_SPARE = 10_000_000  # parameters, for which there is memory anyway
_SPLITS = {"val": "validation", "validation": "validation", "test": "test"}


@dataclass(frozen=True, repr=False)
class Run:
    """A finished run: its figures, and where its files lie. `Run.open` gives one that was trained before."""

    directory: RunDirectory

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """The run in that directory. Raises RunError when it is none."""
        return cls(RunDirectory.open(path))

    @property
    def path(self) -> Path:
        """The run directory."""
        return self.directory.path

    @cached_property
    def recipe(self) -> Recipe:
        """The recipe with every value, as it was run."""
        return self.directory.read_recipe()

    @cached_property
    def results(self) -> Results:
        """The figures of results.json as the training measured them, which are also what `neocog train --json` prints.

        Its losses stay those of temperature 1; `test` and `validation` have those after `neocog.calibrate`.
        """
        found = self.directory.read_results()
        return Results({"run": str(self.path), **found}, found.path)

    @cached_property
    def metrics(self) -> dict[str, np.ndarray[Any, Any]]:
        """The learning curve: each field of a `Point` as an array (points,), NaN where nothing was measured."""
        return self.directory.read_metrics()

    @property
    def parameters(self) -> int:
        """How many numbers the network has learned."""
        return int(self.results["parameters"])

    @property
    def train_seconds(self) -> float:
        """How long the training took; reading data and measuring are not counted."""
        return float(self.results["train_seconds"])

    @cached_property
    def validation(self) -> Evaluation | None:
        """How good the network is on the part held out of the training pictures; None without one."""
        return self.stored("validation", self.temperature)

    @cached_property
    def test(self) -> Evaluation | None:
        """How good the network is on the test part; None where the data has none, or it was kept closed."""
        return self.stored("test", self.temperature)

    @cached_property
    def calibration(self) -> Calibration | None:
        """The temperature that `neocog.calibrate` has fitted, with what it changed; None before that."""
        return _calibration(self.directory)

    @property
    def temperature(self) -> float:
        """What the probabilities are softened with: 1 before `neocog.calibrate`."""
        return self.calibration.temperature if self.calibration else 1.0

    @property
    def test_openings(self) -> int:
        """How often the test part was opened: by the training itself, and by each call of `evaluate` since."""
        assert self.recipe.resolved is not None
        own = self.recipe.resolved.data_checksum
        # A run of an older neocog doesn't say; it opened the test part once, at its end.
        first = self.results.get("test_openings", self.results["test_accuracy"] is not None)
        looks = self.directory.read_evaluations()
        return int(first) + sum(
            (look.get("split", "test"), look.get("checksum", own)) == ("test", own) for look in looks
        )

    def stored(self, split: str, temperature: float) -> Evaluation | None:
        """The stored predictions of a part, softened; None where there are none. `validation` and `test` hold it."""
        assert self.recipe.resolved is not None
        stored = self.directory.read_predictions(split)
        if f"{split}_label" not in stored:
            return None
        try:
            return evaluate_predictions(
                softened(stored[f"{split}_probabilities"], temperature),
                stored[f"{split}_label"],
                self.recipe.resolved.classes,
                split,
                indices=stored[f"{split}_index"],
                names=stored[f"{split}_name"].tolist(),
                temperature=temperature,
            )
        except KeyError as error:
            raise RunError(f"'{self.path / 'predictions.npz'}' has lost its part {error}; train again") from None
        except (TypeError, ValueError, IndexError) as error:  # shapes that no training writes
            raise RunError(f"'{self.path / 'predictions.npz'}' can't be read: {error}; train again") from None

    def __str__(self) -> str:
        more = {"test_openings": self.test_openings, "calibration": self.calibration}
        return train_text(Results({**self.results, **more}, self.results.path))

    def _repr_html_(self) -> str:
        from neocog.render.html import run_html  # which takes as long to import as a run to open

        try:
            answer = str(self)
        except RunError as error:  # a notebook shows what is wrong, not where in here
            answer = f"{self!r}: {error}"
        try:
            parts = {part: found for part in ("test", "validation") if (found := getattr(self, part)) is not None}
        except RunError:  # the answer stands without the predictions
            parts = {}
        return run_html(answer, parts, self.path)

    def __repr__(self) -> str:
        return f"<Run '{self.path}'>"


def load(run: str | Path | Run, *, model: Model | None = None, device: str | None = None) -> Classifier:
    """The classifier of a finished run; `model` again when the network was a callable of your own."""
    return classifier_of(opened(run).directory, model, choose(device or "auto", "float32"))


def evaluate(
    run: str | Path | Run,
    *,
    split: str = "test",
    data: Data | None = None,
    model: Model | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Evaluation:
    """Measures a finished run again, on a part of its own data, or on other data with the same classes.

    Other data that has no parts, such as a plain folder of pictures, is measured whole. The run's own data is known
    again by its checksum, under any name, and only what was held out of it is measured; a part of it, or a changed copy
    in another place, is other data, pictures that were trained on included. Each call is noted in the run's
    evaluations.jsonl, and `Run.test_openings` counts those that opened the run's own test part. `tell` gets each
    remark, such as a file that is no picture; they are warnings unless it is given.
    """
    part = part_named(split)
    tell = tell or warn
    directory = opened(run).directory
    recipe = directory.read_recipe()
    classifier = classifier_of(directory, model, choose(device or "auto", "float32"))
    dataset, chosen, name = what_to_measure(recipe, data, part, classifier.classes, directory, progress)
    for note in dataset.notes:
        tell(note)
    if name != part:
        tell(f"data '{name}' has no parts, so all of its {len(chosen):,} pictures are measured")
    evaluation = measured(classifier, chosen, name, dataset.classes)
    low, high = evaluation.interval
    record = {"split": name, "data": dataset.source.origin, "checksum": dataset.checksum, "n": evaluation.n}
    try:
        directory.append_evaluation(
            {**record, "accuracy": evaluation.accuracy, "interval": [low, high], "loss": evaluation.loss}
        )
    except RunError as error:  # a run that can only be read can still be measured
        tell(str(error))
    return evaluation


def opened(run: str | Path | Run) -> Run:
    """The run itself, or the one in that directory. Raises RunError when it is none."""
    return run if isinstance(run, Run) else Run.open(run)


def part_named(split: str) -> str:
    """The part that is called so. Raises RecipeError when none is.

    >>> part_named("val")
    'validation'
    """
    if split not in _SPLITS:
        raise RecipeError(f"split '{split}': give val or test")
    return _SPLITS[split]


def open_data(recipe: Recipe, data: Data | None = None) -> Source:
    """The recipe's data, or (images, labels) given in its place, prepared as step 1 of the recipe says."""
    step = recipe.dataset
    arrays = isinstance(data, tuple | list)
    if step.name == "arrays" and not arrays:
        raise RecipeError("this recipe was made for arrays in memory; give them again as data=(images, labels)")
    return open_source(
        tuple(data) if isinstance(data, tuple | list) else step.name,
        image_size=step.image_size,
        color=step.color,
        resize=step.resize,
        background=step.background,
        validation=step.validation,
        test=step.test,
    )


def warn(text: str) -> None:
    """A remark as a Python warning, shown at the line that called `train` or `evaluate`."""
    warnings.warn(text, stacklevel=3)


def name_given(data: Data) -> str:
    """What stands for some data in a recipe, in the user's own words wherever they can't be mistaken."""
    if isinstance(data, tuple | list):
        return "arrays"
    if not isinstance(data, str | Path):
        raise DataError(
            f"data is a {type(data).__name__}, but a name, a folder, or the pair (images, labels) is needed"
        )
    # A Path is always a folder, and arrays in memory have no name that a folder might have, too.
    mistakable = str(data) == "arrays" or (isinstance(data, Path) and str(data) in catalogue)
    return str(Path(data).absolute()) if mistakable else str(data)


def data_name(data: Data) -> str:
    """As `name_given`, but a folder by its whole path, so that it is found from anywhere."""
    if not isinstance(data, str | Path) or data in catalogue:
        return name_given(data)
    try:
        folder = Path(data).expanduser()
        return str(folder.resolve() if folder.is_dir() else data)
    except (OSError, RuntimeError):  # a locked place, a user that doesn't exist: `open_source` tells it
        return str(data)


def measured(classifier: Classifier, split: Split, name: str, classes: tuple[str, ...]) -> Evaluation:
    """The classifier's answers for prepared pictures, whose labels count in `classes`."""
    place = torch.tensor([classifier.classes.index(each) for each in classes])
    return evaluate_predictions(
        classifier.probabilities(split.images),
        place[split.labels].numpy(),
        classifier.classes,
        name,
        indices=split.numbers,
        names=list(split.names),
        temperature=classifier.temperature,
    )


def classifier_of(
    directory: RunDirectory, model: Model | None, compute: Compute, *, as_written: bool = False
) -> Classifier:
    """The classifier whose recipe and weights lie in a run directory; see `networks.build` for `as_written`."""
    recipe = directory.read_recipe()
    assert recipe.resolved is not None
    refuse_foreign_code(recipe, model)
    if model is not None and recipe.model.factory is None:
        raise RecipeError("this run's network is a layer text, which it knows itself; leave --model out")
    shape, classes = recipe.resolved.image_shape, len(recipe.resolved.classes)
    weights = directory.read_weights()
    if recipe.layers is not None:
        # Asked before memory is taken for a network that a strange recipe may have made of any size.
        wanted = sum(row.parameters for row in recipe.layers.table(shape, classes))
        stored = sum(value.numel() for value in weights.values())
        if wanted > stored + _SPARE:
            raise RunError(
                f"the weights don't fit the network of the recipe: it has {wanted:,} parameters, "
                f"and '{directory.path / 'weights.safetensors'}' holds {stored:,} numbers; train again"
            )
    network = build(recipe, shape, classes, model, as_written=as_written)
    found = _calibration(directory)
    return Classifier.make(network, recipe, weights, compute, found.temperature if found else 1.0)


def _calibration(directory: RunDirectory) -> Calibration | None:
    path = directory.path / "calibration.json"
    mend = f"`neocog calibrate {shlex.quote(str(directory.path))}` fits it anew"
    try:
        return Calibration.from_dict(json_object(content_of(path)))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise RunError(f"'{path}' can't be read: {error.strerror}; {mend}") from None
    except ValueError as error:
        raise RunError(f"'{path}' can't be read: {error}; {mend}") from None


def own_data(recipe: Recipe, data: Data | None = None) -> Recipe:
    """The recipe of a finished run with its pictures' size and colour written out, and `data` as its data."""
    assert recipe.resolved is not None
    channels, height, width = recipe.resolved.image_shape
    return recipe.changed(
        {"dataset.image_size": [height, width], "dataset.color": "grey" if channels == 1 else "rgb"}
        | ({} if data is None else {"dataset.name": data_name(data)})
    )


def what_to_measure(
    recipe: Recipe,
    data: Data | None,
    part: str,
    classes: tuple[str, ...],
    directory: RunDirectory,
    progress: Progress | None,
) -> tuple[Dataset, Split, str]:
    """The data, the pictures of it, and what to call them; `classes` are those that the run's network knows."""
    assert recipe.resolved is not None
    own = own_data(recipe, data)

    def loaded(carve: dict[str, Any]) -> Dataset:
        source = open_data(own.changed(carve), data)
        _refuse_new_classes(source, classes, directory)
        return source.load(seed=recipe.train.seed, progress=progress)

    whole = False
    if data is None:
        dataset = loaded({})
    else:
        # The checksum, which doesn't depend on what is held out, tells whether these are the pictures trained on.
        whole = set(open_data(own, data).counts) == {"train"}
        dataset = loaded({"dataset.validation": 0, "dataset.test": 0 if whole else "auto"})
        if dataset.checksum == recipe.resolved.data_checksum:
            whole = False
            dataset = loaded({})
    if dataset.checksum != recipe.resolved.data_checksum and own.dataset.name == recipe.dataset.name != "arrays":
        raise RunError(
            f"data '{dataset.name}' has changed since this run, so what was held out can't be told from what was "
            "trained on; measure on pictures of their own with --data"
        )
    if whole:
        return dataset, dataset.train, dataset.name
    chosen = dataset.validation if part == "validation" else dataset.test
    if chosen is None:
        raise RunError(f"data '{dataset.name}' has no {part} part; choose another --split")
    return dataset, chosen, part


def _refuse_new_classes(source: Source, classes: tuple[str, ...], directory: RunDirectory) -> None:
    new = sorted({*source.classes} - {*classes})
    if new:
        raise RunError(
            f"data '{source.name}' has classes that run '{directory.path}' doesn't know: {', '.join(new)}; "
            f"it knows {', '.join(classes)}"
        )
