"""A picture of noise."""

from __future__ import annotations

import numpy as np


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(len(shape)).integers(0, 256, shape, dtype=np.uint8)
