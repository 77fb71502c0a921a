"""Pictures changed as the world changes them: moved, turned, scaled, noisy, blurred, pale, with light and dark swapped.

Unlike `augment`, which feeds a network in training, each change here has one strength, and pictures stay uint8, so that
a network is asked about pictures that a camera could have taken. The idea of graded strengths is of Hendrycks &
Dietterich, "Benchmarking neural network robustness to common corruptions and perturbations" (2019).

Legend: N pictures, H W rows and columns, C channels. Pictures are uint8 tensors (N, H, W, C).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from neocog.data.augment import sampled

_STEPS = 6  # strengths of one change


@dataclass(frozen=True)
class Corruption:
    """One way to change pictures: `change(images_NHWC, strength, generator)` and the strengths worth trying.

    What is drawn, such as a direction, comes from the generator, one draw for each picture or pixel, whatever the
    strength: the same generator gives the same directions at each strength.
    """

    name: str
    unit: str
    unchanged: float  # the strength that changes nothing
    change: Callable[[Tensor, float, torch.Generator], Tensor]
    strengths: Callable[[int], tuple[float, ...]]  # for pictures whose shorter side has so many pixels
    about: str


def moved(images_NHWC: Tensor, down: float | Tensor, right: float | Tensor) -> Tensor:
    """The pictures moved by so many pixels, one number for all or (N,); the border is repeated.

    >>> row = torch.tensor([10, 20, 30], dtype=torch.uint8).reshape(1, 1, 3, 1)
    >>> moved(row, down=0, right=1).flatten().tolist()
    [10, 10, 20]
    """
    away_N2 = torch.stack([_each(images_NHWC, right), _each(images_NHWC, down)], dim=1)
    return _resampled(images_NHWC, torch.eye(2).expand(len(images_NHWC), 2, 2), -away_N2)


def rotated(images_NHWC: Tensor, degrees: float | Tensor) -> Tensor:
    """The pictures turned counter-clockwise around their middle, by one angle for all or (N,); the border is repeated.

    >>> corner = torch.tensor([[1, 2], [3, 4]], dtype=torch.uint8).reshape(1, 2, 2, 1)
    >>> rotated(corner, 90).reshape(2, 2).tolist()
    [[2, 4], [1, 3]]
    """
    angle_N = torch.deg2rad(_each(images_NHWC, degrees))
    cosine, sine = torch.cos(angle_N), torch.sin(angle_N)
    # Where a pixel comes from: the turn backwards, with rows counted downwards.
    back_N22 = torch.stack([torch.stack([cosine, -sine], dim=1), torch.stack([sine, cosine], dim=1)], dim=1)
    return _resampled(images_NHWC, back_N22, torch.zeros(len(images_NHWC), 2))


def scaled(images_NHWC: Tensor, factor: float | Tensor) -> Tensor:
    """What the pictures show, larger by a factor around their middle, one for all or (N,); the border is repeated.

    >>> row = torch.tensor([0, 100, 200, 40], dtype=torch.uint8).reshape(1, 1, 4, 1)
    >>> scaled(row, 2).flatten().tolist()
    [75, 125, 175, 160]
    """
    back_N = 1 / _each(images_NHWC, factor)
    return _resampled(images_NHWC, torch.eye(2) * back_N[:, None, None], torch.zeros(len(images_NHWC), 2))


def noisy(images_NHWC: Tensor, deviation: float, generator: torch.Generator) -> Tensor:
    """Normal noise added to each value, with this standard deviation in grey levels of 0 to 255."""
    noise = torch.randn(images_NHWC.shape, generator=generator).to(images_NHWC.device)
    return _pixels(images_NHWC + deviation * noise)


def blurred(images_NHWC: Tensor, sigma: float) -> Tensor:
    """The pictures under a Gaussian bell of this width in pixels, cut at 4 of them; the border is repeated.

    >>> dot = torch.zeros(1, 1, 5, 1, dtype=torch.uint8)
    >>> dot[0, 0, 2, 0] = 255
    >>> blurred(dot, 0.5).flatten().tolist()
    [0, 27, 201, 27, 0]
    """
    if sigma == 0:
        return images_NHWC
    reach = math.ceil(4 * sigma)
    bell = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, dtype=torch.float64) / sigma) ** 2)
    kernel = (bell / bell.sum()).float().to(images_NHWC.device)
    channels = images_NHWC.shape[3]
    x_NCHW = images_NHWC.permute(0, 3, 1, 2).float()
    x_NCHW = functional.pad(x_NCHW, (reach, reach, reach, reach), mode="replicate")
    across = kernel.view(1, 1, 1, -1).expand(channels, 1, 1, -1)
    x_NCHW = functional.conv2d(functional.conv2d(x_NCHW, across, groups=channels), across.mT, groups=channels)
    return _pixels(x_NCHW.permute(0, 2, 3, 1))


def paled(images_NHWC: Tensor, factor: float) -> Tensor:
    """Each value brought nearer to its picture's mean: mean + factor·(value − mean).

    >>> paled(torch.tensor([[0, 200]], dtype=torch.uint8).reshape(1, 1, 2, 1), 0.5).flatten().tolist()
    [50, 150]
    """
    values = images_NHWC.float()
    mean = values.mean(dim=(1, 2, 3), keepdim=True)
    return _pixels(mean + factor * (values - mean))


def inverted(images_NHWC: Tensor, share: float, side: int | Tensor = 0) -> Tensor:
    """A share of each picture as its negative, 255 − value: a band from its top, bottom, left or right (side 0 to 3).

    A picture mixed with its negative would be plain grey half way, which tests contrast and no inversion.

    >>> inverted(torch.tensor([[[0], [100], [200], [255]]], dtype=torch.uint8)[None], 0.5, side=2).flatten().tolist()
    [255, 155, 200, 255]
    """
    _, height, width, _ = images_NHWC.shape
    row_H1, column_1W = torch.arange(height)[:, None], torch.arange(width)[None]
    rows, columns = round(share * height), round(share * width)
    bands_4HW = torch.stack(
        [
            (row_H1 < rows).expand(height, width),
            (row_H1 >= height - rows).expand(height, width),
            (column_1W < columns).expand(height, width),
            (column_1W >= width - columns).expand(height, width),
        ]
    )
    band_NHW = bands_4HW[torch.as_tensor(side).expand(len(images_NHWC))].to(images_NHWC.device)
    return torch.where(band_NHW[..., None], 255 - images_NHWC, images_NHWC)


def _shift(images_NHWC: Tensor, pixels: float, generator: torch.Generator) -> Tensor:
    side = _side(images_NHWC, generator)
    down = torch.tensor([-1.0, 1, 0, 0])[side]
    right = torch.tensor([0.0, 0, -1, 1])[side]
    return moved(images_NHWC, down * pixels, right * pixels)


def _rotation(images_NHWC: Tensor, degrees: float, generator: torch.Generator) -> Tensor:
    return rotated(images_NHWC, _sign(images_NHWC, generator) * degrees)


def _scale(images_NHWC: Tensor, factor: float, generator: torch.Generator) -> Tensor:
    return scaled(images_NHWC, factor ** _sign(images_NHWC, generator))


def _blur(images_NHWC: Tensor, sigma: float, generator: torch.Generator) -> Tensor:
    return blurred(images_NHWC, sigma)


def _contrast(images_NHWC: Tensor, factor: float, generator: torch.Generator) -> Tensor:
    return paled(images_NHWC, factor)


def _inversion(images_NHWC: Tensor, share: float, generator: torch.Generator) -> Tensor:
    return inverted(images_NHWC, share, _side(images_NHWC, generator))


def _steps_to(first: float, share: float, digits: int) -> Callable[[int], tuple[float, ...]]:
    """Strengths in equal ratios from `first` to a share of the side; those that round to the same are one."""

    def strengths(side: int) -> tuple[float, ...]:
        last = max(first, share * side)
        found = [first * (last / first) ** (step / (_STEPS - 1)) for step in range(_STEPS)]
        return tuple(dict.fromkeys(round(strength, digits) for strength in found))

    return strengths


def _always(*strengths: float) -> Callable[[int], tuple[float, ...]]:
    return lambda side: strengths


_DRAWN = "drawn for each picture"
_ALL = (
    Corruption("shift", "pixels", 0, _shift, _steps_to(1, 1 / 5, 0), f"up, down, left or right, {_DRAWN}"),
    Corruption("rotation", "degrees", 0, _rotation, _always(5, 10, 15, 20, 30, 45), f"to the left or right, {_DRAWN}"),
    Corruption(
        "scale", "factor", 1, _scale, _always(1.1, 1.2, 1.3, 1.5, 1.75, 2), f"larger or smaller by it, {_DRAWN}"
    ),
    Corruption("noise", "grey levels", 0, noisy, _always(4, 8, 16, 32, 64, 96), "standard deviation of normal noise"),
    Corruption("blur", "pixels", 0, _blur, _steps_to(0.5, 1 / 8, 1), "standard deviation of a Gaussian bell"),
    Corruption("contrast", "factor", 1, _contrast, _always(0.8, 0.6, 0.4, 0.2, 0.1, 0.05), "around a picture's mean"),
    Corruption(
        "inversion", "share", 0, _inversion, _always(0.1, 0.2, 0.4, 0.6, 0.8, 1), f"a band as a negative, side {_DRAWN}"
    ),
)
CORRUPTIONS: Mapping[str, Corruption] = {each.name: each for each in _ALL}


def _each(images_NHWC: Tensor, value: float | Tensor) -> Tensor:
    """(N,) float32, on the CPU: one number for each picture."""
    return torch.as_tensor(value, dtype=torch.float32).expand(len(images_NHWC))


def _side(images_NHWC: Tensor, generator: torch.Generator) -> Tensor:
    """(N,) 0 up, 1 down, 2 left, 3 right."""
    return torch.randint(0, 4, (len(images_NHWC),), generator=generator)


def _sign(images_NHWC: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randint(0, 2, (len(images_NHWC),), generator=generator) * 2.0 - 1


def _resampled(images_NHWC: Tensor, back_N22: Tensor, offset_N2: Tensor) -> Tensor:
    """Each pixel p read at back·p + offset, both as (right, down) from the middle of the picture, in pixels."""
    _, height, width, _ = images_NHWC.shape
    size = torch.tensor([width, height], dtype=torch.float32)
    # In grid_sample's units the picture runs from −1 to 1 along each axis.
    theta_N23 = torch.cat([back_N22 * (size / size[:, None]), (2 * offset_N2 / size)[:, :, None]], dim=2)
    grid = functional.affine_grid(
        theta_N23.to(images_NHWC.device), [len(images_NHWC), 1, height, width], align_corners=False
    )
    x_NCHW = images_NHWC.permute(0, 3, 1, 2).float()
    return _pixels(sampled(x_NCHW, grid, native_border=images_NHWC.device.type != "mps").permute(0, 2, 3, 1))


def _pixels(values: Tensor) -> Tensor:
    return values.round().clamp(0, 255).to(torch.uint8).contiguous()
