"""The shipped recipes: what the lessons say of theirs, parameters counted by hand, and what each twin mends."""

from __future__ import annotations

from math import log, prod

import numpy as np
import pytest
import torch
from torch.nn import functional

from neocog.finished import open_data
from neocog.layers import Layers
from neocog.networks import build
from neocog.recipe import Recipe, shipped_recipes

MAIN = ("fast", "small", "accurate")
LESSONS = (
    "model-a", "model-b", "model-c", "model-c-gpu", "mlp", "mlp-softmax", "lenet-softmax", "lenet-class", "lenet-1998",
    "dropout-adam", "small-3x3",
)  # fmt: skip
# The keys in which a recipe differs from the one it is made from, besides name, words and what is published.
MENDED = {
    ("model-a", "model-a-fixed"): {"dataset.validation"},
    ("model-b", "model-b-fixed"): {"dataset.validation"},
    ("model-c", "model-c-fixed"): {"dataset.validation"},
    ("model-c-gpu", "model-c-gpu-fixed"): {"dataset.validation", "model.layers"},
    ("mlp", "mlp-fixed"): {"optimizer.lr"},
    ("mlp-softmax", "mlp-softmax-fixed"): {"model.layers"},
    ("lenet-softmax", "lenet-softmax-fixed"): {"model.layers"},
    ("lenet-class", "lenet-class-fixed"): {"model.layers"},
    ("dropout-adam", "dropout-adam-fixed"): {"optimizer.lr", "model.layers"},
    ("small-3x3", "small-3x3-fixed"): {"dataset.color"},
}
VARIED = {
    ("model-a-fixed", "model-a-deeper"): {"model.layers"},
    ("model-a-fixed", "model-a-gentler"): {"model.layers"},
    ("model-a-fixed", "model-a-linear"): {"model.layers"},
    ("model-a-fixed", "model-a-batchnorm"): {"model.layers"},
    ("mlp", "mlp-adam"): {"optimizer.name"},
    ("lenet-class-fixed", "lenet-adam"): {"optimizer.name", "optimizer.lr"},
}
SAME = {
    ("model-a", "model-b"): {"model.layers"},
    ("model-a", "model-c"): {"model.layers"},
    ("model-c", "model-c-gpu"): set(),
    ("model-a-fixed", "model-c-gpu-fixed"): set(),
    ("mlp", "mlp-softmax"): {"model.layers", "optimizer.lr", "train.epochs"},
    ("lenet-softmax", "lenet-class"): {"model.layers"},
}
CHANGES = {**MENDED, **VARIED, **SAME}
RELATIVES = ("vgg-small", "resnet20", "inception-small")

