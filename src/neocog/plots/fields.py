"""A receptive field drawn on the picture, and what was measured beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neocog.plots.charts import plural
from neocog.plots.grid import Tile, draw_tiles
from neocog.plots.numbers import number
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.explanations.fields import ReceptiveField

_SIDE = 2.6  # inches of a picture


@styled
def plot_receptive_field(picture_HWC: NDArray[np.uint8], field: ReceptiveField) -> Figure:
    """The pixels that a number can depend on, as a box on the picture; beside it, how much it does depend on each.

    The colour is the stronger the larger the gradient, none where it is 0, in the same box.
    """
    top, left, height, width = field.box
    box = field.box if height and width else None
    whole = field.box[2:] == picture_HWC.shape[:2]
    said = "the whole picture" if whole else f"rows {top}–{top + height - 1}, columns {left}–{left + width - 1}"
    return draw_tiles(
        [
            [
                Tile(picture_HWC, ("by arithmetic", said if box else "no pixel"), box=box),
                Tile(picture_HWC, ("measured", _measured(field)), heat=field.measured_HW, box=box),
            ]
        ],
        title=f"What neuron {','.join(map(str, field.neuron))} of {field.layer} sees",
        caption=_caption(field),
        side=_SIDE,
    )


def _measured(field: ReceptiveField) -> str:
    if not field.measured_HW.any():
        return "no gradient"
    return f"95 % lies in {field.share_95 * 100:.0f} % of the box"


def _caption(field: ReceptiveField) -> str:
    chosen = "the largest of its layer, " if field.strongest else ""
    size = "it mixes all places, or a layer before it does"
    if field.size is not None:
        size = f"it sees {field.size[0]}×{field.size[1]} pixels where no edge cuts them"
    most = float(field.measured_HW.max())
    outside = f"; {plural(field.outside, 'pixel')} beyond the box has one, too" if field.outside else ""
    return (
        f"its value: {chosen}{number(field.value)}; {size}; orange: |∂value/∂x| of each pixel as it goes into the "
        f"network, summed over channels, up to {number(most, 3)}{outside}"
    )
