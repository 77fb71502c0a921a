"""Intervals of shares and means: scipy's statistics, values worked by hand, and coverage."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from neocog.errors import DataError
from neocog.evaluation import mean_interval, wilson_interval
from neocog.evaluation.intervals import picture_interval
from neocog.randomness import numpy_stream


@given(st.integers(1, 100_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))), st.floats(0.5, 0.999))
def test_wilson_is_scipys(pair, confidence):
    successes, n = pair
    want = scipy.stats.binomtest(successes, n).proportion_ci(confidence, method="wilson")
    np.testing.assert_allclose(wilson_interval(successes, n, confidence), want, rtol=1e-9, atol=1e-12)


def test_wilson_by_hand():
    # 8 of 10, z = 1.959964, z² = 3.841459: centre (0.8 + 0.1920729)/1.3841459 = 0.7167401,
    # half √(0.016 + 0.00960365)·1.959964/1.3841459 = 0.2265721.
    np.testing.assert_allclose(wilson_interval(8, 10), (0.4901680, 0.9433122), atol=2e-5)
    assert wilson_interval(0, 7)[0] == 0.0
    assert wilson_interval(7, 7)[1] == 1.0


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(1, 2 * n - 1), st.just(n))))
def test_wilson_of_half_successes_solves_its_equation(pair):
    # The ends are the shares q from which the one seen lies z standard errors away: (p − q)² = z²·q(1 − q)/n.
    halves, n = pair
    low, high = wilson_interval(halves / 2, n)
    assert 0 < low < halves / 2 / n < high < 1
    for end in (low, high):
        assert (halves / 2 / n - end) ** 2 == pytest.approx(3.8414588 * end * (1 - end) / n, rel=1e-6)


def test_wilson_covers_what_it_promises():
    truth, n = 0.99, 1000
    counts = numpy_stream(0, "coverage").binomial(n, truth, size=2000)
    covered = [low <= truth <= high for low, high in (wilson_interval(int(c), n) for c in counts)]
    assert 0.93 <= np.mean(covered) <= 0.98


@pytest.mark.parametrize(("successes", "n"), [(3, 2), (-1, 2), (0, 0)])
def test_wilson_refuses_the_impossible(successes, n):
    with pytest.raises(DataError) as caught:
        wilson_interval(successes, n)
    assert str(caught.value) == (
        f"{successes} successes in {n} tries have no interval; it takes 0 ≤ successes ≤ n and n ≥ 1"
    )


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=30).filter(lambda v: np.std(v) > 1e-3))
def test_mean_interval_is_scipys(values):
    got = mean_interval(values)
    low, high = scipy.stats.t.interval(0.95, len(values) - 1, np.mean(values), scipy.stats.sem(values))
    np.testing.assert_allclose((got.low, got.high), (low, high), rtol=1e-7, atol=1e-7)


def test_mean_interval_by_hand():
    # t(3 degrees, 97.5 %) = 3.182446; sd = √(5/3) = 1.290994; half = 3.182446 · 1.290994 / 2.
    got = mean_interval([1, 2, 3, 4])
    assert (got.mean, got.n) == (2.5, 4)
    assert got.sd == pytest.approx(1.290994, abs=1e-6)
    assert got.half_width == pytest.approx(2.054260, abs=1e-5)
    assert str(got) == "2.5000 ± 2.0543 (95 %, n = 4 values)"


def test_one_value_has_no_interval():
    got = mean_interval([0.5])
    assert (got.mean, got.low, got.high, got.sd, got.half_width) == (0.5, None, None, None, None)


@pytest.mark.parametrize("values", [[], [1.0, math.inf]])
def test_mean_interval_refuses(values):
    with pytest.raises(DataError) as caught:
        mean_interval(values)
    assert str(caught.value) == f"no mean interval of {values!r}; it takes one or more finite numbers"


def test_the_interval_over_pictures_is_students_where_mistakes_are_many():
    values = numpy_stream(0, "losses").exponential(size=400)
    right = np.arange(400) % 2 == 0
    got = picture_interval(values + ~right, right, np.full(400, 9.0))
    # 200 of 400 right: Wilson leaves open 4.9 points more mistakes, each a nat dearer; Student's half is 0.11.
    want = mean_interval(values + ~right)
    assert got == (want.low, want.high)


def test_the_interval_over_pictures_leaves_room_for_mistakes_not_met():
    values, right = np.full(10, 0.1), np.ones(10, dtype=bool)
    # All right: Student's is a point. Wilson of 10 in 10 begins at 10/(10 + z²) = 0.7225, and a mistake would count 5.
    more = 1 - 10 / (10 + 3.8414588)
    assert picture_interval(values, right, np.full(10, 5.0)) == pytest.approx((0.1, 0.1 + more * 4.9), rel=1e-6)
    assert picture_interval(-values, right, np.full(10, -5.0)) == pytest.approx((-0.1 - more * 4.9, -0.1), rel=1e-6)
    # One of ten wrong, which costs 3: it tells what others would cost.
    values[0], right[0] = 3.0, False
    more = 0.9 - wilson_interval(9, 10)[0]
    low, high = picture_interval(values, right, np.full(10, 5.0))
    assert high == pytest.approx(max(0.39 + more * 2.9, mean_interval(values).high))
    assert low == mean_interval(values).low


def test_one_picture_has_no_interval_and_no_right_one_is_students():
    assert picture_interval(np.ones(1), np.ones(1, dtype=bool), np.ones(1)) is None
    values = np.array([1.0, 2.0, 4.0])
    want = mean_interval(values)
    assert picture_interval(values, np.zeros(3, dtype=bool), values) == (want.low, want.high)


def test_the_interval_over_pictures_covers_where_students_does_not():
    # 3 % of pictures lose 6 nats, the others 0.03: a sample of 60 has none in 16 % of cases.
    stream, truth, student, ours = numpy_stream(0, "rare losses"), 0.03 * 6 + 0.97 * 0.03, [], []
    for _ in range(300):
        right = stream.random(60) >= 0.03
        values = np.where(right, 0.03 + 0.001 * stream.random(60), 6.0)
        plain, got = mean_interval(values), picture_interval(values, right, np.full(60, 3.5))
        student.append(plain.low <= truth <= plain.high)
        ours.append(got[0] <= truth <= got[1])
    assert np.mean(student) < 0.87
    assert np.mean(ours) > 0.93
