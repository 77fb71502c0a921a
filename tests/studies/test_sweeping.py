"""sweep: values as texts, grids and draws by hand; trainings in this process, as the network is a callable."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from scipy import stats
from torch import nn

from neocog.errors import NeocogError
from neocog.finished import Run
from neocog.recipe import Recipe
from neocog.statistics.comparison import Side
from neocog.statistics.sweep import Configuration
from neocog.studies.grid import Range, drawn, grid, normalized, parse_choices
from neocog.studies.sweeping import _recipes, sweep

SMALL = {"train.iterations": 6, "loader.batch_size": 8, "train.precision": "float32", "train.device": "cpu"}


def network(channels, classes):
    return nn.Sequential(nn.Flatten(), nn.Linear(64 * channels, 16), nn.ReLU(), nn.Linear(16, classes))


def tried(arrays, values, **options):
    recipe = Recipe.load("fast", {**SMALL, "dataset.validation": 8, "optimizer.name": "sgd"})
    return sweep(recipe, {"model.factory": network, **values}, data=arrays, tell=lambda _: None, **options)


# ----------------------------------------------------------------------------------------------------- values as texts

TEXTS = [
    ("a=0.001,0.01", [0.001, 0.01]),
    ("a=[0.9,0.99],[0.8,0.9]", [[0.9, 0.99], [0.8, 0.9]]),
    ("a=sgd, adam", ["sgd", "adam"]),
    ("a=true,3,x", [True, 3, "x"]),
    ("a={shift=2, flip=true},{}", [{"shift": 2, "flip": True}, {}]),
    ('a="conv 8 3, padding | relu","flatten"', ["conv 8 3, padding | relu", "flatten"]),
    ("a=flatten | linear 10,flatten | linear 16", ["flatten | linear 10", "flatten | linear 16"]),
    ("a=residual( conv 8 3 same, x ),flatten", ["residual( conv 8 3 same, x )", "flatten"]),
    ("a=../photos,../5,x..y", ["../photos", "../5", "x..y"]),
    ("a=0.001..0.1", Range(0.001, 0.1, "0.001..0.1")),
    ("a= -1 .. 1e2", Range(-1, 100.0, "-1 .. 1e2")),
]


@pytest.mark.parametrize(("word", "values"), TEXTS)
def test_a_text_as_values(word, values):
    assert parse_choices([word]) == {"a": values}


WRONG_TEXTS = [
    (["a"], "'a': write a key and its values, such as optimizer.lr=0.01,0.02"),
    (["a="], "'a=': write a key and its values, such as optimizer.lr=0.01,0.02"),
    (["a=1", "a=2"], "a is given twice; write all its values behind one a=, with commas between"),
    (["a=1,,2"], "a=1,,2: there is a comma with no value beside it; take it out"),
    (["a=[1,2"], "a=[1,2: a ] is missing at the end"),
    (["a='x,y"], "a='x,y: a ' is missing at the end"),
    (["a=2..1"], "a=2..1: the first end of a range must lie below the second"),
    (["a=0.01..x"], "a=0.01..x: the end 'x' of the range is no number; write LOW..HIGH, such as 0.001..0.1"),
    (["a=inf..1"], "a=inf..1: the end 'inf' of the range is no number; write LOW..HIGH, such as 0.001..0.1"),
    (["a=1.."], "a=1..: one end of the range is missing; write LOW..HIGH, such as 0.001..0.1"),
    (["a=2,1..x"], "a=1..x: the end 'x' of the range is no number; write LOW..HIGH, such as 0.001..0.1"),
    (["a=1..2,3"], "a: the range 1..2 must stand alone, without other values beside it"),
]


@pytest.mark.parametrize(("words", "want"), WRONG_TEXTS)
def test_a_text_that_is_none(words, want):
    with pytest.raises(NeocogError) as caught:
        parse_choices(words)
    assert str(caught.value) == want


def test_values_of_python_code():
    assert normalized({"a": [1, 2], "b": 3, "c": "1..4", "d": "x"}) == {
        "a": [1, 2],
        "b": [3],
        "c": Range(1, 4, "1..4"),
        "d": ["x"],
    }


# ----------------------------------------------------------------------------------------------------- grids and draws


def test_a_grid_in_the_order_written():
    found = grid({"b": [1, 2], "a": ["x", "y"]})
    assert [tuple(one.values()) for one in found] == [(1, "x"), (1, "y"), (2, "x"), (2, "y")]


def test_a_grid_takes_no_range_and_not_too_many():
    with pytest.raises(NeocogError) as caught:
        grid({"a": Range(0.1, 1.0, "0.1..1.0")})
    assert str(caught.value) == (
        "a=0.1..1.0 is a range, and numbers are drawn from it only with --random N; give that, or values with commas "
        "between, such as a=0.1,1.0"
    )
    with pytest.raises(NeocogError) as caught:
        grid({"a": range(101), "b": range(100)})
    assert str(caught.value) == "10,100 configurations are more than 10,000; give fewer values, or --random N"


def test_fractions_are_drawn_log_uniformly_and_whole_numbers_evenly():
    choices = {"rate": Range(0.001, 0.1, "0.001..0.1"), "size": Range(1, 4, "1..4"), "name": ["x", "y"]}
    found, notes = drawn(choices, 600, seed=0)
    logs = [math.log10(one["rate"]) for one in found]
    assert min(logs) >= -3 and max(logs) <= -1
    assert np.mean(logs) == pytest.approx(-2, abs=3 * 2 / 12**0.5 / 600**0.5)
    counts = np.bincount([one["size"] for one in found])[1:]
    assert len(counts) == 4 and stats.chisquare(counts).pvalue > 0.001
    assert {one["name"] for one in found} == {"x", "y"}
    assert notes == [
        "rate is drawn log-uniformly from 0.001..0.1",
        "size is drawn evenly from the whole numbers 1..4",
    ]


def test_draws_depend_on_the_seed_alone_and_go_on():
    choices = {"rate": Range(0.0, 1.0, "0.0..1.0")}
    assert drawn(choices, 3, 1)[0] == drawn(choices, 5, 1)[0][:3] != drawn(choices, 3, 2)[0]


def test_thousands_are_told_apart_without_comparing_each_with_each(monkeypatch):
    compared = []
    monkeypatch.setattr(Recipe, "__eq__", lambda *both: compared.append(both) or False)
    choices = {"optimizer.lr": [number / 1000 for number in range(1, 101)], "loader.batch_size": [8, 16, 8]}
    made, notes = _recipes(Recipe.load("fast"), grid(choices), {})
    assert (len(made), len(notes), compared) == (200, 100, [])


def test_no_more_is_drawn_than_there_is():
    found, notes = drawn({"a": [1, 2], "b": [3]}, 5, 0)
    assert sorted(one["a"] for one in found) == [1, 2]
    assert notes == ["--random 5: there are only 2 different configurations to draw"]


# ---------------------------------------------------------------------------------------------------------- the sweep


def test_the_best_is_found_and_saved_and_its_test_part_opened_once(arrays):
    found = tried(arrays, {"optimizer.lr": [1e-7, 0.1, 1e30]}, seeds=2)
    assert found.best.name == "optimizer.lr=0.1"
    assert found.best.changes["optimizer.lr"] == 0.1
    assert set(found.test) == {0, 1}
    last = found.configurations[-1]
    assert last.name == "optimizer.lr=1e+30"
    assert [*last.side.failures] == [0, 1] and "the loss became" in last.side.failures[0]
    folder = Path(found.conditions["saved"])
    assert folder == Path("runs/sweep-fast-1")
    assert sorted(path.name for path in folder.iterdir()) == ["seeds.png", "sweep.json", "sweep.md"]
    read = json.loads((folder / "sweep.json").read_text(encoding="utf-8"))
    assert read["verdict"] == found.verdict and len(read["configurations"]) == 3
    for name, runs in found.conditions["runs"].items():
        for path in runs.values():
            run = Run.open(path)
            assert run.results["test_accuracy"] is None
            # Looked at once, after the choice, and for the winner alone.
            looks = path / Path("evaluations.jsonl")
            assert looks.exists() == (name == found.best.name)
            if looks.exists():
                (line,) = looks.read_text(encoding="utf-8").splitlines()
                assert json.loads(line)["accuracy"] == found.test[run.recipe.train.seed]

    again = tried(arrays, {"optimizer.lr": [0.1, 1e-7]}, seeds=2)
    assert (again.conditions["trained"], again.conditions["kept"]) == (0, 4)
    assert again.test == found.test
    assert (
        len((Path(found.conditions["runs"][found.best.name]["0"]) / "evaluations.jsonl").read_bytes().splitlines()) == 1
    )


def test_values_are_those_of_the_runs(arrays):
    found = tried(arrays, {"optimizer.lr": [0.01, 0.1]}, seeds=1, metric="macro-f1")
    for each in found.configurations:
        run = Run.open(found.conditions["runs"][each.name]["0"])
        assert run.validation is not None
        assert each.side.values == {0: run.validation.macro_f1}
    assert (found.left_out, found.best.difference) == (None, None)


def test_a_configuration_twice_is_trained_once(arrays):
    found = tried(arrays, {"optimizer.lr": [0.1, 0.01, 0.10]}, seeds=1)
    assert len(found.configurations) == 2
    assert found.notes == ("model.factory=network optimizer.lr=0.1 is there twice and trained once",)


def test_random_draws(arrays):
    found = tried(arrays, {"optimizer.lr": "0.001..0.1", "loader.batch_size": "4..8"}, seeds=1, random=3)
    assert len(found.configurations) == 3
    assert found.conditions["drawn"] == {"configurations": 3, "seed": 0}
    assert found.varying == ["optimizer.lr", "loader.batch_size"]


def test_a_recipe_without_validation_gets_some_and_says_so(arrays):
    found = tried(arrays, {"optimizer.lr": [0.1, 0.01], "dataset.validation": 0}, seeds=1)
    assert found.notes == (
        "dataset.validation = 0 was asked for, but configurations are ranked on validation pictures: "
        "dataset.validation = auto",
    )
    _, notes = _recipes(Recipe.load("model-a"), grid({"optimizer.lr": [0.1, 0.01]}), {})
    assert notes == ["model-a holds out no validation part of its own: dataset.validation = auto"]
    assert found.conditions["validation_pictures"] > 0


def test_a_plan_is_nothing_to_warn_of(arrays):
    told = []
    recipe = Recipe.load("fast", {**SMALL, "dataset.validation": 8, "model.layers": "flatten | linear classes"})
    # Without `tell` a remark is a warning, and a warning is an error in these tests.
    found = sweep(recipe, {"optimizer.lr": [0.1, 0.01]}, seeds=1, data=arrays)
    sweep(recipe, {"optimizer.lr": [0.1, 0.01]}, seeds=1, data=arrays, tell=told.append)
    assert told == ["2 configurations with 1 seed each: 2 trainings"]
    value = found.best.side.values[0]
    assert repr(found.best) == str(found.best) == f"<{found.best.name}: {value:.4f} (n = 1)>"


@pytest.mark.parametrize(
    ("values", "want"),
    [({0: 0.5, 1: 0.75}, "<a=1: 0.6250 ± 0.1768 (n = 2)>"), ({}, "<a=1: no seed finished>")],  # 0.25/√2
)
def test_a_configuration_is_one_short_line(values, want):
    assert [Configuration(Side("a=1", values, {}, {}, 10), {"a": 1})].__repr__() == f"[{want}]"


def test_values_without_their_recipe():
    with pytest.raises(NeocogError) as caught:
        sweep("optimizer.lr=0.1,0.2", {})
    assert str(caught.value) == (
        "'optimizer.lr=0.1,0.2' is a key with its values, and the recipe before it is missing; write one, as in: "
        "neocog sweep fast optimizer.lr=0.1,0.2"
    )


@pytest.mark.parametrize(
    ("options", "want"),
    [
        ({"random": 0}, "random = 0: give a whole number of 1 or more"),
        ({"random": True}, "random = True: give a whole number of 1 or more"),
        ({"random": 2, "seed": -1}, "seed = -1: give a whole number of 0 or more"),
        ({"processes": 0}, "processes = 0: give a whole number of 1 or more"),
    ],
)
def test_numbers_that_are_none(options, want):
    with pytest.raises(NeocogError) as caught:
        sweep("fast", {"optimizer.lr": [0.1, 0.2]}, **options)
    assert str(caught.value) == want


REFUSED = [
    ({"optimizer.lrr": [1, 2]}, "unknown key 'optimizer.lrr'; did you mean 'optimizer.lr'?"),
    ({"optimizer.lr": []}, "optimizer.lr has no values to try; give some, such as [0.01, 0.02]"),
    (
        {"optimizer.lr": 0.1},
        "there is one configuration alone, model.factory=network optimizer.lr=0.1; "
        "give two or more values with commas between",
    ),
    (
        {"train.seed": [1, 2]},
        "train.seed is not for you to set: a sweep gives each configuration the same; leave it out",
    ),
    *(
        (
            {key: ["a", "b"]},
            f"{key} is not for you to set: a sweep gives each configuration the same; leave it out",
        )
        for key in ("about", "name", "published.meter", "resolved.mean")
    ),
    (
        {"dataset.name": "digits"},
        "dataset.name is given twice, among the values to try and by an option of its own; leave one out",
    ),
    (
        {"train.device": ["cpu", "gpu"]},
        "unknown device 'gpu'; did you mean 'cuda'? Known: auto, cpu, cuda, mps",
    ),
    (
        {"dataset.validation": [8, 4]},
        "dataset.validation decides which pictures are held out, so configurations need one value; give one",
    ),
    (
        {"loss.class_weights": ["none", [1.0, 2.0, 3.0]]},
        "loss.class_weights=[1, 2, 3]: loss.class_weights has 3 numbers but the data has 2 classes",
    ),
]


@pytest.mark.parametrize(("values", "want"), REFUSED)
def test_what_cannot_be_tried_is_refused_before_anything_is_trained(arrays, values, want):
    with pytest.raises(NeocogError) as caught:
        tried(arrays, values)
    assert str(caught.value) == want
    assert not Path("runs").exists()


def test_a_sweep_in_which_all_fails_says_why(arrays):
    with pytest.raises(NeocogError) as caught:
        tried(arrays, {"optimizer.lr": [1e36, 1e37]}, seeds=1)
    assert str(caught.value).startswith(
        "no configuration finished a seed, so there is nothing to rank; optimizer.lr=1e+36, seed 0: the loss became "
    )


@pytest.mark.parametrize("seeds", [0, -1, True, 2.0])
def test_seeds_that_are_no_number_of_seeds_are_refused_first(arrays, seeds):
    with pytest.raises(NeocogError) as caught:
        tried(arrays, {"optimizer.lr": [0.1, 0.01]}, seeds=seeds)
    assert str(caught.value) == f"seeds = {seeds!r}: give a whole number of 1 or more"
    assert not Path("runs").exists()
