"""Names as data sets of the world have them: those that must be reported, and those that must not."""

from __future__ import annotations

import random

import pytest

from neocog.data.findings import Finding
from neocog.data.naming import name_findings

dice = random.Random(0)
TWO = ("cat", "dog")


def drawn(below: int, count: int = 60) -> list[int]:
    return sorted(dice.sample(range(below), count))


def found_in(files: dict[str, list[str]], parts: tuple[str, ...] = ("train", "test")) -> dict[str, Finding]:
    """The findings by their kind, where each class's files are dealt out to the parts by chance."""
    names: dict[str, list[str]] = {part: [] for part in parts}
    for label, some in files.items():
        for place, name in enumerate(some):
            part = parts[place] if place < len(parts) else dice.choice(parts)
            names[part].append(f"{part}/{label}/{name}" if len(parts) > 1 else f"{label}/{name}")
    return by_kind(name_findings({part: list(files) for part in parts}, names))


def by_kind(findings: list[Finding]) -> dict[str, Finding]:
    assert all(each.text.isprintable() and each.level == "warning" for each in findings)
    assert len({each.kind for each in findings}) == len(findings)
    return {each.kind: each for each in findings}


def split(train: list[str], test: list[str], classes: tuple[str, ...] = TWO) -> dict[str, Finding]:
    """The findings about files of these parts; each class has plain files as well."""
    plain = {part: [f"{part}/{label}/{k}.png" for label in classes for k in range(40)] for part in ("train", "test")}
    names = {"train": [*plain["train"], *train], "test": [*plain["test"], *test]}
    return by_kind(name_findings(dict.fromkeys(names, classes), names))


ORDINARY: dict[str, dict[str, list[str]]] = {
    "plain numbers": {label: [f"{k:04d}.png" for k in range(60)] for label in TWO},
    "a camera's numbers": {label: [f"IMG_{k}.jpg" for k in drawn(900)] for label in TWO},
    "a camera's folders": {label: [f"10{k}_{n:04d}.JPG" for k in range(4) for n in range(15)] for label in TWO},
    "a phone's dates and times": {label: [f"PXL_20210304_{k:09d}.jpg" for k in drawn(10**9)] for label in TWO},
    "numbers of a day": {label: [f"IMG-202103{d}-WA{n:04d}.jpg" for d in (10, 11) for n in range(30)] for label in TWO},
    "numbers within a day": {
        label: [f"2021-03-{d}_{n:03d}.jpg" for d in range(10, 14) for n in range(15)] for label in TWO
    },
    "numbers of a day, the year last": {
        label: [f"{d}{sign}03{sign}2021-{n}.jpg" for sign in ("", ".") for d in range(10, 20) for n in range(3)]
        for label in TWO
    },
    "the class and a number": {label: [f"{label}.{k}.jpg" for k in range(60)] for label in TWO},
    "numbered copies": {label: [f"{label} ({k}).jpg" for k in range(60)] for label in TWO},
    "ImageNet": {label: [f"{label}_{k}.JPEG" for k in drawn(900)] for label in ("n01440764", "n11939491")},
    "ImageNet's validation": {label: [f"ILSVRC2012_val_{k:08d}.JPEG" for k in drawn(900)] for label in TWO},
    "Caltech": {label: [f"{label[:3]}_{k:04d}.jpg" for k in range(60)] for label in ("001.ak47", "002.american-flag")},
    "Oxford's pets": {
        "cat": [f"{breed}_{k}.jpg" for breed in ("Abyssinian", "Bengal", "Birman") for k in range(20)],
        "dog": [f"{breed}_{k}.jpg" for breed in ("beagle", "boxer", "pug") for k in range(20)],
    },
    "years": {label: [f"{y}_{k:06d}.jpg" for y in range(2007, 2012) for k in drawn(9000, 12)] for label in TWO},
    "digits": {str(digit): [f"{digit}_{k:04d}.png" for k in range(30)] for digit in range(4)},
    "digits of a set": {str(digit): [f"mnist_{digit}_{k}.png" for k in range(30)] for digit in range(4)},
    "numbers that are classes": {str(digit): [f"img_{k}.png" for k in range(30)] for digit in range(12)},
    "people": {name: [f"{name}_{k:04d}.jpg" for k in range(30)] for name in ("Aaron_Eckhart", "Bob_Dole")},
    "short hashes": {label: [f"{k:04x}.png" for k in drawn(65536)] for label in TWO},
    "hexadecimal numbers": {label: [f"{k:03x}.png" for k in range(0x2A0, 0x2E0)] for label in TWO},
    "hashes": {label: [f"{k:08x}-{k % 97:04x}.png" for k in drawn(1 << 32)] for label in TWO},
    "names of downloads": {label: ["images.jpg", "download.jpg", "unnamed.png", "images (1).jpg"] for label in TWO},
    "classes with numbers": {label: [f"type_{k}.png" for k in range(30)] for label in ("type_1", "type_2")},
    "a class within a class": {
        "sea lion": [f"sea_lion_{k}.png" for k in range(9)],
        "lion": [f"lion_{k}.png" for k in range(9)],
    },
    "a class that begins another": {
        "house": [f"house_{k}.png" for k in range(9)],
        "house boat": ["my house boat.png", *(f"{k}.png" for k in range(30))],
    },
    "a short class": {"sea lion": [f"lion_{k}.png" for k in range(9)], "lion": [f"{k}.png" for k in range(9)]},
    "one word for all": {label: [f"cell_{k}.png" for k in range(30)] for label in ("cell", "debris")},
    "videos that are one picture each": {label: [f"video_{k}.jpg" for k in range(30)] for label in TWO},
    "a class of frames": {label: [f"frame_{k}.jpg" for k in range(30)] for label in ("frame", "frames of glasses")},
    "both classes": {label: [f"cat and dog {k}.jpg" for k in range(30)] for label in TWO},
    "parts of words": {
        "cat": ["caterpillar_dogma.png", "2.png", "3.png"],
        "dog": ["catalogue.png", "hotdog.png", "3.png"],
    },
}


