"""Accuracy over cost: marks, intervals, Pareto's front and names that find room."""

from __future__ import annotations

from functools import cache
from itertools import combinations

import numpy as np
import pytest
from chart_checks import LONG, check_files, check_layout, compared, drawn, near, points, side, written
from scipy import stats

from neocog.errors import NeocogError
from neocog.plots import plot_cost
from neocog.plots.cost import front, placed
from neocog.plots.style import WHITE

THREE = (
    side("a", [0.97, 0.98], parameters=30_000, macs=2_000_000, seconds={0: 10, 1: 12}),
    side("b", [0.93, 0.95], parameters=40_000, macs=None, seconds={0: 11, 1: 11}),
    side("c", [0.98, 0.99], parameters=400_000, macs=50_000_000, seconds={0: 90, 1: 130}),
)


def cases():
    made = np.random.default_rng(0)
    names = ["model-a", "model-a-batchnorm", "resnet20", "vgg-small", LONG, "mlp", "inception-small", "$x_1$", "b"]
    return {
        "three": compared(*THREE),
        "one": compared(side("a", [0.97])),
        "nine": compared(
            *(side(name, made.normal(0.97, 0.01, 5).tolist(), parameters=10_000 * 2**n) for n, name in enumerate(names))
        ),
        "alike": compared(*(side(f"{LONG} {n}", [0.97]) for n in range(12))),
        "thirty": compared(*(side(f"{LONG} {n}", made.normal(0.9, 0.02, 3).tolist()) for n in range(30))),
        "no parameters": compared(side("a", [0.1, 0.2], parameters=0), side("b", [0.97], parameters=10_000_000)),
        "loss": compared(side("a", [0.1, 0.11]), side("b", [2.3, 1e12]), metric="loss"),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_cost(cases()[name])


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_marks_stand_at_cost_and_mean_with_students_interval():
    axes = figure_of("three").axes[0]
    assert [points(mark)[0] for mark in drawn(axes, "side")] == near((3e4, 97.5), (4e4, 94), (4e5, 98.5))
    first = points(drawn(axes, "interval")[0])
    want = stats.t.interval(0.95, 1, loc=97.5, scale=stats.sem([97, 98]))
    assert want[1] > 100
    assert first == [(3e4, pytest.approx(want[0])), (3e4, 100)]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("parameters, log scale", "validation accuracy in %")
    assert axes.get_xscale() == "log"
    assert [text.get_text() for text in axes.texts] == ["a", "b", "c"]


def test_seconds_have_an_interval_of_their_own():
    axes = plot_cost(compared(*THREE), "seconds").axes[0]
    assert [points(mark)[0][0] for mark in drawn(axes, "side")] == [11, 11, 110]
    upright, across = (points(bar) for bar in drawn(axes, "interval")[:2])
    assert [x for x, _ in upright] == [11, 11]
    want = stats.t.interval(0.95, 1, loc=11, scale=stats.sem([10, 12]))
    assert want[0] < 0
    assert [x for x, _ in across] == [0, pytest.approx(want[1])]
    assert axes.get_xlabel() == "training time in seconds"
    assert axes.get_xscale() == "linear"  # 110 is not more than ten times 11


def test_sides_without_the_cost_are_told():
    figure = plot_cost(compared(*THREE, side("d", [], failed=[0])), "macs")
    assert figure.axes[0].get_xlabel() == "multiply-adds for one picture, log scale"
    assert written(figure).splitlines() == [
        "Validation accuracy against multiply-adds for one picture",
        "Filled: no cheaper or equal side has a better mean. Dotted line: the best mean for that cost or less. Bars: "
        "95 % intervals of the means (Student's t), cut at 100 %, n = 2. Not shown: 2 sides without a finished seed or "
        "this cost.",
    ]


def test_sides_of_the_same_cost_stand_beside_each_other_so_that_no_bar_hides_another():
    figure = plot_cost(
        compared(*(side(name, [0.9, 0.91]) for name in "abc"), side("d", [0.9, 0.91], parameters=40_000))
    )
    axes = figure.axes[0]
    places = [points(mark)[0][0] for mark in drawn(axes, "side")]
    inches = np.array(places) * axes.get_window_extent().width / figure.dpi / np.subtract(*axes.get_xlim()[::-1])
    assert np.diff(inches)[:2] == pytest.approx([0.12, 0.12])
    assert places[1] == pytest.approx(29_034)  # the middle one
    assert places[3] == 40_000
    assert [points(bar)[0][0] for bar in drawn(axes, "interval")] == places
    assert "Sides of the same cost are drawn a little apart." in written(figure)
    assert "a little apart" not in written(figure_of("three"))


def test_training_time_is_not_below_nothing():
    figure = plot_cost(compared(side("a", [0.5, 0.6], seconds={0: 1, 1: 12})), "seconds")
    across = points(drawn(figure.axes[0], "interval")[1])
    assert across[0][0] == 0
    assert written(figure).splitlines()[0] == "Validation accuracy against training time"


def test_the_front_is_filled_and_joined_by_steps():
    axes = figure_of("three").axes[0]
    assert [mark.get_markeredgecolor() == WHITE for mark in drawn(axes, "side")] == [True, False, True]
    (steps,) = drawn(axes, "front")
    end = axes.get_xlim()[1]
    assert points(steps) == near((3e4, 97.5), (4e5, 97.5), (4e5, 98.5), (end, 98.5))


def test_the_front_of_random_points_is_what_the_definition_says():
    made = np.random.default_rng(0)
    found = [(int(cost), int(value)) for cost, value in made.integers(0, 12, (40, 2))]
    for higher in (True, False):
        want = [
            all(
                other == one or other[0] > one[0] or (other[1] < one[1] if higher else other[1] > one[1])
                for other in found
            )
            for one in found
        ]
        assert front(found, higher_is_better=higher) == want
        assert 0 < sum(want) < 40


def test_names_are_placed_beside_marks_and_on_nothing():
    made = np.random.default_rng(0)
    marks = [(float(x), float(y)) for x, y in made.uniform((0.5, 0.5), (6.5, 3.5), (12, 2))]
    line = 0.0, 2.0, 7.0, 2.0
    boxes = placed(marks, ["a name"] * 12, [line], (7.0, 4.0))
    assert boxes is not None
    assert boxes == placed(marks, ["a name"] * 12, [line], (7.0, 4.0))
    for one, other in combinations(boxes, 2):
        assert one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
    for left, bottom, right, top in boxes:
        assert 0 <= left < right <= 7
        assert 0 <= bottom < top <= 4
        assert bottom >= 2 or top <= 2
        assert not any(left < x < right and bottom < y < top for x, y in marks)


def test_a_name_without_room_is_not_placed():
    assert placed([(0.5, 0.5)], ["a name that is wider than the chart"], [], (1.0, 1.0)) is None


def test_many_sides_have_numbers_and_a_list():
    figure = figure_of("thirty")
    assert [text.get_text() for text in figure.axes[0].texts] == [str(number) for number in range(1, 31)]
    assert f"\n17 {LONG} 16\n" in written(figure)


def test_different_n_are_told_one_by_one():
    figure = plot_cost(compared(side("a", [0.97, 0.98]), side("b", [0.93])))
    assert [text.get_text() for text in figure.axes[0].texts] == ["a, n = 2", "b, n = 1"]
    assert written(figure).endswith("(Student's t), cut at 100 %. Sides of the same cost are drawn a little apart.")


def test_the_same_comparison_gives_the_same_bytes():
    check_files(lambda: plot_cost(cases()["nine"]))


@pytest.mark.parametrize(
    ("sides", "axis", "text"),
    [
        (
            THREE,
            "parameter",
            "unknown cost 'parameter'; did you mean 'parameters'? Known: macs, parameters, seconds",
        ),
        (
            THREE[1:2],
            "macs",
            "no cost to plot: no side that finished a seed has multiply-adds for one picture; give another axis",
        ),
        (
            [side("a", [], failed=[0])],
            "parameters",
            "no cost to plot: no side that finished a seed has parameters; give another axis",
        ),
    ],
)
def test_what_is_refused(sides, axis, text):
    with pytest.raises(NeocogError) as caught:
        plot_cost(compared(*sides), axis)
    assert str(caught.value) == text
