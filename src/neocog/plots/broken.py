"""The pictures that a stress test breaks first, as they were and as they were changed."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

from neocog.plots.grid import Tile, draw_tiles
from neocog.plots.mistakes import sure
from neocog.plots.style import MARK, styled

if TYPE_CHECKING:
    from collections.abc import Mapping

    from matplotlib.figure import Figure

    from neocog.statistics.stress import Broken, StressTest

_PAIRS = 4  # of each change


@styled
def plot_broken(found: StressTest) -> Figure | None:
    """A row for each change: pictures that were right, each beside itself at the mildest strength that flips it.

    Below a picture as it was stands its class, below the changed one the strength and the wrong answer with its
    probability. None where nothing breaks.

    Args:
        found: what `neocog.stress` gives.
    """
    units = {curve.name: curve.unit for curve in found.curves}
    rows, titles = [], []
    for name, group in groupby(found.first, key=lambda broken: broken.corruption):
        pairs = [_pair(broken, units) for broken in group][:_PAIRS]
        rows.append([tile for pair in pairs for tile in pair] + [None] * (2 * (_PAIRS - len(pairs))))
        titles.append(name)
    if not rows:
        return None
    many = f"{found.n:,} picture{'s' * (found.n > 1)}"
    return draw_tiles(
        rows,
        title="The pictures that break first",
        caption=f"right as they were (left), wrong once changed this little (right); {many}, {found.part} part",
        row_titles=titles,
    )


def _pair(broken: Broken, units: Mapping[str, str]) -> list[Tile]:
    from neocog.statistics.stress import strength_text  # which needs scipy

    strength = strength_text(broken.strength, units[broken.corruption])
    before = Tile(broken.original if broken.original is not None else broken.picture, (broken.true,))
    return [before, Tile(broken.picture, (f"{broken.answer}, {sure(broken.probability)}", strength), frame=MARK)]
