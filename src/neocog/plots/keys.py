"""The key of a chart: which look stands for what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from neocog.plots.charts import GAP, Look, write
from neocog.plots.numbers import text_width
from neocog.plots.style import BLACK, SMALL, WHITE

if TYPE_CHECKING:
    from matplotlib.figure import Figure

KEY_LINE = 0.42  # inches of line in a key
_KEY_ROW = 0.21


def draw_mark(figure: Figure, at: float, height: float, look: Look, *, lined: bool, size: float = 5.0) -> None:
    """A mark at a place in inches, with a piece of its line where the series has one: the sample of a key."""
    from matplotlib.lines import Line2D

    width_inches, height_inches = figure.get_size_inches()
    half = KEY_LINE / 2 if lined else 0.0
    places = [at - half, at, at + half]
    figure.add_artist(
        Line2D(
            [place / width_inches for place in places],
            [height / height_inches] * 3,
            color=look.colour,
            linestyle=look.line if lined else "none",
            linewidth=1.6,
            marker=look.mark,
            markevery=[1],
            markersize=size,
            markeredgecolor=WHITE,
            markeredgewidth=0.6,
        )
    )


@dataclass(frozen=True)
class Key:
    """Which look stands for what: samples and names, in one row or in columns."""

    entries: tuple[tuple[str, Look], ...]  # names on one line each
    width: float
    lined: bool = True

    @property
    def height(self) -> float:
        """Inches from the first row's top to the last one's foot."""
        return max((row for row, _ in self._places), default=-1) * _KEY_ROW + _KEY_ROW

    @property
    def _sample(self) -> float:
        return KEY_LINE if self.lined else 0.1

    @property
    def _places(self) -> list[tuple[int, float]]:
        """Row and inches from the left of each entry: all in one row, or else in columns of one width."""
        widths = [self._sample + text_width(name, SMALL) + 2.5 * GAP for name, _ in self.entries]
        if sum(widths) <= self.width:
            return [(0, sum(widths[:position])) for position in range(len(widths))]
        columns = max(1, int(self.width / max(widths)))
        return [(position // columns, position % columns * max(widths)) for position in range(len(widths))]

    def draw(self, figure: Figure, left: float, top: float) -> None:
        """Beginning at so many inches from the left and the bottom."""
        for (name, look), (row, across) in zip(self.entries, self._places, strict=True):
            at, height = left + across, top - (row + 0.5) * _KEY_ROW
            draw_mark(figure, at + self._sample / 2, height, look, lined=self.lined)
            write(figure, at + self._sample + 0.06, height, name, size=SMALL, va="center_baseline", color=BLACK)