@pytest.mark.parametrize("files", ORDINARY.values(), ids=ORDINARY)
@pytest.mark.parametrize("parts", [("train",), ("train", "test"), ("train", "validation", "test")], ids=len)
def test_ordinary_names_are_not_reported(files: dict[str, list[str]], parts: tuple[str, ...]) -> None:
    assert found_in(files, parts) == {}


FILMS: dict[str, dict[str, list[str]]] = {
    "clips": {label: [f"clip{c}_{k:04d}.png" for c in range(4) for k in range(15)] for label in TWO},
    "GTSRB": {label: [f"{c:05d}_{k:05d}.ppm" for c in range(4) for k in range(15)] for label in ("stop", "yield")},
    "patients": {
        "ill": [f"person{c}_virus_{k}.jpeg" for c in range(15) for k in range(4)],
        "well": ["0.png", "1.png", "2.png"],
    },
    "BreakHis": {
        label: [f"SOB_B-14-{c}AB-40-{k:03d}.png" for c in (22549, 25197) for k in range(30)] for label in ("no", "yes")
    },
    "folders": {label: [f"clip{c}/frame_{k}.png" for c in range(4) for k in range(15)] for label in TWO},
    "numbered folders": {label: [f"{c}/{k:04d}.png" for c in range(4) for k in range(15)] for label in TWO},
    "frames": {label: [f"frame_{k}.png" for k in range(30)] for label in TWO},
}


@pytest.mark.parametrize("files", FILMS.values(), ids=FILMS)
def test_frames_of_films_are_found(files: dict[str, list[str]]) -> None:
    assert list(found_in(files)) == ["torn-series"]
    assert list(found_in(files, ("train", "validation", "test"))) == ["torn-series"]
    assert list(found_in(files, ("train",))) == ["unsplit-series"]


def test_a_torn_film() -> None:
    train, test = ["train/cat/clip3_0001.png", "train/cat/clip3_0009.png"], ["test/cat/CLIP3_0002.png"]
    assert split(train, test) == {
        "torn-series": Finding(
            "torn-series",
            "warning",
            "1 series of pictures, such as the frames of a film, in more than one part: 'train/cat/clip3_0001.png' and"
            " 'test/cat/CLIP3_0002.png'; a test on neighbours of what was learned promises too much: keep each series"
            " in one part",
            (train[0], test[0], train[1]),
            ((train[0], test[0], train[1]),),
        )
    }
    assert split(train, ["test/dog/clip3_0002.png", "test/cat/clip4_0002.png"]) == {}
    assert set(split(["train/3/clip3_1.png"], ["test/3/clip3_2.png"], ("3", "4"))) == {"torn-series"}


def test_films_each_in_one_part() -> None:
    train = [f"train/{label}/clip{c}_{k}.png" for label in TWO for c in range(6) for k in range(9)]
    test = [f"test/{label}/clip{c}_{k}.png" for label in TWO for c in (7, 8) for k in range(9)]
    assert split(train, test) == {}


