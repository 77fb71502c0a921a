"""The dataset doctor: it refuses what training refuses, in the same words, and still looks at everything."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from PIL import Image

import neocog
from conftest import STEPS, TINY, Answer, drawn, fill
from neocog.data import idx
from neocog.errors import RecipeError
from neocog.insight.data_checking import check_data, sheet

Cli = Callable[..., Answer]


def recipe(changes: Mapping[str, Any] = {}) -> Path:
    """A file `mine.toml`: a tiny recipe with other values by dotted key."""
    tables: dict[str, dict[str, Any]] = {}
    for key, value in ({"model.layers": TINY} | STEPS | dict(changes)).items():
        step, name = key.split(".")
        tables.setdefault(step, {})[name] = value
    path = Path("mine.toml")
    path.write_text(tomli_w.dumps(tables))
    return path


def spoiled(name: str, raw: bytes) -> Callable[[Path], object]:
    """Puts other bytes into a picture."""
    return lambda root: (root / name).write_bytes(raw)


def cut(name: str) -> Callable[[Path], object]:
    """Leaves the first half of a picture."""

    def halve(root: Path) -> None:
        raw = (root / name).read_bytes()
        (root / name).write_bytes(raw[: len(raw) // 2])

    return halve


def parts(*names: str) -> Callable[[Path], object]:
    """Makes parts of the classes: the whole folder once for each name."""

    def split(root: Path) -> None:
        inner = root.rename(root.with_name("inner"))
        for name in names:
            shutil.copytree(inner, root / name)
        shutil.rmtree(inner)

    return split


def many(*changes: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(root: Path) -> None:
        for each in changes:
            each(root)

    return change


def without(*names: str) -> Callable[[Path], object]:
    """Removes folders."""

    def remove(root: Path) -> None:
        for name in names:
            shutil.rmtree(root / name)

    return remove


def idx_files(train: int = 40, labels: int = 40, classes: int = 3, **others: bytes) -> Callable[[Path], object]:
    """IDX files in place of the folder, of which some have other bytes."""

    def write(root: Path) -> None:
        shutil.rmtree(root)
        root.mkdir()
        random = np.random.default_rng(0)
        for prefix, pictures, numbers in (("train", train, labels), ("t10k", 10, 10)):
            images = random.integers(0, 256, (pictures, 10, 10), dtype=np.uint8)
            (root / f"{prefix}-images-idx3-ubyte").write_bytes(idx.dump(images))
            values = (np.arange(numbers) % classes).astype(np.uint8)
            (root / f"{prefix}-labels-idx1-ubyte").write_bytes(idx.dump(values))
        for name, raw in others.items():
            path = root / next(each.name for each in root.iterdir() if each.name.startswith(name.replace("_", "-")))
            path.write_bytes(raw) if raw else path.unlink()

    return write


BAD_FOLDERS: dict[str, Callable[[Path], object]] = {
    "nothing in it": without("circle", "cross", "square"),
    "one class": without("circle", "cross"),
    "no class folders": many(
        lambda root: (root / "cross" / "0.png").rename(root / "0.png"), without("circle", "cross", "square")
    ),
    "an empty class": lambda root: (root / "triangle").mkdir(),
    "a class of texts": many(lambda root: (root / "a").mkdir(), lambda root: (root / "a" / "a.txt").write_text("a")),
    "two empty classes": lambda root: [(root / name).mkdir() for name in ("a", "b")],
    "an empty file": spoiled("cross/2.png", b""),
    "a web page": spoiled("cross/2.png", b"<!doctype html><p>not found"),
    "half a picture": cut("circle/1.png"),
    "many kinds of damage": many(cut("circle/1.png"), spoiled("cross/2.png", b""), spoiled("square/0.png", b"GIF89a")),
    "all pictures damaged": lambda root: [path.write_bytes(b"no") for path in root.rglob("*.png")],
    "floating-point pixels": lambda root: Image.new("F", (4, 4)).save(root / "cross" / "a.tif"),
    "a link to itself": lambda root: (root / "cross" / "me.png").symlink_to("me.png"),
    "a link to nowhere": lambda root: (root / "cross" / "gone.png").symlink_to("nowhere.png"),
    "a name that is not UTF-8": lambda root: (root / "cross" / "caf\udce9.png").write_bytes(b""),
    "a class that is not UTF-8": lambda root: (root / "caf\udce9").mkdir(),
    "a part without a class": many(parts("train", "test"), without("test/cross")),
    "a class of another case": many(
        parts("train", "val"), lambda root: (root / "val" / "cross").rename(root / "val" / "Cross")
    ),
    "no train": parts("test", "val"),
    "two validation parts": parts("train", "val", "valid"),
    "damage in two parts": many(parts("train", "test"), cut("train/cross/1.png"), cut("test/cross/1.png")),
    "parts and damage": many(parts("train", "test"), without("test/cross"), cut("train/circle/1.png")),
    "IDX without labels": idx_files(train_labels=b""),
    "IDX with too few labels": idx_files(labels=39),
    "IDX of one class": idx_files(classes=1),
    "IDX cut off": idx_files(t10k_images=idx.dump(np.zeros((10, 10, 10), np.uint8))[:-1]),
    "IDX of another kind": idx_files(train_labels=b"\0\0\x0d\1" + bytes(36)),
    "IDX of two sizes": idx_files(t10k_images=idx.dump(np.zeros((10, 8, 8), np.uint8))),
    "IDX with a new class": idx_files(t10k_labels=idx.dump(np.full(10, 9, np.uint8))),
    "IDX with nothing in it": idx_files(train=0, labels=0),
}
BAD_FITS: dict[str, dict[str, Any]] = {
    "a kernel larger than the pictures": {"model.layers": "conv 4 11 | relu | flatten | linear classes"},
    "other classes": {"model.layers": "flatten | linear 7"},
    "too few weights": {"loss.class_weights": [1.0, 2.0]},
    "no weights": {"loss.class_weights": [0.0, 0.0, 0.0]},
    "one picture a batch": {
        "model.layers": "conv 4 3 | batchnorm | relu | flatten | linear classes",
        "loader.batch_size": 1,
    },
    "everything held out": {"dataset.validation": 30},
    "a test part of all": {"dataset.test": 28},
    "no colour": {"dataset.background": "greenish"},
    "a method that can't": {
        "model.layers": "conv 4 3 stride=2 | flatten | linear classes",
        "model.convolution": "winograd",
    },
}


def refused(cli: Cli, data: Path, recipe: Path) -> tuple[str, str]:
    """What training says, and what the last line of the check says it would."""
    trained = cli("train", recipe, "--data", data, "--run", "run")
    checked = cli("data", "check", data, "--recipe", recipe)
    assert (trained.status, trained.out, checked.status, checked.err) == (2, "", 1, "")
    assert not Path("run").exists()
    last = checked.out.splitlines()[-1]
    return trained.err.removeprefix("error: "), last.removeprefix("cannot be trained on: ") + "\n"


def snapshot(root: Path) -> dict[str, tuple[int, int]]:
    """Every file with its size and the time of its last change."""
    found = sorted(root.rglob("*"))
    return {str(path): (path.lstat().st_size, path.lstat().st_mtime_ns) for path in found}


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A folder `few` of nine grey pictures of 10×10 in three classes."""
    fill(tmp_path / "few", each=3)
    return Path("few")


