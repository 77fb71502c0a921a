"""What every kind of data becomes: a `Source` that is cheap to make, and the `Dataset` it loads.

A kind of data (a named set, IDX files, a folder of pictures, arrays) brings only an `Opener`: a function that makes
everything ready, having found every bad file, and returns `Holdings`, from which parts are read one at a time. What
comes after is the same for all: carving, statistics, tensors.

Shapes: N pictures, H W rows and columns, C channels (1 grey, 3 RGB). Pixels are uint8 (N, H, W, C), labels int64 (N,).
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.data import splits
from neocog.data.decode import Preprocess
from neocog.data.room import chunks, empty
from neocog.randomness import numpy_stream

if TYPE_CHECKING:
    import torch

PARTS = ("train", "validation", "test")

Progress = Callable[[str, int, int], None]
"""Called as progress("decoding pictures", done, total), from one thread."""


class NumberedNames(Sequence[str]):
    """The names 'mnist/train/0', 'mnist/train/1', …, made when asked for; `indices` says which.

    >>> NumberedNames("mnist/train", np.array([4, 7]))[1]
    'mnist/train/7'
    """

    def __init__(self, prefix: str, indices: np.ndarray | range) -> None:
        self.prefix, self.indices = prefix, indices

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return NumberedNames(self.prefix, self.indices[index])
        return f"{self.prefix}/{int(self.indices[index])}"


@dataclass(frozen=True)
class Part:
    """Pictures as they were read: uint8 (N, H, W, C), labels int64 (N,), and a name for each."""

    images: np.ndarray
    labels: np.ndarray
    names: Sequence[str]
    owned: bool = False  # nobody else holds these pixels, so carving may move them in place


@dataclass(frozen=True)
class Holdings:
    """Data made ready: which parts there are, how to read one, and what is known of the whole."""

    parts: tuple[str, ...]
    read: Callable[[str], Part]
    checksum: str
    statistics: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    notes: tuple[str, ...] = ()


Opener = Callable[[Progress | None], Holdings]


@dataclass(frozen=True)
class Split:
    """Pictures uint8 (N, H, W, C), labels int64 (N,), and where each picture comes from."""

    images: torch.Tensor
    labels: torch.Tensor
    names: Sequence[str]

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def numbers(self) -> np.ndarray[Any, np.dtype[np.int64]]:
        """(N,) the place of each picture in its data set; of pictures with names of their own, the place in here."""
        indices = self.names.indices if isinstance(self.names, NumberedNames) else range(len(self))
        return np.asarray(indices, dtype=np.int64)


@dataclass(frozen=True)
class Source:
    """What is known of the data before any picture is decoded."""

    name: str
    origin: str
    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    preprocess: Preprocess
    opener: Opener = field(repr=False, compare=False)
    licence: str = ""
    citation: str = ""
    counts: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    validation: str | int | float = "auto"
    test: str | int | float = "auto"

    def load(self, *, seed: int, progress: Progress | None = None) -> Dataset:
        """Read the training pictures, carve off what is to be carved; the test part waits until it is asked for.

        Raises:
            DataError: a picture can't be read, or the split asked for can't be made.
            DownloadError: no source of a named set gave the right bytes.
        """
        return assemble(self, self.opener(progress), seed)


@dataclass(eq=False)
class Dataset:
    """Pictures ready to train on; `test` is read on first access, so that what doesn't open it never reads it."""

    source: Source
    train: Split
    validation: Split | None
    mean: tuple[float, ...]
    std: tuple[float, ...]
    checksum: str
    seed: int
    notes: tuple[str, ...] = ()
    carved: dict[str, list[int] | list[str]] = field(default_factory=dict, repr=False)
    read_test: Callable[[], Split | None] = field(default=lambda: None, repr=False)

    @property
    def name(self) -> str:
        """The name of the source."""
        return self.source.name

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names; label k means classes[k]."""
        return self.source.classes

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """(C, H, W) of a picture as the network gets it."""
        return self.source.image_shape

    @property
    def test(self) -> Split | None:
        """The test part, read on first access; None when there is none."""
        if not hasattr(self, "_test"):
            self._test = self.read_test()
        return self._test

    @property
    def carved_parts(self) -> tuple[str, ...]:
        """The parts that are held out of the training pictures, because the data brings none of its own."""
        return tuple(sorted(self.carved))

    def counts(self) -> dict[str, list[int]]:
        """Part → how many pictures each class has in it, in the order of classes; reads the test part."""
        parts = {"train": self.train, "validation": self.validation, "test": self.test}
        return {
            part: np.bincount(split.labels.numpy(), minlength=len(self.classes)).tolist()
            for part, split in parts.items()
            if split is not None
        }

    def split_record(self) -> dict[str, Any]:
        """What a run writes down: the seed, and for each carved part its pictures by index or by file name."""
        return {"seed": self.seed, **self.carved}


def assemble(source: Source, holdings: Holdings, seed: int) -> Dataset:
    """Carve what the data don't bring, measure the training pictures, and wrap all in tensors.

    Mean and standard deviation are those of the training pictures before validation is carved off them, so that
    every seed normalises alike; test pictures never count.
    """
    train = holdings.read("train")
    generator = numpy_stream(seed, "split")
    notes = [*source.notes, *holdings.notes]
    carved: dict[str, list[int] | list[str]] = {}
    pieces: dict[str, Part] = {}
    statistics = holdings.statistics
    for part in ("test", "validation"):
        wanted = getattr(source, part)
        if part in holdings.parts:
            if wanted not in ("auto", 0):
                notes.append(f"{part} = {wanted} is not used: the data bring a {part} part of their own")
            continue
        count = splits.amount(wanted, len(train.labels), len(source.classes), part)
        if part == "validation" and statistics is None:
            statistics = mean_and_std(train.images)
        if count:
            kept, taken = splits.stratified(train.labels, count, generator)
            pieces[part] = take(train, taken)
            carved[part] = record(pieces[part].names)
            train = keep(train, kept)
    if statistics is None:
        statistics = mean_and_std(train.images)
    if "validation" in holdings.parts and source.validation != 0:
        pieces["validation"] = holdings.read("validation")

    def read_test() -> Split | None:
        if "test" in pieces:
            return as_split(pieces["test"])
        if "test" in holdings.parts and source.test != 0:
            return as_split(holdings.read("test"))
        return None

    return Dataset(
        source=source,
        train=as_split(train),
        validation=as_split(pieces["validation"]) if "validation" in pieces else None,
        mean=statistics[0],
        std=statistics[1],
        checksum=holdings.checksum,
        seed=seed,
        notes=tuple(notes),
        carved=carved,
        read_test=read_test,
    )


def as_split(part: Part) -> Split:
    """The same pictures as tensors; copied only where a tensor can't share them (read-only, or not in row order)."""
    import torch

    images = np.require(part.images, requirements=["C", "W"])
    return Split(torch.from_numpy(images), torch.from_numpy(part.labels), part.names)


