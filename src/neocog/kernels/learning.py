"""A kernel found from examples: pictures before and after, and plain gradient descent."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import isfinite
from numbers import Integral, Real
from typing import TYPE_CHECKING, Any

from neocog.errors import KernelError
from neocog.kernels.rows import Kernel, Rows

if TYPE_CHECKING:
    from torch import Tensor

    from neocog.ops.spec import ConvSpec


@dataclass(frozen=True)
class LearnedKernel:
    """The kernel that was found, and the way to it.

    Attributes:
        kernel: after the last step.
        losses: the summed squared error after 0, 1, … steps: one more than there were steps.
        history: the kernel's rows after 0, 1, … steps, for drawing; the last are those of `kernel`.
    """

    kernel: Kernel
    losses: tuple[float, ...]
    history: tuple[Rows, ...]


def learn_kernel(
    inputs: Any,
    targets: Any,
    size: int | Sequence[int],
    *,
    steps: int = 50,
    lr: float = 0.01,
    seed: int = 0,
    padding: str = "valid",
    method: str = "im2col",
) -> LearnedKernel:
    """The kernel that makes `targets` of `inputs`, by plain gradient descent on the summed squared error.

    L(w) = Σ (conv(x, w) − y)² over all numbers of all pictures; each step is w ← w − lr · ∂L/∂w, with the gradient that
    `neocog.ops` derives. The start is drawn uniformly from ±1/√(R·S), as nn.Conv2d does for one channel.

    The sum grows with the pictures: the largest lr that doesn't run away is 2 over the largest eigenvalue of ∂²L/∂w².

    Args:
        inputs: pictures before, a tensor or array (H, W), (N, H, W) or (N, 1, H, W). Whole numbers become float32.
        targets: pictures after, as many, of the size that the kernel makes of the inputs.
        size: of the kernel: a number, or (rows, columns).
        steps: how many.
        lr: the length of a step, above 0.
        seed: for the start.
        padding: "valid", or "same" for targets as large as the inputs.
        method: one of `neocog.ops.METHODS`.

    Raises:
        KernelError: pictures that don't fit each other or the kernel, a setting out of range, or a loss that grew
            instead of shrinking.
        OperationError: a kernel larger than the pictures, or an unknown method.

    Source: Zhang, Lipton, Li & Smola, Dive into Deep Learning, section 7.2.4, Learning a Kernel.

    >>> import torch
    >>> picture = torch.zeros(6, 8)
    >>> picture[:, 2:6] = 1
    >>> edges = picture[:, :-1] - picture[:, 1:]
    >>> found = learn_kernel(picture, edges, (1, 2))
    >>> print(found.kernel.text(), f"{found.losses[-1]:.4f}")
     0.9983 -0.9983 0.0000
    """
    import torch

    from neocog.ops.convolution import conv2d
    from neocog.ops.spec import ConvSpec, pair
    from neocog.randomness import torch_stream

    _check_settings(steps, lr, seed, padding)
    x_N1HW, y_N1PQ = _pictures("inputs", inputs), _pictures("targets", targets)
    kind = torch.promote_types(torch.promote_types(x_N1HW.dtype, y_N1PQ.dtype), torch.float32)
    x_N1HW, y_N1PQ = x_N1HW.to(kind), y_N1PQ.to(x_N1HW.device, kind)
    spec = ConvSpec.make(pair("size", size, least=1), padding=padding)
    _check_fit(x_N1HW, y_N1PQ, spec, padding)

    bound = 1 / (spec.kernel_size[0] * spec.kernel_size[1]) ** 0.5
    start = torch.rand(spec.kernel_size, generator=torch_stream(seed, "kernel"), dtype=torch.float64)
    w_11RS = ((2 * start - 1) * bound).to(x_N1HW)[None, None]
    losses: list[float] = []
    history: list[Rows] = []
    for step in range(steps + 1):
        history.append(tuple(tuple(row) for row in w_11RS[0, 0].tolist()))
        with torch.enable_grad():
            w_11RS.requires_grad_()
            loss = (conv2d(x_N1HW, w_11RS, padding=padding, method=method) - y_N1PQ).square().sum()
            (gradient,) = torch.autograd.grad(loss, w_11RS)
        losses.append(loss.item())
        if not isfinite(losses[-1]):
            raise KernelError(_runaway(step, lr))
        w_11RS = w_11RS.detach() - lr * gradient
    if losses[-1] > 2 * losses[0]:
        grown = f"from {losses[0]:.3g} to {losses[-1]:.3g}"
        raise KernelError(f"the loss grew {grown} in {steps} steps at lr = {lr:g}; {_mend(lr)}")
    pictures = "1 picture" if len(x_N1HW) == 1 else f"{len(x_N1HW)} pictures"
    about = f"learned from {pictures} in {steps} steps at lr = {lr:g}: summed squared error {losses[-1]:.4g}"
    return LearnedKernel(Kernel("learned", history[-1], about), tuple(losses), tuple(history))


def _runaway(step: int, lr: float) -> str:
    if step == 0:
        return "the loss is infinite before the first step; give smaller numbers, such as pictures from 0 to 1"
    return f"the loss became infinite after step {step} at lr = {lr:g}; {_mend(lr)}"


def _mend(lr: float) -> str:
    return f"use a smaller lr, such as {lr / 10:g}, or pictures of smaller numbers"


def _check_settings(steps: Any, lr: Any, seed: Any, padding: Any) -> None:
    if not isinstance(steps, Integral) or isinstance(steps, bool) or steps < 1:
        raise KernelError(f"steps = {steps!r}: give a whole number of at least 1")
    if not isinstance(lr, Real) or isinstance(lr, bool) or not (isfinite(lr) and float(lr) > 0):
        raise KernelError(f"lr = {lr!r}: give a number above 0")
    if not isinstance(seed, Integral) or isinstance(seed, bool):
        raise KernelError(f"seed = {seed!r}: give a whole number")
    if padding not in ("valid", "same"):
        raise KernelError(f"padding = {padding!r}: give 'valid' or 'same'")


def _pictures(name: str, given: Any) -> Tensor:
    """Tensor (N, 1, H, W) of a float type."""
    import numpy
    import torch

    try:
        # numpy.array copies: torch warns of arrays that may not be written to.
        found = given.detach() if isinstance(given, torch.Tensor) else torch.from_numpy(numpy.array(given))
    except (TypeError, ValueError, RuntimeError):
        raise KernelError(f"{name} can't be read as numbers; give a tensor or array (H, W)") from None
    if found.is_complex():
        raise KernelError(f"{name} has complex numbers; give real ones")
    shape = tuple(found.shape)
    if len(shape) not in (2, 3, 4) or 0 in shape or (len(shape) == 4 and shape[1] != 1):
        raise KernelError(f"{name} has the shape {shape}: give pictures (H, W), (N, H, W) or (N, 1, H, W)")
    found = found.reshape(-1, 1, *shape[-2:])
    found = found if found.is_floating_point() else found.float()
    if not bool(found.isfinite().all()):
        raise KernelError(f"{name} has numbers that are infinite or not a number; give finite ones")
    return found


def _check_fit(x_N1HW: Tensor, y_N1PQ: Tensor, spec: ConvSpec, padding: str) -> None:
    from neocog.ops.spec import ConvSpec, times

    if len(x_N1HW) != len(y_N1PQ):
        raise KernelError(
            f"there are {len(x_N1HW)} pictures in inputs but {len(y_N1PQ)} in targets; give one target for each input"
        )
    before, wanted, got = x_N1HW.shape[2:], spec.output_size(x_N1HW.shape[2:]), tuple(y_N1PQ.shape[2:])
    if got != wanted:
        other = "same" if padding == "valid" else "valid"
        fits = ConvSpec.make(spec.kernel_size, padding=other).output_size(before) == got
        raise KernelError(
            f"targets are {times(got)} but with padding '{padding}' a {times(spec.kernel_size)} kernel makes "
            f"{times(wanted)} of the {times(before)} inputs; give targets of {times(wanted)}"
            + (f", or padding='{other}'" if fits else "")
        )
