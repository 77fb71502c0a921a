"""A recipe's network on the convolution of one's choice: the same training, and refusals before any data is read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional

import neocog
from conftest import STEPS, TINY
from neocog import ops
from neocog.device import choose
from neocog.errors import LayerError, RecipeError
from neocog.networks import build
from neocog.ops import METHODS
from neocog.recipe import Recipe

BLOCKS = (
    "residual( conv 4 3 same | relu ; conv 4 1 ) | branches( conv 2 3 same ; conv 2 2 same ) | flatten | linear classes"
)


class Curve(neocog.Observer):
    """The training losses of a run, all their digits."""

    def __init__(self) -> None:
        self.losses: list[float] = []

    def point(self, point: neocog.Point) -> None:
        self.losses.append(point.train_loss)


def trained(recipe: str, method: str, changes: dict, **options: object) -> tuple[list[float], neocog.Run]:
    curve = Curve()
    changes = {**changes, "model.convolution": method}
    run = neocog.train(recipe, run=method, set=changes, observers=[curve], tell=list, **options)
    return curve.losses, run


class Own(nn.Conv2d):
    """A convolution with code of its own."""


def odd_network(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(Own(channels, 2, 3), nn.Flatten(), nn.LazyLinear(classes))


def plain_network(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 2, 3), nn.Flatten(), nn.LazyLinear(classes))


def with_method(method: str, layers: str = BLOCKS) -> nn.Module:
    return build(Recipe.load("fast", {"model.layers": layers, "model.convolution": method}), (1, 6, 6), 3, None)


@pytest.mark.parametrize("method", ["loops", "shift", "im2col", "toeplitz", "toeplitz-dense", "fft"])
def test_every_convolution_of_a_network_is_replaced_and_the_function_stays(method):
    ours, theirs = with_method(method), with_method("torch")
    kinds = [type(module) for module in ours.modules() if isinstance(module, nn.Conv2d)]
    assert kinds == [ops.Conv2d] * 4
    x = torch.randn(2, 1, 6, 6)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)


@pytest.mark.parametrize("method", METHODS)
def test_a_network_trains_on_each_method_as_on_torchs(method, arrays):
    changes = {**STEPS, "train.precision": "float64", "model.layers": TINY}
    (ours, our_run), (theirs, their_run) = (trained("fast", name, changes, data=arrays) for name in (method, "torch"))
    assert len(ours) == STEPS["train.iterations"]
    assert ours == pytest.approx(theirs, abs=1e-12, rel=0)
    assert our_run.results["test_accuracy"] == their_run.results["test_accuracy"]


@pytest.mark.parametrize("batch_size", [5, pytest.param(100, marks=pytest.mark.slow)])
def test_200_steps_of_model_a_on_im2col_give_torchs_loss_curve(batch_size):
    changes = {"train.iterations": 200, "train.precision": "float64", "train.device": "cpu"}
    changes["loader.batch_size"] = batch_size
    (ours, _), (theirs, _) = (
        trained("model-a", name, changes, open_test=batch_size == 100) for name in ("im2col", "torch")
    )
    assert len(ours) == 100
    # Demanded is 1e-5; in float64 only the order of adding differs, and 200 steps don't make much of that.
    assert ours == pytest.approx(theirs, abs=1e-9, rel=0)
    assert sum(ours[-20:]) < 0.9 * sum(ours[:20]), "it learned"


def test_a_training_on_loops_says_how_long_it_will_take(arrays):
    # 4 kernels of 3×3 over 8×8 places are 2,304 products; for 8,000 pictures and three passes 55 millions.
    changes = {**STEPS, "model.layers": TINY, "model.convolution": "loops", "loader.batch_size": 8000}
    with pytest.warns(UserWarning) as caught:
        neocog.train("fast", data=arrays, run="run", set=changes)
    assert [str(note.message) for note in caught] == [
        "model.convolution = 'loops' works product by product, about 5.5 s for each step and 0.23 s for 1,000 "
        "pictures it is measured on; it is meant for reading, and 'shift' or 'im2col' compute the same"
    ]


def test_float64_trains_in_float64_and_answers_in_float32(arrays):
    run = neocog.train(
        "fast", data=arrays, run="run", set={**STEPS, "train.precision": "float64", "model.layers": TINY}
    )
    weights = run.directory.read_weights()
    assert {tensor.dtype for tensor in weights.values()} == {torch.float64}
    classifier = neocog.load(run.path)
    assert next(classifier.model.parameters()).dtype == torch.float32
    assert str(choose("cpu", "float64")) == "cpu in float64"


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"model.convolution": "im2cool"},
            "recipe 'fast': model.convolution: unknown value 'im2cool'; did you mean 'im2col'? Known: "
            f"{', '.join(sorted(['torch', *METHODS]))}",
        ),
        (
            {"model.convolution": "winograd", "model.layers": TINY.replace("3 same", "5 same")},
            "model.convolution = 'winograd': layer 1 'conv 4 5 same': method 'winograd' does 3×3 kernels at stride 1 "
            "and dilation 1, not a 5×5 kernel at stride 1 and dilation 1; methods that fit: loops, shift, im2col, "
            "toeplitz, toeplitz-dense, fft",
        ),
        (
            {"model.convolution": "winograd", "model.layers": BLOCKS},
            "model.convolution = 'winograd': layer 1.shortcut.1 'conv 4 1': method 'winograd' does 3×3 kernels at "
            "stride 1 and dilation 1, not a 1×1 kernel at stride 1 and dilation 1; methods that fit: loops, shift, "
            "im2col, toeplitz, toeplitz-dense, fft",
        ),
        (
            {"model.convolution": "fft", "model.layers": "flatten | linear classes"},
            "model.convolution = 'fft' but the network has no nn.Conv2d; leave it out",
        ),
    ],
)
def test_a_method_that_does_not_fit_is_refused(arrays, changes, text):
    with pytest.raises(RecipeError) as caught:
        neocog.train("fast", data=arrays, run="run", set={**STEPS, **changes})
    assert str(caught.value) == text


def test_a_users_own_network_takes_a_method_unless_its_convolution_has_code_of_its_own(arrays):
    changes = {**STEPS, "model.convolution": "shift"}
    run = neocog.train("fast", data=arrays, model=plain_network, run="run", set=changes)
    assert run.results["steps"] == STEPS["train.iterations"]
    with pytest.raises(RecipeError) as caught:
        neocog.train("fast", data=arrays, model=odd_network, set=changes)
    assert str(caught.value) == (
        "model.convolution = 'shift': module '0' is computed by code of its own (Own); call an nn.Conv2d, or leave "
        "model.convolution out"
    )


class Around(nn.Module):
    """Takes the weights of a convolution and computes it itself."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.inner, self.head = nn.Conv2d(channels, 2, 3), nn.LazyLinear(classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(functional.conv2d(x, self.inner.weight).flatten(1))


