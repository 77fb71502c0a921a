"""The contract that every way of computing a convolution keeps: forward, two gradients, what it can do, what it costs.

What networks call convolution is cross-correlation: the kernel is laid over the picture as it is, not turned by 180°,

    y[n, k, p, q] = Σ_c Σ_r Σ_s  x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] · w[k, c, r, s]

with zeros outside the picture; with G groups, kernel k sees only the C/G channels of its own group. y is linear in x
and in w, so both gradients follow from asking which terms a number stands in. With g = ∂L/∂y:

    ∂L/∂x[n, c, h, w] = Σ_k Σ_{p, r: p·stride + r·dilation − top = h} Σ_{q, s: …}  g[n, k, p, q] · w[k, c, r, s]
    ∂L/∂w[k, c, r, s] = Σ_n Σ_p Σ_q  g[n, k, p, q] · x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left]

At stride 1 and dilation 1 the first has p = h + top − r: g is walked with the kernel turned by 180°, over every place
where they touch (a full correlation with the flipped kernel). The second is the correlation of the picture with g,
which plays the kernel's part. A stride spreads g out with zeros between; a dilation reads every D-th number.

Source: Dumoulin & Visin, "A guide to convolution arithmetic for deep learning" (2016, arXiv:1603.07285).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING

from neocog.ops.spec import ConvSpec, Pair, Shape4

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True)
class Cost:
    """What one forward pass takes: multiply-adds, and bytes allocated at the peak besides input, kernels and output."""

    macs: int
    extra_bytes: int


class Algorithm(ABC):
    """One way of computing a convolution.

    Tensors come checked: shapes that fit the spec, one type, float32 or float64, on one device, N at least 1, in any
    memory layout. None of them may be changed.
    """

    does: str = "any specification"  # for the sentence that refuses the rest
    error_factor: float = 1.0  # how many times larger than a plain sum's its rounding errors may be

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

    @abstractmethod
    def cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int = 4) -> Cost:
        """What `forward` takes for pictures of that shape and numbers of `itemsize` bytes."""


def definition_macs(spec: ConvSpec, x_shape: Shape4, out_channels: int) -> int:
    """Multiply-adds of the definition: one for each number out, channel of its group and cell of the kernel."""
    pictures, channels = x_shape[:2]
    rows, columns = spec.output_size(x_shape[2:])
    return (
        pictures * out_channels * rows * columns * (channels // spec.groups) * spec.kernel_size[0] * spec.kernel_size[1]
    )
