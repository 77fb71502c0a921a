"""Every seed as a mark, the mean with its interval, and the verdict."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chart_checks import LONG, check_files, check_layout, compared, drawn, points, side, written
from matplotlib.colors import to_hex
from scipy import stats

from neocog.errors import NeocogError
from neocog.plots import plot_seeds
from neocog.plots.seeds import swarm
from neocog.plots.style import BLUE, ORANGE

TWO = (side("b", [0.93, 0.94, 0.935]), side("a", [0.97, 0.98, 0.975]))


def cases():
    made = np.random.default_rng(0)
    many = [side(f"{LONG} {n}", made.normal(0.9, 0.02, 3).tolist()) for n in range(30)]
    return {
        "two": compared(*TWO),
        "one side": compared(TWO[0]),
        "one seed": compared(side("a", [0.97]), side("b", [0.93])),
        "equal": compared(side("a", [0.97] * 40), side("b", [0.97] * 40)),
        "right": compared(side("a", [1.0, 0.99]), side("b", [0.0, 0.1])),
        "thirty": compared(*many, verdict="no one knows which of so many sides comes first " * 6),
        "failed": compared(side(LONG * 3, [0.9, 0.91], failed=[2]), side("$b_1$", [], failed=range(5))),
        "loss": compared(side("a", [0.1, 0.11]), side("b", [2.3, 1e12]), metric="loss"),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_seeds(cases()[name])


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_each_seed_stands_at_its_value_with_the_best_side_on_top():
    axes = figure_of("two").axes[0]
    best, other = drawn(axes, "seeds")
    assert sorted(x for x, _ in points(best)) == pytest.approx([97, 97.5, 98])
    assert sorted(x for x, _ in points(other)) == pytest.approx([93, 93.5, 94])
    assert min(y for _, y in points(best)) > max(y for _, y in points(other))
    assert [to_hex(line.get_color()).upper() for line in (best, other)] == [BLUE, ORANGE]
    assert best.get_marker() != other.get_marker()
    assert axes.get_xlabel() == "validation accuracy in %"


def test_the_bar_is_students_interval_around_the_mean():
    axes = figure_of("two").axes[0]
    values = [97, 98, 97.5]
    want = stats.t.interval(0.95, 2, loc=97.5, scale=stats.sem(values))
    assert [x for x, _ in points(drawn(axes, "interval")[0])] == pytest.approx(want)
    assert want == pytest.approx((97.5 - 1.2421, 97.5 + 1.2421), abs=1e-4)  # 4.3027 · 0.5/√3, by hand
    assert points(drawn(axes, "mean")[0])[0][0] == pytest.approx(97.5)


def test_an_interval_ends_where_an_accuracy_does_and_the_caption_says_so():
    figure = figure_of("right")  # 99.5 ± 6.35 and 5 ± 63.5, in per cent
    best, other = drawn(figure.axes[0], "interval")
    assert [x for x, _ in points(best)] == pytest.approx([99.5 - 6.353, 100], abs=1e-3)
    assert [x for x, _ in points(other)] == pytest.approx([0, 5 + 63.531], abs=1e-3)
    assert written(figure).splitlines()[1] == (
        "Each mark is one seed; thin lines join the same seed; bar: 95 % interval of the mean (Student's t), cut at 0 "
        "and 100 %; ±: standard deviation over seeds."
    )
    assert "cut at" not in written(figure_of("two"))


def test_the_texts_say_verdict_mean_deviation_and_n():
    assert written(figure_of("two")).splitlines() == [
        "a beats b",
        "Each mark is one seed; thin lines join the same seed; bar: 95 % interval of the mean (Student's t); "
        "±: standard deviation over seeds.",
        "a",
        "97.50 ± 0.50 %, n = 3",
        "b",
        "93.50 ± 0.50 %, n = 3",
    ]


def test_one_seed_has_no_interval():
    figure = figure_of("one seed")
    assert written(figure).splitlines()[1:4] == [
        "Each mark is one seed; thin lines join the same seed; one seed has no interval.",
        "a",
        "97.00 %, n = 1",
    ]
    ((begin, _), (end, _)) = points(drawn(figure.axes[0], "interval")[0])
    assert begin == end


def test_failed_seeds_are_told():
    texts = written(figure_of("failed"))
    assert "90.50 ± 0.71 %, n = 2; seed 2 failed" in texts
    assert "\n$b_1$\nno seed finished; 5 seeds failed" in texts


def test_lines_join_the_seeds_that_both_sides_finished():
    figure = plot_seeds(compared(side("a", {0: 0.97, 1: 0.98}), side("b", {1: 0.93, 2: 0.94})))
    (line,) = drawn(figure.axes[0], "same seed")
    assert [x for x, _ in points(line)] == pytest.approx([98, 93])
    five = plot_seeds(compared(*(side(f"{n}", [0.9, 0.91]) for n in range(5))))
    assert drawn(five.axes[0], "same seed") == []
    assert "thin lines" not in written(five)


def test_losses_have_their_unit_the_least_on_top_and_decades_where_they_differ_much():
    near = plot_seeds(compared(side("a", [0.3, 0.31]), side("b", [0.1, 0.11]), metric="loss"))
    assert near.axes[0].get_xlabel() == "validation loss in nats"
    assert near.axes[0].get_xscale() == "linear"
    assert written(near).splitlines()[2:4] == ["b", "0.1050 ± 0.0071 nats, n = 2"]
    far = figure_of("loss")
    assert far.axes[0].get_xscale() == "log"
    assert far.axes[0].get_xlabel() == "validation loss in nats, log scale"
    assert "5e11 ± 7.071e11 nats, n = 2" in written(far)


def test_the_axis_ends_near_the_values_and_says_nothing_impossible():
    axes = figure_of("two").axes[0]
    low, high = axes.get_xlim()
    assert 90 < low < 92.3
    assert 98.7 < high < 101
    right = figure_of("right").axes[0]
    assert all(0 <= tick <= 100 for tick in right.get_xticks())


def test_marks_of_a_swarm_lie_beside_or_above_each_other():
    places = dict(enumerate(np.random.default_rng(1).normal(0, 0.2, 60).tolist()))
    levels = swarm(places)
    assert levels == swarm(dict(reversed(places.items())))
    for one, first in places.items():
        for other, second in places.items():
            assert one == other or levels[one] != levels[other] or abs(first - second) >= 0.09 * (1 - 1e-6)
    assert swarm({4: 1.0, 2: 1.0, 3: 1.0}) == {2: 0, 3: 1, 4: 2}


def test_the_same_comparison_gives_the_same_bytes():
    check_files(lambda: plot_seeds(cases()["failed"]))


def test_no_finished_seed_is_refused():
    with pytest.raises(NeocogError) as caught:
        plot_seeds(compared(side("a", [], failed=[0]), side("b", [])))
    assert str(caught.value) == "no seeds to plot: not one of any side finished; mend what failed and compare again"
