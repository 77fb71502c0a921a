"""Pictures to lay kernels on, and torch to do it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from neocog.kernels import Kernel


def laid(picture_HW: Tensor, named: Kernel) -> Tensor:
    """What torch makes of a picture and a kernel, in float64 and without padding."""
    w_11RS = named.tensor(torch.float64)[None, None]
    return functional.conv2d(picture_HW.double()[None, None], w_11RS)[0, 0]


def ramp(across: int, down: int) -> Tensor:
    """A picture that changes by so much per pixel to the right and downwards."""
    i, j = torch.meshgrid(torch.arange(12.0), torch.arange(12.0), indexing="ij")
    return across * j + down * i


def photograph() -> Tensor:
    """A drawn picture of 40×40, from 0 to 255: light from one side, a dark disc, a bright bar, grain."""
    i, j = np.mgrid[0:40, 0:40]
    pixels = 80 + 2.0 * j
    pixels[(i - 15) ** 2 + (j - 14) ** 2 < 60] = 30
    pixels[28:33, 5:35] = 230
    return torch.from_numpy(np.clip(pixels + np.random.default_rng(3).normal(0, 4, pixels.shape), 0, 255))
