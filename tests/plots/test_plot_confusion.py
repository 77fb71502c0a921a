"""The confusion matrix: counts, colours that show rare errors, names of any length, and very many classes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from chart_checks import check_files, check_layout, written
from figures import part
from judged import of_counts, random_counts
from matplotlib.colors import to_hex

from neocog.plots.charts import plural
from neocog.plots.confusion import plot_confusion
from neocog.plots.numbers import text_width
from neocog.plots.style import SKY

LONG = ["greater one-horned rhinoceros", "an extremely long name " * 4, "frog $x_1$"]
SMALL = [[90, 10, 0], [1, 199, 0], [0, 0, 0]]


def cases():
    return {
        "small": of_counts(SMALL),
        "two": of_counts([[122, 13], [21, 144]], ["healthy", "ill"]),
        "no mistake": of_counts(np.eye(10, dtype=int) * 50),
        "long names": of_counts(SMALL, LONG),
        "forty": of_counts(random_counts(40, 50), [f"street sign {n}" for n in range(40)]),
        "many": of_counts(random_counts(150, 20), [f"a species with a long name {n}" for n in range(150)]),
    }


@cache
def figure_of(name):
    """A case as it is drawn, once for all tests that only look at it."""
    return plot_confusion(cases()[name])


def cells(figure):
    """The texts in the cells, row by row."""
    axes = part(figure, "confusion")
    found = {tuple(reversed(text.get_position())): text.get_text() for text in axes.texts}
    side = round(len(found) ** 0.5)
    return [[found[row, column] for column in range(side)] for row in range(side)]


def colours(figure):
    return part(figure, "confusion").images[0].get_array()


def lightness(colours_HW3):
    return np.asarray(colours_HW3, dtype=float) @ [0.299, 0.587, 0.114]


@pytest.mark.parametrize("name", ["two", "long names", "forty", "many"])
def test_nothing_is_cut_and_nothing_overlaps(name):
    check_layout(figure_of(name))


def test_cells_have_counts_and_rows_their_pictures_and_recall():
    figure = figure_of("small")
    assert cells(figure) == [["90", "10", ""], ["1", "199", ""], ["", "", ""]]
    texts = written(figure).splitlines()
    assert texts[0] == "Confusion on test: 11 of 300 pictures wrong, most often c0 taken for c1 (10 times)"
    assert texts[1] == (
        "Numbers: pictures; empty cells: none. Recall: share of the true class that was right. Colour of errors: by "
        "the square root of their share, so that rare ones are seen. Accuracy 96.33 % (95 % Wilson interval "
        "93.55–97.94, n = 300)."
    )
    beside = texts[texts.index("recall") + 1 :][:6]
    assert beside == ["100", "90.0 %", "200", "99.5 %", "0", "–"]


def test_errors_are_orange_by_the_root_of_their_share_and_right_answers_blue():
    found = colours(figure_of("small"))
    light = lightness(found)
    assert light[0, 1] < light[1, 0] < light[0, 2] == 255
    assert found[0, 1, 0] > found[0, 1, 2]
    assert found[0, 0, 2] > found[0, 0, 0]
    assert light[1, 1] < light[0, 0] < 255
    # A share of a quarter of the largest is half way along the key.
    figure = plot_confusion(of_counts([[80, 20], [5, 95]]))
    even, key = colours(figure), part(figure, "key of errors").images[0].get_array()
    np.testing.assert_allclose(even[1, 0], np.asarray(key)[0, 128] * 255, atol=2)
    np.testing.assert_allclose(even[0, 1], np.asarray(key)[0, -1] * 255, atol=1)


def test_one_error_in_a_thousand_is_seen_beside_many():
    found = lightness(colours(plot_confusion(of_counts([[999, 1], [100, 900]]))))
    assert found[0, 1] < 245
    assert found[1, 0] < found[0, 1] - 60


def test_keys_have_shares_in_per_cent():
    figure = figure_of("small")
    labels = [label.get_text() for label in part(figure, "key of errors").get_xticklabels()]
    assert labels == ["0", "0.62", "2.5", "10"]
    assert part(figure, "key of errors").get_xticks().tolist() == [0, 0.25, 0.5, 1]
    assert [label.get_text() for label in part(figure, "key of right").get_xticklabels()] == ["0", "25", "50", "100"]


def test_without_mistakes_there_is_no_key_of_errors():
    figure = figure_of("no mistake")
    assert [axes.get_label() for axes in figure.axes] == ["confusion", "key of right"]
    assert written(figure).splitlines()[:2] == [
        "Confusion on test: all 500 pictures right",
        "Numbers: pictures; empty cells: none. Recall: share of the true class that was right. "
        "Accuracy 100.00 % (95 % Wilson interval 99.24–100.00, n = 500).",
    ]
    assert to_hex(colours(figure)[0, 0] / 255).upper() == SKY


def test_pairs_that_are_equally_often_confused_are_not_singled_out():
    assert (
        written(plot_confusion(of_counts([[5, 2], [2, 5]]))).splitlines()[0]
        == "Confusion on test: 4 of 14 pictures wrong"
    )
    assert (
        written(plot_confusion(of_counts([[5, 1], [0, 5]]))).splitlines()[0]
        == "Confusion on test: 1 of 11 pictures wrong"
    )


def test_from_21_classes_on_the_pairs_stand_beside_a_map_without_numbers():
    assert {text.get_text() for text in part(figure_of("forty"), "confusion").texts} == set()
    evaluation = cases()["forty"]
    (true, answer, times), *_ = evaluation.most_confused(1)
    texts = written(figure_of("forty")).splitlines()
    place = texts.index("Confused most: true class → answer")
    assert texts[place + 1 : place + 3] == [f"{true} → {answer}", f"{plural(times, 'time')}, {2 * times} % of 50"]
    assert part(plot_confusion(of_counts(random_counts(21, 30))), "confusion").texts[:] == []


def test_classes_whose_names_have_no_room_are_numbered():
    figure, evaluation = figure_of("many"), cases()["many"]
    axes = part(figure, "confusion")
    assert axes.get_xticks().tolist() == axes.get_yticks().tolist() == list(range(0, 150, 20))
    (true, answer, _), *_ = evaluation.most_confused(1)
    assert f"{evaluation.classes.index(true)}: {true} → {evaluation.classes.index(answer)}: {answer}" in written(
        figure
    ).replace("…", "")
    assert written(figure).splitlines()[1].startswith("150 classes, numbered from 0. ")


def test_20_classes_of_large_counts_get_cells_in_which_they_can_be_read():
    axes = part(plot_confusion(of_counts(np.eye(20, dtype=int) * 12_345 + 1)), "confusion")
    assert len(axes.texts) == 400
    cell = axes.get_window_extent().width / 20
    widest = max(text_width(text.get_text(), text.get_fontsize()) for text in axes.texts)
    assert axes.texts[0].get_fontsize() == pytest.approx(7)
    assert widest * axes.get_figure().dpi == pytest.approx(0.92 * cell)


def test_the_same_evaluation_gives_the_same_bytes():
    check_files(lambda: plot_confusion(cases()["long names"]))


def test_names_that_would_look_alike_are_numbered():
    bird = "the long-legged and {} woodpecker of the far northern woods"
    figure = plot_confusion(of_counts(SMALL, [bird.format("great"), "cat", bird.format("green")]))
    texts = [text.get_text()[:6] for text in figure.texts]
    assert [texts.count(start) for start in ("0: the", "2: the", "cat")] == [2, 2, 2]
    assert "have the number of the class in front, from 0." in written(figure)
    check_layout(figure)
