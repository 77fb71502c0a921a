"""Pictures drawn with signs: two dots of colour in each cell of a terminal, or without colour a ramp of signs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import zip_longest
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neocog.ops.spec import times

if TYPE_CHECKING:
    from torch import Tensor

    from neocog.filtering import Convolved
    from neocog.kernels import Kernel
    from neocog.ops.trace import Trace

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # top, left, height and width, in pixels of the picture

SIGNS = " .,:-=+*#%@"  # from black to white by ink; an odd number, so that one of them is mid grey, which 0 often is
LINES = 30  # a drawing should fit into a window together with what is said below it
LARGEST = 8  # dots for one pixel of a tiny picture, along each side
MARK = (255, 48, 48)
GAP = 2
LABEL = 10
MOST_PRODUCTS = 100  # of one window, in text


def picture_text(pixels: Pixels, columns: int, *, colour: bool, lines: int = LINES, box: Box | None = None) -> str:
    """A picture as lines of text, at most `columns` wide, in its own proportions.

    A cell of a terminal is about twice as high as wide. With colour it shows two dots, the upper one as the colour of
    `▀` and the lower one as the background; without, one sign for the mean of both. Large pictures are shrunk by area
    averaging, tiny ones enlarged by whole numbers.

    Args:
        pixels: uint8 (H, W) or (H, W, 3).
        columns: how wide the text may be.
        colour: whether to write 24-bit colours (ANSI); else plain signs.
        lines: how high it may be.
        box: pixels to draw a frame around.

    >>> print(picture_text(np.array([[0, 255, 0], [255, 0, 255]], np.uint8).repeat(4, 0), 3, colour=False))
     @
     @
    @ @
    @ @
    """
    return "\n".join(
        line.rstrip() for line in drawn(pixels, scale_of([pixels.shape[:2]], columns, lines), colour=colour, box=box)
    )


def side_by_side(
    left: Pixels,
    right: Pixels,
    columns: int,
    *,
    colour: bool,
    titles: tuple[str, str],
    boxes: tuple[Box | None, Box | None] = (None, None),
    lines: int = LINES,
) -> str:
    """Two pictures on one scale, each under its title, together at most `columns` wide."""
    half = (columns - GAP) // 2
    scale = scale_of([left.shape[:2], right.shape[:2]], half, lines)
    one, other = (
        drawn(pixels, scale, colour=colour, box=box) for pixels, box in zip((left, right), boxes, strict=True)
    )
    width = max(dots(left.shape, scale)[1], min(len(titles[0]), half))
    blank = " " * dots(left.shape, scale)[1]
    indent = " " * (width - len(blank) + GAP)
    pairs = zip_longest(one, other, fillvalue=None)
    lines_ = [f"{blank if a is None else a}{indent}{'' if b is None else b}" for a, b in pairs]
    return "\n".join(line.rstrip() for line in [f"{titles[0]:<{width}}{' ' * GAP}{titles[1]}", *lines_])


def scale_of(sizes: Sequence[Sequence[int]], columns: int, lines: int) -> float:
    """Dots for a pixel, along each side, that make pictures of all these sizes fit; whole where it enlarges."""
    rooms = [min(columns / width, 2 * lines / height) for height, width in sizes]
    scale = min(*rooms, LARGEST)
    return float(floor(scale)) if scale > 1 else scale


def dots(size: Sequence[int], scale: float) -> tuple[int, int]:
    """How many dots high and wide a picture is drawn."""
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def drawn(pixels: Pixels, scale: float, *, colour: bool, box: Box | None = None) -> list[str]:
    """The lines of a drawing, all of the same width."""
    high, wide = dots(pixels.shape, scale)
    if colour:
        image = Image.fromarray(pixels).convert("RGB").resize((wide, high), Image.Resampling.BOX)
        dots_HWC = np.array(image)
        if box is not None:
            for row, column, _ in frame(box, scale, scale, (high, wide)):
                dots_HWC[row, column] = MARK
        return [coloured(dots_HWC[row : row + 2]) for row in range(0, high, 2)]
    rows = ceil(high / 2)
    image = Image.fromarray(pixels).convert("L").resize((wide, rows), Image.Resampling.BOX)
    signs = [[SIGNS[round(value / 255 * (len(SIGNS) - 1))] for value in line] for line in np.asarray(image).tolist()]
    if box is not None:
        for row, column, sign in frame(box, scale / 2, scale, (rows, wide)):
            signs[row][column] = sign
    return ["".join(line) for line in signs]


def coloured(pair_HWC: Pixels) -> str:
    """One line of cells, from one or two rows of dots; a colour is written where it changes."""
    parts: list[str] = []
    last: tuple[list[int], list[int] | None] | None = None
    below = pair_HWC[1].tolist() if len(pair_HWC) == 2 else [None] * pair_HWC.shape[1]
    for colours in zip(pair_HWC[0].tolist(), below, strict=True):
        if colours != last:
            upper, lower = colours
            ground = "49" if lower is None else "48;2;{};{};{}".format(*lower)
            parts.append("\x1b[38;2;{};{};{};{}m".format(*upper, ground))
            last = colours
        parts.append("▀")
    return "".join(parts) + "\x1b[0m"


def frame(box: Box, down: float, across: float, size: tuple[int, int]) -> list[tuple[int, int, str]]:
    """Row, column and sign of the cells around a box, as far as they are on the drawing."""
    top, left = floor(box[0] * down) - 1, floor(box[1] * across) - 1
    bottom, right = ceil((box[0] + box[2]) * down), ceil((box[1] + box[3]) * across)
    cells = [(row, column, "─") for row in (top, bottom) for column in range(left + 1, right)]
    cells += [(row, column, "│") for column in (left, right) for row in range(top + 1, bottom)]
    cells += [(top, left, "┌"), (top, right, "┐"), (bottom, left, "└"), (bottom, right, "┘")]
    return [cell for cell in cells if 0 <= cell[0] < size[0] and 0 <= cell[1] < size[1]]


def convolved_text(found: Convolved, columns: int, *, colour: bool) -> str:
    """Both pictures, the kernel, the sizes, the ranges of the numbers, and one window's arithmetic, `columns` wide."""
    from neocog.filtering import strongest

    row, column = found.window
    size_before, size_after = found.before.shape[1:], found.after.shape[1:]
    scale = min(1.0, scale_of([size_before, size_after], (columns - GAP) // 2, LINES))
    (before, before_range), (after, after_range) = (shown(values, scale) for values in (found.before, found.after))
    top, left, height, width = (scale * place for place in found.box)
    pictures = side_by_side(
        before,
        after,
        columns,
        colour=colour,
        titles=(f"before {times(size_before)}", f"after {times(size_after)}"),
        boxes=((top, left, height, width), (scale * row, scale * column, scale, scale)),
    )
    kind = "true convolution, the kernel turned by 180°" if found.flip else "cross-correlation, the kernel as it is"
    height, width = found.before.shape[1:]
    loudest = ", the strongest response" if found.window == strongest(found.after, found.spec, (height, width)) else ""
    facts = [
        ("kernel", kernel_text(found.kernel, columns - LABEL)),
        ("rows", found.spec.formula(size_before)[0]),
        ("columns", found.spec.formula(size_before)[1]),
        ("before", before_range),
        ("after", after_range),
        ("signs", "" if colour else f"'{SIGNS}' from black to white"),
        ("dots", f"each is the mean of about {1 / scale:.2g}×{1 / scale:.2g} numbers" if scale < 1 else ""),
        ("window", f"row {row}, column {column} of what comes out{loudest}"),
    ]
    lines = [
        f"{'' if place else label:<{LABEL}}{line}"
        for label, text in facts
        for place, line in enumerate(text.split("\n"))
        if text
    ]
    head = f"{found.picture} under {found.kernel.name}, {times(found.kernel.shape)}\n{kind}; method {found.method}"
    return "\n\n".join([head, pictures, "\n".join(lines), *traces_text(found.traces)])


def kernel_text(kernel: Kernel, columns: int) -> str:
    """The kernel's numbers, or what can be said of them where they are too many for the width."""
    text = kernel.text()
    if max(len(line) for line in text.split("\n")) <= columns:
        return text
    weights = [weight for row in kernel.rows for weight in row]
    return (
        f"{len(weights)} numbers from {min(weights):.4g} to {max(weights):.4g}, sum {kernel.total:.6g}\n"
        "too wide for here; --json has them"
    )


def traces_text(traces: Sequence[Trace]) -> list[str]:
    """The arithmetic of one window, channel by channel, or only its sums where it has too many products."""
    names = ("red", "green", "blue") if len(traces) == 3 else ("",)
    products = len(traces[0].terms)
    if products <= MOST_PRODUCTS:
        return [f"{name}\n{trace.text()}".lstrip() for name, trace in zip(names, traces, strict=True)]
    sums = ", ".join(f"{name} {trace.shown}".lstrip() for name, trace in zip(names, traces, strict=True))
    return [f"sum of {products} products: {sums}\ntoo many for here; --json has them"]


def shown(values_CHW: Tensor, scale: float) -> tuple[Pixels, str]:
    """Numbers as pixels, means of areas where they are shrunk, with a sentence on what the colours stand for.

    The means are of the numbers and not of their colours: edges nearly cancel out, and would all be mid grey.
    """
    from torch.nn.functional import adaptive_avg_pool2d

    from neocog.filtering import displayed

    least, greatest = (float(edge) for edge in values_CHW.aminmax())
    if scale < 1:
        values_CHW = adaptive_avg_pool2d(values_CHW, dots(values_CHW.shape[1:], scale))
    pixels, low, high = displayed(values_CHW)
    middle = "0 mid grey, " if low < 0 else ""
    return pixels, f"{least:.6g} to {greatest:.6g}; drawn with {low:.4g} black, {middle}{high:.4g} white"
