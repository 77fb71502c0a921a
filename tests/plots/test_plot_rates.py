"""A range test: batches, their running mean, the suggestion and the end."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from chart_checks import LONG, check_files, check_layout, drawn, near, points, written
from matplotlib.colors import to_hex

from neocog.errors import NeocogError
from neocog.plots import plot_rates
from neocog.plots.style import MARK
from neocog.statistics.rates import EXPLODES, NO_NUMBER, REACHED, RateCurve, RateRange, range_of

RATES = (1e-3, 1e-2, 1e-1, 1.0)


def curve(losses, smoothed=None, *, seed=0, ending=REACHED, suggestion=None, rates=RATES):
    losses = tuple(losses)
    return RateCurve(seed, rates[: len(losses)], losses, tuple(smoothed or losses), ending, suggestion)


def ranged(*curves, suggestion=None, falls=None, recipe="fast"):
    """A range test with a suggestion that is given, so that the chart is tested apart from the reading."""
    length = min(len(each.losses) for each in curves)
    losses, smoothed = (
        tuple(np.mean([getattr(each, name)[:length] for each in curves], axis=0).tolist())
        for name in ("losses", "smoothed")
    )
    return RateRange(
        recipe, "mnist", curves[0].rates[:length], losses, smoothed, suggestion, falls, rises=True, curves=curves
    )


FALLING = curve([2.4, 2.0, 1.0, 3.0], [2.4, 2.2, 1.5, 2.3], ending=EXPLODES)


def measured():
    """A hundred noisy batches whose loss falls from 0.001 on and explodes above 0.3."""
    made = np.random.default_rng(0)
    rates = np.geomspace(1e-7, 0.5, 100)
    losses = (2.3 / (1 + rates / 0.003) + 0.3 + (np.maximum(0, rates - 0.3) * 20) ** 4) * np.exp(
        made.normal(0, 0.05, 100)
    )
    smoothed = np.convolve(np.pad(losses, (4, 0), "edge"), np.full(5, 0.2), "valid")
    return curve(losses.tolist(), smoothed.tolist(), ending=EXPLODES, rates=tuple(rates.tolist()))


def cases():
    return {
        "falling": ranged(FALLING, suggestion=0.03, falls=(0.01, 0.1)),
        "measured": range_of([measured(), measured()], recipe=LONG * 2, data="mnist"),
        "flat": ranged(curve([2.3] * 4)),
        "last": ranged(FALLING, suggestion=1.0),
        "one step": ranged(curve([2.3], ending=NO_NUMBER)),
        "huge": ranged(curve([2.3, 1.0, 1e30], ending=EXPLODES)),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_rates(cases()[name])


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_dots_are_batches_and_the_line_their_running_mean():
    axes = figure_of("falling").axes[0]
    (dots,), (line,) = drawn(axes, "batches"), drawn(axes, "smoothed")
    assert points(dots) == list(zip(RATES, FALLING.losses, strict=True))
    assert points(line) == list(zip(RATES, FALLING.smoothed, strict=True))
    assert dots.get_linestyle() == "None"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("learning rate, log scale", "loss of a batch in nats")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "linear")


def test_the_suggestion_is_marked_on_the_line_with_its_number():
    axes = plot_rates(ranged(FALLING, suggestion=math.sqrt(1e-3))).axes[0]
    upright, mark = drawn(axes, "suggestion")
    assert set(upright.get_xdata()) == {math.sqrt(1e-3)}
    assert points(mark) == near((math.sqrt(1e-3), (2.2 + 1.5) / 2))  # halfway from 0.01 to 0.1 on a logarithmic axis
    assert {to_hex(line.get_color()).upper() for line in (upright, mark)} == {MARK}
    assert [text.get_text() for text in axes.texts] == ["suggested: 0.03162"]


@pytest.mark.parametrize("suggestion", [1e-6, 1e-4, 3e-3, 0.1, 0.45])
def test_the_name_of_the_suggestion_lies_off_the_curve(suggestion):
    figure = plot_rates(ranged(measured(), suggestion=suggestion))
    figure.draw_without_rendering()
    axes = figure.axes[0]
    (text,) = axes.texts
    box = text.get_window_extent(figure.canvas.get_renderer())
    (curve_drawn,) = drawn(axes, "smoothed")
    rates, losses = (np.array(each) for each in curve_drawn.get_data())
    between = np.geomspace(rates[0], rates[-1], 2000)
    places = axes.transData.transform(np.c_[between, np.interp(np.log(between), np.log(rates), losses)])
    assert not any(box.contains(x, y) for x, y in places)
    inside = axes.get_window_extent()
    assert inside.x0 <= box.x0 < box.x1 <= inside.x1
    assert inside.y0 <= box.y0 < box.y1 <= inside.y1


def test_the_title_is_what_the_test_found():
    assert written(figure_of("falling")).splitlines() == [
        str(cases()["falling"]),
        "Dots: single batches; line: their running mean, one seed. Shaded: the loss falls. Cross: loss exploded.",
    ]


def test_where_the_loss_falls_is_shaded():
    axes = figure_of("falling").axes[0]
    (shade,) = [patch for patch in axes.patches if patch.get_gid() == "falls"]
    assert (shade.get_x(), shade.get_x() + shade.get_width()) == pytest.approx((0.01, 0.1))
    assert [patch.get_gid() for patch in figure_of("flat").axes[0].patches] == []


def test_no_suggestion_is_drawn_where_there_is_none():
    axes = figure_of("flat").axes[0]
    assert drawn(axes, "suggestion") == []
    assert list(axes.texts) == []


def test_the_end_is_marked_unless_it_is_the_last_rate():
    (cross,) = drawn(figure_of("falling").axes[0], "end")
    assert points(cross) == [(1.0, 2.3)]
    flat = figure_of("flat")
    assert drawn(flat.axes[0], "end") == []
    assert written(flat).endswith("one seed. The test went on to its last rate.")


def test_seeds_are_thin_lines_beside_their_mean():
    other = curve([2.2, 2.0, math.nan], [2.2, 2.1, math.nan], seed=1, ending=NO_NUMBER, suggestion=0.02)
    first = curve(FALLING.losses, FALLING.smoothed, ending=EXPLODES, suggestion=0.03)
    figure = plot_rates(ranged(first, other))
    assert [len(points(line)) for line in drawn(figure.axes[0], "seed")] == [4, 2]
    assert points(drawn(figure.axes[0], "smoothed")[0]) == near((1e-3, 2.3), (1e-2, 2.15))
    assert written(figure).splitlines()[-1] == (
        "Dots: single batches; line: their running mean over 2 seeds; thin lines: each seed. "
        "Single seeds suggest 0.02 to 0.03. Cross: loss exploded or loss is no number."
    )


def test_a_loss_that_explodes_does_not_flatten_the_rest():
    figure = figure_of("huge")
    assert 2.3 < figure.axes[0].get_ylim()[1] < 5
    assert written(figure).endswith("Cross: loss exploded. Losses above the chart are cut off.")
    (cross,) = drawn(figure.axes[0], "end")
    assert points(cross) == near((0.1, figure.axes[0].get_ylim()[1]))


def test_the_same_range_gives_the_same_bytes():
    check_files(lambda: plot_rates(cases()["measured"]))


def test_no_finite_loss_is_refused():
    with pytest.raises(NeocogError) as caught:
        plot_rates(ranged(curve([math.nan], ending=NO_NUMBER)))
    want = "no rates to plot: no step had a finite loss; begin with a lower rate, --low in the shell"
    assert str(caught.value) == want
