"""StressCurve and StressTest: shares, intervals and where half of the lead is lost, worked by hand."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.stats import binomtest

from neocog.statistics.stress import Broken, StressCurve, StressTest


def curve(*correct: int, guess: float = 0.1, strengths: tuple[float, ...] | None = None) -> StressCurve:
    return StressCurve("shift", "pixels", strengths or tuple(range(len(correct))), correct, 100, guess, "drawn")


def test_accuracies_and_their_wilson_intervals() -> None:
    found = curve(90, 40)
    assert found.accuracies == (0.9, 0.4)
    for correct, interval in zip((90, 40), found.intervals, strict=True):
        want = binomtest(correct, 100).proportion_ci(method="wilson")
        assert interval == pytest.approx((want.low, want.high), abs=1e-12)


@pytest.mark.parametrize(
    ("correct", "strengths", "half"),
    [
        ((90, 70, 30), (0, 2, 4), 3.0),  # half of 80 above 10 is 50, in the middle from 70 to 30
        ((90, 50), (0, 8), 8.0),
        ((90, 80, 60), (0, 1, 2), None),
        ((90, 10, 90), (1, 0.6, 0.2), 0.8),  # a factor that falls; it is the first time that counts
        ((10, 0), (0, 1), None),  # no lead over guessing
    ],
)
def test_where_half_of_the_lead_is_lost(correct, strengths, half) -> None:
    found = curve(*correct, strengths=strengths).half_lost
    assert found is None if half is None else found == pytest.approx(half)


def stress() -> StressTest:
    pixels = np.zeros((2, 2, 1), np.uint8)
    broken = Broken(7, "mnist/train/7", "4", "9", "shift", 2.0, pixels, 0.75, pixels)
    return StressTest("runs/a", "validation", 100, 0.9, (curve(90, 80, 20),), (broken,), {"data": "mnist"})


def test_everything_but_pixels_is_in_the_json() -> None:
    read = json.loads(json.dumps(stress().as_dict()))
    assert {key: read[key] for key in ("run", "part", "n", "accuracy", "conditions")} == {
        "run": "runs/a",
        "part": "validation",
        "n": 100,
        "accuracy": 0.9,
        "conditions": {"data": "mnist"},
    }
    assert read["curves"][0]["correct"] == [90, 80, 20] and read["curves"][0]["half_lost"] == 1.5
    assert read["first"] == [
        {
            "index": 7,
            "name": "mnist/train/7",
            "true": "4",
            "answer": "9",
            "probability": 0.75,
            "corruption": "shift",
            "strength": 2.0,
        }
    ]


def test_it_says_in_short_what_it_found() -> None:
    assert str(stress()) == (
        "90.00 % of 100 unchanged pictures (validation part)\n"
        "shift: 20.00 % at 2 pixels; half of its lead over guessing is lost at about 1.5 pixels"
    )
    assert repr(stress()) == "<StressTest of 'runs/a' on validation: shift>"
    assert "20.00 % at 2 pixels" in stress()._repr_html_()


def test_nothing_is_rounded_up_to_all() -> None:
    almost = StressCurve("shift", "pixels", (0, 1), (10**6 - 1, 10**6 - 2), 10**6, 0.1)
    found = StressTest("runs/a", "test", 10**6, 1 - 1e-6, (almost,), ())
    assert str(found) == ("> 99.99 % of 1,000,000 unchanged pictures (test part)\nshift: > 99.99 % at 1 pixel")
