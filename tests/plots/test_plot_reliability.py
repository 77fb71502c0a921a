"""Accuracy over confidence: bins, intervals, and the chart that spreads what lies close to 100 %."""

from __future__ import annotations

from functools import cache
from itertools import pairwise

import numpy as np
import pytest
from chart_checks import check_files, check_layout, drawn, near, points, written
from figures import part
from judged import of_confidences
from scipy.stats import binomtest

from neocog.plots.reliability import plot_reliability

BOTH, ONE = ["reliability", "confidences", "reliability, spread", "confidences, spread"], ["reliability", "confidences"]


def sure(n=2000, temperature=1.0):
    """Most answers are surer than 90 %, and right as often as they are sure."""
    made = np.random.default_rng(0)
    confidences = 1 - np.maximum(0.5 * np.exp(-made.exponential(3, n)), 1e-4)
    return of_confidences(confidences, made.uniform(size=n) < confidences, temperature)


def unsure(n=300, shift=0.0):
    made = np.random.default_rng(1)
    confidences = made.uniform(0.55, 0.85, n)
    return of_confidences(confidences, made.uniform(size=n) < confidences + shift)


def cases():
    return {
        "sure": sure(),
        "unsure": unsure(),
        "no mistake": of_confidences([0.99, 0.98, 0.999], [1, 1, 1]),
        "certain": of_confidences([1.0] * 40, [1] * 39 + [0]),
        "one picture": of_confidences([0.7], [0]),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_reliability(cases()[name])


def groups(figure, name="reliability"):
    (found,) = drawn(part(figure, name), "groups")
    return points(found)


def intervals(figure, name="reliability"):
    (found,) = [lines for lines in part(figure, name).collections if lines.get_gid() == "interval"]
    return [(float(low[1]), float(high[1])) for low, high in found.get_segments()]


def bars(figure, name="confidences"):
    """The counts and the edges of the histogram."""
    (found,) = [patch for patch in part(figure, name).patches if patch.get_gid() == "counts"]
    return found.get_data()


@pytest.mark.parametrize("name", cases())
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_bins_are_of_equal_width_with_their_mean_confidence_and_accuracy():
    evaluation, figure = cases()["unsure"], figure_of("unsure")
    filled: dict[int, list[tuple[float, bool]]] = {}
    for sure_of_it, answer, label in zip(
        evaluation.confidences, evaluation.predictions, evaluation.labels, strict=True
    ):
        filled.setdefault(int(15 * sure_of_it), []).append((float(sure_of_it), bool(answer == label)))
    means = [np.mean(filled[number], axis=0) for number in sorted(filled)]
    assert groups(figure) == near(*((100 * confidence, 100 * accuracy) for confidence, accuracy in means))
    assert [axes.get_label() for axes in figure.axes] == ONE
    assert [axes.get_ylabel() for axes in figure.axes] == ["accuracy in %", "pictures"]
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "confidence in %"]


def test_bars_are_wilson_intervals_and_the_diagonal_is_as_right_as_sure():
    figure = plot_reliability(of_confidences([0.7] * 10, [1] * 6 + [0] * 4))
    ends = binomtest(6, 10).proportion_ci(method="wilson")
    assert groups(figure) == near((70, 60))
    np.testing.assert_allclose(intervals(figure), [(100 * ends.low, 100 * ends.high)], rtol=1e-9)
    (diagonal,) = drawn(part(figure, "reliability"), "diagonal")
    assert points(diagonal) == [(0, 0), (100, 100)]


def test_the_histogram_counts_every_picture_once():
    evaluation = cases()["unsure"]
    counts, edges, _ = bars(figure_of("unsure"))
    want, _ = np.histogram(evaluation.confidences, np.linspace(0, 1, 21))
    np.testing.assert_array_equal(counts, want)
    np.testing.assert_allclose(edges, np.linspace(0, 100, 21))
    assert part(figure_of("unsure"), "confidences").get_yscale() == "linear"


