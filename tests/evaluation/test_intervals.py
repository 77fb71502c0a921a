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


def test_the_interval_over_pictures_by_hand():
    # Eight right ones lose 0.1 or 0.3: t·sd/√n = 2.364624·0.106904/√8 = 0.089374; two wrong ones lose 2 and 4:
    # 12.7062·√2/√2. Wilson of 2 mistakes in 10 is 0.0566878 to 0.5098320, each worth 3 − 0.2.
    right = np.arange(10) < 8
    values = np.array([0.1, 0.3] * 4 + [2.0, 4.0])
    inside = math.hypot(0.8 * 0.089374, 0.2 * 12.7062)
    down, up = math.hypot(0.1433122 * 2.8, inside), math.hypot(0.3098320 * 2.8, inside)
    assert picture_interval(values, right, values) == pytest.approx((0.76 - down, 0.76 + up), abs=2e-5)
    # Where mistakes count less than right answers, the same the other way round.
    assert picture_interval(-values, right, values) == pytest.approx((-0.76 - up, -0.76 + down), abs=2e-5)


def test_the_interval_over_pictures_is_nearly_students_where_all_is_many():
    stream = numpy_stream(0, "losses")
    right = stream.random(100_000) < 0.6
    values = stream.exponential(size=100_000) + ~right
    assert picture_interval(values, right, values) == pytest.approx(
        scipy.stats.t.interval(0.95, 99_999, values.mean(), scipy.stats.sem(values)), abs=1e-4
    )


def test_the_interval_over_pictures_leaves_room_for_mistakes_not_met():
    values, right = np.full(10, 0.1), np.ones(10, dtype=bool)
    # All right: Student's is a point. Wilson of 10 in 10 begins at 10/(10 + z²) = 0.7225, and a mistake would count 5.
    more = 1 - 10 / (10 + 3.8414588)
    assert picture_interval(values, right, np.full(10, 5.0)) == pytest.approx((0.1, 0.1 + more * 4.9), rel=1e-6)
    assert picture_interval(-values, right, np.full(10, -5.0)) == pytest.approx((-0.1 - more * 4.9, -0.1), rel=1e-6)
    # All wrong, the same: Wilson of 0 right in 10 ends at 1 − 0.7225.
    assert picture_interval(values + 5, ~right, values) == pytest.approx((5.1 - more * 5, 5.1), rel=1e-6)


def test_a_single_mistake_has_the_spread_of_all_pictures():
    values, right = np.array([3.0] + [0.1] * 9), np.arange(10) > 0
    # t(9 degrees)·sd/√n = 2.262157·0.29, and what Wilson leaves open of a mistake that costs 2.9 more.
    least, most = (1 - end for end in reversed(wilson_interval(9, 10)))
    down, up = (math.hypot((end - 0.1) * 2.9, 2.262157 * 0.29) for end in (least, most))
    assert picture_interval(values, right, values) == pytest.approx((0.39 - down, 0.39 + up), rel=1e-6)
    pair = picture_interval(np.array([0.0, 2.0]), np.array([True, False]), values[:2])
    assert pair == pytest.approx((1 - 12.73, 1 + 12.73), abs=0.01)  # 12.7062, and Wilson's 0.405·2


def test_one_picture_has_no_interval():
    assert picture_interval(np.ones(1), np.ones(1, dtype=bool), np.ones(1)) is None


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
