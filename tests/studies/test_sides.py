"""What may stand on a side of a comparison, and what it is called."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from torch import nn

from conftest import STEPS, TINY
from neocog.errors import NeocogError
from neocog.recipe import Recipe
from neocog.studies.comparing import compare
from neocog.studies.sides import read_sides
from neocog.workflow import train

SET = {**STEPS, "model.layers": TINY}


def net(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(100 * channels, classes))


def labels(*given: Any) -> list[str]:
    return [side.label for side in read_sides(given, {})]


def test_a_side_is_a_name_with_changes_in_one_text() -> None:
    plain, changed = read_sides(["model-a", "model-a  optimizer.lr=0.02 loader.batch_size=64"], {})
    assert (plain.label, plain.recipe.optimizer.lr) == ("model-a", 0.01)
    assert changed.label == "model-a optimizer.lr=0.02 loader.batch_size=64"
    assert (changed.recipe.optimizer.lr, changed.recipe.loader.batch_size) == (0.02, 64)
    assert changed.recipe.published is None


def test_values_are_quoted_as_in_a_shell() -> None:
    text = f"fast model.layers='{TINY}' dataset.augment=\"{{rotate = 10}}\" dataset.name='my photos'"
    (side,) = read_sides([text], {})
    assert side.recipe.model.layers == TINY
    assert side.recipe.dataset.augment.rotate == 10
    assert side.recipe.dataset.name == "my photos"
    (windows,) = read_sides([r"fast dataset.name=C:\photos\new"], {})
    assert windows.recipe.dataset.name == r"C:\photos\new"


def test_a_kept_seed_is_called_by_its_folder_too(shapes: Path) -> None:
    run = train("fast", data=shapes, set=SET, run="runs/seeds/fast-1234/0")
    assert labels(run.path, "fast") == ["fast-1234/0", "fast"]


def test_files_runs_recipes_and_pairs_are_sides(shapes: Path) -> None:
    run = train("fast", data=shapes, set=SET, run="runs/first one")
    Path("deep/er").mkdir(parents=True)
    Path("deep/er/mine.toml").write_text(run.recipe.to_toml())
    recipe = Recipe.load("model-b")
    given = [
        "runs/first one", run, run.path, "runs/first\\ one/recipe.toml", "deep/er/mine.toml optimizer.lr=0.5", recipe,
        (recipe, {"optimizer.lr": 0.5}), ("fast", {"model.factory": net}),
    ]  # fmt: skip
    given[3] = Path("runs/first one/recipe.toml")
    sides = read_sides(given, {})
    assert [side.label for side in sides] == [
        "runs/first one", "runs/first one (2)", "runs/first one (3)", "runs/first one/recipe.toml",
        "mine optimizer.lr=0.5", "model-b", "model-b optimizer.lr=0.5", "fast model.factory=test_sides:net",
    ]  # fmt: skip
    assert [side.run is not None for side in sides] == [True, True, True] + 5 * [False]
    assert all(side.recipe.resolved is None for side in sides)
    assert sides[-1].model is net
    assert labels(run, recipe) == ["first one", "model-b"]


def test_what_all_sides_share_gives_way_to_what_a_side_says() -> None:
    shared = {"optimizer.lr": 0.5, "train.iterations": 9, "model.layers": TINY}
    own = "fast optimizer.lr=0.25 train.epochs=2"
    plain, changed = read_sides(["fast", own], shared, {"dataset.name": "digits"})
    assert (plain.recipe.optimizer.lr, plain.recipe.train.iterations) == (0.5, 9)
    steps = changed.recipe.train
    assert (changed.recipe.optimizer.lr, steps.epochs, steps.iterations) == (0.25, 2, None)
    assert [side.recipe.dataset.name for side in (plain, changed)] == ["digits", "digits"]
    # together, so that a setting reaches the optimizer that a side names
    (sgd,) = read_sides(["small optimizer.name=sgd"], {"optimizer.momentum": 0.5})
    assert (sgd.recipe.optimizer.name, sgd.recipe.optimizer.momentum) == ("sgd", 0.5)


@pytest.mark.parametrize(
    ("side", "text"),
    [
        ("", "a side is empty; give a recipe's name, a TOML file or a run directory"),
        (" ", "a side is empty; give a recipe's name, a TOML file or a run directory"),
        ("fast 'a=1", "side 'fast 'a=1': a quote is opened and not closed; close it"),
        (
            "optimizer.lr=0.02",
            "'optimizer.lr=0.02' is a change without its recipe; put both into one pair of quotes, such as "
            '"model-a optimizer.lr=0.02"',
        ),
        (
            "fast lr 0.02",
            "side 'fast lr 0.02': 'lr' is no change; write key=value, such as optimizer.lr=0.02, with quotes around a "
            "value that has spaces",
        ),
        (
            "fast train.seed=3",
            "train.seed can't be set in a comparison, which gives each side the same seeds; leave it out",
        ),
        (
            7,
            "a side is of type int; give a recipe's name, a file, a run, a Recipe, or a pair of one of these and its "
            'changes, such as ("model-a", {"optimizer.lr": 0.02})',
        ),
        (
            "no/such.toml",
            "there is no recipe file 'no/such.toml'; give a recipe's name, a TOML file or a run directory",
        ),
        ("empty", "'empty' is no finished run: it has no recipe.toml; train again into a new directory"),
    ],
)
def test_what_is_no_side_is_refused(side: Any, text: str) -> None:
    Path("empty").mkdir()
    with pytest.raises(NeocogError) as caught:
        compare("fast", side)
    assert str(caught.value) == text
