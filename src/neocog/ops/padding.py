"""What several algorithms share: a picture with its zeros around it, and the numbers that one kernel cell reads."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor
from torch.nn import functional

from neocog.ops.spec import ConvSpec, Pair, Shape4


def padded(x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
    """The pictures with zeros around them; the same tensor where there is no padding."""
    top, bottom, left, right = spec.padding
    return functional.pad(x_NCHW, (left, right, top, bottom)) if any(spec.padding) else x_NCHW


def padded_bytes(spec: ConvSpec, x_shape: Shape4, itemsize: int) -> int:
    """Bytes that `padded` allocates."""
    return prod(x_shape[:2]) * prod(spec.padded_size(x_shape[2:])) * itemsize if any(spec.padding) else 0


def unpadded(x_NCHW: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
    """The middle of padded pictures."""
    top, _, left, _ = spec.padding
    return cut_out(x_NCHW, x_NCHW[..., top : top + input_size[0], left : left + input_size[1]])


def cut_out(whole: Tensor, part: Tensor) -> Tensor:
    """A part of a tensor, contiguous, and as a copy where it is not all of it: a view would keep the rest in memory."""
    return part.contiguous() if part.shape == whole.shape else part.clone(memory_format=torch.contiguous_format)


def cell_view(padded_NCHW: Tensor, spec: ConvSpec, output_size: Pair, r: int, s: int) -> Tensor:
    """What cell (r, s) of a kernel reads, as a view (N, C, P, Q): padded[…, p·stride + r·dilation, q·stride + …]."""
    top, left = r * spec.dilation[0], s * spec.dilation[1]
    bottom, right = top + (output_size[0] - 1) * spec.stride[0] + 1, left + (output_size[1] - 1) * spec.stride[1] + 1
    return padded_NCHW[..., top : bottom : spec.stride[0], left : right : spec.stride[1]]
