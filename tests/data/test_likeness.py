"""likeness: what counts as nearly the same, formula by formula."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from neocog.data import likeness
from neocog.data.likeness import Near, Pictures, near


def strangers(count: int, seed: int, shape: tuple[int, int, int] = (16, 16, 1)) -> np.ndarray:
    """Blocks of random brightness, which a coarse grid sees, with noise over them."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 220, (count, shape[0] // 4, shape[1] // 4, shape[2])).repeat(4, 1).repeat(4, 2)
    return (coarse + random.integers(-20, 21, coarse.shape)).astype(np.uint8)


def noisy(picture: np.ndarray) -> np.ndarray:
    """A copy with r ≈ 0.98."""
    return (picture + np.random.default_rng(4).normal(0, 12, picture.shape)).clip(0, 255).astype(np.uint8)


def strokes(count: int, seed: int) -> np.ndarray:
    """Strokes of a pen: lean, place and width vary, and there is no other detail."""
    random = np.random.default_rng(seed)
    down, right = np.mgrid[:28, :28] - 13.5
    lean, place, width = (random.normal(*words, count)[:, None, None] for words in ((0, 0.15), (0, 0.6), (2, 0.3)))
    ink = np.exp(-(((right - place - lean * down) / width) ** 2)) * (abs(down) < 10)
    return (255 * ink).astype(np.uint8)[..., None]


def whole(*arrays: np.ndarray) -> Pictures:
    return Pictures(arrays, np.arange(sum(map(len, arrays))))


def found(images: np.ndarray) -> set[tuple[int, int]]:
    return {(min(each.first, each.second), max(each.first, each.second)) for each in near(whole(images), len(images))}


def test_pictures_of_several_arrays_are_taken_as_from_one() -> None:
    arrays = [strangers(5, 1), strangers(0, 2), strangers(3, 3)]
    pictures = Pictures(arrays, np.array([7, 0, 5, 4]))
    assert len(pictures) == 4
    np.testing.assert_array_equal(pictures.take([2, 0, 3, 0]), np.concatenate(arrays)[[5, 7, 4, 7]])
    together = whole(np.concatenate(arrays)[[7, 0, 5, 4]])
    np.testing.assert_array_equal(likeness._coarse(pictures), likeness._coarse(together))


def test_the_coarse_means_are_those_of_the_cells() -> None:
    picture = np.arange(10 * 9, dtype=np.uint8).reshape(1, 10, 9, 1)
    rows, columns = [0, 1, 2, 4, 5, 6, 8, 9, 10], [0, 1, 2, 3, 4, 6, 7, 8, 9]
    want = [
        [picture[0, top:bottom, left:right].mean() for left, right in pairwise(columns)]
        for top, bottom in pairwise(rows)
    ]
    assert likeness._means(picture, 8)[0, ..., 0] == pytest.approx(np.array(want))


def test_correlations_are_numpys_with_each_channels_mean_taken_out() -> None:
    images = strangers(6, 1, (8, 12, 3))
    centred = (images - images.mean(axis=(1, 2), keepdims=True)).reshape(6, -1)
    want = [np.corrcoef(centred[first], centred[second])[0, 1] for first, second in ((0, 1), (2, 5), (3, 3))]
    agree = likeness._correlations(whole(images), np.array([0, 2, 3]), np.array([1, 5, 3]))
    assert agree == pytest.approx(want, abs=1e-6)


def test_what_is_flat_is_like_nothing() -> None:
    plain = np.full((4, 200, 200, 3), (200, 30, 90), np.uint8)
    plain[1] = (201, 30, 90)
    plain[2:] = 0
    plain[3, 5, 5] = 1  # of 120,000 values
    assert not likeness._standard(plain.astype(np.float32)).any()
    assert found(plain) == set()


def test_the_highest_of_sixteen_bound_the_number_above_a_limit() -> None:
    alike = np.random.default_rng(1).normal(size=(3, 16 * 4 + 5)).astype(np.float32)
    highest = likeness._of_sixteen(alike)
    assert highest.shape == (3, 4 + 5)
    for row in range(3):
        want = [alike[row, place : 16 * 4 : 4].max() for place in range(4)] + list(alike[row, 64:])
        assert list(highest[row]) == want