class Noting(nn.Module):
    """Keeps what is no tensor in its state dict."""

    def __init__(self, channels: int, classes: int) -> None:
        super().__init__()
        self.head = nn.LazyLinear(classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(x.flatten(1))

    def get_extra_state(self) -> dict[str, int]:
        return {"seen": 3}


def test_a_state_that_is_no_tensor_is_refused_before_anything_is_written(arrays):
    with pytest.raises(LayerError) as caught:
        neocog.train("fast", data=arrays, model=Noting, run="a run")
    assert str(caught.value) == (
        "model 'test_networks:Noting' keeps a dict in its state as '_extra_state', and only tensors can be kept; make "
        "it a buffer, or leave get_extra_state out"
    )
    assert not Path("a run").exists()


def test_a_convolution_that_is_never_called_is_named(arrays):
    with pytest.raises(RecipeError) as caught:
        neocog.train("fast", data=arrays, model=Around, set={**STEPS, "model.convolution": "shift"})
    assert str(caught.value) == (
        "model.convolution = 'shift': module 'inner' is computed by code of its own (Conv2d); call an nn.Conv2d, or "
        "leave model.convolution out"
    )


def test_a_matrix_too_large_is_refused_before_there_is_a_run(arrays):
    images, labels = np.zeros((40, 96, 96, 3), np.uint8), arrays[1]
    changes = {**STEPS, "model.layers": "conv 16 3 same | flatten | linear classes"}
    with pytest.raises(RecipeError) as caught:
        neocog.train("fast", data=(images, labels), run="run", set={**changes, "model.convolution": "toeplitz-dense"})
    assert str(caught.value).startswith(
        "model.convolution = 'toeplitz-dense': layer 1 'conv 16 3 same': the dense matrix of 147456×27648 numbers"
    )
    assert not Path("run").exists()
