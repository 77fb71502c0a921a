"""Recall, precision and F1 of every class, with intervals, the lowest F1 first."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chart_checks import check_layout, drawn, near, points, written
from figures import part
from judged import of_counts, random_counts
from scipy.stats import binomtest

from neocog.plots.classes import plot_classes

SMALL = [[90, 10, 0], [0, 200, 0], [0, 5, 45]]
GAPS = [[8, 0, 2], [5, 0, 5], [0, 0, 0]]  # the second is never an answer, the third has no pictures


def cases():
    return {
        "small": of_counts(SMALL, ["cat", "dog", "a horse with a very long name " * 3]),
        "gaps": of_counts(GAPS),
        "no mistake": of_counts(np.eye(3, dtype=int) * 20),
        "forty": of_counts(random_counts(40, 50)),
        "many": of_counts(random_counts(60, 50)),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_classes(cases()[name])


def marks(figure, name):
    """Value and row of each class."""
    (found,) = drawn(part(figure, name), "classes")
    return points(found)


def intervals(figure, name):
    (found,) = [lines for lines in part(figure, name).collections if lines.get_gid() == "interval"]
    return [(float(left[0]), float(right[0])) for left, right in found.get_segments()]


def names(figure):
    """What stands beside the rows, from the top: names and numbers of pictures by turns."""
    return [text.get_text() for text in figure.texts][figure_start(figure) :]


def figure_start(figure):
    return [text.get_text() for text in figure.texts].index("pictures") + 1


@pytest.mark.parametrize("name", ["small", "gaps", "no mistake", "forty"])
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_values_are_the_shares_of_single_pictures_the_lowest_f1_first():
    evaluation = of_counts(random_counts(7, 40))
    figure = plot_classes(evaluation)
    pairs = list(zip(evaluation.labels.tolist(), evaluation.predictions.tolist(), strict=True))
    recall = np.array([np.mean([answer == place for true, answer in pairs if true == place]) for place in range(7)])
    precision = np.array([np.mean([true == place for true, answer in pairs if answer == place]) for place in range(7)])
    f1 = 2 / (1 / recall + 1 / precision)
    order = np.argsort(f1, kind="stable")
    for name, values in (("recall", recall), ("precision", precision), ("F1", f1)):
        assert marks(figure, name) == near(*((100 * values[place], row) for row, place in enumerate(order)))
        assert part(figure, name).get_xlabel() == f"{name} in %"
    assert names(figure)[::2] == [f"c{place}" for place in order]
    assert part(figure, "recall").yaxis_inverted()


def test_bars_are_wilson_intervals_of_the_pictures_of_a_class_and_of_those_given_it():
    figure = figure_of("small")
    tries = {"recall": [(45, 50), (90, 100), (200, 200)], "precision": [(45, 45), (90, 90), (200, 215)]}
    by_f1 = [1, 0, 2]  # 0.947 twice, the first named first; 0.964
    for name, shares in tries.items():
        ends = [binomtest(right, n).proportion_ci(method="wilson") for right, n in shares]
        want = [(100 * ends[place].low, 100 * ends[place].high) for place in by_f1]
        np.testing.assert_allclose(intervals(figure, name), want, rtol=1e-9)
    assert [lines.get_gid() for lines in part(figure, "F1").collections] == []


def test_names_and_numbers_of_pictures_stand_beside_the_rows():
    assert names(figure_of("small"))[:4] == ["cat", "100", "a horse with a…very long name", "50"]


def test_dashed_lines_are_all_classes_together():
    figure = figure_of("small")
    together = {axes.get_label(): drawn(axes, "together")[0].get_xdata()[0] for axes in figure.axes}
    f1 = [180 / 190, 400 / 415, 90 / 95]
    assert together == pytest.approx({"recall": 100 * 335 / 350, "precision": 100 * 335 / 350, "F1": 100 * sum(f1) / 3})
    texts = written(figure).splitlines()
    assert [text for text in texts if text.startswith("┆")] == ["┆ accuracy 95.71 %"] * 2 + ["┆ macro-F1 95.29 %"]
    assert texts[:2] == [
        "Classes on test: 'cat' has the lowest F1, 94.74 %",
        "Lowest F1 first. Bars: 95 % Wilson intervals, recall of the pictures of a class, precision of those given the "
        "class. Dashed: all classes together. n = 350 pictures.",
    ]


def test_what_a_class_does_not_have_is_left_out_and_told():
    figure = figure_of("gaps")
    assert names(figure)[::2] == ["c1", "c0", "c2"]
    assert marks(figure, "recall") == near((0, 0), (80, 1))
    assert marks(figure, "precision") == near((100 * 8 / 13, 1), (0, 2))
    assert marks(figure, "F1") == near((0, 0), (100 * 16 / 23, 1))
    assert (
        written(figure)
        .splitlines()[1]
        .endswith(
            "n = 20 pictures. A class without pictures has neither recall nor F1. "
            "A class that was never an answer has no precision."
        )
    )


def test_of_more_than_40_classes_the_20_lowest_are_drawn():
    evaluation, figure = cases()["many"], figure_of("many")
    lowest = np.argsort(evaluation.f1, kind="stable")[:20]
    assert names(figure)[::2] == [f"c{place}" for place in lowest]
    first, *_ = lowest
    assert written(figure).splitlines()[0] == (
        f"Classes on test, the 20 of 60 with the lowest F1: 'c{first}' has the lowest F1, "
        f"{100 * evaluation.f1[first]:.2f} %"
    )
    assert "The other 40 classes have no lower F1, or no pictures." in written(figure)
    assert len(marks(figure_of("forty"), "F1")) == 40


def test_a_network_without_mistakes_has_no_lowest_class():
    assert written(figure_of("no mistake")).splitlines()[0] == "Classes on test: none below an F1 of 100 %"


def test_names_that_would_look_alike_are_numbered():
    bird = "the long-legged and {} woodpecker of the far northern woods"
    figure = plot_classes(of_counts(SMALL, [bird.format("great"), "cat", bird.format("green")]))
    shown = names(figure)[:6:2]
    assert sorted(name[:6] for name in shown) == ["0: the", "2: the", "cat"]
    assert "have the number of the class in front, from 0." in written(figure)