@pytest.mark.parametrize("spoil", BAD_FOLDERS.values(), ids=BAD_FOLDERS)
def test_it_refuses_what_training_refuses(spoil: Callable[[Path], object], few: Path, cli: Cli) -> None:
    spoil(few)
    before = snapshot(few)
    trained, checked = refused(cli, few, recipe())
    assert trained == checked
    assert snapshot(few) == before


@pytest.mark.parametrize("changes", BAD_FITS.values(), ids=BAD_FITS)
def test_it_refuses_what_the_recipe_refuses(changes: dict[str, Any], few: Path, cli: Cli) -> None:
    trained, checked = refused(cli, few, recipe(changes))
    assert trained == checked


def test_of_two_refusals_it_is_the_one_that_training_comes_to_first(few: Path, cli: Cli) -> None:
    cut("circle/1.png")(few)
    trained, checked = refused(cli, few, recipe({"model.layers": "flatten | linear 7"}))
    assert (
        trained == checked == "layer 2 'linear 7': gives 7 values but the data has 3 classes; write 'linear classes'\n"
    )
    assert [finding.kind for finding in check_data(few, recipe="mine.toml").of_level("error")] == ["truncated"]


def test_a_file_is_no_folder(few: Path, cli: Cli) -> None:
    trained, checked = refused(cli, few / "cross" / "0.png", recipe())
    assert trained == checked