def test_all_but_equal_is_found_in_a_crowd_too() -> None:
    random = np.random.default_rng(0)
    images = strangers(1, 1).repeat(30, 0)
    images[:, 1::2, 1::2] += random.integers(0, 3, (30, 8, 8, 1), np.uint8)
    pairs = list(near(whole(images, strangers(100, 2)), 130))
    assert {each.first for each in pairs} == set(range(30))
    assert all(each.second < 30 and each.alike >= 0.995 for each in pairs)
    assert max(sum(each.first == row for each in pairs) for row in range(30)) == likeness.CROWD


def test_what_is_found_does_not_depend_on_how_many_rows_are_looked_at() -> None:
    images = strangers(60, 2)
    images[40] = noisy(images[3])
    images[50] = (images[9] * 0.7 + 20).astype(np.uint8)
    every = list(near(whole(images), 60))
    assert {(each.first, each.second) for each in every} == {(3, 40), (40, 3), (9, 50), (50, 9)}
    assert list(near(whole(images), 10)) == [each for each in every if each.first < 10]
    assert list(near(whole(images), 0)) == []
    assert isinstance(every[0], Near)


def test_the_tenth_nearest_is_all_that_few_pictures_lack() -> None:
    images = strangers(11, 2)
    images[10] = noisy(images[3])
    assert found(images) == {(3, 10)}
    assert found(images[1:]) == set(), "nobody is the tenth"


def test_a_stroke_among_strokes_stands_out_and_is_no_duplicate(monkeypatch: pytest.MonkeyPatch) -> None:
    images = whole(strokes(100, 1))
    monkeypatch.setattr(likeness, "CERTAIN", 1.1)
    assert list(near(images, 25)) == []
    monkeypatch.setattr(likeness, "CLEARER", -1)
    monkeypatch.setattr(likeness, "TELLING", 1)
    assert list(near(images, 25)), "only their details tell"


def textures() -> tuple[np.ndarray, list[np.ndarray]]:
    """A picture, and nine with its blocks and details of their own."""
    random = np.random.default_rng(3)
    coarse = random.integers(60, 190, (4, 4, 1)).repeat(8, 0).repeat(8, 1)
    ten = [(coarse + random.normal(0, 25, coarse.shape)).clip(0, 255).astype(np.uint8) for _ in range(10)]
    return ten[0], ten[1:]


def test_details_have_to_be_clearer_than_the_crowds_and_to_tell_enough() -> None:
    picture, crowd = textures()
    moved = np.roll(picture, (1, -2), axis=(0, 1))

    def clearer(other: int, *all_others: np.ndarray) -> bool:
        rest = np.array([place for place in range(1, 11) if place != other])
        return likeness._clearer(whole(np.stack([picture, *all_others])), 0, other, rest, 0.95)

    assert clearer(1, moved, *crowd)
    assert not clearer(2, moved, *crowd)
    assert clearer(1, moved, *[moved] * 4, *crowd[:5]), "four copies more are none of the median's business"
    assert not clearer(1, moved, *[moved] * 5, *crowd[:4]), "a crowd with the same details, such as a stroke"


@pytest.mark.parametrize(("usual", "agree", "want"), [(0.28, 0.8, True), (0.29, 0.94, False), (0.29, 0.95, True)])
def test_where_details_tell_little_pixels_have_to_agree(
    monkeypatch: pytest.MonkeyPatch, usual: float, agree: float, want: bool
) -> None:
    monkeypatch.setattr(likeness, "_alike_at_best", lambda own, their: np.array([usual + 0.36, usual, usual, 0, 1]))
    assert likeness._clearer(whole(strangers(5, 1)), 0, 1, np.array([2, 3, 4]), agree) is want
    monkeypatch.setattr(likeness, "_alike_at_best", lambda own, their: np.array([usual + 0.34, usual, usual, 0, 1]))
    assert not likeness._clearer(whole(strangers(5, 1)), 0, 1, np.array([2, 3, 4]), agree)


def test_details_are_compared_at_their_best_shift() -> None:
    picture, crowd = textures()
    own = likeness._details(picture[None])
    others = likeness._details(np.stack([np.roll(picture, (1, -2), axis=(0, 1)), *crowd]))
    want = [
        max(
            np.corrcoef(own[0, 2:-2, 2:-2].ravel(), each[down : down + 28, right : right + 28].ravel())[0, 1]
            for down in range(5)
            for right in range(5)
        )
        for each in others
    ]
    assert likeness._alike_at_best(own, others) == pytest.approx(want, abs=1e-5)
    assert want[0] > 0.9 > max(want[1:])
