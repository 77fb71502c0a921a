"""A picture beside the smallest changes that turn the answer."""

from __future__ import annotations

from dataclasses import replace

import pytest
from chart_checks import check_files, check_layout
from figures import photo
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from neocog.explanations.flips import Flip
from neocog.plots.flips import plot_flips

LONG = "a very long class name that no tile has room for"
SHIFT = Flip(
    "shift", True, 5**0.5, "pixels", "2 pixels up, 1 left", "6", 0.48812, photo(8, 8), "shift of up to 2 pixels"
)
ROTATION = Flip("rotation", False, 0.0, "degrees", "", "5", 0.9, None, "rotation of up to 45° either way")
PATCH = Flip(
    "erased patch", True, 3, "pixels", "3×3 at row 5, column 1", "8", 0.4, photo(8, 8),
    "erased patch of up to 4×4 pixels", (5, 1, 3, 3),
)  # fmt: skip


def texts(figure: Figure) -> list[str]:
    return [" ".join(text.get_text().split()) for text in figure.texts if text.get_text()]


def test_each_change_is_told_with_the_new_answer_and_a_patch_has_its_box():
    figure = plot_flips(photo(8, 8), (SHIFT, ROTATION, PATCH), answer="5")
    assert texts(figure) == [
        "The smallest change that turns the answer",
        "searched from small to large: shift of up to 2 pixels; erased patch of up to 4×4 pixels; "
        "no rotation of up to 45° either way changes it",
        "the picture", "as it is", "5", "shift", "2 pixels up, 1 left", "6, 48.8 %",
        "erased patch", "3×3 at row 5, column 1", "8, 40.0 %",
    ]  # fmt: skip
    (box,) = [artist for artist in figure.artists if isinstance(artist, Rectangle)]
    assert box.get_width() == pytest.approx(box.get_height())
    assert box.get_width() == pytest.approx(3 / 8 * 1.75, rel=0.05)


def test_where_nothing_turns_it_the_picture_stands_alone():
    figure = plot_flips(photo(8, 8), (ROTATION,), answer="5")
    assert texts(figure) == [
        "Nothing that was tried turns the answer", "no rotation of up to 45° either way changes it",
        "the picture", "as it is", "5",
    ]  # fmt: skip


@pytest.mark.parametrize("size", [(1, 1), (300, 20), (300, 400)])
def test_nothing_overlaps(size):
    found = [replace(flip, answer=LONG, picture=photo(*size), box=None) for flip in (SHIFT, SHIFT, PATCH)]
    check_layout(plot_flips(photo(*size), [*found, ROTATION], answer=LONG))


def test_the_same_figure_has_the_same_bytes():
    check_files(lambda: plot_flips(photo(8, 8), (SHIFT, PATCH)))
