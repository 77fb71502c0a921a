"""Published figures held against seeds: ranges, prediction intervals, and what a mended twin gains."""

from __future__ import annotations

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from neocog.statistics.paired import paired_difference
from neocog.statistics.reproduction import (
    Figure,
    LossLog,
    Reproduced,
    Reproduction,
    chance_in_range,
    cut,
    prediction_interval,
)


def reproduced(**changes: object) -> Reproduced:
    """Three seeds of a recipe, and the twin of two of them."""
    whole = Reproduced(
        name="model-x",
        seeds=(0, 1, 2),
        figures=(Figure("test accuracy", 0.9, (0.89, 0.91, 0.90)),),
        log=LossLog((5, 10), (2.0, 1.0), ((2.1, 1.1), (2.2, 1.2), (1.9, 0.9)), "batch", 5),
        accuracy=(0.89, 0.91, 0.90),
        seconds=(10.0, 20.0, 40.0),
        epochs=2,
        twin="model-x-fixed",
        twin_seeds=(2, 0),
        twin_accuracy=(0.95, 0.92),
        twin_seconds=(30.0, 20.0),
    )
    return replace(whole, **changes)


# ---------------------------------------------------------------- one figure


def test_prediction_interval_by_hand() -> None:
    # 2, 4, 6: mean 4, sd 2, t(0.975; 2) = 4.30265, √(4/3) = 1.154701: 4 ± 9.936548
    low, high = prediction_interval([2.0, 4.0, 6.0])
    assert (low, high) == pytest.approx((4 - 9.936548, 4 + 9.936548), abs=1e-5)


def test_prediction_interval_is_the_t_test_turned_round() -> None:
    # A value at its edge is just what a two-sample t test with one value on the other side finds different at 5 %.
    values = np.random.default_rng(3).normal(1, 2, 7)
    for edge in prediction_interval(values.tolist()):
        n, sd = len(values), values.std(ddof=1)
        t = (edge - values.mean()) / (sd * math.sqrt(1 + 1 / n))
        assert 2 * stats.t.sf(abs(t), n - 1) == pytest.approx(0.05, abs=1e-9)


def test_prediction_interval_holds_one_more_value_as_often_as_it_says() -> None:
    values = np.random.default_rng(0).normal(size=(2000, 6))
    held = [low <= row[5] <= high for row in values for low, high in [prediction_interval(row[:5].tolist())]]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


@pytest.mark.parametrize("n", [1, 2, 5, 10])
def test_one_more_seed_is_in_the_range_as_often_as_said(n: int) -> None:
    draws = np.random.default_rng(n).normal(size=(20_000, n + 1))
    within = (draws[:, n] >= draws[:, :n].min(1)) & (draws[:, n] <= draws[:, :n].max(1))
    assert within.mean() == pytest.approx(chance_in_range(n), abs=0.012)


def test_a_figure_by_hand() -> None:
    figure = Figure("test accuracy", 0.9704, (0.969, 0.971, 0.973))
    assert (figure.n, figure.in_range, figure.expected) == (3, True, True)
    assert (figure.mean, figure.sd) == pytest.approx((0.971, 0.002))
    outside = replace(figure, published=0.9680)
    assert (outside.in_range, outside.expected) == (False, True)
    assert replace(figure, published=0.95).expected is False


@pytest.mark.parametrize(("published", "answer"), [(0.433, True), (0.432, False), (0.441, True), (0.442, False)])
def test_ours_are_rounded_as_the_lesson_rounds(published: float, answer: bool) -> None:
    # From 0.4332 to 0.4412, which a lesson with three digits would have printed as 0.433 to 0.441.
    assert Figure("loss, step 500", published, (0.4332, 0.4412), "nats", 1, 3).in_range is answer


def test_more_than_a_figure_asks_for_all_seeds_above_it() -> None:
    over = Figure("test accuracy", 0.98, (0.985, 0.986, 0.987), at_least=True)
    assert (over.in_range, over.expected) == (True, True)
    assert replace(over, ours=(0.979, 0.986, 0.987)).in_range is False
    # All are above, but one more seed might well not be.
    assert (replace(over, ours=(0.981, 0.990)).in_range, replace(over, ours=(0.981, 0.990)).expected) == (True, False)
    assert replace(over, ours=(0.985,)).in_range is True


def test_figures_that_can_not_be_judged() -> None:
    one = Figure("test accuracy", 0.97, (0.97,))
    assert (one.mean, one.sd, one.prediction, one.in_range, one.expected) == (0.97, None, None, None, None)
    none = replace(one, ours=())
    assert (none.n, none.mean, none.in_range, none.expected) == (0, None, None, None)
    unpublished = Figure("test accuracy", None, (0.97, 0.98))
    assert (unpublished.in_range, unpublished.expected) == (None, None)


