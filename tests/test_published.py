"""published: a recipe measured as its lesson measures it, against figures worked by hand and shorter runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neocog
from neocog.curve import Plan, Point
from neocog.data import open_source
from neocog.data.batches import Normalization
from neocog.data.dataset import Dataset, Source, Split
from neocog.networks import build
from neocog.published import PublishedLog, accuracy_of
from neocog.recipe import Recipe
from neocog.training import Observer

Arrays = tuple[np.ndarray, np.ndarray]
SCALING = Normalization((0.3,), (0.2,))
FAULTS = ["the test set is looked at all the time"]


@pytest.fixture(scope="module")
def noisy() -> Arrays:
    """120 grey pictures (N, 6, 6) of three classes that are hard to tell apart, so that accuracies differ."""
    random = np.random.default_rng(11)
    labels = np.arange(120) % 3
    images = random.integers(0, 200, (120, 6, 6), dtype=np.uint8)
    for label in range(3):
        images[labels == label, 2 * label : 2 * label + 2] += 30
    return images, labels


def recipe(published: dict[str, Any] | None = None, changes: dict[str, Any] | None = None) -> Recipe:
    """40 training pictures in batches of 8: five steps an epoch, and 80 test pictures."""
    table = {
        "name": "lesson",
        "dataset": {"name": "arrays", "validation": 0, "test": 80},
        "loader": {"batch_size": 8},
        "model": {"layers": "flatten | linear 8 | dropout 0.5 | relu | linear classes"},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "train": {"iterations": 10, "precision": "float64", "device": "cpu"},
        "published": {"source": "a lesson", "faults": FAULTS, **(published or {})},
    }
    return Recipe.make(table, changes or {}, "test")


def trained(data: Arrays, published: dict[str, Any] | None = None, **changes: Any) -> neocog.Run:
    options = {key: changes.pop(key) for key in ("observers", "open_test", "seed") if key in changes}
    dotted = {key.replace("__", "."): value for key, value in changes.items()}
    return neocog.train(recipe(published, dotted), data=data, **options)


def as_published(data: Arrays, published: dict[str, Any] | None = None, **changes: Any) -> dict[str, Any]:
    found = trained(data, published, **changes).results["as_published"]
    assert isinstance(found, dict)
    return found


def column(found: dict[str, Any], name: str) -> list[Any]:
    return [line[name] for line in found["log"]]


def state(model: nn.Module) -> bytes:
    return b"".join(value.contiguous().numpy().tobytes() for value in model.state_dict().values())


# ----------------------------------------------------------------------------------------------------------- the log


@pytest.mark.parametrize(("loss", "want"), [("mean", [2.0, 5.0]), ("batch", [7.0, 9.0])])
def test_losses_worked_by_hand(noisy: Arrays, loss: str, want: list[float]) -> None:
    dataset = open_source(noisy).load(seed=0)
    log = PublishedLog(recipe({"loss": loss}), nn.Linear(1, 1), dataset, SCALING)
    log.start(Plan(8, 3, 3))
    for step, mean, last in ((2, 1.0, 0.0), (3, 4.0, 7.0), (4, 3.0, 8.0), (6, 6.0, 9.0), (8, 50.0, 50.0)):
        log.point(Point(step, step / 3, 0.0, 0.1, mean, 0.5, batch_loss=last, batch_accuracy=step / 8))
    # (2 · 1 + 1 · 4)/3 and (1 · 3 + 2 · 6)/3; the last two steps are no whole epoch.
    assert log.lines == [
        {"step": 3, "epoch": 1.0, "loss": want[0], "batch_accuracy": 3 / 8},
        {"step": 6, "epoch": 2.0, "loss": want[1], "batch_accuracy": 6 / 8},
    ]


@pytest.mark.parametrize(
    ("length", "lines"),
    [
        ({"train__iterations": 130}, 26),  # more epochs than there are measurements of a validation part
        ({"train__epochs": 7.4}, 7),
        ({"train__epochs": 0.4}, 0),
        ({"train__iterations": 12, "loader__batch_size": 7}, 2),  # six steps, the last of them with five pictures
        ({"train__iterations": 26, "train__precision": "float32"}, 5),
    ],
    ids=["many epochs", "a part of an epoch over", "less than an epoch", "an uneven batch", "float32"],
)
def test_without_every_a_line_is_the_mean_of_an_epochs_steps(noisy: Arrays, length: dict[str, Any], lines: int) -> None:
    each = column(as_published(noisy, {"every": 1, "loss": "batch"}, **length), "loss")
    found = as_published(noisy, {"loss": "mean"}, **length)
    epoch = 6 if "loader__batch_size" in length else 5
    assert column(found, "step") == [epoch * (place + 1) for place in range(lines)]
    assert column(found, "epoch") == [place + 1.0 for place in range(lines)]
    want = [sum(each[first : first + epoch]) / epoch for first in range(0, lines * epoch, epoch)]
    assert column(found, "loss") == pytest.approx(want, rel=1e-14)


@pytest.mark.parametrize(("every", "steps"), [(4, [4, 8]), (5, [5, 10]), (11, [])])
def test_every_so_many_steps(noisy: Arrays, every: int, steps: list[int]) -> None:
    each = column(as_published(noisy, {"every": 1, "loss": "batch"}), "loss")
    means, batches = (as_published(noisy, {"every": every, "loss": loss}) for loss in ("mean", "batch"))
    assert column(means, "step") == column(batches, "step") == steps
    assert column(means, "loss") == pytest.approx([np.mean(each[step - every : step]) for step in steps], rel=1e-14)
    assert column(batches, "loss") == [each[step - 1] for step in steps]


def test_the_first_batch_by_hand(noisy: Arrays) -> None:
    first = as_published(noisy, {"every": 1, "loss": "batch"}, model__layers="flatten | linear classes")["log"][0]
    dataset = open_source(noisy, validation=0, test=80).load(seed=0)
    digest = hashlib.sha256(b"0/order/0").digest()
    order = torch.randperm(40, generator=torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1))[:8]
    x = (dataset.train.images[order].double() / 255 - dataset.mean[0]) / dataset.std[0]
    network = build(recipe(None, {"model.layers": "flatten | linear classes"}), (1, 6, 6), 3, None).double()
    with torch.no_grad():
        logits, labels = network(x.permute(0, 3, 1, 2)), dataset.train.labels[order]
    assert first["loss"] == pytest.approx(float(nn.functional.cross_entropy(logits, labels)), rel=1e-6)
    assert first["batch_accuracy"] == float((logits.argmax(1) == labels).double().mean())


# --------------------------------------------------------------------------------------------------------- the meter


@pytest.mark.parametrize("average", [{}, {"train__ema": 0.9}], ids=["plain", "averaged"])
@pytest.mark.parametrize("precision", ["float32", "float64"])
def test_the_meter_says_what_a_run_stopped_there_would(noisy: Arrays, average: dict[str, Any], precision: str) -> None:
    run = trained(noisy, {"every": 3, "meter": True}, train__precision=precision, **average)
    found = run.results["as_published"]
    stopped = [
        trained(noisy, train__precision=precision, train__iterations=steps, **average).results["test_accuracy"]
        for steps in (3, 6, 9)
    ]
    assert column(found, "test_accuracy") == pytest.approx(stopped, abs=1e-12)
    assert len(set(stopped)) > 1
    assert (found["openings"], run.results["test_openings"]) == (3, 4)
    assert found["accuracy"] == run.results["test_accuracy"]


def test_an_average_makes_another_meter(noisy: Arrays) -> None:
    plain, averaged = (
        column(as_published(noisy, {"every": 1, "meter": True}, **more), "test_accuracy")
        for more in ({}, {"train__ema": 0.9})
    )
    assert plain != averaged


def test_measuring_changes_nothing_of_the_training(noisy: Arrays) -> None:
    measured = {"every": 1, "meter": True, "part": "train", "dropout": True, "train_accuracy": True}
    weights = [
        (trained(noisy, published, train__ema=0.5).path / "weights.safetensors").read_bytes()
        for published in (None, measured)
    ]
    assert weights[0] == weights[1]


def test_without_a_test_part_there_is_no_meter(noisy: Arrays) -> None:
    run = trained(noisy, {"meter": True, "every": 5}, dataset__test=0)
    found = run.results["as_published"]
    assert found["accuracy"] is run.results["test_accuracy"] is None
    assert [set(line) for line in found["log"]] == [{"step", "epoch", "loss", "batch_accuracy"}] * 2
    assert (found["openings"], run.results["test_openings"], run.test_openings) == (0, 0, 0)


# ----------------------------------------------------------------------------------------------------- with dropout on


class Sees(nn.Module):
    """Raises, or lets pass, and keeps the modes that it saw."""

    def __init__(self, broken: bool = False) -> None:
        super().__init__()
        self.broken, self.modes = broken, []

    def forward(self, x: Tensor) -> Tensor:
        self.modes.append(self.training)
        if self.broken:
            raise RuntimeError("broken on purpose")
        return x


@pytest.fixture
def part() -> Split:
    random = np.random.default_rng(2)
    images = torch.from_numpy(random.integers(0, 256, (50, 4, 4, 1), dtype=np.uint8))
    return Split(images, torch.arange(50) % 5 % 2, [""] * 50)


def test_dropout_that_throws_all_away_leaves_the_bias(part: Split) -> None:
    model = nn.Sequential(nn.Flatten(), nn.Dropout(1.0), nn.Linear(16, 2))
    for bias, want in (([1.0, 0.0], 0.6), ([0.0, 1.0], 0.4)):  # of each five labels 0 1 0 1 0, three are 0
        with torch.no_grad():
            model[2].bias.copy_(torch.tensor(bias))
        assert accuracy_of(model, part, SCALING, dropout_seed=0) == pytest.approx(want, abs=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_dropout_is_drawn_from_the_seeds_own_stream(part: Split, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.6), nn.Linear(16, 2)).to(dtype)
    want = []
    for seed in range(6):
        digest = hashlib.sha256(f"{seed}/published dropout".encode()).digest()
        torch.manual_seed(int.from_bytes(digest[:8], "big") >> 1)
        x = SCALING(part.images).flatten(1).to(dtype)
        kept = nn.functional.dropout(x, 0.6, training=True)
        right = (kept @ model[2].weight.T + model[2].bias).argmax(1) == part.labels
        want.append(right.sum().item() / 50)
    got = [accuracy_of(model, part, SCALING, dropout_seed=seed) for seed in range(6)]
    assert got == pytest.approx(want, abs=1e-15)
    assert len(set(want)) > 1


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("broken", [False, True])
def test_only_dropout_is_on_and_all_is_left_as_found(part: Split, training: bool, broken: bool) -> None:
    torch.manual_seed(1)
    sees = Sees(broken)
    model = nn.Sequential(
        nn.BatchNorm2d(1), nn.Flatten(), nn.AlphaDropout(0.3), sees, nn.Dropout(0.5), nn.Linear(16, 2)
    )
    model.train(training)
    model[4].train(not training)
    modes = [module.training for module in model.modules()]
    weights, drawn = state(model), torch.get_rng_state()
    if broken:
        with pytest.raises(RuntimeError, match=r"^broken on purpose$"):
            accuracy_of(model, part, SCALING, dropout_seed=0)
    else:
        assert accuracy_of(model, part, SCALING, dropout_seed=0) == accuracy_of(model, part, SCALING, dropout_seed=0)
    assert not any(sees.modes)
    assert [module.training for module in model.modules()] == modes
    assert state(model) == weights  # the statistics of batch normalisation, too
    assert torch.equal(torch.get_rng_state(), drawn)
    assert torch.is_grad_enabled()


def test_without_a_seed_dropout_is_off(part: Split) -> None:
    torch.manual_seed(6)
    model = nn.Sequential(nn.Flatten(), nn.Dropout(0.9), nn.Linear(16, 2)).train()
    right = model[2](SCALING(part.images).flatten(1)).argmax(1) == part.labels
    assert accuracy_of(model, part, SCALING) == pytest.approx(right.sum().item() / 50, abs=1e-15)
    assert model.training


# ------------------------------------------------------------------------------------------------------ the record


def network_of(run: neocog.Run) -> nn.Module:
    return neocog.load(run).model.double()


@pytest.mark.parametrize("part", ["train", "test"])
@pytest.mark.parametrize("dropout", [False, True])
def test_what_the_lesson_reports(noisy: Arrays, part: str, dropout: bool) -> None:
    run = trained(noisy, {"part": part, "dropout": dropout, "train_accuracy": True}, seed=2)
    dataset = open_source(noisy, validation=0, test=80).load(seed=2)
    split, model = getattr(dataset, part), network_of(run)
    scaling = Normalization(dataset.mean, dataset.std)
    found = run.results["as_published"]
    assert found["accuracy"] == accuracy_of(model, split, scaling, dropout_seed=2 if dropout else None)
    assert found["train_accuracy"] == accuracy_of(model, dataset.train, scaling)
    assert (found["part"], found["dropout"], found["faults"]) == (part, dropout, FAULTS)
    again = part == "test" and dropout  # neocog's own figure has dropout off, so this is another look
    assert (found["openings"], run.results["test_openings"]) == (int(again), 1 + again)
    assert (found["accuracy"] == accuracy_of(model, split, scaling)) is not dropout


def test_of_a_part_that_is_not_there_nothing_is_reported(noisy: Arrays) -> None:
    found = as_published(noisy, {"dropout": True}, dataset__test=0)
    assert (found["accuracy"], found["train_accuracy"], found["openings"]) == (None, None, 0)


def test_a_run_trained_again_from_its_directory_says_the_same(noisy: Arrays) -> None:
    run = trained(noisy, {"every": 3, "meter": True, "part": "train", "dropout": True})
    again = neocog.train(run.path, data=noisy)
    assert again.recipe.published == run.recipe.published
    assert again.results["as_published"] == run.results["as_published"]
    other = neocog.train(run.path, data=noisy, set={"train.iterations": 4, "optimizer.lr": 0.01}, seed=1)
    assert column(other.results["as_published"], "step") == [3]


def test_a_recipe_that_is_not_published_says_nothing_of_it(noisy: Arrays) -> None:
    plain = neocog.train(recipe().model_copy(update={"published": None}), data=noisy)
    assert "as_published" not in plain.results
    assert (plain.results["test_openings"], plain.results["open_test"]) == (1, True)
    published = trained(noisy)
    assert (plain.path / "weights.safetensors").read_bytes() == (published.path / "weights.safetensors").read_bytes()


# ----------------------------------------------------------------------------------------------------- kept closed


@pytest.fixture
def openings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Grows each time that a test part is read."""
    opened: list[str] = []
    original: Callable[..., Dataset] = Source.load

    def load(self: Source, **options: Any) -> Dataset:
        dataset = original(self, **options)
        read = dataset.read_test
        dataset.read_test = lambda: opened.append("test") or read()
        return dataset

    monkeypatch.setattr(Source, "load", load)
    return opened


