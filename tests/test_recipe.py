"""recipe: TOML there and back, `--set`, the two promises, and every error's whole text."""

from __future__ import annotations

import datetime
import tomllib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from neocog.errors import LayerError, NeocogError, RecipeError
from neocog.layers import WORDS, parse
from neocog.recipe import Recipe, parse_changes, shipped_recipes
from neocog.steps import OPTIMIZERS, SCHEDULES

LEAST = {"model": {"layers": "flatten | linear classes"}, "train": {"epochs": 1}}
ALL_WORDS = ", ".join(sorted({*WORDS, "residual", "branches"}))
TOP = "about, dataset, loader, loss, model, name, optimizer, published, resolved, schedule, train"
AUGMENT = (
    "dataset.augment.crop, dataset.augment.elastic, dataset.augment.erase, dataset.augment.flip, "
    "dataset.augment.rotate, dataset.augment.scale, dataset.augment.shear, dataset.augment.shift"
)
OPTIMIZER = (
    "optimizer.betas, optimizer.eps, optimizer.lr, optimizer.momentum, optimizer.name, optimizer.nesterov, "
    "optimizer.other_lr, optimizer.rho, optimizer.weight_decay"
)
RESOLVED = (
    "resolved.brightness, resolved.classes, resolved.data_checksum, resolved.image_shape, resolved.mean, "
    "resolved.neocog, resolved.std"
)


def recipe(**tables: object) -> Recipe:
    return Recipe.make({**LEAST, **tables}, {}, "here")


def message(make, *arguments: object, kind: type[NeocogError] = RecipeError) -> str:
    with pytest.raises(NeocogError) as caught:
        make(*arguments)
    assert type(caught.value) is kind
    assert "\n" not in str(caught.value), "an error is one line"
    return str(caught.value)


def differing(one: Recipe, other: Recipe) -> set[str]:
    """The dotted keys under which two recipes differ."""

    def flat(table: dict, prefix: str = "") -> dict[str, object]:
        found: dict[str, object] = {}
        for key, value in table.items():
            found |= flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
        return found

    first, second = flat(one.as_table()), flat(other.as_table())
    return {key for key in first.keys() | second.keys() if first.get(key, "absent") != second.get(key, "absent")}


# ------------------------------------------------------------------------------------------------------ there and back


def check_round_trip(written: Recipe, path) -> None:
    """TOML and back gives the same recipe, the layer text in normal form."""
    path.write_text(written.to_toml(), encoding="utf-8")
    read = Recipe.load(path)
    assert differing(written, read) <= {"model.layers"}
    assert read.layers == written.layers
    assert read.to_toml() == written.to_toml(), "writing once more changes nothing"


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "dataset.name": st.text(max_size=20),
            "dataset.validation": st.just("auto") | st.integers(0, 9999) | st.floats(0, 0.99),
            "dataset.image_size": st.integers(1, 99) | st.tuples(st.integers(1, 99), st.integers(1, 99)),
            "dataset.augment": st.fixed_dictionaries({"rotate": st.floats(0, 180), "flip": st.booleans()}),
            "loss.class_weights": st.sampled_from(["none", "balanced"]) | st.just((1.0, 0.25)),
            "optimizer.lr": st.floats(1e-300, 1e6),
            "optimizer.betas": st.tuples(st.floats(0, 0.99), st.floats(0, 0.99)),
            "train.iterations": st.integers(1, 10**12),
            "train.seed": st.integers(0, 2**62),
            "train.device": st.text(max_size=5),
            "about": st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=40),
        },
    )
)
@settings(max_examples=30, deadline=None)
def test_any_recipe_survives_toml(changes):
    table = Recipe.load("fast", {"optimizer.name": "adam", **changes})
    again = Recipe.make(tomllib.loads(table.to_toml()), {}, "here")
    assert differing(table, again) <= {"model.layers"}
    assert again.layers == table.layers


def test_toml_keeps_what_training_found_out(tmp_path):
    resolved = {
        "classes": ["cat", "d\"o'g", "3"],
        "image_shape": [3, 32, 32],
        "mean": [0.1, 0.2, 0.3],
        "std": [1.0, 1.0, 1.0],
        "data_checksum": "ab12",
        "neocog": "0.1.0",
    }
    written = recipe(resolved=resolved)
    check_round_trip(written, tmp_path / "r.toml")
    assert written.resolved.classes == ("cat", "d\"o'g", "3")


