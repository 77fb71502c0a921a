"""Pictures drawn with signs: two dots of colour in each cell of a terminal, or without colour a ramp of signs."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from itertools import zip_longest
from math import ceil, floor
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from neocog.ops.spec import times
from neocog.untrusted import shown_lines

if TYPE_CHECKING:
    from torch import Tensor

    from neocog.filtering import Convolved
    from neocog.kernels import Kernel

Pixels = NDArray[np.uint8]
Box = tuple[float, float, float, float]  # top, left, height and width, in pixels of the picture

SIGNS = " .,:-=+*#%@"  # from black to white by ink; an odd number, so that one of them is mid grey, which 0 often is
LINES = 30  # a drawing should fit into a window together with what is said below it
LARGEST = 8  # dots for one pixel of a tiny picture, along each side
MARK = (255, 48, 48)
GAP = 2
LABEL = 10
LEAST = 20  # columns; nothing is made narrower
NARROW = 40  # columns below which a label has a line of its own
CHANNELS = ("red", "green", "blue")


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
    heads = [textwrap.wrap(title, half) for title in titles]
    one, other = (
        drawn(pixels, scale, colour=colour, box=box) for pixels, box in zip((left, right), boxes, strict=True)
    )
    width = max([dots(left.shape, scale)[1], *(len(line) for line in heads[0])])
    blank = " " * dots(left.shape, scale)[1]
    indent = " " * (width - len(blank) + GAP)
    title = [f"{a:<{width}}{' ' * GAP}{b}" for a, b in zip_longest(*heads, fillvalue="")]
    pairs = zip_longest(one, other, fillvalue=None)
    drawing = [f"{blank if a is None else a}{indent}{'' if b is None else b}" for a, b in pairs]
    return "\n".join(line.rstrip() for line in [*title, *drawing])


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
    """Row, column and sign of the cells around a box, or at the drawing's edge where the box reaches there."""
    top, left = floor(box[0] * down) - 1, floor(box[1] * across) - 1
    bottom, right = ceil((box[0] + box[2]) * down), ceil((box[1] + box[3]) * across)
    if bottom < 0 or right < 0 or top >= size[0] or left >= size[1]:
        return []
    top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, size[0] - 1), min(right, size[1] - 1)
    cells = [(row, column, "─") for row in (top, bottom) for column in range(left + 1, right)]
    cells += [(row, column, "│") for column in (left, right) for row in range(top + 1, bottom)]
    return [*cells, (top, left, "┌"), (top, right, "┐"), (bottom, left, "└"), (bottom, right, "┘")]


def in_256_colours(text: str) -> str:
    """The same drawing for a terminal that has 256 colours: each becomes the nearest of those."""
    from rich.color import Color, ColorSystem

    def nearest(found: re.Match[str]) -> str:
        red, green, blue = (int(part) for part in found[2].split(";"))
        return f"{found[1]};5;{Color.from_rgb(red, green, blue).downgrade(ColorSystem.EIGHT_BIT).number}"

    return re.sub(r"\b([34]8);2;(\d+;\d+;\d+)", nearest, text)


