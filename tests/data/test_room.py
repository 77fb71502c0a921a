from __future__ import annotations

import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from neocog import disk
from neocog.data import room
from neocog.errors import DataError


@pytest.fixture
def small_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """More than 100 bytes of pixels go to a file."""
    monkeypatch.setattr(room, "IN_MEMORY", 100)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEOCOG_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_where_the_cache_lies(place: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert room.place() == place
    assert room.place(tmp_path / "given") == tmp_path / "given"
    monkeypatch.delenv("NEOCOG_CACHE")
    assert room.place().name == "neocog"


def test_what_fits_lies_in_memory_and_the_rest_in_an_unnamed_file(small_memory: None, place: Path) -> None:
    assert not isinstance(room.empty((10, 10)), np.memmap)
    array = room.empty((11, 10))
    assert isinstance(array, np.memmap) and array.dtype == np.uint8
    array[:] = 7
    assert array.sum() == 770
    assert list(place.iterdir()) == []


def test_large_files_lie_beside_the_cache_or_where_temporary_files_do(place: Path) -> None:
    assert room.workplace() == place
    place.rmdir()
    place.write_text("a file where the cache should be")
    assert room.workplace() == Path(tempfile.gettempdir())


def test_a_place_that_may_not_be_written(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    assert room.workplace() == Path(tempfile.gettempdir())


def test_a_full_disk_is_told_in_one_line(small_memory: None, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "reserve", full)
    monkeypatch.setattr(disk, "free", lambda place: 3_210_000_000)
    with pytest.raises(DataError) as error:
        room.empty((60000, 224, 224, 3))
    assert str(error.value) == (
        f"disk full: a copy of the pixels in '{place}' needs 9,031.7 MB and there are 3,210.0 MB; make room, or set "
        "NEOCOG_CACHE to a folder with more, or choose a smaller dataset.image_size"
    )


def test_chunks_cover_all_rows_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "CHUNK", 60)
    images = np.zeros((7, 4, 5), np.uint8)
    assert list(room.chunks(images)) == [slice(0, 3), slice(3, 6), slice(6, 7)]
    assert list(room.chunks(images, 1)) == [slice(row, row + 1) for row in range(7)]
