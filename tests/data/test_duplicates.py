"""duplicates: exact copies, changed copies, look-alikes and strangers, within a part and across parts."""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from neocog.data import likeness, mnist
from neocog.data.duplicates import Pair, across, duplicate_findings, within


def pictures(count: int, seed: int, shape: tuple[int, int, int] = (16, 16, 1)) -> np.ndarray:
    """Strangers: blocks of random brightness, which a coarse grid sees, with noise over them."""
    random = np.random.default_rng(seed)
    coarse = random.integers(30, 220, (count, shape[0] // 4, shape[1] // 4, shape[2])).repeat(4, 1).repeat(4, 2)
    return (coarse + random.integers(-20, 21, coarse.shape)).astype(np.uint8)


def photographs(count: int, seed: int) -> np.ndarray:
    """Colour pictures with detail of all sizes, less the finer, as photographs have."""
    frequency = np.hypot(np.fft.fftfreq(32)[:, None], np.fft.fftfreq(32))
    noise = np.random.default_rng(seed).normal(size=(count, 32, 32, 3))
    waves = np.fft.fft2(noise.mean(axis=3, keepdims=True) * 2 + noise, axes=(1, 2))
    waves /= np.maximum(frequency, 1 / 32)[..., None] ** 1.5
    return (128 + 1.2 * np.fft.ifft2(waves, axes=(1, 2)).real).clip(0, 255).astype(np.uint8)


def recompressed(picture: np.ndarray) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(picture).save(file, "JPEG", quality=50)
    return np.asarray(Image.open(file))


def brighter(picture: np.ndarray) -> np.ndarray:
    return (picture.astype(int) + 30).clip(0, 255).astype(np.uint8)


def duller(picture: np.ndarray) -> np.ndarray:
    return (picture * 0.6 + 40).round().astype(np.uint8)


def tinted(picture: np.ndarray) -> np.ndarray:
    return (picture * 0.7 + np.array([0, 30, 60])).round().astype(np.uint8)


def shifted(picture: np.ndarray) -> np.ndarray:
    return np.roll(picture, 1, axis=1)


CHANGES = [recompressed, brighter, duller, tinted, shifted]


@pytest.mark.parametrize("change", CHANGES)
def test_changed_copies_of_photographs_are_found_and_nothing_else(change: Callable[[np.ndarray], np.ndarray]) -> None:
    train = photographs(120, 1)
    copies = np.stack([change(picture) for picture in train[:6]])
    assert within(np.concatenate([train, copies])) == [(place, 120 + place) for place in range(6)]
    assert [(pair.first, pair.second, pair.exact) for pair in across(copies, train)] == [
        (k, k, False) for k in range(6)
    ]
    assert within(train) == []


def test_no_two_of_mnists_are_one() -> None:
    images = mnist.read("test").images[:1000]
    assert within(images) == []
    copies = np.concatenate([images, duller(images[:9]), images[5:6]])
    assert within(copies) == [
        (place, 1000 + place, 1009) if place == 5 else (place, 1000 + place) for place in range(9)
    ]


def test_strangers_are_no_duplicates() -> None:
    assert across(pictures(40, 1), pictures(300, 2)) == []


@pytest.mark.parametrize("shape", [(16, 16, 1), (16, 24, 3), (4, 4, 1)])
def test_exact_and_near_copies_are_found_with_their_difference(shape: tuple[int, int, int]) -> None:
    train, test = pictures(200, 2, shape), pictures(5, 1, shape)
    test[1] = train[70]
    test[3] = train[80]
    test[3, 0, 0, 0] ^= 4
    found = across(test, train)
    assert found == [Pair(1, 70, 0.0), Pair(3, 80, 4 / train[0].size)]
    assert [pair.exact for pair in found] == [True, False]
    assert within(np.concatenate([train, test])) == [(70, 201), (80, 203)]


def test_another_brightness_and_contrast_is_near() -> None:
    train, test = pictures(200, 2), duller(pictures(200, 2)[12:13])
    (pair,) = across(test, train)
    assert (pair.first, pair.second) == (0, 12)
    assert pair.difference == pytest.approx(np.abs(test[0].astype(float) - train[12]).mean())


def test_each_is_paired_with_the_one_it_is_most_like() -> None:
    train, test = photographs(100, 2), photographs(1, 1).repeat(2, 0)
    train[4], train[7], train[9] = shifted(test[0]), recompressed(test[0]), shifted(shifted(test[0]))
    assert [(pair.first, pair.second) for pair in across(test, train)] == [(0, 7), (1, 7)]
    train[50] = test[0]
    assert across(test, train) == [Pair(0, 50, 0.0), Pair(1, 50, 0.0)]


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
    train[5:25] = train[5]
    assert [pair.second for pair in across(noisy()[None], train)] == [5], "exact copies are no crowd"


def test_few_pictures_have_no_crowd_and_need_to_be_all_but_equal() -> None:
    train = pictures(4, 2)
    almost = train[2].copy()
    almost[0, 0, 0] ^= 8
    assert [pair.second for pair in across(almost[None], train)] == [2]
    assert within(np.concatenate([train, almost[None]])) == [(2, 4)]


def test_pictures_of_one_colour_are_alike_only_when_equal() -> None:
    colours = [(0, 0, 0), (9, 9, 9), (200, 30, 30), (0, 0, 0), (201, 30, 31), (255, 255, 255)]
    flat = np.stack([np.full((8, 8, 3), colour, np.uint8) for colour in colours])
    assert within(flat) == [(0, 3)]
    assert across(flat[:3], flat[3:]) == [Pair(0, 0, 0.0)]
    assert within(np.concatenate([flat, photographs(30, 1)[:, ::4, ::4]])) == [(0, 3)]


def test_the_work_in_pieces_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    train, test = pictures(200, 2), pictures(30, 1)
    test[4], test[28], test[29] = train[3], train[199], test[0]
    whole, seen = across(test, train), []
    monkeypatch.setattr(likeness, "_VALUES_AT_ONCE", 1400)
    assert across(test, train, progress=lambda *words: seen.append(words)) == whole
    assert seen[0] == ("looking for duplicates", 6, 27) and seen[-1] == ("looking for duplicates", 27, 27)


def test_the_nearest_is_numpys_by_brute_force() -> None:
    train, test = pictures(60, 2), pictures(20, 1)
    test[::2] = np.clip(train[:10].astype(int) + np.random.default_rng(1).integers(-6, 7, (10, 16, 16, 1)), 0, 255)
    found = {pair.first: pair.second for pair in across(test, train)}
    for row in range(0, 20, 2):
        r = [np.corrcoef(test[row].ravel(), other.ravel())[0, 1] for other in train]
        assert found[row] == int(np.argmax(r)) == row // 2


@settings(max_examples=5, deadline=None, database=None)
@given(st.integers(0, 10**6), st.lists(st.tuples(st.integers(0, 29), st.sampled_from(CHANGES)), max_size=12))
def test_a_pair_across_two_arrays_is_in_one_group_within_both(
    seed: int, plan: list[tuple[int, Callable[[np.ndarray], np.ndarray]]]
) -> None:
    random = np.random.default_rng(seed)
    images = np.concatenate([photographs(30, seed), *[change(photographs(30, seed)[k])[None] for k, change in plan]])
    images = np.concatenate([images, images[:3]])[random.permutation(len(images) + 3)]
    cut = int(random.integers(1, len(images)))
    group_of = {place: group for group in within(images) for place in group}
    pairs = across(images[:cut], images[cut:])
    assert all(pair.second + cut in group_of.get(pair.first, ()) for pair in pairs)
    # Hand-made: what is equal is found, whatever else is.
    for first in range(cut):
        equal = [k for k in range(cut, len(images)) if (images[first] == images[k]).all()]
        assert [pair.exact for pair in pairs if pair.first == first and equal] == [True] * bool(equal)


def told(
    places: dict[str, list[int]], labels: dict[str, list[int]], classes: tuple[str, ...] = ()
) -> dict[str, tuple[str, str, tuple[str, ...]]]:
    """The findings about parts made of pictures by number; a number and a half is a changed copy."""
    base = photographs(60, 1)
    made = {
        part: np.stack([base[int(k)] if k == int(k) else recompressed(base[int(k)]) for k in numbers])
        for part, numbers in places.items()
    }
    names = {part: [f"{part}/{row}.png" for row in range(len(numbers))] for part, numbers in places.items()}
    given = {part: np.array(some) for part, some in labels.items()}
    found = duplicate_findings(made, given, names, classes=classes)
    assert len({each.kind for each in found}) == len(found)
    return {each.kind: (each.level, each.text, each.files) for each in found}


def test_nothing_is_said_of_pictures_that_are_all_different() -> None:
    assert told({"train": list(range(40)), "test": list(range(40, 60))}, {"train": [0] * 40, "test": [1] * 20}) == {}
    assert duplicate_findings({}, {}, {}) == []
    empty = np.empty((0, 8, 8, 1), np.uint8)
    assert duplicate_findings({"train": empty, "test": empty}, {"train": empty, "test": empty}, {}) == []


def test_exact_copies_within_a_part() -> None:
    found = told({"train": [*range(30), 3, 8, 3, 3]}, {"train": [0] * 34})
    assert found == {
        "exact-duplicates": (
            "warning",
            "train holds 2 pictures more than once, in 6 files: 'train/3.png', 'train/30.png' and 2 more;"
            " 'train/8.png' and 'train/31.png'; keep one of each",
            tuple(f"train/{row}.png" for row in (3, 30, 32, 33, 8, 31)),
        )
    }


def test_near_copies_within_a_part() -> None:
    found = told({"train": [*range(30), 3.5, 3, 8.5]}, {"train": [0] * 33})
    assert set(found) == {"exact-duplicates", "near-duplicates"}
    assert found["near-duplicates"] == (
        "note",
        "train holds 5 pictures that are nearly the same as others, in 2 groups: 'train/3.png' and 'train/30.png';"
        " 'train/8.png' and 'train/32.png'; look at them, and keep one of each",
        tuple(f"train/{row}.png" for row in (3, 31, 30, 8, 32)),
    )


def test_pictures_that_are_in_two_parts() -> None:
    places = {"train": list(range(30)), "test": [40, 3, 8.5, 3, 12, 14, 41]}
    found = told(places, {part: [0] * len(some) for part, some in places.items()})
    assert set(found) == {"leaked-duplicates", "exact-duplicates"}
    files = ("test/1.png", "test/3.png", "train/3.png", "test/2.png", "train/8.png")
    assert found["leaked-duplicates"] == (
        "warning",
        "5 pictures of test are in train as well, 4 of them exactly: 'test/1.png' is 'train/3.png';"
        " 'test/2.png' is 'train/8.png'; 'test/4.png' is 'train/12.png'; and 1 more;"
        " look at them, and keep them in one part, or test accuracy comes out too good",
        (*files, "test/4.png", "train/12.png", "test/5.png", "train/14.png"),
    )
    one = told({"train": [*range(20)], "test": [2]}, {"train": [0] * 20, "test": [0]})["leaked-duplicates"]
    assert one[1] == (
        "1 picture of test is in train as well, exactly the same: 'test/0.png' is 'train/2.png';"
        " keep them in one part, or test accuracy comes out too good"
    )


def test_which_files_are_one_can_be_read_by_a_program() -> None:
    base = photographs(30, 1)
    train, test = base[[*range(20), 3, 7]], base[[25, 3, 7, 3]]
    names = {"train": [f"train/{row}" for row in range(22)], "test": [f"test/{row}" for row in range(4)]}
    labels = {"train": np.arange(22), "test": np.arange(4)}
    found = {
        (each.kind, each.files[0]): each for each in duplicate_findings({"train": train, "test": test}, labels, names)
    }
    threes, sevens = ("train/3", "train/20"), ("train/7", "train/21")
    assert {key: each.groups for key, each in found.items()} == {
        ("exact-duplicates", "train/3"): (threes, sevens),
        ("exact-duplicates", "test/1"): (("test/1", "test/3"),),
        ("leaked-duplicates", "test/1"): (("test/1", "test/3", *threes), ("test/2", *sevens)),
        ("contradicting-duplicates", "train/3"): ((*threes, "test/1", "test/3"), (*sevens, "test/2")),
    }
    assert all(each.files == sum(each.groups, ()) for each in found.values())


def test_one_picture_under_two_classes() -> None:
    places = {"train": [*range(30), 4, 5.5], "test": [6]}
    labels = {"train": [0] * 30 + [2, 1], "test": [0]}
    named = told(places, labels, ("cat", "dog", "hen"))["contradicting-duplicates"]
    assert named == (
        "warning",
        "2 pictures are there under two classes, 1 of them exactly: 'train/4.png' (cat) and 'train/30.png' (hen);"
        " 'train/5.png' (cat) and 'train/31.png' (dog); give each picture one class",
        ("train/4.png", "train/30.png", "train/5.png", "train/31.png"),
    )
    text = told({"train": [*range(30), 4]}, {"train": [0] * 30 + [2]})["contradicting-duplicates"][1]
    assert text == (
        "1 picture is there under two classes, exactly the same: 'train/4.png' and 'train/30.png';"
        " give each picture one class"
    )


def test_three_parts_are_compared_two_by_two_and_the_first_is_said_to_keep() -> None:
    places = {"train": list(range(20)), "validation": [30, 3], "test": [30, 3.5]}
    base = photographs(40, 1)
    images = {
        part: np.stack([base[int(k)] if k == int(k) else recompressed(base[int(k)]) for k in some])
        for part, some in places.items()
    }
    labels = {part: np.zeros(len(some), np.int64) for part, some in places.items()}
    names = {part: [f"{part}/{k}" for k in some] for part, some in places.items()}
    found = duplicate_findings(images, labels, names)
    assert [(each.kind, each.text.partition(":")[0]) for each in found] == [
        ("leaked-duplicates", "1 picture of validation is in train as well, exactly the same"),
        ("leaked-duplicates", "1 picture of test is in train as well, nearly the same"),
        ("leaked-duplicates", "2 pictures of test are in validation as well, 1 of them exactly"),
    ]


def test_a_name_that_is_no_utf8_can_be_printed() -> None:
    images = pictures(1, 1).repeat(2, 0)
    (found,) = duplicate_findings({"train": images}, {"train": np.zeros(2)}, {"train": ["caf\udce9.png", "b.png"]})
    assert "'caf\\udce9.png' and 'b.png'" in found.text
    assert found.files == ("caf\udce9.png", "b.png")
