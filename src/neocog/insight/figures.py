"""The figures of a run: which there are, what each says in words, and drawing and writing them.

A new one is a function that makes it and one entry in FIGURES.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neocog import disk
from neocog.errors import NeocogError, RunError
from neocog.evaluation import Evaluation
from neocog.finished import Run, opened, warn
from neocog.insight.naming import chosen_names
from neocog.insight.pictures import KeptPictures
from neocog.layers import Layers
from neocog.layers.stack import Placed
from neocog.run import RunDirectory
from neocog.tables import percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = (".png", ".svg")
_MOST_NAMED = 12  # classes
_MOST_ROWS = 128  # of a linear layer
_UNMIXED = ("flatten", "dropout")  # words before a linear layer that leave each of its numbers a pixel


@dataclass(frozen=True)
class Drawn:
    """A figure, and one or two sentences of what it shows for those who can't see it."""

    name: str
    title: str
    figure: Figure
    says: str


@dataclass(frozen=True)
class RunFigure:
    """A figure that a run may have; `make` raises NeocogError where it can't be drawn."""

    name: str
    title: str
    make: Callable[[Run], tuple[Figure, str]]


def draw(run: Run, only: str | Sequence[str] | None = None) -> tuple[list[Drawn], list[str]]:
    """The figures of a run, in their order, and one line for each that can't be drawn.

    `only` names those that are wanted, in a list or in a text with commas. Raises NeocogError for an unknown name
    or none.
    """
    drawn, left_out = [], []
    for wanted in _wanted(only):
        try:
            figure, says = wanted.make(run)
        except NeocogError as error:
            left_out.append(f"no figure '{wanted.name}': {error}")
        else:
            drawn.append(Drawn(wanted.name, wanted.title, figure, says))
    return drawn, left_out


def plot(run: str | Path | Run, *, only: str | Sequence[str] | None = None) -> dict[str, Figure]:
    """The figures of a finished run as matplotlib figures, by name: samples, curves, confusion and so on.

    What can't be drawn, such as the mistakes of a run that made none, is left out with a warning.

    Args:
        run: a run or its directory.
        only: names of the figures that are wanted, in a list or in a text with commas.

    Raises:
        NeocogError: no run, an unknown name, or none of the figures can be drawn.
    """
    drawn, left_out = draw(opened(run), only)
    if not drawn:
        raise NeocogError("; ".join(left_out))
    for line in left_out:
        warn(line)
    return {each.name: each.figure for each in drawn}


def check_folder(run: Run, out: Path | None) -> Path:
    """The folder for figures: `out`, which must not exist, or the run's own. Good to ask before drawing.

    Raises RunError where nothing can be written.
    """
    if out is not None:
        RunDirectory.check_place(out, "--out")
        return out
    folder = run.path / "figures"
    try:
        place = folder
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
        if not os.access(place, os.W_OK | os.X_OK):
            number = errno.EROFS if disk.is_read_only(place) else errno.EACCES
            raise OSError(number, os.strerror(number))
    except OSError as error:
        raise _unwritable(folder, error) from None
    return folder


def write_figures(
    run: Run, drawn: Sequence[Drawn], out: Path | None = None, formats: Sequence[str] = FORMATS
) -> list[Path]:
    """Writes figures/NAME.png and .svg in the run, or into `out`, in the place of those that were drawn before.

    Each is there whole or not at all. Raises RunError where nothing can be written.
    """
    from neocog.plots.saving import save_figure

    folder = run.path / "figures" if out is None else out
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for each in drawn:
            for suffix in formats:
                target = folder / f"{each.name}{suffix}"
                if target.is_symlink():  # what it leads to is not ours
                    target.unlink()
                written.append(save_figure(each.figure, target, overwrite=True))
    except OSError as error:
        raise _unwritable(folder, error) from None
    return written


def _unwritable(folder: Path, error: OSError) -> RunError:
    if disk.is_full(error):
        return RunError(disk.full(folder.name, folder.parent, None, "or give --out a folder with more", error))
    return RunError(f"cannot write '{folder}': {error.strerror}; give --out a folder in a place that can be written")


def names() -> list[str]:
    """The names of all figures, in their order."""
    return [figure.name for figure in FIGURES]


def _wanted(only: str | Sequence[str] | None) -> list[RunFigure]:
    asked = chosen_names(only, names(), "figure")
    return [figure for figure in FIGURES if figure.name in asked]


