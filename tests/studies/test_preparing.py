"""preparing: what is refused before any training, what makes a run another one, and what can travel."""

from __future__ import annotations

import sys
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import neocog
from conftest import STEPS, TINY
from neocog.errors import DataError, DeviceError, LayerError, NeocogError, RecipeError
from neocog.recipe import Recipe
from neocog.studies import preparing
from neocog.studies.jobs import Job
from neocog.studies.preparing import Order, prepare
from neocog.studies.seeds import train_jobs

Arrays = tuple[np.ndarray, np.ndarray]
RECIPE = Recipe.load("fast", {**STEPS, "model.layers": TINY})


class Net(nn.Module):
    """A network whose pooling is a matter of its code alone."""

    def __init__(self, channels: int, classes: int, pool: Any = functional.max_pool2d, dropout: float = 0.0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, 4, 3)
        self.linear = nn.Linear(4 * 9, classes)
        self.pool, self.dropout = pool, dropout

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.dropout(self.conv(x), self.dropout, self.training)
        return self.linear(self.pool(x, 2).flatten(1))


def order(data: Any, recipe: Recipe = RECIPE, **more: Any) -> Order:
    (found,) = prepare([Job("a", recipe, data=data, **more)], Path("kept"), None, lambda _: None)
    return found


def changed(**changes: Any) -> Recipe:
    return RECIPE.changed({key.replace("__", "."): value for key, value in changes.items()})


# --------------------------------------------------------------------------------------------------------- the place


def test_seeds_lie_side_by_side_and_the_name_of_the_recipe_above_them(arrays: Arrays) -> None:
    places = [order(arrays, changed(train__seed=seed)).place for seed in (0, 1)]
    assert [place.name for place in places] == ["0", "1"]
    assert places[0].parent == places[1].parent
    assert places[0].parent.name.startswith("fast-")


@pytest.mark.parametrize(
    "recipe",
    [
        changed(about="other words"),
        changed(model__layers=TINY.replace(" | ", "\n")),
        changed(train__device="auto") if not torch.cuda.is_available() else RECIPE,
        changed(dataset__name="mnist"),  # the data that are given count
    ],
    ids=["about", "spaces between layers", "the device that auto finds", "data's name in the recipe"],
)
def test_what_changes_no_number_changes_no_place(recipe: Recipe, arrays: Arrays) -> None:
    assert order(arrays, recipe).place == order(arrays).place


def test_a_recipe_of_a_run_is_the_recipe_that_was_run(shapes: Path) -> None:
    recipe = changed(dataset__name=str(shapes))
    run = neocog.train(recipe, run="run")
    assert run.recipe != recipe
    assert order(None, run.recipe).place == order(None, recipe).place


def test_each_thing_that_decides_numbers_makes_another_place(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    images, labels = arrays
    others = [
        order(arrays),
        order(arrays, changed(optimizer__lr=0.02)),
        order(arrays, changed(train__precision="float64")),
        order(arrays, changed(dataset__validation=0.2)),
        order(arrays, changed(name="other")),
        order(arrays, open_test=False),
        order((255 - images, labels)),
        order((images, 1 - labels)),
    ]
    monkeypatch.setattr(preparing.neocog, "__version__", "0.0.0")
    others.append(order(arrays))
    assert len({each.place.parent for each in others}) == len(others)


def test_code_is_known_by_what_it_does(arrays: Arrays) -> None:
    def place(factory: Any) -> Path:
        return order(arrays, changed(model__layers=None, model__factory="m:f"), model=factory).place

    # They are all called Net, and so are their layers.
    average, dropout = partial(Net, pool=functional.avg_pool2d), partial(Net, dropout=0.5)
    for factory in (average, dropout):
        factory.__module__, factory.__qualname__ = Net.__module__, Net.__qualname__
    assert place(Net) == place(Net)
    assert len({place(Net), place(average), place(dropout)}) == 3


def test_code_that_fails_only_in_training_fails_there_and_not_before(arrays: Arrays) -> None:
    def broken(*_: Any) -> torch.Tensor:
        raise ValueError("not today")

    def build(channels: int, classes: int) -> nn.Module:
        network = Net(channels, classes)
        real = network.forward
        network.forward = lambda x: broken() if network.training else real(x)  # type: ignore[method-assign]
        return network

    (outcome,) = train_jobs([Job("a", RECIPE, model=build, data=arrays)])
    assert (outcome.run, outcome.error) == (None, "ValueError: not today")


def test_data_may_be_named_in_place_of_the_recipes(shapes: Path) -> None:
    named = order(str(shapes), RECIPE)
    assert (named.arrays, named.recipe.dataset.name) == (None, "shapes")
    assert named.place == order(None, changed(dataset__name="shapes")).place


def test_code_is_the_same_under_every_seed(arrays: Arrays) -> None:
    recipe = changed(model__layers=None, model__factory="m:f")
    places = [order(arrays, recipe.changed({"train.seed": seed}), model=Net).place for seed in (0, 3)]
    assert places[0].parent == places[1].parent


def test_processes_share_no_thread_on_a_cpu(arrays: Arrays) -> None:
    torch.set_num_threads(2)  # conftest puts it back
    found = order(arrays)
    assert (found.threads, found.device) == (1, "cpu")


# ---------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("job", "kind", "want"),
    [
        (
            Job("a", changed(dataset__name="mnst")),
            DataError,
            "'mnst' is no data set neocog knows, and there is no such folder; did you mean 'mnist'? Known: mnist, "
            "fashion-mnist, kmnist, cifar10, svhn, digits",
        ),
        (
            Job("a", changed(train__device="cuda:99")),
            DeviceError,
            "device 'cuda:99': the last one here is cuda:0"
            if torch.cuda.is_available()
            else "device 'cuda': this machine or this build of torch has none; use --device cpu",
        ),
        (
            Job("a", changed(model__layers=None, model__factory="torch.nn:Identity", dataset__name="shapes")),
            RecipeError,
            "this recipe's network is code, 'torch.nn:Identity', and files may not choose code to run; allow it with "
            "--model torch.nn:Identity",
        ),
        (
            Job("a", changed(model__layers="conv 4 40 | flatten | linear classes", dataset__name="shapes")),
            LayerError,
            "layer 1 'conv 4 40': a 40×40 kernel does not fit the 10×10 map it gets; "
            "use a kernel of at most 10, or padding=15",
        ),
        (
            Job("a", changed(loss__class_weights=(1, 2), dataset__name="shapes")),
            RecipeError,
            "loss.class_weights has 2 numbers but the data has 3 classes",
        ),
    ],
    ids=["data", "device", "code", "layers", "class weights"],
)
def test_what_cannot_be_trained_is_refused_before_anything_is(
    job: Job, kind: type[NeocogError], want: str, shapes: Path
) -> None:
    good = Job("good", changed(dataset__name="shapes"))
    with pytest.raises(kind) as caught:
        train_jobs([good, job], store="kept")
    assert "\n" not in str(caught.value)
    assert str(caught.value) == want
    assert list(Path().iterdir()) == [shapes]


