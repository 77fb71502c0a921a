"""Pictures in rows: tiles of pixels with short texts below them, frames around them and heat over them.

Legend: H W rows and columns of a tile's pixels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from neocog.plots.cells import Scale
from neocog.plots.charts import FAINT, GAP, MARGIN, fitted, heading, height_of, write
from neocog.plots.numbers import LINE, POINTS, number, text_width
from neocog.plots.pages import shortened
from neocog.plots.style import BLACK, BLUE, DOTS, GREY, HEADING, LEAST, LIGHT, MARK, ORANGE, SMALL, WHITE, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    Pixels = NDArray[np.uint8]

# Inches, but for the lines' points.
_WIDEST, _NARROWEST = 8.0, 4.4  # a figure whose tiles have no side of their own; any figure
_LARGEST, _SMALLEST = 1.1, 0.15  # the side of a tile that has none of its own
_APART, _CLOSE, _BELOW, _ROW_TITLE = 0.1, 0.05, 0.06, 0.06  # tiles without texts stand close
_BAR = (2.4, 0.12)
_FRAME, _MARKED, _BOX = 2.0, 3.5, 1.4
_WHOLE_FROM = 3  # dots a pixel: from here on every pixel has as many, and the tile is a little smaller for it
_SIZES = (SMALL, 8.0, LEAST)
_LIGHTNESS = np.array([0.299, 0.587, 0.114])  # of red, green and blue (ITU-R BT.601)
_HEAT = 0.85  # how much of the strongest heat covers the picture
_FADED = 0.55  # how much of the picture's contrast is left below heat


@dataclass(frozen=True)
class Tile:
    """A picture in a grid.

    `heat` lies over the grey picture, blue below 0 and orange above, stronger the nearer to ±max|heat|, and leaves it
    as it is at 0. `box` is top, left, height and width in pixels. `marked` draws the frame thick and broken.
    """

    pixels: Pixels  # (H, W), (H, W, 1) or (H, W, 3)
    lines: tuple[str, ...] = ()  # below it
    frame: str | None = None  # a colour
    heat: NDArray[Any] | None = None  # signed (H, W)
    box: tuple[float, float, float, float] | None = None
    marked: bool = False

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns of pixels."""
        return self.pixels.shape[0], self.pixels.shape[1]

    def colours(self) -> Pixels:
        """What is seen of it, heat included: uint8 (H, W, 3)."""
        pixels_HWC = self.pixels if self.pixels.ndim == 3 else self.pixels[..., None]
        pixels_HW3 = np.broadcast_to(pixels_HWC, (*self.size, 3))
        return pixels_HW3 if self.heat is None else _heated(pixels_HW3, self.heat)


def in_rows(tiles: Sequence[Tile], columns: int | None = None) -> list[list[Tile | None]]:
    """The tiles in rows of equal length, the last one filled up with None; by default about twice as wide as high.

    >>> [len(row) for row in in_rows([Tile(np.zeros((2, 2), np.uint8))] * 25)]
    [7, 7, 7, 7]
    """
    if not tiles:
        return []
    across = columns or min(len(tiles), ceil((1.8 * len(tiles)) ** 0.5))
    rows: list[list[Tile | None]] = [list(tiles[start : start + across]) for start in range(0, len(tiles), across)]
    return [row + [None] * (across - len(row)) for row in rows]


def columns_for(lines: Iterable[str], most: int, least: int) -> int:
    """How many tiles stand in a row so that their texts can be read in full, if that is possible at all.

    >>> columns_for(["cat", "dog"], 10, 5), columns_for(["great black-backed gull"], 10, 5)
    (10, 6)
    """
    widest = max((text_width(" ".join(line.split()), LEAST) for line in lines), default=0.0)
    fit = int((_WIDEST - 2 * MARGIN + _APART) / (widest + _APART))
    return max(least, min(most, fit))


def column_width(columns: int) -> float:
    """The inches that texts below so many tiles in a row have at most."""
    return (_WIDEST - 2 * MARGIN + _APART) / columns - _APART


def draw_tiles(
    rows: Sequence[Sequence[Tile | None]],
    *,
    title: str,
    caption: str = "",
    row_titles: Sequence[str] = (),
    side: float | None = None,
    scale: Scale | None = None,
) -> Figure:
    """A figure of tiles in rows, to be drawn under `@styled`; None leaves a place empty.

    Where pixels are enlarged they have sharp edges; a picture of more pixels than dots is made smaller. Texts below a
    tile that are too long end in …

    Args:
        rows: the tiles.
        title, caption: one line above the grid and a faint one below it, or more where they are long.
        row_titles: a line above each row; an empty one takes no room.
        side: inches of a tile's longer side; by default as large as fits the page.
        scale: which number has which colour, as a bar below the grid.
    """
    sheet = _Sheet.of(rows, row_titles, side)
    title, caption = heading(title, sheet.inner), fitted(caption, SMALL, sheet.inner) if caption else ""
    head, foot = height_of(title, HEADING) + GAP, height_of(caption, SMALL) + (GAP if caption else 0.0)
    bar = _BAR[1] + height_of("0", SMALL) + 1.5 * GAP if scale else 0.0
    figure = new_figure(_whole(sheet.inner + 2 * MARGIN), _whole(2 * MARGIN + head + sheet.height + bar + foot))
    high = float(figure.get_size_inches()[1])
    write(figure, MARGIN, high - MARGIN, title, va="top", size=HEADING)
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    if scale:
        _draw_bar(figure, scale, MARGIN + foot + bar - _BAR[1] - GAP)
    sheet.draw(figure, _whole(high - MARGIN - head))
    return figure


