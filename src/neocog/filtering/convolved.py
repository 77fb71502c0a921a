"""A kernel laid on a picture: both, what came out, and how one of its numbers came about."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from io import BytesIO
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from neocog.errors import OperationError, unknown
from neocog.files import check_target, whole_file
from neocog.filtering.given import Picture, Weights, as_kernel, as_numbers, is_numbers, place_of, turned
from neocog.filtering.greys import GREYS, Range, clipped, displayed, grey_range
from neocog.kernels import KERNELS, Kernel
from neocog.ops.arguments import flag, one_line
from neocog.ops.convolution import conv2d
from neocog.ops.methods import METHODS, algorithm_for
from neocog.ops.spec import ConvSpec, Padding, Pair, times
from neocog.ops.trace import Trace, trace_window

RESULTS = (".png", ".npy")
AUTO = "auto"
MOST_PRODUCTS = 100  # of one window, written out
_FEW = 81  # cells of a kernel: from 9×9 on, "auto" takes the Fourier transform, which was faster from 7×7 on
_LARGEST_DENSE = 1 << 30  # bytes; `neocog.ops` makes no larger matrix with all its zeros


@dataclass(frozen=True, repr=False)
class Convolved:
    """What `convolve` gives back.

    Attributes:
        picture: what was convolved, for titles: "digit:7 (label 9)", "photo.png".
        before: (C, H, W) float32, 0 to 255 unless the picture was given as numbers of a float type.
        after: (C, P, Q) float32.
        kernel: as it was laid on the picture; turned already where a true convolution was asked for.
        spec: how it walked. Each channel is convolved by itself, so for RGB there are 3 groups.
        method: the algorithm's name.
        window: row and column of the number that `traces` takes apart.
        traces: one for each channel.
        flip: whether a true convolution was asked for.
        numbers: whether the picture was given as numbers of any size, and not as pixels from 0 to 255.
    """

    picture: str
    before: Tensor
    after: Tensor
    kernel: Kernel
    spec: ConvSpec
    method: str
    window: Pair
    traces: tuple[Trace, ...]
    flip: bool = False
    numbers: bool = False

    def __repr__(self) -> str:
        return (
            f"<Convolved {self.picture}: {times(self.before.shape)} to {times(self.after.shape)} under "
            f"{self.kernel.name} {times(self.kernel.shape)} by {self.method}, window {self.window}>"
        )

    @property
    def box(self) -> tuple[int, int, int, int]:
        """The window on the picture: first row and column, which lie outside in the padding, and how many it spans."""
        (top, _, left, _), (down, across) = self.spec.padding, self.spec.stride
        return self.window[0] * down - top, self.window[1] * across - left, *self.spec.extent

    @property
    def inner(self) -> tuple[slice, slice] | None:
        """Rows and columns of `after` whose windows lie on the picture; None where there are none."""
        return inner(self.after.shape[1:], self.spec, self.before.shape[1:])

    @property
    def before_range(self) -> Range:
        """What is drawn black and what white in `before`."""
        return grey_range(self.before) if self.numbers else GREYS

    @property
    def after_range(self) -> Range:
        """What is drawn black and what white in `after`: told from the windows on the picture, not from its frame.

        Unless those are few or see nothing, as a flat picture under a derivative: then the frame counts, too. A kernel
        that sums to 0 measures change and makes no picture: where it gives negative numbers anywhere, 0 is mid grey.
        """
        inside = self.after[:, *(self.inner or ())]
        if 2 * inside.numel() < self.after.numel() or not bool(inside.any()):
            inside = self.after
        like = grey_range(inside, as_picture=self.before_range == GREYS and self.kernel.total != 0)
        if like == GREYS:
            return GREYS
        furthest = max(like[1], *(abs(self.output(channel)) for channel in range(len(self.after))))
        return (-furthest if like[0] < 0 or grey_range(self.after, as_picture=False)[0] < 0 else 0.0), furthest

    def output(self, channel: int) -> float:
        """What the method gave at the window. It may differ from the traced sum, which is rounded step by step."""
        return float(self.after[channel, *self.window])

    def as_dict(self) -> dict[str, Any]:
        """All but the pictures themselves, for JSON."""
        return {
            "picture": self.picture,
            "before": _facts(self.before),
            "after": _facts(self.after),
            "kernel": {"name": self.kernel.name, "rows": self.kernel.rows},
            "spec": asdict(self.spec),
            "method": self.method,
            "flip": self.flip,
            "window": self.window,
            "values": [trace.value for trace in self.traces],
            "outputs": [self.output(channel) for channel in range(len(self.traces))],
            "traces": [
                {**asdict(trace), "expression": trace.expression() if len(trace.terms) <= MOST_PRODUCTS else None}
                for trace in self.traces
            ],
        }


def convolve(
    image: Picture,
    kernel: Weights,
    *,
    padding: Padding | None = None,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    method: str = AUTO,
    color: str = "auto",
    flip: bool = False,
    window: Pair | None = None,
    **settings: Any,
) -> Convolved:
    """A kernel laid on a picture as it is, unless flip=True turns it: correlation, each channel by itself.

    y[c, p, q] = Σ_r Σ_s x[c, p·stride + r·dilation − top, q·stride + s·dilation − left] · w[r, s], with zeros outside.

    Args:
        image: a picture file, `digit:7`, a name in skimage.data, a PIL image, an array (H, W) or (H, W, 3) of uint8 or
            a float type, or a tensor (H, W), (1, H, W) or (3, H, W). Numbers are taken as they are.
        kernel: a kernel's name, a file of rows, a text such as "1 0 -1; 2 0 -2; 1 0 -1", a `Kernel`, rows, or a tensor
            (R, S).
        padding: "same", "valid", a number, (rows, columns) or (top, bottom, left, right); of zeros. Unless told, as
            many as "same" has, at any stride.
        stride, dilation: a number, or (rows, columns).
        method: one of `neocog.ops.METHODS`; "auto" is im2col for kernels of less than 9·9 cells, else fft, whose
            numbers are off by up to about a millionth of the largest.
        color: "grey", "rgb", or "auto" for what the picture is.
        flip: turn the kernel by 180° first, as convolution in mathematics does; networks lay it on as it is.
        window: row and column of the number to take apart, from 0; unless told, the strongest response whose window
            lies on the picture, if any does.
        settings: what a named kernel takes, such as size=5 and sigma=1.0.

    Raises:
        DataError: there is no such picture; as PictureError, it can't be read.
        KernelError: there is no such kernel, or it can't be read.
        OperationError: picture, kernel, padding and method don't fit together or into the memory, the window lies
            outside the result, or there is no such keyword.

    >>> found = convolve(torch.arange(9.0).reshape(3, 3), [[0, 1], [2, 3]], padding="valid")
    >>> found.after.tolist(), found.window
    ([[[19.0, 25.0], [37.0, 43.0]]], (1, 1))
    """
    _check_words(settings, method)
    laid = as_kernel(kernel, settings)
    name, before = as_numbers(image, color)
    channels, height, width = before.shape
    turn = flag("flip", flip)
    if turn:
        laid = turned(laid)
    zeros = ConvSpec.make(laid.shape, 1, "same", dilation).padding if padding is None else padding
    spec = ConvSpec.make(laid.shape, stride, zeros, dilation, channels)
    if turn and padding in (None, "same"):  # an even kernel reaches further to one side, and turning it turns that, too
        top, bottom, left, right = spec.padding
        spec = ConvSpec(spec.kernel_size, spec.stride, (bottom, top, right, left), spec.dilation, spec.groups)
    place = None if window is None else place_of(window, spec.output_size((height, width)))
    if method == AUTO:
        method = "im2col" if prod(laid.shape) < _FEW else "fft"
    check_room(method, spec, (height, width))
    walk: Any = {"stride": spec.stride, "padding": spec.padding, "dilation": spec.dilation, "groups": channels}
    w_C1RS = laid.tensor().expand(channels, 1, *laid.shape)
    with torch.no_grad():
        after = conv2d(before[None], w_C1RS, **walk, method=method)[0]
        if not bool(after.isfinite().all()):
            raise OperationError("the result has numbers beyond what float32 holds; use smaller weights")
        place = place or strongest(after, spec, (height, width))
        traces = tuple(trace_window(before, w_C1RS, None, spec, k, *place) for k in range(channels))
    return Convolved(name, before, after, laid, spec, method, place, traces, turn, is_numbers(image))


def _check_words(settings: dict[str, Any], method: Any) -> None:
    """Raises OperationError for a keyword or a method that nobody knows."""
    known = {*(convolve.__kwdefaults__ or ()), *(setting for kernel in KERNELS.values() for setting in kernel.settings)}
    for name in settings:
        if name not in known:
            raise OperationError(unknown("keyword", name, known))
    if method not in (AUTO, *METHODS):
        raise OperationError(unknown("method", one_line(str(method)), (AUTO, *METHODS)))


def check_room(method: str, spec: ConvSpec, size: Pair) -> None:
    """Raises OperationError where the numbers would not fit into the memory, before any room is taken."""
    channels, memory = spec.groups, machine_memory()
    out = spec.output_size(size)
    numbers = 4 * channels * (prod(size) + prod(spec.padded_size(size)) + prod(out))
    if numbers <= memory:  # counting what a method takes may take long where even its result is too large
        cost = algorithm_for(method, spec).cost(spec, (1, channels, *size), channels)
        numbers += cost.extra_bytes
        if method == "toeplitz-dense" and 4 * cost.macs > _LARGEST_DENSE:
            raise OperationError(
                f"method 'toeplitz-dense' would make a matrix of {_gigabytes(4 * cost.macs)} GB; use a smaller "
                "picture, or the method 'toeplitz', which leaves its zeros out"
            )
    if numbers > memory:
        raise OperationError(
            f"method '{method}' with {times(out)} numbers out would take {_gigabytes(numbers)} GB and this machine has "
            f"{_gigabytes(memory)}: use less padding, or another method"
        )


def machine_memory() -> int:
    """Bytes of memory that the machine has; where the system doesn't say, more than any."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 1 << 62


