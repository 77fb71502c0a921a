"""Resampled confusions against resampling the pictures themselves, and the coverage of what they give."""

from __future__ import annotations

import numpy as np
import pytest

from neocog.evaluation import wilson_interval
from neocog.evaluation.resampling import ConfusionSums, interval_around, resampled, resampled_confusion
from neocog.randomness import numpy_stream

# Each with all of its pictures drawn one by one below.
FEW_CELLS = np.array([[60, 40], [30, 70]])
MANY_CELLS = np.array([[50, 2, 0, 1], [1, 30, 3, 0], [0, 0, 9, 1], [2, 0, 0, 1]])


def measures(confusion: np.ndarray) -> tuple[float, float]:
    """Macro-F1 and kappa, worked class by class."""
    n, scores, chance = confusion.sum(), [], 0.0
    for c in range(len(confusion)):
        true, named = confusion[c].sum(), confusion[:, c].sum()
        chance += true * named / n**2
        if true:
            scores.append(2 * confusion[c, c] / (true + named))
    return float(np.mean(scores)), float((np.trace(confusion) / n - chance) / (1 - chance))


def test_the_sums_of_a_confusion_give_its_measures():
    sums = ConfusionSums(np.diag(MANY_CELLS)[None], MANY_CELLS.sum(1)[None], MANY_CELLS.sum(0)[None])
    np.testing.assert_allclose((sums.macro_f1[0], sums.kappa[0]), measures(MANY_CELLS))
    absent = np.array([[2, 1, 0], [0, 1, 1], [0, 0, 0]])
    sums = ConfusionSums(np.diag(absent)[None], absent.sum(1)[None], absent.sum(0)[None])
    np.testing.assert_allclose((sums.macro_f1[0], sums.kappa[0]), ((4 / 5 + 1 / 2) / 2, 1 / 3))


@pytest.mark.parametrize("confusion", [FEW_CELLS, MANY_CELLS], ids=["few cells", "many cells"])
def test_resampling_cells_is_resampling_pictures(confusion):
    count, n = len(confusion), int(confusion.sum())
    pictures = np.repeat(np.arange(count**2), confusion.ravel())
    stream = numpy_stream(0, "pictures")
    drawn = [np.bincount(stream.choice(pictures, n), minlength=count**2).reshape(count, count) for _ in range(1000)]
    want = np.array([measures(each) for each in drawn])
    sums = resampled_confusion(confusion)
    np.testing.assert_array_equal(sums.true_RC.sum(axis=1), n)
    np.testing.assert_array_equal(sums.named_RC.sum(axis=1), n)
    assert (sums.right_RC <= np.minimum(sums.true_RC, sums.named_RC)).all()
    for got, place in ((sums.macro_f1, 0), (sums.kappa, 1)):
        # Standard errors: of a mean of 1000 its sd/√1000, of an sd about 2 %.
        assert got.mean() == pytest.approx(want[:, place].mean(), abs=5 * want[:, place].std() / 1000**0.5)
        assert got.std() == pytest.approx(want[:, place].std(), rel=0.12)
    for got, whole in ((sums.true_RC, confusion.sum(1)), (sums.named_RC, confusion.sum(0))):
        np.testing.assert_allclose(got.mean(axis=0), whole, atol=1.5)


def test_a_confusion_without_mistakes_has_none_in_its_resamples():
    sums = resampled_confusion(np.diag([5, 0, 7]))
    np.testing.assert_array_equal(sums.right_RC, sums.true_RC)
    np.testing.assert_array_equal(sums.right_RC, sums.named_RC)
    assert (sums.macro_f1 == 1).all()


def test_resampled_counts_have_the_moments_of_drawing_with_replacement():
    counts = np.array([70, 25, 5])
    got = resampled(counts, "moments")
    assert (got.sum(axis=1) == 100).all()
    np.testing.assert_allclose(got.mean(axis=0), counts, atol=0.7)
    np.testing.assert_allclose(got.var(axis=0), counts * (1 - counts / 100), rtol=0.15)
    np.testing.assert_array_equal(got, resampled(counts, "moments"))


def test_an_interval_around_a_value_by_hand():
    spread = np.array([-0.03, 0.03] * 5)
    # s(1 − s)/0.03² = 0.09/0.0009 = 100 pictures.
    np.testing.assert_allclose(interval_around(0.9, 0.9 + spread, 7), wilson_interval(90, 100))
    # From −1 to 1 the share is 0.95 and its spread half: 0.0475/0.000225 = 211.1 pictures.
    low, high = wilson_interval(0.95 * 0.0475 / 0.000225, 0.0475 / 0.000225)
    np.testing.assert_allclose(interval_around(0.9, 0.9 + spread, 7, low=-1), (2 * low - 1, 2 * high - 1))
    assert interval_around(1.0, np.ones(10), 30) == wilson_interval(30, 30)


def test_one_end_moves_by_the_bias_and_no_further_than_the_measure_goes():
    spread, (low, high) = np.array([-0.03, 0.03] * 5), wilson_interval(90, 100)
    np.testing.assert_allclose(interval_around(0.9, 0.88 + spread, 7), (low, high + 0.02))
    np.testing.assert_allclose(interval_around(0.9, 0.92 + spread, 7), (low - 0.02, high))
    assert interval_around(0.9, 0.7 + spread, 7)[1] == 1.0


def test_the_interval_of_macro_f1_covers_where_percentiles_cannot():
    # Three classes, 97 % right, 30 pictures: two samples of five have no mistake at all.
    stream, covered, percentiles = numpy_stream(0, "macro coverage"), [], []
    for _ in range(40):
        labels = stream.integers(0, 3, size=30)
        answers = np.where(stream.random(30) < 0.97, labels, (labels + 1) % 3)
        confusion = np.bincount(3 * labels + answers, minlength=9).reshape(3, 3)
        values, macro_f1 = resampled_confusion(confusion).macro_f1, measures(confusion)[0]
        low, high = interval_around(macro_f1, values, 30)
        covered.append(low <= 0.97 <= high)
        ends = np.quantile(values, [0.025, 0.975])
        percentiles.append(ends[0] <= 0.97 <= ends[1])
    assert np.mean(percentiles) < 0.8
    assert np.mean(covered) > 0.9
