"""A picture beside the training pictures most like it."""

from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_files, check_layout
from figures import photo
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from neocog.explanations.neighbours import Neighbour
from neocog.plots.neighbours import plot_neighbours
from neocog.plots.style import BLACK, BLUE, VERMILION

LONG = "a very long class name that no tile has room for"


def neighbour(index: int, label: str, distance: float, same: bool = False, size: tuple[int, int] = (8, 8)) -> Neighbour:
    return Neighbour(index, f"train/{index}", label, distance, photo(*size), same)


FOUND = (neighbour(4, "frog", 0.0, same=True), neighbour(1, "ship", 2.3456), neighbour(7, "frog", 11.5))


def texts(figure: Figure) -> list[str]:
    return [" ".join(text.get_text().split()) for text in figure.texts if text.get_text()]


def test_each_neighbour_has_its_label_its_distance_and_its_name():
    title, caption, *lines = texts(plot_neighbours(photo(8, 8), FOUND))
    assert title == "The 3 training pictures that the network takes for most alike"
    assert caption == "Euclidean distance of the values that the last linear layer takes in"
    assert lines == [
        "the picture", "frog", "the same picture", "train/4", "ship", "distance 2.35", "train/1", "frog",
        "distance 11.5", "train/7",
    ]  # fmt: skip


def test_a_label_that_isnt_the_answer_is_marked_in_words_and_in_its_frame():
    figure = plot_neighbours(photo(8, 8), FOUND, answer="frog")
    title, caption, *lines = texts(figure)
    assert title.endswith("; 2 of them are frog, as answered")
    assert caption.endswith("; a broken frame: another class than the answer")
    assert lines[:3] == ["the picture", "answer frog", "frog"]
    assert "ship, not frog" in lines
    frames = [artist for artist in figure.artists if isinstance(artist, Rectangle)]
    assert [to_rgb(frame.get_edgecolor()) for frame in frames] == [to_rgb(c) for c in (BLACK, BLUE, VERMILION, BLUE)]
    assert [frame.get_linestyle() == "solid" for frame in frames] == [True, True, False, True]
    agreeing = texts(plot_neighbours(photo(8, 8), FOUND[:1], answer="frog"))
    assert agreeing[0].endswith(
        "1 training picture that the network takes for most alike; 1 of them is frog, as answered"
    )
    assert "broken" not in agreeing[1]


@pytest.mark.parametrize(("count", "size"), [(1, (1, 1)), (8, (60, 9)), (5, (300, 400))])
def test_nothing_overlaps(count, size):
    found = [neighbour(1000 + place, (LONG, "b")[place % 2], 1e-7 * 9**place, size=size) for place in range(count)]
    check_layout(plot_neighbours(photo(*size), found, answer=LONG))


def test_the_same_figure_has_the_same_bytes():
    grey = [Neighbour(1, "x", "$a_b", 1.0, np.zeros((4, 4, 1), np.uint8))]
    check_files(lambda: plot_neighbours(photo(8, 8), [*FOUND, *grey], answer="ship"))
