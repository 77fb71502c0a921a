"""Random changes of a whole batch at once: one affine map for each picture, one `grid_sample` for the batch."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional


@dataclass(frozen=True)
class Augmentation:
    """How far each picture is changed, drawn anew at each step; all zero changes nothing.

    `shift` in pixels, `rotate` and `shear` in degrees, `scale` and `crop` as shares, each drawn evenly from −x to +x
    (`scale`: height and width each by itself; `crop`: the part cut away, from 0 to x of the side). `flip` mirrors left
    to right half of the time. `elastic` bends by a smooth random field of about so many pixels (Simard, Steinkraus &
    Platt, 2003). `erase` sets a square of up to this share of the side to zero, the mean of normalised pictures
    (DeVries & Taylor, 2017). What moves in from outside repeats the border.
    """

    shift: float = 0
    rotate: float = 0
    scale: float = 0
    shear: float = 0
    crop: float = 0
    flip: bool = False
    erase: float = 0
    elastic: float = 0

    @property
    def moves(self) -> bool:
        """Whether any pixel changes its place."""
        return any((self.shift, self.rotate, self.scale, self.shear, self.crop, self.flip, self.elastic))

    def __bool__(self) -> bool:
        """Whether anything is changed at all."""
        return self.moves or self.erase > 0

    def __call__(self, x_NCHW: Tensor, generator: torch.Generator) -> Tensor:
        """The changed batch, in the memory format it came in; random numbers come from `generator`, on the CPU."""
        last = x_NCHW.is_contiguous(memory_format=torch.channels_last)
        if self.moves:
            grid = self._grid(x_NCHW, generator)
            # Apple's devices have had border padding only since torch 2.13.
            x_NCHW = sampled(x_NCHW, grid, native_border=x_NCHW.device.type != "mps")
        if self.erase:
            x_NCHW = self._erased(x_NCHW, generator)
        # Both operations above give their result as `contiguous_format`, whatever they got.
        return x_NCHW.contiguous(memory_format=torch.channels_last) if last else x_NCHW

    def _grid(self, x_NCHW: Tensor, generator: torch.Generator) -> Tensor:
        """Where each pixel is read from: (N, H, W, 2) in grid_sample's units, −1 to 1 along each axis."""
        count, _, height, width = x_NCHW.shape

        def draw(reach: float, *shape: int) -> Tensor:
            return (torch.rand(count, *shape, generator=generator) * 2 - 1) * reach

        angle = draw(math.radians(self.rotate))
        shear = torch.tan(draw(math.radians(self.shear)))
        zoom = (1 + draw(self.scale, 2)) * (1 - self.crop * torch.rand(count, 1, generator=generator))
        # A crop may lie anywhere within what it leaves over.
        slack = (1 - zoom).clamp(min=0) * draw(1, 2) if self.crop else torch.zeros(count, 2)
        move = slack + draw(self.shift, 2) * torch.tensor([2 / width, 2 / height])
        cosine, sine = torch.cos(angle), torch.sin(angle)
        mirror = 1 - 2.0 * (torch.rand(count, generator=generator) < 0.5) if self.flip else torch.ones(count)
        # Rotation and shear keep angles in pixels, also where the picture is not square.
        aspect = height / width
        theta = torch.stack(
            [
                torch.stack(
                    [zoom[:, 0] * cosine * mirror, zoom[:, 0] * (shear * cosine - sine) * aspect, move[:, 0]], 1
                ),
                torch.stack([zoom[:, 1] * sine / aspect * mirror, zoom[:, 1] * (shear * sine + cosine), move[:, 1]], 1),
            ],
            1,
        )
        grid = functional.affine_grid(theta.to(x_NCHW.device), [count, 1, height, width], align_corners=False)
        if self.elastic:
            grid = grid + self._bend(count, height, width, generator).to(grid.device)
        return grid

    def _bend(self, count: int, height: int, width: int, generator: torch.Generator) -> Tensor:
        """A smooth displacement (N, H, W, 2): normal noise on a coarse grid, enlarged with cubic splines."""
        knots = max(2, round(min(height, width) / 6))
        noise = torch.randn(count, 2, knots, knots, generator=generator) * self.elastic
        smooth = functional.interpolate(noise, (height, width), mode="bicubic", align_corners=True)
        return smooth.permute(0, 2, 3, 1) * torch.tensor([2 / width, 2 / height])

    def _erased(self, x_NCHW: Tensor, generator: torch.Generator) -> Tensor:
        count, _, height, width = x_NCHW.shape
        half = torch.rand(count, 1, 1, generator=generator) * self.erase * min(height, width) / 2
        row = torch.rand(count, 1, 1, generator=generator) * height
        column = torch.rand(count, 1, 1, generator=generator) * width
        rows, columns = torch.arange(height).view(1, -1, 1) + 0.5, torch.arange(width).view(1, 1, -1) + 0.5
        hole = ((rows - row).abs() < half) & ((columns - column).abs() < half)
        return x_NCHW.masked_fill(hole[:, None].to(x_NCHW.device), 0.0)


def sampled(x_NCHW: Tensor, grid: Tensor, *, native_border: bool) -> Tensor:
    """The pictures read at the places of the grid, bilinearly; outside, the border is repeated.

    Without border padding the places are moved to the nearest pixel centre inside, which is the same function.
    """
    if native_border:
        return functional.grid_sample(x_NCHW, grid, padding_mode="border", align_corners=False)
    height, width = x_NCHW.shape[2:]
    centre = grid.new_tensor([1 - 1 / width, 1 - 1 / height])
    inside = torch.maximum(torch.minimum(grid, centre), -centre)
    return functional.grid_sample(x_NCHW, inside, padding_mode="zeros", align_corners=False)
