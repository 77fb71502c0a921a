"""A picture, the kernel laid on it and what comes out, side by side; and a kernel by itself."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.ops.spec import ConvSpec, Pair, times
from neocog.plots.cells import LARGEST, Box, Panel, Scale, side_by_side
from neocog.plots.numbers import number, written
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray
    from torch import Tensor

    from neocog.filtering import Convolved
    from neocog.kernels import Kernel
    from neocog.ops.trace import Trace

CHANNELS = ("red", "green", "blue")
# Inches: across, for picture and result together; down, for the taller of them; for a kernel, and for one by itself.
_BOTH, _TALLEST, _KERNEL, _ALONE = 7.3, 4.5, 2.9, 4.5
_NAME, _LINE, _VALUE = 36, 52, 8  # letters


@styled
def plot_convolution(convolved: Convolved) -> Figure:
    """Picture ∗ kernel = result, with the numbers in the cells where they can be read, and one window outlined.

    Numbers from 0 to 255 have the grey or the colour that they stand for; what other colours stand for, a bar tells.
    The picture's padding is hatched.

    Args:
        convolved: what `neocog.filtering.convolve` gives.

    >>> from neocog.filtering import convolve
    >>> figure = plot_convolution(convolve("digit:7", "sobel"))
    >>> [axes.get_label() for axes in figure.axes]
    ['digit:7 (label 9)', 'sobel', 'result', 'colour bar']
    """
    spec, (p, q) = convolved.spec, convolved.window
    size, result_size = convolved.before.shape[1:], convolved.after.shape[1:]
    rows, columns = padded_ranges(spec, size)
    edge = min(LARGEST, _BOTH / (len(columns) + result_size[1]), _TALLEST / max(len(rows), result_size[0]))
    picture = picture_panel(
        convolved.before,
        edge,
        (rows, columns),
        head=short(convolved.picture),
        detail=_size_text(convolved.before) + _padding_text(spec),
        marked=window_box(spec, convolved.window),
    )
    result = picture_panel(
        convolved.after,
        edge,
        head="result",
        detail=f"{_size_text(convolved.after)}\n{_formula_text(spec, size)}",
        marked=(p, q, 1, 1),
    )
    kernel = weights_panel(
        short(convolved.kernel.name),
        walk_text(spec),
        np.array(convolved.kernel.rows),
        min(LARGEST, _KERNEL / max(convolved.kernel.shape)),
    )
    return side_by_side([picture, "∗", kernel, "=", result], caption=window_text(convolved))


@styled
def plot_kernel(kernel: Kernel) -> Figure:
    """The weights of one kernel, as numbers where they can be read, with their sum and what the kernel is about.

    >>> from neocog.kernels import kernel
    >>> [axes.get_label() for axes in plot_kernel(kernel("gabor", size=21)).axes]
    ['gabor', 'colour bar']
    """
    edge = min(LARGEST, _ALONE / max(kernel.shape))
    detail = f"{times(kernel.shape)}, sum {number(kernel.total)}"
    panel = weights_panel(short(kernel.name), detail, np.array(kernel.rows), edge)
    return side_by_side([panel], caption=textwrap.fill(kernel.about, _LINE))


def picture_panel(
    x_CHW: Tensor,
    edge: float,
    seen: tuple[range, range] | None = None,
    *,
    head: str,
    detail: str,
    marked: Box,
    dotted: Sequence[Box] = (),
) -> Panel:
    """A picture or a result, (1, H, W) or (3, H, W), or the rows and columns of it that are to be seen."""
    from neocog.filtering import displayed

    rows, columns = seen or tuple(range(length) for length in x_CHW.shape[1:])
    first = max(rows.start, 0), max(columns.start, 0)
    inside = np.s_[first[0] : max(rows.stop, 0), first[1] : max(columns.stop, 0)]
    values_HWC = x_CHW.permute(1, 2, 0).numpy()
    texts = written(values_HWC[inside], edge)
    colours, low, high = displayed(x_CHW)
    scale = Scale(low, high, grey=low >= 0 or len(x_CHW) == 3)
    if len(x_CHW) == 1:
        # Where numbers tell how large they are, the largest may be white, so that cells differ.
        scale = Scale.of(values_HWC, grey=True) if texts else scale
        colours = scale.paint(values_HWC[..., 0])
    bar = scale if low < 0 or (not texts and high != 255) else None
    return Panel(head, detail, colours[inside], edge, rows, columns, first, texts, marked, dotted, bar=bar)


def weights_panel(head: str, detail: str, weights_RS: NDArray[Any], edge: float) -> Panel:
    """Weights or products, on a scale that is white at 0 whether or not some are negative."""
    texts, scale = written(weights_RS[..., None], edge), Scale.of(weights_RS)
    rows, columns = (range(length) for length in weights_RS.shape)
    return Panel(
        head,
        detail,
        scale.paint(weights_RS),
        edge,
        rows,
        columns,
        written=texts,
        numbered=False,
        bar=None if texts else scale,
    )


def padded_ranges(spec: ConvSpec, size: Sequence[int]) -> tuple[range, range]:
    """Rows and columns of a picture with its padding, counted from the first pixel on."""
    top, bottom, left, right = spec.padding
    return range(-top, size[0] + bottom), range(-left, size[1] + right)


def window_box(spec: ConvSpec, window: Pair) -> Box:
    """What the window of one output number spans on the picture."""
    (top, _, left, _), (p, q) = spec.padding, window
    return (p * spec.stride[0] - top, q * spec.stride[1] - left, *spec.extent)


def window_text(convolved: Convolved) -> str:
    """Where the outlined window lies, and what comes out of it."""
    (row, column, _, _), (p, q) = window_box(convolved.spec, convolved.window), convolved.window
    values = [value_text(trace) for trace in convolved.traces]
    if len(values) > 1:
        values = [f"{name} {value}" for name, value in zip(CHANNELS, values, strict=True)]
    return (
        f"outlined: the window that begins at row {number(row)}, column {number(column)} of the picture\n"
        f"gives row {p}, column {q} of the result: {', '.join(values)}"
    )


def value_text(trace: Trace) -> str:
    """What the products come to, with no digit that depends on the order of adding."""
    full = number(float(trace.shown), 9)
    return full if len(full) <= _VALUE else number(float(trace.shown), 6)


def short(name: str) -> str:
    """A name on one line, a long one without its middle."""
    line = " ".join(name.split())
    return line if len(line) <= _NAME else f"{line[: _NAME // 2]}…{line[1 - _NAME // 2 :]}"


def walk_text(spec: ConvSpec) -> str:
    """The kernel's size, and how it walks where that isn't pixel by pixel."""
    parts = [times(spec.kernel_size)]
    for name, pair in (("stride", spec.stride), ("dilation", spec.dilation)):
        if pair != (1, 1):
            parts.append(f"{name} {pair[0] if pair[0] == pair[1] else times(pair)}")
    return ", ".join(parts)


def _size_text(x_CHW: Tensor) -> str:
    return times(x_CHW.shape[1:]) + (", RGB" if len(x_CHW) == 3 else "")


def _padding_text(spec: ConvSpec) -> str:
    top, bottom, left, right = spec.padding
    if not any(spec.padding):
        return ""
    if len({*spec.padding}) == 1:
        return f", padding {top}"
    return f"\npadding: top {top}, bottom {bottom}, left {left}, right {right}"


def _formula_text(spec: ConvSpec, size: Sequence[int]) -> str:
    rows, columns = spec.formula(size)
    return rows if rows == columns else f"rows {rows}\ncolumns {columns}"
