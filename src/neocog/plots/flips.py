"""A picture, and the smallest changes that turn a network's answer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neocog.plots.grid import Tile, draw_tiles
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.explanations.flips import Flip

_SIDE = 1.75  # inches of a picture


@styled
def plot_flips(picture_HWC: NDArray[np.uint8], flips: Sequence[Flip], answer: str = "") -> Figure:
    """A picture and, beside it, how it looks when a shift, a rotation or an erased patch has turned the answer."""
    found = [flip for flip in flips if flip.found]
    tiles = [Tile(picture_HWC, ("the picture", "as it is", answer))]
    for flip in found:
        assert flip.picture is not None
        tiles.append(
            Tile(
                flip.picture,
                (flip.kind, flip.detail, f"{flip.answer}, {flip.probability * 100:.1f} %"),
                box=flip.box,
            )
        )
    searched = "; ".join(flip.searched for flip in found)
    unmoved = [str(flip) for flip in flips if not flip.found]
    return draw_tiles(
        [tiles],
        title="The smallest change that turns the answer" if found else "Nothing that was tried turns the answer",
        caption="; ".join([*([f"searched from small to large: {searched}"] if found else []), *unmoved]),
        side=_SIDE,
    )