def _judged(run: Run) -> Evaluation:
    """The test part if it was measured, else validation."""
    found = run.test or run.validation
    if found is None:
        raise RunError(
            f"run '{run.path}' was measured on no part of its data; train again with a validation or test part"
        )
    return found


def _kept(run: Run) -> KeptPictures:
    kept = KeptPictures.read(run)
    if kept is None:
        raise RunError("the run has no pictures.npz, which an older neocog didn't write; train again")
    return kept


def _samples(run: Run) -> tuple[Figure, str]:
    from neocog.plots.samples import plot_samples

    kept, recipe = _kept(run), run.recipe
    assert recipe.resolved is not None
    channels, height, width = recipe.resolved.image_shape
    changed = {name: value for name, value in recipe.dataset.augment.model_dump().items() if value}
    how = "augmentation: " + ", ".join(
        name if value is True else f"{name} {value:g}" for name, value in changed.items()
    )
    colours = {1: "grey", 3: "RGB"}.get(channels, f"{channels} channels")
    smaller = f", drawn at {kept.samples.shape[1]}×{kept.samples.shape[2]}" * (
        kept.samples.shape[1:3] != (height, width)
    )
    caption = (
        f"training pictures of the first steps · {height}×{width}, {colours}{smaller}, before normalisation · "
        + (how if changed else "nothing is augmented")
    )
    figure = plot_samples(
        kept.samples,
        kept.labels,
        unchanged_NHWC=kept.unchanged,
        classes=len(recipe.resolved.classes),
        caption=caption,
    )
    shown = list(dict.fromkeys(kept.labels))
    of = ", ".join(shown) if len(shown) <= _MOST_NAMED else f"{len(shown)} of {len(recipe.resolved.classes):,} classes"
    says = (
        f"{len(kept.samples)} training pictures of {height}×{width} pixels ({colours}) as the network sees them, of "
        f"{of}; {how if changed else 'nothing is augmented'}."
    )
    return figure, says


def _curves(run: Run) -> tuple[Figure, str]:
    from neocog.plots.learning import plot_learning

    metrics = run.metrics
    figure = plot_learning(metrics)  # which knows whether anything was measured
    loss, accuracy = (column[~np.isnan(column)] for column in (metrics["train_loss"], metrics["validation_accuracy"]))
    says = f"{metrics['step'][-1]:,.0f} steps"
    if loss.size:
        says += f"; the training loss goes from {loss[0]:.3g} to {loss[-1]:.3g}"
    if accuracy.size:
        says += f"; the validation accuracy ends at {percent(accuracy[-1])}, its highest is {percent(accuracy.max())}"
    return figure, f"{says}."


def _confusion(run: Run) -> tuple[Figure, str]:
    from neocog.plots.confusion import plot_confusion

    found = _judged(run)
    says = f"Of {found.n:,} {found.split} pictures {found.correct:,} are classified rightly ({percent(found.accuracy)})"
    pairs = [f"{true} taken for {said} ({count:,})" for true, said, count in found.most_confused(3)]
    return plot_confusion(found), f"{says}; most often {', '.join(pairs)}." if pairs else f"{says}."


def _classes(run: Run) -> tuple[Figure, str]:
    from neocog.plots.classes import plot_classes

    found = _judged(run)
    there = np.flatnonzero(found.support)
    order = there[np.argsort(found.recall[there], kind="stable")]
    ends = [
        f"{found.classes[place]} ({percent(found.recall[place], 1)} of {found.support[place]:,})"
        for place in (order[0], order[-1])
    ]
    says = f"Of the {found.split} pictures of each class, the fewest are found of {ends[0]}, the most of {ends[1]}."
    return plot_classes(found), says


def _reliability(run: Run) -> tuple[Figure, str]:
    from neocog.plots.reliability import plot_reliability

    found = _judged(run)
    sure = float(found.probabilities.max(axis=1).mean())
    says = (
        f"On average the network is {percent(sure)} sure of its answers for {found.n:,} {found.split} pictures, and "
        f"{percent(found.accuracy)} are right; the expected calibration error is {100 * found.ece:.2f} points."
    )
    return plot_reliability(found), says