def test_confidences_close_to_100_are_spread_in_steps_of_equal_factors_of_doubt():
    figure, evaluation = figure_of("sure"), cases()["sure"]
    assert [axes.get_label() for axes in figure.axes] == BOTH
    doubts = 100 - 100 * evaluation.confidences.astype(float)
    right = evaluation.predictions == evaluation.labels
    edges = np.geomspace(doubts.min() * (1 - 1e-9), doubts.max() * (1 + 1e-9), 11)
    want = [
        (doubts[inside].mean(), 100 - 100 * right[inside].mean())
        for low, high in pairwise(edges)
        if (inside := (doubts > low) & (doubts <= high)).any()
    ]
    floor = min(error for _, error in groups(figure, "reliability, spread"))
    want = [(doubt, max(error, floor)) for doubt, error in want]
    assert groups(figure, "reliability, spread") == near(*want)
    axes = part(figure, "reliability, spread")
    assert (axes.get_xscale(), axes.get_yscale()) == ("log", "log")
    assert axes.xaxis_inverted()
    assert axes.yaxis_inverted()
    assert axes.get_xlim() == axes.get_ylim() == part(figure, "confidences, spread").get_xlim()
    (diagonal,) = drawn(axes, "diagonal")
    assert [x == y for x, y in points(diagonal)] == [True, True]
    counts, edges, _ = bars(figure, "confidences, spread")
    inside = [(low < doubts) & (doubts <= high) for low, high in pairwise(edges)]
    np.testing.assert_array_equal(np.where(counts < 1, 0, counts), [each.sum() for each in inside])


def test_spread_bars_are_wilson_intervals_of_the_error():
    figure = plot_reliability(of_confidences([0.999] * 60 + [0.8] * 20, [1] * 60 + [1] * 15 + [0] * 5))
    few, many = (binomtest(wrong, n).proportion_ci(method="wilson") for wrong, n in ((5, 20), (0, 60)))
    (few_low, few_high), (many_low, many_high) = sorted(intervals(figure, "reliability, spread"), reverse=True)
    assert (few_low, few_high) == pytest.approx((100 * few.high, 100 * few.low))
    assert many_low == pytest.approx(100 * many.high)
    assert many_high == pytest.approx(0.05, rel=1e-3)  # half of the least doubt stands for no error


def test_without_a_mistake_nothing_is_spread():
    assert [axes.get_label() for axes in figure_of("no mistake").axes] == ONE


def test_rare_counts_are_seen_on_a_logarithmic_scale():
    figure = plot_reliability(of_confidences([0.6] + [0.8] * 200, [0] + [1] * 200))
    axes = part(figure, "confidences")
    assert (axes.get_yscale(), axes.get_ylabel()) == ("log", "pictures, log")
    assert axes.get_ylim()[0] < 1


def test_texts_tell_the_error_its_interval_and_the_temperature():
    evaluation = sure(200, temperature=1.25)
    figure = plot_reliability(evaluation)
    low, high = evaluation.ece_interval
    sure_on_average = 100 * float(evaluation.confidences.mean())
    assert written(figure).splitlines() == [
        f"Reliability on test: {100 * evaluation.accuracy:.2f} % right, {sure_on_average:.2f} % sure on average",
        f"Expected calibration error {100 * evaluation.ece:.2f} points (95 % bootstrap interval {100 * low:.2f}–"
        f"{100 * high:.2f}, n = 200 pictures; a network as right as it is sure would have "
        f"{100 * evaluation.ece_by_chance:.2f} by chance). Bars: 95 % Wilson intervals. Dashed: as often right as "
        "sure; above it right more often. At the right the same pictures, logarithmic in 100 % − x. "
        "Probabilities at temperature 1.25.",
    ]


@pytest.mark.parametrize(("shift", "verdict"), [(0.2, "too unsure, "), (-0.2, "too sure, "), (0.0, "")])
def test_the_title_says_whether_the_network_is_too_sure(shift, verdict):
    title = plot_reliability(unsure(shift=shift)).texts[0].get_text()
    assert " ".join(title.split()).startswith(f"Reliability on test: {verdict}")
    assert ("too" in title) == bool(verdict)


def test_the_same_evaluation_gives_the_same_bytes():
    check_files(lambda: plot_reliability(cases()["sure"]))