# A convolution has K·C·R·S weights and K biases, a linear layer out·in and out.
MODEL_A = 16 * 25 + 16 + 32 * 16 * 25 + 32 + 10 * 1568 + 10
MODEL_C = 16 * 25 + 16 + 32 * 16 * 25 + 32 + 10 * 512 + 10
MLP = 128 * 784 + 128 + 10 * 128 + 10
LENET = 6 * 25 + 6 + 16 * 6 * 25 + 16 + 84 * 400 + 84 + 10 * 84 + 10
LENET_1998 = 6 * 25 + 6 + 16 * 6 * 25 + 16 + 120 * 400 + 120 + 84 * 120 + 84 + 10 * 84 + 10
DROPOUT = 32 * 25 + 32 + 64 * 32 * 25 + 64 + 1000 * 3136 + 1000 + 10 * 1000 + 10
SMALL_3X3 = 8 * 9 + 8 + 16 * 8 * 9 + 16 + 10 * 784 + 10
# He et al. 2016: 3·3 convolutions without bias, each with a batch norm's scale and shift, 6 to a stage and one before.
RESNET20_PLAIN = (
    (16 * 3 * 9 + 2 * 16)
    + 6 * (16 * 16 * 9 + 2 * 16)
    + (32 * 16 * 9 + 2 * 32) + 5 * (32 * 32 * 9 + 2 * 32)
    + (64 * 32 * 9 + 2 * 64) + 5 * (64 * 64 * 9 + 2 * 64)
    + 10 * 64 + 10
)  # fmt: skip
RESNET20 = RESNET20_PLAIN + (32 * 16 + 2 * 32) + (64 * 32 + 2 * 64)
VGG = (
    (32 * 3 * 9 + 2 * 32) + (32 * 32 * 9 + 2 * 32)
    + (64 * 32 * 9 + 2 * 64) + (64 * 64 * 9 + 2 * 64)
    + (128 * 64 * 9 + 2 * 128) + (128 * 128 * 9 + 2 * 128)
    + 256 * 128 * 4 * 4 + 256 + 10 * 256 + 10
)  # fmt: skip
INCEPTION_3A = (
    (192 * 64 + 64)
    + (192 * 96 + 96) + (96 * 128 * 9 + 128)
    + (192 * 16 + 16) + (16 * 32 * 25 + 32)
    + (192 * 32 + 32)
)  # fmt: skip
INCEPTION_3B = (
    (256 * 128 + 128)
    + (256 * 128 + 128) + (128 * 192 * 9 + 192)
    + (256 * 32 + 32) + (32 * 96 * 25 + 96)
    + (256 * 64 + 64)
)  # fmt: skip
INCEPTION = (64 * 3 * 9 + 64) + (64 * 64 + 64) + (192 * 64 * 9 + 192) + INCEPTION_3A + INCEPTION_3B + 10 * 480 + 10
PARAMETERS = {
    "model-a": MODEL_A, "model-b": MODEL_A, "model-c": MODEL_C, "model-c-gpu": MODEL_C,
    "model-a-fixed": MODEL_A, "model-b-fixed": MODEL_A, "model-c-fixed": MODEL_C, "model-c-gpu-fixed": MODEL_A,
    "mlp": MLP, "mlp-fixed": MLP, "mlp-adam": MLP, "mlp-softmax": MLP, "mlp-softmax-fixed": MLP,
    "lenet-softmax": LENET, "lenet-softmax-fixed": LENET, "lenet-class": LENET, "lenet-class-fixed": LENET,
    "lenet-adam": LENET, "lenet-1998": LENET_1998,
    "dropout-adam": DROPOUT, "dropout-adam-fixed": DROPOUT, "small-3x3": SMALL_3X3, "small-3x3-fixed": SMALL_3X3,
    "model-a-deeper": MODEL_A + 32 * 32 * 25 + 32,
    "model-a-gentler": MODEL_A - 10 * 1568 + 10 * 32 * 13 * 13,
    "model-a-linear": MODEL_A - 10 * 1568 - 10 + 128 * 1568 + 128 + 10 * 128 + 10,
    "model-a-batchnorm": MODEL_A + 2 * 16 + 2 * 32,
    "vgg-small": VGG, "resnet20": RESNET20, "inception-small": INCEPTION,
}  # fmt: skip
SIX = (500, 1000, 1500, 2000, 2500, 3000)
# accuracy called test, losses, accuracies in per cent: typed from the lessons a second time.
FIGURES = {
    "model-a": (0.9704, (0.433, 0.251, 0.134, 0.112, 0.064, 0.144), (90, 92, 94, 95, 96, 96)),
    "model-b": (0.9359, (0.685, 0.365, 0.315, 0.352, 0.268, 0.264), (85, 88, 89, 90, 91, 92)),
    "model-c": (0.965, (0.515, 0.288, 0.409, 0.094, 0.071, 0.054), (88, 92, 94, 95, 95, 96)),
    "model-c-gpu": (None, (0.368, 0.318, 0.151, 0.084, 0.134, 0.168), (88, 92, 94, 95, 96, 96)),
    "mlp": (0.7614, (2.2294, 2.0287, 1.7497), ()),
    "mlp-softmax": (
        0.8336, (2.2903, 2.2232, 2.0272, 1.8475, 1.7862, 1.7610, 1.7387, 1.7022, 1.6840, 1.6726), (),
    ),
    "lenet-softmax": (
        0.8874, (2.3026, 2.3020, 2.3011, 2.2996, 2.2953, 2.2337, 1.8479, 1.6735, 1.6107, 1.5920), (),
    ),
    "lenet-class": (None, (), ()),
    "lenet-1998": (None, (), ()),
    "dropout-adam": (0.8943, (), ()),
    "small-3x3": (0.98, (), ()),
}  # fmt: skip
FLOOR = log(1 + 9 / np.e)


def shape_of(recipe: Recipe) -> tuple[int, int, int]:
    return {"mnist": (1, 28, 28), "cifar10": (3, 32, 32)}[recipe.dataset.name]


