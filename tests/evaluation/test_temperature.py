"""Temperature scaling: worked by hand, by scipy and torch, at its bounds; no answer ever changes."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import scipy.special
import torch
from hypothesis import given
from hypothesis import strategies as st

from neocog.errors import DataError
from neocog.evaluation import Calibration, evaluate_predictions, fit_temperature, softened
from neocog.randomness import numpy_stream

FIGURES = {"loss_before": 0.5, "loss_after": 0.4, "ece_before": 0.1, "ece_after": 0.02}
INTERVALS = {name: [0.0, 1.0] for name in (*FIGURES, "loss_change")}
TEST = {"n": 40, **FIGURES, "loss_change": -0.1, "intervals": {**INTERVALS, "loss_change": [-0.2, -0.05]}}
GOOD = Calibration(temperature=1.5, part="validation", n=20, **FIGURES, test=TEST, intervals=INTERVALS)


def drawn(n: int = 500, classes: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Logits, and labels that are drawn with just the probabilities that softmax gives them."""
    stream = numpy_stream(0, "temperature")
    logits = 2 * stream.normal(size=(n, classes))
    shares = scipy.special.softmax(logits, axis=1).cumsum(axis=1)
    return logits, (shares > stream.random((n, 1))).argmax(axis=1)


def test_by_hand():
    # Sure to 80 % of one class of three, right in half of the cases: 8^(1/T) = 2.
    assert fit_temperature([[0.8, 0.1, 0.1]] * 4, [0, 0, 1, 2]) == pytest.approx(3, rel=1e-6)
    # Too modest: sure to 60 %, right in 90 %.
    want = math.log(0.6 / 0.4) / math.log(9)
    assert fit_temperature([[0.6, 0.4]] * 10, [0] * 9 + [1]) == pytest.approx(want, rel=1e-6)


def test_the_loss_is_least_there_says_torch():
    logits, labels = drawn()
    overconfident = scipy.special.softmax(2.5 * logits, axis=1)
    got = fit_temperature(overconfident, labels)
    assert got == pytest.approx(2.5, rel=0.2)
    inverse = torch.tensor(1 / got, dtype=torch.float64, requires_grad=True)
    loss = torch.nn.functional.cross_entropy(torch.from_numpy(2.5 * logits) * inverse, torch.from_numpy(labels))
    (slope,) = torch.autograd.grad(loss, inverse, create_graph=True)
    (bend,) = torch.autograd.grad(slope, inverse)
    assert abs(slope.item() / bend.item()) < 1e-6  # how far off Newton's method says that it is


def test_in_pieces_as_at_once(monkeypatch):
    logits, labels = drawn(100)
    probabilities = scipy.special.softmax(logits, axis=1).astype(np.float32)
    fitted, soft = fit_temperature(probabilities, labels), softened(probabilities, 1.7)
    monkeypatch.setattr("neocog.evaluation.calibration.AT_ONCE", 7)
    assert fit_temperature(probabilities, labels) == pytest.approx(fitted, rel=1e-7)
    np.testing.assert_array_equal(softened(probabilities, 1.7), soft)


def test_a_probability_of_0_counts_as_the_smallest_float32():
    # log odds of 87.34 for 999 of 1,000.
    want = -math.log(np.finfo(np.float32).tiny) / math.log(999)
    assert fit_temperature([[1.0, 0.0]] * 1000, [0] * 999 + [1]) == pytest.approx(want, rel=1e-6)
    got = softened(np.array([[1.0, 0.0]], dtype=np.float32), 10.0)
    np.testing.assert_allclose(got[0, 1], np.finfo(np.float32).tiny ** 0.1, rtol=1e-3)


@pytest.mark.parametrize(
    ("rows", "labels", "bound"),
    [([[1.0, 0.0]] * 10, [0] * 9 + [1], 20.0), ([[0.51, 0.49]] * 100, [0] * 99 + [1], 0.05)],
)
def test_a_bound_is_the_answer_where_the_loss_still_falls(rows, labels, bound):
    assert fit_temperature(rows, labels) == bound


@pytest.mark.parametrize(
    ("rows", "labels", "text"),
    [
        (
            [[0.9, 0.1], [0.5, 0.5]],
            [0, 1],
            "no temperature fits 2 pictures that are all classified rightly: the surer, the less loss",
        ),
        (
            [[0.9, 0.9]],
            [1],
            "prediction 0 isn't a probability distribution (sum 1.8); give raw scores with logits=True",
        ),
        ([0.9, 0.1], [1], "predictions (2,) and labels (1,) don't fit 0 classes; they must be (N, 0) and (N,)"),
    ],
)
def test_what_cannot_be_fitted_is_refused(rows, labels, text):
    with pytest.raises(DataError) as caught:
        fit_temperature(rows, labels)
    assert str(caught.value) == text


