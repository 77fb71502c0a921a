"""Accuracy over the strength of each change, one small chart a change."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chart_checks import check_layout, drawn, near, points, written
from scipy.stats import binomtest

from neocog.errors import NeocogError
from neocog.plots.stress import plot_stress
from neocog.statistics.stress import StressCurve, StressTest

SHIFT = StressCurve("shift", "pixels", (0, 1, 2), (90, 80, 20), 100, guess=0.1)
CONTRAST = StressCurve("contrast", "factor", (1, 0.5, 0.2), (90, 90, 85), 100, guess=0.1)


def stressed(*curves, n=100):
    return StressTest("runs/1", "test", n, 0.9, curves, ())


def many(count):
    names = ["shift", "rotation", "a change with a rather long title", "noise", "blur", "contrast", "inversion", "last"]
    return stressed(*(StressCurve(name, "units", (0, 1, 5, 30), (90, 70, 40, 12), 100, 0.1) for name in names[:count]))


def cases():
    return {
        "two": stressed(SHIFT, CONTRAST),
        "one": stressed(SHIFT),
        "seven": many(7),
        "no guess": stressed(StressCurve("noise", "grey levels", (0, 8), (100, 100), 100)),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_stress(cases()[name])


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_lines_are_accuracies_and_bands_wilson_intervals():
    axes, _ = figure_of("two").axes
    (line,) = drawn(axes, "curve")
    assert points(line) == near((0, 90), (1, 80), (2, 20))
    (band,) = [patch for patch in axes.collections if patch.get_gid() == "interval"]
    corners = {tuple(corner) for corner in np.round(band.get_paths()[0].vertices, 9)}
    for strength, right in ((0, 90), (1, 80), (2, 20)):
        ends = binomtest(right, 100).proportion_ci(method="wilson")
        assert {(strength, round(100 * ends.low, 9)), (strength, round(100 * ends.high, 9))} <= corners


def test_unchanged_and_guessing_are_lines_and_half_lost_a_diamond():
    first, second = figure_of("two").axes
    assert [drawn(first, name)[0].get_ydata()[0] for name in ("unchanged", "guessing")] == [90, 10]
    # From 80 % at 1 to 20 % at 2, the middle of 90 and 10 is reached half way.
    assert points(drawn(first, "half lost")[0]) == near((1.5, 50))
    assert drawn(second, "half lost") == []
    (alone,) = figure_of("no guess").axes
    assert drawn(alone, "guessing") == []


def test_every_chart_has_one_scale_and_the_stronger_change_at_the_right():
    first, second = figure_of("two").axes
    assert first.get_ylim() == second.get_ylim()
    assert not first.xaxis_inverted()
    assert second.xaxis_inverted()
    assert [axes.get_xlabel() for axes in (first, second)] == ["pixels", "factor"]
    assert [axes.get_ylabel() for axes in (first, second)] == ["accuracy in %", ""]
    assert [axes.get_ylabel() for axes in figure_of("seven").axes] == [
        *["accuracy in %", "", "", ""],
        *["accuracy in %", "", ""],
    ]


def test_texts_tell_the_conditions_and_the_worst():
    assert written(figure_of("two")).splitlines() == [
        "Stress on test: 90.00 % right unchanged, 20.00 % at worst (shift)",
        "Bands: 95 % Wilson intervals, n = 100 pictures at each strength. Grey line: the pictures unchanged. "
        "Dotted: guessing, 10 %. Diamond: half of the lead over guessing is lost.",
        "shift",
        "contrast",
    ]
    assert written(figure_of("no guess")).splitlines()[1] == (
        "Bands: 95 % Wilson intervals, n = 100 pictures at each strength. Grey line: the pictures unchanged."
    )


def test_no_change_is_refused():
    with pytest.raises(NeocogError) as caught:
        plot_stress(stressed())
    want = "no stress curves to plot: not one change was tried; leave only=… out to try all of them"
    assert str(caught.value) == want
