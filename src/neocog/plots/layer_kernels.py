"""The kernels of a layer that reads the picture, as pictures.

Legend: K kernels, C channels of the picture, R S rows and columns of a kernel.
"""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.plots.cells import Scale
from neocog.plots.charts import plural
from neocog.plots.grid import Tile, draw_tiles, in_rows
from neocog.plots.numbers import number
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

MOST_TILES = 512
_ACROSS = (8, 16, 32)
_GREY = 127.5


@styled
def plot_layer_kernels(
    weights_KCRS: NDArray[Any], *, title: str = "Kernels of the first layer", what: str = "kernel"
) -> Figure:
    """The weights of each kernel, in colours that mean the same number everywhere in the figure.

    With three channels each pixel's red, green and blue stand for the three weights: v = 127.5·(1 + w / max|w|), so
    that 0 is mid grey, and a kernel looks like the picture it answers to most. With one channel blue is below 0, white
    0 and orange above; with any other number each channel is a tile of its own. At most 512 tiles are drawn.

    Args:
        weights_KCRS: float, (K, C, R, S).
        title: stands above the figure.
        what: one of the K is called.

    >>> figure = plot_layer_kernels(np.ones((2, 1, 3, 3)))
    >>> print(figure.texts[1].get_text())
    2 kernels of 3×3 · weights from 1 to 1
    """
    count, channels, height, width = weights_KCRS.shape
    most = float(np.abs(weights_KCRS).max()) or 1.0
    ends = f"weights from {number(float(weights_KCRS.min()), 3)} to {number(float(weights_KCRS.max()), 3)}"
    size = f"{height}×{width}" if channels == 1 else f"{channels}×{height}×{width}"
    counted = f"{plural(count, what)} of {size}"
    if channels == 3:
        colours = (_GREY * (1 + weights_KCRS.transpose(0, 2, 3, 1) / most)).round().astype(np.uint8)
        scale = None
        colour = f"mid grey is 0; red, green and blue run from {number(-most, 3)} (dark) to {number(most, 3)} (bright)"
    else:
        scale = Scale(-most, most, grey=False)
        colours = scale.paint(weights_KCRS.reshape(-1, width)).reshape(-1, height, width, 3)
        colour = "" if channels == 1 else f"each kernel's {channels} channels side by side"
    shown = colours[:MOST_TILES]
    left = f"the first {MOST_TILES} of {len(colours):,} are drawn" if len(colours) > MOST_TILES else ""
    tiles = [Tile(pixels) for pixels in shown]
    columns = _columns(len(tiles))
    if channels not in (1, 3):
        if channels <= _ACROSS[-1]:
            columns = max(1, columns // channels) * channels
            colour += f", {plural(columns // channels, what)} a row"
        else:
            colour += " and on over the rows"
    caption = " · ".join(text for text in (counted, ends, colour, left) if text)
    return draw_tiles(in_rows(tiles, columns), title=title, caption=caption, scale=scale)


def _columns(count: int) -> int:
    """Tiles in a row: a power of two, as numbers of kernels are, and about twice as many as rows."""
    return min(count, next((across for across in _ACROSS if across >= sqrt(2 * count) - 4), ceil(sqrt(2 * count))))
