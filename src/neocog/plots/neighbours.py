"""A picture, and the training pictures that a network takes for most like it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neocog.plots.charts import plural
from neocog.plots.grid import Tile, draw_tiles, in_rows
from neocog.plots.numbers import number
from neocog.plots.style import BLACK, BLUE, VERMILION, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.explanations.neighbours import Neighbour


@styled
def plot_neighbours(picture_HWC: NDArray[np.uint8], neighbours: Sequence[Neighbour], answer: str = "") -> Figure:
    """A picture and its nearest training pictures, nearest first, each with its label and its distance.

    With the network's answer, a label that isn't the answer has a thick broken frame and says so in words.
    """
    first = Tile(picture_HWC, ("the picture", f"answer {answer}" if answer else ""), frame=BLACK)
    tiles = [_tile(neighbour, answer) for neighbour in neighbours]
    agreeing = sum(neighbour.label == answer for neighbour in neighbours)
    says = f"; {agreeing} of them {'are' if agreeing != 1 else 'is'} {answer}, as answered" if answer else ""
    return draw_tiles(
        in_rows([first, *tiles], min(len(tiles) + 1, 5)),
        title=f"The {plural(len(tiles), 'training picture')} that the network takes for most alike{says}",
        caption="Euclidean distance of the values that the last linear layer takes in"
        + ("; a broken frame: another class than the answer" if answer and agreeing < len(tiles) else ""),
    )


def _tile(neighbour: Neighbour, answer: str) -> Tile:
    other = bool(answer) and neighbour.label != answer
    lines = (
        f"{neighbour.label}, not {answer}" if other else neighbour.label,
        "the same picture" if neighbour.same else f"distance {number(neighbour.distance, 3)}",
        neighbour.name,
    )
    return Tile(neighbour.picture, lines, frame=VERMILION if other else BLUE if answer else None, marked=other)
