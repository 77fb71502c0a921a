"""What makes sides comparable: one data set, the same pictures held out, and --vary."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import STEPS, TINY
from neocog.errors import RecipeError
from neocog.recipe import Recipe
from neocog.studies.alike import differences, made_alike, values_of
from neocog.studies.comparing import compare
from neocog.studies.sides import read_sides

SET = {**STEPS, "model.layers": TINY}


def test_differences_are_in_what_is_trained(shapes: Path) -> None:
    recipe = Recipe.load("fast", {"dataset.name": "shapes", "train.device": "cpu"})
    same = recipe.changed(
        {
            "name": "other",
            "about": "text",
            "train.seed": 4,
            "dataset.name": str(shapes.absolute()),
            "train.device": "auto",
        }
    )
    assert differences(recipe, same) == {}
    spaced = recipe.changed({"model.layers": str(recipe.model.layers).replace("|", "  |\n"), "loader.batch_size": 9})
    assert differences(recipe, spaced) == {"loader.batch_size": (recipe.loader.batch_size, 9)}
    assert {"model", "dataset.augment", "dataset.augment.rotate", "train.epochs"} <= set(values_of(recipe))
    assert not {"name", "about", "published", "resolved", "train.seed"} & set(values_of(recipe))


def test_vary_takes_one_part_from_the_others() -> None:
    mine = "small optimizer.lr=0.5 loader.batch_size=7"
    sides = read_sides(["model-a", mine, "model-a optimizer.lr=0.25"], {})
    made, notes = made_alike(sides, "optimizer.lr")
    assert [side.label for side in made] == [
        "model-a",
        f"model-a with optimizer.lr of {mine}",
        "model-a optimizer.lr=0.25",
    ]
    assert [side.recipe.optimizer.lr for side in made] == [0.01, 0.5, 0.25]
    assert [side.recipe.changed({"optimizer.lr": 0.01, "name": "model-a", "about": ""}) for side in made] == 3 * [
        made[0].recipe.changed({"about": ""})
    ]
    (note,) = [note for note in notes if note.startswith(f"--vary optimizer.lr: left out of {mine}: ")]
    apart = differences(sides[0].recipe, sides[1].recipe)
    assert set(apart) > {"optimizer.lr", "loader.batch_size", "optimizer.name", "schedule.warmup", "train.iterations"}
    assert all((f"{key} = " in note) == (key != "optimizer.lr") for key in apart)
    assert "loader.batch_size = 7, " in note
    assert "train.iterations = unset" in note


def test_vary_takes_a_whole_table() -> None:
    first, other = read_sides(["model-a", "small loader.batch_size=7"], {})
    made, notes = made_alike([first, other], "model")
    assert made[1].recipe.model == other.recipe.model
    assert made[1].recipe.changed({"model.layers": first.recipe.model.layers}) == made[0].recipe
    assert made[1].label == "model-a with model of small loader.batch_size=7"
    assert "loader.batch_size = 7" in notes[0]
    augmented = read_sides(["fast", "fast dataset.augment={rotate=10}"], {})
    made, notes = made_alike(augmented, "dataset.augment")
    assert made[1].recipe.dataset.augment.rotate == 10
    assert (made[1].label, notes) == ("fast dataset.augment={rotate=10}", [])


@pytest.mark.parametrize(
    ("sides", "vary", "text"),
    [
        (
            ["model-a", "model-a optimizer.lr=0.5"],
            "loader",
            "--vary loader: model-a and model-a optimizer.lr=0.5 have the same there; they differ in optimizer.lr",
        ),
        (
            ["model-a", "model-a optimizer.lr=0.5"],
            "loader.batch_size",
            "--vary loader.batch_size: model-a and model-a optimizer.lr=0.5 have the same there, 100; they differ in "
            "optimizer.lr",
        ),
        (["model-a", "small"], "modle.layers", "--vary: unknown key 'modle.layers'; did you mean 'model.layers'?"),
        (["model-a", "small"], "train.seed", "--vary: unknown key 'train.seed'; did you mean 'train.ema'?"),
        (
            ["fast", "model-a optimizer.momentum=0.5"],
            "optimizer.momentum",
            "--vary optimizer.momentum: recipe 'fast': optimizer.momentum means nothing to adam, only to sgd, muon; "
            "leave it out",
        ),
        (
            ["fast", "fast dataset.name=fashion-mnist"],
            None,
            "compare needs one data set: fast is on mnist, fast dataset.name=fashion-mnist on fashion-mnist; give "
            "--data NAME for all",
        ),
        (
            ["model-a", "fast dataset.validation=0.25", "fast dataset.validation=50"],
            None,
            "compare needs the same pictures held out: dataset.validation is 0.25 for fast dataset.validation=0.25 and "
            "50 for fast dataset.validation=50; give --set dataset.validation=0.25 for all",
        ),
        (
            ["model-a", "small", "model-a"],
            None,
            'model-a is given twice, and its numbers would be equal; change something in one of them, as in "model-a '
            'optimizer.lr=0.02"',
        ),
        (
            ["model-a", "small", "model-a-fixed"],
            None,
            "model-a and model-a-fixed train one and the same thing once both are measured in one way, so their "
            'numbers are equal; change something in one of them, as in "model-a optimizer.lr=0.02", or see what the '
            "lesson's way of measuring makes of it: neocog reproduce model-a",
        ),
        (
            ["model-a", "small", "model-a optimizer.lr=0.01"],
            None,
            "model-a and model-a optimizer.lr=0.01 train one and the same thing, so their numbers are equal; change "
            'something in one of them, as in "model-a optimizer.lr=0.02"',
        ),
    ],
)
def test_sides_that_can_not_be_compared_are_refused(sides: list[str], vary: str | None, text: str) -> None:
    with pytest.raises(RecipeError) as caught:
        compare(*sides, vary=vary)
    assert str(caught.value) == text


def test_all_sides_hold_out_the_same_pictures() -> None:
    made, notes = made_alike(read_sides(["model-a", "model-b"], {}))
    assert [side.recipe.dataset.validation for side in made] == ["auto", "auto"]
    assert notes == [
        "model-a, model-b hold out no validation part of their own: dataset.validation = auto for all sides"
    ]
    made, notes = made_alike(read_sides(["model-a", "fast dataset.validation=50 dataset.test=0"], {}))
    assert [(side.recipe.dataset.validation, side.recipe.dataset.test) for side in made] == 2 * [(50, "auto")]
    assert notes == [
        "model-a holds out no validation part of its own: dataset.validation = 50 for all sides",
        "fast dataset.validation=50 dataset.test=0 holds out no test part of its own: dataset.test = auto for all "
        "sides",
    ]
    asked = "dataset.validation = 0 was asked for, but sides are compared on validation pictures: dataset.validation = "
    for sides, shared, value in (
        (["fast", "model-a"], {"dataset.validation": 0}, "auto"),
        (["fast dataset.validation=0", "small dataset.validation=50"], {}, 50),
    ):
        made, notes = made_alike(read_sides(sides, shared))
        assert [side.recipe.dataset.validation for side in made] == [value, value]
        assert notes == [f"{asked}{value} for all sides"]
    made, notes = made_alike(read_sides(["fast", "small"], {"dataset.test": 0}))
    assert ([side.recipe.dataset.test for side in made], notes) == ([0, 0], [])


def test_a_note_says_where_sides_are_trained_in_other_numbers() -> None:
    sides = ["fast train.precision=float32", "small train.precision=float64"]
    assert made_alike(read_sides(sides, {}))[1] == [
        "sides differ in precision (fast train.precision=float32 float32, small train.precision=float64 float64); give "
        "--precision for all"
    ]
    assert made_alike(read_sides(sides, {}, {"train.precision": "float32"}))[1] == []
