"""What a run was trained under, made ready once more, and what of it is no longer so."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from neocog.data import Dataset, Progress, catalogue
from neocog.data.batches import Normalization
from neocog.data.dataset import PARTS
from neocog.device import Compute, choose, environment
from neocog.errors import RecipeError, RunError
from neocog.finished import Data, Tell, data_name, open_data
from neocog.networks import Model, build, code_name, refuse_foreign_code
from neocog.recipe import Recipe
from neocog.run import RunDirectory
from neocog.workflow import facts_of, pictures_of

# What the last bits may depend on besides the recipe and the threads.
_BITS = ("neocog", "torch", "cpu", "gpu", "numpy")
_MOST_THREADS = 4096
_SHOWN = 3  # pictures named in a line


@dataclass(frozen=True)
class Restored:
    """Everything that a run's training needs to take place once more, and what is no longer as it was."""

    recipe: Recipe
    dataset: Dataset
    network: nn.Module
    compute: Compute
    was: Mapping[str, Any]
    changes: Sequence[str]

    @property
    def normalization(self) -> Normalization:
        assert self.recipe.resolved is not None
        return Normalization(self.recipe.resolved.mean, self.recipe.resolved.std)


@contextmanager
def restored(
    directory: RunDirectory,
    facts: Sequence[Mapping[str, Any]],
    data: Data | None,
    model: Model | None,
    progress: Progress | None,
    tell: Tell,
    again: str,
) -> Iterator[Restored]:
    """Makes a run's training ready, with its own threads; `facts` are those of the checkpoints that it begins from or
    is compared with, and `again` is the command that is under way."""
    recipe = directory.read_recipe()
    assert recipe.resolved is not None
    refuse_foreign_code(recipe, model)
    if model is not None and recipe.model.factory is None:
        raise RecipeError("this run's network is a layer text, which it knows itself; leave --model out")
    was = _conditions(directory)
    compute = choose(was["device"], was["precision"])
    with _threads(was["threads"]):
        now = environment()
        for name in _BITS:
            if was.get(name) != now.get(name):
                tell(
                    f"{name} is {now.get(name)} and was {was.get(name)}: the last bits may differ from those of one "
                    "training"
                )
        if data is None and _is_gone(recipe.dataset.name):
            raise RunError(
                f"the pictures of run '{directory.path}' are no longer at '{recipe.dataset.name}'; say where they are "
                f"with: {again} --data FOLDER"
            )
        elsewhere = {"dataset.name": data_name(data)} if isinstance(data, str | Path) else {}
        source = open_data(recipe.changed(elsewhere), data)
        network = build(recipe, source.image_shape, len(source.classes), model)
        dataset = source.load(seed=recipe.train.seed, progress=progress)
        own = facts_of(recipe, network)
        changes = list(dict.fromkeys(line for each in facts for line in _changes(each, own)))
        if model is not None and code_name(model) != recipe.model.factory:
            changes.append(f"the network is {code_name(model)} and was {recipe.model.factory}")
        if dataset.checksum != recipe.resolved.data_checksum:
            known = _what_changed(directory, was, dataset)
            changes.append(f"data '{dataset.name}' has other pictures or labels{known}")
        yield Restored(recipe, dataset, network, compute, was, changes)


def _is_gone(name: str) -> bool:
    """Whether that is a folder of pictures that is no longer there."""
    if name == "arrays" or name in catalogue:
        return False
    try:
        return not Path(name).expanduser().exists()
    except (OSError, RuntimeError):  # `open_data` tells it
        return False


def _what_changed(directory: RunDirectory, was: Mapping[str, Any], dataset: Dataset) -> str:
    """All that the run has kept of its pictures: how many there were, and the names of those that it held out."""
    found = []
    now, before = pictures_of(dataset), was.get("pictures")
    if isinstance(before, Mapping) and before.keys() == now.keys():
        other = [f"{now[part]} in {part} and {before.get(part)} before" for part in now if now[part] != before[part]]
        found.append(", ".join(other) or "as many as before")
    try:
        held_out = directory.read_json("split.json")
    except RunError:
        held_out = {}
    splits = [split for split in (dataset.train, dataset.validation) if split is not None]
    there = {name for split in splits for name in split.names} | set(dataset.carved.get("test", ()))
    names = [name for part in PARTS for name in _list(held_out.get(part)) if isinstance(name, str)]
    gone = [name for name in names if name not in there]
    if gone:
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        found.append(f"gone: {', '.join(repr(name) for name in gone[:_SHOWN])}{more}")
    return f" ({'; '.join(found)})" if found else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _conditions(directory: RunDirectory) -> dict[str, Any]:
    """What the run has noted of its machine. Raises RunError where that is not what a training writes."""
    was = directory.read_json("environment.json")
    for name, kind in (("device", str), ("precision", str), ("threads", int)):
        if not isinstance(was.get(name), kind) or not was[name]:
            raise RunError(f"'{directory.path / 'environment.json'}' has lost its {name}; train again")
    if not 1 <= was["threads"] <= _MOST_THREADS:  # torch would crash
        raise RunError(f"'{directory.path / 'environment.json'}' has {was['threads']} threads; train again")
    return was


def _changes(was: Mapping[str, Any], now: Mapping[str, Any], under: str = "") -> list[str]:
    """What differs, one line each."""
    lines = []
    for key in sorted({*was, *now}):
        before, after = was.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += _changes(before, after, f"{under}{key}.")
        elif before != after:
            lines.append(f"{under.removeprefix('recipe.')}{key} is {_shown(after)} and was {_shown(before)}")
    return lines


def _shown(value: Any) -> str:
    return "not there" if value is None else " | ".join(str(value).splitlines())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
