from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from pictures import noise

from neocog.data import NumberedNames, Split, room
from neocog.data.dataset import Part, checksum, keep, mean_and_std, take


@given(channels=st.sampled_from([1, 3]), count=st.integers(1, 30), seed=st.integers(0, 9))
def test_mean_and_std_are_numpys(channels: int, count: int, seed: int) -> None:
    images = np.random.default_rng(seed).integers(0, 256, (count, 5, 4, channels), dtype=np.uint8)
    mean, std = mean_and_std(images)
    np.testing.assert_allclose(mean, images.mean(axis=(0, 1, 2)) / 255, rtol=1e-12)
    np.testing.assert_allclose(std, images.std(axis=(0, 1, 2)) / 255, rtol=1e-9, atol=1e-12)


def test_mean_and_std_by_hand() -> None:
    images = np.array([0, 255, 255, 255], np.uint8).reshape(1, 2, 2, 1)
    assert mean_and_std(images) == ((0.75,), (pytest.approx(np.sqrt(3) / 4, rel=1e-15),))
    assert mean_and_std(np.full((2, 2, 2, 1), 51, np.uint8)) == ((0.2,), (1.0,))


@pytest.mark.parametrize("owned", [True, False])
def test_keep_and_take_give_the_named_pictures(owned: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHUNK", 60)  # three pictures at a time
    images = noise(0, (40 * 4, 5), 1).reshape(40, 4, 5, 1)
    part = Part(images.copy(), np.arange(40), NumberedNames("x", range(40)), owned)
    chosen = np.random.default_rng(0).permutation(40)[:10]
    kept, taken = np.setdiff1d(np.arange(40), chosen), np.sort(chosen)
    away, left = take(part, taken), keep(part, kept)
    for got, indices in ((away, taken), (left, kept)):
        np.testing.assert_array_equal(got.images, images[indices])
        np.testing.assert_array_equal(got.labels, indices)
        assert list(got.names) == [f"x/{index}" for index in indices]
    assert np.shares_memory(left.images, part.images) == owned


def test_names_are_made_when_asked_for() -> None:
    names = NumberedNames("mnist/train", np.array([3, 5, 8]))
    assert (len(names), names[-1], list(names[1:])) == (3, "mnist/train/8", ["mnist/train/5", "mnist/train/8"])
    assert "mnist/train/5" in names and names.index("mnist/train/8") == 2


def test_numbers_are_places_in_the_data_set() -> None:
    images = labels = torch.zeros(3, dtype=torch.uint8)
    numbered = Split(images, labels, NumberedNames("mnist/train", np.array([3, 5, 8])))
    named = Split(images, labels, ["c.png", "a.png", "b.png"])
    assert (numbered.numbers.tolist(), named.numbers.tolist()) == ([3, 5, 8], [0, 1, 2])
    assert numbered.numbers.dtype == named.numbers.dtype == np.int64


def test_the_checksum_knows_every_part_of_the_data() -> None:
    images, labels = noise(0, (3, 4), 1)[..., None, None], np.arange(3)
    base = checksum(("a", "b"), [("train", images, labels)])
    changed = images.copy()
    changed[2, 3] ^= 1
    others = {
        checksum(("a", "c"), [("train", images, labels)]),
        checksum(("a", "b"), [("test", images, labels)]),
        checksum(("a", "b"), [("train", changed, labels)]),
        checksum(("a", "b"), [("train", images, labels[::-1])]),
        checksum(("a", "b"), [("train", images.reshape(3, 2, 2, 1), labels)]),
    }
    assert len(others | {base}) == 6
    assert base == checksum(("a", "b"), [("train", np.asfortranarray(images), labels.astype(np.uint8))])