@dataclass(frozen=True)
class _Row:
    """A row of tiles: its title, on one line, and inches from its top to the foot of its texts."""

    tiles: tuple[Tile | None, ...]
    title: str
    above: float  # what the title takes
    tallest: float  # of the tiles
    height: float


@dataclass(frozen=True)
class _Sheet:
    """Where everything on the grid stands, in inches."""

    rows: tuple[_Row, ...]
    columns: tuple[float, ...]
    dots: int  # of a tile's longer side
    size: float  # points of the texts
    apart: float
    inner: float  # the width between the margins

    @classmethod
    def of(cls, rows: Sequence[Sequence[Tile | None]], titles: Sequence[str], side: float | None) -> _Sheet:
        tiles = [tile for row in rows for tile in row if tile is not None]
        across = max(len(row) for row in rows)
        apart = _APART if any(tile.lines or tile.frame or tile.marked for tile in tiles) else _CLOSE
        room = (_WIDEST - 2 * MARGIN + apart) / across - apart
        dots = max(1, round((side or min(_LARGEST, max(_SMALLEST, room))) * DOTS))
        columns = [_column([row[place] for row in rows if place < len(row)], dots, room) for place in range(across)]
        inner = max(sum(columns) + (across - 1) * apart, _NARROWEST - 2 * MARGIN)
        size = _text_size(rows, columns)
        found = []
        for place, row in enumerate(rows):
            title = shortened(titles[place], inner) if place < len(titles) else ""
            above = height_of(title, SMALL) + _ROW_TITLE if title else 0.0
            tallest = max((_extent(tile, dots)[0] / DOTS for tile in row if tile is not None), default=0.0)
            lines = max((len(tile.lines) for tile in row if tile is not None), default=0)
            below = _BELOW + lines * size * LINE / POINTS if lines else 0.0
            found.append(_Row(tuple(row), title, above, tallest, above + tallest + below))
        return cls(tuple(found), tuple(columns), dots, size, apart, inner)

    @property
    def height(self) -> float:
        """Of all rows."""
        return sum(row.height for row in self.rows) + (len(self.rows) - 1) * self.apart

    def draw(self, figure: Figure, top: float) -> None:
        """Puts all tiles on a page, from `top` down."""
        from matplotlib.image import BboxImage
        from matplotlib.transforms import Bbox, TransformedBbox

        width = round(figure.get_size_inches()[0] * DOTS)
        # All pixels are one picture: matplotlib takes longer over a hundred small ones.
        canvas_HW3 = np.full((ceil(self.height * DOTS) + 2, width, 3), 255, np.uint8)
        over = round(top * DOTS) + 1  # dots from the foot of the page to the upper edge of that picture
        for row in self.rows:
            if row.title:
                write(figure, MARGIN, top, row.title, va="top", size=SMALL)
            left = MARGIN
            for tile, column in zip(row.tiles, self.columns, strict=False):
                if tile is not None:
                    down, across = _extent(tile, self.dots)
                    x = round((left + column / 2) * DOTS - across / 2)
                    y = round((top - row.above) * DOTS) - down
                    _paste(canvas_HW3, tile, over - y - down, x, (down, across))
                    _outline(figure, tile, x / DOTS, y / DOTS, (down / DOTS, across / DOTS))
                    self._write(figure, tile, left + column / 2, top - row.above - row.tallest - _BELOW, column)
                left += column + self.apart
            top -= row.height + self.apart
        end = over - len(canvas_HW3)
        place = TransformedBbox(Bbox.from_extents(0, end / DOTS, width / DOTS, over / DOTS), figure.dpi_scale_trans)
        figure.add_artist(BboxImage(place, interpolation="none", data=canvas_HW3, zorder=-1))

    def _write(self, figure: Figure, tile: Tile, at: float, line: float, room: float) -> None:
        for text in tile.lines:
            write(
                figure, at, line, shortened(text, room, self.size), size=self.size, ha="center", va="top", color=BLACK
            )
            line -= self.size * LINE / POINTS