def test_equal_seeds_hold_an_equal_figure_and_no_other() -> None:
    figure = Figure("accuracy, step 500", 0.96, (0.96,) * 5, digits=0, cut=True)
    assert (figure.in_range, figure.expected) == (True, True)
    assert (replace(figure, published=0.95).in_range, replace(figure, published=0.97).expected) == (False, False)


def test_a_cut_figure_is_judged_by_cut_ends_of_what_was_measured() -> None:
    # mean 0.931, sd 0.001: one more seed in 0.931 ± 4.303 · 0.001 · √(4/3) = 0.926 to 0.936, which prints as 92 or 93
    figure = Figure("accuracy, step 1,000", 0.92, (0.930, 0.931, 0.932), digits=0, cut=True)
    assert figure.as_printed == (0.93, 0.93, 0.93)
    assert (figure.mean, figure.sd) == (pytest.approx(0.931), pytest.approx(0.001))
    assert figure.prediction == (pytest.approx(0.92603, abs=1e-5), pytest.approx(0.93597, abs=1e-5))
    assert (figure.in_range, figure.expected) == (False, True)
    assert replace(figure, published=0.91).expected is False
    assert (replace(figure, published=0.94).expected, replace(figure, published=0.93).in_range) == (False, True)


def test_a_prediction_ends_where_the_figure_must() -> None:
    assert Figure("loss", 0.1, (0.01, 0.2), "nats", 1, 3).prediction == (0.0, pytest.approx(2.196, abs=0.001))
    assert Figure("accuracy", 0.9, (0.9, 0.99)).prediction == (0.0, 1.0)


def test_cutting_keeps_whole_per_cent() -> None:
    whole = [percent / 100 for percent in range(101)]
    assert [cut(share) for share in whole] == whole
    assert [cut(share + 0.0099) for share in whole] == whole


# ---------------------------------------------------------------- a recipe


def test_the_gain_pairs_the_seeds_that_both_finished() -> None:
    each = reproduced()
    assert each.gain == paired_difference([0.92, 0.95], [0.89, 0.90])
    assert each.gain is not None
    assert (each.gain.mean, each.gain.n) == (pytest.approx(0.04), 2)
    assert each.times == pytest.approx((20 + 30) / (10 + 40))


def test_no_twin_no_gain() -> None:
    alone = reproduced(twin=None, twin_seeds=(), twin_accuracy=(), twin_seconds=())
    assert (alone.gain, alone.times) == (None, None)
    assert alone.as_dict()["twin"] is None


def test_outside_lists_what_is_not_reproduced() -> None:
    lost = Figure("loss, step 5", 9.0, (1.0, 1.5, 2.0), "nats", 1, kind="log loss")
    held = Figure("x", 0.5, (0.4, 0.6))
    each = reproduced(figures=(held, lost, replace(held, published=None)))
    assert each.outside == (lost,)
    assert each.of_kind("log loss") == (lost,)
    assert each.called_test == held


def test_the_range_of_two_seeds_puts_nothing_outside() -> None:
    # 0.5 ± 12.706 · 0.1414 · √1.5 for two seeds; 0.5 ± 4.303 · 0.1 · √(4/3) for three
    two, three = Figure("x", 0.65, (0.4, 0.6)), Figure("x", 0.65, (0.4, 0.5, 0.6))
    assert [(each.in_range, each.out_of_range, each.expected) for each in (two, three)] == [
        (False, False, True),
        (False, True, True),
    ]
    assert reproduced(figures=(two, three)).outside == (three,)
    over = Figure("x", 0.98, (0.97,), at_least=True)
    assert (over.in_range, over.out_of_range) == (False, True)
    assert replace(over, ours=(0.981, 0.990)).expected is False
    assert reproduced(figures=(over, replace(over, ours=(0.981, 0.990)))).outside == (over,)


def test_a_reproduction_as_plain_data() -> None:
    plain = Reproduction((reproduced(),), {"seeds": 3}).as_dict()
    assert json.loads(json.dumps(plain)) == plain
    (recipe,) = plain["recipes"]
    assert plain["conditions"] == {"seeds": 3}
    assert recipe["figures"][0] == {
        "what": "test accuracy",
        "kind": "accuracy",
        "published": 0.9,
        "at_least": False,
        "cut": False,
        "ours": [0.89, 0.91, 0.90],
        "n": 3,
        "mean": pytest.approx(0.9),
        "sd": pytest.approx(0.01),
        "low": 0.89,
        "high": 0.91,
        "in_range": True,
        "prediction_95": pytest.approx([0.850316, 0.949684], abs=1e-5),
        "expected": True,
    }
    assert recipe["log"] == {
        "of": "batch",
        "every": 5,
        "steps": [5, 10],
        "published": [2.0, 1.0],
        "ours": [[2.1, 1.1], [2.2, 1.2], [1.9, 0.9]],
    }
    assert recipe["twin"]["gain"]["mean"] == pytest.approx(0.04)
    assert recipe["twin"]["times"] == pytest.approx(1.0)