def test_a_factory_survives_toml(tmp_path):
    check_round_trip(recipe(model={"factory": "mine.nets:small"}), tmp_path / "r.toml")
    assert recipe(model={"factory": "mine.nets:small"}).layers is None


def test_toml_shows_one_layer_a_line():
    text = Recipe.load("model-a").to_toml()
    assert (
        'layers = """\nconv 16 5 same\nrelu\nmaxpool 2\nconv 32 5 same\nrelu\nmaxpool 2\nflatten\nlinear classes\n"""'
        in text
    )


def test_a_recipe_is_found_by_name_file_and_directory(tmp_path):
    (tmp_path / "recipe.toml").write_text(Recipe.load("fast").to_toml(), encoding="utf-8")
    by_name, by_file = Recipe.load("fast"), Recipe.load(tmp_path / "recipe.toml")
    assert differing(by_name, by_file) <= {"model.layers"}
    assert Recipe.load(str(tmp_path)) == by_file
    (tmp_path / "mine.toml").write_text('[model]\nlayers = "relu"\n[train]\nepochs = 2\n', encoding="utf-8")
    assert Recipe.load(tmp_path / "mine.toml").name == "mine", "named after its file"


def test_the_defaults_of_a_recipe_with_a_model_and_a_length_alone():
    least = recipe()
    assert least.as_table() == {
        "name": "unnamed",
        "about": "",
        "dataset": {
            "name": "mnist",
            "validation": "auto",
            "test": "auto",
            "resize": "crop",
            "color": "auto",
            "background": "white",
            "normalize": True,
            "augment": {
                "shift": 0, "rotate": 0, "scale": 0, "shear": 0, "flip": False, "crop": 0, "erase": 0, "elastic": 0,
            },
        },
        "loader": {"batch_size": 128, "shuffle": True},
        "model": {"layers": "flatten | linear classes", "init": "torch", "convolution": "torch"},
        "loss": {"label_smoothing": 0, "class_weights": "none"},
        "optimizer": {"name": "adam", "lr": 0.001},
        "schedule": {"name": "constant"},
        "train": {"epochs": 1, "seed": 0, "device": "auto", "precision": "auto"},
    }  # fmt: skip


def test_a_recipe_stays_as_it_was_made():
    with pytest.raises(ValidationError):
        recipe().name = "other"
    first = Recipe.load("fast")
    first.changed({"optimizer.lr": 0.5, "dataset.augment.rotate": 10})
    assert first == Recipe.load("fast")


# ---------------------------------------------------------------------------------------------------- changes and --set


@pytest.mark.parametrize(
    ("text", "want"),
    [
        ("train.epochs=3", 3),
        ("train.epochs=-3", -3),
        ("train.epochs=0x10", 16),
        ("train.epochs=1_000", 1000),
        ("optimizer.lr=0.02", 0.02),
        ("optimizer.lr=1e-3", 0.001),
        ("optimizer.lr = 0.02", 0.02),
        ("loader.shuffle=false", False),
        ("loader.shuffle=true", True),
        ("dataset.name=photos", "photos"),
        ("dataset.name='photos'", "photos"),
        ('dataset.name="my photos"', "my photos"),
        ("dataset.name=/data/my photos/", "/data/my photos/"),
        ("dataset.name=C:\\pictures", "C:\\pictures"),
        ("dataset.name=a=b", "a=b"),
        ("dataset.name=", ""),
        ("optimizer.betas=[0.7, 0.9]", [0.7, 0.9]),
        ("dataset.augment={rotate=10, flip=true}", {"rotate": 10, "flip": True}),
        ("model.layers=conv 16 5 same | relu | flatten | linear 10", "conv 16 5 same | relu | flatten | linear 10"),
        ("about=2026-01-02", datetime.date(2026, 1, 2)),
        ("about=07:32:00", datetime.time(7, 32)),
        ("about=2026-01-02T07:32:00Z", datetime.datetime(2026, 1, 2, 7, 32, tzinfo=datetime.UTC)),
        ("train.device=cuda:1", "cuda:1"),
        ("train.epochs=None", "None"),
    ],
)
def test_set_reads_each_kind_of_value(text, want):
    key = text.split("=")[0].strip()
    got = parse_changes([text])
    assert got == {key: want}
    assert type(got[key]) is type(want)


