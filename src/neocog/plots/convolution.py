"""A picture, the kernel laid on it and what comes out, side by side; and a kernel by itself."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.ops.spec import ConvSpec, times
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
# Inches: across, for picture and result together; down, for the taller of them; the longer side of a result, at least;
# for a kernel, and for one by itself.
_BOTH, _TALLEST, _LEAST_RESULT, _KERNEL, _ALONE = 7.3, 4.5, 2.2, 2.9, 4.5
_NAME, _LINE = 36, 52  # letters
_LEAST_HATCHED = 0.04  # inches of padding that can be seen
HATCHED = "hatched: padding, which counts as 0"


@styled
def plot_convolution(convolved: Convolved) -> Figure:
    """Picture ⋆ kernel = result, with the numbers in the cells where they can be read, and one window outlined.

    Between picture and kernel stands ⋆ for a cross-correlation, ∗ for a true convolution (flip=True). Numbers from 0 to
    255 have the grey or the colour that they stand for; what other colours stand for, a bar or the caption tells.
    The picture's padding is hatched. A small result has larger cells than the picture.

    Args:
        convolved: what `neocog.filtering.convolve` gives.

    >>> from neocog.filtering import convolve
    >>> figure = plot_convolution(convolve("digit:7", "sobel"))
    >>> [axes.get_label() for axes in figure.axes]
    ['digit:7 (label 9)', 'sobel', 'result', 'colour bar']
    """
    spec = convolved.spec
    size, result_size = convolved.before.shape[1:], convolved.after.shape[1:]
    rows, columns = padded_ranges(spec, size)
    edge = min(LARGEST, _BOTH / (len(columns) + result_size[1]), _TALLEST / max(len(rows), result_size[0]))
    result_edge = max(edge, min(LARGEST, _LEAST_RESULT / max(result_size)))
    before, after = shades(convolved)
    picture = picture_panel(
        before,
        edge,
        (rows, columns),
        head=short(convolved.picture),
        detail=_size_text(convolved.before) + _padding_text(spec),
        marked=convolved.box,
        dotted=taps(convolved),
    )
    result = picture_panel(
        after,
        result_edge,
        head="result",
        detail=f"{_size_text(convolved.after)}\n{_formula_text(spec, size)}",
        marked=(*convolved.window, 1, 1),
    )
    kernel = weights_panel(
        short(convolved.kernel.name),
        walk_text(spec),
        np.array(convolved.kernel.rows),
        min(LARGEST, _KERNEL / max(convolved.kernel.shape)),
    )
    facts = [window_text(convolved), sign_text(convolved)]
    if max(spec.padding) * edge >= _LEAST_HATCHED:
        facts.append(HATCHED)
    if result_edge > edge:
        facts.append("the result's cells are drawn larger than the picture's")
    if len(convolved.before) == 3 and (picture.written or result.written):
        facts.append("three numbers in a cell: red, green and blue, from the top down")
    facts += before.text("the picture") + after.text("the result")
    return side_by_side([picture, "∗" if convolved.flip else "⋆", kernel, "=", result], caption="\n".join(facts))


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


@dataclass(frozen=True)
class Shades:
    """A picture or a result, (C, H, W), the greys that it is drawn in, and what black and white stand for."""

    values_CHW: Tensor
    greys_HWC: NDArray[np.uint8]
    low: float
    high: float

    @classmethod
    def of(cls, values_CHW: Tensor, pixels: NDArray[np.uint8], low: float, high: float) -> Shades:
        """What `neocog.filtering.displayed` made of the numbers."""
        return cls(values_CHW, pixels if pixels.ndim == 3 else pixels[..., None], low, high)

    def channel(self, channel: int) -> Shades:
        """One channel by itself, on the scale of all."""
        one = slice(channel, channel + 1)
        return Shades(self.values_CHW[one], self.greys_HWC[..., one], self.low, self.high)

    @property
    def colours_HW3(self) -> NDArray[np.uint8]:
        """Greys, or the colours of three channels; one channel with negative numbers is blue and orange."""
        if len(self.values_CHW) == 1 and self.low < 0:
            return Scale(self.low, self.high, grey=False).paint(self.values_CHW[0].numpy())
        return np.broadcast_to(self.greys_HWC, (*self.greys_HWC.shape[:2], 3))

    @property
    def bar(self) -> Scale | None:
        """What the colours stand for, unless it is what they always do; a bar can't tell it of three channels."""
        if (self.low, self.high) == (0, 255) or len(self.values_CHW) == 3:
            return None
        return Scale(self.low, self.high, grey=self.low >= 0)

    def text(self, name: str) -> list[str]:
        """What neither a bar nor the colours themselves tell, line by line."""
        from neocog.filtering import clipped

        low, high = number(self.low, 3), number(self.high, 3)
        lines = []
        if len(self.values_CHW) == 3 and (self.low, self.high) != (0, 255):
            middle = "mid grey is 0, " if self.low < 0 else ""
            lines.append(f"colours of {name}, each channel by itself: {middle}black is {low}, white {high}")
        beyond = clipped(self.values_CHW, (self.low, self.high))
        if beyond:
            numbers = f"{beyond:,} numbers" if beyond > 1 else "1 number"
            lines.append(f"{numbers} of {name} beyond {low}…{high}: drawn as {low} or {high}")
        return lines


