"""A kernel found from examples: pictures before and after, and plain gradient descent."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from numbers import Integral
from typing import TYPE_CHECKING, Any

from neocog.errors import KernelError
from neocog.kernels.rows import Kernel, Rows, is_number, quoted

if TYPE_CHECKING:
    from torch import Tensor

    from neocog.ops.spec import ConvSpec

LARGEST = 1024  # numbers of a kernel: ∂²L/∂w² has so many rows and columns
_BLOCK = 1 << 22  # numbers of patches at a time
_TOO_LARGE = "the loss is infinite before the first step; give smaller numbers, such as pictures from 0 to 1"


@dataclass(frozen=True)
class LearnedKernel:
    """The kernel that was found, the way to it, and how far it got.

    Attributes:
        kernel: after the last step.
        losses: the summed squared error after 0, 1, … steps: one more than there were steps.
        history: the kernel's rows after 0, 1, … steps, for drawing; the last are those of `kernel`.
        lr: the length of a step that was used.
        best_loss: the least that any kernel of this size reaches (least squares, solved exactly in float64).
        converged: whether what `losses[-1]` has above `best_loss` is, as a root mean square, below 1 % of the
            targets' standard deviation. Then the pictures come out alike; the numbers of the kernel may still differ.
    """

    kernel: Kernel
    losses: tuple[float, ...]
    history: tuple[Rows, ...]
    lr: float
    best_loss: float
    converged: bool


def learn_kernel(
    inputs: Any,
    targets: Any,
    size: int | Sequence[int],
    *,
    steps: int = 50,
    lr: float | str = 0.01,
    seed: int = 0,
    padding: str = "valid",
    method: str = "im2col",
) -> LearnedKernel:
    """The kernel that makes `targets` of `inputs`, by plain gradient descent on the summed squared error.

    L(w) = Σ (conv(x, w) − y)² over all numbers of all pictures; each step is w ← w − lr · ∂L/∂w, with the gradient that
    `neocog.ops` derives. The start is drawn uniformly from ±1/√(R·S), as nn.Conv2d does for one channel.

    L is a bowl of the curvature ∂²L/∂w² = 2·Σ patch·patchᵀ, over all windows, which has R·S rows and columns. A step
    leaves 1 − lr·λ of the way along the direction of each eigenvalue λ. So steps run away from lr = 2/λmax on, which is
    refused at once; lr = "auto" is 1/λmax, at which the loss never grows, up to rounding.

    Noise around 0 teaches a kernel in few steps: all eigenvalues are about the same. Photographs do slowly: neighbours
    are alike, so windows differ little in most directions, λmin is thousands of times smaller than λmax, and so is the
    share of the way that a step goes there.

    Args:
        inputs: pictures before, a tensor or array (H, W), (N, H, W) or (N, 1, H, W). Whole numbers become float32.
        targets: pictures after, as many, of the size that the kernel makes of the inputs.
        size: of the kernel: a number, or (rows, columns).
        steps: how many.
        lr: the length of a step, above 0, or "auto" for one that suits the pictures, such as photographs.
        seed: for the start.
        padding: "valid", or "same" for targets as large as the inputs.
        method: one of `neocog.ops.METHODS`.

    Raises:
        KernelError: pictures that don't fit each other or the kernel, a setting out of range, or an lr at which the
            steps would run away.
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
    if spec.kernel_size[0] * spec.kernel_size[1] > LARGEST:
        raise KernelError(f"size = {size}: learn a kernel of at most {LARGEST} numbers, such as 32×32")
    _check_fit(x_N1HW, y_N1PQ, spec, padding)

    bound = 1 / (spec.kernel_size[0] * spec.kernel_size[1]) ** 0.5
    start = torch.rand(spec.kernel_size, generator=torch_stream(seed, "kernel"), dtype=torch.float64)
    w_11RS = ((2 * start - 1) * bound).to(x_N1HW)[None, None]

    def loss_of(w_11RS: Tensor) -> Tensor:
        return (conv2d(x_N1HW, w_11RS, padding=padding, method=method) - y_N1PQ).square().sum()

    if not loss_of(w_11RS).isfinite():
        raise KernelError(_TOO_LARGE)
    steepest, best_loss = _bowl(x_N1HW, y_N1PQ, spec)
    length = _step_length(lr, steepest)
    losses: list[float] = []
    history: list[Rows] = []
    for step in range(steps + 1):
        history.append(tuple(tuple(row) for row in w_11RS[0, 0].tolist()))
        with torch.enable_grad():
            w_11RS.requires_grad_()
            loss = loss_of(w_11RS)
            (gradient,) = torch.autograd.grad(loss, w_11RS)
        losses.append(loss.item())
        if not isfinite(losses[-1]):
            raise KernelError(f"the loss became infinite after step {step}; use pictures of smaller numbers")
        w_11RS = w_11RS.detach() - length * gradient
    spread = float((y_N1PQ.double() - y_N1PQ.double().mean()).square().sum())
    converged = losses[-1] - best_loss <= 1e-4 * spread
    pictures = "1 picture" if len(x_N1HW) == 1 else f"{len(x_N1HW)} pictures"
    about = f"learned from {pictures} in {steps} steps at lr = {length:.4g}: summed squared error {losses[-1]:.4g}"
    if not converged:
        about += (
            f"; the best possible is {best_loss:.2g}; more steps, or pictures with less alike neighbours such as "
            "noise, get nearer"
        )
    learned = Kernel("learned", history[-1], about)
    return LearnedKernel(learned, tuple(losses), tuple(history), length, best_loss, converged)