MEASURED: dict[str, Any] = {"meter": True, "every": 2, "dropout": True, "train_accuracy": True}


@pytest.mark.parametrize("published", [None, MEASURED], ids=["plain", "as published"])
def test_a_test_part_that_is_kept_closed_is_not_read(
    noisy: Arrays, openings: list[str], published: dict[str, Any] | None
) -> None:
    shown = recipe(published) if published else recipe().model_copy(update={"published": None})
    run = neocog.train(shown, data=noisy, open_test=False)
    assert openings == []
    assert run.test is None
    assert "as_published" not in run.results
    assert (run.results["test_accuracy"], run.results["test_pictures"], run.test_openings) == (None, None, 0)
    assert str(run).splitlines()[0] == "test accuracy       not measured: the test part was kept closed"
    # Who asks for it later opens it, and the run says so.
    assert neocog.evaluate(run, data=noisy).n == 80
    assert (openings, run.test_openings) == (["test"], 1)


def test_the_test_part_is_read_once_however_often_it_is_opened(noisy: Arrays, openings: list[str]) -> None:
    run = trained(noisy, MEASURED)
    assert openings == ["test"]
    assert run.results["test_openings"] == run.test_openings == 5 + 1 + 1  # the meter, dropout on, and neocog's own


def test_the_log_goes_beside_other_observers(noisy: Arrays) -> None:
    class Stops(Observer):
        def point(self, point: Point) -> None:
            if point.step == 4:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        trained(noisy, {"every": 2, "meter": True}, observers=[Stops()])
    assert not Path("runs/lesson-arrays-1/results.json").exists()
