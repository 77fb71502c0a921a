"""The contract that every way of computing a convolution keeps: forward, two gradients, what it can do, what it costs.

What networks call convolution is cross-correlation: the kernel is laid over the picture as it is, not turned by 180°,

    y[n, k, p, q] = Σ_d Σ_r Σ_s  x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] · w[k, d, r, s]

with zeros outside the picture. With G groups, kernel k sees only the D = C/G channels of its own group, k // (K/G):
its channel d is the picture's c = k // (K/G) · D + d, which without groups is d. y is linear in x and in w, so both
gradients follow from asking which terms a number stands in. With g = ∂L/∂y:

    ∂L/∂x[n, c, h, w] = Σ_k Σ_{p, r: p·stride + r·dilation − top = h} Σ_{q, s: …}  g[n, k, p, q] · w[k, d, r, s]
    ∂L/∂w[k, d, r, s] = Σ_n Σ_p Σ_q  g[n, k, p, q] · x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left]

where k runs over the kernels of c's group, c // D, and d = c − c // D · D.

At stride 1 and dilation 1 the first has p = h + top − r: g is walked with the kernel turned by 180°, over every place
where they touch (a full correlation with the flipped kernel). The second is the correlation of the picture with g,
which plays the kernel's part. A stride spreads g out with zeros between; a dilation reads every D-th number.

Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning" (2016, arXiv:1603.07285).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import prod
from typing import TYPE_CHECKING, Literal

from neocog.ops.arguments import check_groups
from neocog.ops.spec import ConvSpec, Pair, Shape4

if TYPE_CHECKING:
    from torch import Tensor


_FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class Cost:
    """What one forward pass takes: multiply-adds, and bytes allocated at the peak besides input, kernels and output.

    For tensors that are contiguous. In another layout, channels_last say, an algorithm may put x and w in order first:
    then it takes as many bytes more as x and w have, at most. Gradients may take more or less.
    """

    macs: int
    extra_bytes: int


class Algorithm(ABC):
    """One way of computing a convolution.

    Tensors come checked: shapes that fit the spec, one type, float32 or float64, on one device, N at least 1, in any
    memory layout. None of them may be changed.
    """

    does: str = "any specification"  # for the sentence that refuses the rest
    # What bounds its rounding errors, for sums of n products and u half a step of the type: `error_factor` times
    #   n·u times the sum of the absolute products of the same output ("terms"), as of any plain sum,
    #   n·u times n of the largest number times the largest weight ("largest"),
    #   or log₂ L·u times the products of the norms of whole maps ("norms"), L being the size of the field; and a few u
    #   more for each product, as `neocog.ops.fft` derives.
    errors_follow: Literal["terms", "largest", "norms"] = "terms"
    error_factor: float = 1.0

    def supports(self, spec: ConvSpec) -> bool:
        """Whether this way can do that specification."""
        return True

    @abstractmethod
    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """y (N, K, P, Q) for pictures (N, C, H, W) and kernels (K, C/G, R, S)."""

    @abstractmethod
    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """∂L/∂x (N, C, H, W) for g = ∂L/∂y; `input_size` is (H, W), which a stride's rounding hides."""

    @abstractmethod
    def grad_w(self, g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
        """∂L/∂w (K, C/G, R, S) for g = ∂L/∂y."""

    def cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int = 4) -> Cost:
        """What `conv2d` takes for pictures (N, C, H, W) and numbers of `itemsize` bytes.

        Half types are computed in float32, so copies of x, w and y in it come on top.

        Raises:
            OperationError: what `conv2d` refuses as well: groups or a kernel that don't fit, a method that can't.
        """
        from neocog.ops.methods import check_supports  # which imports this

        check_groups(spec.groups, (x_shape[1], "channels of x"), (out_channels, "kernels of w"))
        check_supports(self, spec)
        y_shape = (x_shape[0], out_channels, *spec.output_size(x_shape[2:]))
        if itemsize >= _FLOAT32:
            return self._cost(spec, x_shape, out_channels, itemsize)
        found = self._cost(spec, x_shape, out_channels, _FLOAT32)
        w_shape = (out_channels, x_shape[1] // spec.groups, *spec.kernel_size)
        copies = sum(prod(shape) for shape in (x_shape, w_shape, y_shape))
        return Cost(found.macs, found.extra_bytes + copies * _FLOAT32)

    @abstractmethod
    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """What `forward` takes for numbers of at least 4 bytes."""


def definition_macs(spec: ConvSpec, x_shape: Shape4, out_channels: int) -> int:
    """Multiply-adds of the definition: one for each number out, channel of its group and cell of the kernel."""
    pictures, channels = x_shape[:2]
    rows, columns = spec.output_size(x_shape[2:])
    return (
        pictures * out_channels * rows * columns * (channels // spec.groups) * spec.kernel_size[0] * spec.kernel_size[1]
    )
