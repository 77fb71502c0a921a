"""MNIST's own file format, IDX: a magic number, the sizes, then the values, all big-endian.

    bytes 0-3   00 00 08 ND      08 says "unsigned byte", ND is the number of dimensions
    then        ND sizes of four bytes each
    then        the values

Pictures have three dimensions (N, H, W), labels one (N). A file may be gzipped.
"""

from __future__ import annotations

import gzip
import math
import struct
import zlib
from pathlib import Path

import numpy as np

from neocog.errors import DataError
from neocog.untrusted import MOST_UNPACKED, Unreadable, content_of, gunzipped

MOST = 16 * MOST_UNPACKED  # bytes of a file; what is gzipped may unpack to MOST_UNPACKED
PARTS = {"train": "train", "test": "t10k"}


def parse(raw: bytes, dimensions: int, where: str) -> np.ndarray:
    """The uint8 array that IDX bytes hold, without a copy; `where` names the file in an error.

    >>> parse(bytes([0, 0, 8, 1, 0, 0, 0, 2, 7, 9]), 1, "labels").tolist()
    [7, 9]
    """
    start = 4 + 4 * dimensions
    magic = 0x0800 + dimensions
    if len(raw) < start:
        raise DataError(f"cannot read '{where}': it holds {len(raw)} bytes, too few for an IDX header")
    got = int.from_bytes(raw[:4], "big")
    if got != magic:
        what = "labels" if dimensions == 1 else "pictures"
        raise DataError(
            f"cannot read '{where}': its magic number is 0x{got:08x}, but IDX {what} start with 0x{magic:08x}"
        )
    shape = struct.unpack(f">{dimensions}I", raw[4:start])
    wanted = math.prod(shape)
    if len(raw) - start != wanted:
        sizes = " × ".join(str(size) for size in shape)
        raise DataError(
            f"cannot read '{where}': its header promises {sizes} = {wanted} values, but {len(raw) - start} follow;"
            " the file is damaged, get it again"
        )
    try:
        return np.frombuffer(raw, np.uint8, offset=start).reshape(shape)
    except ValueError:  # none of one size and far too many of another
        raise DataError(f"cannot read '{where}': no array has its sizes {shape}; get the file again") from None


def dump(array: np.ndarray) -> bytes:
    """The IDX bytes of a uint8 array.

    >>> dump(np.array([7, 9], np.uint8)).hex()
    '00000801000000020709'
    """
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + np.ascontiguousarray(array, np.uint8).tobytes()


def unzipped(path: Path) -> bytes:
    """The bytes of a file, gunzipped when it is gzipped (its content says so, not its name)."""
    try:
        raw = content_of(path, MOST)
        return gunzipped(raw) if raw[:2] == b"\x1f\x8b" else raw
    except (OSError, Unreadable) as error:
        raise DataError(f"cannot read '{path}': {reason(error)}; get the file again") from None


def reason(error: BaseException) -> str:
    """The bare reason of an operating system's or a library's error, on one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split())


def find(folder: Path) -> dict[str, Path]:
    """The IDX files of a folder by role: 'train-images', 'train-labels', 'test-images', 'test-labels'."""
    found = {}
    for part, prefix in PARTS.items():
        for role, dimensions in (("images", 3), ("labels", 1)):
            names = [f"{prefix}-{role}{dot}idx{dimensions}-ubyte{end}" for dot in "-." for end in ("", ".gz")]
            try:
                paths = [folder / name for name in names if (folder / name).is_file()]
            except OSError as error:
                raise DataError(f"cannot look into the folder '{folder}': {reason(error).lower()}") from None
            if paths:
                found[f"{part}-{role}"] = paths[0]
    return found


def read_part(files: dict[str, Path], part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, H, W, 1) and labels (N,) of one part, both uint8, checked against each other."""
    images_path, labels_path = files[f"{part}-images"], files[f"{part}-labels"]
    images = parse(unzipped(images_path), 3, str(images_path))
    labels = parse(unzipped(labels_path), 1, str(labels_path))
    if len(images) != len(labels):
        raise DataError(
            f"'{images_path}' holds {len(images)} pictures but '{labels_path}' {len(labels)} labels;"
            " they must be equally many"
        )
    return images[..., None], labels


def image_shape(path: Path) -> tuple[int, int, int]:
    """(N, H, W) from the header alone, so that the network can be checked before anything is read."""
    try:
        with path.open("rb") as file:
            head = file.read(16)
        if head[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as unpacked:
                head = unpacked.read(16)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"cannot read '{path}': {reason(error)}; get the file again") from None
    if head[:4] != b"\0\0\x08\x03" or len(head) < 16:
        parse(head[:16], 3, str(path))
    count, height, width = struct.unpack(">3I", head[4:16])
    return count, height, width
