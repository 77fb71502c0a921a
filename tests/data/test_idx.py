from __future__ import annotations

import gzip
from pathlib import Path

import numpy as np
import pytest
from pictures import noise

from neocog.data import idx, open_source
from neocog.errors import DataError


def write(root: Path, *, dot: str = "-", packed: bool = False, test: bool = True) -> Path:
    """Forty training and ten test pictures of 6 × 5 pixels in the classes 1, 4 and 7."""
    for prefix, count in (("train", 40), ("t10k", 10))[: 2 if test else 1]:
        images = noise(count, (count, 6), 5)
        labels = np.array([1, 4, 7], np.uint8)[np.arange(count) % 3]
        for name, array in (("images", images), ("labels", labels)):
            raw = idx.dump(array)
            path = root / f"{prefix}-{name}{dot}idx{array.ndim}-ubyte{'.gz' if packed else ''}"
            path.write_bytes(gzip.compress(raw) if packed else raw)
    return root


@pytest.mark.parametrize("dot", ["-", "."])
@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_of_idx_files(dot: str, packed: bool, tmp_path: Path) -> None:
    source = open_source(write(tmp_path, dot=dot, packed=packed), validation=0)
    assert source.image_shape == (1, 6, 5)
    assert source.classes == ("1", "4", "7")
    assert source.counts == {"train": 40, "test": 10}
    data = source.load(seed=0)
    np.testing.assert_array_equal(data.train.images.numpy()[..., 0], noise(40, (40, 6), 5))
    assert data.train.labels.tolist() == [index % 3 for index in range(40)]
    assert data.test is not None and data.test.names[3] == f"{tmp_path.name}/test/3"
    np.testing.assert_array_equal(data.test.images.numpy()[..., 0], noise(10, (10, 6), 5))


def test_a_missing_test_part_is_carved(tmp_path: Path) -> None:
    data = open_source(write(tmp_path, test=False)).load(seed=0)
    assert data.validation is not None and data.test is not None
    assert [len(data.train), len(data.validation), len(data.test)] == [29, 3, 8]


def test_raw_bytes_come_back() -> None:
    array = noise(0, (3, 4), 5)
    np.testing.assert_array_equal(idx.parse(idx.dump(array), 3, "x"), array)


def damage(root: Path, name: str, raw: bytes) -> str:
    """The message about a folder in which one file is replaced."""
    write(root)
    (root / name).write_bytes(raw)
    with pytest.raises(DataError) as error:
        open_source(root).load(seed=0)
    return str(error.value)


LABELS, IMAGES = "train-labels-idx1-ubyte", "train-images-idx3-ubyte"


def test_a_wrong_magic_number(tmp_path: Path) -> None:
    assert damage(tmp_path, LABELS, b"\0\0\x08\x03" + bytes(12)) == (
        f"cannot read '{tmp_path / LABELS}': its magic number is 0x00000803, but IDX labels start with 0x00000801"
    )
    assert damage(tmp_path, IMAGES, b"GIF89a" + bytes(30)) == (
        f"cannot read '{tmp_path / IMAGES}': its magic number is 0x47494638, but IDX pictures start with 0x00000803"
    )


def test_differing_counts(tmp_path: Path) -> None:
    assert damage(tmp_path, LABELS, idx.dump(np.array([1, 4] * 6, np.uint8))) == (
        f"'{tmp_path / IMAGES}' holds 40 pictures but '{tmp_path / LABELS}' 12 labels; they must be equally many"
    )


def test_a_truncated_file(tmp_path: Path) -> None:
    whole = idx.dump(noise(40, (40, 6), 5))
    assert damage(tmp_path, IMAGES, whole[:-100]) == (
        f"cannot read '{tmp_path / IMAGES}': its header promises 40 × 6 × 5 = 1200 values, but 1100 follow;"
        " the file is damaged, get it again"
    )
    assert damage(tmp_path, IMAGES, whole[:9]) == (
        f"cannot read '{tmp_path / IMAGES}': it holds 9 bytes, too few for an IDX header"
    )
    assert damage(tmp_path, LABELS, gzip.compress(bytes(1000))[:-5]) == (
        f"cannot read '{tmp_path / LABELS}': Compressed file ended before the end-of-stream marker was reached;"
        " get the file again"
    )


def test_a_missing_file(tmp_path: Path) -> None:
    write(tmp_path)
    (tmp_path / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError) as error:
        open_source(tmp_path)
    assert str(error.value) == (
        f"'{tmp_path}' holds IDX files but no 't10k-labels-idx1-ubyte' (or 't10k-labels-idx1-ubyte.gz'); put it there"
    )


def test_a_part_without_pictures(tmp_path: Path) -> None:
    test = tmp_path / "t10k-images-idx3-ubyte"
    assert damage(tmp_path, test.name, idx.dump(np.zeros((0, 6, 5), np.uint8))) == (
        f"'{test}' holds 0 pictures of 6 × 5 pixels; get the file again, or remove both test files"
    )
    assert damage(tmp_path, IMAGES, idx.dump(np.zeros((40, 0, 5), np.uint8))) == (
        f"'{tmp_path / IMAGES}' holds 40 pictures of 0 × 5 pixels; get the file again"
    )


def test_labels_that_do_not_fit(tmp_path: Path) -> None:
    assert damage(tmp_path, "t10k-labels-idx1-ubyte", idx.dump(np.full(10, 9, np.uint8))) == (
        f"the test labels in '{tmp_path}' hold 9, which no training picture has"
    )
    assert damage(tmp_path, LABELS, idx.dump(np.full(40, 9, np.uint8))) == (
        f"the labels in '{tmp_path}' name fewer than two classes; at least two are needed"
    )


def test_parts_of_different_size(tmp_path: Path) -> None:
    assert damage(tmp_path, "t10k-images-idx3-ubyte", idx.dump(noise(1, (10, 4), 4))) == (
        f"'{tmp_path}' holds training pictures of (6, 5) but test pictures of (4, 4)"
    )
