"""Feature maps as tiles: one scale for all, its numbers, and which maps are drawn."""

from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_files, check_layout
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.image import BboxImage
from torch import nn

from neocog.explanations.maps import FeatureMaps
from neocog.explanations.network import NamedLayer
from neocog.plots.feature_maps import plot_feature_maps
from neocog.plots.style import BLUE, ORANGE


def maps_of(values: np.ndarray, text: str = "conv 2 3", shape: tuple[int, ...] | None = None) -> FeatureMaps:
    layer = NamedLayer("5", "4", text, nn.Identity(), (1, 9, 9), shape or values.shape)
    return FeatureMaps(layer, values.astype(np.float32))


def texts(figure: Figure) -> list[str]:
    return [" ".join(text.get_text().split()) for text in figure.texts if text.get_text()]


def colours(figure: Figure) -> set[tuple[int, ...]]:
    (image,) = [artist for artist in figure.artists if isinstance(artist, BboxImage)]
    return set(map(tuple, np.asarray(image.get_array()).reshape(-1, 3).tolist()))


def whole(colour: str) -> tuple[int, ...]:
    return tuple(round(255 * part) for part in to_rgb(colour))


def test_all_maps_share_one_scale_around_0_with_its_numbers():
    figure = plot_feature_maps(maps_of(np.array([[[0.5, 0.0]], [[-2.0, 0.5]]])))
    title, caption, first, second = texts(figure)
    assert title == "What layer 5 'conv 2 3' gives: 2×1×2"
    assert caption == "2 maps of 1×2, numbered from 0; values from −2 to 0.5; 25 % of them are 0"
    assert (first, second) == ("0", "1")
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["−2", "0", "2"]
    assert whole(BLUE) in colours(figure)
    assert whole(ORANGE) not in colours(figure)  # 0.5 of 2 is a quarter of the way there
    quarter = tuple(round(255 + 0.25 * (part - 255)) for part in whole(ORANGE))
    assert min(np.abs(np.subtract(quarter, each)).max() for each in colours(figure)) <= 2


def test_where_nothing_is_below_0_the_scale_begins_there():
    figure = plot_feature_maps(maps_of(np.array([[[3.0, 1.0]]]), "relu"))
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["0", "3"]
    assert whole(ORANGE) in colours(figure)
    assert texts(figure)[1] == "1 map of 1×2, numbered from 0; values from 1 to 3"


def test_of_many_maps_the_64_strongest_are_drawn_in_their_order():
    values = np.arange(100.0)[:, None, None] * np.where(np.arange(100) % 2, 1, -1)[:, None, None] * np.ones((1, 3, 3))
    title, caption, *numbers = texts(plot_feature_maps(maps_of(values)))
    assert numbers == [str(channel) for channel in range(36, 100)]
    assert "; drawn are the 64 with the largest values, whatever their sign; values from −98 to 99; 1 %" in caption
    assert title.endswith("100×3×3")


def test_a_vector_is_a_strip_of_all_its_values():
    for count, across in ((10, 10), (40, 32), (576, 48)):
        figure = plot_feature_maps(maps_of(np.ones((count, 1, 1)), "flatten", (count,)))
        title, caption = texts(figure)
        # 40 in rows of 32 leave 24 cells that are no values.
        assert ((0xB4,) * 3 in colours(figure)) == (count == 40)
        assert title == f"What layer 5 'flatten' gives: {count}"
        assert caption == f"{count} values, from left to right, {across} in a row; values from 1 to 1"


@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 1, 40), (18, 300, 200), (1, 1, 1), (4096, 1, 1)])
def test_nothing_overlaps(shape):
    values = np.random.default_rng(0).normal(size=shape)
    check_layout(plot_feature_maps(maps_of(values, "conv 16 5 same stride=2 padding=1 bias=no groups=4 dilation=3")))


def test_maps_that_are_all_0_and_files():
    figure = plot_feature_maps(maps_of(np.zeros((4, 3, 3))))
    assert texts(figure)[1] == "4 maps of 3×3, numbered from 0; values from 0 to 0; 100 % of them are 0"
    check_layout(figure)
    check_files(lambda: plot_feature_maps(maps_of(np.arange(18.0).reshape(2, 3, 3))))
