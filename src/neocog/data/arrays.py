"""Pictures and labels that are in memory already: checked once, at the door."""

from __future__ import annotations

from typing import Any

import numpy as np

from neocog.data.dataset import Holdings, NumberedNames, Part, Progress, checksum
from neocog.data.decode import Preprocess
from neocog.errors import DataError


def numpy_of(values: Any, what: str, mend: str) -> np.ndarray:
    """A numpy view of an array, a tensor on any device, or a list."""
    try:
        if hasattr(values, "detach"):
            values = values.detach().cpu()
            values = values.float() if str(values.dtype) == "torch.bfloat16" else values  # numpy has no bfloat16
            values = values.numpy()
        return np.asarray(values)
    except (TypeError, ValueError, RuntimeError) as error:  # of unequal length, sparse, on another device, …
        text = " ".join(str(error).split())
        reason = "they are not all of one shape" if "inhomogeneous" in text or "broadcast" in text else text
        raise DataError(f"{what} make no array: {reason}; give {mend}") from None


def as_uint8(images: Any, floats: bool) -> str:
    """What to write to make uint8 of such pictures."""
    scaled = "(images * 255).round()" if floats else "images"
    if hasattr(images, "detach"):
        text = f"{scaled}.to(torch.uint8)"
    elif hasattr(images, "astype"):
        text = f'{scaled}.astype("uint8")'
    elif floats:
        text = '(np.array(images) * 255).round().astype("uint8")'
    else:
        text = 'np.array(images, dtype="uint8")'
    return f"`{text}` if they lie in {'[0, 1]' if floats else '0..255'}"


def checked(images: Any, labels: Any) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Pictures uint8 (N, H, W, C), labels int64 (N,), and the class names in sorted order.

    Raises:
        DataError: a dtype, shape or count that can't be trained on; the text says how to mend it.
    """
    pictures = numpy_of(images, "pictures", "one uint8 array (N, H, W) or (N, H, W, C)")
    if pictures.dtype != np.uint8:
        kind = str(getattr(images, "dtype", pictures.dtype)).removeprefix("torch.")
        mend = as_uint8(images, pictures.dtype.kind == "f")
        raise DataError(f"pictures are {kind}, but uint8 from 0 to 255 is needed; give {mend}")
    if pictures.ndim == 3:
        pictures = pictures[..., None]
    if pictures.ndim != 4 or pictures.shape[3] not in (1, 3):
        shape = tuple(pictures.shape)
        mend = ""
        if pictures.ndim == 4 and pictures.shape[1] in (1, 3):
            move = "permute" if hasattr(images, "detach") else "transpose"
            mend = f"; channels come last: give images.{move}(0, 2, 3, 1)"
        raise DataError(f"pictures have shape {shape}, but (N, H, W), (N, H, W, 1) or (N, H, W, 3) is needed{mend}")
    if 0 in pictures.shape:
        raise DataError(f"pictures have shape {pictures.shape}: there is nothing to train on")
    marks = numpy_of(labels, "labels", "one flat list or array with a label for each picture")
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
        owned = prepared is not pictures  # the user's own array stays as it is
        return Holdings(
            parts=("train",),
            read=lambda part: Part(prepared, labels, NumberedNames("arrays", range(len(labels))), owned),
            checksum=checksum(classes, [("train", prepared, labels)]),
        )

    return open_arrays
