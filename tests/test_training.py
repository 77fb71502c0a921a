"""training: the loop against a plain torch loop of the same mathematics, written out here, and its promises."""

from __future__ import annotations

import hashlib
import math
import subprocess
import sys
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import neocog
from conftest import ENVIRONMENT, STEPS, TINY
from neocog import training
from neocog.curve import Plan, Point
from neocog.data.batches import Normalization
from neocog.data.dataset import Split
from neocog.device import Compute
from neocog.errors import DeviceError, RecipeError, TrainingError
from neocog.layers import parse
from neocog.optim import WeightAverage
from neocog.recipe import Recipe
from neocog.snapshots import Snapshot
from neocog.steps import Resolved
from neocog.training import Keeper, Observer, Trained, fit, memory_notes

CPU = Compute(torch.device("cpu"), "float32")
SCALING = Normalization((0.3,), (0.2,))
Arrays = tuple[np.ndarray, np.ndarray]


class Diary(Observer):
    """Writes down all that it is told."""

    def __init__(self) -> None:
        self.events: list[Any] = []

    def start(self, plan: Plan) -> None:
        self.events.append(("start", plan))

    def step(self, done: int) -> None:
        self.events.append(("step", done))

    def point(self, point: Point) -> None:
        self.events.append(("point", point.step))

    def end(self) -> None:
        self.events.append(("end",))


class Points(Observer):
    def __init__(self) -> None:
        self.all: list[Point] = []

    def point(self, point: Point) -> None:
        self.all.append(point)


def split(arrays: Arrays, count: int = 40, first: int = 0) -> Split:
    images, labels = arrays
    chosen = slice(first, first + count)
    return Split(
        torch.from_numpy(images[chosen, ..., None].copy()), torch.from_numpy(labels[chosen]), [""] * len(labels[chosen])
    )


def recipe(changes: dict[str, Any] | None = None) -> Recipe:
    """A small recipe in float32 with plain SGD, resolved for the arrays."""
    table = {
        "name": "tiny",
        "loader": {"batch_size": 8},
        "model": {"layers": TINY},
        "optimizer": {"name": "sgd", "lr": 0.1},
        "train": {"iterations": 6, "precision": "float32", "device": "cpu"},
    }
    resolved = Resolved(
        classes=("0", "1"), image_shape=(1, 8, 8), mean=(0.3,), std=(0.2,), data_checksum="", neocog=neocog.__version__
    )
    return Recipe.make(table, changes or {}, "test").model_copy(update={"resolved": resolved})


