"""Learning curves of one run: few points and many, values measured once, and scales that fit."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from chart_checks import check_layout, drawn, near, points, written
from figures import part

from neocog.errors import NeocogError
from neocog.plots.learning import apart, means, plot_learning

NAN = float("nan")


def metrics(losses, validation=None, *, accuracies=None, rates=0.01, epochs=None):
    count = len(losses)
    epochs = np.arange(1, count + 1.0) if epochs is None else np.asarray(epochs)
    losses, validation = (
        np.asarray(losses, float),
        np.full(count, NAN) if validation is None else np.asarray(validation),
    )
    return {
        "step": np.round(epochs * 400),
        "epoch": epochs,
        "rate": np.broadcast_to(rates, count).astype(float),
        "train_loss": losses,
        "train_accuracy": np.exp(-losses) if accuracies is None else np.asarray(accuracies, float),
        "validation_loss": validation,
        "validation_accuracy": np.exp(-validation / 2),
    }


def long_run(count=2000):
    made = np.random.default_rng(0)
    epochs = np.arange(1, count + 1) / 40
    losses = 2.3 * np.exp(-epochs / 8) + 0.02 * np.exp(made.normal(0, 0.5, count))
    validation = np.where(np.arange(1, count + 1) % 40 == 0, losses + 0.03, NAN)
    return metrics(losses, validation, epochs=epochs, rates=0.1 * (1 + np.cos(np.pi * epochs / 50)) / 2 + 1e-5)


def cases():
    fast = metrics(np.geomspace(2.0, 0.3, 10), [NAN] * 9 + [0.05], epochs=np.linspace(0.09, 0.9, 10))
    return {
        "fast": {**fast, "rate": np.geomspace(1e-4, 1e-2, 10)},
        "three epochs": metrics([2.0, 1.0, 0.5], [1.5, 0.9, 1.1]),
        "long": long_run(),
        "one point": metrics([2.3]),
        "close": metrics([0.5, 0.4], [0.5, 0.4]),
        "perfect": metrics([0.5, 0.0, 0.0], [0.5, 0.0, 0.0]),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_learning(cases()[name])


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_panels_share_the_epochs_and_have_units():
    figure = figure_of("three epochs")
    assert [axes.get_label() for axes in figure.axes] == ["loss", "accuracy", "rate"]
    assert [axes.get_ylabel() for axes in figure.axes] == ["loss in nats", "accuracy in %", "rate"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "", "epochs of 400 steps"]
    assert len({(axes.get_xlim(), axes.get_position().x0, axes.get_position().x1) for axes in figure.axes}) == 1


def test_training_and_validation_are_drawn_with_their_last_values_beside_them():
    figure = figure_of("three epochs")
    train, validation = (points(line) for line in drawn(part(figure, "loss"), "line"))
    assert train == near((1, 2.0), (2, 1.0), (3, 0.5))
    assert validation == near((1, 1.5), (2, 0.9), (3, 1.1))
    train, validation = (points(line) for line in drawn(part(figure, "accuracy"), "line"))
    assert train == near(*((n, 100 * np.exp(-loss)) for n, loss in ((1, 2.0), (2, 1.0), (3, 0.5))))
    assert validation == near(*((n, 100 * np.exp(-loss / 2)) for n, loss in ((1, 1.5), (2, 0.9), (3, 1.1))))
    assert written(figure).splitlines() == [
        "Learning curves over 3 epochs (1,200 steps)",
        "Beside each line: its last value. Training: mean since the point before, of pictures and labels as they were "
        "trained on and of a network that still learns, so it may lie above or below validation. "
        "Validation loss was lowest after 2 epochs, 0.9.",
        "training 0.5",
        "validation 1.1",
        "validation 57.69 %",
        "training 60.65 %",
        "learning rate at most 0.01",
    ]


def test_a_validation_that_was_measured_once_is_a_mark():
    figure = figure_of("fast")
    _, validation = drawn(part(figure, "loss"), "line")
    assert points(validation) == near((0.9, 0.05))
    assert validation.get_markersize() > 5
    assert "Validation was measured once." in written(figure)


def test_the_accuracy_of_a_good_network_is_spread_over_its_error():
    losses = [0.9, 0.1, 0.05, 0.05]
    figure = plot_learning(metrics(losses, [NAN, NAN, NAN, 0.002], accuracies=[0.5, 0.9, 0.99, 1.0]))
    check_layout(figure)
    axes = part(figure, "accuracy")
    train, validation = (points(line) for line in drawn(axes, "line"))
    assert axes.get_yscale() == "log"
    assert axes.yaxis_inverted()
    least = 100 * (1 - np.exp(-0.001))
    assert validation == near((4, least))
    assert train == near((1, 50), (2, 10), (3, 1), (4, least / 2))
    assert "Accuracy: logarithmic in the error, 100 % − accuracy." in written(figure)


def test_a_network_that_isnt_good_yet_keeps_a_linear_accuracy():
    assert part(plot_learning(metrics([2.0, 0.001], [2.0, 0.5])), "accuracy").get_yscale() == "linear"


def test_losses_and_rates_over_decades_are_on_logarithmic_axes():
    figure = figure_of("fast")
    assert (part(figure, "rate").get_yscale(), part(figure, "loss").get_yscale()) == ("log", "log")
    constant = plot_learning(metrics([1.0, 0.5], rates=[0.01, 0.0]))
    assert (part(constant, "rate").get_yscale(), part(constant, "loss").get_yscale()) == ("linear", "linear")


def test_of_many_points_means_are_drawn_in_front():
    figure = figure_of("long")
    axes = part(figure, "loss")
    (every,) = drawn(axes, "points")
    front, validation = drawn(axes, "line")
    losses = long_run()["train_loss"]
    np.testing.assert_allclose(every.get_ydata(), losses, rtol=1e-12)
    np.testing.assert_allclose(front.get_ydata()[[0, -1]], [losses[:16].mean(), losses[-17:].mean()], rtol=1e-12)
    assert (len(front.get_ydata()), len(validation.get_ydata())) == (120, 50)
    assert "Faint: every point; in front of them means of 120 groups." in written(figure)


def test_means_hold_every_value_once():
    values = np.random.default_rng(0).normal(size=103)
    places, found = means((np.arange(103.0), values), 10)
    sizes = np.diff(places, prepend=-1)
    assert sizes.sum() == 103
    assert found @ sizes == pytest.approx(values.sum())
    np.testing.assert_array_equal(means((np.arange(3.0), values[:3]), 10)[1], values[:3])


@pytest.mark.parametrize("heights", [{"a": 1.0, "b": 1.0}, {"a": 0.0, "b": 0.05}, {"a": 2.0, "b": 1.99}, {"a": 5.0}])
def test_texts_are_kept_apart_and_inside(heights):
    found = sorted(apart(heights, 0.4, (0.2, 1.9)).values())
    assert 0.2 <= found[0] <= found[-1] <= 1.9
    assert all(after - before >= 0.4 - 1e-9 for before, after in pairwise(found))
    assert apart({"a": 1.0, "b": 1.5}, 0.4, (0.2, 1.9)) == {"a": 1.0, "b": 1.5}


def test_a_point_over_few_steps_is_joined_and_one_that_is_no_number_left_out():
    columns = metrics([2.0, 1.0, 6.5, NAN], epochs=[1, 2, 2.05, 3.05])
    train = points(drawn(part(plot_learning(columns), "loss"), "line")[0])
    assert train == near((1, 2.0), (2.05, (400 * 1.0 + 20 * 6.5) / 420))


@pytest.mark.parametrize("columns", [{}, {"epoch": np.array([]), "train_loss": np.array([])}])
def test_a_run_without_points_is_refused(columns):
    with pytest.raises(NeocogError) as caught:
        plot_learning(columns)
    want = "no learning curve to plot: not one point was measured; give run.metrics of a run that was trained"
    assert str(caught.value) == want