def _gigabytes(count: int) -> str:
    return f"{count / 1e9:,.0f}" if count >= 1e10 else f"{count / 1e9:.2g}"


def _facts(values: Tensor) -> dict[str, Any]:
    least, greatest = (float(edge) for edge in values.aminmax())
    return {"shape": tuple(values.shape), "least": least, "greatest": greatest}


def inner(output_size: Sequence[int], spec: ConvSpec, input_size: Sequence[int]) -> tuple[slice, slice] | None:
    """Rows and columns that come out of windows on the picture, where the padding's zeros make no edge of their own."""
    found = []
    for count, size, window in zip(output_size, input_size, spec.windows, strict=True):
        first = -(-window.before // window.stride)
        after_last = min(count, (size + window.before - window.extent) // window.stride + 1)
        if after_last <= first:
            return None
        found.append(slice(first, after_last))
    return found[0], found[1]


def strongest(after: Tensor, spec: ConvSpec, input_size: Pair) -> Pair:
    """Row and column of the number furthest from 0, in whichever channel; the first of equals.

    Among those whose window lies on the picture, if there are any: the padding's zeros make an edge of their own.
    """
    rows, columns = inner(after.shape[1:], spec, input_size) or (slice(0, None), slice(0, None))
    responses = after[:, rows, columns].abs().amax(0)
    row, column = divmod(int(responses.argmax()), responses.shape[1])
    return rows.start + row, columns.start + column


def save_result(convolved: Convolved, path: str | Path, *, overwrite: bool = False) -> int:
    """Write what came out: .npy keeps every number as float32 (C, P, Q), .png is drawn between `after_range`.

    Returns:
        How many numbers lay beyond black and white and were clipped; 0 for .npy.

    Raises:
        NeocogError: another suffix, a file that exists already, or a place that can't be written to.
    """
    target = check_target(path, RESULTS, overwrite=overwrite)
    after, like = convolved.after, convolved.after_range
    with whole_file(target, overwrite=overwrite) as file:
        if target.suffix.lower() == ".npy":
            content = BytesIO()  # into a file itself, numpy wouldn't say why it failed
            np.save(content, after.numpy())
            file.write_bytes(content.getbuffer())
            return 0
        Image.fromarray(displayed(after, like)[0]).save(file, "PNG")
    return clipped(after, like)
