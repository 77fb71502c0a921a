"""Maps of cells, side by side: pictures, kernels and results as panels, with the signs between them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.plots.numbers import LINE, POINTS, Written, number, text_width
from neocog.plots.style import (
    BLACK,
    DOTS,
    FIXED,
    FONT,
    GREY,
    HEADING,
    LIGHT,
    MARK,
    OPERATOR,
    SIGNED,
    SMALL,
    STAR,
    TEXT,
    WHITE,
    new_figure,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

Box = tuple[int, int, int, int]  # first row, first column, rows, columns
LARGEST = 0.62  # inches that a cell measures at most

# Inches.
_LEAST_SIDE = 0.1  # of a panel, however few its cells
_LEAST_MARK = 0.11  # of an outline, which is larger than its cells where they are too small to be seen
_LEAST_LINED = 0.16  # smaller cells have no lines between them
_MARGIN, _GAP, _SIGN_ROOM, _TICKS, _TICK_ROOM, _AXIS_TITLE = 0.2, 0.08, 0.1, 0.27, 0.3, 0.22
_DARK = 0.5  # lightness below which letters are white
_BAR_WIDTH, _LEAST_BAR, _BAR_TICK, _TICK_PAD = 0.13, 0.6, 0.08, 0.1
_LEAST_ROOM = 0.2  # for an outline around one of several cells, so that it doesn't cover the next


@dataclass(frozen=True)
class Scale:
    """Which number has which colour, from `low` to `high`: greys; or blue below 0, white at 0 and orange above.

    What lies beyond has the colour of the end.
    """

    low: float
    high: float
    grey: bool

    @classmethod
    def of(cls, values: NDArray[Any]) -> Scale:
        """In colours, from 0 to the largest number; where some are negative it is symmetric about 0."""
        most = float(np.abs(values).max()) or 1.0
        return cls(-most if (values < 0).any() else 0.0, most, grey=False)

    @property
    def ticks(self) -> list[float]:
        """The numbers to write at its bar."""
        return [self.low, 0.0, self.high] if self.low < 0 else [self.low, self.high]

    def colours(self) -> ScalarMappable:
        """The scale as matplotlib's colour bars want it."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import LinearSegmentedColormap, Normalize

        if self.grey:
            return ScalarMappable(Normalize(self.low, self.high), "gray")
        return ScalarMappable(Normalize(-self.high, self.high), LinearSegmentedColormap.from_list("signed", SIGNED))

    def paint(self, values_HW: NDArray[Any]) -> NDArray[Any]:
        """Red, green and blue, uint8 (H, W, 3)."""
        return np.asarray(self.colours().to_rgba(values_HW, bytes=True))[..., :3]