def _kernels(run: Run) -> tuple[Figure, str]:
    from neocog.plots.charts import plural
    from neocog.plots.layer_kernels import plot_layer_kernels
    from neocog.plots.numbers import number

    weights_KCRS, title, what = first_kernels(run)
    count, channels, height, width = weights_KCRS.shape
    ends = [number(float(end), 3) for end in (weights_KCRS.min(), weights_KCRS.max())]
    says = f"The weights of {plural(count, what)} of {channels}×{height}×{width}, from {ends[0]} to {ends[1]}."
    return plot_layer_kernels(weights_KCRS, title=title, what=what), says


def _mistakes(run: Run) -> tuple[Figure, str]:
    from neocog.plots.mistakes import plot_mistakes, sure

    found, kept = _judged(run), _kept(run)
    if not found.errors:
        raise RunError(f"there is no mistake among the {found.n:,} {found.split} pictures")
    worst = kept.worst(found)
    if not worst:
        raise RunError(f"pictures.npz has no pictures of the {found.split} part; train again")
    of = f"{len(worst)} of {found.errors:,} mistakes" if len(worst) < found.errors else _counted(found.errors)
    softened = f" · probabilities at temperature {found.temperature:.3g}" if found.temperature != 1 else ""
    caption = (
        f"{of} among {found.n:,} {found.split} pictures ({100 * found.errors / found.n:.3g} %), those that gave the "
        f"true class the least probability first{softened}"
    )
    figure = plot_mistakes([picture for _, picture in worst], [mistake for mistake, _ in worst], caption=caption)
    first = worst[0][0]
    says = (
        f"{of[0].upper()}{of[1:]} among {found.n:,} {found.split} pictures. The worst: predicted {first.predicted}, "
        f"true {first.true}, {sure(first.probability)} sure."
    )
    return figure, says


def _counted(errors: int) -> str:
    return "the only mistake" if errors == 1 else f"all {errors:,} mistakes"


def first_kernels(run: Run) -> tuple[NDArray[Any], str, str]:
    """The weights (K, C, R, S) of the first convolution, or of a linear layer that reads the picture.

    With them a title, and what one of the K is called.

    Raises RunError where the network has none of them.
    """
    recipe, weights = run.recipe, run.directory.read_weights()
    assert recipe.resolved is not None
    shape = recipe.resolved.image_shape
    if recipe.layers is None:
        # Code of the user's own isn't run for a figure; a kernel for the picture's channels is one of the first layer.
        found = [name for name, each in weights.items() if each.ndim == 4 and each.shape[1] == shape[0]]
        if len(found) != 1:
            raise RunError(
                f"the network of run '{run.path}' is code of your own, and its weights don't tell which convolution is "
                "the first"
            )
        return weights[found[0]].float().numpy(), f"Kernels of '{found[0].removesuffix('.weight')}'", "kernel"
    layers: Layers = recipe.layers
    placed = _flat(layers.place(shape, len(recipe.resolved.classes)))
    for item in placed:
        if item.layer.word == "conv":
            title = f"Kernels of layer {item.number}, {item.layer.text()}"
            return weights[f"{item.name}.weight"].float().numpy(), title, "kernel"
    before = [item.layer.word for item in placed]
    for place, item in enumerate(placed):
        if item.layer.word == "linear" and set(before[:place]) <= set(_UNMIXED):
            rows = weights[f"{item.name}.weight"].float().numpy()
            some = f", the first {_MOST_ROWS} of {len(rows):,}" if len(rows) > _MOST_ROWS else ""
            title = f"Weights of layer {item.number}, {item.layer.text()}, in the shape of the picture{some}"
            return rows[:_MOST_ROWS].reshape(-1, *shape), title, "neuron"
    raise RunError(
        f"the network of run '{run.path}' has no convolution, and no linear layer that reads the picture itself, so it "
        "has no kernels to show"
    )


def _flat(placed: Sequence[Placed]) -> list[Placed]:
    return [each for item in placed for each in (_flat([*chain(*item.parts)]) if item.parts else [item])]


FIGURES: tuple[RunFigure, ...] = (
    RunFigure("samples", "What the network sees", _samples),
    RunFigure("curves", "Learning curves", _curves),
    RunFigure("confusion", "What is taken for what", _confusion),
    RunFigure("classes", "Each class", _classes),
    RunFigure("reliability", "How sure, and how often right", _reliability),
    RunFigure("kernels", "Kernels of the first layer", _kernels),
    RunFigure("mistakes", "The worst mistakes", _mistakes),
)