def test_a_folder_whose_name_is_not_utf8(few: Path, cli: Cli) -> None:
    trained, checked = refused(cli, few.rename("caf\udce9"), recipe())
    assert trained == checked


def test_a_named_set_that_cannot_be_had(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    trained, checked = refused(cli, Path("digits"), recipe())
    assert trained == checked


def test_the_remarks_are_those_of_training(few: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neocog.insight.ready.memory_notes", lambda *about: ["the memory is small"])
    monkeypatch.setattr("neocog.insight.ready.slow_notes", lambda *about: ["it is slow"])
    remarks = [each.text for each in check_data(few, recipe=recipe()).findings if each.kind == "remark"]
    assert remarks == ["it is slow", "the memory is small"]
    assert cli("train", "mine.toml", "--data", few, "--run", "run").err.splitlines()[:2] == remarks


@pytest.mark.parametrize("warned", [False, True])
def test_what_training_takes_is_taken(warned: bool, few: Path, cli: Cli) -> None:
    if warned:
        shutil.copy(few / "cross" / "0.png", few / "square" / "cross_9.png")
    checked = cli("data", "check", few, "--recipe", recipe())
    assert (checked.status, checked.err) == (0, "")
    assert ("contradicting-duplicates" in checked.out, "foreign-names" in checked.out) == (warned, warned)
    assert cli("train", "mine.toml", "--data", few).status == 0


def test_what_is_left_of_a_refused_folder_is_looked_at(few: Path) -> None:
    (few / "cross" / "1.png").write_bytes(b"")
    (few / "triangle").mkdir()
    shutil.copy(few / "cross" / "0.png", few / "square" / "cross_9.png")
    found = check_data(few)
    assert found.refusal == "the class folder 'few/triangle' holds nothing; put pictures in it or remove it"
    kinds = {finding.kind: finding for finding in found.findings}
    assert {"empty-class", "empty-file", "foreign-names", "exact-duplicates", "few-pictures"} <= set(kinds)
    assert kinds["empty-file"].files == ("cross/1.png",)
    assert kinds["exact-duplicates"].files == ("cross/0.png", "square/cross_9.png")
    assert [finding.level for finding in found.findings] == sorted(
        (finding.level for finding in found.findings), key=["error", "warning", "note"].index
    )
    assert found.counts == {"train": {"circle": 3, "cross": 3, "square": 4, "triangle": 0}}
    assert (found.files, found.ok, found.carved, found.checksum) == (10, False, (), None)
    pixels = [
        np.asarray(Image.open(path)) / 255 for path in sorted(few.rglob("*.png")) if path != few / "cross" / "1.png"
    ]
    assert len(pixels) == 9
    np.testing.assert_allclose(found.mean, [np.mean(pixels)], rtol=1e-12)
    np.testing.assert_allclose(found.std, [np.std(pixels)], rtol=1e-12)


def test_it_says_what_data_show_says(shapes: Path) -> None:
    found, facts = check_data(shapes), neocog.describe_data(str(shapes))
    assert found.as_dict() | {"licence": "", "citation": "", "counts": 0, "notes": []} == facts | {
        "counts": 0,
        **{key: found.as_dict()[key] for key in ("recipe", "ok", "refusal", "files", "stored", "findings")},
    }
    assert {part: list(counts.values()) for part, counts in found.counts.items()} == facts["counts"]
    assert found.stored is not None
    assert found.stored.formats == {"PNG": 30} and found.stored.sizes == {(10, 10): 30}


def test_a_kept_copy_hides_nothing(few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even a file that went bad without a trace in its size and times, as on a failing disk."""
    monkeypatch.setattr("neocog.data.cache.file_key", lambda *about: "as ever" + "0" * 20)
    neocog.train(recipe(), data=few, run="run")
    raw = (few / "cross" / "1.png").read_bytes()
    (few / "cross" / "1.png").write_bytes(raw[:-20] + b"?" + raw[-19:])
    neocog.train("mine.toml", data=few, run="again")  # from the copy
    assert check_data(few).refusal == (
        "cannot read 'few/cross/1.png': it is damaged (a checksum inside the file is wrong); remove it, or replace it "
        "by an intact copy"
    )


def test_loose_pictures_are_looked_at_where_there_are_no_others(few: Path) -> None:
    (few / "cross" / "1.png").write_bytes(b"")
    found = check_data(few / "cross")
    assert found.refusal == (
        "'few/cross' holds no class folders but 3 pictures; give each class a folder of its own, at least two: "
        "few/cross/CLASS/*.png"
    )
    assert (found.files, found.classes, found.image_shape, found.samples) == (3, (), None, None)
    assert [finding.files for finding in found.findings if finding.kind == "empty-file"] == [("1.png",)]


def test_the_parts_of_idx_files_that_can_be_read_are_looked_at(few: Path) -> None:
    twice = np.zeros((10, 10, 10), np.uint8)
    twice[:, 3, 4] = np.arange(10) // 2  # five pictures, each of them twice
    idx_files(train_images=b"\0\0\x08\3", t10k_images=idx.dump(twice))(few)
    found = check_data(few)
    assert found.refusal == "cannot read 'few/train-images-idx3-ubyte': it holds 4 bytes, too few for an IDX header"
    assert found.counts == {"test": {"0": 4, "1": 3, "2": 3}}
    kinds = {finding.kind: finding for finding in found.findings}
    assert kinds["unreadable"].text == found.refusal
    assert set(kinds["exact-duplicates"].files) == {f"few/test/{number}" for number in range(10)}
    assert found.mean == (pytest.approx(2 / 255 / 100),)


def test_samples_of_idx_files_are_those_of_their_numbers(few: Path) -> None:
    idx_files()(few)
    samples = check_data(few).samples
    assert samples is not None
    numbers = [int(name.removeprefix("#")) for name in samples.names]
    images = idx.parse((few / "train-images-idx3-ubyte").read_bytes(), 3, "images")
    np.testing.assert_array_equal(samples.pictures[..., 0], images[numbers])
    assert samples.labels == tuple(str(number % 3) for number in numbers)
    assert (len(numbers), numbers[0], max(numbers)) == (36, 0, 39)  # twelve of each class, from first to last


def test_a_recipe_of_ones_own(few: Path) -> None:
    own = neocog.Recipe.load(recipe({"dataset.image_size": 5, "dataset.validation": 0, "dataset.test": 0}))
    found = check_data(few, recipe=own)
    assert (found.recipe, found.image_shape, list(found.counts), found.ok) == ("mine", (1, 5, 5), ["train"], True)
    assert str(found) == "few: 9 pictures, 1 warning; can be trained on"


def test_the_sheet_has_pictures_of_each_class(few: Path) -> None:
    found = check_data(few)
    figure = sheet(found)
    assert figure is not None and found.samples is not None
    assert found.samples.labels == ("circle",) * 3 + ("cross",) * 3 + ("square",) * 3
    assert found.samples.names == ("0.png", "1.png", "2.png") * 3
    texts = [text.get_text() for text in figure.texts if text.get_text()]
    assert texts[:2] == ["Samples of few", "9 of 9 pictures, prepared as 10 × 10, grey"]
    assert (texts.count("cross"), texts.count("1.png")) == (3, 3)
    np.testing.assert_array_equal(found.samples.pictures[4, ..., 0], np.asarray(drawn("cross", 1)))
    assert sheet(check_data(few / "cross")) is None


def test_a_class_without_a_picture_in_the_test_is_told(few: Path) -> None:
    """Of one picture none can be held out."""
    for number in (1, 2):
        (few / "cross" / f"{number}.png").unlink()
    found = check_data(few, recipe=recipe({"dataset.validation": 0, "dataset.test": 0.4}))
    assert found.counts["test"]["cross"] == 0 < found.counts["test"]["square"]
    assert [(each.level, each.text) for each in found.findings if each.kind == "unmeasured-class"] == [
        ("warning", "'cross' has no picture in the test part, so no accuracy speaks of it; add pictures of it")
    ]


def test_the_sheets_place_is_looked_at_before_the_pictures(
    few: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "neocog.insight.data_checking", None)  # to import it would raise ImportError
    answer = cli("data", "check", few, "--sheet", "sheet.txt")
    assert answer == Answer(
        2, "", "error: cannot write 'sheet.txt': its suffix tells its kind; give .png, .svg or .pdf\n"
    )


def test_the_command_writes_what_it_is_told_and_nothing_else(few: Path, cli: Cli) -> None:
    first = cli("data", "check", few)
    assert (first.status, sorted(path.name for path in Path().iterdir())) == (0, ["few"])
    drawn = cli("data", "check", few, "--sheet", "sheet.png", "--json")
    assert (drawn.status, drawn.err) == (0, "drawn: sheet.png\n")
    facts = json.loads(drawn.out)
    assert (facts["sheet"], facts["ok"], facts["files"]) == ("sheet.png", True, 9)
    with Image.open("sheet.png") as picture:
        assert picture.format == "PNG"
    again = cli("data", "check", few, "--sheet", "sheet.png")
    assert again == Answer(
        2, "", "error: 'sheet.png' exists already; give another name, or --overwrite (in Python, overwrite=True)\n"
    )
    assert cli("data", "check", few, "--sheet", "sheet.png", "--overwrite").status == 0
    bare = cli("data", "check", few / "cross", "--sheet", "none.png")
    assert (bare.status, bare.err) == (1, "not drawn: none.png, as no class has a picture that can be read\n")
    assert sorted(path.name for path in Path().iterdir()) == ["few", "sheet.png"]


WRONG: list[tuple[list[str], str]] = [
    (
        ["nope"],
        "'nope' is no data set neocog knows, and there is no such folder; Known: mnist, fashion-mnist, kmnist, "
        "cifar10, svhn, digits",
    ),
    (
        [""],
        "'' is no data set neocog knows, and there is no such folder; Known: mnist, fashion-mnist, kmnist, cifar10, "
        "svhn, digits",
    ),
    (["~nobody-here/x"], "cannot look at '~nobody-here/x': could not determine home directory; check the path"),
    (
        ["few", "--recipe", "fats"],
        "unknown recipe 'fats'; did you mean 'fast'? `neocog recipes` lists them; a TOML file or a run directory will "
        "do, too",
    ),
    (["few", "--overwrite"], "--overwrite replaces the file of --sheet; give it, too, such as: --sheet sheet.png"),
    (["few", "--sheet", "a.txt"], "cannot write 'a.txt': its suffix tells its kind; give .png, .svg or .pdf"),
    (["few", "--sheet", "no/a.png"], "cannot write 'no/a.png': there is no folder 'no'; make it first"),
    (["few", "--sheet", "few/a.png"], "'few/a.png' lies in 'few', which is only read; give the sheet another place"),
]


@pytest.mark.parametrize(("words", "text"), WRONG, ids=[" ".join(words) for words, _ in WRONG])
def test_a_wrong_command(words: list[str], text: str, few: Path, cli: Cli) -> None:
    assert cli("data", "check", *words) == Answer(2, "", f"error: {text}\n")


def test_a_network_that_is_code_must_be_named() -> None:
    with pytest.raises(RecipeError) as error:
        check_data("mnist", recipe=neocog.Recipe.load("fast", {"model.factory": "mine:net"}))
    assert str(error.value) == (
        "this recipe's network is code, 'mine:net', and files may not choose code to run; allow it with --model "
        "mine:net"
    )
