"""duplicates: exact copies, changed copies, look-alikes and strangers."""

from __future__ import annotations

import numpy as np
import pytest

from neocog.data import duplicates
from neocog.data.duplicates import Pair, across


def pictures(count: int, seed: int, shape: tuple[int, int, int] = (16, 16, 1)) -> np.ndarray:
    """Strangers: blocks of random brightness, which a coarse grid sees, with noise over them."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 220, (count, shape[0] // 4, shape[1] // 4, shape[2])).repeat(4, 1).repeat(4, 2)
    return (coarse + random.integers(-20, 21, coarse.shape)).astype(np.uint8)


def test_strangers_are_no_duplicates() -> None:
    assert across(pictures(40, 1), pictures(300, 2)) == []


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
        return (base + random.normal(0, 12, base.shape)).clip(0, 255).astype(np.uint8)

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


def test_pictures_of_one_grey_are_alike_only_when_equal() -> None:
    flat = np.stack([np.full((8, 8, 1), level, np.uint8) for level in (10, 10, 200)])
    assert across(flat[:1], flat[1:]) == [Pair(0, 0, 0.0)]


def strokes(count: int, seed: int) -> np.ndarray:
    """Strokes of a pen: lean, place and width vary, and there is no other detail."""
    random = np.random.default_rng(seed)
    down, right = np.mgrid[:28, :28] - 13.5
    lean, place, width = (random.normal(*words, count)[:, None, None] for words in ((0, 0.15), (0, 0.6), (2, 0.3)))
    ink = np.exp(-(((right - place - lean * down) / width) ** 2)) * (abs(down) < 10)
    return (255 * ink).astype(np.uint8)[..., None]


def test_a_stroke_among_strokes_stands_out_and_is_no_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = strokes(300, 1), strokes(20, 2)
    monkeypatch.setattr(duplicates, "CERTAIN", 1.1)
    assert across(test, train) == []
    monkeypatch.setattr(duplicates, "CLEARER", -1)
    assert across(test, train), "only their details tell"


def test_details_are_compared_at_their_best_shift_against_the_crowds() -> None:
    random = np.random.default_rng(3)
    coarse = random.integers(60, 190, (4, 4, 1)).repeat(8, 0).repeat(8, 1)

    def textured() -> np.ndarray:
        return (coarse + random.normal(0, 25, coarse.shape)).clip(0, 255).astype(np.uint8)

    picture, crowd = textured(), [textured() for _ in range(9)]
    moved = np.roll(picture, (1, -2), axis=(0, 1))
    others = np.stack([moved, *crowd])
    assert duplicates._clearer(picture[None], others, duplicates._Candidate(0, 0, tuple(range(1, 10))))
    assert not duplicates._clearer(picture[None], others, duplicates._Candidate(0, 1, (0, *range(2, 10))))
    # A crowd that has the same details as well, such as a stroke that all writers make.
    alike = np.stack([moved, *[moved] * 5, *crowd[:4]])
    assert not duplicates._clearer(picture[None], alike, duplicates._Candidate(0, 0, tuple(range(1, 10))))
    found = duplicates._alike_at_best(duplicates._details(picture[None]), duplicates._details(others))
    want = [
        max(
            np.corrcoef(
                duplicates._details(picture[None])[0, 2:-2, 2:-2].ravel(),
                duplicates._details(each[None])[0, down : down + 28, right : right + 28].ravel(),
            )[0, 1]
            for down in range(5)
            for right in range(5)
        )
        for each in others
    ]
    assert found == pytest.approx(want, abs=1e-5)


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