def test_each_data_set_is_read_once_and_each_remark_told_once(
    shapes: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch
) -> None:
    (shapes / "circle" / "notes.txt").write_text("no picture")
    opened, told = [], []
    real = preparing.open_data

    def counting(recipe: Recipe, data: Any) -> Any:
        opened.append(recipe.dataset.name)
        return real(recipe, data)

    monkeypatch.setattr(preparing, "open_data", counting)
    recipe = changed(dataset__name=str(shapes))
    jobs = [
        Job(str(lr), recipe.changed({"optimizer.lr": lr, "train.seed": seed})) for lr in (0.1, 0.2) for seed in (0, 1)
    ]
    jobs += [Job("c", recipe.changed({"dataset.augment.flip": True})), Job("d", RECIPE, data=arrays)]
    prepare(jobs, Path("kept"), None, told.append)
    assert opened == ["shapes", "arrays"]
    assert len(told) == len(set(told)) == 1
    assert "notes.txt" in told[0]


# ----------------------------------------------------------------------------------------------------- what can travel


@pytest.mark.parametrize(
    ("marks", "kind"),
    [
        ([3, 10], "i"),
        ([0.5, 10.5], "f"),
        ([True, False], "b"),
        (["Ähre", "b"], "U"),
        ([b"a", b"b"], "S"),
        (np.array(["Ähre", "b"], object), "U"),
        (np.array(["2020-01-01", "2021-01-01"], "datetime64[D]"), "M"),
    ],
    ids=["numbers", "fractions", "truth", "words", "bytes", "objects that are words", "days"],
)
def test_labels_of_any_plain_kind_travel_as_the_same_classes(marks: Any, kind: str, arrays: Arrays) -> None:
    images, labels = arrays
    given = np.asarray(marks)[labels]
    found = preparing.portable((torch.from_numpy(images), given))
    assert found is not None
    assert found[1].dtype.kind == kind
    np.savez("pictures.npz", images=found[0], labels=found[1])
    with np.load("pictures.npz", allow_pickle=False) as held:
        again = preparing.checked(held["images"], held["labels"])
    want = preparing.checked(images, given)
    for one, other in zip(again, want, strict=True):
        np.testing.assert_array_equal(one, other)


def test_labels_that_are_objects_stay_here(arrays: Arrays) -> None:
    images, labels = arrays
    # As numbers 9 comes before 10, as text after it.
    marks = np.array([Decimal(9), Decimal(10)], object)[labels]
    assert preparing.portable((images, marks)) is None
    assert not order((images, marks)).travels
    assert order((images, labels)).travels
    assert order(list(arrays)).travels


def test_a_callable_stays_here_and_its_name_travels(arrays: Arrays) -> None:
    assert not order(arrays, model=Net).travels
    assert order(arrays, model=f"{__name__}:Net").travels
    assert order(arrays, model=TINY).travels


def test_code_of_the_script_itself_stays_here(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules["__main__"], "MyNet", Net, raising=False)
    assert not order(arrays, model="__main__:MyNet").travels
