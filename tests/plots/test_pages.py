"""The page of a figure, names on one line, and the axis that spreads accuracies close to 100 %."""

from __future__ import annotations

import math

import numpy as np
import pytest
from chart_checks import check_layout, written

from neocog.plots.numbers import text_width
from neocog.plots.pages import Accuracies, page, shortened, told_apart
from neocog.plots.style import SMALL


def test_a_page_has_its_title_above_and_its_caption_below():
    figure, foot = page(6.0, 2.0, "word " * 30, "caption " * 40)
    check_layout(figure)
    title, caption = figure.texts
    height = figure.get_size_inches()[1]
    figure.draw_without_rendering()
    renderer = figure.canvas.get_renderer()
    assert title.get_window_extent(renderer).y0 / figure.dpi > foot + 2
    assert caption.get_window_extent(renderer).y1 / figure.dpi < foot
    assert height > foot + 2
    assert written(figure).splitlines() == [("word " * 30).strip(), ("caption " * 40).strip()]


@pytest.mark.parametrize("name", ["i" * 300, "W" * 30, "two words", "a\nb"])
@pytest.mark.parametrize("width", [0.3, 1.0])
def test_a_shortened_name_fits_and_is_as_long_as_fits(name, width):
    short = shortened(name, width)
    line = " ".join(name.split())
    assert text_width(short, SMALL) <= width
    if short != line:
        start, end = short.split("…")
        assert line.startswith(start)
        assert 0 <= len(start) - len(end) <= 1
        longer = (
            f"{line[: len(start) + 1]}…{end}" if len(start) == len(end) else f"{start}…{line[len(line) - len(start) :]}"
        )
        assert text_width(longer, SMALL) > width


def test_equal_factors_of_the_error_are_equally_far_apart():
    axis = Accuracies.spread([0, 90, 99, 99.9], 3, upright=True)
    places = np.log10(axis.places([0, 90, 99, 99.9]))
    np.testing.assert_allclose(np.diff(places), -1, rtol=1e-12)
    assert axis.span.low > 100 > 0.1 > axis.span.high
    assert [label for label in axis.span.labels if label in {"0", "90", "99", "99.9"}] == ["99.9", "99", "90", "0"]
    for tick, label in zip(axis.span.ticks, axis.span.labels, strict=True):
        assert math.isclose(tick, 100 - float(label), rel_tol=1e-9)


def test_no_error_is_drawn_at_half_the_least_one():
    axis = Accuracies.spread([80, 99, 100], 3, upright=True)
    assert axis.places([80, 99, 100]).tolist() == [20, 1, 0.5]
    assert dict(zip(axis.span.labels, axis.span.ticks, strict=True))["100"] == 0.5
    assert axis.span.high < 0.5


@pytest.mark.parametrize("most", [99.2, 99.9, 99.99993])
@pytest.mark.parametrize("upright", [False, True])
def test_the_label_of_100_lies_on_no_other(most, upright):
    span = Accuracies.spread([20, most, 100], 3.1, upright=upright).span
    places = [math.log(span.low / tick) / math.log(span.low / span.high) * 3.1 for tick in span.ticks]
    sizes = [0.16 if upright else text_width(label, SMALL) for label in span.labels]
    rest = [at for at, label in zip(places, span.labels, strict=True) if label != "100"]
    assert span.labels[0] == "100"
    assert places[0] - max(rest) > (sizes[0] + sizes[1]) / 2 + 0.1


def test_a_scale_is_spread_where_asked_for_and_over_more_than_a_factor_of_10():
    assert Accuracies.fitting([50, 99.9], 2, spread=True).is_spread
    assert not Accuracies.fitting([50, 99.9], 2, spread=False).is_spread
    assert not Accuracies.fitting([90, 99], 2, spread=True).is_spread
    linear = Accuracies.fitting([100, 100], 2, spread=True)
    assert linear.places([100]).tolist() == [100]
    assert max(linear.span.ticks) <= 100


def test_names_that_would_look_alike_begin_with_their_numbers():
    given = {
        3: f"a {'very ' * 9}long name",
        5: "cat",
        8: f"a {'very ' * 8}long name",
        9: "x" * 300,
        10: "x" * 150 + "y",
    }
    names = told_apart(given, 1.2)
    assert [name.partition(":")[0] for name in names[:3]] == ["3", "cat", "8"]
    assert names[1] == "cat"
    assert (names[3].startswith("xxx"), names[4].endswith("xy")) == (True, True)  # unlike as they are
    assert all(text_width(name, SMALL) <= 1.2 for name in names)
    assert len({*names}) == 5