def test_set_takes_the_last_of_two():
    assert parse_changes(["train.seed=1", "train.seed=2"]) == {"train.seed": 2}
    assert parse_changes([]) == {}


@pytest.mark.parametrize("text", ["optimizer.lr", "=3", " = 3", ""])
def test_set_without_key_or_value(text):
    assert message(parse_changes, [text]) == f"--set '{text}': write it as key=value, such as optimizer.lr=0.02"


def test_another_model_changes_step_3_alone():
    for name in shipped_recipes():
        before = Recipe.load(name)
        noted = {"published.changed"} if before.published else set()
        for changes, keys in (
            ({"model.layers": "flatten | linear classes"}, {"model.layers"}),
            ({"model.factory": "mine:net"}, {"model.layers", "model.factory"}),
        ):
            assert differing(before, before.changed(changes)) == keys | noted


def test_another_device_changes_one_key_alone():
    for name in shipped_recipes():
        before = Recipe.load(name)
        assert differing(before, before.changed({"train.device": "cuda:1"})) == {"train.device"}


def test_a_new_optimizer_keeps_the_rate_and_leaves_the_rest_behind():
    changed = Recipe.load("fast").changed({"optimizer.name": "sgd", "optimizer.momentum": 0.9})
    assert changed.as_table()["optimizer"] == {"name": "sgd", "lr": 0.01, "momentum": 0.9}
    same = Recipe.load("fast").changed({"optimizer.name": "adam"})
    assert same == Recipe.load("fast"), "the same name changes nothing"


def test_naming_the_optimizer_that_was_meant_all_along_keeps_its_settings():
    unnamed = {**LEAST, "optimizer": {"lr": 0.01, "betas": [0.7, 0.9]}}
    assert Recipe.make(unnamed, {"optimizer.name": "adam"}, "here").optimizer.betas == (0.7, 0.9)
    assert Recipe.make(unnamed, {"optimizer.name": "sgd"}, "here").optimizer.betas is None


def test_a_new_schedule_leaves_the_old_ones_settings_behind():
    changed = Recipe.load("fast").changed({"schedule.name": "step", "schedule.gamma": 0.7})
    assert changed.as_table()["schedule"] == {"name": "step", "gamma": 0.7}
    assert Recipe.load("fast").changed({"schedule.name": "linear"}) == Recipe.load("fast")


def test_epochs_and_iterations_replace_each_other():
    fast = Recipe.load("fast")
    by_epochs = fast.changed({"train.epochs": 0.5})
    assert (by_epochs.train.epochs, by_epochs.train.iterations) == (0.5, None)
    back = by_epochs.changed({"train.iterations": fast.train.iterations})
    assert back == fast


def test_a_factory_and_a_layer_text_replace_each_other():
    mine = Recipe.load("fast").changed({"model.factory": "mine:net"})
    assert (mine.model.layers, mine.model.factory) == (None, "mine:net")
    assert mine.changed({"model.layers": "relu"}).model.factory is None


def test_a_value_taken_away_falls_back_to_the_default():
    assert Recipe.load("fast").changed({"optimizer.betas": None}).optimizer.betas is None


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_each_optimizer_takes_its_own_keys_alone(name):
    values = {
        "lr": 0.1, "momentum": 0.5, "nesterov": True, "betas": [0.8, 0.9], "rho": 0.9, "eps": 1e-6, "other_lr": 0.01,
        "weight_decay": 0.1,
    }  # fmt: skip
    for key, value in values.items():
        table = {"name": name, key: value}
        if key in OPTIMIZERS[name]:
            assert recipe(optimizer=table).optimizer.name == name
        else:
            users = ", ".join(other for other in OPTIMIZERS if key in OPTIMIZERS[other])
            want = f"here: optimizer.{key} means nothing to {name}, only to {users}; leave it out"
            assert message(lambda table: recipe(optimizer=table), table) == want


@pytest.mark.parametrize("name", SCHEDULES)
def test_each_schedule_takes_its_own_keys_alone(name):
    for key, value in {"warmup": 0.1, "start": 0.1, "end": 0.1, "gamma": 0.5, "step_epochs": 2}.items():
        table = {"name": name, key: value}
        if key in SCHEDULES[name]:
            assert recipe(schedule=table).schedule.name == name
        else:
            users = ", ".join(other for other in SCHEDULES if key in SCHEDULES[other])
            want = f"here: schedule.{key} means nothing to {name}, only to {users}; leave it out"
            assert message(lambda table: recipe(schedule=table), table) == want


