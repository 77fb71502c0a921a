"""A run's network on changed pictures: how fast its answers go wrong, and which go wrong first.

Legend: N pictures, H W rows and columns, C channels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neocog.data import Progress, Split
from neocog.data.corruptions import CORRUPTIONS, Corruption
from neocog.device import choose
from neocog.errors import RunError
from neocog.evaluation import wilson_interval
from neocog.finished import Data, Run, Tell, classifier_of, opened, part_named, warn, what_to_measure
from neocog.insight.naming import chosen_names
from neocog.networks import Model
from neocog.predict import Classifier
from neocog.randomness import torch_stream
from neocog.statistics.stress import Broken, StressCurve, StressTest

SHOWN = 6  # pictures of each change that are kept
_SEED = 0  # of what is drawn: two runs on the same pictures get the same changes
_VALUES_AT_ONCE = 2**22  # of pictures that are changed at a time; the drawn noise of a picture depends on it


def stress(
    run: str | Path | Run,
    *,
    split: str = "val",
    only: str | Sequence[str] | None = None,
    data: Data | None = None,
    model: Model | None = None,
    device: str | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> StressTest:
    """Measures a finished run on pictures that are shifted, turned, scaled, noisy, blurred, pale or inverted.

    Pictures are changed as they were prepared, uint8, at graded strengths; what is drawn, such as the direction of a
    shift, is the same for each strength and each call. What moves in from outside repeats the border. All changes
    together classify each picture about 40 times, once for each strength.

    Args:
        split: the part, "val" or "test"; choices may be made from the first, and the second is noted as an opening.
        only: names of changes, in a list such as ["shift", "noise"] or a text with commas; all of them unless given.
        data: arrays that the run was trained on, which only you have, or other data with the same classes.
        progress: called with (what, done, total); `tell` with each remark about the data, else they are warnings.

    Raises a NeocogError for an unknown name or part, or data that can't be opened.
    Source: Hendrycks & Dietterich 2019, for the graded strengths; the changes and their strengths are our own.
    """
    chosen = [CORRUPTIONS[name] for name in chosen_names(only, CORRUPTIONS, "change")]
    asked = part_named(split)
    found = opened(run)
    classifier = classifier_of(found.directory, model, choose(device or "auto", "float32"))
    dataset, pictures, part = what_to_measure(
        found.directory.read_recipe(), data, asked, classifier.classes, found.directory, progress
    )
    for note in dataset.notes:
        (tell or warn)(note)
    place = torch.tensor([classifier.classes.index(name) for name in dataset.classes])
    labels_N = place[pictures.labels].numpy()
    unchanged, trials = _tried(classifier, pictures, labels_N, chosen, progress)
    low, high = wilson_interval(unchanged, len(pictures))
    record = {"split": part, "data": dataset.source.origin, "checksum": dataset.checksum, "n": len(pictures)}
    try:
        found.directory.append_evaluation(
            {**record, "accuracy": unchanged / len(pictures), "interval": [low, high], "what": "stress"}
        )
    except RunError as error:  # a run that can only be read can still be measured
        (tell or warn)(str(error))
    return StressTest(
        run=str(found.path),
        part=part,
        n=len(pictures),
        accuracy=unchanged / len(pictures),
        curves=tuple(trial.curve(unchanged, len(pictures), len(classifier.classes)) for trial in trials),
        first=tuple(broken for trial in trials for broken in trial.broken(pictures, labels_N, classifier.classes)),
        conditions={
            "data": dataset.name,
            "size": list(pictures.images.shape[1:3]),
            "classes": len(classifier.classes),
            "device": str(next(classifier.model.parameters()).device),
            "seed": _SEED,
        },
    )


@dataclass(frozen=True)
class _Block:
    """Pictures that are changed together."""

    number: int
    images: Tensor  # uint8 (N, H, W, C)
    labels_N: NDArray[np.int64]
    start: int  # the place of the first one
    right_N: NDArray[np.bool_]  # which are right when nothing is changed


@dataclass(frozen=True)
class _Flip:
    """A picture that was right until now."""

    step: int  # which strength
    sure: float  # the probability of the wrong answer
    row: int
    answer: int
    picture: NDArray[np.uint8]


@dataclass
class _Trial:
    """One change at all its strengths, counted while blocks of pictures go by."""

    corruption: Corruption
    strengths: tuple[float, ...]
    correct: list[int]
    first: list[_Flip] = field(default_factory=list)

    def add(self, classifier: Classifier, block: _Block, step: int, standing_N: NDArray[np.bool_]) -> None:
        """Counts one block at one strength; of `standing_N`, only those stay that are right."""
        stream = torch_stream(_SEED, f"stress {self.corruption.name}", block.number)
        changed = self.corruption.change(block.images, self.strengths[step], stream)
        answers_N, sure_N = _answers(classifier, changed)
        right_N = answers_N == block.labels_N
        self.correct[step] += int(right_N.sum())
        flipped = np.flatnonzero(standing_N & ~right_N)
        standing_N &= right_N
        surest = flipped[np.argsort(-sure_N[flipped], kind="stable")[:SHOWN]]
        found = [
            _Flip(
                step, float(sure_N[row]), block.start + int(row), int(answers_N[row]), changed[row].cpu().numpy().copy()
            )
            for row in surest
        ]
        self.first = sorted([*self.first, *found], key=lambda flip: (flip.step, -flip.sure, flip.row))[:SHOWN]

    def curve(self, unchanged: int, n: int, classes: int) -> StressCurve:
        return StressCurve(
            name=self.corruption.name,
            unit=self.corruption.unit,
            strengths=(self.corruption.unchanged, *self.strengths),
            correct=(unchanged, *self.correct),
            n=n,
            guess=1 / classes,
            about=self.corruption.about,
        )

    def broken(self, pictures: Split, labels_N: NDArray[np.int64], classes: Sequence[str]) -> list[Broken]:
        numbers = pictures.numbers
        return [
            Broken(
                index=int(numbers[flip.row]),
                name=str(pictures.names[flip.row]),
                true=classes[labels_N[flip.row]],
                answer=classes[flip.answer],
                corruption=self.corruption.name,
                strength=self.strengths[flip.step],
                picture=flip.picture,
                probability=flip.sure,
                original=_copy(pictures.images[flip.row]),
            )
            for flip in self.first
        ]


def _tried(
    classifier: Classifier,
    pictures: Split,
    labels_N: NDArray[np.int64],
    chosen: Sequence[Corruption],
    progress: Progress | None,
) -> tuple[int, list[_Trial]]:
    """How many are right unchanged, and every change at every strength; a block of pictures at a time."""
    side = min(pictures.images.shape[1:3])
    trials = [_Trial(each, each.strengths(side), [0] * len(each.strengths(side))) for each in chosen]
    device = next(classifier.model.parameters()).device
    total, done, unchanged = len(pictures) * sum(len(trial.strengths) for trial in trials), 0, 0
    at_once = max(1, _VALUES_AT_ONCE // pictures.images[0].numel())
    for number, start in enumerate(range(0, len(pictures), at_once)):
        images = pictures.images[start : start + at_once].to(device)
        labels = labels_N[start : start + at_once]
        block = _Block(number, images, labels, start, _answers(classifier, images)[0] == labels)
        unchanged += int(block.right_N.sum())
        for trial in trials:
            standing_N = block.right_N.copy()
            for step in range(len(trial.strengths)):
                trial.add(classifier, block, step, standing_N)
                done += len(images)
                if progress:
                    progress("changing pictures", done, total)
    return unchanged, trials


def _answers(classifier: Classifier, images: Tensor) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """(N,) the class of each picture, and (N,) its probability."""
    probabilities_NC = classifier.probabilities(images)
    return probabilities_NC.argmax(axis=1), probabilities_NC.max(axis=1)


def _copy(picture_HWC: Tensor) -> NDArray[np.uint8]:
    """By itself, so that it doesn't hold the block it came from."""
    found: NDArray[np.uint8] = picture_HWC.cpu().numpy().copy()
    return found
