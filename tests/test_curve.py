"""curve: the sums between two points, the first loss that is no number, and which pictures a batch was made of."""

from __future__ import annotations

import math

import pytest
import torch

from neocog.curve import Curve, Plan
from neocog.data.augment import Augmentation
from neocog.data.batches import Batches, Normalization


def filled(losses: list[float]) -> Curve:
    curve = Curve()
    for loss in losses:
        curve.add(torch.tensor(loss), torch.tensor([[0.1, 0.9], [0.8, 0.2]]), torch.tensor([1, 1]))
    return curve


@pytest.mark.parametrize(
    ("losses", "want"),
    [
        ([], None),
        ([1.0, 2.0], None),
        ([1.0, math.inf, math.nan], (9, math.inf)),
        ([-math.inf, 1.0, 1.0], (8, -math.inf)),
    ],
)
def test_the_first_loss_that_is_no_number(losses: list[float], want: tuple[int, float] | None) -> None:
    assert filled(losses).fault(10) == want


def test_a_loss_that_is_nan() -> None:
    step, loss = filled([1.0, math.nan]).fault(10) or (0, 0.0)
    assert (step, math.isnan(loss)) == (10, True)


def test_a_point_holds_the_means_and_begins_anew() -> None:
    curve = filled([1.0, 4.0])
    point = curve.point(10, Plan(20, 4), 0.5, (0.25, 0.75))
    assert (point.step, point.epoch, point.rate, point.train_loss, point.batch_loss) == (10, 2.5, 0.5, 2.5, 4.0)
    assert (point.train_accuracy, point.batch_accuracy) == (0.5, 0.5)
    assert (point.validation_loss, point.validation_accuracy) == (0.25, 0.75)
    assert curve.tensors() == {}
    curve.add(torch.tensor(3.0), torch.tensor([[0.1, 0.9]]), torch.tensor([1]))
    assert (curve.point(11, Plan(20, 4), 0.5, None).train_loss, curve.seen) == (3.0, 0)


@pytest.mark.parametrize(("count", "size"), [(10, 3), (11, 4), (8, 4), (3, 5)])
@pytest.mark.parametrize("shuffle", [False, True])
def test_the_places_of_a_step_are_those_it_was_made_of(count: int, size: int, shuffle: bool) -> None:
    images = torch.zeros(count, 2, 2, 1, dtype=torch.uint8)
    plain = Normalization((0.0,), (1.0,))
    batches = Batches(images, torch.arange(count), size, 7, plain, Augmentation(), shuffle=shuffle)
    for step, (_, labels) in zip(range(2 * batches.per_epoch), batches.from_step(0), strict=False):
        assert torch.equal(batches.places(step), labels)  # the label of each picture is its place
