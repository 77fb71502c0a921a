"""The worst mistakes with what was said, what is true, and how sure."""

from __future__ import annotations

import numpy as np
import pytest
from chart_checks import check_layout

from neocog.evaluation import Mistake
from neocog.plots.mistakes import plot_mistakes


def mistake(predicted: str = "9", true: str = "4", probability: float = 0.75) -> Mistake:
    return Mistake(index=0, name=None, true=true, predicted=predicted, probability=probability, true_probability=0.01)


def test_each_picture_has_its_three_lines():
    figure = plot_mistakes(
        np.zeros((2, 5, 5, 1), np.uint8), [mistake(), mistake("cat", "dog", 0.99999)], title="t", caption="two of 7"
    )
    assert [text.get_text() for text in figure.texts] == [
        *("t", "two of 7"),
        *("predicted 9", "true 4", "75 % sure"),
        *("predicted cat", "true dog", ">99.9 % sure"),
    ]


def test_names_that_would_look_alike_are_shown_where_they_differ():
    names = [f"a long-legged kind of {colour} woodpecker of the far northern woods" for colour in ("great", "green")]
    figure = plot_mistakes(np.zeros((5, 5, 5), np.uint8), [mistake(*names)] * 5)
    texts = [text.get_text() for text in figure.texts]
    assert texts[2:4] == ["predicted …great wood…", "true …green wood…"]
    texts = [text.get_text() for text in plot_mistakes(np.zeros((1, 5, 5), np.uint8), [mistake("cats", "cat")]).texts]
    assert texts[2:4] == ["predicted cats", "true cat"]


@pytest.mark.parametrize(("count", "name"), [(1, "9"), (7, "a very long name of a class $x_1$, longer than fits")])
def test_nothing_overlaps(count, name):
    check_layout(plot_mistakes([np.zeros((30, 20, 3), np.uint8)] * count, [mistake(name, name)] * count, caption="c"))
