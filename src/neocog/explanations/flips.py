"""What would change a network's mind: the smallest shift, rotation and erased patch that turn its answer."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from torch import Tensor

from neocog.data import Progress
from neocog.data.batches import Normalization
from neocog.data.corruptions import moved, rotated
from neocog.data.decode import Preprocess
from neocog.explanations.network import Network
from neocog.predict import Classifier
from neocog.tables import percent

if TYPE_CHECKING:
    from numpy.typing import NDArray

Kind = Literal["shift", "rotation", "erased patch"]

_SIDE = 32  # pixels of the shorter side up to which each pixel is tried
_FARTHEST = 4  # a shift goes up to the shorter side divided by this
_WIDEST = 2  # a patch, likewise
_TURN, _FINER = 45, 10  # degrees, tried one by one; and parts of the last one
_AT_ONCE = 256  # changed pictures


@dataclass(frozen=True, eq=False)
class Flip:
    """The smallest change of one kind that turns the answer, or that none was found among those tried."""

    kind: Kind
    found: bool
    amount: float  # of the shift in pixels, of the rotation in degrees, of the patch's side in pixels; 0: none found
    unit: str
    detail: str  # "3 pixels down, 1 right"; empty where none was found
    answer: str  # for the changed picture; where none was found, for the picture itself
    probability: float  # of that answer
    picture: NDArray[np.uint8] | None = field(repr=False)  # as changed, (H, W, C)
    searched: str  # "shift of up to 7 pixels"
    box: tuple[int, int, int, int] | None = None  # of an erased patch: top, left, height and width

    def __str__(self) -> str:
        if not self.found:
            return f"no {self.searched} changes it"
        return f"{self.kind}, {self.detail}: {self.answer}, {percent(self.probability)}"


@dataclass(frozen=True)
class _Change:
    """One way to change the picture: down and right, degrees, or top, left and side of a patch."""

    amount: float
    values: tuple[float, ...]


Make = Callable[[Sequence[_Change]], Tensor]  # uint8 (N, H, W, C), a picture for each change


def flips(
    network: Network,
    picture_HWC: NDArray[np.uint8],
    normalization: Normalization,
    *,
    temperature: float = 1.0,
    progress: Progress | None = None,
) -> tuple[Flip, ...]:
    """The smallest shift, rotation and erased patch that turn the network's answer for a prepared picture.

    Each is searched from small to large, many pictures at a time, and the first size at which the answer turns is
    taken; of several of that size, the one with the surest new answer. A shift goes by whole pixels in all directions
    and its length is Euclidean; what it or a rotation leaves free gets the nearest pixel of the border. A rotation goes
    by whole degrees and then by tenths of the last one. A patch is a square at any place, filled with the median of
    each of the picture's channels: the background of a digit, a middling colour of a photograph. Pictures whose shorter
    side is more than 32 pixels are searched in larger steps; `searched` says which.

    Args:
        network: whose weights and modes stay as they are.
        picture_HWC: uint8, as the network sees it before normalisation.
        normalization: how it becomes the network's input.
        temperature: what the logits are divided by before they become probabilities.
        progress: called as (text, kinds done, kinds in all).

    >>> from neocog.layers import parse
    >>> layers = parse("flatten | linear classes")
    >>> network = Network.of(layers.build((1, 4, 4), 2), (1, 4, 4), ("dark", "bright"), layers)
    >>> with torch.no_grad():  # it looks at one pixel, in row 1 and column 2
    ...     _ = network.model[1].weight.zero_(), network.model[1].bias.copy_(torch.tensor([0.0, -2.0]))
    ...     network.model[1].weight[1, 6] = 5
    >>> picture = np.zeros((4, 4, 1), dtype=np.uint8)
    >>> picture[1, 2] = 255
    >>> shift, rotation, patch = flips(network, picture, Normalization((0.0,), (1.0,)))
    >>> print(patch)
    erased patch, 1×1 at row 1, column 2: dark, 88.08 %
    """
    height, width, channels = picture_HWC.shape
    prepared = Preprocess((height, width), channels)  # does nothing to this picture
    asked = Classifier(network.model, network.classes, prepared, normalization, temperature=temperature)
    search = _Search(asked, torch.from_numpy(np.array(picture_HWC)))
    found = []
    for place, look in enumerate((_shift, _rotation, _patch)):
        found.append(look(search))
        if progress is not None:
            progress("looking for what would change its mind", place + 1, 3)
    return tuple(found)


@dataclass(frozen=True)
class _Search:
    """The picture and the classifier that is asked about changes of it, as it is for a prediction."""

    classifier: Classifier
    image_HWC: Tensor

    @property
    def side(self) -> int:
        """Pixels of the shorter side."""
        return min(self.image_HWC.shape[:2])

    @property
    def step(self) -> int:
        """Pixels from one try to the next."""
        return math.ceil(self.side / _SIDE)

    def answers(self, images_NHWC: Tensor) -> tuple[list[int], list[float]]:
        """For each picture the most probable class and its probability."""
        probabilities = self.classifier.probabilities(images_NHWC)
        return probabilities.argmax(axis=1).tolist(), probabilities.max(axis=1).tolist()

    def first(self, changes: Sequence[_Change], make: Make) -> _Change | None:
        """The change with the least amount that turns the answer; of several, the one with the surest new answer.

        The changes come in order of their amounts.
        """
        (before,), _ = self.answers(self.image_HWC[None])
        for some in _pieces(changes):
            answers, sure = self.answers(make(some))
            turned = [place for place, answer in enumerate(answers) if answer != before]
            for place in sorted(turned, key=lambda place: (some[place].amount, -sure[place])):
                # Alone once more: numbers that a batch rounds otherwise may not tip the scale.
                if self.answers(make([some[place]]))[0] != [before]:
                    return some[place]
        return None

    def told(self, kind: Kind, change: _Change | None, make: Make, detail: str, searched: str) -> Flip:
        """The change, or that there is none."""
        image_1HWC = self.image_HWC[None] if change is None else make([change])
        box = None
        if kind == "erased patch" and change is not None:
            top, left, side = (int(value) for value in change.values)
            box = top, left, side, side
        (answer,), (probability,) = self.answers(image_1HWC)
        return Flip(
            kind=kind,
            found=change is not None,
            amount=0.0 if change is None else change.amount,
            unit="degrees" if kind == "rotation" else "pixels",
            detail="" if change is None else detail,
            answer=self.classifier.classes[answer],
            probability=probability,
            picture=None if change is None else image_1HWC[0].numpy(),
            searched=searched,
            box=box,
        )


def _pieces(changes: Sequence[_Change]) -> Iterator[list[_Change]]:
    """The changes in pieces of about a batch; those of one amount stay together."""
    piece: list[_Change] = []
    for _, group in groupby(changes, key=lambda change: change.amount):
        piece += group
        if len(piece) >= _AT_ONCE:
            yield piece
            piece = []
    if piece:
        yield piece


def _shift(search: _Search) -> Flip:
    farthest, step = max(1, search.side // _FARTHEST), search.step

    def make(changes: Sequence[_Change]) -> Tensor:
        down_N, right_N = torch.tensor([change.values for change in changes]).T
        return moved(_copies(search, changes), down_N, right_N)

    def around(middle: tuple[float, float], reach: int, every: int, below: float) -> list[_Change]:
        walk = range(-reach, reach + 1, every)
        places = [(middle[0] + down, middle[1] + right) for down in walk for right in walk]
        changes = [_Change(math.hypot(*place), place) for place in places]
        return sorted((change for change in changes if 0 < change.amount <= below), key=lambda change: change.amount)

    found = search.first(around((0, 0), farthest // step * step, step, farthest), make)
    searched = f"shift of up to {_pixels(farthest)}"
    if step > 1:
        searched += f", in steps of {step}{', the last one by single pixels' if found else ''}"
        if found is not None:
            nearer = around((found.values[0], found.values[1]), step - 1, 1, found.amount)
            found = search.first(nearer, make) or found
    return search.told("shift", found, make, _direction(found.values) if found else "", searched)


def _rotation(search: _Search) -> Flip:
    def make(changes: Sequence[_Change]) -> Tensor:
        return rotated(_copies(search, changes), torch.tensor([change.values[0] for change in changes]))

    def both(angles: Sequence[float], signs: Sequence[int] = (1, -1)) -> list[_Change]:
        return [_Change(angle, (sign * angle,)) for angle in angles for sign in signs]

    found = search.first(both(range(1, _TURN + 1)), make)
    if found is not None:
        finer = [found.amount - 1 + part / _FINER for part in range(1, _FINER)]
        found = search.first(both([round(angle, 6) for angle in finer]), make) or found
    detail = ""
    if found:
        detail = f"{found.amount:g}° {'counter-clockwise' if found.values[0] > 0 else 'clockwise'}"
    searched = f"rotation of up to {_TURN}° either way, in steps of 1°{', the last one in tenths' if found else ''}"
    return search.told("rotation", found, make, detail, searched)


def _patch(search: _Search) -> Flip:
    height, width, _ = search.image_HWC.shape
    widest, step = max(1, search.side // _WIDEST), search.step
    fill_C = search.image_HWC.flatten(0, 1).median(dim=0).values

    def make(changes: Sequence[_Change]) -> Tensor:
        images = _copies(search, changes).clone()
        for image_HWC, change in zip(images, changes, strict=True):
            top, left, side = (int(value) for value in change.values)
            image_HWC[top : top + side, left : left + side] = fill_C
        return images

    def of_side(side: int) -> list[_Change]:
        every = 1 if step == 1 else max(step, side // 3)
        tops, lefts = ([*range(0, size - side, every), size - side] for size in (height, width))
        return [_Change(side, (top, left, side)) for top in tops for left in lefts]

    found = None
    for side in range(step, widest + 1, step):
        found = search.first(of_side(side), make)
        if found is not None:
            break
    detail = ""
    if found:
        top, left, side = (int(value) for value in found.values)
        detail = f"{side}×{side} at row {top}, column {left}"
    searched = f"erased patch of up to {widest}×{widest} pixels, filled with the picture's median"
    if step > 1:
        searched += f", in steps of {step} pixels or more"
    return search.told("erased patch", found, make, detail, searched)


def _copies(search: _Search, changes: Sequence[_Change]) -> Tensor:
    return search.image_HWC.expand(len(changes), *search.image_HWC.shape)


def _pixels(count: int) -> str:
    return f"{count} pixel{'' if count == 1 else 's'}"


def _direction(values: Sequence[float]) -> str:
    """A shift in words: "3 pixels down, 1 right"."""
    words: list[str] = []
    for value, (more, less) in zip(values, (("down", "up"), ("right", "left")), strict=True):
        if value:
            count = int(abs(value))
            words.append(f"{count if words else _pixels(count)} {more if value > 0 else less}")
    return ", ".join(words)
