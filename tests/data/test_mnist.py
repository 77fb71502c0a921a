from __future__ import annotations

import errno
import hashlib
import os
import threading
from pathlib import Path

import numpy as np
import pytest

from neocog.data import embed_mnist, idx, mnist, open_source
from neocog.data.dataset import Part, checksum, mean_and_std
from neocog.errors import DataError


@pytest.fixture(scope="module")
def parts() -> dict[str, Part]:
    return {part: mnist.read(part) for part in ("train", "test")}


def test_the_embedded_pictures_are_the_published_ones(parts: dict[str, Part]) -> None:
    for part, held in parts.items():
        images = idx.dump(held.images[..., 0])
        assert hashlib.md5(images).hexdigest() == mnist.MD5[f"{part}-images"]
        labels = idx.dump(held.labels.astype(np.uint8))
        assert hashlib.md5(labels).hexdigest() == mnist.MD5[f"{part}-labels"]


def test_what_is_written_down_of_them_is_true(parts: dict[str, Part]) -> None:
    held = [(part, parts[part].images, parts[part].labels) for part in ("train", "test")]
    assert checksum(mnist.CLASSES, held) == mnist.CHECKSUM
    mean, std = mean_and_std(parts["train"].images)
    assert mean + std == pytest.approx((mnist.MEAN, mnist.STD), abs=1e-12)
    assert [round(mnist.MEAN, 4), round(mnist.STD, 4)] == [0.1307, 0.3081]


def test_the_file_is_small_and_its_licence_beside_it() -> None:
    assert mnist.FILE.stat().st_size <= 12_000_000
    text = mnist.FILE.with_name("mnist-LICENSE.txt").read_text()
    for part in ("CC BY-SA 3.0", "Yann LeCun", "Corinna Cortes", "Christopher J. C. Burges"):
        assert part in text


def test_loading_carves_5000_stratified_and_leaves_the_test_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    read = mnist.read
    monkeypatch.setattr(mnist, "read", lambda part: asked.append(part) or read(part))
    data = open_source("mnist").load(seed=0)
    assert asked == ["train"]
    assert data.validation is not None
    assert (len(data.train), len(data.validation)) == (55000, 5000)
    assert data.train.images.shape == (55000, 28, 28, 1) and str(data.train.images.dtype) == "torch.uint8"
    counts = np.bincount(data.validation.labels)
    whole = counts + np.bincount(data.train.labels)
    assert np.abs(counts - whole / 12).max() < 1
    assert (data.mean, data.std) == ((mnist.MEAN,), (mnist.STD,))
    assert data.test is data.test
    assert data.test is not None and len(data.test) == 10000
    assert asked == ["train", "test"]
    # Carving moves pictures in place: each must still be the one its name says.
    original = read("train")
    for split in (data.train, data.validation):
        index = np.array([int(name.rsplit("/", 1)[1]) for name in split.names])
        np.testing.assert_array_equal(split.images.numpy(), original.images[index])
        np.testing.assert_array_equal(split.labels.numpy(), original.labels[index])
    assert data.split_record()["validation"][:2] == [int(data.validation.names[k].split("/")[2]) for k in (0, 1)]


def test_embedding_checks_what_it_embeds(tmp_path: Path) -> None:
    with pytest.raises(DataError) as error:
        embed_mnist.embed(tmp_path)
    assert str(error.value) == f"'{tmp_path}' holds no IDX file for train-images"
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"other")
    with pytest.raises(DataError) as error:
        embed_mnist.embed(tmp_path)
    assert str(error.value) == (
        f"'{path}' has MD5 795f3202b17cb6bc3d4b771d8c6c9eaf, but the published file has"
        " 6bbc9ace898e44ae57da46a324031adb"
    )


def test_embedding_gives_what_reading_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrays = {"train-images": (7, 28, 28), "train-labels": (7,), "test-images": (3, 28, 28), "test-labels": (3,)}
    rng = np.random.default_rng(0)
    sums = {}
    for role, shape in arrays.items():
        raw = idx.dump(rng.integers(0, 10, shape, dtype=np.uint8))
        sums[role] = hashlib.md5(raw).hexdigest()
        name = role.replace("test", "t10k") + f"-idx{len(shape)}-ubyte"
        (tmp_path / name).write_bytes(raw)
    monkeypatch.setattr(mnist, "MD5", sums)
    monkeypatch.setattr(mnist, "PIECE", 3)
    monkeypatch.setattr(mnist, "COUNTS", {"train": 7, "test": 3})
    file = tmp_path / "small.npz"
    embed_mnist.embed(tmp_path, file)
    for part in ("train", "test"):
        held = mnist.read(part, file)
        images, labels = idx.read_part(idx.find(tmp_path), part)
        np.testing.assert_array_equal(held.images, images)
        np.testing.assert_array_equal(held.labels, labels)


def test_without_a_thread_the_pieces_are_read_one_by_one(
    parts: dict[str, Part], monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(self: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refused)
    np.testing.assert_array_equal(mnist.read("test").images, parts["test"].images)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.EACCES])
def test_what_the_system_refuses_is_no_damage(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    def refused(*_: object) -> None:
        raise OSError(number, os.strerror(number), str(mnist.FILE))

    monkeypatch.setattr(mnist.zipfile, "ZipFile", refused)
    with pytest.raises(DataError) as error:
        mnist.read("test")
    assert str(error.value) == (
        f"the MNIST inside neocog, '{mnist.FILE}', cannot be read now: {os.strerror(number)}; that is no damage, so "
        "mend it and try again"
    )


def test_a_file_that_is_said_to_be_encrypted_is_damaged(tmp_path: Path) -> None:
    raw = bytearray(mnist.FILE.read_bytes())
    at = raw.rindex(b"PK\x01\x02")
    while at >= 0:  # each entry of the directory at the archive's end
        raw[at + 8] |= 1
        at = raw.rfind(b"PK\x01\x02", 0, at)
    broken = tmp_path / "mnist.npz"
    broken.write_bytes(raw)
    with pytest.raises(
        DataError, match=r"^the MNIST inside neocog cannot be read: File .* is encrypted.*; install neo"
    ):
        mnist.read("test", broken)


def test_a_damaged_file_is_named(tmp_path: Path) -> None:
    broken = tmp_path / "mnist.npz"
    raw = bytearray(mnist.FILE.read_bytes())
    raw[2000] ^= 255
    broken.write_bytes(raw)
    with pytest.raises(DataError, match=r"^the MNIST inside neocog cannot be read: .*; install neocog again$"):
        mnist.read("train", broken)
