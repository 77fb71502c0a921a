"""Pictures made for the tests."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image


def noise(seed: int = 0, size: tuple[int, int] = (16, 16), channels: int = 3) -> np.ndarray:
    """Random pixels, uint8 (H, W, C) or (H, W)."""
    pixels = np.random.default_rng(seed).integers(0, 256, (*size, channels), dtype=np.uint8)
    return pixels[..., 0] if channels == 1 else pixels


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes of a picture file."""
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def raw_png(
    width: int, height: int, bits: int, colour: int, row: bytes, extra: bytes = b"", rows: int | None = None
) -> bytes:
    """A PNG of equal rows, of kinds that Pillow can't write."""
    header = struct.pack(">IIBBBBB", width, height, bits, colour, 0, 0, 0)
    body = zlib.compress((b"\0" + row) * (height if rows is None else rows))
    head = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header)
    return head + extra + chunk(b"IDAT", body) + chunk(b"IEND", b"")


def make_folder(root: Path, counts: dict[str, int], size: tuple[int, int] = (12, 10), channels: int = 3) -> Path:
    """root/CLASS/0.png, … with as many random pictures as told."""
    for label, (name, count) in enumerate(counts.items()):
        (root / name).mkdir(parents=True, exist_ok=True)
        for number in range(count):
            Image.fromarray(noise(100 * label + number, size, channels)).save(root / name / f"{number}.png")
    return root
