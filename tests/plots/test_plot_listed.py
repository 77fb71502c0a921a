"""What `neocog.mistakes` lists and `neocog.stress` breaks, as pictures: what is shown, and nothing where nothing is."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from chart_checks import check_layout, written

from neocog.evaluation import Mistake
from neocog.plots import plot_broken, plot_duplicates, plot_label_errors, plot_listed
from neocog.statistics.mistakes import Duplicate, LikelyLabelError, Mistakes
from neocog.statistics.stress import Broken, StressCurve, StressTest

LONG = "a class whose name is much longer than its picture is wide"


def pixels(channels: int = 1, side: int = 6) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (side, side, channels), dtype=np.uint8)


def listed(name: str = "9", channels: int = 1) -> Mistakes:
    return Mistakes(
        runs=("a", "b"),
        part="test",
        n=1000,
        items=(Mistake(1, None, "4", name, 0.982, 0.01), Mistake(2, None, "4", "1", 0.6, 0.3)),
        label_errors=(LikelyLabelError(1, None, "4", name, 0.982, 0.01, 2),),
        duplicates=(Duplicate(5, "x", "4", 9, "y", name, 2.449, (pixels(channels), pixels(channels))),),
        total=7,
        errors=9,
        true="4",
        label_errors_total=3,
        pictures={1: pixels(channels), 2: pixels(channels)},
    )


def broken(name: str = "9", channels: int = 1, many: int = 6) -> StressTest:
    curves = (
        StressCurve("shift", "pixels", (0, 1), (90, 80), 100, 0.1),
        StressCurve("scale", "factor", (1, 1.1), (90, 80), 100, 0.1),
        StressCurve("inversion", "share", (0, 0.1), (90, 80), 100, 0.1),
    )
    first = [
        Broken(3, "x", "4", name, curve.name, curve.strengths[1], pixels(channels), 0.876, pixels(channels))
        for curve in curves
        for _ in range(many)
    ]
    return StressTest("run", "validation", 100, 0.9, curves, tuple(first))


def test_what_stands_below_the_pictures() -> None:
    text = written(plot_listed(listed()))
    assert "predicted 9" in text and "98 % sure" in text
    assert "2 of 7 mistakes, true 4; 1,000 pictures, test part, 2 runs" in text
    text = written(plot_label_errors(listed()))
    assert "Labels that may be wrong" in text and "label 4" in text and "perhaps 9" in text and "1 of 3" in text
    text = written(plot_duplicates(listed()))
    assert "2.4 apart" in text and "in training" in text and "1 of 1" in text


def test_each_change_is_a_row_of_pairs() -> None:
    figure = plot_broken(broken())
    text = written(figure)
    assert "1 pixel" in text and "× 1.1" in text and "10 %" in text and "9, 88 %" in text
    assert text.count("9, 88 %") == 3 * 4  # of each change four
    assert "100 pictures, validation part" in text


@pytest.mark.parametrize(("name", "channels"), [("9", 1), (LONG, 3)])
def test_nothing_overlaps(name: str, channels: int) -> None:
    for figure in (
        plot_listed(listed(name, channels)),
        plot_label_errors(listed(name, channels)),
        plot_duplicates(listed(name, channels)),
        plot_broken(broken(name, channels, many=1)),
    ):
        assert figure is not None
        check_layout(figure)


def test_where_nothing_is_there_is_no_figure() -> None:
    for empty in (replace(listed(), pictures={}), replace(listed(), items=(), label_errors=())):
        assert plot_listed(empty) is None and plot_label_errors(empty) is None
    for none in (None, ()):
        assert plot_duplicates(replace(listed(), duplicates=none)) is None
    assert plot_broken(replace(broken(), first=())) is None


def test_one_run_only_guesses() -> None:
    assert "Labels that may be wrong, or just mistakes" in written(plot_label_errors(replace(listed(), runs=("a",))))
