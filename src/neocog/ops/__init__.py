"""Convolution and pooling from first principles: one contract, many algorithms.

    spec       how kernels walk over a picture, checked once
    algorithm  the contract, with both gradients derived; one file each: loops, shift, im2col, toeplitz, fft, winograd
    methods    the algorithms by name
    functions  what torch can differentiate, around any algorithm
    convolution, pooling   the public functions, which check what they are given
    trace      one number that comes out, product by product
    module     nn.Conv2d on any of the algorithms

Names are imported when they are first used: those of specs and methods need no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neocog.ops.algorithm import Algorithm, Cost
    from neocog.ops.convolution import conv2d, conv_transpose2d, convolve2d, correlate2d
    from neocog.ops.methods import METHODS
    from neocog.ops.module import Conv2d
    from neocog.ops.spec import ConvSpec

_HOMES = {
    "METHODS": "methods",
    "Algorithm": "algorithm",
    "Conv2d": "module",
    "ConvSpec": "spec",
    "Cost": "algorithm",
    "conv2d": "convolution",
    "conv_transpose2d": "convolution",
    "convolve2d": "convolution",
    "correlate2d": "convolution",
}
__all__ = [
    "METHODS",
    "Algorithm",
    "Conv2d",
    "ConvSpec",
    "Cost",
    "conv2d",
    "conv_transpose2d",
    "convolve2d",
    "correlate2d",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neocog.ops' has no attribute '{name}'")
    return getattr(import_module(f"neocog.ops.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