def flat(table: dict, prefix: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in table.items():
        found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def differing(one: str, other: str) -> set[str]:
    """The dotted keys that decide a training and in which two recipes differ; layer texts by what they mean."""
    loaded = [Recipe.load(name) for name in (one, other)]
    first, second = (flat({**recipe.as_table(), "model": {"layers": recipe.layers.text()}}) for recipe in loaded)
    words = {"name", "about"}
    return {
        key
        for key in first.keys() | second.keys()
        if first.get(key) != second.get(key) and key not in words and not key.startswith("published.")
    }


def read_again(recipe: Recipe, text: str, path) -> Recipe:
    path.write_text(text, encoding="utf-8")
    again = Recipe.load(path)
    assert again.layers == recipe.layers
    return again.changed({"model.layers": recipe.model.layers})


def test_every_shipped_recipe_is_in_one_of_these_tables():
    twins = [twin for _, twin in MENDED]
    variations = [varied for _, varied in VARIED]
    assert sorted([*MAIN, *LESSONS, *twins, *variations, *RELATIVES]) == shipped_recipes()
    assert set(PARAMETERS) == set(shipped_recipes()) - set(MAIN)


@pytest.mark.parametrize("name", shipped_recipes())
def test_each_says_what_it_is_and_survives_toml(name, tmp_path):
    recipe = Recipe.load(name)
    assert recipe.name == name
    assert recipe.resolved is None, "a recipe is no run"
    summary = recipe.about.split("\n")[0]
    assert summary.endswith(".")
    assert 20 <= len(summary) <= 59, "`neocog recipes` fits into 80 columns"
    assert read_again(recipe, recipe.to_toml(), tmp_path / "again.toml") == recipe


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_has_the_parameters_counted_by_hand(name):
    recipe = Recipe.load(name)
    shape = shape_of(recipe)
    network = build(recipe, shape, 10, None)
    assert sum(parameter.numel() for parameter in network.parameters()) == PARAMETERS[name]
    assert sum(row.parameters for row in recipe.layers.table(shape, 10)) == PARAMETERS[name]
    with torch.no_grad():
        assert network.eval()(torch.zeros(2, *shape)).shape == (2, 10)


@pytest.mark.parametrize("name", MAIN)
def test_the_main_recipes_build_on_any_small_picture(name):
    network = build(Recipe.load(name), (3, 20, 24), 4, None)
    with torch.no_grad():
        assert network.eval()(torch.zeros(2, 3, 20, 24)).shape == (2, 4)


@pytest.mark.parametrize(("pair", "keys"), [pytest.param(*each, id=" ".join(each[0])) for each in CHANGES.items()])
def test_a_recipe_differs_from_what_it_is_made_of_in_these_keys_alone(pair, keys):
    assert differing(*pair) == keys


# ------------------------------------------------------------------------------------------------------- as published


def test_each_flawed_lesson_has_its_twin_and_no_twin_is_published():
    published = {name: Recipe.load(name).published for name in shipped_recipes()}
    assert {name for name, what in published.items() if what} == set(LESSONS)
    assert {(name, what.twin) for name, what in published.items() if what and what.faults} == set(MENDED)
    assert (published["lenet-1998"].faults, published["lenet-1998"].twin) == ((), None), "described, not run"
    assert all(Recipe.load(twin).about.startswith("Mends: ") for _, twin in MENDED)


@pytest.mark.parametrize("name", LESSONS)
def test_the_published_figures_are_the_lessons(name):
    published = Recipe.load(name).published
    accuracy, losses, per_cent = FIGURES[name]
    assert (published.accuracy, published.losses) == (accuracy, losses)
    assert published.accuracies == tuple(share / 100 for share in per_cent)
    assert published.source.startswith("lesson ")
    assert all("\n" not in fault and len(fault) < 120 for fault in published.faults)


@pytest.mark.parametrize("name", LESSONS)
def test_a_published_log_has_a_line_for_each_time_that_the_lesson_prints_one(name):
    recipe = Recipe.load(name)
    published = recipe.published
    in_model_a_family = name.startswith("model-")
    assert (published.loss, published.meter) == (("batch", True) if in_model_a_family else ("mean", False))
    if in_model_a_family:
        lines = recipe.train.iterations // published.every
        assert tuple(published.every * line for line in range(1, lines + 1)) == SIX
        assert len(published.losses) == len(published.accuracies) == lines
    else:
        assert published.every is None
        assert len(published.losses) in (0, recipe.train.epochs)
        assert not published.accuracies


@pytest.mark.parametrize("name", [name for name in LESSONS if name != "lenet-1998"])
def test_the_lessons_train_on_all_60000_shuffled_pictures_and_choose_on_none(name):
    recipe = Recipe.load(name)
    assert (recipe.dataset.name, recipe.dataset.validation) == ("mnist", 0)
    assert recipe.dataset.normalize == (name == "dropout-adam")
    assert recipe.loader.shuffle
    assert not any(recipe.dataset.augment.model_dump().values())
    assert (recipe.loss.label_smoothing, recipe.loss.class_weights) == (0, "none")
    assert (recipe.schedule.name, recipe.train.ema, recipe.model.init) == ("constant", None, "torch")


@pytest.mark.parametrize(
    ("name", "optimizer", "lr", "batch", "length"),
    [
        ("model-a", "sgd", 0.01, 100, 3000),
        ("model-b", "sgd", 0.01, 100, 3000),
        ("model-c", "sgd", 0.01, 100, 3000),
        ("model-c-gpu", "sgd", 0.01, 100, 3000),
        ("mlp", "sgd", 0.001, 64, 3.0),
        ("mlp-softmax", "sgd", 0.01, 64, 10.0),
        ("lenet-softmax", "sgd", 0.01, 64, 10.0),
        ("lenet-class", "sgd", 0.01, 64, 10.0),
        ("dropout-adam", "adam", 0.01, 200, 10.0),
        ("small-3x3", "adam", 0.001, 64, 5.0),
    ],
)
def test_optimizer_batch_and_length_are_the_lessons(name, optimizer, lr, batch, length):
    recipe = Recipe.load(name)
    assert flat({"": recipe.as_table()["optimizer"]}) == {".name": optimizer, ".lr": lr}
    assert recipe.loader.batch_size == batch
    assert length in (recipe.train.iterations, recipe.train.epochs)
    if recipe.train.iterations:
        assert recipe.train.iterations * batch == 5 * 60_000, "five epochs"


def test_small_gradients_are_not_rounded_to_eight_bits():
    whole = {name for name in shipped_recipes() if Recipe.load(name).train.precision == "float32"}
    assert whole == {name for name in shipped_recipes() if name.startswith(("mlp", "lenet"))}


def test_how_lesson_3_measures_itself():
    published = Recipe.load("dropout-adam").published
    assert (published.part, published.dropout, published.seconds_per_epoch) == ("train", True, 71.5)
    assert (published.batch_accuracies, published.batch_epochs) == ((0.85, 0.915), (6, 9))
    dataset = open_data(Recipe.load("dropout-adam")).load(seed=0)
    assert [round(value, 4) for value in (*dataset.mean, *dataset.std)] == [0.1307, 0.3081]
    assert len(dataset.train) == 60_000


def test_how_lesson_4_measures_itself_and_that_it_sees_no_colour():
    recipe, twin = Recipe.load("small-3x3"), Recipe.load("small-3x3-fixed")
    assert (recipe.published.at_least, recipe.published.train_accuracy) == (True, True)
    colour = np.zeros((20, 28, 28, 3), np.uint8), np.arange(20) % 2
    assert open_data(recipe, colour).image_shape == (1, 28, 28)
    assert open_data(twin, colour).image_shape == (3, 28, 28)


# ---------------------------------------------------------------------------------------------------------- the layers


def output_shapes(name: str) -> list[tuple[int, ...]]:
    recipe = Recipe.load(name)
    return [row.output_shape for row in recipe.layers.table(shape_of(recipe), 10) if row.text != "relu"]


def test_model_a_has_the_six_tensors_that_the_lesson_lists():
    network = Recipe.load("model-a").layers.build((1, 28, 28), 10)
    assert [tuple(weight.shape) for weight in network.parameters()] == [
        (16, 1, 5, 5), (16,), (32, 16, 5, 5), (32,), (10, 1568), (10,),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("model-b", [(16, 28, 28), (16, 14, 14), (32, 14, 14), (32, 7, 7), (1568,), (10,)]),
        ("model-c", [(16, 24, 24), (16, 12, 12), (32, 8, 8), (32, 4, 4), (512,), (10,)]),
        ("model-a-gentler", [(16, 28, 28), (16, 14, 14), (32, 14, 14), (32, 13, 13), (5408,), (10,)]),
        ("model-a-deeper", [(16, 28, 28), (16, 14, 14), (32, 14, 14), (32, 7, 7), (32, 7, 7), (1568,), (10,)]),
        ("lenet-class-fixed", [(6, 28, 28), (6, 14, 14), (16, 10, 10), (16, 5, 5), (400,), (84,), (10,)]),
        ("small-3x3", [(8, 28, 28), (8, 14, 14), (16, 14, 14), (16, 7, 7), (784,), (10,)]),
    ],
)
def test_maps_have_the_sizes_of_the_lessons(name, shapes):
    assert output_shapes(name) == shapes


