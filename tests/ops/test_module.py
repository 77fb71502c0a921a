"""The layer: torch's own in all but what computes it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional

from neocog import ops
from neocog.errors import OperationError

WINOGRAD = (
    "method 'winograd' does 3×3 kernels at stride 1 and dilation 1, not a 5×5 kernel at stride 1 and dilation 1; "
    "methods that fit: loops, shift, im2col, toeplitz, toeplitz-dense, fft"
)


@pytest.mark.parametrize("method", ops.METHODS)
def test_a_layer_is_torchs_with_the_same_seed(method):
    torch.manual_seed(3)
    theirs = nn.Conv2d(4, 6, 3, padding=1, groups=2)
    torch.manual_seed(3)
    ours = ops.Conv2d(4, 6, 3, padding=1, groups=2, method=method)
    x = torch.randn(2, 4, 5, 6)
    torch.testing.assert_close(dict(ours.state_dict()), dict(theirs.state_dict()), rtol=0, atol=0)
    torch.testing.assert_close(ours(x), theirs(x), rtol=1e-5, atol=1e-5)


def test_an_adopted_layer_stays_the_object_it_is():
    layer = nn.Conv2d(1, 2, 3, padding="same", bias=False)
    seen = []
    layer.register_forward_hook(lambda module, args, out: seen.append(out.shape))
    weight, x = layer.weight, torch.randn(1, 1, 4, 4)
    before = layer(x)
    ops.Conv2d.adopt(layer, "shift")
    torch.testing.assert_close(layer(x), before)
    assert type(layer) is ops.Conv2d
    assert layer.weight is weight
    assert seen == [(1, 2, 4, 4)] * 2
    assert repr(layer).endswith("bias=False, method=shift)")


def test_a_refused_layer_stays_torchs():
    layer = nn.Conv2d(1, 2, 5)
    with pytest.raises(OperationError) as caught:
        ops.Conv2d.adopt(layer, "winograd")
    assert str(caught.value) == WINOGRAD
    assert type(layer) is nn.Conv2d
    assert not hasattr(layer, "method")


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"kernel_size": 5, "method": "winograd"}, WINOGRAD),
        (
            {"kernel_size": 3, "groups": 2},
            "groups = 2 must divide both in_channels = 1 and out_channels = 2; the largest that does is 1",
        ),
        ({"kernel_size": "a"}, "kernel_size = 'a': give a whole number of at least 1, or two (rows, columns)"),
        (
            {"kernel_size": 3, "padding": "same", "stride": 2},
            "padding 'same' keeps the size only at stride 1, not at stride 2; give the padding as numbers",
        ),
        ({"kernel_size": 3, "padding_mode": "reflect"}, "padding_mode 'reflect' is torch's alone; use 'zeros'"),
        (
            {"kernel_size": 3, "method": "fftt"},
            f"unknown method 'fftt'; did you mean 'fft'? Known: {', '.join(sorted(ops.METHODS))}",
        ),
    ],
)
def test_what_cannot_be_computed_is_refused_when_the_layer_is_made(arguments, text):
    with pytest.raises(OperationError) as caught:
        ops.Conv2d(1, 2, **arguments)
    assert str(caught.value) == text


def test_one_picture_without_a_batch_is_taken_as_torch_takes_it():
    layer, x = ops.Conv2d(2, 3, 3), torch.randn(2, 5, 6)
    torch.testing.assert_close(layer(x), layer(x[None])[0])
    transposed = ops.conv_transpose2d(x, torch.ones(2, 1, 2, 2), stride=2, output_padding=1)
    torch.testing.assert_close(
        transposed, functional.conv_transpose2d(x, torch.ones(2, 1, 2, 2), stride=2, output_padding=1)
    )


def test_a_layer_without_channels_is_refused():
    with pytest.raises(OperationError) as caught:
        ops.Conv2d(0, 6, 3)
    assert str(caught.value) == "in_channels = 0: give a whole number of at least 1"


def test_padding_may_differ_on_all_four_sides():
    layer, x = ops.Conv2d(1, 2, 3, padding=(0, 1, 2, 3)), torch.randn(1, 1, 5, 5)
    want = functional.conv2d(functional.pad(x, (2, 3, 0, 1)), layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), want)


def test_other_channels_than_the_layers_are_named():
    with pytest.raises(OperationError) as caught:
        ops.Conv2d(3, 4, 3)(torch.zeros(1, 2, 5, 5))
    assert str(caught.value) == "x has 2 channels but this layer was made with in_channels=3; make it with 2"


def test_autocast_rounds_what_goes_in_as_it_does_for_torch():
    layer = ops.Conv2d(3, 4, 3, method="im2col")
    x = torch.randn(2, 3, 6, 6)
    with torch.autocast("cpu", torch.bfloat16):
        got = layer(x)
        want = functional.conv2d(x, layer.weight, layer.bias)
    assert got.dtype == want.dtype == torch.bfloat16
    torch.testing.assert_close(got, want)
    got.float().sum().backward()
    assert layer.weight.grad.dtype == torch.float32
