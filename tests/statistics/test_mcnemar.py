"""McNemar: worked by hand, scipy's exact binomial, and Tango's interval from the likelihood itself."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
import scipy.stats
from scipy.optimize import minimize_scalar

from neocog.errors import DataError
from neocog.randomness import numpy_stream
from neocog.statistics.mcnemar import mcnemar


def answers(both_right, only_first, only_second, both_wrong):
    counts = (both_right, only_first, only_second, both_wrong)
    return np.repeat([True, True, False, False], counts), np.repeat([True, False, True, False], counts)


def test_by_hand():
    # Alone right on 1 and on 6 pictures: p = 2·(C(7,0) + C(7,1))/2⁷ = 2·8/128 = 0.125; difference (1 − 6)/20.
    got = mcnemar(*answers(10, 1, 6, 3))
    assert (got.n, got.both_right, got.only_first, got.only_second, got.both_wrong) == (20, 10, 1, 6, 3)
    assert (got.p, got.difference, got.confidence) == (0.125, -0.25, 0.95)
    # One sided: 0 and 6, p = 2/2⁶.
    assert mcnemar(*answers(5, 6, 0, 1)).p == 0.03125


@pytest.mark.parametrize(
    ("b", "c"), [(b, c) for b in range(9) for c in range(9)] + [(300, 200), (51, 90), (4000, 3900)]
)
def test_p_is_scipys_exact_binomial(b, c):
    want = scipy.stats.binomtest(b, b + c, 0.5).pvalue if b + c else 1.0
    assert mcnemar(*answers(7, b, c, 2)).p == pytest.approx(want, rel=1e-10)


def test_the_interval_that_is_published():
    # Airway hyper-responsiveness before and after a transplantation (Bentur et al. 2009): 1, 1, 7 and 12 of 21
    # children; Fagerland, Lydersen & Laake 2014 give Tango's interval as −0.517 to −0.026.
    got = mcnemar(*answers(1, 1, 7, 12))
    assert (round(got.low, 3), round(got.high, 3)) == (-0.517, -0.026)


def score(b, c, n, difference):
    """The score statistic with the likelihood of (b, c, the rest) maximised by search under pb − pc = difference."""
    low, high = max(0.0, -difference), (1 - difference) / 2

    def unlikely(pc):
        cells = [(b, pc + difference), (c, pc), (n - b - c, 1 - 2 * pc - difference)]
        return -sum(count * math.log(max(p, 1e-300)) for count, p in cells if count)

    pc = minimize_scalar(unlikely, bounds=(low, high), method="bounded", options={"xatol": 1e-13}).x
    variance = n * (2 * pc + difference - difference**2)
    return (b - c - n * difference) / math.sqrt(variance)


@pytest.mark.parametrize(
    ("b", "c", "n"), [(1, 6, 20), (12, 4, 100), (0, 5, 30), (3, 0, 1000), (60, 45, 5000), (0, 0, 10)]
)
def test_the_ends_are_where_the_score_statistic_is_the_normal_quantile(b, c, n):
    got = mcnemar(*answers(n - b - c, b, c, 0))
    assert got.low < (b - c) / n < got.high
    assert score(b, c, n, got.low) == pytest.approx(1.959964, abs=2e-4)
    assert score(b, c, n, got.high) == pytest.approx(-1.959964, abs=2e-4)


def test_without_discordant_pictures_by_hand():
    # b = c = 0: the score is −δ·√n/√(δ(1 − δ)) = ∓z, so δ = z²/(n + z²) = 3.841459/13.841459.
    got = mcnemar(*answers(6, 0, 0, 4))
    assert (got.p, got.difference) == (1.0, 0.0)
    assert (got.low, got.high) == pytest.approx((-0.2775328, 0.2775328), abs=1e-7)


def test_ends_of_the_range():
    all_first, all_second = mcnemar(*answers(0, 9, 0, 0)), mcnemar(*answers(0, 0, 9, 0))
    assert (all_first.difference, all_first.high) == (1.0, 1.0)
    assert (all_second.difference, all_second.low) == (-1.0, -1.0)


def test_changing_places_mirrors_it():
    forth, back = mcnemar(*answers(50, 12, 4, 3)), mcnemar(*answers(50, 4, 12, 3))
    assert back.p == forth.p
    assert (back.low, back.high) == pytest.approx((-forth.high, -forth.low))


@pytest.mark.parametrize(
    ("n", "b", "c"),
    [(10_000, 0.01, 0.01), (10_000, 0.002, 0.001), (1000, 0.01, 0.005), (100, 0.1, 0.05), (30, 0.2, 0.1)],
)
def test_the_interval_covers_and_the_test_keeps_its_promise(n, b, c):
    counts = numpy_stream(0, "mcnemar", n).multinomial(n, [b, c, 1 - b - c], size=2000)
    results = [_of_counts(*row) for row in counts.tolist()]
    assert 0.93 <= np.mean([got.low <= b - c <= got.high for got in results]) <= 0.98
    if b == c:
        assert np.mean([got.p <= 0.05 for got in results]) <= 0.05


@cache
def _of_counts(b, c, rest):
    return mcnemar(*answers(rest, b, c, 0))


@pytest.mark.parametrize(
    ("first", "second", "complaint"),
    [
        ([True], [True, False], "right answers (1,) and (2,) don't pair; both must be (N,), N ≥ 1"),
        ([], [], "right answers (0,) and (0,) don't pair; both must be (N,), N ≥ 1"),
        ([[True]], [[True]], "right answers (1, 1) and (1, 1) don't pair; both must be (N,), N ≥ 1"),
        ([1, 0], [True, False], "right answers are int64 and bool; both must be true or false"),
    ],
)
def test_what_cannot_be_tested(first, second, complaint):
    with pytest.raises(DataError) as caught:
        mcnemar(first, second)
    assert str(caught.value) == complaint
