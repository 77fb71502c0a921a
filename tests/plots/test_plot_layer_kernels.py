"""Kernels as pictures: one scale for all of them, and its numbers."""

from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_layout
from matplotlib.figure import Figure
from matplotlib.image import BboxImage

from neocog.plots.layer_kernels import plot_layer_kernels


def colours(figure: Figure) -> set[tuple[int, ...]]:
    (image,) = [artist for artist in figure.artists if isinstance(artist, BboxImage)]
    codes = np.unique(np.asarray(image.get_array()).astype(int) @ [65536, 256, 1])
    return {(int(code) >> 16, int(code) >> 8 & 255, int(code) & 255) for code in codes}


def caption(figure: Figure) -> str:
    return " ".join(figure.texts[1].get_text().split())


def test_one_channel_is_signed():
    # The largest number of all kernels has the full colour: +0.5 orange; −0.25 is halfway to blue; 0 white.
    figure = plot_layer_kernels(np.array([[[[0.5]]], [[[-0.25]]], [[[0.0]]]]), title="Kernels of layer 1")
    found = colours(figure)
    assert (230, 159, 0) in found
    assert (255, 255, 255) in found
    assert any(abs(red - 128) < 3 and abs(green - 184) < 3 and abs(blue - 216) < 3 for red, green, blue in found)
    assert caption(figure) == "3 kernels of 1×1 · weights from −0.25 to 0.5"
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == ["−0.5", "0", "0.5"]


def test_three_channels_are_red_green_and_blue_around_grey():
    # 127.5·(1 + w/2): 2 → 255, 0 → 128, −2 → 0; and 1 → 191, −1 → 64.
    figure = plot_layer_kernels(np.array([[2.0, 0.0, -2.0], [-1.0, 1.0, 0.0]]).reshape(2, 3, 1, 1))
    assert {(255, 128, 0), (64, 191, 128)} <= colours(figure)
    assert figure.axes == []
    assert caption(figure) == (
        "2 kernels of 3×1×1 · weights from −2 to 2 · "
        "mid grey is 0; red, green and blue run from −2 (dark) to 2 (bright)"
    )


def test_other_channels_have_tiles_of_their_own():
    figure = plot_layer_kernels(np.arange(1.0, 7.0).reshape(3, 2, 1, 1))
    assert (
        caption(figure)
        == "3 kernels of 2×1×1 · weights from 1 to 6 · each kernel's 2 channels side by side, 3 kernels a row"
    )
    assert len(colours(figure)) == 6 + 2  # white around them and the rim


def test_no_more_are_drawn_than_can_be_seen():
    figure = plot_layer_kernels(np.ones((2000, 1, 2, 2)), what="neuron")
    assert caption(figure) == "2,000 neurons of 2×2 · weights from 1 to 1 · the first 512 of 2,000 are drawn"


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (16, 3, 5, 5), (512, 1, 3, 3)])
def test_nothing_overlaps(shape):
    check_layout(plot_layer_kernels(np.random.default_rng(1).normal(size=shape), title="Kernels " * 15))


def test_kernels_of_zeros_are_drawn():
    assert (255, 255, 255) in colours(plot_layer_kernels(np.zeros((4, 1, 3, 3))))
    assert (128, 128, 128) in colours(plot_layer_kernels(np.zeros((4, 3, 3, 3))))
