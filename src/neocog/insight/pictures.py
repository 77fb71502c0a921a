"""The few pictures of a run that figures show, kept so that they can be drawn again without the data.

Legend: N pictures, H W rows and columns, C channels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from neocog.data import Dataset
from neocog.data.augment import Augmentation
from neocog.data.batches import Batches, Normalization
from neocog.errors import RunError
from neocog.evaluation import Evaluation, Mistake
from neocog.finished import Run
from neocog.recipe import Recipe
from neocog.run import RunDirectory

WORST = 25  # mistakes of each measured part
LONGEST = 112  # rows or columns; no figure shows more dots
SAMPLES = 40  # training pictures; half as many where each is kept unchanged, too
_FILE = "pictures.npz"
_ACROSS = 10  # classes, as plots.samples has them side by side
_REPEATED = 256  # pictures of the first steps that are augmented once more, to find samples of all classes
_MEAN = Image.Resampling.BOX

Pictures = NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class KeptPictures:
    """What `keep_pictures` has written.

    `samples` are training pictures as the network sees them, after augmentation, but for the normalisation; `unchanged`
    are the same before it, None where nothing is augmented. `mistakes` has for each measured part the pictures of its
    worst mistakes, by their places in the part.
    """

    samples: Pictures  # (N, H, W, C)
    labels: tuple[str, ...]  # (N,)
    unchanged: Pictures | None
    mistakes: Mapping[str, Mapping[int, Pictures]]

    @classmethod
    def read(cls, run: Run) -> KeptPictures | None:
        """The pictures of a run; None where an older neocog trained it. Raises RunError for a damaged file."""
        if not (run.path / _FILE).exists():
            return None
        found = run.directory.read_arrays(_FILE)
        try:
            return cls(
                samples=found["samples"],
                labels=tuple(found["sample_classes"].tolist()),
                unchanged=found.get("unchanged"),
                mistakes={
                    part: dict(zip(found[f"{part}_index"].tolist(), found[f"{part}_pictures"], strict=True))
                    for part in ("validation", "test")
                    if f"{part}_index" in found
                },
            )
        except KeyError as error:
            raise RunError(f"'{run.path / _FILE}' has lost its {error}; train again") from None
        except (TypeError, ValueError) as error:  # shapes that no training writes
            raise RunError(f"'{run.path / _FILE}' can't be read: {error}; train again") from None

    def worst(self, evaluation: Evaluation, k: int = WORST) -> list[tuple[Mistake, Pictures]]:
        """The worst mistakes of a part with their pictures, worst first."""
        kept = self.mistakes.get(evaluation.split, {})
        # All mistakes in today's order: a temperature fitted since may have changed it.
        return [(each, kept[each.index]) for each in evaluation.worst_mistakes(evaluation.n) if each.index in kept][:k]


def keep_pictures(
    directory: RunDirectory, recipe: Recipe, dataset: Dataset, measured: Mapping[str, Evaluation], steps: int
) -> None:
    """Writes pictures.npz: samples of the training as the network sees them, and the worst mistakes of each part.

    They are uint8 (N, H, W, C), at most 40 samples and 25 mistakes of each part, made smaller where they have more
    than 112 rows or columns: never more than 4 MB, however large the data. Only these are read from the data.

    Args:
        directory: of the run.
        recipe: as it was run.
        dataset: what it was trained on.
        measured: the predictions for each measured part, in the order of its pictures.
        steps: of the training.
    """
    samples, unchanged, labels = _samples(recipe, dataset, steps)
    arrays: dict[str, NDArray[Any]] = {
        "samples": _small(samples),
        "sample_classes": np.array([dataset.classes[label] for label in labels.tolist()]),
    }
    if unchanged is not None:
        arrays["unchanged"] = _small(unchanged)
    for part, evaluation in measured.items():
        split = dataset.validation if part == "validation" else dataset.test
        assert split is not None
        # Pictures lie in the order of the predictions; `indices` are their places in the data.
        place = {int(index): row for row, index in enumerate(evaluation.indices)}
        indices = [mistake.index for mistake in evaluation.worst_mistakes(WORST)]
        arrays[f"{part}_index"] = np.array(indices, dtype=np.int64)
        arrays[f"{part}_pictures"] = _small(split.images[[place[index] for index in indices]])
    directory.write_arrays(_FILE, arrays)


def _samples(recipe: Recipe, dataset: Dataset, steps: int) -> tuple[Tensor, Tensor | None, Tensor]:
    """Pictures of the first steps as they come into the network, the same unchanged if that differs, and labels."""
    assert recipe.resolved is not None
    augmentation = Augmentation(**recipe.dataset.augment.model_dump())
    normalization = Normalization(recipe.resolved.mean, recipe.resolved.std)
    training = dataset.train
    batches = Batches(
        images=training.images,
        labels=training.labels,
        batch_size=recipe.loader.batch_size,
        seed=recipe.train.seed,
        normalization=normalization,
        augmentation=augmentation,
        shuffle=recipe.loader.shuffle,
    )
    order = batches.order(0)
    if not augmentation:
        seen = order[: max(1, steps) * batches.batch_size]
        chosen = seen[_chosen(training.labels[seen], len(dataset.classes), SAMPLES)]
        return training.images[chosen], None, training.labels[chosen]
    steps = max(1, min(steps, -(-_REPEATED // batches.batch_size), batches.per_epoch))
    # The last batch of an epoch takes a picture that would be left over.
    seen = order if steps == batches.per_epoch else order[: steps * batches.batch_size]
    wanted = _chosen(training.labels[seen], len(dataset.classes), SAMPLES // 2)
    found: dict[int, Tensor] = {}
    begin = 0
    for _, (x_NCHW, _labels) in zip(range(steps), batches.from_step(0), strict=False):
        of_batch = [place for place in wanted.tolist() if begin <= place < begin + len(x_NCHW)]
        found |= {place: _as_seen(x_NCHW[place - begin], normalization) for place in of_batch}
        begin += len(x_NCHW)
    chosen = seen[wanted]
    return torch.stack([found[place] for place in wanted.tolist()]), training.images[chosen], training.labels[chosen]


def _chosen(labels: Tensor, classes: int, most: int) -> Tensor:
    """Places of pictures of every class, as many of each as there is room for, ordered by class."""
    each = max(1, most // classes) if classes > _ACROSS else most // _ACROSS * (_ACROSS // classes)
    places = [torch.nonzero(labels == label)[:each, 0] for label in range(classes)]
    return torch.cat(places)[:most]


def _as_seen(x_CHW: Tensor, normalization: Normalization) -> Tensor:
    """A picture without its normalisation: uint8 (H, W, C)."""
    std, mean = (torch.tensor(each, dtype=torch.float32) for each in (normalization.std, normalization.mean))
    values = (x_CHW.permute(1, 2, 0).float() * std + mean) * 255
    return values.round().clamp(0, 255).to(torch.uint8)


def _small(images: Tensor) -> Pictures:
    """The pictures with at most so many rows and columns."""
    pictures: Pictures = images.numpy()
    height, width = pictures.shape[1:3]
    longest = max(height, width)
    if longest <= LONGEST or not len(pictures):
        return np.ascontiguousarray(pictures)
    size = max(1, round(width * LONGEST / longest)), max(1, round(height * LONGEST / longest))
    made = [
        np.asarray(Image.fromarray(picture.squeeze(-1) if picture.shape[-1] == 1 else picture).resize(size, _MEAN))
        for picture in pictures
    ]
    return np.stack(made).reshape(len(made), size[1], size[0], -1)
