from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from pictures import encoded, make_folder, noise
from PIL import Image

from neocog.data import Source, folder, glance, open_source, walking
from neocog.errors import DataError, PictureError


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEOCOG_CACHE", str(tmp_path_factory.mktemp("cache")))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "pets"


def refusal(root: Path) -> str:
    """The message about a folder."""
    with pytest.raises(DataError) as error:
        open_source(root).load(seed=0)
    return str(error.value)


def test_class_folders(root: Path) -> None:
    source = open_source(str(make_folder(root, {"dog": 20, "cat": 30})))
    assert (source.name, source.origin, source.classes) == ("pets", str(root), ("cat", "dog"))
    assert (source.image_shape, source.counts, source.notes) == ((3, 12, 10), {"train": 50}, ())
    data = source.load(seed=0)
    assert data.validation is not None and data.test is not None
    assert [len(data.train), len(data.validation), len(data.test)] == [36, 4, 10]
    assert np.bincount(data.test.labels).tolist() == [6, 4]
    for split in (data.train, data.validation, data.test):
        for name, picture, label in zip(split.names, split.images, split.labels, strict=True):
            assert name.split("/")[0] == data.classes[label]
            np.testing.assert_array_equal(picture.numpy(), np.asarray(Image.open(root / name)))
    record = data.split_record()
    assert record["seed"] == 0
    assert record["test"] == list(data.test.names) and record["validation"] == list(data.validation.names)
    assert data.checksum.startswith("sha256:")
    pixels = data.train.images.numpy() / 255
    assert data.mean == pytest.approx(pixels.mean(axis=(0, 1, 2)), abs=0.01)


def test_the_split_depends_on_the_seed_alone(root: Path) -> None:
    source = open_source(make_folder(root, {"a": 20, "b": 20}))
    first, again, other = (source.load(seed=seed).split_record() for seed in (0, 0, 1))
    assert first == again
    assert first["test"] != other["test"]


def test_part_folders(root: Path) -> None:
    for part, count in (("Train", 9), ("valid", 3), ("test", 4)):
        make_folder(root / part, {"a": count, "b": count})
    data = open_source(root).load(seed=0)
    assert data.validation is not None and data.test is not None
    assert [len(data.train), len(data.validation), len(data.test)] == [18, 6, 8]
    assert data.split_record() == {"seed": 0}
    assert data.test.names[0] == "test/a/0.png" and data.train.names[0] == "Train/a/0.png"
    np.testing.assert_array_equal(data.test.images[5].numpy(), np.asarray(Image.open(root / "test/b/1.png")))


def test_missing_parts_are_carved_and_own_parts_are_kept(root: Path) -> None:
    make_folder(root / "train", {"a": 50, "b": 50})
    make_folder(root / "val", {"a": 5, "b": 5})
    data = open_source(root, validation=7).load(seed=0)
    assert data.validation is not None and data.test is not None
    assert [len(data.train), len(data.validation), len(data.test)] == [80, 10, 20]
    assert data.notes == ("validation = 7 is not used: the data bring a validation part of their own",)
    assert set(data.split_record()) == {"seed", "test"}


def test_a_class_may_be_called_train(root: Path) -> None:
    make_folder(root, {"train": 3, "bus": 3})
    assert open_source(root).classes == ("bus", "train")


def test_pictures_are_found_in_nested_folders_and_behind_links(root: Path) -> None:
    make_folder(root, {"a": 2, "b": 2})
    make_folder(root / "a", {"more/deep": 3})
    (root / "a" / "loop").symlink_to(root / "a", target_is_directory=True)
    shutil.move(root / "b", root.parent / "elsewhere")
    (root / "b").symlink_to(root.parent / "elsewhere", target_is_directory=True)
    source = open_source(root, validation=0, test=0)
    assert source.counts == {"train": 7}
    assert source.load(seed=0).train.names[3] == "a/more/deep/1.png"