def shades(convolved: Convolved) -> tuple[Shades, Shades]:
    """What picture and result look like."""
    from neocog.filtering import displayed

    pictures = (convolved.before, convolved.before_range), (convolved.after, convolved.after_range)
    before, after = (Shades.of(values_CHW, *displayed(values_CHW, like)) for values_CHW, like in pictures)
    return before, after


def picture_panel(
    shades: Shades,
    edge: float,
    seen: tuple[range, range] | None = None,
    *,
    head: str,
    detail: str,
    marked: Box,
    dotted: Sequence[Box] = (),
) -> Panel:
    """A picture or a result, or the rows and columns of it that are to be seen."""
    rows, columns = seen or tuple(range(length) for length in shades.values_CHW.shape[1:])
    first = max(rows.start, 0), max(columns.start, 0)
    inside = np.s_[first[0] : max(rows.stop, 0), first[1] : max(columns.stop, 0)]
    texts = written(shades.values_CHW.permute(1, 2, 0).numpy()[inside], edge)
    bar = shades.bar if not texts or shades.low < 0 else None
    return Panel(head, detail, shades.colours_HW3[inside], edge, rows, columns, first, texts, marked, dotted, bar=bar)


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


def taps(convolved: Convolved) -> list[Box]:
    """The pixels that a dilated window reads, one by one; none for a window that reads all it spans."""
    if max(convolved.spec.dilation) == 1:
        return []
    return [(term.row, term.column, 1, 1) for term in convolved.traces[0].terms]


def window_text(convolved: Convolved) -> str:
    """Where the outlined window lies, and what comes out of it: also what the method gave, if rounded otherwise."""
    (row, column, _, _), (p, q) = convolved.box, convolved.window
    values = [value_text(trace) for trace in convolved.traces]
    if len(values) > 1:
        values = [f"{name} {value}" for name, value in zip(CHANNELS, values, strict=True)]
    lines = [
        f"outlined: the window that begins at row {number(row)}, column {number(column)} of the picture",
        f"gives row {p}, column {q} of the result: {', '.join(values)}",
    ]
    outputs = [convolved.output(channel) for channel in range(len(convolved.traces))]
    for output, trace in zip(outputs, convolved.traces, strict=True):
        if abs(output - float(trace.shown)) > trace.rounding:
            lines.append(f"method {convolved.method} gave {np.float32(output)} here".replace("-", "−"))
    return "\n".join(lines)


def sign_text(convolved: Convolved) -> str:
    """Which of the two convolutions it is, and what computed it where that isn't the usual method."""
    text = "⋆ is cross-correlation: the kernel lies on the picture as it stands"
    if convolved.flip:
        text = "∗ is convolution: the kernel is shown as it lies on the picture, turned by 180°"
    return text if convolved.method == "im2col" else f"{text}\ncomputed by {convolved.method}"


def value_text(trace: Trace) -> str:
    """What the products come to, with no digit that depends on the order of adding."""
    return trace.shown.replace("-", "−")


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
