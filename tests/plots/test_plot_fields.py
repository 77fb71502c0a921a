"""A receptive field on its picture, and what was measured beside it."""

from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_files, check_layout
from figures import photo
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from torch import nn

from neocog.explanations.fields import ReceptiveField
from neocog.explanations.network import NamedLayer
from neocog.plots.fields import plot_receptive_field


def field(
    box: tuple[int, int, int, int] = (2, 3, 4, 5),
    size: tuple[int, int] | None = (4, 5),
    shape: tuple[int, int] = (10, 12),
    strongest: bool = False,
    outside: bool = False,
    **how: str,
) -> ReceptiveField:
    layer = NamedLayer("5", "4", how.get("text", "conv 2 3"), nn.Identity(), (1, *shape), (2, 3, 3))
    measured = np.zeros(shape, dtype=np.float32)
    top, left, height, width = box
    measured[top : top + height, left : left + width] = 0.25
    measured[0, 0] += outside
    return ReceptiveField(layer, (1, 2, 0), -1.5, strongest, size, box, measured)


def texts(figure: Figure) -> list[str]:
    return [" ".join(text.get_text().split()) for text in figure.texts if text.get_text()]


def boxes(figure: Figure) -> list[Rectangle]:
    return [artist for artist in figure.artists if isinstance(artist, Rectangle)]


def test_the_same_box_lies_on_the_picture_and_on_what_was_measured():
    figure = plot_receptive_field(photo(10, 12), field())
    first, second = boxes(figure)
    # Pixels are as large in both: 2.6 inches for 12 of them, a little less so that each has whole dots.
    pixel = first.get_width() / 5
    assert 2.5 / 12 < pixel <= 2.6 / 12
    for box in (first, second):
        assert (box.get_width(), box.get_height()) == pytest.approx((5 * pixel, 4 * pixel))
    assert second.get_y() == pytest.approx(first.get_y())
    assert second.get_x() - first.get_x() > 12 * pixel
    assert texts(figure) == [
        "What neuron 1,2,0 of layer 5 'conv 2 3' sees",
        "its value: −1.5; it sees 4×5 pixels where no edge cuts them; orange: |∂value/∂x| of each pixel as it goes "
        "into the network, summed over channels, up to 0.25",
        "by arithmetic", "rows 2–5, columns 3–7", "measured", "95 % lies in 95 % of the box",
    ]  # fmt: skip


def test_what_sees_everything_or_nothing_says_so():
    title, caption, _, box, _, share = texts(
        plot_receptive_field(photo(10, 12), field((0, 0, 10, 12), None, strongest=True))
    )
    assert (box, share) == ("the whole picture", "95 % lies in 95 % of the box")
    assert caption.startswith(
        "its value: the largest of its layer, −1.5; it mixes all places, or a layer before it does;"
    )
    figure = plot_receptive_field(photo(10, 12), field((0, 0, 0, 0), (3, 3)))
    assert texts(figure)[3::2] == ["no pixel", "no gradient"]
    assert boxes(figure) == []
    assert title.startswith("What neuron 1,2,0")


def test_pixels_beyond_the_box_are_counted_out():
    caption = texts(plot_receptive_field(photo(10, 12), field(outside=True)))[1]
    assert caption.endswith("up to 1; 1 pixel beyond the box has one, too")


@pytest.mark.parametrize("shape", [(1, 1), (300, 20), (300, 400)])
def test_nothing_overlaps(shape):
    long = "conv 128 3x5 same stride=2 padding=1 bias=no groups=4 dilation=3"
    check_layout(plot_receptive_field(photo(*shape), field((0, 0, 1, 1), shape=shape, text=long)))


def test_the_same_figure_has_the_same_bytes():
    check_files(lambda: plot_receptive_field(photo(10, 12)[..., :1], field()))
