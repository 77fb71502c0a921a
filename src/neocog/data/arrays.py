"""Pictures and labels that are in memory already: checked once, at the door."""

from __future__ import annotations

from typing import Any

import numpy as np

from neocog.data.dataset import Holdings, NumberedNames, Part, Progress, checksum
from neocog.data.decode import Preprocess
from neocog.errors import DataError

MEND = '`(images * 255).round().astype("uint8")` if they lie in [0, 1]'


def numpy_of(values: Any) -> np.ndarray:
    """A numpy view of an array, a tensor on any device, or a list."""
    if hasattr(values, "detach"):
        values = values.detach().cpu().numpy()
    return np.asarray(values)


def checked(images: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pictures uint8 (N, H, W, C), labels int64 (N,), and the class names in sorted order.

    Raises:
        DataError: a dtype, shape or count that can't be trained on; the text says how to mend it.
    """
    pictures = numpy_of(images)
    if pictures.dtype != np.uint8:
        mend = MEND if pictures.dtype.kind == "f" else '`images.astype("uint8")` if they lie in 0..255'
        raise DataError(f"pictures are {pictures.dtype}, but uint8 from 0 to 255 is needed; give {mend}")
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3):
        shape = tuple(pictures.shape)
        mend = ""
        if pictures.ndim == 4 and pictures.shape[1] in (1, 3):
            mend = "; channels come last: give images.transpose(0, 2, 3, 1)"
        raise DataError(f"pictures have shape {shape}, but (N, H, W), (N, H, W, 1) or (N, H, W, 3) is needed{mend}")
    if 0 in pictures.shape:
        raise DataError(f"pictures have shape {pictures.shape}: there is nothing to train on")
    marks = numpy_of(labels)
    if marks.shape != (len(pictures),):
        raise DataError(
            f"labels have shape {marks.shape}, but {len(pictures)} pictures need the shape ({len(pictures)},)"
        )
    if marks.dtype.kind == "f" and not np.isfinite(marks).all():
        raise DataError("labels hold a value that is not a number; give each picture a class")
    try:
        names, numbers = np.unique(marks, return_inverse=True)
    except TypeError:
        raise DataError(
            "labels are of mixed kinds that cannot be sorted; give all as text, or all as numbers"
        ) from None
    if len(names) < 2:
        raise DataError(f"labels name one class only, '{names[0]}'; at least two are needed")
    return pictures, numbers.astype(np.int64), tuple(str(name) for name in names)


def opener(pictures: np.ndarray, labels: np.ndarray, classes: tuple[str, ...], preprocess: Preprocess) -> Any:
    """The opener of a `Source` of arrays; they are resized only if another size or colour is asked for."""

    def open_arrays(progress: Progress | None) -> Holdings:
        prepared = preprocess.many(pictures, progress)
        return Holdings(
            parts=("train",),
            read=lambda part: Part(prepared, labels, NumberedNames("arrays", range(len(labels)))),
            checksum=checksum(classes, [("train", prepared, labels)]),
        )

    return open_arrays
