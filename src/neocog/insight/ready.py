"""What stands ready before a training begins. `train` and `check_data` both go through here, and so refuse alike."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from neocog.data import Dataset, Progress, Source
from neocog.device import Compute, choose
from neocog.finished import Data, open_data
from neocog.networks import Model, build, slow_notes
from neocog.recipe import Recipe
from neocog.training import memory_notes, refuse_unfit


@dataclass(frozen=True)
class Ready:
    """Everything but the pictures: the network is made for the data's shape and classes, and the recipe fits both."""

    recipe: Recipe
    compute: Compute
    source: Source
    network: nn.Module

    def load(self, progress: Progress | None = None) -> tuple[Dataset, tuple[str, ...]]:
        """The pictures, and each remark about training on them.

        Raises a NeocogError where a picture can't be read.
        """
        dataset = self.source.load(seed=self.recipe.train.seed, progress=progress)
        return dataset, (
            *dataset.notes,
            *slow_notes(self.recipe, self.source.image_shape, len(self.source.classes)),
            *memory_notes(self.network, dataset.train, self.recipe, self.compute),
        )


def made_ready(recipe: Recipe, data: Data | None = None, model: Model | None = None) -> Ready:
    """All that can be known before a picture is read. Raises the NeocogError with which a training is refused."""
    compute = choose(recipe.train.device, recipe.train.precision)
    source = open_data(recipe, data)
    network = build(recipe, source.image_shape, len(source.classes), model)
    refuse_unfit(network, recipe, len(source.classes))
    return Ready(recipe, compute, source, network)
