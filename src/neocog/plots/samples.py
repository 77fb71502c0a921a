"""Training pictures as the network sees them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neocog.plots.grid import Tile, columns_for, draw_tiles
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

_ACROSS = 10  # pictures in a row
UNCHANGED, SEEN = "as they are in the data", "as the network sees them, changed anew at each step"


@styled
def plot_samples(
    pictures_NHWC: NDArray[np.uint8],
    labels: Sequence[str],
    *,
    names: Sequence[str] = (),
    unchanged_NHWC: NDArray[np.uint8] | None = None,
    classes: int | None = None,
    caption: str = "",
    title: str = "What the network sees",
) -> Figure:
    """Pictures with the names of their classes, those of a class in the same columns where there are at most ten.

    Args:
        pictures_NHWC: as they come into the network, but for the normalisation.
        labels: the class of each.
        names: what each picture is called, in a second line below it.
        unchanged_NHWC: the same pictures before they were augmented, which then stand above them.
        classes: how many the data has, where the pictures don't show all of them.
        caption: what else is to be known; stands below.

    >>> figure = plot_samples(np.zeros((3, 4, 4, 1), np.uint8), ["cat", "dog", "cat"])
    >>> [text.get_text() for text in figure.texts if text.get_text() in ("cat", "dog")]
    ['cat', 'dog', 'cat']
    """
    lines = list(zip(labels, names, strict=True)) if names else [(label,) for label in labels]
    after = [Tile(pixels, below) for pixels, below in zip(pictures_NHWC, lines, strict=True)]
    places = _places(labels, columns_for(labels, _ACROSS, 8))
    rows: list[list[Tile | None]] = []
    titles: list[str] = []
    for row in places:
        if unchanged_NHWC is not None:
            rows.append([None if place is None else Tile(unchanged_NHWC[place]) for place in row])
            titles.append(UNCHANGED if not titles else "")
        rows.append([None if place is None else after[place] for place in row])
        if unchanged_NHWC is not None:
            titles.append(SEEN if len(titles) == 1 else "")
    shown = len(set(labels))
    some = f"{shown} of {classes:,} classes" if classes and shown < classes else ""
    return draw_tiles(
        rows, title=title, caption=" · ".join(text for text in (some, caption) if text), row_titles=titles
    )


def _places(labels: Sequence[str], across: int) -> list[list[int | None]]:
    """Which picture stands where: a class has its own columns, unless there are too many of them."""
    of_class = {name: [place for place, label in enumerate(labels) if label == name] for name in dict.fromkeys(labels)}
    if len(of_class) > across:
        tiles = [place for places in of_class.values() for place in places]
        return [list(tiles[start : start + across]) for start in range(0, len(tiles), across)]
    blocks = across // len(of_class)
    rows = -(-max(map(len, of_class.values())) // blocks)
    table: list[list[int | None]] = []
    for row in range(rows):
        wanted = range(row * blocks, (row + 1) * blocks)
        table.append([places[at] if at < len(places) else None for at in wanted for places in of_class.values()])
    return table