@dataclass(frozen=True)
class Panel:
    """A titled map of cells, each a square of `edge` inches.

    `rows` and `columns` tell what is seen. The colours begin at cell `first`; beyond them lies padding, hatched.
    """

    head: str
    detail: str
    colours_HW3: NDArray[Any]  # uint8
    edge: float
    rows: range
    columns: range
    first: tuple[int, int] = (0, 0)
    written: Written | None = None
    marked: Box | None = None
    dotted: Sequence[Box] = ()  # cells marked one by one, if there is room for it
    numbered: bool = True  # rows and columns, along the sides
    titles: tuple[str, str] = ("", "")  # of rows and columns
    blocks: Sequence[tuple[int, int, float]] = ()  # rows and columns of blocks with lines around them, and how thick
    block_colour: str = BLACK
    faint_zeros: bool = False
    bar: Scale | None = None

    @property
    def size(self) -> tuple[float, float]:
        """Inches across and down."""
        return max(len(self.columns) * self.edge, _LEAST_SIDE), max(len(self.rows) * self.edge, _LEAST_SIDE)

    def draw(self, axes: Axes) -> None:
        """Fills axes of exactly `size`, which makes the cells squares."""
        axes.set_label(self.head)
        axes.set_xlim(self.columns.start - 0.5, self.columns.stop - 0.5)
        axes.set_ylim(self.rows.stop - 0.5, self.rows.start - 0.5)
        axes.patch.set(facecolor=WHITE, edgecolor=LIGHT, hatch="/////", linewidth=0)
        (row, column), (height, width) = self.first, self.colours_HW3.shape[:2]
        if self.colours_HW3.size:
            axes.imshow(
                self.colours_HW3,
                extent=(column - 0.5, column + width - 0.5, row + height - 0.5, row - 0.5),
                aspect="auto",
                interpolation="none" if self.edge * DOTS >= 1 else "antialiased",
                zorder=0.5,
            )
            axes.set_xlim(self.columns.start - 0.5, self.columns.stop - 0.5)
            axes.set_ylim(self.rows.stop - 0.5, self.rows.start - 0.5)
        axes.spines[:].set_visible(False)
        self._draw_lines(axes)
        self._draw_ticks(axes)
        axes.set_ylabel(self.titles[0])
        axes.set_xlabel(self.titles[1])
        self._draw_numbers(axes)
        if self.edge >= _LEAST_ROOM / 2:  # one cell and the next, which isn't marked
            for box in self.dotted:
                self._outline(axes, box, 1.2, 0.0)
        if self.marked:
            self._outline(axes, self.marked, 1.4, 0.8)

    def _draw_lines(self, axes: Axes) -> None:
        step = 1 if self.edge >= _LEAST_LINED else 0
        self._draw_grid(axes, step, step, 0.5, GREY)
        for rows, columns, thick in self.blocks:
            self._draw_grid(axes, rows, columns, thick, self.block_colour)

    def _draw_grid(self, axes: Axes, rows: int, columns: int, thick: float, colour: str) -> None:
        """Lines around all, and after so many rows and columns each if that isn't 0."""
        (left, right), (bottom, top) = axes.get_xlim(), axes.get_ylim()
        across = [left, right] if not columns else [column - 0.5 for column in _every(self.columns, columns)]
        down = [top, bottom] if not rows else [row - 0.5 for row in _every(self.rows, rows)]
        axes.vlines(across, top, bottom, colors=colour, linewidth=thick, clip_on=False)
        axes.hlines(down, left, right, colors=colour, linewidth=thick, clip_on=False)

    def _draw_ticks(self, axes: Axes) -> None:
        from matplotlib.ticker import FixedLocator

        axes.tick_params(length=0 if self.edge >= _LEAST_LINED else 3, pad=4.5 if self.edge >= _LEAST_LINED else 3)
        for axis, shown, length in (
            (axes.xaxis, self.columns, self.size[0]),
            (axes.yaxis, self.rows, self.size[1]),
        ):
            axis.set_major_locator(FixedLocator(_ticks(shown, length) if self.numbered else []))
            axis.set_major_formatter(lambda value, _: f"{value:.0f}".replace("-", "−"))

    def _draw_numbers(self, axes: Axes) -> None:
        if self.written is None:
            return
        height, width = self.written.texts.shape
        for row in self.rows:
            for column in self.columns:
                down, across = row - self.first[0], column - self.first[1]
                inside = 0 <= down < height and 0 <= across < width
                text = str(self.written.texts[down, across]) if inside else "0"
                dark = inside and _lightness(self.colours_HW3[down, across]) < _DARK
                faint = not inside or (self.faint_zeros and text == "0")
                axes.text(
                    column,
                    row,
                    text,
                    size=self.written.size,
                    color=WHITE if dark else GREY if faint else BLACK,
                    ha="center",
                    va="center",
                    linespacing=LINE,
                    parse_math=False,
                )

    def _outline(self, axes: Axes, box: Box, thick: float, rim: float) -> None:
        """A line of so many points between rims, around the cells and not on them."""
        from matplotlib.patches import Rectangle
        from matplotlib.patheffects import withStroke

        (row, column, rows, columns), (width, height) = box, self.size
        around = (thick + 2 * rim) / POINTS
        row_inches, column_inches = height / len(self.rows), width / len(self.columns)
        down = max(rows + around / row_inches, _LEAST_MARK / row_inches)
        across = max(columns + around / column_inches, _LEAST_MARK / column_inches)
        corner = column + (columns - 1) / 2 - across / 2, row + (rows - 1) / 2 - down / 2
        # The rims keep it visible on dark, light and orange cells, and in grey print.
        rims = [
            withStroke(linewidth=thick + 2 * rim, foreground=BLACK),
            withStroke(linewidth=thick + 1.2 * rim, foreground=WHITE),
        ]
        outline = Rectangle(corner, across, down, fill=False, edgecolor=MARK, linewidth=thick, path_effects=rims)
        outline.set(clip_on=False, zorder=5)
        axes.add_patch(outline)


def side_by_side(items: Sequence[Panel | str], *, caption: str = "", arithmetic: str = "") -> Figure:
    """A figure of panels in a row with signs between them; below, lines in a fixed-width font, and a caption."""
    panels = [item for item in items if isinstance(item, Panel)]
    across = [_reach_across(item) if isinstance(item, Panel) else _sign_reach(item) for item in items]
    above, below = (max(reach) for reach in zip(*(_reach_down(panel) for panel in panels), strict=True))
    texts = [(text, font) for text, font in ((arithmetic, FIXED), (caption, FONT)) if text]
    row_width = sum(left + right for left, right in across)
    texts_width = max((text_width(text, TEXT, font) for text, font in texts), default=0.0)
    width = max(row_width, texts_width) + 2 * _MARGIN
    text_heights = [(text.count("\n") + 1) * TEXT * LINE / POINTS + _MARGIN for text, _ in texts]
    start = (width - row_width) / 2
    under = _under(items, across, start, width / 2, texts_width / 2)
    height = above + max(below, under + sum(text_heights)) + 2 * _MARGIN
    figure = new_figure(width, height)

    middle, at = height - _MARGIN - above, start
    for item, (left, right) in zip(items, across, strict=True):
        if isinstance(item, Panel):
            _place(figure, item, at + left, middle)
        else:
            _write(figure, at + left, middle, item, size=_sign_size(item), ha="center", va="center")
        at += left + right
    bottom = middle - under
    for (text, font), text_height in zip(texts, text_heights, strict=True):
        # One block, centred as a whole, so that its lines stay aligned.
        left = (width - text_width(text, TEXT, font)) / 2
        _write(figure, left, bottom - _MARGIN, text, size=TEXT, family=font, va="top", linespacing=LINE)
        bottom -= text_height
    return figure


