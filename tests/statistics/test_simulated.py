"""What intervals and verdicts promise, held against simulated comparisons whose truth is known.

Monte-Carlo slack: 2,000 comparisons that each claim with probability 5 % claim in 131 or fewer (6.55 %) with
probability 99.9 %, so that many may. A normal quantile in place of Student's would claim 12 % with 5 seeds.
"""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats

from neocog.randomness import numpy_stream
from neocog.statistics.comparison import METRICS, Side, compare_sides
from neocog.statistics.paired import paired_difference
from neocog.statistics.power import power_of

COMPARISONS = 2000
SEEDS = (2, 3, 5, 10, 20)
# Pictures by how hard they are: how many of 5,000, and the log odds that a usual training gets one right.
PICTURES = ((4600, 6.0), (200, 2.5), (100, 1.0), (60, -0.5), (40, -3.0))


def most_claims(tried):
    return scipy.stats.binom.ppf(0.999, tried, 0.05)


def normal(stream, shape, sides, pictures=None):
    return [stream.normal(size=shape) for _ in range(sides)]


def accuracies(stream, shape, sides, pictures=5000, luck=0.15, kind=2):
    """Accuracies of equal sides: the same pictures are hard for all, a seed's split lifts all sides alike, and each
    training has luck of its own, skewed to the bad. In 20,000 comparisons the intervals cover 95.0 to 95.6 %."""
    split = stream.normal(0, 0.2, size=shape)
    found = []
    for _ in range(sides):
        skill = split - luck * (stream.gamma(kind, size=shape) - kind)
        right = sum(stream.binomial(n * pictures // 5000, 1 / (1 + np.exp(-odds - skill))) for n, odds in PICTURES)
        found.append(right / pictures)
    return found


def comparisons(values):
    """One comparison for each row of the sides' (comparisons, seeds) arrays."""
    for rows in zip(*(side.tolist() for side in values), strict=True):
        sides = [Side(name, dict(enumerate(row)), {}, {}, 1) for name, row in zip("abcd", rows, strict=False)]
        yield compare_sides(sides, METRICS["accuracy"])


@pytest.mark.parametrize("n", SEEDS)
@pytest.mark.parametrize("make", [normal, accuracies])
def test_equal_sides_are_covered_and_rarely_told_apart(make, n):
    sides = make(numpy_stream(0, make.__name__, n), (COMPARISONS, n), 2)
    got = [got.pairs[0] for got in comparisons(sides)]
    intervals = [pair.difference for pair in got if pair.difference.half_width is not None]
    assert len(intervals) > 0.97 * COMPARISONS  # the others' few differences are all equal
    assert 0.93 <= np.mean([interval.low <= 0 <= interval.high for interval in intervals]) <= 0.97
    assert sum(pair.beats for pair in got) <= most_claims(COMPARISONS)


@pytest.mark.parametrize("how", [{}, {"luck": 0.3, "kind": 1}, {"pictures": 250}])
def test_resampling_ten_covers_what_students_does_however_lopsided_the_luck_and_few_the_pictures(how):
    # Differences with far outliers make Student's cover 96.5 %; a studentized bootstrap adds 1.1 % to that.
    first, second = accuracies(numpy_stream(0, "lopsided", *how), (COMPARISONS, 10), 2, **how)
    found = [paired_difference(*rows) for rows in zip(first, second, strict=True)]
    resampled = np.mean([abs(got.mean) <= got.half_width for got in found])
    students = np.mean([abs(got.mean) <= 2.262157 * got.sd / 10**0.5 for got in found])
    assert abs(resampled - students) <= 0.006


@pytest.mark.parametrize("n", [2, 10])
def test_few_pictures_and_many_ties_claim_no_more(n):
    sides = accuracies(numpy_stream(0, "ties", n), (1000, n), 2, pictures=250)
    assert 0.1 < np.mean(sides[0] == sides[1]) < 0.3
    assert sum(got.pairs[0].beats for got in comparisons(sides)) <= most_claims(1000)


@pytest.mark.parametrize("n", [5, 10])
def test_sides_with_skewed_luck_of_different_kinds_are_covered_too(n):
    # Not equal, so the differences are skewed as well: two sides' own skewness would cancel.
    stream = numpy_stream(0, "skewed", n)
    differences = stream.normal(0, 0.5, size=(1000, n)) - stream.gamma(2, size=(1000, n)) / 2**0.5
    intervals = [paired_difference(row, np.zeros(n)) for row in differences]
    # Student's covers 93.5 % here in the long run; so 91.5 % may be seen by chance.
    assert 0.915 <= np.mean([got.low <= -(2**0.5) <= got.high for got in intervals]) <= 0.97


@pytest.mark.parametrize(("sides", "n", "tried"), [(3, 5, 1000), (4, 5, 500), (3, 10, 500)])
def test_many_equal_sides_bring_any_claim_as_rarely_as_two(sides, n, tried):
    values = accuracies(numpy_stream(0, "family", sides, n), (tried, n), sides)
    got = list(comparisons(values))
    uncorrected = sum(any(pair.difference.p <= 0.05 for pair in one.pairs) for one in got)
    assert sum(any(pair.beats for pair in one.pairs) for one in got) <= most_claims(tried) < uncorrected


@pytest.mark.parametrize(("n", "effect"), [(3, 2.5), (5, 1.2), (10, 1.0), (20, 0.6)])
def test_a_difference_is_claimed_as_often_as_planned(n, effect):
    tried, expected = 1000, power_of(effect, 1.0, n)
    split, own = numpy_stream(0, "planned", n).normal(size=(2, tried, n))
    claimed = np.mean([got.pairs[0].beats for got in comparisons([split + own + effect, split])])
    assert abs(claimed - expected) <= 3 * (expected * (1 - expected) / tried) ** 0.5
