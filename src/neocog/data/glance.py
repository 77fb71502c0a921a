"""What a few of a folder's pictures tell about all of them, before they are decoded: the usual size, and colour."""

from __future__ import annotations

import numpy as np

from neocog.data.decode import Preprocess, is_grey, opened, quiet_pillow
from neocog.data.folder import Listing

SAMPLE = 200  # pictures looked at to choose size and colour


def sample(names: list[str]) -> list[str]:
    """Up to SAMPLE names spread evenly."""
    step = max(1, -(-len(names) // SAMPLE))
    return names[::step]


def usual_size(found: Listing) -> tuple[int, int]:
    """(height, width): that of the pictures if those looked at share one of at most 64 × 64, else 64 × 64."""
    sizes = set()
    with quiet_pillow():
        for name in sample(found.all_names()):
            try:
                with opened(found.root / name) as image:
                    sizes.add(image.size)
            except Exception:  # found again, counted and named when all are decoded
                continue
            if len(sizes) > 1 or max(image.size) > 64:
                return 64, 64
    return (64, 64) if not sizes else next(iter(sizes))[::-1]


def has_colour(found: Listing) -> bool:
    """Whether any of the pictures looked at has a pixel that isn't grey (beyond JPEG's rounding)."""
    look = Preprocess((32, 32), 3, "stretch")
    with quiet_pillow():
        for name in sample(found.all_names()):
            try:
                with opened(found.root / name) as image:
                    if is_grey(image):
                        continue
                    pixels = look.fitted(image).astype(np.int16)
            except Exception:  # found again, counted and named when all are decoded
                continue
            if (pixels.max(axis=2) - pixels.min(axis=2)).max() > 3:
                return True
    return False