# -------------------------------------------------------------------------------------------------------------- errors

CHANGES = [
    ("optimizer.lrr=3", "unknown key 'optimizer.lrr'; did you mean 'optimizer.lr'?"),
    ("epochs=3", "unknown key 'epochs'; did you mean 'train.epochs'?"),
    ("dataset.augment.rotat=3", "unknown key 'dataset.augment.rotat'; did you mean 'dataset.augment.rotate'?"),
    ("optimiser.lr=3", "unknown key 'optimiser.lr'; did you mean 'optimizer.lr'?"),
    (
        "optimizer.lr.x=5",
        "key 'optimizer.lr.x': 'optimizer.lr' is one value, not a table; write --set optimizer.lr=…",
    ),
    (
        "dataset.augment={rotat=10}",
        f"recipe 'fast': unknown key 'dataset.augment.rotat'; did you mean 'dataset.augment.rotate'? Known: {AUGMENT}",
    ),
    (
        "optimizer={nam='sgd'}",
        f"recipe 'fast': unknown key 'optimizer.nam'; did you mean 'optimizer.name'? Known: {OPTIMIZER}",
    ),
    (
        "optimizer=adam",
        "recipe 'fast': optimizer is a table, not 'adam'; give its keys, such as optimizer.name",
    ),
    (
        "dataset.augment=5",
        "recipe 'fast': dataset.augment is a table, not 5; give its keys, such as dataset.augment.shift",
    ),
    ("optimizer.lr=0", "recipe 'fast': optimizer.lr = 0: must be greater than 0"),
    ("optimizer.lr=-0.5", "recipe 'fast': optimizer.lr = -0.5: must be greater than 0"),
    ("optimizer.lr=nan", "recipe 'fast': optimizer.lr = nan: must be a finite number"),
    ("optimizer.lr=inf", "recipe 'fast': optimizer.lr = inf: must be a finite number"),
    (
        "optimizer.lr=fast",
        "recipe 'fast': optimizer.lr = 'fast': must be a valid number",
    ),
    ("optimizer.betas=[0.5, 1]", "recipe 'fast': optimizer.betas.1 = 1: must be less than 1"),
    ("optimizer.betas=[0.5]", "recipe 'fast': optimizer.betas.1 is missing; add it"),
    ("optimizer.eps=0", "recipe 'fast': optimizer.eps = 0: must be greater than 0"),
    ("optimizer.weight_decay=-1", "recipe 'fast': optimizer.weight_decay = -1: must be greater than or equal to 0"),
    ("optimizer.rho=0.9", "recipe 'fast': optimizer.rho means nothing to adam, only to adadelta; leave it out"),
    ("schedule.gamma=0.5", "recipe 'fast': schedule.gamma means nothing to linear, only to step; leave it out"),
    (
        "optimizer.name=adm",
        "recipe 'fast': optimizer.name: unknown value 'adm'; did you mean 'adam'? "
        "Known: adadelta, adam, adamw, muon, sgd",
    ),
    (
        "optimizer.name=3",
        "recipe 'fast': optimizer.name = 3: must be 'sgd', 'adam', 'adamw', 'adadelta' or 'muon'",
    ),
    (
        "schedule.name=one_cycle",
        "recipe 'fast': schedule.name: unknown value 'one_cycle'; did you mean 'one-cycle'? "
        "Known: constant, cosine, exponential, linear, one-cycle, step",
    ),
    (
        "schedule={name='exponential', end=0}",
        "recipe 'fast': schedule.end = 0: no constant ratio leads to 0; give a small share, such as 1e-4",
    ),
    ("schedule.warmup=1.5", "recipe 'fast': schedule.warmup = 1.5: must be less than or equal to 1"),
    (
        "dataset.resize=croop",
        "recipe 'fast': dataset.resize: unknown value 'croop'; did you mean 'crop'? Known: crop, letterbox, stretch",
    ),
    ("dataset.validation=-5", "recipe 'fast': dataset.validation = -5: must be greater than or equal to 0"),
    ("dataset.validation=1.5", "recipe 'fast': dataset.validation = 1.5: must be less than 1"),
    ("dataset.validation=1.0", "recipe 'fast': dataset.validation = 1.0: must be less than 1"),
    ("dataset.test=no", "recipe 'fast': dataset.test: unknown value 'no'; Known: auto, or numbers"),
    ("dataset.image_size=0", "recipe 'fast': dataset.image_size = 0: must be greater than or equal to 1"),
    ("dataset.image_size=[28,0]", "recipe 'fast': dataset.image_size.1 = 0: must be greater than or equal to 1"),
    ("dataset.augment.rotate=500", "recipe 'fast': dataset.augment.rotate = 500: must be less than or equal to 180"),
    ("dataset.augment.scale=1", "recipe 'fast': dataset.augment.scale = 1: must be less than 1"),
    (
        "dataset.normalize=maybe",
        "recipe 'fast': dataset.normalize = 'maybe': must be a valid boolean",
    ),
    ("loader.batch_size=0", "recipe 'fast': loader.batch_size = 0: must be greater than or equal to 1"),
    (
        "loader.batch_size=1.5",
        "recipe 'fast': loader.batch_size = 1.5: must be a valid integer, got a number with a fractional part",
    ),
    ("loss.label_smoothing=1", "recipe 'fast': loss.label_smoothing = 1: must be less than 1"),
    (
        "loss.class_weights=balance",
        "recipe 'fast': loss.class_weights: unknown value 'balance'; did you mean 'balanced'? "
        "Known: balanced, none, or numbers",
    ),
    ("loss.class_weights=[1, -1]", "recipe 'fast': loss.class_weights.1 = -1: must be greater than or equal to 0"),
    ("train.seed=-1", "recipe 'fast': train.seed = -1: must be greater than or equal to 0"),
    ("train.epochs=0", "recipe 'fast': train.epochs = 0: must be greater than 0"),
    ("train.iterations=0", "recipe 'fast': train.iterations = 0: must be greater than or equal to 1"),
    ("train.ema=1", "recipe 'fast': train.ema = 1: must be less than 1"),
    (
        "train.precision=fp16",
        "recipe 'fast': train.precision: unknown value 'fp16'; did you mean 'bf16'? Known: auto, bf16, float32, "
        "float64",
    ),
    ("train.device=5", "recipe 'fast': train.device = 5: must be a valid string"),
    ("model={}", "recipe 'fast': give either model.layers or model.factory"),
    ("train={}", "recipe 'fast': give either train.epochs or train.iterations"),
]


