"""The classifier: the only way a picture becomes an answer, from the command line or from Python.

decode -> prepare (size, colour) -> normalise -> network -> probabilities
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor, nn

from neocog.data.batches import Normalization
from neocog.data.decode import Preprocess
from neocog.data.walking import pictures_in
from neocog.device import Compute
from neocog.errors import DataError, RunError
from neocog.evaluation import softened
from neocog.inference import logits_of
from neocog.recipe import Recipe

_AT_ONCE = 256  # decoded pictures held at a time

Decodable = str | Path | bytes | Image.Image | NDArray[np.uint8]
Picture = str | Path | bytes | Image.Image | NDArray[Any] | Tensor


@dataclass(frozen=True)
class Classifier:
    """A trained network together with everything that turns a picture into its input and its output into a name."""

    model: nn.Module
    classes: tuple[str, ...]
    preprocess: Preprocess
    normalization: Normalization
    brightness: tuple[float, float] = (0.0, 1.0)  # of the pictures it was trained on
    temperature: float = 1.0  # that its probabilities are softened with

    @classmethod
    def make(
        cls,
        model: nn.Module,
        recipe: Recipe,
        weights: dict[str, Tensor],
        compute: Compute,
        temperature: float = 1.0,
    ) -> Classifier:
        """The classifier of a finished run. Raises RunError when the weights aren't this network's."""
        assert recipe.resolved is not None
        try:
            model.load_state_dict(weights)
        except RuntimeError as error:
            first = " ".join(str(error).split("\n")[1:2]).strip() or str(error)
            raise RunError(f"the weights don't fit the network of the recipe: {first}") from None
        model.to(compute.device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        channels, height, width = recipe.resolved.image_shape
        return cls(
            model=model.eval(),
            classes=recipe.resolved.classes,
            preprocess=Preprocess(
                (height, width), channels, resize=recipe.dataset.resize, background=recipe.dataset.background
            ),
            normalization=Normalization(recipe.resolved.mean, recipe.resolved.std),
            brightness=recipe.resolved.brightness,
            temperature=temperature,
        )

    def prepare(self, pictures: Picture | Sequence[Picture]) -> Tensor:
        """The pictures as the network sees them, before normalisation: uint8 (N, H, W, C).

        A picture is a path, the bytes of a file, a PIL image, an array (H, W), (H, W, 1) or (H, W, 3), or a tensor of
        one of these shapes or (C, H, W). A batch is an array or tensor with one dimension more; where the classifier
        knows grey pictures, (N, H, W) is a batch, too, except for a tensor (3, H, W), which is one RGB picture. Pixels
        are uint8, or floats from 0 to 1.
        Raises PictureError for a picture that can't be read.
        """
        prepared = [self.preprocess(picture) for picture in self._one_by_one(pictures)]
        if not prepared:
            raise DataError("no picture was given; give at least one")
        return torch.from_numpy(np.stack(prepared))

    def predict_proba(self, pictures: Picture | Sequence[Picture]) -> NDArray[np.float32]:
        """Probabilities (N, classes), in the order of `classes`; see `prepare` for what a picture is."""
        probabilities: NDArray[np.float32] = self.probabilities(self.prepare(pictures))
        return probabilities

    def predict(self, pictures: Picture | Sequence[Picture]) -> list[str]:
        """The name of the most probable class of each picture; see `prepare` for what a picture is."""
        return [self.classes[best] for best in self.predict_proba(pictures).argmax(axis=1)]

    def ranked(
        self, pictures: Sequence[str | Path], top: int = 3, tell: Callable[[str], None] | None = None
    ) -> list[dict[str, Any]]:
        """For each picture file, and each one in a folder, the `top` classes with their probabilities, best first.

        `tell` gets a line for each folder that holds files that are no pictures; it is a warning unless given.

        Each answer is {"picture": path, "class": name, "probability": p, "top": [{"class": …, "probability": …}, …],
        "note": text or None}. The note says when a picture is unlike all that the classifier was trained on.
        """
        paths = [file for picture in pictures for file in _files(Path(picture), tell or warnings.warn)]
        answers: list[dict[str, Any]] = []
        for start in range(0, len(paths), _AT_ONCE):
            some = paths[start : start + _AT_ONCE]
            images = self.prepare(some)
            for path, image, row in zip(some, images, self.probabilities(images), strict=True):
                best = [
                    {"class": self.classes[place], "probability": float(row[place])}
                    for place in np.argsort(-row, kind="stable")[:top]
                ]
                answers.append({"picture": str(path), **best[0], "top": best, "note": self.note(image)})
        return answers

    def note(self, image: Tensor) -> str | None:
        """What is odd about a prepared picture; a dark digit on white paper given to an MNIST network, say."""
        low, high = self.brightness
        mean = float(image.float().mean()) / 255
        # Half the range again on each side: with few training pictures a new one easily lies a little outside.
        if low - (high - low) / 2 <= mean <= high + (high - low) / 2:
            return None
        word = "brighter" if mean > high else "darker"
        return (
            f"{word} (mean {mean:.2f}) than every picture it was trained on ({low:.2f} to {high:.2f}), so the answer "
            "may mean nothing; perhaps light and dark are swapped"
        )

    def _one_by_one(self, pictures: Picture | Sequence[Picture]) -> list[Decodable]:
        if isinstance(pictures, str | Path | bytes | Image.Image):
            return [pictures]
        if isinstance(pictures, np.ndarray | Tensor):
            batch = pictures.ndim == 4 or (self.preprocess.channels == 1 and _many_grey(pictures))
            return [_as_pixels(picture) for picture in (pictures if batch else [pictures])]
        return [_as_pixels(item) if isinstance(item, np.ndarray | Tensor) else item for item in pictures]

    def probabilities(self, images: Tensor) -> NDArray[np.float32]:
        """Probabilities (N, classes) for pictures that are prepared already: uint8 (N, H, W, C).

        They are softmax(outputs / temperature). The most probable class is that of temperature 1, always.
        """
        logits = logits_of(self.model, images, self.normalization)
        found: NDArray[np.float32] = torch.softmax(logits.double(), dim=1).float().numpy()
        return softened(found, self.temperature, logits.numpy())


def _files(path: Path, tell: Callable[[str], None]) -> list[Path]:
    """The file itself, or the pictures of a folder."""
    try:
        if not path.is_dir():
            return [path]
    except OSError:  # a locked place: reading the file tells it
        return [path]
    found, others = pictures_in(path)
    if not found:
        raise DataError(f"folder '{path}' holds no pictures; give picture files")
    if others:
        tell(f"folder '{path}': files that are no pictures are left out ({len(others)}), such as '{others[0]}'")
    return found


def _many_grey(pictures: NDArray[Any] | Tensor) -> bool:
    """Whether this is (N, H, W), and not one picture with its channels last or, as tensors have them, first."""
    if pictures.ndim != 3 or pictures.shape[2] <= 4:
        return False
    return not (isinstance(pictures, Tensor) and pictures.shape[0] in (1, 3))


def _as_pixels(picture: NDArray[Any] | Tensor) -> NDArray[np.uint8]:
    """One array or tensor as uint8, channels last."""
    if isinstance(picture, Tensor):
        # numpy has no bfloat16.
        picture = picture.float() if picture.dtype == torch.bfloat16 else picture
    array: NDArray[Any] = picture.detach().cpu().numpy() if isinstance(picture, Tensor) else picture
    if not array.size:
        raise DataError(f"a picture has the shape {array.shape}: it has no pixels")
    channels_first = isinstance(picture, Tensor) and array.ndim == 3 and array.shape[0] in (1, 3)
    if channels_first and array.shape[2] not in (1, 3):
        array = array.transpose(1, 2, 0)
    if array.dtype.kind == "f":
        low, high = float(array.min()), float(array.max())
        if not (low >= 0 and high <= 1):
            raise DataError(
                f"a picture of floats runs from {low:g} to {high:g}; give floats from 0 to 1, or uint8 from 0 to 255"
            )
        array = (array * 255).round().astype(np.uint8)
    return array
