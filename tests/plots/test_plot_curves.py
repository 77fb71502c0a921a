"""Learning curves: means, bands, and runs that measured different things at different places."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chart_checks import LONG, check_files, check_layout, drawn, near, points, written

from neocog.errors import NeocogError
from neocog.plots import plot_curves
from neocog.plots.curves import Band

NAN = float("nan")


def run(losses, accuracies=None, epochs=None):
    epochs = np.arange(1, len(losses) + 1.0) if epochs is None else np.array(epochs)
    columns = {"epoch": epochs, "step": epochs * 600, "train_loss": np.array(losses)}
    columns["train_accuracy"] = np.full(len(losses), 0.5)
    return columns if accuracies is None else {**columns, "validation_accuracy": np.array(accuracies)}


def chart(figure, name):
    (found,) = [axes for axes in figure.axes if axes.get_label() == name]
    return found


def line(axes, number=0):
    return points(drawn(axes, "mean")[number])


def band(axes):
    """Places with the lowest and the highest value of the only band."""
    (filled,) = [patch for patch in axes.collections if patch.get_gid() == "band"]
    corners = filled.get_paths()[0].vertices
    return {x: (min(y for at, y in corners if at == x), max(y for at, y in corners if at == x)) for x in corners[:, 0]}


TWO_SEEDS = {"fast": [run([0.4, 0.2], [0.9, 0.96]), run([0.6, 0.2], [0.92, 0.98])]}


def cases():
    made = np.random.default_rng(0)

    def drawn_at_random(points):
        return run(np.exp(-made.uniform(0, 4, points)), made.uniform(0.8, 1, points))

    return {
        "two seeds": TWO_SEEDS,
        "many names": {f"{LONG} $n_{n}$": [drawn_at_random(6) for _ in range(2)] for n in range(20)},
        "long": {"a": [drawn_at_random(400) for _ in range(3)]},
        "one point": {"a": [run([0.4], [0.9])]},
        "not measured": {"a": [run([0.4, 0.2], [NAN, NAN])], "b": [run([0.4, 0.2], [NAN, 0.9])], "c": []},
        "flat": {"a": [run([2.3, 2.3], [0.1, 0.1])]},
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_curves(cases()[name])


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_a_title_stands_above_the_charts():
    figure = plot_curves(TWO_SEEDS, title="learning curves")
    check_layout(figure)
    assert written(figure).splitlines()[0] == "learning curves"


def test_without_a_title_the_figure_says_what_is_drawn():
    title = written(figure_of("two seeds")).splitlines()[0]
    assert title == "Training loss and validation accuracy while training"
    assert written(figure_of("not measured")).splitlines()[0] == title


def test_both_charts_begin_and_end_at_the_same_place():
    late = {"a": [run([2.0, 1.0, 0.5, 0.4], [NAN, NAN, 0.8, 0.9])]}
    loss, accuracy = plot_curves(late).axes
    assert line(accuracy) == near((3, 80), (4, 90))
    assert loss.get_xlim() == accuracy.get_xlim()


def test_lines_are_means_and_bands_reach_from_the_lowest_to_the_highest_seed():
    figure = figure_of("two seeds")
    loss, accuracy = chart(figure, "train_loss"), chart(figure, "validation_accuracy")
    assert line(loss) == near((1, 0.5), (2, 0.2))
    assert band(loss) == {1: pytest.approx((0.4, 0.6)), 2: pytest.approx((0.2, 0.2))}
    assert line(accuracy) == near((1, 91), (2, 97))
    assert band(accuracy) == {1: pytest.approx((90, 92)), 2: pytest.approx((96, 98))}
    assert [axes.get_ylabel() for axes in figure.axes] == ["training loss in nats", "validation accuracy in %"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["epochs", "epochs"]
    assert written(figure).splitlines() == [
        "Training loss and validation accuracy while training",
        "Lines: mean over seeds; bands: from the lowest to the highest seed.",
        "fast, n = 2",
    ]


def test_one_seed_has_no_band():
    figure = plot_curves({"fast": TWO_SEEDS["fast"][:1]})
    assert [axes.collections[:] for axes in figure.axes] == [[], []]
    assert written(figure).splitlines()[1:] == ["fast, n = 1"]


def test_steps_in_place_of_epochs():
    axes = chart(plot_curves(TWO_SEEDS, over="steps"), "train_loss")
    assert [x for x, _ in line(axes)] == [600, 1200]
    assert axes.get_xlabel() == "steps"


def test_points_of_other_runs_are_taken_from_the_line_between_ones_own():
    runs = {"a": [run([4.0, 2.0, 1.0], epochs=[1, 2, 3]), run([3.0, 1.0], epochs=[1, 3])]}
    assert line(chart(plot_curves(runs), "train_loss")) == near((1, 3.5), (2, 2.0), (3, 1.0))


def test_runs_of_different_lengths_are_drawn_as_far_as_all_reach():
    figure = plot_curves({"a": [run([4.0, 2.0, 1.0]), run([3.0, 1.0])]})
    assert line(chart(figure, "train_loss")) == near((1, 3.5), (2, 1.5))
    assert "Runs of different lengths are drawn as far as all of a name reach." in written(figure)


def test_a_band_is_that_of_numpy():
    made = np.random.default_rng(0)
    places, values = np.arange(5.0), made.normal(size=(7, 5))
    found = Band.over([(places, row) for row in values])
    np.testing.assert_allclose(found.mean, values.mean(0), rtol=1e-14)
    np.testing.assert_array_equal(found.low, values.min(0))
    np.testing.assert_array_equal(found.high, values.max(0))
    assert (found.runs, found.shortened) == (7, False)


def test_runs_without_a_common_place_have_no_band():
    assert Band.over([(np.array([1.0]), np.array([2.0])), (np.array([3.0]), np.array([2.0]))]) is None
    assert Band.over([]) is None


def test_what_was_not_measured_is_left_out_and_told():
    figure = figure_of("not measured")
    assert line(chart(figure, "validation_accuracy")) == near((2, 90))
    assert written(figure).splitlines()[1:] == [
        "Not all runs measured validation accuracy: a.",
        "a, n = 1",
        "b, n = 1",
        "c, no run",
    ]


def test_training_accuracy_stands_in_for_a_validation_accuracy_that_nobody_measured():
    axes = chart(plot_curves({"a": [run([0.4, 0.2], [NAN, NAN])]}), "train_accuracy")
    assert axes.get_ylabel() == "training accuracy in %"
    assert line(axes) == near((1, 50), (2, 50))


def test_a_point_over_few_steps_is_joined_with_the_one_before():
    columns = {"epoch": np.array([1, 2, 2.1, 3.1]), "step": np.array([100, 200, 210, 310])}
    losses = {**columns, "train_loss": np.array([2.0, 1.0, 6.5, 0.5]), "validation_accuracy": np.full(4, 0.9)}
    figure = plot_curves({"a": [losses]})
    assert line(chart(figure, "train_loss")) == near((1, 2.0), (2.1, (100 * 1.0 + 10 * 6.5) / 110), (3.1, 0.5))
    assert [x for x, _ in line(chart(figure, "validation_accuracy"))] == [1, 2, 2.1, 3.1]


def test_epochs_are_whole_numbers_where_there_are_two():
    assert all(tick == round(tick) for tick in chart(figure_of("two seeds"), "train_loss").get_xticks())
    half = chart(plot_curves({"a": [run([1.0, 0.5], epochs=[0.25, 0.5])]}), "train_loss")
    assert 0.5 in half.get_xticks()


def test_a_loss_over_more_than_a_decade_is_on_a_logarithmic_axis():
    log, linear = (chart(plot_curves({"a": [run([1.0, last])]}), "train_loss") for last in (0.09, 0.11))
    assert (log.get_yscale(), log.get_ylabel()) == ("log", "training loss in nats, log scale")
    assert (linear.get_yscale(), linear.get_ylabel()) == ("linear", "training loss in nats")
    assert chart(plot_curves({"a": [run([1.0, 0.0])]}), "train_loss").get_yscale() == "linear"


def test_names_differ_in_colour_mark_or_line():
    axes = chart(figure_of("many names"), "train_loss")
    looks = [(mean.get_color(), mean.get_marker(), mean._dash_pattern) for mean in drawn(axes, "mean")]
    assert len({str(look) for look in looks}) == 20
    assert len({colour for colour, _, _ in looks[:7]}) == 7


def test_the_same_runs_give_the_same_bytes():
    check_files(lambda: plot_curves(cases()["not measured"]))


@pytest.mark.parametrize("runs", [{}, {"a": []}, {"a": [run([NAN])]}, {"a": [{"epoch": np.ones(1)}]}])
def test_nothing_to_draw_is_refused(runs):
    for columns in runs.get("a", []):
        columns.pop("train_accuracy", None)
    with pytest.raises(NeocogError) as caught:
        plot_curves(runs)
    want = "no learning curves to plot: give {name: [run.metrics, …]} with at least one run and one measured point"
    assert str(caught.value) == want


def test_an_unknown_axis_is_refused():
    with pytest.raises(NeocogError) as caught:
        plot_curves(TWO_SEEDS, over="epoch")
    want = "unknown axis of a learning curve 'epoch'; did you mean 'epochs'? Known: epochs, steps"
    assert str(caught.value) == want