@pytest.mark.parametrize(("text", "want"), CHANGES, ids=[text for text, _ in CHANGES])
def test_a_change_that_can_not_be(text, want):
    assert message(Recipe.load("fast").changed, parse_changes([text])) == want


def test_both_lengths_or_both_models_are_too_many():
    fast = Recipe.load("fast")
    assert message(fast.changed, {"train.epochs": 1, "train.iterations": 1}) == (
        "recipe 'fast': give either train.epochs or train.iterations"
    )
    assert message(fast.changed, {"model.layers": "relu", "model.factory": "a:b"}) == (
        "recipe 'fast': give either model.layers or model.factory"
    )


FILES = [
    ("", "model is missing; add it"),
    ('[model]\nlayers = "relu"', "train is missing; add it"),
    ("[train]\nepochs = 1", "model is missing; add it"),
    ("[modle]", f"unknown key 'modle'; did you mean 'model'? Known: {TOP}"),
    (
        '[model]\nlayer = "relu"',
        "unknown key 'model.layer'; did you mean 'model.layers'? Known: model.convolution, model.factory, model.init, "
        "model.layers",
    ),
    (
        "[dataset.augment]\nrotat = 3",
        f"unknown key 'dataset.augment.rotat'; did you mean 'dataset.augment.rotate'? Known: {AUGMENT}",
    ),
    ('optimizer = "adam"', "optimizer is a table, not 'adam'; give its keys, such as optimizer.name"),
    ("train = 3", "train is a table, not 3; give its keys, such as train.epochs"),
    ("[[model]]\nlayers = 'relu'", "model is a table, not [{'layers': 'relu'}]; give its keys, such as model.layers"),
    (
        "[resolved]\nclases = []",
        f"unknown key 'resolved.clases'; did you mean 'resolved.classes'? Known: {RESOLVED}",
    ),
]


