"""duplicates: exact copies, changed copies and strangers, across parts and within one."""

from __future__ import annotations

import numpy as np
import pytest

from neocog.data import duplicates
from neocog.data.duplicates import Pair, across, groups


def pictures(count: int, seed: int, shape: tuple[int, int, int] = (16, 16, 1)) -> np.ndarray:
    """Strangers: blocks of random brightness, which a coarse grid sees, with noise over them."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 220, (count, shape[0] // 4, shape[1] // 4, shape[2])).repeat(4, 1).repeat(4, 2)
    return (coarse + random.integers(-20, 21, coarse.shape)).astype(np.uint8)


def test_strangers_are_no_duplicates() -> None:
    assert across(pictures(40, 1), pictures(300, 2)) == []
    assert groups(pictures(300, 2)) == []


@pytest.mark.parametrize("shape", [(16, 16, 1), (16, 24, 3), (4, 4, 1)])
def test_exact_and_near_copies_are_found_with_their_difference(shape: tuple[int, int, int]) -> None:
    train, test = pictures(200, 2, shape), pictures(5, 1, shape)
    test[1] = train[70]
    test[3] = train[80]
    test[3, 0, 0, 0] ^= 8
    found = across(test, train)
    assert found == [Pair(1, 70, 0.0), Pair(3, 80, 8 / train[0].size)]
    assert [pair.exact for pair in found] == [True, False]


def test_another_brightness_and_contrast_is_near() -> None:
    train, test = pictures(200, 2), pictures(1, 1)
    test[0] = (train[12] * 0.6 + 40).round()
    (pair,) = across(test, train)
    assert (pair.first, pair.second) == (0, 12)
    assert pair.difference == pytest.approx(np.abs(test[0].astype(float) - train[12]).mean())


def test_a_noisy_copy_stands_out_but_not_from_a_crowd_of_its_own() -> None:
    random = np.random.default_rng(0)
    base = pictures(1, 1)[0].astype(float)

    def noisy() -> np.ndarray:
        return (base + random.normal(0, 25, base.shape)).clip(0, 255).astype(np.uint8)

    train = pictures(200, 2)
    train[5] = noisy()
    assert [pair.second for pair in across(noisy()[None], train)] == [5]
    train[5:25] = [noisy() for _ in range(20)]
    assert across(noisy()[None], train) == []


def test_few_pictures_have_no_crowd_and_need_to_be_all_but_equal() -> None:
    train = pictures(4, 2)
    almost = train[2].copy()
    almost[0, 0, 0] ^= 8
    assert [pair.second for pair in across(almost[None], train)] == [2]
    assert groups(np.stack([*train, almost])) == [(2, 4)]


def test_pictures_of_one_grey_are_alike_only_when_equal() -> None:
    flat = np.stack([np.full((8, 8, 1), level, np.uint8) for level in (10, 10, 200)])
    assert across(flat[:1], flat[1:]) == [Pair(0, 0, 0.0)]
    assert groups(flat) == [(0, 1)]


def test_groups_join_what_hangs_together() -> None:
    images = pictures(120, 3)
    images[7] = images[50] = images[90]
    images[11] = images[12]
    images[11, 0, 0, 0] ^= 8
    assert groups(images) == [(7, 50, 90), (11, 12)]


def test_the_work_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = pictures(200, 2), pictures(30, 1)
    test[4], test[29] = train[3], train[199]
    whole, seen = across(test, train), []
    monkeypatch.setattr(duplicates, "_VALUES_AT_ONCE", 1400)
    assert across(test, train, progress=lambda *words: seen.append(words)) == whole
    assert seen[0] == ("looking for duplicates", 7, 30) and seen[-1] == ("looking for duplicates", 30, 30)


def test_the_nearest_is_numpys_by_brute_force() -> None:
    train, test = pictures(60, 2), pictures(20, 1)
    test[::2] = np.clip(train[:10].astype(int) + np.random.default_rng(1).integers(-6, 7, (10, 16, 16, 1)), 0, 255)
    found = {pair.first: pair.second for pair in across(test, train)}
    for row in range(0, 20, 2):
        r = [np.corrcoef(test[row].ravel(), other.ravel())[0, 1] for other in train]
        assert found[row] == int(np.argmax(r)) == row // 2
