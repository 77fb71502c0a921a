"""The nearest training pictures, against comparing one by one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from neocog.data import batches
from neocog.data.batches import Normalization
from neocog.errors import ExplanationError
from neocog.explanations.neighbours import nearest
from neocog.explanations.network import Network
from neocog.layers import parse

NORMAL = Normalization((0.2,), (0.5,))
PIXELS = Normalization((0.0,), (1 / 255,))  # x is the pixel's own number
CLASSES = ("low", "high")


def pictures(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, 6, 5, 1), dtype=np.uint8)


def plane() -> Network:
    """A picture of two pixels is its own last hidden layer."""
    layers = parse("flatten | linear classes")
    return Network.of(layers.build((1, 1, 2), 2), (1, 1, 2), CLASSES, layers)


def points(*places: tuple[int, int]) -> np.ndarray:
    return np.array(places, dtype=np.uint8).reshape(-1, 1, 2, 1)


def ask(network: Network, here: np.ndarray, images: np.ndarray, normalization: Normalization = PIXELS, **how):
    labels = np.arange(len(images)) % 2
    names = [f"picture {place}" for place in range(len(images))]
    x_1CHW = normalization(torch.from_numpy(here))
    return nearest(network, x_1CHW, images, labels, names, CLASSES, normalization, **how)


def test_distances_worked_out_by_hand():
    images = points((10, 10), (13, 14), (10, 22), (10, 11))
    first, second, third = ask(plane(), points((10, 10)), images, k=3)
    assert (first.index, first.distance, first.same) == (0, 0.0, True)
    assert (second.index, second.distance, second.same) == (3, pytest.approx(1, rel=1e-5), False)
    assert (third.index, third.distance) == (1, pytest.approx(5, rel=1e-5))
    assert (third.name, third.label) == ("picture 1", "high")
    assert third.picture.tolist() == [[[13], [14]]]
    assert third.picture.dtype == np.uint8


def test_of_equally_near_ones_the_first_is_taken_whatever_the_batches(monkeypatch):
    images = points((0, 9), (5, 6), (5, 4), (4, 5), (6, 5), (5, 6), (9, 9))
    for at_once in (1, 2, 3, 1000):
        monkeypatch.setattr(batches, "_PICTURES_AT_ONCE", at_once)
        assert [each.index for each in ask(plane(), points((5, 5)), images, k=4)] == [1, 2, 3, 4]


@pytest.mark.parametrize("at_once", [7, 1000])
def test_neighbours_are_those_of_comparing_all_one_by_one(monkeypatch, at_once):
    torch.manual_seed(0)
    layers = parse("conv 3 3 | batchnorm | relu | maxpool 2 | flatten | linear 6 | dropout 0.5 | relu | linear classes")
    model = layers.build((1, 6, 5), 2).train()
    monkeypatch.setattr(batches, "_PICTURES_AT_ONCE", at_once)
    images, told = pictures(40), []
    here = pictures(1, seed=9)
    found = ask(
        Network.of(model, (1, 6, 5), CLASSES, layers), here, images, NORMAL, k=6, progress=lambda *at: told.append(at)
    )
    assert model.training
    hidden = model.eval()[:-1]
    with torch.no_grad():
        values = [hidden(NORMAL(torch.from_numpy(each[None])))[0].double().numpy() for each in [*images, here[0]]]
    distances = np.array([np.sqrt(((value - values[-1]) ** 2).sum()) for value in values[:-1]])
    assert [each.index for each in found] == np.argsort(distances, kind="stable")[:6].tolist()
    np.testing.assert_allclose([each.distance for each in found], np.sort(distances)[:6], rtol=1e-4)
    assert told[-1] == ("comparing with the training pictures", 40, 40)
    assert len(told) == (6 if at_once == 7 else 1)


def test_the_same_picture_is_at_0_and_one_that_only_looks_the_same_to_the_network_isnt_it():
    layers = parse("avgpool 1x2 | flatten | linear classes")
    network = Network.of(layers.build((1, 1, 2), 2), (1, 1, 2), CLASSES, layers)
    found = ask(network, points((100, 101)), points((101, 100), (100, 101)), NORMAL)
    assert [(each.index, each.same, each.distance) for each in found] == [(0, False, 0.0), (1, True, 0.0)]


def test_no_more_than_there_are_and_none_is_refused():
    assert [each.index for each in ask(plane(), points((0, 0)), points((2, 2), (1, 1)))] == [1, 0]
    for network, images, text in (
        (plane(), points(), "there are no training pictures to compare with; give at least one"),
        (
            Network.of(nn.Sequential(nn.Conv2d(1, 2, 1), nn.AdaptiveAvgPool2d(1), nn.Flatten()), (1, 1, 2)),
            points((1, 1)),
            "the network has no linear layer, so there is no last hidden layer to compare in",
        ),
        (
            Network.of(Patches(), (1, 1, 2)),
            points((1, 1)),
            "layer head 'Linear(in_features=1, out_features=2, bias=True)' takes 2 rows for 1 pictures, not one for "
            "each",
        ),
    ):
        with pytest.raises(ExplanationError) as error:
            ask(network, points((1, 2)), images)
        assert str(error.value) == text


class Patches(nn.Module):
    """A linear layer that takes each pixel for itself."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(1, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(x.reshape(-1, 1)).reshape(len(x), -1, 2).mean(1)