def network(text: str = TINY, seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    return parse(text).build((1, 8, 8), 2)


def trained(arrays: Arrays, changes: dict[str, Any] | None = None, text: str = TINY, **more: Any) -> nn.Sequential:
    model = network(text)
    fit(model, split(arrays), recipe(changes), SCALING, CPU, **more)
    return model


def stream(purpose: str, key: int, seed: int = 0) -> torch.Generator:
    """The stream of a purpose, worked out without the package."""
    digest = hashlib.sha256(f"{seed}/{purpose}/{key}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def plain_loop(
    arrays: Arrays,
    steps: int,
    *,
    rate: Callable[[int], float] = lambda step: 0.1,
    momentum: float = 0.0,
    smoothing: float = 0.0,
    weights: tuple[float, float] | None = None,
    batch: int = 8,
    text: str = TINY,
) -> nn.Sequential:
    """The same mathematics: nothing of the package but the layer text; the loss and SGD written out."""
    model, images, labels = network(text), *arrays
    x_all = (torch.from_numpy(images).float()[:, None] / 255 - 0.3) / 0.2
    y_all = torch.from_numpy(labels)
    class_weights = torch.tensor(weights or (1.0, 1.0))
    velocity = [torch.zeros_like(parameter) for parameter in model.parameters()]
    model.train()
    per_epoch = math.ceil(len(labels) / batch)
    for step in range(steps):
        order = torch.randperm(len(labels), generator=stream("order", step // per_epoch))
        chosen = order[(step % per_epoch) * batch :][:batch]
        logs = torch.log_softmax(model(x_all[chosen]), 1)
        y = y_all[chosen]
        # Label smoothing: the wanted distribution is (1 − s) on the class and s/C on each; each class has its weight.
        hard = -(class_weights[y] * logs[torch.arange(len(y)), y]).sum()
        soft = -(class_weights * logs).sum() / logs.shape[1]
        loss = ((1 - smoothing) * hard + smoothing * soft) / class_weights[y].sum()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient, v in zip(model.parameters(), gradients, velocity, strict=True):
                v.mul_(momentum).add_(gradient)
                parameter -= rate(step) * v
    return model


def assert_same_weights(got: nn.Module, want: nn.Module, rtol: float = 2e-5, atol: float = 2e-6) -> None:
    """The bound for float32: a dozen steps of sums in another order."""
    for (name, value), wanted in zip(got.state_dict().items(), want.state_dict().values(), strict=True):
        torch.testing.assert_close(value, wanted, rtol=rtol, atol=atol, msg=lambda text, name=name: f"{name}: {text}")


def bits(model: nn.Module) -> bytes:
    return b"".join(value.contiguous().numpy().tobytes() for value in model.state_dict().values())


# ------------------------------------------------------------------------------------------------- the mathematics


@pytest.mark.parametrize(
    ("changes", "oracle"),
    [
        ({}, {}),
        ({"optimizer.momentum": 0.9}, {"momentum": 0.9}),
        ({"loss.label_smoothing": 0.2}, {"smoothing": 0.2}),
        ({"loss.class_weights": [0.5, 3.0]}, {"weights": (0.5, 3.0)}),
        ({"loss.class_weights": [0.5, 3.0], "loss.label_smoothing": 0.1}, {"weights": (0.5, 3.0), "smoothing": 0.1}),
        ({"loader.batch_size": 7}, {"batch": 7}),
        ({"schedule.name": "step", "schedule.gamma": 0.5}, {"rate": lambda step: 0.1 * 0.5 ** (step // 5)}),
        (
            {"schedule.name": "linear", "schedule.warmup": 0.0, "schedule.end": 0.0},
            {"rate": lambda step: 0.1 * (1 - step / 11)},
        ),
    ],
    ids=["sgd", "momentum", "smoothing", "weights", "weights+smoothing", "batch 7", "step schedule", "linear schedule"],
)
def test_the_loop_is_the_plain_loop(arrays: Arrays, changes: dict[str, Any], oracle: dict[str, Any]) -> None:
    got = trained(arrays, {**changes, "train.iterations": 12})
    assert_same_weights(got, plain_loop(arrays, 12, **oracle))


def test_with_a_batch_norm_the_statistics_are_the_plain_loops_too(arrays: Arrays) -> None:
    text = "conv 4 3 same bias=no | maxpool 2 | batchnorm | relu | flatten | linear classes"
    assert_same_weights(trained(arrays, text=text), plain_loop(arrays, 6, text=text), rtol=1e-4, atol=1e-5)


def test_pooling_first_trains_to_the_same_weights(arrays: Arrays) -> None:
    layers = parse(TINY)
    assert layers.pool_first().text() != layers.text()
    got = trained(arrays, {"train.iterations": 12}, text=layers.pool_first().text())
    assert_same_weights(got, trained(arrays, {"train.iterations": 12}))


def test_balanced_class_weights_are_those_of_the_counts(arrays: Arrays) -> None:
    images, labels = arrays[0][:30].copy(), arrays[1][:30].copy()
    labels[:10] = 0  # 20 of one class, 10 of the other: weights 30/(2·20) and 30/(2·10)
    changes = {"loss.class_weights": "balanced", "loader.batch_size": 10}
    got, want = network(), plain_loop((images, labels), 6, weights=(0.75, 1.5), batch=10)
    fit(got, split((images, labels)), recipe(changes), SCALING, CPU)
    assert_same_weights(got, want)


def test_class_weights_of_another_number_are_refused(arrays: Arrays) -> None:
    with pytest.raises(RecipeError) as caught:
        trained(arrays, {"loss.class_weights": [1.0, 2.0, 3.0]})
    assert str(caught.value) == "loss.class_weights has 3 numbers but the data has 2 classes"


def test_a_single_picture_left_over_joins_the_batch_before_it(arrays: Arrays) -> None:
    text = "batchnorm | flatten | linear classes"
    model, points = network(text), Points()
    fit(model, split(arrays, 17), recipe({"train.iterations": 4}), SCALING, CPU, observers=[points])
    assert [point.epoch for point in points.all] == [0.5, 1.0, 1.5, 2.0]


def test_more_iterations_than_an_epoch_and_parts_of_an_epoch(arrays: Arrays) -> None:
    for length, steps in (({"train.iterations": 13}, 13), ({"train.epochs": 2}, 10), ({"train.epochs": 0.3}, 2)):
        assert fit(network(), split(arrays), recipe(length), SCALING, CPU).steps == steps
    assert fit(network(), split(arrays), recipe({"train.epochs": 0.01}), SCALING, CPU).steps == 1


def test_training_learns(arrays: Arrays) -> None:
    points = Points()
    model = network()
    result = fit(
        model, split(arrays, 30), recipe({"train.iterations": 40}), SCALING, CPU, split(arrays, 10, 30), [points]
    )
    assert points.all[-1].validation_accuracy == 1.0
    assert points.all[-1].train_loss < 0.2
    assert isinstance(result, Trained)
    assert result.seconds >= points.all[-1].seconds > 0


# ------------------------------------------------------------------------------------------------------- the seeds


def test_a_seed_gives_its_bits_again_and_another_seed_does_not(arrays: Arrays) -> None:
    changes = {"dataset.augment": {"shift": 1, "erase": 0.2}}
    text = "conv 4 3 same | relu | dropout 0.5 | flatten | linear classes"
    torch.manual_seed(1)
    one = trained(arrays, changes, text)
    torch.randn(100)
    assert bits(one) == bits(trained(arrays, changes, text))
    assert bits(one) != bits(trained(arrays, {**changes, "train.seed": 1}, text))


def test_what_is_drawn_does_not_depend_on_measuring_or_observers(arrays: Arrays) -> None:
    text = "conv 4 3 same | relu | dropout 0.5 | flatten | linear classes"

    class Draws(Observer):
        def step(self, done: int) -> None:
            torch.randn(done)

    watched = trained(arrays, {"dataset.augment.shift": 1}, text, validation=split(arrays, 9), observers=[Draws()])
    assert bits(watched) == bits(trained(arrays, {"dataset.augment.shift": 1}, text))


SCRIPT = """
import sys, numpy as np, torch, neocog
torch.set_num_threads(1)
random = np.random.default_rng(5)
labels = np.arange(40) % 2
images = random.integers(0, 90, (40, 8, 8), dtype=np.uint8)
images[labels == 0, :4] += 120
images[labels == 1, 4:] += 120
changes = {"train.iterations": 6, "loader.batch_size": 8, "dataset.augment.rotate": 10, "train.device": "cpu"}
neocog.train("fast", data=(images, labels), set=changes, model=sys.argv[1], seed=0, run="elsewhere", figures=False)
"""


def test_two_processes_give_the_same_bits(arrays: Arrays) -> None:
    text = "conv 4 3 same bias=no | maxpool 2 | batchnorm | relu | dropout 0.1 | flatten | linear classes"
    subprocess.run([sys.executable, "-c", SCRIPT, text], check=True, capture_output=True, timeout=120, env=ENVIRONMENT)
    changes = {"train.iterations": 6, "loader.batch_size": 8, "dataset.augment.rotate": 10, "train.device": "cpu"}
    run = neocog.train("fast", data=arrays, set=changes, model=text, seed=0, run="here", figures=False)
    for name in ("weights.safetensors", "split.json"):
        assert (run.path / name).read_bytes() == (Path("elsewhere") / name).read_bytes()


# ---------------------------------------------------------------------------------------------------- the average


def test_the_average_of_weights_worked_by_hand() -> None:
    model = nn.Linear(1, 1, bias=False)
    values = [10.0, -4.0, 6.0]
    with torch.no_grad():
        model.weight.fill_(2.0)
        average = WeightAverage(model, 0.25)
        want = 2.0
        for value, decay in zip(values, (2 / 11, 3 / 12, 0.25), strict=True):  # min(0.25, (1 + t)/(10 + t))
            model.weight.fill_(value)
            average.update()
            want = decay * want + (1 - decay) * value
    with average.applied():
        assert model.weight.item() == pytest.approx(want, rel=1e-6)
    assert model.weight.item() == 6.0
    average.copy_into_model()
    assert model.weight.item() == pytest.approx(want, rel=1e-6)


def test_the_weights_come_back_when_measuring_with_their_average_fails() -> None:
    model = nn.Linear(1, 1)
    average = WeightAverage(model, 0.9)
    with torch.no_grad():
        model.weight.fill_(7.0)
    average.update()
    with pytest.raises(KeyError), average.applied():
        raise KeyError
    assert model.weight.item() == 7.0


def test_batch_statistics_are_averaged_and_their_counter_is_not() -> None:
    model = nn.BatchNorm1d(1)
    average = WeightAverage(model, 0.5)
    model.running_mean.fill_(11.0)
    model.num_batches_tracked.fill_(3)
    average.update()
    average.copy_into_model()
    assert model.running_mean.item() == pytest.approx(9.0, rel=1e-6)  # 2/11 · 0 + 9/11 · 11
    assert model.num_batches_tracked.item() == 3


def test_a_trained_average_is_the_average_of_the_plain_loops_weights(arrays: Arrays) -> None:
    got = trained(arrays, {"train.ema": 0.9})
    want = [parameter.detach().clone() for parameter in network().parameters()]
    for step in range(6):
        decay = min(0.9, (2 + step) / (11 + step))
        now = plain_loop(arrays, step + 1).parameters()
        want = [decay * a + (1 - decay) * b.detach() for a, b in zip(want, now, strict=True)]
    for parameter, wanted in zip(got.parameters(), want, strict=True):
        torch.testing.assert_close(parameter.detach(), wanted, rtol=2e-5, atol=2e-6)


# ------------------------------------------------------------------------------------------------- being watched


def test_observers_are_told_in_one_order(arrays: Arrays) -> None:
    one, other = Diary(), Diary()
    trained(arrays, {"train.iterations": 3}, observers=[one, other])
    plan = Plan(3, 5)
    want = [("start", plan)]
    for done in (1, 2, 3):
        want += [("step", done), ("point", done)]
    assert one.events == other.events == [*want, ("end",)]


def test_a_plan_reports_a_hundred_times_and_measures_at_most_twenty() -> None:
    plan = Plan(10_000, 100)
    assert sum(plan.reports_at(done) for done in range(1, 10_001)) == 100
    assert [done for done in range(1, 10_001) if plan.measures_at(done)] == [500 * k for k in range(1, 21)]
    few = Plan(430, 430)
    assert [done for done in range(1, 431) if few.measures_at(done)] == [430]
    assert few.reports_at(430)
    many = Plan(250, 5)  # 50 epochs: measured after each third, never within one
    assert [done for done in range(1, 251) if many.measures_at(done)] == [*range(15, 250, 15), 250]
    uneven = Plan(7, 3)
    assert [done for done in range(1, 8) if uneven.measures_at(done)] == [3, 6, 7]


def test_a_plan_reports_for_a_log_too() -> None:
    plan = Plan(250, 5, 4)
    want = sorted({*range(3, 251, 3), *range(4, 251, 4), *range(15, 250, 15), 250})
    assert [done for done in range(1, 251) if plan.reports_at(done)] == want
    assert [done for done in range(1, 251) if plan.measures_at(done)] == [*range(15, 250, 15), 250]


@pytest.mark.parametrize(
    ("published", "log_every"), [(None, None), ({"source": "a lesson"}, 5), ({"source": "a lesson", "every": 4}, 4)]
)
def test_a_published_recipe_plans_for_its_log(arrays: Arrays, published: Any, log_every: int | None) -> None:
    diary = Diary()
    trained(arrays, {"published": published} if published else {}, observers=[diary])
    assert diary.events[0] == ("start", Plan(6, 5, log_every))


def test_points_hold_means_since_the_point_before(arrays: Arrays) -> None:
    points = Points()
    trained(arrays, {"train.iterations": 250, "optimizer.lr": 1e-9}, observers=[points])
    assert [point.step for point in points.all[:5]] == [3, 6, 9, 12, 15]
    with torch.no_grad():
        model = network()
        x = SCALING(split(arrays).images)
        whole = float(nn.functional.cross_entropy(model(x), split(arrays).labels))
    # At a rate of nearly nothing the mean over three whole epochs is the loss over all pictures.
    assert sum(point.train_loss for point in points.all[:5]) / 5 == pytest.approx(whole, rel=1e-5)
    assert points.all[4].epoch == 3.0
    assert points.all[4].validation_loss is None


def test_points_hold_the_last_batch_too(arrays: Arrays) -> None:
    each, some = Points(), Points()
    trained(arrays, {"published": {"source": "a lesson", "every": 1}, "train.iterations": 250}, observers=[each])
    trained(arrays, {"train.iterations": 250}, observers=[some])
    assert [point.step for point in each.all] == list(range(1, 251))
    assert all(point.batch_loss == point.train_loss for point in each.all)
    assert [point.batch_loss for point in some.all] == [each.all[point.step - 1].train_loss for point in some.all]
    assert [point.batch_accuracy for point in some.all] == [
        each.all[point.step - 1].train_accuracy for point in some.all
    ]


def test_the_accuracy_of_a_smaller_last_batch_is_a_share_of_it(arrays: Arrays) -> None:
    points = Points()
    # Batches of 15, 15 and 10; at a rate of nearly nothing all of them see the same network.
    changes = {"loader.batch_size": 15, "train.iterations": 3, "optimizer.lr": 1e-9}
    trained(arrays, changes, observers=[points])
    counts = [point.batch_accuracy * size for point, size in zip(points.all, (15, 15, 10), strict=True)]
    with torch.no_grad():
        right = network()(SCALING(split(arrays).images)).argmax(1) == split(arrays).labels
    assert counts == pytest.approx([round(count) for count in counts])
    assert sum(counts) == pytest.approx(int(right.sum()))


def test_the_rate_told_is_the_schedules(arrays: Arrays) -> None:
    points = Points()
    changes = {"schedule.name": "linear", "schedule.warmup": 0.4, "schedule.start": 0.5, "schedule.end": 0.0}
    trained(arrays, changes, observers=[points])
    want = [0.05, 0.075, 0.1, 0.1 * 2 / 3, 0.1 / 3, 0.0]
    assert [point.rate for point in points.all] == pytest.approx(want, rel=1e-6, abs=1e-9)


def test_validation_is_measured_by_hand(arrays: Arrays) -> None:
    points, part = Points(), split(arrays, 10, 30)
    model = trained(arrays, validation=part, observers=[points])
    with torch.no_grad():
        logits = model.eval()(SCALING(part.images))
    assert points.all[0].validation_loss is None
    assert points.all[-1].validation_loss == pytest.approx(
        float(nn.functional.cross_entropy(logits, part.labels)), rel=1e-5
    )
    assert points.all[-1].validation_accuracy == float((logits.argmax(1) == part.labels).double().mean())


# -------------------------------------------------------------------------------------------------------- the clock


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """What training takes for the time; it passes only when a test adds to it, and starts at 0."""
    now = [0.0]
    monkeypatch.setattr("neocog.curve.time.perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize("average", [{}, {"train.ema": 0.9}], ids=["plain", "averaged"])
def test_measuring_and_what_is_done_with_a_point_take_no_time(
    arrays: Arrays, clock: list[float], monkeypatch: pytest.MonkeyPatch, average: dict[str, Any]
) -> None:
    measured: list[float] = []

    def measure(*_: Any) -> tuple[float, float]:
        clock[0] += 1000
        measured.append(clock[0])
        return 0.5, 0.5

    class Slow(Observer):
        def step(self, done: int) -> None:
            clock[0] += 1

        def point(self, point: Point) -> None:
            clock[0] += 100

    monkeypatch.setattr("neocog.training._measure", measure)
    points = Points()
    changes = {"train.iterations": 250, **average}
    result = fit(network(), split(arrays), recipe(changes), SCALING, CPU, split(arrays, 9), [Slow(), points, Slow()])
    assert len(measured) == 17
    assert [point.seconds for point in points.all] == [2.0 * point.step for point in points.all]
    assert result.seconds == 500


# ------------------------------------------------------------------------------------------- when something breaks


class FailsAt(Observer):
    """Raises at its second point, and keeps the weights that it saw there."""

    def __init__(self, model: nn.Module) -> None:
        self.model, self.seen = model, b""

    def point(self, point: Point) -> None:
        if point.step == 2:
            self.seen = bits(self.model)
            raise OSError("no space left")


def test_observers_see_the_average_and_training_gets_its_weights_back(arrays: Arrays) -> None:
    model, diary, text = network(), Diary(), TINY
    fails, changes = FailsAt(model), {"train.ema": 0.9}
    with pytest.raises(OSError, match=r"^no space left$"):
        fit(model, split(arrays), recipe(changes), SCALING, CPU, observers=[diary, fails])
    assert bits(model) == bits(trained(arrays, {"train.iterations": 2}, text))
    assert fails.seen == bits(trained(arrays, {"train.iterations": 2, **changes}, text)) != bits(model)
    assert diary.events[-1] == ("end",)


def test_an_infinite_loss_is_one_line_and_observers_are_told_the_end(arrays: Arrays) -> None:
    diary = Diary()
    with pytest.raises(TrainingError) as caught:
        trained(arrays, {"optimizer.lr": 1e30, "train.iterations": 20}, observers=[diary])
    assert str(caught.value) == (
        "the loss became nan at step 2 of 20 (optimizer.lr = 1e+30; batch 2 of 5 in epoch 1); resuming would come to "
        "the same, so train anew with a smaller rate, such as --set "
        "optimizer.lr=0.1; `neocog lr-find` looks for one"
    )
    assert diary.events[-1] == ("end",)
    assert diary.events.count(("end",)) == 1


def test_the_rate_that_is_advised_is_a_tenth_of_the_recipes_not_of_the_moments(arrays: Arrays) -> None:
    changes = {"optimizer.lr": 1e30, "train.iterations": 20, "schedule.name": "linear", "schedule.start": 0.5}
    with pytest.raises(TrainingError) as caught:
        trained(arrays, changes)
    assert str(caught.value) == (
        "the loss became nan at step 2 of 20 (optimizer.lr = 1e+30, at this step 6.05263e+29; batch 2 of 5 in epoch 1)"
        "; resuming would come to the same, so train anew with a smaller rate, such as --set "
        "optimizer.lr=0.1; `neocog lr-find` looks for one"
    )


class Kept(Keeper):
    """Takes a snapshot after each step."""

    def __init__(self) -> None:
        self.all: list[Snapshot] = []

    def wants(self, done: int, plan: Plan) -> bool:
        return True

    def keep(self, snapshot: Snapshot) -> None:
        self.all.append(snapshot)


class SpoilsAt(Observer):
    """Calls something after a step, whose loss was fine."""

    def __init__(self, step: int, spoil: Callable[[], Any]) -> None:
        self.at, self.spoil = step, spoil

    def step(self, done: int) -> None:
        if done == self.at:
            self.spoil()


MEND = (
    "resuming would come to the same, so train anew with a smaller rate, such as --set optimizer.lr=0.01; "
    "`neocog lr-find` looks for one"
)
NORMED = "conv 4 3 same | batchnorm | relu | maxpool 2 | flatten | linear classes"


def refused(model: nn.Module, data: Split, changes: dict[str, Any], compute: Compute = CPU, **more: Any) -> str:
    with pytest.raises(TrainingError) as caught:
        fit(model, data, recipe(changes), SCALING, compute, **more)
    return str(caught.value)


def spoil(tensor: Tensor, value: float = math.nan) -> None:
    with torch.no_grad():
        tensor.view(-1)[0] = value


@pytest.mark.parametrize("what", ["weights", "statistics", "optimizer", "average"])
def test_a_spoilt_state_is_named_and_never_kept(arrays: Arrays, monkeypatch: pytest.MonkeyPatch, what: str) -> None:
    made: dict[str, Any] = {}

    def noting(name: str) -> Callable[..., Any]:
        real = getattr(training, name)
        return lambda *given, **options: made.setdefault(name, real(*given, **options))

    for each in ("build_optimizer", "WeightAverage"):
        monkeypatch.setattr(training, each, noting(each))
    model, kept = network(NORMED), Kept()
    spoils: dict[str, tuple[Callable[[], Any], str]] = {
        "weights": (lambda: spoil(model[0].weight), "weights in '0.weight'"),
        "statistics": (lambda: spoil(model[1].running_var, math.inf), "statistics in '1.running_var'"),
        "optimizer": (
            lambda: spoil(made["build_optimizer"].state[model[0].weight]["exp_avg_sq"], math.inf),
            "numbers that the optimizer remembers ('exp_avg_sq')",
        ),
        "average": (lambda: spoil(made["WeightAverage"].average[0]), "averaged weights"),
    }
    now, named = spoils[what]
    changes = {"optimizer.name": "adam", "train.ema": 0.9}
    said = refused(model, split(arrays), changes, keeper=kept, observers=[SpoilsAt(4, now)])
    assert said == (
        f"{named} are infinite or nan after step 4 of 6 (optimizer.lr = 0.1; batch 4 of 5 in epoch 1); {MEND}"
    )
    assert [each.done for each in kept.all] == [1, 2, 3]
    for each in kept.all:
        assert all(bool(torch.isfinite(value).all()) for value in each.tensors.values())


@pytest.mark.parametrize("with_validation", [False, True])
def test_weights_that_the_last_step_spoils_are_not_measured(arrays: Arrays, with_validation: bool) -> None:
    model, points = network(), Points()
    spoils = SpoilsAt(6, lambda: spoil(model[0].weight))
    validation = split(arrays, 9) if with_validation else None
    said = refused(model, split(arrays), {}, validation=validation, observers=[points, spoils])
    # All was fine when it was measured after step 5; else nobody has looked before the end.
    where = " (optimizer.lr = 0.1; batch 1 of 5 in epoch 2)"
    if not with_validation:
        where = ", since one of the steps 1 to 6 (optimizer.lr = 0.1)"
    assert said == f"weights in '0.weight' are infinite or nan after step 6 of 6{where}; {MEND}"
    assert len(points.all) == (5 if with_validation else 6)
    assert all(point.validation_loss is None or math.isfinite(point.validation_loss) for point in points.all)


def test_a_loss_on_validation_pictures_that_is_no_number(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neocog.training.logits_of", lambda model, images, _: torch.full((len(images), 2), math.inf))
    points = Points()
    said = refused(network(), split(arrays), {}, validation=split(arrays, 9), observers=[points])
    assert said == f"the loss on validation pictures is nan after step 5 of 6 (optimizer.lr = 0.1); {MEND}"
    assert len(points.all) == 4


def test_an_infinite_buffer_of_the_users_own_is_no_fault(arrays: Arrays) -> None:
    model = network()
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    kept = Kept()
    fit(model, split(arrays), recipe(), SCALING, CPU, keeper=kept)
    assert [each.done for each in kept.all] == [1, 2, 3, 4, 5, 6]


def test_the_first_bad_step_is_named_though_losses_are_looked_at_later(arrays: Arrays) -> None:
    data = split(arrays)
    data = Split(data.images, data.labels, [f"photos/{number}.png" for number in range(40)])
    model, points = network(), Points()
    said = refused(
        model, data, {"train.iterations": 1000}, observers=[points, SpoilsAt(12, lambda: spoil(model[-1].bias))]
    )
    chosen = torch.randperm(40, generator=stream("order", 2))[16:24].tolist()  # step 13 is the third of its epoch
    names = ", ".join(f"'photos/{number}.png'" for number in chosen[:3])
    assert said == (
        f"the loss became nan at step 13 of 1000 (optimizer.lr = 0.1; batch 3 of 5 in epoch 3: {names} and 5 more); "
        + MEND
    )
    assert [point.step for point in points.all] == [10]  # the next would have been at 20


class NoNumber(nn.Module):
    """Answers with no numbers from the start."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear(x.flatten(1)) * math.nan


@pytest.mark.parametrize(("precision", "more"), [("float32", ""), ("bf16", " or --precision float32")])
def test_no_number_before_anything_was_learned_is_the_networks_own(arrays: Arrays, precision: str, more: str) -> None:
    assert refused(NoNumber(), split(arrays), {}, Compute(torch.device("cpu"), precision)) == (
        "the loss is nan at step 1 of 6 (optimizer.lr = 0.1; batch 1 of 5 in epoch 1), before anything was learned: "
        "the network's first answers are not finite, or far too large; no other rate helps, but other layers or first "
        "weights" + more
    )


def test_bf16_is_named_among_what_may_help(arrays: Arrays) -> None:
    said = refused(network(), split(arrays), {"optimizer.lr": 1e30}, Compute(torch.device("cpu"), "bf16"))
    assert said == (
        "the loss became nan at step 2 of 6 (optimizer.lr = 1e+30; batch 2 of 5 in epoch 1); resuming would come to "
        "the same, so train anew with a smaller rate, such as --set "
        "optimizer.lr=0.1 or --precision float32; `neocog lr-find` looks for one"
    )


def test_a_batch_without_weight_is_named_as_such(arrays: Arrays) -> None:
    images = torch.from_numpy(arrays[0][..., None].copy())
    data = Split(images, torch.tensor([0] * 8 + [1] * 32), [""] * 40)
    changes = {"loss.class_weights": [1.0, 0.0], "loader.shuffle": False}
    assert refused(network(), data, changes) == (
        "the loss became nan at step 2 of 6 (optimizer.lr = 0.1; batch 2 of 5 in epoch 1): all pictures of this batch "
        "are of classes with loss.class_weights of 0, so there is nothing to take a mean of; give them a weight above "
        "0, or take a larger loader.batch_size"
    )


# ------------------------------------------------------------------------------------------------- where memory ends


class Hungry(nn.Module):
    """Runs out of memory where it gets more pictures than it likes."""

    def __init__(self, error: BaseException, most: int = 3) -> None:
        super().__init__()
        self.error, self.most, self.linear = error, most, nn.Linear(64, 2)

    def forward(self, x: Tensor) -> Tensor:
        if len(x) > self.most:
            raise self.error
        answers: Tensor = self.linear(x.flatten(1))
        return answers


# What a GPU says is raised by hand: no test has one.
ENDS = [
    MemoryError(),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried"),
    RuntimeError("could not create a primitive"),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
    RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"),
    RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
]


@pytest.mark.parametrize("error", ENDS, ids=[type(error).__name__ for error in ENDS])
def test_running_out_of_memory_names_the_batch_and_suggests_one(
    arrays: Arrays, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("neocog.memory.free_memory", lambda device: 10_000)
    diary = Diary()
    with pytest.raises(DeviceError) as caught:
        fit(Hungry(error), split(arrays), recipe(), SCALING, CPU, observers=[diary])
    # 130 weights of 4 bytes, three times; for each of 4 pictures 256 bytes kept, twice more as gradients, thrice as
    # pictures: 1560 + 4·(256 + 512 + 768) = 7704, within four fifths of 10,000; 8 pictures would be 13,848.
    assert str(caught.value) == (
        "out of memory on cpu with batches of 8 pictures; train with --set loader.batch_size=4 (about 0.0 MB where "
        "0.0 MB were free)"
    )
    assert diary.events[-1] == ("end",)
    assert caught.value.__suppress_context__


def test_what_a_step_has_computed_is_let_go_where_memory_ends(arrays: Arrays) -> None:
    held: list[weakref.ref[Tensor]] = []

    class Holds(Hungry):
        def forward(self, x: Tensor) -> Tensor:
            large = x * 2
            held.append(weakref.ref(large))
            return super().forward(large)

    with pytest.raises(DeviceError) as caught:
        fit(Holds(MemoryError()), split(arrays), recipe(), SCALING, CPU)
    assert caught.value.__suppress_context__
    assert [each() for each in held] == [None, None]  # in training, and on three pictures for the advice


def test_another_error_of_the_network_stays_what_it_is(arrays: Arrays) -> None:
    with pytest.raises(RuntimeError, match=r"^mat1 and mat2 shapes cannot be multiplied$"):
        fit(Hungry(RuntimeError("mat1 and mat2 shapes cannot be multiplied")), split(arrays), recipe(), SCALING, CPU)


def test_a_training_that_likely_won_t_fit_is_told_before(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    model, data = network(), split(arrays)
    before, state = bits(model), torch.get_rng_state()
    monkeypatch.setattr("neocog.memory.free_memory", lambda device: 10**9)
    assert memory_notes(model, data, recipe(), CPU) == []
    monkeypatch.setattr("neocog.memory.free_memory", lambda device: 10_000)
    (note,) = memory_notes(model, data, recipe(), CPU)
    assert note.startswith("batches of 8 pictures need about 0.0 MB of memory to train on and 0.0 MB are free, so the ")
    assert bits(model) == before
    assert torch.equal(torch.get_rng_state(), state)
    monkeypatch.setattr("neocog.memory.free_memory", lambda device: None)  # neither Linux nor CUDA
    assert memory_notes(model, data, recipe(), CPU) == []
    fails = Hungry(RuntimeError("no"), most=0)
    monkeypatch.setattr("neocog.memory.free_memory", lambda device: 0)
    assert memory_notes(fails, data, recipe(), CPU) == []


class Fails(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        torch.manual_seed(99)
        raise RuntimeError("broken on purpose")


def denormals_are_flushed() -> bool:
    tiny = torch.tensor(1e-310, dtype=torch.float64)
    return float(tiny + tiny) == 0


@pytest.mark.parametrize("flushed", [False, True])
@pytest.mark.parametrize("broken", [False, True])
def test_torch_is_left_as_it_was_found(arrays: Arrays, flushed: bool, broken: bool) -> None:
    model, diary = network(), Diary()
    if broken:
        model.append(Fails())
    torch.manual_seed(4)
    state = torch.get_rng_state()
    torch.set_flush_denormal(flushed)
    try:
        if broken:
            with pytest.raises(RuntimeError, match=r"^broken on purpose$"):
                fit(model, split(arrays), recipe(), SCALING, CPU, observers=[diary])
        else:
            fit(model, split(arrays), recipe(), SCALING, CPU, observers=[diary])
        assert denormals_are_flushed() == flushed
    finally:
        torch.set_flush_denormal(False)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.is_grad_enabled()
    assert diary.events[-1] == ("end",)


def test_an_observer_that_fails_stops_training_and_the_others_are_told_the_end(arrays: Arrays) -> None:
    class Stops(Observer):
        def step(self, done: int) -> None:
            if done == 2:
                raise KeyboardInterrupt

    diary = Diary()
    with pytest.raises(KeyboardInterrupt):
        trained(arrays, observers=[diary, Stops()])
    assert [event for event in diary.events if event[0] != "start"] == [
        ("step", 1),
        ("point", 1),
        ("step", 2),
        ("end",),
    ]


def test_the_recipe_in_bf16_stays_near_float32(arrays: Arrays) -> None:
    model = network()
    fit(model, split(arrays), recipe(), SCALING, Compute(torch.device("cpu"), "bf16"))
    # bf16 has 8 bits: each product is off by up to 0.4 %, six steps of 0.1 move the weights by less than that.
    assert_same_weights(model, trained(arrays), rtol=0.05, atol=0.02)
    assert all(parameter.dtype == torch.float32 for parameter in model.parameters())


def test_a_run_trains_as_fit_does(arrays: Arrays) -> None:
    run = neocog.train("fast", data=arrays, set={**STEPS, "dataset.validation": 0, "dataset.test": 0}, model=TINY)
    assert run.results["steps"] == 6
    assert run.results["train_pictures"] == 40
