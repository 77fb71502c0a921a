"""What tests of figures share: the lesson's example, a photograph, and reading what stands in a figure."""

from __future__ import annotations

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from neocog.filtering import Convolved, convolve
from neocog.plots.numbers import POINTS
from neocog.plots.style import MARK

COUNTING = torch.arange(9.0).reshape(3, 3)
TOEPLITZ_KERNEL = torch.arange(4.0).reshape(1, 1, 2, 2)
CORNERS = [[0, 1], [2, 3]]


def worked() -> Convolved:
    """The lesson's example: 0…8 under 0…3."""
    return convolve(COUNTING, CORNERS, padding="valid")


def photo(height: int = 200, width: int = 300) -> np.ndarray:
    """Three overlapping waves in red, green and blue."""
    rows, columns = np.mgrid[:height, :width]
    waves = [127.5 * (1 + np.sin(rows / (9 + channel) + columns / (17 - channel))) for channel in range(3)]
    return np.stack(waves, axis=-1).astype(np.uint8)


def part(figure: Figure, name: str) -> Axes:
    (found,) = [axes for axes in figure.axes if axes.get_label() == name]
    return found


def grid(axes: Axes) -> list[list[str]]:
    """The texts in the cells, row by row."""
    places = {(text.get_position()[1], text.get_position()[0]): text.get_text() for text in axes.texts}
    rows = sorted({row for row, _ in places})
    return [[places[row, column] for column in sorted({c for _, c in places})] for row in rows]


def outlines(axes: Axes) -> list[tuple[float, float, float, float]]:
    """First row, first column, rows and columns of the cells inside of outlines, the thick outline last."""
    patches = [patch for patch in axes.patches if isinstance(patch, Rectangle)]
    assert {to_rgb(patch.get_edgecolor()) for patch in patches} <= {to_rgb(MARK)}
    inches = axes.get_figure().get_size_inches()[0] * axes.get_position().width / abs(np.subtract(*axes.get_xlim()))
    found = []
    for box in patches:
        thick = max([box.get_linewidth(), *(effect._gc["linewidth"] for effect in box.get_path_effects())])
        half = thick / 2 / POINTS / inches
        first = box.get_y() + 0.5 + half, box.get_x() + 0.5 + half
        found.append(tuple(round(n, 6) for n in (*first, box.get_height() - 2 * half, box.get_width() - 2 * half)))
    return found


def all_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts]


def lines_of_the_sum(figure: Figure) -> list[str]:
    (found,) = [text for text in figure.texts if "Mono" in str(text.get_fontfamily())]
    return found.get_text().splitlines()