def test_the_poolings_are_the_lessons():
    kinds = {
        name: [layer.word for layer in Recipe.load(name).layers.layers if "pool" in layer.word] for name in LESSONS
    }
    assert {
        kind: [name for name in LESSONS if kinds[name] == list(kind)] for kind in set(map(tuple, kinds.values()))
    } == {
        ("maxpool", "maxpool"): ["model-a", "model-c", "model-c-gpu", "lenet-class", "dropout-adam", "small-3x3"],
        ("avgpool", "avgpool"): ["model-b", "lenet-1998"],
        ("maxpool", "avgpool"): ["lenet-softmax"],
        (): ["mlp", "mlp-softmax"],
    }


def test_softmax_twice_has_a_floor_and_its_recipes_say_so():
    certain = torch.eye(10, dtype=torch.float64)  # what the first softmax gives when it is sure of class 0, 1, …
    floor = float(functional.cross_entropy(certain, torch.arange(10)))
    assert floor == pytest.approx(FLOOR, abs=1e-12)
    assert f"{FLOOR:.4f}" == "1.4612"
    twice = [name for name in shipped_recipes() if Recipe.load(name).layers.layers[-1].word == "softmax"]
    assert twice == ["lenet-class", "lenet-softmax", "mlp-softmax"]
    for name in twice:
        recipe = Recipe.load(name)
        assert "ln(1 + 9/e) = 1.4612" in recipe.about
        assert any("ln(1 + 9/e) = 1.4612" in fault for fault in recipe.published.faults)
        assert all(loss > FLOOR for loss in recipe.published.losses)
        assert Recipe.load(f"{name}-fixed").layers.layers == recipe.layers.layers[:-1]