def _bowl(x_N1HW: Tensor, y_N1PQ: Tensor, spec: ConvSpec) -> tuple[float, float]:
    """λmax, the largest eigenvalue of ∂²L/∂w², and the loss at the bottom.

    With the patches as rows of A, L = |A·w − y|²: ∂²L/∂w² = 2·AᵀA, and the bottom lies at AᵀA·w = Aᵀy. Directions in
    which no pictures differ (eigenvalue 0, up to rounding) leave L as it is, so w stays 0 along them.
    """
    import torch

    cells = spec.kernel_size[0] * spec.kernel_size[1]
    square = torch.zeros(cells, cells, dtype=torch.float64)
    towards = torch.zeros(cells, dtype=torch.float64)
    for patches_ML, y_M in _patches(x_N1HW, y_N1PQ, spec):
        square += patches_ML.T @ patches_ML
        towards += patches_ML.T @ y_M
    if not square.isfinite().all():
        raise KernelError(_TOO_LARGE)
    eigenvalues, directions = torch.linalg.eigh(square)
    counts = eigenvalues > 1e-14 * cells * eigenvalues[-1]
    along = torch.where(counts, directions.T @ towards / eigenvalues, 0.0)
    w_L = directions @ along
    loss = sum(float((patches_ML @ w_L - y_M).square().sum()) for patches_ML, y_M in _patches(x_N1HW, y_N1PQ, spec))
    return 2 * float(eigenvalues[-1]), loss


def _patches(x_N1HW: Tensor, y_N1PQ: Tensor, spec: ConvSpec) -> Iterator[tuple[Tensor, Tensor]]:
    """Windows as rows, with the number that each should give; a block of output rows of one picture at a time."""
    import torch

    from neocog.ops.padding import padded

    height, width = spec.kernel_size
    lines = max(1, _BLOCK // (y_N1PQ.shape[3] * height * width))
    for x_1HW, y_1PQ in zip(x_N1HW, y_N1PQ, strict=True):
        whole_HW = padded(x_1HW[None].cpu().double(), spec)[0, 0]
        windows_PQRS = whole_HW.unfold(0, height, 1).unfold(1, width, 1)
        for top in range(0, len(windows_PQRS), lines):
            part = slice(top, top + lines)
            yield windows_PQRS[part].reshape(-1, height * width), y_1PQ[0, part].reshape(-1).to("cpu", torch.float64)


def _step_length(lr: Any, steepest: float) -> float:
    if steepest < 1e-300:
        raise KernelError("inputs are 0 everywhere, or nearly; every kernel leaves them so: give other pictures")
    if lr == "auto":
        return 1 / steepest
    if lr >= 2 / steepest:
        raise KernelError(
            f"lr = {float(lr):g} runs away on these pictures: use less than {_rounded_down(2 / steepest)}, such as "
            f"{_rounded_down(1 / steepest)}, or lr='auto'"
        )
    return float(lr)


def _rounded_down(value: float) -> str:
    """Two digits, never more than the value.

    >>> _rounded_down(0.02388), _rounded_down(3.29e-05)
    ('0.023', '3.2e-05')
    """
    unit = 10.0 ** (floor(log10(value)) - 1)
    return f"{floor(value / unit) * unit:.2g}"


def _check_settings(steps: Any, lr: Any, seed: Any, padding: Any) -> None:
    if not isinstance(steps, Integral) or isinstance(steps, bool) or steps < 1:
        raise KernelError(f"steps = {quoted(steps)}: give a whole number of at least 1")
    if not (isinstance(lr, str) and lr == "auto") and (not is_number(lr) or isinstance(lr, bool) or float(lr) <= 0):
        raise KernelError(f"lr = {quoted(lr)}: give a number above 0, or 'auto'")
    if not isinstance(seed, Integral) or isinstance(seed, bool) or not is_number(seed):
        raise KernelError(f"seed = {quoted(seed)}: give a whole number")
    if not isinstance(padding, str) or padding not in ("valid", "same"):
        raise KernelError(f"padding = {quoted(padding)}: give 'valid' or 'same'")


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
