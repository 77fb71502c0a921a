"""The dataset doctor: all that its owner should know about some data before training on them."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from neocog.data import Dataset, Progress, Source, catalogue
from neocog.data.dataset import mean_and_std
from neocog.data.doctor import LEVELS, DataCheck
from neocog.data.door import COLOURS, Asked, looked_at, sized
from neocog.data.findings import Finding
from neocog.data.looking import Looked, look, samples_of
from neocog.data.naming import missing_findings
from neocog.errors import DataError, NeocogError
from neocog.finished import name_given, open_data
from neocog.insight.ready import Ready, made_ready
from neocog.networks import refuse_foreign_code
from neocog.recipe import Recipe
from neocog.untrusted import shown

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def check_data(
    what: str | Path, *, recipe: str | Path | Recipe = "fast", progress: Progress | None = None
) -> DataCheck:
    """Looks at every picture of a data set or folder, and says what is wrong and whether it can be trained on.

    Nothing in the folder is changed. What training would refuse is `refusal`, in training's own words, and all that
    can still be looked at is looked at.

    Args:
        what: a name (`neocog data list`) or a folder.
        recipe: for whose training the data is checked: its layers, class weights, and how it prepares pictures.
        progress: called with (what, done, total).

    Raises:
        DataError: there is no such data.
        RecipeError: there is no such recipe, it can't be read, or its network is code.

    >>> check_data("mnst")
    Traceback (most recent call last):
    neocog.errors.DataError: 'mnst' is no data set neocog knows, and there is no such folder; did you mean 'mnist'? \
Known: mnist, fashion-mnist, kmnist, cifar10, svhn, digits
    """
    changes = {"dataset.name": name_given(what)}
    chosen = recipe.changed(changes) if isinstance(recipe, Recipe) else Recipe.load(recipe, changes)
    refuse_foreign_code(chosen, None)
    name = chosen.dataset.name
    if not _lies_there(name):
        open_data(chosen)  # tells what there is instead

    refusal: str | None = None
    ready: Ready | None = None
    source: Source | None = None
    looked: Looked | None = None
    dataset: Dataset | None = None
    remarks: tuple[str, ...] = ()
    try:
        ready = made_ready(chosen)
        source = ready.source
    except NeocogError as error:
        refusal = str(error)
        with suppress(NeocogError):  # it may not be the data that was refused
            source = open_data(chosen)
    step = chosen.dataset
    asked = Asked(sized(step.image_size), COLOURS[step.color], step.resize, step.background)
    try:
        looked = look(name, asked, source, progress)
        if ready and looked:
            # As training loads them, but with the pictures that were just looked at: none is read again.
            opened = replace(ready.source, opener=looked.opener)
            dataset, remarks = replace(ready, source=opened).load(progress)
    except NeocogError as error:
        refusal = refusal or str(error)
    return _found(chosen, source, looked, dataset, remarks, refusal)


def sheet(check: DataCheck) -> Figure | None:
    """A few pictures of each class with their names, as they are prepared for training; None where there are none."""
    from neocog.plots.samples import plot_samples

    samples = check.samples
    if samples is None:
        return None
    channels, height, width = check.image_shape or (0, 0, 0)
    colour = "grey" if channels == 1 else "RGB"
    return plot_samples(
        samples.pictures,
        samples.labels,
        names=samples.names,
        classes=len(check.classes),
        title=f"Samples of {check.name}",
        caption=f"{len(samples.labels):,} of {check.files:,} pictures, prepared as {height} × {width}, {colour}",
    )


def _lies_there(name: str) -> bool:
    """Whether there is such data."""
    try:
        return name in catalogue or looked_at(name)[1] != ""
    except DataError:  # a name that is too long, or a folder whose name is not UTF-8
        return os.path.lexists(os.path.expanduser(name))  # noqa: PTH111 (pathlib raises for an unknown user)


def _found(
    recipe: Recipe,
    source: Source | None,
    looked: Looked | None,
    dataset: Dataset | None,
    remarks: tuple[str, ...],
    refusal: str | None,
) -> DataCheck:
    """Everything in one place, as far as it could be had."""
    name = recipe.dataset.name
    counts: Mapping[str, Mapping[str, int]] = looked.counts if looked else {}
    statistics: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())
    notes = looked.notes if looked else source.notes if source else ()
    if dataset is not None:
        counts = {part: dict(zip(dataset.classes, some, strict=True)) for part, some in dataset.counts().items()}
        statistics, notes = (dataset.mean, dataset.std), remarks
    elif looked is not None and (readable := next((each for each in looked.parts.values() if len(each.labels)), None)):
        statistics = mean_and_std(readable.images)
    findings = [*(looked.findings if looked else ()), *(missing_findings(counts) if dataset is not None else ())]
    findings += [Finding("remark", "note", note) for note in notes]
    return DataCheck(
        name=source.name if source else shown(Path(name).name or name),
        origin=source.origin if source else shown(name),
        recipe=recipe.name,
        refusal=refusal,
        findings=tuple(sorted(findings, key=lambda finding: LEVELS.index(finding.level))),
        classes=looked.classes if looked else source.classes if source else (),
        counts=counts,
        image_shape=looked.image_shape if looked else source.image_shape if source else None,
        mean=statistics[0],
        std=statistics[1],
        files=looked.files if looked else 0,
        carved=dataset.carved_parts if dataset else (),
        checksum=dataset.checksum if dataset else None,
        stored=looked.stored if looked else None,
        samples=samples_of(looked.classes, looked.parts) if looked else None,
    )
