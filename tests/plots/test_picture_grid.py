"""Pictures in rows: every pixel where it belongs, and no text on any of them."""

from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_files, check_layout
from figures import photo
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from matplotlib.patches import Rectangle

from neocog.plots.cells import Scale
from neocog.plots.grid import Tile, columns_for, draw_tiles, in_rows
from neocog.plots.style import DOTS, GREEN, GREY, VERMILION, styled

draw = styled(draw_tiles)
LONG = "a class whose name is much longer than any tile is wide"


def page(figure: Figure) -> np.ndarray:
    """The dots of the figure as it is written, (H, W, 3)."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())[..., :3]


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts if text.get_text()]


def rectangles(figure: Figure) -> list[Rectangle]:
    return [artist for artist in figure.artists if isinstance(artist, Rectangle)]


def check_apart(figure: Figure) -> None:
    """No text lies on a tile."""
    check_layout(figure)
    renderer, shown = figure.canvas.get_renderer(), [text for text in figure.texts if text.get_text()]
    boxes = [text.get_window_extent(renderer).shrunk(0.98, 0.85) for text in shown]
    for text in shown:
        text.set_visible(False)
    dots = page(figure)
    for text, box in zip(shown, boxes, strict=True):
        under = dots[len(dots) - int(box.y1) : len(dots) - int(box.y0), int(box.x0) : int(box.x1)]
        assert under.size
        assert (under == 255).all(), text.get_text()


def test_pixels_are_squares_of_whole_dots_with_sharp_edges():
    pixels = np.array([[10, 20], [30, 40]], np.uint8)
    dots = page(draw([[Tile(pixels)]], title="t", side=1.0))
    for value in pixels.flat:
        rows, columns = np.nonzero((dots == value).all(axis=2))
        assert len(rows) == (DOTS // 2) ** 2
        assert np.ptp(rows) == np.ptp(columns) == DOTS // 2 - 1
    # 28 pixels have 5 dots each of 160, so the tile is 140 dots wide.
    digit = page(draw([[Tile(np.full((28, 28, 1), 99, np.uint8))]], title="t", side=1.0))
    assert (digit == 99).all(axis=2).sum() == 140**2


def test_a_colour_picture_keeps_its_colours_and_its_shape():
    red = np.zeros((4, 8, 3), np.uint8)
    red[..., 0] = 200
    rows, columns = np.nonzero((page(draw([[Tile(red)]], title="t", side=1.0)) == (200, 0, 0)).all(axis=2))
    assert (np.ptp(rows) + 1, np.ptp(columns) + 1) == (80, 160)


def test_of_more_pixels_than_dots_each_dot_is_the_mean():
    board = np.indices((320, 320)).sum(0) % 2 * 200
    dots = page(draw([[Tile(board.astype(np.uint8))]], title="t", side=1.0))
    assert (dots == 100).all(axis=2).sum() == DOTS**2


def test_heat_is_blue_below_zero_orange_above_and_nothing_at_zero():
    # Grey of half the contrast: 255·0.45/2 + 0.55·128 = 127.8; the strongest heat covers 85 % of it.
    heat = np.array([[2.0, 0.0, -2.0, 1.0]])
    found = Tile(np.full((1, 4), 128, np.uint8), heat=heat).colours()
    assert found.tolist() == [[[215, 154, 19], [128, 128, 128], [19, 116, 170], [171, 141, 73]]]
    calm = Tile(np.full((1, 4), 128, np.uint8), heat=np.zeros((1, 4))).colours()
    assert (calm == 128).all()


def test_a_box_and_frames_stand_where_they_are_asked_for():
    # 10 pixels on one inch: a tenth of an inch each, from 0.2 inches on.
    pixels = np.zeros((10, 10), np.uint8)
    boxed, framed, marked = (
        draw([[tile]], title="t", side=1.0)
        for tile in (Tile(pixels, box=(2, 3, 4, 5)), Tile(pixels, frame=GREEN), Tile(pixels, marked=True))
    )
    (box,), (frame,), (mark,) = rectangles(boxed), rectangles(framed), rectangles(marked)
    assert (box.get_x(), box.get_width(), box.get_height()) == pytest.approx((0.5, 0.5, 0.4))
    (image,) = [artist for artist in boxed.artists if isinstance(artist, BboxImage)]
    top = image.get_window_extent().y1 / DOTS - 1 / DOTS  # below the rim
    assert top - (box.get_y() + box.get_height()) == pytest.approx(0.2)
    assert to_rgb(box.get_edgecolor()) == to_rgb(VERMILION)
    assert to_rgb(frame.get_edgecolor()) == to_rgb(GREEN)
    assert to_rgb(mark.get_edgecolor()) == to_rgb(GREY)
    assert mark.get_linewidth() > frame.get_linewidth()
    assert (mark.get_linestyle(), frame.get_linestyle()) == ((0, (2, 1)), "solid")
    assert frame.get_width() == pytest.approx(1 + frame.get_linewidth() / 72)


SMALL_TILE, LARGE = np.full((3, 3), 7, np.uint8), photo(400, 700)
GRIDS = {
    "one": ([[Tile(SMALL_TILE, ("a", "b"))]], ()),
    "long names": (in_rows([Tile(SMALL_TILE, (LONG, "x"))] * 8, 7), ()),
    "ten across": (in_rows([Tile(LARGE, (LONG,), frame=GREEN)] * 11, 10), (LONG * 4, "", "second row")),
    "mixed": (
        [[Tile(SMALL_TILE, marked=True), None, Tile(LARGE, ("wide",))], [None, Tile(np.ones((90, 1), np.uint8))]],
        ("first",),
    ),
    "bare": (in_rows([Tile(SMALL_TILE)] * 12), ()),
}


@pytest.mark.parametrize("name", GRIDS)
def test_nothing_overlaps(name):
    rows, titles = GRIDS[name]
    check_apart(draw(rows, title=f"{LONG} {LONG}", caption=LONG * 4, row_titles=titles))


def test_texts_that_are_too_long_lose_their_middle():
    figure = draw(in_rows([Tile(SMALL_TILE, (LONG, "short"))] * 8, 8), title="title", caption="caption")
    title, caption, *lines = texts(figure)
    assert (title, caption) == ("title", "caption")
    assert set(lines[1::2]) == {"short"}
    (cut,) = set(lines[::2])
    head, tail = cut.split("…")
    assert LONG.startswith(head)
    assert LONG.endswith(tail)


def test_a_scale_stands_below_with_its_numbers():
    scale = Scale(-0.25, 0.25, grey=False)
    figure = draw([[Tile(SMALL_TILE)]], title="t", caption="c", scale=scale)
    (axes,) = figure.axes
    assert [label.get_text() for label in axes.get_xticklabels()] == ["−0.25", "0", "0.25"]
    check_apart(figure)


def test_rows_are_filled_up():
    tiles = [Tile(np.full((1, 1), value, np.uint8)) for value in range(5)]
    assert in_rows(tiles, 2) == [[tiles[0], tiles[1]], [tiles[2], tiles[3]], [tiles[4], None]]
    assert in_rows([]) == []


def test_long_texts_get_fewer_columns():
    found = [columns_for(["x" * letters], 10, 3) for letters in (5, 20, 30, 200)]
    assert found[0] == 10
    assert found == sorted(found, reverse=True)
    assert found[-1] == 3
    figure = draw(in_rows([Tile(SMALL_TILE, ("x" * 20,))] * 12, found[1]), title="t")
    assert set(texts(figure)) == {"t", "x" * 20}


def test_the_same_grid_is_the_same_file():
    check_files(lambda: draw(in_rows([Tile(LARGE, ("a",), frame=GREEN)] * 2), title="t"))