def convolved_text(found: Convolved, columns: int, *, colour: bool, every: bool = False) -> str:
    """Both pictures, the kernel, the sizes, the ranges of the numbers, and one window's arithmetic, `columns` wide.

    Of a picture in colours, the channel with the strongest response is taken apart, or every one.
    """
    columns = max(columns, LEAST)
    row, column = found.window
    size_before, size_after = found.before.shape[1:], found.after.shape[1:]
    scale = min(1.0, scale_of([size_before, size_after], (columns - GAP) // 2, LINES))
    before, before_range = shown(found.before, found.before_range, scale)
    after, after_range = shown(found.after, found.after_range, scale, found.inner)
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
    signs = f"'{SIGNS}'".replace(" ", "\xa0")  # so that no line breaks there
    facts = [
        ("kernel", kernel_text(found.kernel, columns - indent_of(columns))),
        ("rows", found.spec.formula(size_before)[0]),
        ("columns", found.spec.formula(size_before)[1]),
        ("before", before_range),
        ("after", after_range),
        ("signs", "" if colour else f"{signs} from black to white"),
        ("dots", f"each is the mean of about {1 / scale:.2g}×{1 / scale:.2g} numbers" if scale < 1 else ""),
        ("window", f"row {row}, column {column} of what comes out{loudness(found)}"),
    ]
    lines = [line for label, text in facts if text for line in labelled(label, text, columns)]
    head = shown_lines(f"{found.picture} under {found.kernel.name}, {times(found.kernel.shape)}")
    heads = [filled(line, columns) for line in (head, f"{kind}; method {found.method}")]
    return "\n\n".join(["\n".join(heads), pictures, "\n".join(lines), *traces_text(found, columns, every)])


def loudness(found: Convolved) -> str:
    """What is special about the window, as the end of a sentence."""
    from neocog.filtering import strongest

    height, width = found.before.shape[1:]
    if found.window != strongest(found.after, found.spec, (height, width)):
        return ""
    if found.inner is None:
        return ", the strongest response; no window lies on the picture"
    if not any(found.output(channel) for channel in range(len(found.traces))):
        return "; all responses whose window lies on the picture are 0"
    return ", the strongest response whose window lies on the picture"


def labelled(label: str, text: str, columns: int) -> list[str]:
    """A text behind its label, or below it where there is little room."""
    indent = indent_of(columns)
    lines = [line for part in text.split("\n") for line in filled(part, columns - indent).split("\n")]
    if indent < LABEL:
        return [label, *(" " * indent + line for line in lines)]
    return [f"{label if place == 0 else '':<{LABEL}}{line}" for place, line in enumerate(lines)]


def indent_of(columns: int) -> int:
    """Columns that the labels take."""
    return 2 if columns < NARROW else LABEL


def filled(text: str, columns: int) -> str:
    """A text in lines that are not too long; one that is short enough stays as it is."""
    lines = [text] if len(text) <= columns else textwrap.wrap(text, columns, break_on_hyphens=False)
    return "\n".join(lines).replace("\xa0", " ")


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


def traces_text(found: Convolved, columns: int, every: bool) -> list[str]:
    """The arithmetic of one window: of every channel, or of the strongest, with one line for each of the others."""
    names = CHANNELS if len(found.traces) == 3 else ("grey",)
    largest = max(range(len(names)), key=lambda channel: abs(found.output(channel)))
    full, short = [], []
    for channel, (name, trace) in enumerate(zip(names, found.traces, strict=True)):
        if channel == largest or every:
            full.append("\n".join([trace.text(columns, heading=name), *said(found, channel, columns)]))
        else:
            short += [filled(f"{name}: sum {trace.total}", columns), *said(found, channel, columns)]
    if short:
        row, column = found.window
        short.append(filled(f"--window {row},{column} writes them all out", columns))
    return [*full, "\n".join(short)] if short else full


def said(found: Convolved, channel: int, columns: int) -> list[str]:
    """What the method gave, where that isn't what every order of adding in float32 gives."""
    output, trace = found.output(channel), found.traces[channel]
    if abs(output - float(trace.shown)) <= trace.rounding:
        return []
    return [filled(f"method {found.method} gave {str(np.float32(output)).removesuffix('.0')} here", columns)]


def shown(
    values_CHW: Tensor, like: tuple[float, float], scale: float, inner: tuple[slice, slice] | None = None
) -> tuple[Pixels, str]:
    """Numbers as pixels, means of areas where they are shrunk, with a sentence on what the colours stand for.

    The means are of the numbers and not of their colours. They have a scale of their own where numbers aren't drawn as
    a picture's: edges nearly cancel out, and would all be mid grey. `inner` is what to tell it from.
    """
    from torch.nn.functional import adaptive_avg_pool2d

    from neocog.filtering import GREYS, clipped, displayed, grey_range

    least, greatest = (float(edge) for edge in values_CHW.aminmax())
    what = "numbers"
    if scale < 1:
        what = "dots"
        values_CHW = adaptive_avg_pool2d(values_CHW, dots(values_CHW.shape[1:], scale))
        if like != GREYS:
            inside = [slice(ceil(part.start * scale), floor(part.stop * scale)) for part in inner or ()]
            part_CHW = values_CHW[:, *inside]
            furthest = grey_range(part_CHW if part_CHW.numel() else values_CHW, as_picture=False)[1]
            like = (-furthest if like[0] < 0 else 0.0), furthest
    pixels, low, high = displayed(values_CHW, like)
    middle = "0 mid grey, " if low < 0 else ""
    beyond = clipped(values_CHW, like)
    lost = f"; clipped: {beyond:,} {what}" if beyond else ""
    return pixels, f"{least:.6g} to {greatest:.6g}; drawn with {low:.4g} black, {middle}{high:.4g} white{lost}"
