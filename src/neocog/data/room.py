"""Room for pixels: memory while they fit, beyond that files that the system maps into it."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from neocog import disk
from neocog.errors import DataError

IN_MEMORY = 1 << 30  # bytes of pixels that are held as an ordinary tensor; more stays in a memory-mapped file
CHUNK = 1 << 24  # bytes of pixels worked on at a time, so that no second copy of the data ever exists


def place(cache_dir: str | Path | None = None) -> Path:
    """Where things are kept: the argument, else $NEOCOG_CACHE, else the user's cache folder."""
    if cache_dir is not None:
        return Path(cache_dir).expanduser()
    if chosen := os.environ.get("NEOCOG_CACHE"):
        return Path(chosen).expanduser()
    import platformdirs

    return Path(platformdirs.user_cache_dir("neocog"))


def workplace() -> Path:
    """Where large unnamed files go: beside the cache, for /tmp is often memory; into /tmp if that can't be written."""
    folder = place()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return Path(tempfile.gettempdir())
    return folder if os.access(folder, os.W_OK | os.X_OK) else Path(tempfile.gettempdir())


def empty(shape: tuple[int, ...]) -> np.ndarray:
    """Room for uint8 pixels: memory, or beyond IN_MEMORY bytes an unnamed file that vanishes with the array.

    Raises:
        DataError: the disk has no room for them.
    """
    size = int(np.prod(shape, dtype=np.int64))
    if size <= IN_MEMORY:
        return np.empty(shape, np.uint8)
    folder = workplace()
    try:
        with tempfile.TemporaryFile(prefix="neocog-", dir=folder) as file:
            reserve(file.fileno(), size)
            return np.memmap(file, np.uint8, "r+", shape=shape)
    except OSError as error:
        if disk.is_full(error):
            then = "or set NEOCOG_CACHE to a folder with more, or choose a smaller dataset.image_size"
            raise DataError(disk.full("a copy of the pixels", folder, size, then, error)) from None
        raise DataError(
            f"cannot make room for {size / 1e9:.1f} GB of pixels in '{folder}':"
            f" {(error.strerror or str(error)).lower()}; set NEOCOG_CACHE to a folder on a disk with room, or choose a"
            " smaller dataset.image_size"
        ) from None


def reserve(descriptor: int, size: int) -> None:
    """Claim the disk space now: on a full disk a mapped file would kill the process when it is written to."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, size)
    else:
        os.truncate(descriptor, size)


def chunks(images: np.ndarray, size: int | None = None) -> Iterable[slice]:
    """Slices of the first axis, about `size` bytes each, or CHUNK."""
    row = max(1, int(np.prod(images.shape[1:], dtype=np.int64)))
    step = max(1, (size or CHUNK) // row)
    return (slice(start, min(start + step, len(images))) for start in range(0, len(images), step))
