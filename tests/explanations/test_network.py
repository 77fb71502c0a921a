"""The layers of a network under the names people use."""

from __future__ import annotations

import re

import pytest
import torch
from torch import Tensor, nn

from neocog.errors import ExplanationError
from neocog.explanations.network import Network
from neocog.layers import parse

TEXT = "conv 2 3 same | residual( conv 2 3 same | relu ) | branches( conv 1 1 ; maxpool 1 ) | flatten | linear classes"


class Shared(nn.Module):
    """Layers under names, one of them in a part that does something of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU())
        self.head = nn.Linear(2, 3)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x).mean((2, 3)))


def written(text: str = TEXT, shape: tuple[int, int, int] = (1, 4, 4), classes: int = 3) -> Network:
    layers = parse(text)
    return Network.of(layers.build(shape, classes), shape, layers=layers)


def refused(call, *given) -> str:
    with pytest.raises(ExplanationError) as error:
        call(*given)
    return str(error.value)


def test_the_layers_of_a_text_go_by_its_numbers():
    network = written()
    rows = parse(TEXT).table((1, 4, 4), 3)
    assert [layer.number for layer in network.layers] == [row.number for row in rows]
    assert [layer.name for layer in network.layers] == [row.name for row in rows]
    assert [(each.input_shape, each.output_shape) for each in network.layers] == [
        (row.input_shape, row.output_shape) for row in rows
    ]
    assert [layer.text for layer in network.layers] == [
        "conv 2 3 same", "conv 2 3 same", "relu", "residual", "conv 1 1", "maxpool 1", "branches", "flatten",
        "linear 3",
    ]  # fmt: skip
    assert network.classes == ("0", "1", "2")
    assert str(network.layer("2.body.1")) == "layer 2.body.1 'conv 2 3 same'"
    assert network.layer("1.body.0") is network.layer("2.body.1")  # torch's name
    assert network.layer("2.body.1").module is network.model.get_submodule("1.body.0")


def test_other_modules_go_by_torchs_names():
    network = Network.of(Shared(), (1, 6, 6), ("a", "b", "c"))
    assert [layer.number for layer in network.layers] == ["body.0", "body.1", "head"]
    assert [layer.output_shape for layer in network.layers] == [(2, 4, 4), (2, 4, 4), (3,)]
    assert str(network.layer("head")) == "layer head 'Linear(in_features=2, out_features=3, bias=True)'"
    assert network.classes == ("a", "b", "c")


def test_a_layer_that_isnt_there_names_the_nearest_and_all():
    every = (
        "1 'conv 2 3 same'; 2.body.1 'conv 2 3 same'; 2.body.2 'relu'; 2 'residual'; 3.0.1 'conv 1 1'; "
        "3.1.1 'maxpool 1'; 3 'branches'; 4 'flatten'; 5 'linear 3'"
    )
    network = written()
    assert refused(network.layer, "9") == f"there is no layer '9'; the layers are {every}"
    assert refused(network.layer, "0") == f"there is no layer '0'; the layers are {every}"
    want = f"there is no layer '2.body.3'; did you mean '2.body.2'? The layers are {every}"
    assert refused(network.layer, "2.body.3") == want


def test_the_last_convolution_and_the_last_linear_layer():
    network = written()
    assert network.last_convolution() is network.layer("3.0.1")
    assert network.last_hidden() is network.layer("5")
    bare = Network.of(nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten()), (3, 4, 4))
    assert (bare.last_convolution(), bare.last_hidden(), bare.device) == (None, None, torch.device("cpu"))


def test_a_neuron_that_isnt_there_is_told_with_what_there_is():
    conv, linear = written().layer("1"), written().layer("5")
    assert conv.place((1, 3, 0)) == (1, 3, 0)
    assert linear.place((2,)) == (2,)
    gives = "layer 1 'conv 2 3 same' gives 2×4×4: channel 0 to 1, row 0 to 3, column 0 to 3"
    for neuron in ((2, 0, 0), (0, 4, 0), (0, 0, -1), (0, 0, 1.5)):
        assert refused(conv.place, neuron) == f"{gives}; {','.join(map(str, neuron))} is outside"
    assert refused(conv.place, (0, 0)) == f"{gives}; give 3 numbers, not 0,0"
    assert refused(linear.place, (3,)) == "layer 5 'linear 3' gives 3: number 0 to 2; 3 is outside"


def test_a_module_that_is_no_classifier_for_such_pictures_is_refused():
    assert re.fullmatch(
        r"the model can't take a picture of 3×6×6: RuntimeError: Given groups=1, .*",
        refused(Network.of, Shared(), (3, 6, 6)),
    )
    wanted = "for one picture; a classifier gives (1, classes)"
    assert refused(Network.of, nn.Conv2d(1, 2, 3), (1, 6, 6)) == f"the model gives (1, 2, 4, 4) {wanted}"
    lstm = nn.Sequential(nn.Flatten(), nn.LSTM(4, 2))
    assert refused(Network.of, lstm, (1, 2, 2)) == f"the model gives tuple {wanted}"


def test_looking_leaves_modes_and_hooks_as_they_were_also_when_it_fails():
    model = Shared().train()
    model.head.eval()
    Network.of(model, (1, 6, 6))
    refused(Network.of, model, (3, 6, 6))
    assert [each.training for each in model.modules()] == [True, True, True, True, False]
    assert not any(each._forward_hooks or each._forward_pre_hooks for each in model.modules())
