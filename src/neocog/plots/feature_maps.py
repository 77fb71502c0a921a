"""What a layer makes of a picture: its maps as tiles on one scale."""

from __future__ import annotations

from math import ceil, sqrt
from typing import TYPE_CHECKING

import numpy as np

from neocog.layers.layer import shape_text
from neocog.plots.cells import Scale
from neocog.plots.charts import plural
from neocog.plots.grid import Tile, draw_tiles, in_rows
from neocog.plots.numbers import number
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.explanations.maps import FeatureMaps

_MOST, _MOST_ACROSS = 64, 8  # maps
_ACROSS = 32  # values of a vector in a row, or more where there are many
_STRIP = 5.0  # inches of a vector
_MOST_FEW, _FEW = 3, 2.2  # maps, and inches of each of so few
_REST = 0xB4  # a grey that no value has


@styled
def plot_feature_maps(maps: FeatureMaps) -> Figure:
    """Every map of a layer, or the 64 whose largest absolute value is largest, all in the same colours.

    White is 0 everywhere, orange above and blue below. Below each map stands its channel, from 0. A vector, or maps of
    one pixel, are drawn as cells, row by row, all of them; grey is where they have ended.
    """
    channels, height, width = maps.maps_CHW.shape
    is_vector = height == width == 1
    scale = Scale.of(maps.maps_CHW)
    if is_vector:
        tiles = [Tile(_strip(scale, maps.maps_CHW.ravel()))]
        what = f"{plural(channels, 'value')}, from left to right, {tiles[0].size[1]} in a row"
    else:
        shown = maps.strongest(_MOST)
        values = maps.maps_CHW[list(shown)]
        colours = scale.paint(values.reshape(len(shown), -1)).reshape(*values.shape, 3)  # at once: each call is slow
        tiles = [Tile(each, (str(channel),)) for channel, each in zip(shown, colours, strict=True)]
        what = f"{plural(channels, 'map')} of {height}×{width}, numbered from 0"
        if len(shown) < channels:
            what += f"; drawn are the {len(shown)} with the largest values, whatever their sign"
    least, most = (number(float(end), 3) for end in (maps.maps_CHW.min(), maps.maps_CHW.max()))
    zeros = float((maps.maps_CHW == 0).mean())
    nothing = f"; {zeros * 100:.0f} % of them are 0" if zeros else ""
    return draw_tiles(
        in_rows(tiles, min(len(tiles), _MOST_ACROSS)),
        title=f"What {maps.layer} gives: {shape_text(maps.layer.output_shape)}",
        caption=f"{what}; values from {least} to {most}{nothing}",
        side=_STRIP if is_vector else _FEW if len(tiles) <= _MOST_FEW else None,
        scale=scale,
    )


def maps_and_kernels(maps: FeatureMaps, prefix: str = "") -> dict[str, Figure]:
    """The maps of a layer, and of a convolution its kernels as well, under the names of their files."""
    from torch import nn

    from neocog.plots.layer_kernels import plot_layer_kernels

    found, module = {f"{prefix}maps": plot_feature_maps(maps)}, maps.layer.module
    if isinstance(module, nn.Conv2d):
        weights = module.weight.detach().float().cpu().numpy()
        found[f"{prefix}kernels"] = plot_layer_kernels(weights, title=f"Kernels of {maps.layer}")
    return found


def _strip(scale: Scale, values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Values row by row, in colours (H, W, 3): a row, or about four times as wide as high."""
    across = min(len(values), max(_ACROSS, ceil(sqrt(4 * len(values)))))
    down = ceil(len(values) / across)
    colours = np.full((down * across, 3), _REST, dtype=np.uint8)
    colours[: len(values)] = scale.paint(values[None])[0]
    return colours.reshape(down, across, 3)
