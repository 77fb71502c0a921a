"""Feature maps of one layer and of all."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neocog.errors import ExplanationError
from neocog.explanations.maps import FeatureMaps, every_feature_map, feature_maps
from neocog.explanations.network import Network
from neocog.layers import parse


def test_a_map_is_what_the_layer_gives_before_anything_works_on_it_in_place():
    model = nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU(inplace=True), nn.Flatten(), nn.Linear(8, 3))
    with torch.no_grad():
        model[0].weight[:] = torch.tensor([2.0, -1.0]).reshape(2, 1, 1, 1)
        model[0].bias[:] = torch.tensor([0.0, 5.0])
    network = Network.of(model, (1, 2, 2))
    x_1CHW = torch.tensor([[[[1.0, -2.0], [3.0, 8.0]]]])
    found = feature_maps(network, x_1CHW, "0")
    assert found.layer is network.layer("0")
    assert found.maps_CHW.tolist() == [[[2, -4], [6, 16]], [[4, 7], [2, -3]]]
    assert feature_maps(network, x_1CHW, "1").maps_CHW.tolist() == [[[2, 0], [6, 16]], [[4, 7], [2, 0]]]
    assert feature_maps(network, x_1CHW, "2").maps_CHW.ravel().tolist() == [2, 0, 6, 16, 4, 7, 2, 0]
    assert [each.maps_CHW.shape for each in every_feature_map(network, x_1CHW)] == [
        (2, 2, 2), (2, 2, 2), (8, 1, 1), (3, 1, 1),
    ]  # fmt: skip


def test_every_layer_of_a_text_has_its_maps():
    layers = parse("residual( conv 2 3 same ; conv 2 1 ) | maxpool 2 | globalavgpool | flatten | linear classes")
    network = Network.of(layers.build((1, 6, 6), 4), (1, 6, 6), layers=layers)
    x_1CHW = torch.rand(1, 1, 6, 6)
    found = every_feature_map(network, x_1CHW)
    assert [each.layer.number for each in found] == ["1.body.1", "1.shortcut.1", "1", "2", "3", "4", "5"]
    assert all(each.maps_CHW.size == np.prod(each.layer.output_shape) for each in found)
    np.testing.assert_array_equal(found[2].maps_CHW, found[0].maps_CHW + found[1].maps_CHW)
    np.testing.assert_array_equal(found[-1].maps_CHW.ravel(), network.model(x_1CHW)[0].detach().numpy())
    assert found[0].maps_CHW.dtype == np.float32
    assert network.model.training  # as it was


def test_the_strongest_channels_have_the_largest_value_of_either_sign():
    layer = Network.of(nn.Flatten(), (1, 2, 2)).layers[0]
    maps = FeatureMaps(layer, np.array([1, -9, 3, 0, 3], dtype=np.float32).reshape(5, 1, 1))
    assert maps.strongest(2) == (1, 2)
    assert maps.strongest(3) == (1, 2, 4)
    assert maps.strongest(9) == (0, 1, 2, 3, 4)


def test_a_sequence_is_one_map_and_a_layer_that_isnt_passed_is_told():
    class Sometimes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rows, self.last, self.bright = nn.Linear(3, 4), nn.Linear(4, 2), nn.Identity()

        def forward(self, x):
            x = self.last(self.rows(x[:, 0])).mean(1)
            return x if x.sum() > 1e6 else self.bright(x)

    model = Sometimes()
    network = Network.of(model, (1, 5, 3))
    assert feature_maps(network, torch.zeros(1, 1, 5, 3), "rows").maps_CHW.shape == (1, 5, 4)
    with torch.no_grad():
        model.last.bias += 1e7
    with pytest.raises(ExplanationError) as error:
        feature_maps(network, torch.zeros(1, 1, 5, 3), "bright")
    assert str(error.value) == (
        "layer bright 'Identity()': the picture doesn't pass it, or it gives no tensor; choose another layer"
    )