@pytest.mark.parametrize("changes", [{}, {"train.iterations": 5, "optimizer.name": "sgd"}], ids=["as it is", "changed"])
@pytest.mark.parametrize(("text", "want"), FILES, ids=[repr(text) for text, _ in FILES])
def test_a_file_that_is_no_recipe(tmp_path, text, want, changes):
    path = tmp_path / "x.toml"
    path.write_text(text, encoding="utf-8")
    if changes and want.startswith("train is missing"):
        assert Recipe.load(path, changes).train.iterations == 5, "the change is what was missing"
    else:
        assert message(Recipe.load, path, changes) == f"recipe file '{path}': {want}"


def test_a_file_that_is_no_toml(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text("[model\n", encoding="utf-8")
    assert message(Recipe.load, path) == (
        f"recipe file '{path}' is no TOML: Expected ']' at the end of a table declaration (at line 1, column 7)"
    )
    path.write_bytes(b"about = '\xff'")
    assert message(Recipe.load, path) == (f"recipe file '{path}' is no TOML: it is no text: byte 10 is not UTF-8")


def test_a_layer_error_names_its_file(tmp_path):
    path = tmp_path / "x.toml"
    path.write_text('[model]\nlayers = """\nconv 8 3\nreluu\n"""\n[train]\nepochs = 1\n', encoding="utf-8")
    want = f"layer 2 'reluu': unknown layer 'reluu'; did you mean 'relu'? Known: {ALL_WORDS}"
    assert message(Recipe.load, path, kind=LayerError) == f"recipe file '{path}': {want}"
    got = message(Recipe.load("fast").changed, {"model.layers": "conv 8 3 | reluu"}, kind=LayerError)
    assert got == f"recipe 'fast': {want}"


def test_a_recipe_that_is_not_there(tmp_path):
    known = ", ".join(shipped_recipes())
    end = "`neocog recipes` lists them; a TOML file or a run directory will do, too"
    path_end = "give a recipe's name, a TOML file or a run directory"
    assert message(Recipe.load, "fats") == f"unknown recipe 'fats'; did you mean 'fast'? {end}"
    assert message(Recipe.load, "zzz") == f"unknown recipe 'zzz'; Known: {known}; {end}"
    assert message(Recipe.load, "zz.toml") == f"there is no recipe file 'zz.toml'; {path_end}"
    assert message(Recipe.load, "no/where") == f"there is no recipe file 'no/where'; {path_end}"
    assert message(Recipe.load, tmp_path) == f"there is no recipe file '{tmp_path}/recipe.toml'; {path_end}"
    long = "conv 16 5 same | relu | " * 20 + "flatten"
    assert message(Recipe.load, long) == f"unknown recipe '{long}'; Known: {known}; {end}", "too long for a file's name"


def test_layers_are_parsed_once_they_are_right():
    assert recipe().layers == parse("flatten | linear classes")


# ------------------------------------------------------------------------------------------------- as published, or not


@pytest.mark.parametrize(
    ("changes", "changed"),
    [
        ({}, None),
        ({"train.seed": 3, "train.device": "cpu", "train.precision": "float32", "about": "mine"}, None),
        ({"optimizer.lr": 0.01, "dataset.name": "mnist", "loader.shuffle": True}, None),
        ({"published.every": 1}, None),
        ({"optimizer.lr": 0.001}, ("optimizer.lr",)),
        ({"dataset.name": "digits", "dataset.augment": {"shift": 1}}, ("dataset.name", "dataset.augment")),
    ],
    ids=str,
)
def test_a_published_recipe_knows_in_what_it_was_changed(changes, changed, tmp_path):
    recipe = Recipe.load("dropout-adam", changes)
    assert recipe.published.changed == changed
    place = tmp_path / "again.toml"
    place.write_text(recipe.to_toml(), encoding="utf-8")
    again = Recipe.load(place, {"train.epochs": 1})
    assert again.published.changed == (*(changed or ()), "train.epochs"), "a file written by us tells it, too"
    assert again.changed({"train.epochs": 1}).published.changed == again.published.changed


def test_a_lesson_that_is_whole_only_with_its_changes_has_no_other_form():
    table = {"model": {"layers": "flatten | linear classes"}, "published": {"source": "a lesson"}}
    assert Recipe.make(table, {"train.epochs": 2}, "here").published.changed is None