def test_links_that_would_join_classes_are_named_and_not_followed(root: Path) -> None:
    """A link to the root would make all pictures those of its class."""
    make_folder(root, {"a": 2, "b": 3})
    for name, to in (("up", root), ("far", root.parent), ("other", root / "b"), ("self", root / "a")):
        (root / "a" / name).symlink_to(to, target_is_directory=True)
    source = open_source(root, validation=0, test=0)
    assert source.counts == {"train": 5}
    assert source.notes == (
        "4 links lead to a folder above, or to that of a class, and are not followed:"
        " 'a/far', 'a/other', 'a/self', 'a/up'",
    )
    for name in ("far", "other", "self"):
        (root / "a" / name).unlink()
    assert open_source(root).notes == (
        "1 link leads to a folder above, or to that of a class, and is not followed: 'a/up'",
    )


def test_what_is_no_picture_is_noted_and_what_is_hidden_is_not(root: Path) -> None:
    make_folder(root, {"a": 2, "b": 2, ".ipynb_checkpoints": 1, "__MACOSX": 1, ".git": 1})
    for hidden in ("a/.DS_Store", "a/Thumbs.db", "b/desktop.ini", "b/._0.png", ".hidden.png"):
        (root / hidden).write_bytes(b"x")
    (root / "a" / "notes.txt").write_text("x")
    (root / "labels.csv").write_text("x")
    shutil.copy(root / "a" / "0.png", root / "cover.png")
    source = open_source(root, test=0, validation=0)
    assert source.classes == ("a", "b")
    assert source.notes == (
        "1 picture lies in no class folder and is not used: 'cover.png'",
        "2 files are no pictures and are not used: 'labels.csv', 'a/notes.txt'",
    )
    assert source.load(seed=0).notes == source.notes
    make_folder(root / "x" / "train", {"a": 2, "b": 2})
    make_folder(root / "x" / "test", {"a": 2, "b": 2})
    make_folder(root / "x", {"extra": 1})
    assert open_source(root / "x").notes == (
        f"'{root / 'x'}' also holds folders that are no part of the data and are not used: 'extra'",
    )


def test_fewer_than_two_classes(root: Path) -> None:
    make_folder(root, {"only": 3})
    assert refusal(root) == (
        f"'{root}' holds one class folder only, 'only'; give each class a folder of its own, at least two:"
        f" {root}/CLASS/*.png"
    )
    assert refusal(root / "only") == (
        f"'{root / 'only'}' holds no class folders but 3 pictures; give each class a folder of its own, at least"
        f" two: {root / 'only'}/CLASS/*.png"
    )
    (root / "nothing").mkdir()
    assert refusal(root / "nothing") == (
        f"'{root / 'nothing'}' holds no class folders; give each class a folder of its own, at least two:"
        f" {root / 'nothing'}/CLASS/*.png"
    )


def test_an_empty_class_folder(root: Path) -> None:
    make_folder(root, {"a": 1, "b": 1, "empty": 0})
    assert refusal(root) == (f"the class folder '{root / 'empty'}' holds nothing; put pictures in it or remove it")
    (root / "empty" / "readme.md").write_text("x")
    assert refusal(root) == (
        f"the class folder '{root / 'empty'}' holds only files that are no pictures ('empty/readme.md');"
        " put pictures in it or remove it"
    )


def test_parts_with_different_classes(root: Path) -> None:
    make_folder(root / "train", {"cat": 2, "dog": 2})
    make_folder(root / "val", {"cat": 2, "dogs": 2})
    assert refusal(root) == (
        "the folders 'train' and 'val' hold different classes; only in 'train': 'dog'; only in 'val': 'dogs';"
        " rename or complete them"
    )


def test_parts_without_train_or_twice(root: Path) -> None:
    make_folder(root / "val", {"a": 2, "b": 2})
    make_folder(root / "test", {"a": 2, "b": 2})
    assert refusal(root) == (f"'{root}' holds 'test', 'val' but no folder 'train'; put the training pictures there")
    make_folder(root / "train", {"a": 2, "b": 2})
    make_folder(root / "valid", {"a": 2, "b": 2})
    assert refusal(root) == f"'{root}' holds both 'val' and 'valid'; keep one validation folder"


