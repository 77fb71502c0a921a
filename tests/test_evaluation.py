"""evaluate: scipy's statistics, scikit-learn's definitions written out, and values worked by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from neocog.errors import DataError
from neocog.evaluation import evaluate_predictions, mean_interval, wilson_interval
from neocog.randomness import numpy_stream

CLASSES = ("ant", "bee", "cat")
# True classes a a a b b, none is c; answers a a b b c.
PROBABILITIES = [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.25, 0.5, 0.25], [0.2, 0.7, 0.1], [0.2, 0.1, 0.7]]
LABELS = [0, 0, 0, 1, 1]


def example(**options):
    return evaluate_predictions(PROBABILITIES, LABELS, CLASSES, "test", **options)


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


def test_measures_by_hand():
    got = example()
    assert (got.n, got.correct, got.errors, got.accuracy) == (5, 3, 2, 0.6)
    assert got.confusion.tolist() == [[2, 1, 0], [0, 1, 1], [0, 0, 0]]
    assert got.confusion.dtype == np.int64
    assert got.support.tolist() == [3, 2, 0]
    np.testing.assert_allclose(got.precision, [1, 1 / 2, 0])
    np.testing.assert_allclose(got.recall, [2 / 3, 1 / 2, 0])
    np.testing.assert_allclose(got.f1, [4 / 5, 1 / 2, 0])
    # "cat" occurs in no label, so it has no say in the mean.
    assert got.macro_f1 == pytest.approx((4 / 5 + 1 / 2) / 2)
    assert got.loss == pytest.approx(-math.log(0.8 * 0.5 * 0.25 * 0.7 * 0.1) / 5)
    assert got.interval == wilson_interval(3, 5)
    assert got.probabilities.dtype == np.float32


def test_measures_against_their_definitions_on_random_predictions():
    stream = numpy_stream(0, "predictions")
    logits, labels = stream.normal(size=(500, 7)), stream.integers(0, 7, size=500)
    got = evaluate_predictions(logits, labels, list("abcdefg"), "val", logits=True)
    answers = logits.argmax(axis=1)
    for c in range(7):
        hits = np.sum((answers == c) & (labels == c))
        precision, recall = hits / np.sum(answers == c), hits / np.sum(labels == c)
        np.testing.assert_allclose(got.precision[c], precision)
        np.testing.assert_allclose(got.recall[c], recall)
        np.testing.assert_allclose(got.f1[c], 2 * precision * recall / (precision + recall))
    assert got.accuracy == np.mean(answers == labels)
    assert (got.predictions == answers).all()


def test_logits_and_their_probabilities_agree():
    stream = numpy_stream(0, "agree")
    logits, labels = 5 * stream.normal(size=(200, 4)), stream.integers(0, 4, size=200)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    one = evaluate_predictions(logits, labels, list("abcd"), "val", logits=True)
    other = evaluate_predictions(probabilities, labels, list("abcd"), "val")
    assert one.loss == pytest.approx(other.loss, rel=1e-12)
    np.testing.assert_array_equal(one.confusion, other.confusion)
    np.testing.assert_allclose(one.probabilities, other.probabilities, rtol=1e-6)


def test_extreme_scores_have_a_finite_loss():
    got = evaluate_predictions([[1e4, -1e4]], [1], ["a", "b"], "test", logits=True)
    assert got.loss == 2e4
    got = evaluate_predictions([[1.0, 0.0]], [1], ["a", "b"], "test")
    assert got.loss == pytest.approx(-math.log(np.finfo(np.float32).tiny))


def test_worst_mistakes_come_worst_first_with_their_names():
    got = example(indices=[10, 11, 12, 13, 14], names=["0.png", "1.png", "2.png", "3.png", "4.png"])
    worst, second = got.worst_mistakes(5)
    assert (worst.index, worst.name, worst.true, worst.predicted) == (14, "4.png", "bee", "cat")
    assert (worst.probability, worst.true_probability) == (pytest.approx(0.7), pytest.approx(0.1))
    assert (second.index, second.true, second.predicted) == (12, "ant", "bee")
    assert [mistake.index for mistake in got.worst_mistakes(1)] == [14]
    assert example().worst_mistakes(1)[0].index == 4
    assert example().worst_mistakes(1)[0].name is None


def test_most_confused_pairs():
    assert example().most_confused() == [("ant", "bee", 1), ("bee", "cat", 1)]
    assert example().most_confused(1) == [("ant", "bee", 1)]


def test_texts():
    labels = np.zeros(10_000, dtype=np.int64)
    probabilities = np.tile([1.0, 0.0], (10_000, 1))
    probabilities[:72] = [0.0, 1.0]
    got = evaluate_predictions(probabilities, labels, ["a", "b"], "test")
    assert str(got) == "99.28 % (99.09–99.43, 95 % Wilson, n = 10,000)"
    assert repr(got) == "<Evaluation on test: 99.28 % (99.09–99.43, 95 % Wilson, n = 10,000)>"


def test_as_dict_goes_through_json_unchanged():
    got = example().as_dict()
    assert json.loads(json.dumps(got, allow_nan=False)) == got
    assert got["per_class"][1] == {"class": "bee", "precision": 0.5, "recall": 0.5, "f1": 0.5, "support": 2}
    assert {key: got[key] for key in ("split", "n", "correct", "errors", "interval_method")} == {
        "split": "test",
        "n": 5,
        "correct": 3,
        "errors": 2,
        "interval_method": "Wilson, 95 %",
    }


@pytest.mark.parametrize(
    ("predictions", "labels", "text"),
    [
        (
            [[0.5, 0.5]],
            [0],
            "predictions (1, 2) and labels (1,) don't fit 3 classes; they must be (N, 3) and (N,)",
        ),
        (
            PROBABILITIES,
            [0],
            "predictions (5, 3) and labels (1,) don't fit 3 classes; they must be (N, 3) and (N,)",
        ),
        (np.zeros((0, 3)), [], "there are no predictions to evaluate; the split is empty"),
        (PROBABILITIES, [0.0] * 5, "labels are float64; they must be whole numbers from 0 to 2"),
        (PROBABILITIES, [0, 1, 3, 0, 0], "label 2 is 3; it must be from 0 to 2"),
        (
            [[1.0, 0, 0], [math.nan, 0, 0]],
            [0, 0],
            "prediction 1 isn't finite; the weights are broken, train again with a lower rate",
        ),
        (
            [[1.0, 0, 0], [2.0, -1.0, 0]],
            [0, 0],
            "prediction 1 isn't a probability distribution (sum 1); give raw scores with logits=True",
        ),
        (
            [[3.0, 1.0, 0]],
            [0],
            "prediction 0 isn't a probability distribution (sum 4); give raw scores with logits=True",
        ),
    ],
)
def test_nonsense_is_refused(predictions, labels, text):
    with pytest.raises(DataError) as caught:
        evaluate_predictions(predictions, labels, CLASSES, "test")
    assert str(caught.value) == text


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
