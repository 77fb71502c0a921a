"""lr_find: on tiny arrays, against the training loop itself."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neocog import workflow
from neocog.data.dataset import Dataset
from neocog.errors import NeocogError
from neocog.recipe import Recipe
from neocog.statistics.rates import EXPLODES, NO_NUMBER, REACHED
from neocog.studies.rate_finding import lr_find
from neocog.training import Observer

LINEAR = "flatten | linear classes"
SMALL = {"train.iterations": 6, "loader.batch_size": 8, "train.precision": "float32", "train.device": "cpu"}


def recipe(**changes):
    return Recipe.load("fast", {**SMALL, "model.layers": LINEAR, "optimizer.name": "sgd", **changes})


def find(arrays, one=None, **options):
    return lr_find(one or recipe(), data=arrays, **{"steps": 40, "low": 1e-5, "high": 1e3, **options})


def test_the_rates_grow_geometrically_and_the_suggestion_trains(arrays):
    found = find(arrays)
    rates = np.array(found.rates)
    np.testing.assert_allclose(rates, np.geomspace(1e-5, 1e3, 40)[: len(rates)], rtol=1e-9)
    assert found.suggestion is not None and found.falls is not None
    assert found.falls[0] < found.suggestion < found.falls[1]
    assert found.changes == {"optimizer.lr": found.suggestion}
    run = workflow.train(recipe(**{"train.iterations": 60}), data=arrays, set=found.changes, run="with")
    assert run.results["test_accuracy"] > 0.9


def test_it_is_the_recipes_own_training(arrays):
    class Losses(Observer):
        def __init__(self):
            self.losses = []

        def point(self, point):
            self.losses.append(point.batch_loss)

    seen = Losses()
    # A range so narrow that it is nearly a constant rate.
    one = recipe(**{"dataset.augment.shift": 1, "optimizer.momentum": 0.9, "loss.class_weights": "balanced"})
    found = find(arrays, one, low=0.01, high=0.01 * (1 + 1e-9), steps=20)
    constant = {"schedule.name": "constant", "optimizer.lr": 0.01, "train.iterations": 20}
    workflow.train(one, data=arrays, set=constant, observers=[seen], run="constant")
    np.testing.assert_allclose(found.losses, seen.losses, rtol=1e-5)


def test_the_same_seed_gives_the_same_curve_and_another_another(arrays):
    first, again, other = (find(arrays, seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert first.losses[:3] != other.losses[:3]


def test_seeds_are_averaged(arrays):
    both, first, second = find(arrays, seeds=2, seed=4), find(arrays, seed=4), find(arrays, seed=5)
    assert both.curves == (first.curves[0], second.curves[0])
    length = len(both.smoothed)
    np.testing.assert_allclose(both.smoothed, (np.array(first.smoothed[:length]) + second.smoothed[:length]) / 2)
    assert both.conditions["seeds"] == [4, 5]


def test_it_ends_where_the_loss_explodes(arrays):
    found = find(arrays)
    assert found.curves[0].ending == EXPLODES
    assert found.smoothed[-1] > 4 * min(found.smoothed) >= found.smoothed[-2]
    assert find(arrays, high=1e-3).curves[0].ending == REACHED


def test_a_loss_that_is_no_number_is_a_finding(arrays):
    deep = recipe(**{"model.layers": "flatten | linear 8 | relu | linear classes"})
    found = find(arrays, deep, low=1e29, high=1e38, steps=20)
    assert found.curves[0].ending == NO_NUMBER
    assert all(math.isfinite(loss) for loss in found.losses)


def test_nothing_is_written_and_neither_validation_nor_test_is_looked_at(arrays, monkeypatch):
    def refuse(*_):
        raise AssertionError("looked at")

    monkeypatch.setattr(Dataset, "test", property(refuse))
    monkeypatch.setattr("neocog.training._measure", refuse)
    assert find(arrays).losses
    assert list(Path.cwd().iterdir()) == []


def test_a_second_rate_grows_with_the_first(arrays):
    one = recipe(**{"optimizer.name": "muon", "optimizer.lr": 0.02, "optimizer.other_lr": 0.005, "train.ema": 0.9})
    found = find(arrays, one)
    assert found.suggestion is not None
    assert found.changes["optimizer.other_lr"] == pytest.approx(found.suggestion / 4, rel=1e-2)


def test_steps_are_watched_over_all_seeds(arrays):
    seen = []
    find(arrays, steps=20, high=1e-3, seeds=2, watch=lambda *what: seen.append(what))
    assert [(done, total) for done, total, _ in seen] == [(step, 40) for step in range(1, 41)]


def test_the_command_says_what_was_given(shapes):
    given = {**SMALL, "optimizer.name": "adam", "optimizer.betas": [0.8, 0.9]}
    found = lr_find("fast", data=shapes, model=LINEAR, set=given, steps=40, low=1e-5)
    assert found.suggestion is not None
    assert found.command == (
        "neocog train fast --data shapes --model 'flatten | linear classes' --set train.iterations=6 "
        "--set loader.batch_size=8 --set train.precision=float32 --set train.device=cpu --set optimizer.name=adam "
        f"--set 'optimizer.betas=[0.8, 0.9]' --set optimizer.lr={found.suggestion:g}"
    )


def test_what_no_command_can_say_has_none(arrays):
    assert find(arrays).command is None


WRONG = [
    ({"low": 0.0}, "rates from 0 to 1000: give a low above 0 and a high above it"),
    ({"low": 2.0, "high": 2.0}, "rates from 2 to 2: give a low above 0 and a high above it"),
    ({"high": math.inf}, "high = inf: give a number, such as 10"),
    ({"low": math.nan}, "low = nan: give a number, such as 1e-7"),
    (
        {"low": 1e-320},
        "rates from 9.99989e-321 to 1000: float32 can't tell such numbers from 0 or infinity; "
        "give a low of 1e-30 or more and a high of 1e+38 or less",
    ),
    (
        {"high": 1e300},
        "rates from 1e-05 to 1e+300: float32 can't tell such numbers from 0 or infinity; "
        "give a low of 1e-30 or more and a high of 1e+38 or less",
    ),
    ({"steps": 19}, "steps = 19: too few to see where a loss falls; give 20 or more"),
    ({"seeds": 0}, "seeds = 0: give a whole number of 1 or more"),
    ({"set": {"optimizer.lrr": 1}}, "unknown key 'optimizer.lrr'; did you mean 'optimizer.lr'?"),
    ({"set": ["a"]}, "set is a list; give a mapping such as {'loader.batch_size': 64}"),
]


@pytest.mark.parametrize(("given", "want"), WRONG)
def test_what_cannot_be_used_is_said_in_one_line(arrays, given, want):
    with pytest.raises(NeocogError) as caught:
        find(arrays, **given)
    assert str(caught.value) == want


def test_a_range_can_be_changed_and_shown(arrays):
    found = replace(find(arrays), suggestion=None)
    assert str(found).endswith("on arrays: no rate can be suggested")
