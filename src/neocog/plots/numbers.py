"""Numbers as short text, and whether texts fit into the cells that they are to stand in."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.plots.style import FONT, LEAST

if TYPE_CHECKING:
    from numpy.typing import NDArray

POINTS = 72  # in an inch
LINE = 1.25  # from line to line, in sizes of the font
_LARGEST = 12.0
_UNROUNDED = 8.0  # below this size, fewer figures read better than smaller ones
_FILLED = 0.8  # of a cell's edge, at most
_MOST_CELLS = 1_600
_MOST_LOST = 0.25  # of the numbers; with more of them written as 0.00, colours say more


def number(value: float, digits: int = 4) -> str:
    """A number as text: whole ones in full, others to `digits` figures, but never fewer than before the point.

    >>> number(402.0), number(-0.0), number(-1020.5), number(1 / 256, 2)
    ('402', '0', '−1020', '0.0039')
    """
    whole = value == round(value, 0) or abs(value) >= 10**digits
    text = f"{value:.0f}" if whole and abs(value) < 1e7 else f"{value:.{digits}g}"
    mantissa, _, exponent = text.partition("e")
    text = f"{mantissa}e{int(exponent)}" if exponent else mantissa
    return "0" if text == "-0" else text.replace("-", "−")


def is_exact(text: str, value: float) -> bool:
    """Whether a text made by `number` says all that float32 knows of it."""
    return bool(np.float32(text.replace("−", "-")) == np.float32(value))


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, family: str = FONT) -> float:
    """Inches that the longest line of a text takes."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    font = FontProperties(family=family, size=100)

    def extent(line: str) -> float:
        return float(text_to_path.get_text_width_height_descent(f"|{line}|", font, ismath=False)[0])

    # Between two bars, so that spaces count.
    return (max(map(extent, text.split("\n"))) - extent("")) * size / 100 / POINTS


@dataclass(frozen=True)
class Written:
    """The texts in the cells of a map, (H, W), and the size in points at which all of them fit."""

    texts: NDArray[Any]
    size: float


def written(values_HWC: NDArray[np.floating[Any]], edge: float) -> Written | None:
    """The numbers for cells of `edge` inches, rounded as little as possible; None if they can't be read there.

    Several channels stand on a line each.
    """
    height, width, channels = values_HWC.shape
    if not 0 < height * width <= _MOST_CELLS or edge * POINTS < LEAST * LINE * channels:
        return None
    for digits, least, bare in ((4, _UNROUNDED, False), (3, LEAST, False), (2, LEAST, False), (2, LEAST, True)):
        lines = _rounded(values_HWC, digits)
        if bare:  # .04 for 0.04
            lines = _mapped(lambda text: re.sub(r"^(−?)0\.", r"\1.", text), lines)
        if _lost(lines, values_HWC) > _MOST_LOST:
            return None
        widest = max(text_width(str(text), 1.0) for text in set(lines.flat))
        size = min(_FILLED * edge / widest, _FILLED * edge * POINTS / LINE / channels, _LARGEST)
        if size >= least:
            return Written(np.array([["\n".join(cell) for cell in row] for row in lines], dtype=object), size)
    return None


def _lost(texts: NDArray[Any], values: NDArray[np.floating[Any]]) -> float:
    """The share of the numbers other than 0 that are written as 0.00."""
    zeros, some = np.array([float(text.replace("−", "-")) == 0 for text in texts.flat]), values.ravel() != 0
    return float(zeros[some].mean()) if some.any() else 0.0


def _rounded(values: NDArray[np.floating[Any]], digits: int) -> NDArray[Any]:
    """Texts with as many places after the point as give the largest number `digits` figures.

    A number that is rounded to 0 is written 0.00, one that is 0 as 0.
    """
    most = float(np.abs(values).max())
    if not 1e-3 <= most < 1e6:
        return _mapped(lambda value: number(value, digits), values)
    places = max(0, digits - 1 - math.floor(math.log10(most)))

    def text(value: float) -> str:
        rounded = f"{value:.{places}f}"
        if float(rounded) == 0:
            return "0" if value == 0 else rounded.lstrip("-")
        return (rounded.rstrip("0").rstrip(".") if places else rounded).replace("-", "−")

    return _mapped(text, values)


def _mapped(text: Callable[[Any], str], values: NDArray[Any]) -> NDArray[Any]:
    texts: list[Any] = [text(value) for value in values.ravel().tolist()]
    return np.array(texts, dtype=object).reshape(values.shape)