def test_films_that_will_be_torn() -> None:
    names = [f"cat/clip{c}_{k}.png" for c in range(7) for k in (2, 10)] + ["dog/0.png"]
    (found,) = name_findings({"train": TWO}, {"train": names})
    shown = "; ".join(f"'cat/clip{c}_2.png' to 'cat/clip{c}_10.png'" for c in range(5))
    assert found.text == (
        f"7 series of pictures, such as the frames of a film: {shown}; and 2 more; the test part is drawn at random and"
        " will hold neighbours of what is learned: make folders train and test, with each series in one of them"
    )
    assert found.files == tuple(names[:-1])


def test_a_number_of_things_needs_half_of_its_pictures() -> None:
    train = [f"train/cat/house2_{k}.png" for k in (1, 3, 5)]
    assert list(split(train, ["test/cat/house2_8.png"])) == ["torn-series"]
    assert split(train, ["test/cat/house2_9.png"]) == {}


def test_another_class_in_the_name() -> None:
    train = ["train/cat/my dogs'\nhome.jpg", "train/cat/dog.7.jpg", "train/cat/cat_and_dog.jpg", "train/dog/dog.8.jpg"]
    assert split(train, ["test/dog/CAT017.png"])["foreign-names"] == Finding(
        "foreign-names",
        "warning",
        "3 files in the folder of one class with the name of another: 'test/dog/CAT017.png' ('cat'),"
        " 'train/cat/dog.7.jpg' ('dog'), 'train/cat/my dogs'\\nhome.jpg' ('dog'); look whether the folder or the name"
        " is wrong",
        ("test/dog/CAT017.png", "train/cat/dog.7.jpg", "train/cat/my dogs'\nhome.jpg"),
    )


def test_longer_class_names_come_first() -> None:
    files = {label: [f"{label.replace(' ', '_')}_{k}.png" for k in range(9)] for label in ("sea lion", "lion", "猫")}
    files["lion"].append("sea-lion_9.png")
    files["sea lion"].append("lion_9.png")
    files["猫"].append("Lion.png")
    files["lion"].append("猫_1.png")
    found = found_in(files, ("train",))["foreign-names"]
    assert sorted(found.files) == ["lion/sea-lion_9.png", "lion/猫_1.png", "sea lion/lion_9.png", "猫/Lion.png"]


def test_swapped_folders() -> None:
    files = {"cat": [f"dog.{k}.jpg" for k in range(9)], "dog": [f"cat.{k}.jpg" for k in range(9)]}
    assert len(found_in(files, ("train",))["foreign-names"].files) == 18


@pytest.mark.parametrize(
    "name",
    [
        "sunset on the sea.jpg",
        "IMG_20210304_123456.jpg",
        "2021-03-04 12-34-56 123456.png",
        "4523412345_b.jpg",
        "0a1b2c3d4e5f.png",
        "三毛猫の写真.png",
    ],
)
def test_individual_names_in_two_parts(name: str) -> None:
    train, test = f"train/cat/{name}", f"test/cat/{name.upper()}"
    assert split([train], [test]) == {
        "same-name-in-parts": Finding(
            "same-name-in-parts",
            "warning",
            f"1 file name in more than one part: '{train}' and '{test}'; if the pictures are one, keep it in one part:"
            " a test of what was learned by heart says nothing",
            (train, test),
            ((train, test),),
        )
    }


def test_individual_names_in_two_classes() -> None:
    train = ["train/cat/sunset.jpg", "train/dog/sunset.png"]
    assert split(train, []) == {
        "same-name-in-classes": Finding(
            "same-name-in-classes",
            "warning",
            "1 file name in more than one class: 'train/cat/sunset.jpg' and 'train/dog/sunset.png'; if the pictures are"
            " one, keep it where it belongs",
            tuple(train),
            (tuple(train),),
        )
    }
    assert set(split(["train/cat/sunset.jpg"], ["test/dog/sunset.jpg"])) == {
        "same-name-in-classes",
        "same-name-in-parts",
    }


@pytest.mark.parametrize(
    "name",
    [
        "0017.png",
        "IMG_1234.jpg",
        "cat.png",
        "images.jpg",
        "a.png",
        "20210304_17.png",
        "000000123456.jpg",
        "x1234567.png",
    ],
)
def test_common_names_in_two_parts(name: str) -> None:
    assert split([f"train/cat/{name}"], [f"test/cat/{name}"]) == {}


def test_the_own_class_makes_no_name_individual() -> None:
    name = "n11939491/n11939491_12.JPEG"
    assert split([f"train/{name}"], [f"test/{name}"], ("n11939491", "n01440764")) == {}
