"""Paired differences: Student and Wilson by hand, scipy's t test, and the bootstrap enumerated in full."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from neocog.errors import DataError
from neocog.randomness import numpy_stream
from neocog.statistics.paired import (
    BOOTSTRAP,
    NO_INTERVAL,
    RESAMPLES,
    SIGN_TEST,
    STUDENT,
    paired_difference,
    win_share,
)

TEN = [0.31, -0.12, 0.45, 0.08, 0.77, 0.22, -0.05, 0.36, 0.19, 0.51]


def zeros(values):
    return [0.0] * len(values)


def test_student_by_hand():
    # Differences 3, 1, 2: mean 2, sd 1, standard error 1/√3 = 0.57735, t = 2·√3 = 3.46410.
    # With 2 degrees of freedom t₀.₉₇₅ = 4.302653 and p = 1 − t/√(t² + 2) = 1 − 3.46410/√14 = 0.0741799.
    got = paired_difference([97.0, 96.0, 98.0], [94.0, 95.0, 96.0])
    assert (got.mean, got.sd, got.n, got.method, got.confidence) == (2.0, 1.0, 3, STUDENT, 0.95)
    assert got.half_width == pytest.approx(4.302653 / math.sqrt(3), rel=1e-6)
    assert got.p == pytest.approx(0.0741799, abs=1e-7)
    assert (got.low, got.high) == (2.0 - got.half_width, 2.0 + got.half_width)


@given(st.lists(st.tuples(*[st.floats(-100, 100)] * 2), min_size=2, max_size=9), st.floats(0.5, 0.99))
def test_student_is_scipys(pairs, confidence):
    first, second = np.array(pairs).T
    if np.ptp(first - second) < 1e-6:
        return
    got, want = paired_difference(first, second, confidence), scipy.stats.ttest_rel(first, second)
    np.testing.assert_allclose(got.p, want.pvalue, rtol=1e-7, atol=1e-12)
    np.testing.assert_allclose((got.low, got.high), want.confidence_interval(confidence), rtol=1e-7, atol=1e-9)


def every_resample(differences):
    """|mean* − mean| and probability of all resamples: each way to draw n of n with repetition, by stars and bars."""
    n = len(differences)
    bars = np.array(list(combinations(range(2 * n - 1), n - 1)))
    edges = np.hstack([np.full((len(bars), 1), -1), bars, np.full((len(bars), 1), 2 * n - 1)])
    counts = np.diff(edges, axis=1) - 1
    factorials = np.array([math.factorial(k) for k in range(n + 1)], dtype=float)
    chances = factorials[n] / factorials[counts].prod(axis=1) / float(n) ** n
    return np.abs(counts @ np.array(differences) / n - np.mean(differences)), chances


# Of 10 pairs: t = 2.262157 with 9 degrees of freedom, times √(10/9) = 2.384526, and 2Φ(−2.384526) = 0.0171.
EXPANDED = 0.0171


def test_bootstrap_is_what_enumerating_all_resamples_gives():
    distances, chances = every_resample(TEN)
    assert chances.sum() == pytest.approx(1)
    got = paired_difference(TEN, zeros(TEN))
    assert (got.n, got.method) == (10, BOOTSTRAP)
    assert got.mean == pytest.approx(0.272)
    assert got.sd == pytest.approx(np.std(TEN, ddof=1))
    # What lies beyond the interval is 1.71 % of all resamples, give or take 4 standard errors of 10,000 of them.
    assert abs(chances[distances >= got.half_width].sum() - EXPANDED) < 4 * math.sqrt(EXPANDED / RESAMPLES)


@pytest.mark.parametrize("shift", [0.0, -0.1, -0.2, 100])
def test_p_of_the_bootstrap_is_students_of_the_standard_error_that_its_interval_stands_for(shift):
    got = paired_difference([value + shift for value in TEN], zeros(TEN))
    assert got.half_width == pytest.approx(paired_difference(TEN, zeros(TEN)).half_width)
    want = 2 * scipy.stats.t.sf(abs(got.mean) / (got.half_width / 2.262157), 9)
    assert got.p == pytest.approx(want, rel=1e-5)


def test_p_of_many_seeds_may_be_as_small_as_many_comparisons_need():
    # Holm over 780 pairs of 40 configurations asks for p ≤ 6e-5, less than one of 10,000 resamples can be.
    assert paired_difference([value + 5 for value in TEN], zeros(TEN)).p < 1e-8


@given(st.lists(st.integers(-3, 5), min_size=2, max_size=14), st.sampled_from([0.9, 0.95, 0.99]))
def test_the_interval_leaves_out_0_exactly_when_p_is_small(differences, confidence):
    got = paired_difference(differences, zeros(differences), confidence)
    excluded = got.half_width is not None and abs(got.mean) > got.half_width
    assert excluded == (got.p <= round(1 - confidence, 12))


def test_the_same_numbers_each_time_and_mirrored_when_sides_change_places():
    forth, back = paired_difference(TEN, zeros(TEN)), paired_difference(zeros(TEN), TEN)
    assert forth == paired_difference(TEN, zeros(TEN))
    assert back.mean == -forth.mean
    assert (back.p, back.sd, back.method) == (forth.p, forth.sd, forth.method)
    assert back.half_width == pytest.approx(forth.half_width)


def test_the_unit_changes_the_difference_but_not_p():
    share, points = paired_difference(TEN, zeros(TEN)), paired_difference([100 * x for x in TEN], zeros(TEN))
    assert points.p == share.p
    assert points.half_width == pytest.approx(100 * share.half_width)


def test_one_pair_has_no_interval():
    got = paired_difference([0.75], [0.5])
    assert (got.mean, got.half_width, got.sd, got.n, got.p) == (0.25, None, None, 1, None)
    assert (got.low, got.high, got.method) == (None, None, NO_INTERVAL)


@pytest.mark.parametrize(("n", "half_width"), [(2, None), (3, None), (5, None), (6, 0.0), (12, 0.0)])
def test_equal_differences_are_judged_by_their_signs(n, half_width):
    # All n signs alike has probability 2 · 2⁻ⁿ under a fair coin: 1/16 with 5 seeds, 1/32 with 6.
    first = [0.9 - 0.1 * k for k in range(n)]  # 0.9 − 0.8 and 0.8 − 0.7 differ in the last bit
    got = paired_difference(first, [value - 0.1 for value in first])
    assert got.mean == pytest.approx(0.1)
    assert (got.half_width, got.sd, got.n, got.p) == (half_width, 0.0, n, 2.0 ** (1 - n))
    assert got.method == SIGN_TEST


@pytest.mark.parametrize("n", [2, 10])
def test_no_difference_at_all_claims_nothing(n):
    got = paired_difference([0.97] * n, [0.97] * n)
    assert (got.mean, got.sd, got.p, got.method) == (0.0, 0.0, 1.0, SIGN_TEST)


def test_nine_equal_differences_and_another_by_hand():
    # k of 10 draws take the 0.2, k ~ Binomial(10, 0.1), and mean* − mean = 0.01·(k − 1). 1.28 % have k ≥ 4, and
    # 7.02 % k ≥ 3; the largest 1.71 % therefore begin at k = 3, which is 0.02.
    got = paired_difference([0.1] * 9 + [0.2], [0.0] * 10)
    assert (got.method, got.mean) == (BOOTSTRAP, pytest.approx(0.11))
    assert got.half_width == pytest.approx(0.02)


def test_an_end_at_0_is_in_the_interval():
    # As before, with the mean at 0.02: p is 5 % but for rounding, and nothing may be claimed.
    got = paired_difference([0.01] * 9 + [0.11], [0.0] * 10)
    assert got.mean == pytest.approx(got.half_width)
    assert (got.low <= 0, got.p > 0.05, got.p == pytest.approx(0.05)) == (True, True, True)


def test_win_share_by_hand():
    # Won, won, tied, lost: 2.5 of 4, p = 0.625. z² = 3.841459: centre (0.625 + 0.4801824)/1.9603648 = 0.5637636,
    # half 1.959964·√(0.234375/4 + 0.0600228)/1.9603648 = 0.3443371.
    got = win_share([4, 4, 3, 1], [1, 2, 3, 4])
    assert (got.share, got.n) == (0.625, 4)
    assert (got.low, got.high) == pytest.approx((0.2194265, 0.9081007), abs=2e-7)
    lower = win_share([4, 4, 3, 1], [1, 2, 3, 4], higher_is_better=False)
    assert lower.share == 0.375
    assert (lower.low, lower.high) == pytest.approx((1 - got.high, 1 - got.low))
    assert win_share([1, 2, 3], [1, 2, 3]).share == 0.5


def test_win_share_covers_what_it_promises():
    # Over many truths: for a single one, ten wins or losses are too coarse for any interval to cover 95 % exactly.
    stream = numpy_stream(0, "wins")
    shifts = stream.normal(size=2000)
    draws = stream.normal(shifts[:, None], 1, size=(2000, 10))
    intervals = [win_share(row, zeros(row)) for row in draws]
    covered = [got.low <= truth <= got.high for got, truth in zip(intervals, scipy.stats.norm.cdf(shifts), strict=True)]
    assert 0.93 <= np.mean(covered) <= 0.97


@pytest.mark.parametrize("function", [paired_difference, win_share])
@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ([1.0, 2.0], [1.0], "2 and 1 values don't pair; give both sides one value for each seed"),
        ([], [], "0 and 0 values don't pair; give both sides one value for each seed"),
        ([1.0, 2.0], [1.0, math.nan], "value 1 is nan; only finite values can be compared"),
        ([math.inf], [1.0], "value 0 is inf; only finite values can be compared"),
    ],
)
def test_what_cannot_be_paired(function, first, second, complaint):
    with pytest.raises(DataError) as caught:
        function(first, second)
    assert str(caught.value) == complaint