def record(names: Sequence[str]) -> list[int] | list[str]:
    """Indices where names are numbered, else the names."""
    if isinstance(names, NumberedNames):
        return [int(index) for index in names.indices]
    return list(names)


def pick(names: Sequence[str], indices: np.ndarray) -> Sequence[str]:
    """The names at these indices; numbered names stay numbers."""
    if isinstance(names, NumberedNames):
        return NumberedNames(names.prefix, np.asarray(names.indices)[indices])
    return [names[index] for index in indices]


def take(part: Part, indices: np.ndarray) -> Part:
    """A copy of the pictures at these indices; one too large for memory goes to a file that vanishes with it."""
    shape = (len(indices), *part.images.shape[1:])
    images = empty(shape)
    for chunk in chunks(images):
        images[chunk] = part.images[indices[chunk]]
    return Part(images, part.labels[indices], pick(part.names, indices), owned=True)


def keep(part: Part, indices: np.ndarray) -> Part:
    """The pictures at these ascending indices: moved together in place if we own them, else copied."""
    if not part.owned:
        return take(part, indices)
    images = part.images[: len(indices)]
    # indices[i] >= i, so a chunk never overwrites a picture that a later chunk still reads.
    for chunk in chunks(images):
        images[chunk] = part.images[indices[chunk]]
    return Part(images, part.labels[indices], pick(part.names, indices), owned=True)


def mean_and_std(images: np.ndarray) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Per channel, of pixels scaled to [0, 1].

    mean = S₁ / 255n,  std = √(n·S₂ − S₁²) / 255n,  with S₁ = Σ v and S₂ = Σ v² over the n values.
    Every partial sum is a whole number below 2⁵³, so float64 is exact and the order of adding doesn't matter.
    """
    means, deviations = [], []
    for channel in range(images.shape[3]):
        first = second = 0
        for chunk in chunks(images, 1 << 18):
            values = images[chunk, :, :, channel].ravel().astype(np.float64)
            first += int(values.sum())
            second += int(values @ values)
        total = images[..., 0].size
        means.append(first / total / 255)
        # A channel of one value only has no scale of its own, and must not make one divide by zero.
        deviations.append(math.sqrt(total * second - first * first) / total / 255 or 1.0)
    return tuple(means), tuple(deviations)


def checksum(classes: Sequence[str], parts: Iterable[tuple[str, np.ndarray, np.ndarray]]) -> str:
    """SHA-256 over class names, and each part's name, shape, pixels and labels: the same however they were stored."""
    digest = hashlib.sha256(json.dumps(list(classes)).encode())
    for name, images, labels in parts:
        digest.update(f"{name} {images.shape}".encode())
        for chunk in chunks(images):
            digest.update(np.ascontiguousarray(images[chunk]).data)
        digest.update(np.ascontiguousarray(labels, "<i8").data)
    return f"sha256:{digest.hexdigest()}"
