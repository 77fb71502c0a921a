"""What is done before many trainings start: data opened once, each network tried, and where each run belongs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

import neocog
from neocog.data import Progress, Source
from neocog.data.arrays import checked, numpy_of
from neocog.device import choose
from neocog.finished import Tell, name_given, open_data
from neocog.networks import Model, build, model_changes, refuse_foreign_code, slow_notes
from neocog.randomness import torch_stream
from neocog.recipe import Recipe
from neocog.studies.jobs import Job
from neocog.studies.store import place_of
from neocog.training import refuse_unfit

Arrays = tuple[Any, Any] | list[Any]  # pictures and labels, as the user gave them

_TRIED = 4  # pictures that tell one network of the user's own from another


@dataclass(frozen=True, eq=False)
class Order:
    """A job made ready: its whole recipe, where its run belongs, and on what it is trained."""

    job: Job
    recipe: Recipe
    model: Model | None  # code, as the user named it
    arrays: Arrays | None
    place: Path
    device: str
    threads: int
    travels: bool  # whether another process can train it: a callable and labels that are objects live in this one


class _Data:
    """Data that some recipes only train on in different ways: opened once, and read once."""

    def __init__(self, recipe: Recipe, arrays: Arrays | None, progress: Progress | None) -> None:
        self.arrays = arrays
        self._recipe, self._progress = recipe, progress

    @cached_property
    def source(self) -> Source:
        """What is known before a picture is decoded."""
        return open_data(self._recipe, self.arrays)

    @cached_property
    def read(self) -> tuple[str, tuple[str, ...]]:
        """The checksum and the notes; the pictures themselves are let go of."""
        dataset = self.source.load(seed=self._recipe.train.seed, progress=self._progress)
        return dataset.checksum, dataset.notes


@dataclass(frozen=True)
class _Looked:
    """What is the same for all seeds of a recipe."""

    facts: dict[str, Any]
    device: str
    threads: int
    travels: bool


def prepare(jobs: Sequence[Job], store: Path, progress: Progress | None, tell: Tell) -> list[Order]:
    """The orders of all jobs, in their order.

    Each distinct data set is read and each distinct network built once, so that what can't be trained is refused before
    anything is trained, and decoded pictures lie in the cache for every process. Raises a NeocogError.
    """
    read: dict[tuple[str, int], _Data] = {}
    looked: dict[tuple[Any, ...], _Looked] = {}
    told: set[str] = set()

    def tell_once(note: str) -> None:
        if note not in told:
            told.add(note)
            tell(note)

    orders = []
    for job in jobs:
        recipe, model, arrays = _whole(job)
        table = _deciding(recipe)
        alike = json.dumps(table), id(model), id(job.data)
        if alike not in looked:
            key = recipe.dataset.model_dump_json(exclude={"augment", "normalize"}), id(arrays)
            data = read.setdefault(key, _Data(recipe, arrays, progress))
            looked[alike] = _look(recipe, model, data, table, tell_once)
        found = looked[alike]
        place = place_of(store, recipe.name, {**found.facts, "open_test": job.open_test}, job.seed)
        orders.append(Order(job, recipe, model, arrays, place, found.device, found.threads, found.travels))
    return orders


def _look(recipe: Recipe, model: Model | None, data: _Data, table: dict[str, Any], tell: Tell) -> _Looked:
    """Tries what a recipe builds, then reads its data; `table` is what decides its numbers."""
    compute = choose(recipe.train.device, recipe.train.precision)
    shape, classes = data.source.image_shape, len(data.source.classes)
    first = recipe.changed({"train.seed": 0})  # so that a network of code is known again under every seed
    network = build(first, shape, classes, model)
    refuse_unfit(network, recipe, classes)
    checksum, notes = data.read
    for note in (*notes, *slow_notes(recipe, shape, classes)):
        tell(note)
    threads = 1 if compute.device.type == "cpu" else torch.get_num_threads()
    # Another process has a __main__ of its own.
    by_name = model is None or (isinstance(model, str) and not model.startswith("__main__:"))
    facts = {
        "recipe": {
            **table,
            "dataset": {**table["dataset"], "name": data.source.name},
            "train": {**table["train"], "device": str(compute.device), "precision": compute.precision},
        },
        "data": checksum,
        "code": None if model is None else _behaviour(network, shape),
        "threads": threads,
        "processor": _processor(compute.device),
        "neocog": neocog.__version__,
        "torch": torch.__version__,
    }
    travels = by_name and (data.arrays is None or portable(data.arrays) is not None)
    return _Looked(facts, compute.device.type, threads, travels)


def _processor(device: torch.device) -> str:
    """What another machine may have otherwise, and round otherwise with."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return str(torch.backends.cpu.get_cpu_capability()) if device.type == "cpu" else device.type


def portable(data: Arrays) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]] | None:
    """Pictures and labels as arrays that a file without pickles can hold; None when labels are more than that."""
    pictures, numbers, classes = checked(*data)
    labels = numpy_of(data[1], "labels", "")
    if labels.dtype.kind == "O":  # most often words, which are the same classes as an array of text
        labels = labels.astype(str)
        _, again, names = checked(pictures, labels)
        if names != classes or not np.array_equal(again, numbers):
            return None
    return pictures, labels


def _whole(job: Job) -> tuple[Recipe, Model | None, Arrays | None]:
    """The recipe with what the job's model and data change in it, the model where it is code, and arrays."""
    changes = model_changes(job.model)
    if job.data is not None:
        changes["dataset.name"] = name_given(job.data)
    recipe = job.recipe.changed(changes) if changes else job.recipe
    refuse_foreign_code(recipe, job.model)
    arrays = job.data if isinstance(job.data, tuple | list) else None
    return recipe, job.model if recipe.layers is None else None, arrays


# How a published recipe measures itself; the rest of its table is what the lesson says.
_MEASURED = ("every", "loss", "meter", "part", "dropout", "train_accuracy")


def _deciding(recipe: Recipe) -> dict[str, Any]:
    """The recipe's tables without what changes no number, its layers in normal form."""
    table = recipe.as_table()
    for key in ("name", "about", "resolved"):
        table.pop(key, None)
    del table["train"]["seed"]
    if recipe.published is not None:  # a reworded fault or a mended figure trains nothing anew
        table["published"] = {key: table["published"].get(key) for key in _MEASURED}
    if recipe.layers is not None:
        table["model"]["layers"] = recipe.layers.text()
    return table


def _behaviour(network: nn.Module, image_shape: tuple[int, int, int]) -> str:
    """A digest of what code has built: its layers, and what they give for a fixed batch, while training and after.

    Code in memory has no text to compare, and closures of one text may differ. What only the backward pass does is not
    seen.
    """
    digest = hashlib.sha256(repr(network).encode())
    x_NCHW = torch.rand(_TRIED, *image_shape, generator=torch_stream(0, "behaviour"))
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=[]):
            for training in (True, False):
                torch.manual_seed(0)
                try:
                    seen = network.train(training)(x_NCHW).double().numpy().tobytes()
                except Exception as error:  # the user's own code; a seed that is trained with it says so, too
                    seen = repr(error).encode()
                digest.update(seen)
    finally:
        torch.set_num_threads(threads)
    return digest.hexdigest()