def test_a_test_folder_without_classes(root: Path) -> None:
    make_folder(root / "train", {"a": 2, "b": 2})
    make_folder(root, {"test": 4})
    assert refusal(root) == (
        f"'{root / 'test'}' holds no class folders but 4 pictures; give each class a folder of its own, at least"
        f" two: {root / 'test'}/CLASS/*.png"
    )


def test_one_bad_picture_is_named_before_training(root: Path) -> None:
    make_folder(root, {"a": 3, "b": 3})
    (root / "a" / "1.png").write_bytes(b"")
    assert refusal(root) == (
        f"cannot read '{root}/a/1.png': it is empty (0 bytes); remove it, or replace it by an intact copy"
    )


def test_all_bad_pictures_are_counted_and_the_first_named(root: Path) -> None:
    make_folder(root, {"a": 6, "b": 6})
    whole = (root / "a" / "0.png").read_bytes()
    (root / "a" / "0.png").write_bytes(whole[:90])
    (root / "a" / "1.png").write_bytes(b"")
    (root / "a" / "2.png").write_bytes(b"<html>")
    (root / "a" / "3.png").unlink()
    (root / "a" / "3.png").symlink_to(root / "gone.png")
    for name in ("0", "1", "2"):
        (root / "b" / f"{name}.png").write_bytes(b"")
    with pytest.raises(PictureError) as error:
        open_source(root, image_size=8, color="rgb").load(seed=0)
    formats = "PNG, JPEG, GIF, BMP, WebP, TIFF, PPM"
    assert str(error.value) == (
        f"cannot read 7 of 12 pictures: '{root}/a/0.png': it is truncated: the file ends too early;"
        f" '{root}/a/1.png': it is empty (0 bytes);"
        f" '{root}/a/2.png': it is damaged, or no picture of a format neocog reads ({formats});"
        f" '{root}/a/3.png': there is no such file;"
        f" '{root}/b/0.png': it is empty (0 bytes); and 2 more; remove or replace them"
    )
    kept = list((Path(os.environ["NEOCOG_CACHE"]) / "pictures").iterdir())
    assert kept == []


def test_a_name_of_two_lines_is_told_in_one(root: Path) -> None:
    make_folder(root, {"a": 3, "b\nc": 3})
    (root / "b\nc" / "1\n2.png").write_bytes(b"")
    assert refusal(root) == (
        f"cannot read '{root}/b\\nc/1\\n2.png': it is empty (0 bytes); remove it, or replace it by an intact copy"
    )
    (root / "a" / "0.png").write_bytes(b"")
    assert refusal(root) == (
        f"cannot read 2 of 7 pictures: '{root}/a/0.png': it is empty (0 bytes); '{root}/b\\nc/1\\n2.png': it is empty"
        " (0 bytes); remove or replace them"
    )
    (root / "b\nc" / "x\ny.txt").write_text("")
    assert open_source(root).notes == ("1 file is no picture and is not used: 'b\\nc/x\\ny.txt'",)


