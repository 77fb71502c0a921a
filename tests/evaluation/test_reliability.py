"""Reliability and ECE: worked by hand, written out, and against resampling the pictures themselves."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from neocog.evaluation import evaluate_predictions, wilson_interval
from neocog.evaluation.reliability import (
    ece_by_chance,
    ece_interval,
    expected_calibration_error,
    reliability,
)
from neocog.randomness import numpy_stream


def sure(n: int, temperature: float = 1.0, name: str = "sure") -> tuple[np.ndarray, np.ndarray]:
    """Confidences, and answers that are right as often as a temperature makes of them."""
    stream = numpy_stream(0, name)
    confidences = stream.beta(6, 1.5, size=n).clip(0.05, 1).astype(np.float32)
    odds = (confidences / (1 - confidences + 1e-9)) ** (1 / temperature)
    return confidences, stream.random(n) < odds / (1 + odds)


def test_by_hand():
    # Sure of 0.8, 0.5, 0.5, 0.7, 0.7; right, right, wrong, right, wrong.
    rows = [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.25, 0.5, 0.25], [0.2, 0.7, 0.1], [0.2, 0.1, 0.7]]
    got = evaluate_predictions(rows, [0, 0, 0, 1, 1], list("abc"), "test")
    assert [round(each.high * 15) for each in got.reliability] == [8, 11, 12]
    assert [each.n for each in got.reliability] == [2, 2, 1]
    assert [each.accuracy for each in got.reliability] == [0.5, 0.5, 1]
    np.testing.assert_allclose([each.confidence for each in got.reliability], [0.5, 0.7, 0.8], rtol=1e-6)
    assert got.reliability[1].interval == wilson_interval(1, 2)
    assert got.ece == pytest.approx((2 * 0 + 2 * 0.2 + 1 * 0.2) / 5, rel=1e-6)


def test_the_definition_written_out():
    confidences, right = sure(700, 1.6)
    want = 0.0
    for place in range(15):
        within = (confidences > place / 15) & (confidences <= (place + 1) / 15)
        if within.any():
            want += abs(right[within].mean() - confidences[within].astype(float).mean()) * within.mean()
    assert expected_calibration_error(reliability(confidences, right)) == pytest.approx(want)


def test_a_border_belongs_to_the_bin_below_and_1_to_the_last():
    ends = np.array([3 / 15, 0.2, 6 / 15, 9 / 15, 1.0], dtype=np.float32)
    bins = reliability(ends, np.ones(5, dtype=bool))
    assert [(round(each.high * 15), each.n) for each in bins] == [(3, 2), (6, 1), (9, 1), (15, 1)]
    assert [round(each.low * 15) for each in bins] == [2, 5, 8, 14]


def test_what_chance_alone_makes_of_ece():
    # One bin: |X − 700|/1000 with X binomial, whose mean scipy sums up.
    confidences = np.full(1000, 0.7, dtype=np.float32)
    want = scipy.stats.binom(1000, 0.7).expect(lambda right: abs(right - 700)) / 1000
    assert ece_by_chance(confidences).mean() == pytest.approx(want, rel=0.08)
    # Many bins, each picture drawn for itself.
    confidences, stream = sure(300)[0], numpy_stream(0, "each picture")
    drawn = [expected_calibration_error(reliability(confidences, stream.random(300) < confidences)) for _ in range(300)]
    assert ece_by_chance(confidences).mean() == pytest.approx(np.mean(drawn), rel=0.1)


def test_the_upper_end_is_that_of_resampled_pictures():
    confidences, right = sure(400, 3.0)
    stream, drawn = numpy_stream(0, "pictures again"), []
    for _ in range(600):
        places = stream.integers(400, size=400)
        drawn.append(expected_calibration_error(reliability(confidences[places], right[places])))
    ece, upper = expected_calibration_error(reliability(confidences, right)), np.quantile(drawn, 0.975)
    low, high = ece_interval(confidences, right, ece_by_chance(confidences))
    assert high == pytest.approx(upper, rel=0.05)
    assert low == pytest.approx(2 * ece - upper, abs=0.05 * upper)


def test_the_interval_covers_0_for_a_calibrated_network_and_the_truth_for_another():
    for temperature, truth in ((1.0, 0.0), (2.0, expected_calibration_error(reliability(*sure(400_000, 2.0))))):
        covered = []
        for number in range(10):
            confidences, right = sure(200, temperature, f"sample {number}")
            low, high = ece_interval(confidences, right, ece_by_chance(confidences))
            covered.append(low <= truth <= high)
        assert np.mean(covered) > 0.85, temperature
