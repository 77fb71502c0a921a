"""Files that are cut, flipped or replaced, as disks and downloads do it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

WEB_PAGE = b"<!doctype html><html><body>Please log in</body></html>"


def flipped(content: bytes, offset: int, bit: int) -> bytes:
    """The content with one bit turned over."""
    changed = bytearray(content)
    changed[offset] ^= 1 << bit
    return bytes(changed)


def flips(content: bytes, count: int, seed: int = 0) -> Iterator[bytes]:
    """The content with one bit turned over, at so many offsets drawn at random."""
    random = np.random.default_rng(seed)
    for offset, bit in zip(random.integers(len(content), size=count), random.integers(8, size=count), strict=True):
        yield flipped(content, int(offset), int(bit))


def tenths(content: bytes) -> Iterator[bytes]:
    """The content cut off at each tenth of its length, and at its last byte: from nothing to all but one."""
    for share in range(10):
        yield content[: len(content) * share // 10]
    yield content[:-1]