def test_memory_that_runs_out_says_nothing_of_the_pictures(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(root, {"a": 3, "b": 3})

    def full(*args: object) -> None:
        raise MemoryError

    source = open_source(root)
    monkeypatch.setattr("neocog.data.decode.pixels_of", full)
    with pytest.raises(
        PictureError, match=r"^cannot read '.*/[ab]/\d.png': too little memory is free, .*; close other"
    ):
        source.load(seed=0)


def test_a_bad_test_picture_is_found_before_training_too(root: Path) -> None:
    make_folder(root / "train", {"a": 3, "b": 3})
    make_folder(root / "test", {"a": 3, "b": 3})
    (root / "test" / "b" / "2.png").write_bytes(b"")
    assert refusal(root).startswith(f"cannot read '{root}/test/b/2.png': it is empty (0 bytes)")


@pytest.mark.parametrize(
    ("size", "chosen"), [((28, 20), (28, 20)), ((64, 64), (64, 64)), ((65, 20), (64, 64)), ((300, 200), (64, 64))]
)
def test_the_usual_size(root: Path, size: tuple[int, int], chosen: tuple[int, int]) -> None:
    make_folder(root, {"a": 2, "b": 2}, size)
    assert open_source(root).preprocess.image_size == chosen


def test_mixed_sizes_become_64(root: Path) -> None:
    make_folder(root, {"a": 2}, (20, 20))
    make_folder(root, {"b": 2}, (24, 20))
    assert open_source(root).preprocess.image_size == (64, 64)
    source = open_source(root, image_size=(10, 14), resize="letterbox", background="black")
    assert source.image_shape == (3, 10, 14)
    picture = source.load(seed=0).train.images[0].numpy()
    assert (picture[:, 0] == 0).all() and (picture[:, 13] == 0).all()


def channels(source: Source) -> int:
    return source.image_shape[0]


def test_grey_is_told_from_colour_by_content(root: Path) -> None:
    make_folder(root, {"a": 2, "b": 2}, channels=1)
    assert channels(open_source(root)) == 1
    grey = Image.fromarray(noise(0, (12, 10), 1))
    grey.convert("RGB").save(root / "a" / "stored as colour.png")
    grey.convert("P").save(root / "a" / "palette.png")
    (root / "a" / "j.jpg").write_bytes(encoded(grey.convert("RGB"), "JPEG"))
    assert channels(open_source(root)) == 1
    assert channels(open_source(root, color="rgb")) == 3
    Image.fromarray(noise(1, (12, 10))).save(root / "b" / "colour.png")
    assert channels(open_source(root)) == 3
    source = open_source(root, color="grey")
    assert source.image_shape == (1, 12, 10)
    assert source.load(seed=0).train.images.shape[1:] == (12, 10, 1)


def test_every_extension_and_case_counts(root: Path) -> None:
    make_folder(root, {"a": 1, "b": 1})
    image = Image.fromarray(noise(0, (12, 10)))
    for name, kind in (("x.JPG", "JPEG"), ("y.Jpeg", "JPEG"), ("z.GIF", "GIF"), ("w.tif", "TIFF"), ("v.ppm", "PPM")):
        (root / "a" / name).write_bytes(encoded(image, kind))
    (root / "a" / "u.bmp").write_bytes(encoded(image, "BMP"))
    (root / "a" / "t.webp").write_bytes(encoded(image, "WEBP"))
    source = open_source(root, test=0, validation=0)
    assert (source.counts, source.notes) == ({"train": 9}, ())
    assert len(source.load(seed=0).train) == 9


def test_progress_is_told(root: Path) -> None:
    make_folder(root, {"a": 40, "b": 30}, (4, 4))
    told: list[tuple[str, int, int]] = []
    open_source(root).load(seed=0, progress=lambda *step: told.append(step))
    assert told == [("decoding pictures", done, 70) for done in (32, 64, 70)]


def test_a_folder_that_cannot_be_entered(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(root, {"a": 1, "b": 1})

    def locked(path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(walking.os, "scandir", locked)
    assert refusal(root) == f"cannot look into the folder '{root}': permission denied"


def test_names_that_are_not_utf8(root: Path) -> None:
    make_folder(root, {"a": 2, "b": 2})
    strange = root / "a" / "caf\udce9.png"
    try:
        shutil.copy(root / "a" / "0.png", strange)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    line = f"the folder '{root / 'a'}' holds a name that is not UTF-8: 'caf\\udce9.png'; rename it"
    assert refusal(root) == line
    with pytest.raises(DataError) as error:
        walking.pictures_in(root)
    assert str(error.value) == line
    strange.unlink()
    for name in ("\udcfc", "\udcfd"):
        (root / name).mkdir()
    assert refusal(root) == (f"the folder '{root}' holds 2 names that are not UTF-8: '\\udcfc', '\\udcfd'; rename them")


def test_links_that_lead_in_a_circle(root: Path) -> None:
    make_folder(root, {"a": 2, "b": 2})
    for name in ("me", "a/myself", "b/x.png"):
        (root / name).symlink_to(Path(name).name)
    assert open_source(root).notes == ("2 files are no pictures and are not used: 'me', 'a/myself'",)
    assert refusal(root) == (
        f"cannot read '{root}/b/x.png': too many levels of symbolic links; check the path and its permissions"
    )


def test_a_link_that_may_not_be_followed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Entry:
        name, path = "link", str(root / "link")

        def is_dir(self) -> bool:
            raise PermissionError(13, "Permission denied")

    with pytest.raises(DataError) as error:
        walking.is_folder(Entry())  # type: ignore[arg-type]
    assert str(error.value) == f"cannot follow the link '{root / 'link'}': permission denied"


def test_numbers_as_class_names_are_in_the_order_of_numbers(root: Path) -> None:
    make_folder(root, {str(number): 2 for number in range(11)})
    source = open_source(root, test=0, validation=0)
    assert source.classes == tuple(str(number) for number in range(11))
    data = source.load(seed=0)
    assert data.train.labels.tolist() == [number for number in range(11) for _ in range(2)]
    assert data.train.names[-1] == "10/1.png"
    make_folder(root, {"none": 1})
    assert open_source(root).classes == ("0", "1", "10", "2", "3", "4", "5", "6", "7", "8", "9", "none")


def test_grey_that_was_judged_from_a_sample_is_noted(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_folder(root, {"a": 3, "b": 3}, channels=1)
    Image.fromarray(noise(1, (12, 10))).save(root / "b" / "2.png")  # the sixth; the first and fourth are looked at
    monkeypatch.setattr(glance, "SAMPLE", 2)
    source = open_source(root)
    assert channels(source) == 1
    assert source.notes == (
        "colour was judged from 2 of 6 pictures, all of them grey, so every picture becomes grey;"
        " should others have colour, --set dataset.color=rgb keeps it",
    )
    assert open_source(root, color="grey").notes == open_source(root, color="rgb").notes == ()
    monkeypatch.setattr(glance, "SAMPLE", 6)
    assert (channels(open_source(root)), open_source(root).notes) == (3, ())


def test_pictures_in_follows_the_rules_of_class_folders(root: Path) -> None:
    make_folder(root, {"a": 2, "b/deep": 1, ".git": 1, "__MACOSX": 1})
    (root / "a" / "loop").symlink_to(root, target_is_directory=True)
    for name in ("Thumbs.db", "._1.png", "a/notes.txt", "list.csv", "SCAN.TIF"):
        (root / name).write_bytes(b"x")
    (root / "gone.png").symlink_to(root / "nowhere")
    pictures, others = walking.pictures_in(root)
    names = ("SCAN.TIF", "a/0.png", "a/1.png", "b/deep/0.png", "gone.png")
    assert pictures == [root / name for name in names]
    assert others == [root / "a" / "notes.txt", root / "list.csv"]
    with pytest.raises(DataError) as error:
        walking.pictures_in(root / "none")
    assert str(error.value) == f"cannot look into the folder '{root / 'none'}': no such file or directory"


def test_a_folder_one_level_too_high_is_remarked(tmp_path):
    for place in ("photos/cat", "photos/dog", "other/scans", "birds"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "a.png").write_bytes(b"")
    (tmp_path / "birds" / "young").mkdir()
    (tmp_path / "birds" / "young" / "b.png").write_bytes(b"")
    assert folder.listing(tmp_path).notes == (
        "class 'photos' has no pictures of its own, only folders of them ('cat', 'dog'); if those are the classes, "
        f"give '{tmp_path / 'photos'}'",
    )
