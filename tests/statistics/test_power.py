"""How many seeds: published sample sizes, the power by integration, and what simulated tests claim."""

from __future__ import annotations

import math

import numpy as np
import pytest
import scipy.stats
from scipy.integrate import quad

from neocog.errors import DataError
from neocog.randomness import numpy_stream
from neocog.statistics.power import power_of, seeds_needed, smallest_difference


@pytest.mark.parametrize(("effect", "seeds"), [(0.2, 199), (0.5, 34), (0.8, 15)])
def test_the_sample_sizes_that_are_usually_given(effect, seeds):
    # Pairs for Cohen's small, medium and large effect, two-sided 5 %, power 80 %, as G*Power and R's pwr give them.
    assert seeds_needed(effect, 1.0) == seeds
    assert power_of(effect, 1.0, seeds) >= 0.8 > power_of(effect, 1.0, seeds - 1)


def integrated(effect, n, confidence=0.95):
    """P(|Z + shift| > t·√(V/ν)) with V chi-squared, averaged over V: the definition, without the noncentral t."""
    t, shift, freedom = scipy.stats.t.ppf((1 + confidence) / 2, n - 1), effect * math.sqrt(n), n - 1

    def claimed(v):
        edge = t * math.sqrt(v / freedom)
        return (scipy.stats.norm.sf(edge - shift) + scipy.stats.norm.cdf(-edge - shift)) * scipy.stats.chi2.pdf(
            v, freedom
        )

    top = scipy.stats.chi2.isf(1e-13, freedom)
    return quad(claimed, 0, top, limit=400, points=[freedom / 100, freedom])[0]


@pytest.mark.parametrize(("effect", "n"), [(0.0, 5), (2.5, 3), (1.2, 5), (0.3, 10), (6.0, 2), (9.0, 2), (0.1, 300)])
def test_power_is_its_integral(effect, n):
    assert power_of(effect, 1.0, n) == pytest.approx(integrated(effect, n), abs=1e-6)


def test_power_is_the_share_that_simulated_t_tests_claim():
    draws = numpy_stream(0, "power").normal(0.024, 0.02, size=(4000, 5))
    claimed = np.mean(scipy.stats.ttest_1samp(draws, 0, axis=1).pvalue <= 0.05)
    expected = power_of(0.024, 0.02, 5)
    assert abs(claimed - expected) < 3 * math.sqrt(expected * (1 - expected) / 4000)


def test_only_the_ratio_to_the_spread_counts_and_not_the_sign():
    assert seeds_needed(-0.003, 0.006) == seeds_needed(0.5, 1.0) == 34
    assert power_of(-0.5, 1.0, 34) == power_of(0.5, 1.0, 34)


def test_more_power_or_confidence_takes_more_seeds():
    assert 34 < seeds_needed(0.5, 1.0, 0.9) < seeds_needed(0.5, 1.0, 0.9, confidence=0.99)


def test_tiny_and_huge_differences():
    # Far out the t test is the normal one: n = (1.959964 + 0.841621)²/effect².
    assert seeds_needed(1e-4, 1.0) == pytest.approx((1.959964 + 0.841621) ** 2 * 1e8, rel=1e-4)
    assert seeds_needed(1000.0, 1.0) == 2


@pytest.mark.parametrize("n", [2, 3, 10, 200])
def test_the_smallest_difference_has_the_power_asked_for(n):
    for power in (0.5, 0.8, 0.95):
        assert power_of(smallest_difference(n, 0.3, power), 0.3, n) == pytest.approx(power, abs=1e-9)


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (lambda: seeds_needed(0.0, 1.0), "no number of seeds shows a difference of 0"),
        (lambda: seeds_needed(0.1, 0.0), "no power for difference 0.1, sd 0, n 2; it takes sd > 0 and n ≥ 2"),
        (lambda: smallest_difference(1, 0.1), "no power for difference 0.1, sd 0.1, n 1; it takes sd > 0 and n ≥ 2"),
        (lambda: power_of(math.nan, 1, 5), "no power for difference nan, sd 1, n 5; it takes sd > 0 and n ≥ 2"),
        (lambda: seeds_needed(1, 1, 1.0), "power 1 can't be planned for; it must be between 0.05 and 1"),
        (lambda: smallest_difference(5, 1, 0.01), "power 0.01 can't be planned for; it must be between 0.05 and 1"),
    ],
)
def test_what_has_no_answer(call, complaint):
    with pytest.raises(DataError) as caught:
        call()
    assert str(caught.value) == complaint
