"""batches: each picture once an epoch, every step the same whenever it is asked for, one left over joins."""

from __future__ import annotations

import hashlib
import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from neocog.data.augment import Augmentation
from neocog.data.batches import Batches, Normalization, class_weights, inference_batches

PLAIN = Normalization((0.0,), (1.0,))


def made(count: int = 10, batch_size: int = 4, seed: int = 3, **more: Any) -> Batches:
    """Pictures of 6×6 whose first pixel is their number, which is their label, too."""
    images = torch.randint(0, 256, (count, 6, 6, 1), dtype=torch.uint8, generator=torch.Generator().manual_seed(9))
    images[:, 0, 0, 0] = torch.arange(count, dtype=torch.uint8)
    given: dict[str, Any] = {"normalization": PLAIN, "augmentation": Augmentation(), **more}
    return Batches(images, torch.arange(count), batch_size, seed, **given)


def taken(batches: Batches, steps: int, first: int = 0) -> list[tuple[Tensor, Tensor]]:
    return list(itertools.islice(batches.from_step(first), steps))


def test_normalization_against_the_formula() -> None:
    images = torch.tensor([[[[0, 255, 51]]]], dtype=torch.uint8)
    x = Normalization((0.5, 0.2, 0.0), (0.25, 0.4, 1.0))(images)
    assert x.shape == (1, 3, 1, 1)
    torch.testing.assert_close(x.flatten(), torch.tensor([-2.0, 2.0, 0.2]), rtol=1e-6, atol=1e-6)


def test_normalization_gives_float32_in_channels_last() -> None:
    x = Normalization((0.1, 0.2, 0.3), (1.0, 1.0, 1.0))(torch.zeros(2, 5, 4, 3, dtype=torch.uint8))
    assert (x.dtype, x.shape) == (torch.float32, (2, 3, 5, 4))
    assert x.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize(
    ("count", "batch_size", "sizes"),
    [
        (10, 4, [4, 4, 2]),
        (8, 4, [4, 4]),
        (9, 4, [4, 5]),
        (5, 4, [5]),
        (3, 4, [3]),
        (1, 4, [1]),
        (4, 1, [1, 1, 1, 1]),
        (3, 2, [3]),
    ],
)
def test_sizes_of_an_epochs_batches(count: int, batch_size: int, sizes: list[int]) -> None:
    batches = made(count, batch_size)
    assert batches.per_epoch == len(sizes)
    assert [len(labels) for _, labels in taken(batches, 2 * len(sizes))] == sizes * 2


@pytest.mark.parametrize("count", [10, 9, 8])
def test_each_epoch_visits_each_picture_once_in_another_order(count: int) -> None:
    batches = made(count)
    epochs = [
        torch.cat([labels for _, labels in taken(batches, batches.per_epoch, epoch * batches.per_epoch)]).tolist()
        for epoch in range(3)
    ]
    for seen in epochs:
        assert sorted(seen) == list(range(count))
    assert len({tuple(seen) for seen in epochs}) == 3


def test_pictures_stay_with_their_labels() -> None:
    for x, labels in taken(made(), 6):
        torch.testing.assert_close(x[:, 0, 0, 0] * 255, labels.float(), rtol=0, atol=1e-4)


def test_without_shuffle_the_order_is_the_datas() -> None:
    assert torch.cat([labels for _, labels in taken(made(shuffle=False), 3)]).tolist() == list(range(10))


def test_the_order_is_the_stream_of_seed_and_epoch_worked_out_apart() -> None:
    number = int.from_bytes(hashlib.sha256(b"3/order/2").digest()[:8], "big") >> 1
    want = torch.randperm(10, generator=torch.Generator().manual_seed(number))
    assert torch.equal(made().order(2), want)


@pytest.mark.parametrize("first", [1, 2, 3, 7])
def test_starting_at_a_step_gives_the_bits_that_skipping_gives(first: int) -> None:
    batches = made(augmentation=Augmentation(shift=1, rotate=20, erase=0.3, elastic=1, flip=True))
    for (x, labels), (want_x, want_labels) in zip(
        taken(batches, 5, first), taken(batches, first + 5)[first:], strict=True
    ):
        assert torch.equal(x, want_x)
        assert torch.equal(labels, want_labels)


def test_two_seeds_differ_and_one_seed_repeats() -> None:
    change = Augmentation(shift=1)
    one, same, other = (taken(made(seed=seed, augmentation=change), 3) for seed in (0, 0, 1))
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, same, strict=True))
    assert not any(torch.equal(a[1], b[1]) for a, b in zip(one, other, strict=True))


def test_torchs_own_generator_is_neither_read_nor_moved() -> None:
    change = Augmentation(shift=1, erase=0.2)
    torch.manual_seed(1)
    one = taken(made(augmentation=change), 3)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    assert torch.equal(torch.get_rng_state(), state)
    torch.manual_seed(2)
    assert all(torch.equal(a[0], b[0]) for a, b in zip(one, taken(made(augmentation=change), 3), strict=True))


def test_inference_batches_keep_order_and_bound_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neocog.data.batches._VALUES_AT_ONCE", 4 * 36 + 1)
    images = made().images
    pieces = list(inference_batches(images, PLAIN, torch.device("cpu")))
    assert [len(piece) for piece in pieces] == [4, 4, 2]
    assert torch.equal(torch.cat(pieces), PLAIN(images))


def test_an_inference_batch_has_at_least_one_picture_and_at_most_a_thousand(monkeypatch: pytest.MonkeyPatch) -> None:
    small = torch.zeros(1001, 1, 1, 1, dtype=torch.uint8)
    assert [len(piece) for piece in inference_batches(small, PLAIN, torch.device("cpu"))] == [1000, 1]
    assert list(inference_batches(small[:0], PLAIN, torch.device("cpu"))) == []
    monkeypatch.setattr("neocog.data.batches._VALUES_AT_ONCE", 1)
    assert [len(piece) for piece in inference_batches(made(3).images, PLAIN, torch.device("cpu"))] == [1, 1, 1]


def test_class_weights_worked_by_hand() -> None:
    # N / (C·n_c): 6/(3·3), 6/(3·2), 6/(3·1); their mean over the pictures is 1.
    weights = class_weights(torch.tensor([0, 0, 0, 1, 1, 2]), 3)
    assert list(weights) == pytest.approx([2 / 3, 1.0, 2.0], rel=1e-12)
    assert sum(weights[label] for label in (0, 0, 0, 1, 1, 2)) / 6 == pytest.approx(1.0, rel=1e-12)


def test_a_class_without_pictures_has_a_finite_weight() -> None:
    assert list(class_weights(torch.tensor([0, 0]), 2)) == [0.5, 1.0]
