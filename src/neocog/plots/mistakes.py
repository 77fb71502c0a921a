"""The worst mistakes: what was said, what is true, and how sure the network was."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from neocog.plots.grid import Tile, column_width, columns_for, draw_tiles, in_rows
from neocog.plots.pages import shortened
from neocog.plots.style import LEAST, styled

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.evaluation import Mistake

_ACROSS = 7  # tiles in a row, at most
_DIFFERENT = 10  # letters of names that begin alike


@styled
def plot_mistakes(
    pictures_NHWC: Sequence[NDArray[np.uint8]],
    mistakes: Sequence[Mistake],
    *,
    title: str = "The worst mistakes",
    caption: str = "",
) -> Figure:
    """Pictures that were classified wrongly, at least one, with three lines each: predicted, true, how sure.

    >>> import numpy as np
    >>> from neocog.evaluation import Mistake
    >>> four = Mistake(index=0, name=None, true="4", predicted="9", probability=0.982, true_probability=0.01)
    >>> figure = plot_mistakes([np.zeros((4, 4), np.uint8)], [four])
    >>> [text.get_text() for text in figure.texts if text.get_text()]
    ['The worst mistakes', 'predicted 9', 'true 4', '98 % sure']
    """
    names = (f"predicted {name}" for mistake in mistakes for name in (mistake.predicted, mistake.true))
    columns = min(len(mistakes), columns_for(names, _ACROSS, 5))
    tiles = [
        Tile(pixels, (*_names(mistake, column_width(columns)), f"{sure(mistake.probability)} sure"))
        for pixels, mistake in zip(pictures_NHWC, mistakes, strict=True)
    ]
    return draw_tiles(in_rows(tiles, columns), title=title, caption=caption)


def _names(mistake: Mistake, room: float) -> tuple[str, str]:
    """What was said and what is true; where both would look alike in so many inches, from where they differ on."""
    said, true = mistake.predicted, mistake.true
    if len({shortened(f"predicted {name}", room, LEAST) for name in (said, true)}) == 1:
        letters = enumerate(zip(said, true, strict=False))
        same = next((place for place, (one, other) in letters if one != other), min(len(said), len(true)))
        start = max(said.rfind(" ", 0, same) + 1, same - 3)
        said, true = (f"…{name[start:][:_DIFFERENT]}…" for name in (said, true))
    return f"predicted {said}", f"true {true}"


def sure(probability: float) -> str:
    """A probability in per cent, never rounded to certainty.

    >>> sure(0.4567), sure(0.998), sure(0.99999)
    ('46 %', '99.8 %', '>99.9 %')
    """
    share = 100 * probability
    if share >= 99.95:
        return ">99.9 %"
    return f"{share:.1f} %" if share >= 99.5 else f"{share:.0f} %"
