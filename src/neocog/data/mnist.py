"""The MNIST that ships inside the package: one .npz with the published pictures and labels, unchanged.

    train_images_0, train_images_5000, …, test_images_0, test_images_5000    pieces of (5000, 28, 28)
    train_labels (60000,)   test_labels (10000,)

`python -m neocog.data.embed_mnist FOLDER` makes the file from the four published IDX files. A part is read only when
it is asked for, and the archive's own CRC-32 of each piece is checked as it is read.

Source: Y. LeCun, C. Cortes, C. J. C. Burges, The MNIST database of handwritten digits; see mnist-LICENSE.txt.
"""

from __future__ import annotations

import errno
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from neocog.data import idx
from neocog.data.dataset import Holdings, NumberedNames, Part, Progress
from neocog.errors import DataError

FILE = Path(__file__).with_name("mnist.npz")
CLASSES = tuple("0123456789")
COUNTS = {"train": 60000, "test": 10000}
PIECE = 5000
# Of the raw IDX bytes, as published.
MD5 = {
    "train-images": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels": "a25bea736e30d166cdddb491f175f624",
    "test-images": "2646ac647ad5339dbf082846283269ea",
    "test-labels": "27ae3e4e09519cfbb04c329615203637",
}
# dataset.checksum and dataset.mean_and_std of what the file holds; the tests compute both anew.
CHECKSUM = "sha256:121cf56b8078d2ed2fe147f4436f4c5ed489a676b0a82189295da547496a926a"
_DAMAGE = (OSError, LookupError, ValueError, EOFError, RuntimeError, struct.error, zipfile.BadZipFile, zlib.error)
_DAMAGE_NUMBERS = (None, errno.ENOENT, errno.EINVAL)  # the last for a place before the file's beginning
MEAN, STD = 0.1306604762738429, 0.3081078038564627


def open_mnist(progress: Progress | None = None) -> Holdings:
    """The embedded set; nothing is read yet."""
    return Holdings(("train", "test"), read, CHECKSUM, ((MEAN,), (STD,)))


def read(part: str, file: Path = FILE) -> Part:
    """One part; pieces are decompressed by two threads, since zlib lets go of the interpreter's lock.

    Where no thread can be started they are read one after the other.
    """
    images = np.empty((COUNTS[part], 28, 28, 1), np.uint8)

    def piece(start: int) -> None:
        # The bytes behind the header, without numpy: it parses headers as Python source, and Python 3.11 may fail at
        # that in two threads at once ("AST constructor recursion depth mismatch" was seen).
        some = images[start : start + PIECE]
        with zipfile.ZipFile(file) as archive:
            raw = archive.read(f"{part}_images_{start}.npy")
        some[:] = np.frombuffer(raw, np.uint8, offset=max(0, len(raw) - some.size)).reshape(some.shape)

    try:
        starts = range(0, len(images), PIECE)
        try:
            with ThreadPoolExecutor(2) as pool:
                list(pool.map(piece, starts))
        except RuntimeError:  # no thread more is allowed; or zipfile's, which comes again
            for start in starts:
                piece(start)
        with np.load(file, allow_pickle=False) as archive:
            labels = archive[f"{part}_labels"].astype(np.int64)
    except _DAMAGE as error:
        if isinstance(error, OSError) and error.errno not in _DAMAGE_NUMBERS:
            raise DataError(
                f"the MNIST inside neocog, '{file}', cannot be read now: {idx.reason(error)}; that is no damage, so "
                "mend it and try again"
            ) from None
        raise DataError(f"the MNIST inside neocog cannot be read: {idx.reason(error)}; install neocog again") from None
    return Part(images, labels, NumberedNames(f"mnist/{part}", range(len(labels))), owned=True)