def _under(
    items: Sequence[Panel | str], across: Sequence[tuple[float, float]], start: float, centre: float, half: float
) -> float:
    """Inches from the middle down to where texts can begin: under what stands over them, not under what is beside."""
    feet, end = [0.0], start
    for item, (left, right) in zip(items, across, strict=True):
        begin, end = end, end + left + right
        if isinstance(item, Panel) and begin < centre + half and end > centre - half:
            feet.append(_reach_down(item)[1])
    return max(feet)


def _place(figure: Figure, panel: Panel, centre: float, middle: float) -> None:
    (across, down), (width, height) = panel.size, figure.get_size_inches()
    left, top = centre - across / 2, middle + down / 2
    panel.draw(figure.add_axes((left / width, (middle - down / 2) / height, across / width, down / height)))
    title = {"ha": "center", "va": "bottom", "linespacing": LINE}
    _write(figure, centre, top + _GAP, panel.detail, size=SMALL, **title)
    _write(figure, centre, top + _GAP + _lines_height(panel.detail, SMALL), panel.head, size=HEADING, **title)
    if panel.bar:
        tall = max(down, _LEAST_BAR)
        axes = figure.add_axes(
            ((left + across + _GAP) / width, (middle - tall / 2) / height, _BAR_WIDTH / width, tall / height)
        )
        axes.set_label("colour bar")
        bar = figure.colorbar(panel.bar.colours(), cax=axes, ticks=panel.bar.ticks)
        bar.ax.set_ylim(panel.bar.low, panel.bar.high)
        bar.ax.set_yticklabels([number(value, 3) for value in panel.bar.ticks])
        bar.ax.tick_params(length=2, pad=2)
        bar.outline.set(linewidth=0.5, edgecolor=GREY)


def _write(figure: Figure, at: float, height: float, text: str, **how: Any) -> None:
    width_inches, height_inches = figure.get_size_inches()
    figure.text(at / width_inches, height / height_inches, text, parse_math=False, **how)


def _sign_reach(sign: str) -> tuple[float, float]:
    half = text_width(sign, _sign_size(sign)) / 2 + _SIGN_ROOM
    return half, half


def _sign_size(sign: str) -> float:
    return STAR if sign == "⋆" else OPERATOR


def _reach_across(panel: Panel) -> tuple[float, float]:
    """Inches from the middle of the axes to the left and to the right end of all that belongs to a panel."""
    half, title = panel.size[0] / 2, max(text_width(panel.head, HEADING), text_width(panel.detail, SMALL)) / 2
    left = half + (_ticks_width(panel) if panel.numbered else 0) + (_AXIS_TITLE if panel.titles[0] else 0)
    right = half + (_bar_width(panel.bar) if panel.bar else 0)
    return max(left, title) + _GAP, max(right, title) + _GAP


def _reach_down(panel: Panel) -> tuple[float, float]:
    """Inches from the middle of the axes to the top of the title, and to the foot."""
    half = panel.size[1] / 2
    title = _GAP + _lines_height(panel.detail, SMALL) + _lines_height(panel.head, HEADING)
    return half + title, half + (_TICKS if panel.numbered else _GAP) + (_AXIS_TITLE if panel.titles[1] else 0)


def _ticks_width(panel: Panel) -> float:
    return _TICK_PAD + max(text_width(number(row), SMALL) for row in (panel.rows.start, panel.rows.stop - 1))


def _bar_width(bar: Scale) -> float:
    return _GAP + _BAR_WIDTH + _BAR_TICK + max(text_width(number(value, 3), SMALL) for value in bar.ticks)


def _lines_height(text: str, size: float) -> float:
    return (text.count("\n") + 1) * size * LINE / POINTS if text else 0.0


def _ticks(shown: range, length: float) -> list[int]:
    """Whole numbers to write along a side: every one, or every 2nd, 5th, 10th, …, so that they stay apart."""
    room = max(1, int(length / _TICK_ROOM))
    steps = (factor * 10**power for power in range(9) for factor in (1, 2, 5))
    step = next(step for step in steps if len(shown) <= room * step)
    return [number for number in shown if number % step == 0]


def _every(shown: range, step: int) -> range:
    return range(shown.start, shown.stop + 1, step)


def _lightness(colour: NDArray[Any]) -> float:
    """How light a colour looks, from 0 to 1 (ITU-R BT.601)."""
    return float(colour @ np.array([0.299, 0.587, 0.114])) / 255