# ---------------------------------------------------------------------------------------------- relatives on CIFAR-10


def test_resnet20_has_20_layers_and_the_papers_count_with_either_shortcut():
    layers = Recipe.load("resnet20").layers
    blocks = [layer for layer in layers.layers if layer.word == "residual"]
    assert 1 + sum(part.word == "conv" for block in blocks for part in block.parts[0].layers) + 1 == 20
    assert (RESNET20_PLAIN, RESNET20) == (269_722, 272_474)
    assert round(RESNET20_PLAIN / 1e6, 2) == round(RESNET20 / 1e6, 2) == 0.27, "Table 6"
    assert [row.output_shape for row in layers.table((3, 32, 32), 10) if row.text.startswith("residual")] == [
        *[(16, 32, 32)] * 3, *[(32, 16, 16)] * 3, *[(64, 8, 8)] * 3,
    ]  # fmt: skip


def test_the_inception_modules_are_the_papers():
    layers = Recipe.load("inception-small").layers
    first, second = (layer for layer in layers.layers if layer.word == "branches")
    counts = [
        sum(row.parameters for row in Layers((module,)).table((given, 8, 8)) if row.text.startswith("conv"))
        for module, given in ((first, 192), (second, 256))
    ]
    assert counts == [INCEPTION_3A, INCEPTION_3B] == [163_696, 388_736]
    # Table 1 says 159K and 380K. At K = 1,024 that is what these are, one cut, the other rounded.
    assert [count / 1024 for count in counts] == [pytest.approx(159.9, abs=0.05), pytest.approx(379.6, abs=0.05)]
    joined = [row.output_shape for row in layers.table((3, 32, 32), 10) if row.text.startswith("branches")]
    assert joined == [(256, 8, 8), (480, 8, 8)]


def test_vgg_small_is_stacks_of_3x3_convolutions_that_double_where_they_halve():
    convolutions = [layer for layer in Recipe.load("vgg-small").layers.layers if layer.word == "conv"]
    assert [layer.filters for layer in convolutions] == [32, 32, 64, 64, 128, 128]
    assert all(prod(layer.kernel_size) == 9 and layer.padding == "same" for layer in convolutions)


@pytest.mark.parametrize("name", RELATIVES)
def test_the_relatives_train_alike(name):
    recipe = Recipe.load(name)
    assert recipe.dataset.validation == "auto"
    augment = {key: value for key, value in recipe.dataset.augment.model_dump().items() if value}
    assert augment == {"shift": 4, "flip": True}
    assert (recipe.schedule.name, recipe.train.epochs, recipe.loss.label_smoothing) == ("one-cycle", 15, 0)