def _heated(pixels_HW3: Pixels, heat_HW: NDArray[Any]) -> Pixels:
    """The picture in faded grey with the heat over it."""
    assert heat_HW.shape == pixels_HW3.shape[:2], (heat_HW.shape, pixels_HW3.shape)
    grey_HW1 = (255 * (1 - _FADED) / 2 + _FADED * (pixels_HW3 @ _LIGHTNESS))[..., None]
    share_HW1 = _HEAT * np.abs(heat_HW)[..., None] / (float(np.abs(heat_HW).max()) or 1.0)
    colour_HW3 = np.where(heat_HW[..., None] < 0, _rgb(BLUE), _rgb(ORANGE))
    found: Pixels = ((1 - share_HW1) * grey_HW1 + share_HW1 * colour_HW3).round().astype(np.uint8)
    return found


def _rgb(colour: str) -> NDArray[Any]:
    return np.array([int(colour[at : at + 2], 16) for at in (1, 3, 5)])


def _extent(tile: Tile, dots: int) -> tuple[int, int]:
    """Dots down and across."""
    longest = max(tile.size)
    whole, size = dots // longest, tile.size
    scale = whole if whole >= _WHOLE_FROM else dots / longest
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _column(tiles: Sequence[Tile | None], dots: int, room: float) -> float:
    """Inches of a column: its widest tile, or what its texts want as far as there is room for it."""
    found = [tile for tile in tiles if tile is not None]
    widest = max((_extent(tile, dots)[1] / DOTS for tile in found), default=0.0)
    texts = max((text_width(line, SMALL) for tile in found for line in tile.lines), default=0.0)
    return _whole(max(widest, min(texts, room)))


def _text_size(rows: Sequence[Sequence[Tile | None]], columns: Sequence[float]) -> float:
    """The largest size at which all texts fit their columns, or the least."""
    needed = [
        text_width(line, 1.0) / column
        for row in rows
        for tile, column in zip(row, columns, strict=False)
        if tile is not None
        for line in tile.lines
    ]
    return next((size for size in _SIZES if max(needed, default=0.0) * size <= 1), LEAST)


def _whole(inches: float) -> float:
    """As many, or a little more, so that it is a whole number of dots."""
    return ceil(round(inches * DOTS, 6)) / DOTS


def _paste(canvas_HW3: Pixels, tile: Tile, row: int, column: int, extent: tuple[int, int]) -> None:
    """The tile's colours in so many dots of the canvas, in a faint rim, without which a white picture has no end."""
    (down, across), colours_HW3 = extent, tile.colours()
    rim = canvas_HW3[max(0, row - 1) : row + down + 1, max(0, column - 1) : column + across + 1]
    rim[:] = _rgb(LIGHT)
    more = ceil(max(down / tile.size[0], across / tile.size[1], 1))
    if more > 1:
        colours_HW3 = colours_HW3.repeat(more, axis=0).repeat(more, axis=1)
    if colours_HW3.shape[:2] != extent:
        # Of dots that are parts of a pixel, each is the mean of what it covers.
        picture = Image.fromarray(np.ascontiguousarray(colours_HW3))
        colours_HW3 = np.asarray(picture.resize((across, down), Image.Resampling.BOX))
    canvas_HW3[row : row + down, column : column + across] = colours_HW3


def _outline(figure: Figure, tile: Tile, x: float, y: float, size: tuple[float, float]) -> None:
    """The frame around a tile, if it has one, and the box on it, in rims that are seen on dark and light pixels."""
    from matplotlib.patches import Rectangle
    from matplotlib.patheffects import withStroke

    (height, width), inches = size, figure.dpi_scale_trans
    if tile.frame is not None or tile.marked:
        thick = _MARKED if tile.marked else _FRAME
        around = thick / 2 / POINTS
        frame = Rectangle((x - around, y - around), width + 2 * around, height + 2 * around, fill=False)
        frame.set(edgecolor=tile.frame or GREY, linewidth=thick, linestyle=(0, (2, 1)) if tile.marked else "solid")
        frame.set_transform(inches)
        figure.add_artist(frame)
    if tile.box is not None:
        top, left, rows, columns = tile.box
        down, across = height / tile.size[0], width / tile.size[1]
        corner = x + left * across, y + height - (top + rows) * down
        box = Rectangle(corner, columns * across, rows * down, fill=False, edgecolor=MARK, linewidth=_BOX)
        box.set_transform(inches)
        rims = ((_BOX + 1.6, BLACK), (_BOX + 0.8, WHITE))
        box.set_path_effects([withStroke(linewidth=thick, foreground=colour) for thick, colour in rims])
        figure.add_artist(box)


def _draw_bar(figure: Figure, scale: Scale, bottom: float) -> None:
    """The scale lying down, with its numbers below it."""
    width, height = figure.get_size_inches()
    texts = [number(value, 3) for value in scale.ticks]
    left = MARGIN + text_width(texts[0], SMALL) / 2
    axes = figure.add_axes((left / width, bottom / height, _BAR[0] / width, _BAR[1] / height))
    axes.set_label("colour bar")
    bar = figure.colorbar(scale.colours(), cax=axes, orientation="horizontal", ticks=scale.ticks)
    bar.ax.set_xlim(scale.low, scale.high)
    bar.ax.set_xticklabels(texts)
    bar.ax.tick_params(length=2, pad=2)
    bar.outline.set(linewidth=0.5, edgecolor=GREY)
