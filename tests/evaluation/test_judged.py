"""evaluate: scikit-learn's definitions written out, and values worked by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from neocog.errors import DataError
from neocog.evaluation import evaluate_predictions, wilson_interval
from neocog.randomness import numpy_stream

CLASSES = ("ant", "bee", "cat")
# True classes a a a b b, none is c; answers a a b b c.
PROBABILITIES = [[0.8, 0.1, 0.1], [0.5, 0.3, 0.2], [0.25, 0.5, 0.25], [0.2, 0.7, 0.1], [0.2, 0.1, 0.7]]
LABELS = [0, 0, 0, 1, 1]


def example(**options):
    return evaluate_predictions(PROBABILITIES, LABELS, CLASSES, "test", **options)


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


def test_intervals_of_each_class_by_hand():
    got = example()
    # Named: ant 2, bee 2, cat 1; pictures: 3, 2 and none.
    want = [wilson_interval(2, 2), wilson_interval(1, 2), wilson_interval(0, 1)]
    np.testing.assert_allclose(got.precision_intervals, want)
    want = [wilson_interval(2, 3), wilson_interval(1, 2), (math.nan, math.nan)]
    np.testing.assert_allclose(got.recall_intervals, want)
    assert got.as_dict()["per_class"][2]["recall_interval"] == [None, None]


@pytest.mark.parametrize("logits", [False, True])
def test_in_pieces_as_at_once(logits, monkeypatch):
    scores = np.log(PROBABILITIES) if logits else PROBABILITIES
    whole = evaluate_predictions(scores, LABELS, CLASSES, "test", logits=logits)
    for module in ("judged", "checks"):
        monkeypatch.setattr(f"neocog.evaluation.{module}.AT_ONCE", 2)
    pieces = evaluate_predictions(scores, LABELS, CLASSES, "test", logits=logits)
    np.testing.assert_array_equal(pieces.probabilities, whole.probabilities)
    np.testing.assert_array_equal(pieces.losses, whole.losses)
    with pytest.raises(DataError) as caught:
        evaluate_predictions([*PROBABILITIES[:3], [math.inf, 0, 0]], LABELS[:4], CLASSES, "test", logits=logits)
    assert str(caught.value) == "prediction 3 isn't finite; the weights are broken, train again with a lower rate"


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
    assert got["per_class"][1] == {
        "class": "bee",
        "precision": 0.5,
        "precision_interval": list(wilson_interval(1, 2)),
        "recall": 0.5,
        "recall_interval": list(wilson_interval(1, 2)),
        "f1": 0.5,
        "support": 2,
    }
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


def random_predictions(n=400, classes=5, sharp=2.0, name="random"):
    stream = numpy_stream(0, name)
    labels = stream.integers(0, classes, size=n)
    scores = stream.normal(size=(n, classes))
    scores[np.arange(n), labels] += sharp
    return evaluate_predictions(scores, labels, [str(c) for c in range(classes)], "val", logits=True)


def test_kappa_by_hand_and_as_weighed_disagreement():
    # Agreement 3/5; by chance (3·2 + 2·2 + 0·1)/25 = 2/5.
    assert example().kappa == pytest.approx((3 / 5 - 2 / 5) / (1 - 2 / 5))
    got = random_predictions()
    seen = expected = 0.0
    for i in range(5):
        for j in range(5):
            if i != j:
                seen += np.mean((got.labels == i) & (got.predictions == j))
                expected += np.mean(got.labels == i) * np.mean(got.predictions == j)
    assert got.kappa == pytest.approx(1 - seen / expected)


def test_kappa_of_a_single_class_is_0():
    assert evaluate_predictions([[1.0, 0.0]] * 3, [0, 0, 0], ["a", "b"], "test").kappa == 0
    assert evaluate_predictions([[1.0, 0.0], [0.0, 1.0]], [1, 0], ["a", "b"], "test").kappa == -1


def test_top_k_by_hand():
    # The places of the true classes: 1, 1, 2 (as sure as of the last class, but before it), 1, 3.
    got = example()
    assert [got.top_k(k) for k in (1, 2, 3)] == [3 / 5, 4 / 5, 1]
    assert got.top_k_interval(2) == wilson_interval(4, 5)
    assert got.top_k(1) == got.accuracy
    last_of_equals = evaluate_predictions([[0.5, 0.5]], [1], ["a", "b"], "test")
    assert last_of_equals.top_k(1) == last_of_equals.accuracy == 0


def test_top_k_against_sorting(monkeypatch):
    got = random_predictions(sharp=0.5)
    order = np.argsort(-got.probabilities, axis=1, kind="stable")
    monkeypatch.setattr("neocog.evaluation.judged._AT_ONCE", 37)
    for k in range(1, 6):
        assert got.top_k(k) == np.mean((order[:, :k] == got.labels[:, None]).any(axis=1))


@pytest.mark.parametrize("k", [0, 4])
def test_top_k_refuses_what_there_is_not(k):
    with pytest.raises(DataError) as caught:
        example().top_k(k)
    assert str(caught.value) == f"top-{k} of 3 classes; give k from 1 to 3"


def test_intervals_repeat_and_hold_what_they_are_of():
    got, again = random_predictions(), random_predictions()
    for name in ("macro_f1", "kappa", "loss", "ece"):
        low, high = getattr(got, f"{name}_interval")
        assert low < getattr(got, name) < high, name
        assert getattr(again, f"{name}_interval") == (low, high), name


def test_without_a_mistake_intervals_are_those_of_the_accuracy():
    got = evaluate_predictions([[0.9, 0.1]] * 10 + [[0.1, 0.9]] * 10, [0] * 10 + [1] * 10, ["a", "b"], "test")
    assert got.macro_f1_interval == pytest.approx(got.interval)
    # On a scale twice as long, of as many more pictures: 1 − z²/(n + z²/2).
    assert got.kappa_interval == pytest.approx((1 - 3.8414588 / (20 + 3.8414588 / 2), 1.0))
    low, high = got.loss_interval
    assert low == pytest.approx(-math.log(0.9), rel=1e-6)
    assert high > 2 * low
    low, high = got.ece_interval
    assert (low, got.ece) == (0, pytest.approx(0.1, rel=1e-6))
    assert high == pytest.approx(0.1 + 1 - got.interval[0])


def test_without_a_right_answer_intervals_leave_room_for_some():
    got = evaluate_predictions([[0.9, 0.1]] * 5, [1] * 5, ["a", "b"], "test")
    most = 3.8414588 / (5 + 3.8414588)  # Wilson of 0 in 5
    low, high = got.loss_interval
    assert low == pytest.approx(math.log(10) - most * math.log(9), rel=1e-6)
    assert high == pytest.approx(math.log(10))
    assert got.ece_interval == pytest.approx((0.9 - most, 0.9), rel=1e-6)


def test_one_picture_is_measured_without_a_warning():
    got = evaluate_predictions([[0.25, 0.75]], [1], ["a", "b"], "test")
    assert got.loss_interval == (0.0, math.inf)
    assert got.as_dict()["loss_interval"] == [0.0, None]
    assert (got.macro_f1, got.kappa, got.ece) == (1, 0, 0.25)
    assert got.ece_interval == (0.0, 1.0)


def test_as_dict_names_each_interval():
    got = random_predictions().as_dict()
    of_classes = {"precision", "recall"}
    assert set(got["interval_methods"]) == {"accuracy", "top_k", "macro_f1", "kappa", "loss", "ece"} | of_classes
    assert got["interval_methods"]["kappa"] == (
        "bootstrap over pictures, 1,000 resamples, Wilson's shape, widened for its bias, 95 %"
    )
    assert got["interval_methods"]["loss"] == (
        "Wilson of the share of mistakes, Student's t of right and of wrong pictures, 95 %"
    )
    assert set(got["top_k"]) == {"2", "3"}  # the first five of five say nothing
    assert got["temperature"] == 1.0
    assert sum(each["n"] for each in got["reliability"]) == 400
