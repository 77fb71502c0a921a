"""Training pictures in rows: which stands where, and under which name."""

from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_layout
from matplotlib.figure import Figure
from matplotlib.image import BboxImage

from neocog.plots.samples import SEEN, UNCHANGED, plot_samples


def numbered(count: int) -> np.ndarray:
    """Pictures of one grey each: 0, 1, 2, …"""
    return np.arange(count, dtype=np.uint8)[:, None, None, None].repeat(4, 1).repeat(4, 2)


def shown(figure: Figure, most: int = 190) -> list[list[int]]:
    """The greys of the tiles, row by row from the left."""
    (image,) = [artist for artist in figure.artists if isinstance(artist, BboxImage)]
    grey = np.asarray(image.get_array())[..., 0].astype(int)
    rows = []
    before: list[int] = []
    for line in grey:
        values = [int(value) for value in line if value < most]
        found = list(dict.fromkeys(values))
        if found != before and found:
            rows.append(found)
        before = found
    return rows


def names(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.texts if text.get_text()]


def test_a_class_has_its_columns():
    figure = plot_samples(numbered(7), ["cat", "cat", "dog", "dog", "cat", "emu", "emu"])
    # Three classes: nine columns of ten, cat dog emu cat dog emu cat dog emu.
    assert shown(figure) == [[0, 2, 5, 1, 3, 6, 4]]
    assert names(figure) == ["What the network sees", "cat", "dog", "emu", "cat", "dog", "emu", "cat"]


def test_each_picture_may_have_a_name_of_its_own():
    figure = plot_samples(numbered(3), ["cat", "dog", "cat"], names=["a.png", "b.png", "c.png"])
    assert names(figure) == ["What the network sees", "cat", "a.png", "dog", "b.png", "cat", "c.png"]


def test_more_pictures_of_a_class_stand_in_the_next_row():
    figure = plot_samples(numbered(20), [str(place % 10) for place in range(20)])
    assert shown(figure) == [list(range(10)), list(range(10, 20))]


def test_many_classes_follow_one_another():
    figure = plot_samples(numbered(12), [f"c{place}" for place in range(12)], classes=100, caption="from here")
    assert shown(figure) == [list(range(10)), [10, 11]]
    assert names(figure)[1] == "12 of 100 classes · from here"


def test_what_was_changed_stands_below_what_it_was():
    figure = plot_samples(numbered(4) + 100, ["a", "b", "a", "b"], unchanged_NHWC=numbered(4))
    assert shown(figure) == [[0, 1, 2, 3], [100, 101, 102, 103]]
    assert names(figure) == ["What the network sees", UNCHANGED, SEEN, "a", "b", "a", "b"]


@pytest.mark.parametrize(("classes", "changed"), [(1, True), (2, False), (12, True)])
def test_nothing_overlaps(classes, changed):
    pictures = np.zeros((classes, 9, 5, 3), np.uint8)
    labels = [f"a rather long class name {place}" for place in range(classes)]
    check_layout(plot_samples(pictures, labels, unchanged_NHWC=pictures if changed else None, caption="c " * 90))
