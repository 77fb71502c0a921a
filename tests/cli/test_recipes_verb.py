"""neocog recipes: the list by groups, and one recipe as TOML that is a recipe again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import Answer
from neocog.recipe import Recipe, shipped_recipes

Cli = Callable[..., Answer]
GROUPS = {
    "For your own pictures, and MNIST": ["fast", "small", "accurate"],
    "The lessons, as published": [
        "model-a", "model-b", "model-c", "model-c-gpu", "lenet-1998", "lenet-class", "lenet-softmax", "mlp",
        "mlp-softmax", "dropout-adam", "small-3x3",
    ],
    "The lessons, mended": [
        "model-a-fixed", "model-b-fixed", "model-c-fixed", "model-c-gpu-fixed", "lenet-class-fixed",
        "lenet-softmax-fixed", "mlp-fixed", "mlp-softmax-fixed", "dropout-adam-fixed", "small-3x3-fixed",
    ],
    "Variations and exercises": [
        "lenet-adam", "mlp-adam", "model-a-batchnorm", "model-a-deeper", "model-a-gentler", "model-a-linear",
    ],
    "Famous relatives, for colour pictures of 32×32": ["inception-small", "resnet20", "vgg-small"],
}  # fmt: skip


def test_the_list_has_each_recipe_once_under_its_heading_in_80_columns(cli: Cli) -> None:
    answer = cli("recipes")
    assert (answer.status, answer.err) == (0, "")
    blocks = [block.splitlines() for block in answer.out.rstrip("\n").split("\n\n")]
    assert {heading: [line.split()[0] for line in lines] for heading, *lines in blocks} == GROUPS
    assert [heading for heading, *_ in blocks] == list(GROUPS)
    lines = [line for _, *lines in blocks for line in lines]
    assert max(len(line) for line in answer.out.splitlines()) <= 80
    assert {line.split()[0]: line[21:] for line in lines} == {
        name: Recipe.load(name).about.split("\n")[0] for name in shipped_recipes()
    }


@pytest.mark.parametrize("name", ["model-a", "dropout-adam", "resnet20"])
def test_what_is_shown_is_the_recipe_again(cli: Cli, name: str) -> None:
    shown = cli("recipes", name)
    assert (shown.status, shown.err) == (0, "")
    Path("again.toml").write_text(shown.out, encoding="utf-8")
    again, recipe = Recipe.load("again.toml"), Recipe.load(name)
    assert again.layers == recipe.layers
    assert again.published == recipe.published
    assert again.changed({"model.layers": recipe.model.layers}) == recipe


def test_what_is_published_explains_itself(cli: Cli) -> None:
    shown = cli("recipes", "mlp").out.splitlines()
    place = shown.index("accuracy = 0.7614")
    assert shown[place - 1] == "# what the lesson calls test accuracy"
    assert not any(line.startswith("#") for line in shown[: shown.index("[published]")])
    recipe = Recipe.load("mlp")
    Path("mine.toml").write_text(recipe.to_toml(), encoding="utf-8")
    assert cli("recipes", "mine.toml").out == recipe.to_toml()  # a file of one's own is shown as it is read


def test_json_has_every_recipe_whole(cli: Cli) -> None:
    listed = json.loads(cli("recipes", "--json").out)
    assert list(listed) == shipped_recipes()
    assert listed["model-b"]["published"]["losses"] == [0.685, 0.365, 0.315, 0.352, 0.268, 0.264]
    assert listed["model-b"] == json.loads(cli("recipes", "model-b", "--json").out)
    assert Recipe.make(listed["model-b"], {}, "here") == Recipe.load("model-b")