def test_softened_is_softmax_of_logits_over_temperature():
    logits = drawn()[0].astype(np.float32)
    plain = scipy.special.softmax(logits.astype(np.float64), axis=1).astype(np.float32)
    for temperature in (0.3, 1.7, 20.0):
        want = scipy.special.softmax(logits.astype(np.float64) / temperature, axis=1)
        np.testing.assert_allclose(softened(plain, temperature), want, rtol=2e-6, atol=1e-12)
        np.testing.assert_allclose(softened(plain, temperature, logits), want, rtol=2e-7)
    assert softened(plain, 1.0) is plain


@given(
    st.lists(st.integers(-3, 3), min_size=2, max_size=6),
    st.floats(0.05, 20),
    st.floats(0.1, 3),
    st.booleans(),
)
def test_the_class_chosen_never_changes(nudges, temperature, base, from_logits):
    # As close as float32 numbers can lie to each other, in any order.
    logits = (np.float32(base) + np.array(nudges, dtype=np.float32) * np.spacing(np.float32(base)))[None]
    plain = scipy.special.softmax(logits.astype(np.float64), axis=1).astype(np.float32)
    got = softened(plain, temperature, logits if from_logits else None)
    assert got.argmax() == plain.argmax()
    assert got.sum() == pytest.approx(1, abs=1e-5)


def test_two_that_float32_can_no_longer_tell_apart_keep_their_order():
    close = np.array([[0.49999997, 0.5]], dtype=np.float32)
    scores = np.log(close.astype(np.float64)) / 20
    tied = scipy.special.softmax(scores, axis=1).astype(np.float32)
    assert tied[0, 0] == tied[0, 1]
    assert softened(close, 20.0).argmax() == 1


def test_a_calibration_goes_through_json_unchanged():
    assert Calibration.from_dict(json.loads(json.dumps(GOOD.as_dict()))) == GOOD
    assert GOOD.as_dict()["loss_change"] == pytest.approx(-0.1)
    assert str(GOOD) == "temperature 1.5 (fitted on 20 validation pictures)"


def test_whether_it_helped():
    def helped(*change):
        test = {**TEST, "intervals": {**INTERVALS, "loss_change": list(change)}}
        return Calibration.from_dict({**GOOD.as_dict(), "test": test}).helped

    assert GOOD.helped is True
    assert (helped(0.01, 0.2), helped(-0.1, 0.1), helped(None, None)) == (False, None, None)
    assert Calibration.from_dict({**GOOD.as_dict(), "test": None}).helped is None
    assert [Calibration.from_dict({**GOOD.as_dict(), "temperature": t}).at_bound for t in (0.05, 1, 20.0)] == [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"temperature": "warm"}, "its temperature is 'warm', not a number from 0.05 to 20"),
        ({"temperature": 0}, "its temperature is 0, not a number from 0.05 to 20"),
        ({"temperature": True}, "its temperature is True, not a number from 0.05 to 20"),
        ({"part": None}, "its part is None, not the name of one"),
        ({"n": 1.5}, "its n is 1.5, not a whole number"),
        ({"ece_after": math.nan}, "its ece_after is nan, not a number"),
        ({"intervals": {}}, "its interval of loss_before is None, not two numbers"),
        ({"test": [1]}, "its test is [1], not figures"),
        ({"test": {**TEST, "loss_change": None}}, "its loss_change is None, not a number"),
    ],
)
def test_a_damaged_calibration_is_named(change, text):
    with pytest.raises(ValueError) as caught:
        Calibration.from_dict({**GOOD.as_dict(), **change})
    assert str(caught.value) == text
    with pytest.raises(ValueError, match=r"^it holds no calibration$"):
        Calibration.from_dict([])


def test_softening_changes_losses_and_nothing_that_counts_answers():
    logits, labels = drawn()
    plain = scipy.special.softmax(3 * logits, axis=1).astype(np.float32)
    before = evaluate_predictions(plain, labels, list("abcd"), "val")
    after = evaluate_predictions(softened(plain, 3.0), labels, list("abcd"), "val", temperature=3.0)
    np.testing.assert_array_equal(after.confusion, before.confusion)
    assert (after.top_k(2), after.macro_f1_interval, after.kappa) == (
        before.top_k(2),
        before.macro_f1_interval,
        before.kappa,
    )
    assert after.loss < before.loss
    assert after.ece < before.ece
    assert (before.temperature, after.temperature) == (1.0, 3.0)
