"""What each kind of module does to numbers, in float64, and how far the network's float32 may be from that.

`MIXING` has an entry for each kind of layer that makes a number of many, `SINGLE` for those that make one of one, and
`RENAMING` for those that only give numbers another place. u = 2⁻²⁴ is the largest relative error of one float32
operation (in float64 2⁻⁵³, and ours rounds like the network's). The bounds:

sums                 of n terms, in any order: n·u/(1 − n·u) · Σ|terms| (Higham, Accuracy and Stability of Numerical
                     Algorithms, 2nd edition, 2002, section 3.1); 0 where no order rounds at all.
batch normalisation  at most eight operations, each on numbers as large as |x·a| + |mean·a| + |bias|, with a the factor.
group normalisation  the same, and n·κ·u of the variance of n numbers, κ² = 1 + mean²/variance (Chan, Golub & LeVeque,
                     Algorithms for computing the sample variance, 1983).
exp, tanh            within 4 units in the last place, 8·u, of the function. The libraries promise less than that: 1
                     unit in SLEEF, which torch has on processors, 2 units in CUDA.
erf, and GELU's tanh within 2⁻²⁰, as some libraries use a polynomial that is only absolutely this good.
fft, winograd        what their own files in `neocog.ops` derive.

Below 2⁻¹²⁶ float32 may lose all digits, so each step that rounds adds some of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from torch import Tensor, nn

from neocog.explanations import mixing, single
from neocog.explanations.arithmetic import Arithmetic, Place
from neocog.layers.modules import SameConv2d
from neocog.ops.module import Conv2d


def entry(module: nn.Module) -> Any:
    """What computes that kind of module here, or None. A subclass counts as long as its forward is the one we know."""
    for kind in type(module).__mro__:
        for entries in (MIXING, SINGLE, RENAMING):
            if kind in entries and _forward(type(module)) is _forward(kind):
                return entries[kind]
    return None


def _forward(kind: Any) -> Any:
    return kind.forward


def _same(shape: Place, out: Place, place: Place) -> Place:
    return place


def _flattened(shape: Place, out: Place, place: Place) -> Place:
    return tuple(int(index) for index in np.unravel_index(np.ravel_multi_index(place, out), shape))


MIXING: Mapping[type[nn.Module], Callable[[Any, Tensor, Place], Arithmetic]] = {
    nn.Conv2d: mixing.convolution,
    SameConv2d: mixing.convolution,
    Conv2d: mixing.convolution,
    nn.Linear: mixing.linear,
    nn.MaxPool2d: mixing.max_pool,
    nn.AvgPool2d: mixing.average_pool,
    nn.AdaptiveMaxPool2d: mixing.adaptive_max,
    nn.AdaptiveAvgPool2d: mixing.adaptive_average,
    nn.GroupNorm: mixing.group_normalisation,
    nn.Softmax: mixing.softmax,
}
SINGLE: Mapping[type[nn.Module], Callable[[Any, Place, float, float, float], Arithmetic]] = {
    nn.BatchNorm1d: single.batch_normalisation,
    nn.BatchNorm2d: single.batch_normalisation,
    nn.ReLU: single.relu,
    nn.LeakyReLU: single.leaky_relu,
    nn.ELU: single.elu,
    nn.Sigmoid: single.sigmoid,
    nn.Tanh: single.hyperbolic_tangent,
    nn.GELU: single.gelu,
    nn.SiLU: single.silu,
}
RENAMING: Mapping[type[nn.Module], Callable[[Place, Place, Place], Place]] = {
    nn.Identity: _same,
    nn.Dropout: _same,
    nn.Dropout2d: _same,
    nn.Flatten: _flattened,
}
