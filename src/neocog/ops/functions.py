"""Convolution for training: three linear operations, each the gradient of the others, around any algorithm.

    forward  y  = conv(x, w)        grad_x  gx = ∂L/∂x (g, w)        grad_w  gw = ∂L/∂w (g, x)

All three are linear in both arguments and made of the same products x·w·g, so the gradients of each are the other two.
That is why torch may differentiate them any number of times, and why `conv_transpose2d` is grad_x under another name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from neocog.errors import OperationError
from neocog.ops.checks import HALF
from neocog.ops.contract import Algorithm
from neocog.ops.spec import ConvSpec, Pair


def forward(x_NCHW: Tensor, w_KCRS: Tensor, b_K: Tensor | None, spec: ConvSpec, algorithm: Algorithm) -> Tensor:
    """y = conv(x, w) + b."""
    y: Tensor = _Forward.apply(x_NCHW, w_KCRS, b_K, spec, algorithm)  # type: ignore[no-untyped-call]
    return y


def input_gradient(
    g_NKPQ: Tensor, w_KCRS: Tensor, b_C: Tensor | None, spec: ConvSpec, algorithm: Algorithm, input_size: Pair
) -> Tensor:
    """gx = ∂L/∂x for g = ∂L/∂y, plus a bias where it serves as a transposed convolution."""
    gx: Tensor = _InputGradient.apply(g_NKPQ, w_KCRS, b_C, spec, algorithm, input_size)  # type: ignore[no-untyped-call]
    return gx


def weight_gradient(g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec, algorithm: Algorithm) -> Tensor:
    """gw = ∂L/∂w for g = ∂L/∂y."""
    gw: Tensor = _WeightGradient.apply(g_NKPQ, x_NCHW, spec, algorithm)  # type: ignore[no-untyped-call]
    return gw


class _Forward(Function):
    @staticmethod
    def forward(x_NCHW: Tensor, w_KCRS: Tensor, b_K: Tensor | None, spec: ConvSpec, algorithm: Algorithm) -> Tensor:
        shape = (len(x_NCHW), len(w_KCRS), *spec.output_size(x_NCHW.shape[2:]))
        return _computed(lambda x, w: _plus(algorithm.forward(x, w, spec), b_K), x_NCHW, w_KCRS, shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        x_NCHW, w_KCRS, _, ctx.spec, ctx.algorithm = inputs
        ctx.save_for_backward(x_NCHW, w_KCRS)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g_NKPQ,) = grads
        x_NCHW, w_KCRS = ctx.saved_tensors
        gx = gw = gb = None
        if ctx.needs_input_grad[0]:
            gx = input_gradient(g_NKPQ, w_KCRS, None, ctx.spec, ctx.algorithm, tuple(x_NCHW.shape[2:]))
        if ctx.needs_input_grad[1]:
            gw = weight_gradient(g_NKPQ, x_NCHW, ctx.spec, ctx.algorithm)
        if ctx.needs_input_grad[2]:
            gb = g_NKPQ.sum((0, 2, 3))  # b stands once in each number of its channel
        return gx, gw, gb, None, None


class _InputGradient(Function):
    @staticmethod
    def forward(
        g_NKPQ: Tensor, w_KCRS: Tensor, b_C: Tensor | None, spec: ConvSpec, algorithm: Algorithm, input_size: Pair
    ) -> Tensor:
        shape = (len(g_NKPQ), w_KCRS.shape[1] * spec.groups, *input_size)
        return _computed(lambda g, w: _plus(algorithm.grad_x(g, w, spec, input_size), b_C), g_NKPQ, w_KCRS, shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        g_NKPQ, w_KCRS, _, ctx.spec, ctx.algorithm, _ = inputs
        ctx.save_for_backward(g_NKPQ, w_KCRS)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (h_NCHW,) = grads
        g_NKPQ, w_KCRS = ctx.saved_tensors
        gg = gw = gb = None
        if ctx.needs_input_grad[0]:
            gg = forward(h_NCHW, w_KCRS, None, ctx.spec, ctx.algorithm)
        if ctx.needs_input_grad[1]:
            gw = weight_gradient(g_NKPQ, h_NCHW, ctx.spec, ctx.algorithm)
        if ctx.needs_input_grad[2]:
            gb = h_NCHW.sum((0, 2, 3))
        return gg, gw, gb, None, None, None


class _WeightGradient(Function):
    @staticmethod
    def forward(g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec, algorithm: Algorithm) -> Tensor:
        shape = (g_NKPQ.shape[1], x_NCHW.shape[1] // spec.groups, *spec.kernel_size)
        return _computed(lambda g, x: algorithm.grad_w(g, x, spec), g_NKPQ, x_NCHW, shape)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        g_NKPQ, x_NCHW, ctx.spec, ctx.algorithm = inputs
        ctx.save_for_backward(g_NKPQ, x_NCHW)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (h_KCRS,) = grads
        g_NKPQ, x_NCHW = ctx.saved_tensors
        gg = gx = None
        if ctx.needs_input_grad[0]:
            gg = forward(x_NCHW, h_KCRS, None, ctx.spec, ctx.algorithm)
        if ctx.needs_input_grad[1]:
            gx = input_gradient(g_NKPQ, h_KCRS, None, ctx.spec, ctx.algorithm, tuple(x_NCHW.shape[2:]))
        return gg, gx, None, None


def _plus(y_NKPQ: Tensor, b_K: Tensor | None) -> Tensor:
    """y + b, in y's own place: the algorithm has just made it."""
    return y_NKPQ if b_K is None else y_NKPQ.add_(b_K[:, None, None])


def _computed(
    operation: Callable[[Tensor, Tensor], Tensor], first: Tensor, second: Tensor, shape: tuple[int, ...]
) -> Tensor:
    """What an algorithm may rely on: no empty tensors, no half precision, no autocast.

    Half types are computed in float32, bias and all, and rounded once.
    """
    if first.numel() == 0 or second.numel() == 0:
        return first.new_zeros(shape)
    kind = first.dtype
    try:
        with torch.autocast(first.device.type, enabled=False):
            if kind in HALF:
                return operation(first.float(), second.float()).to(kind)
            return operation(first, second)
    except RuntimeError as error:
        # Torch has a class of its own for a full GPU only.
        full = ("can't allocate memory", "Storage size calculation overflowed")
        if isinstance(error, torch.OutOfMemoryError) or any(words in str(error) for words in full):
            raise OperationError(
                f"there is not enough memory on {first.device} to make {tuple(shape)} of {tuple(first.shape)} and "
                f"{tuple(second.shape)} in this way; use less padding, fewer pictures at a time or another method"
            ) from None
        raise
