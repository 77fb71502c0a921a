"""Convolution and pooling from first principles: one contract, many algorithms.

    spec, pool_spec   how kernels and windows walk over a picture, checked once (arguments)
    contract          what every algorithm answers for, with both gradients derived
    loops, shift, im2col, toeplitz, fft, winograd (with toom_cook)   one algorithm each; padding is what they share
    methods           the algorithms by name
    functions         what torch can differentiate, around any algorithm
    convolution, pooling   the public functions, which check what they are given (checks)
    trace             one number that comes out, product by product
    module            nn.Conv2d on any of the algorithms

Names are imported when they are first used: those of specs and methods need no torch.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from neocog.ops.contract import Algorithm, Cost
    from neocog.ops.convolution import conv2d, conv_transpose2d, convolve2d, correlate2d
    from neocog.ops.im2col import patch_matrix
    from neocog.ops.methods import METHODS, algorithm
    from neocog.ops.module import Conv2d
    from neocog.ops.pool_spec import PoolSpec
    from neocog.ops.pooling import (
        adaptive_avg_pool2d,
        adaptive_max_pool2d,
        avg_pool2d,
        global_avg_pool2d,
        global_max_pool2d,
        max_pool2d,
    )
    from neocog.ops.spec import ConvSpec
    from neocog.ops.toeplitz import toeplitz_matrix
    from neocog.ops.trace import Term, Trace, trace_window

_HOMES = {
    "METHODS": "methods",
    "Algorithm": "contract",
    "Conv2d": "module",
    "ConvSpec": "spec",
    "Cost": "contract",
    "PoolSpec": "pool_spec",
    "Term": "trace",
    "Trace": "trace",
    "adaptive_avg_pool2d": "pooling",
    "adaptive_max_pool2d": "pooling",
    "algorithm": "methods",
    "avg_pool2d": "pooling",
    "conv2d": "convolution",
    "conv_transpose2d": "convolution",
    "convolve2d": "convolution",
    "correlate2d": "convolution",
    "global_avg_pool2d": "pooling",
    "global_max_pool2d": "pooling",
    "max_pool2d": "pooling",
    "patch_matrix": "im2col",
    "toeplitz_matrix": "toeplitz",
    "trace_window": "trace",
}
__all__ = [
    "METHODS",
    "Algorithm",
    "Conv2d",
    "ConvSpec",
    "Cost",
    "PoolSpec",
    "Term",
    "Trace",
    "adaptive_avg_pool2d",
    "adaptive_max_pool2d",
    "algorithm",
    "avg_pool2d",
    "conv2d",
    "conv_transpose2d",
    "convolve2d",
    "correlate2d",
    "global_avg_pool2d",
    "global_max_pool2d",
    "max_pool2d",
    "patch_matrix",
    "toeplitz_matrix",
    "trace_window",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'neocog.ops' has no attribute '{name}'")
    return getattr(import_module(f"neocog.ops.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
