from __future__ import annotations

import gc
import json
import os
import weakref
from pathlib import Path

import numpy as np
import pytest
from pictures import make_folder, noise
from PIL import Image

from neocog import disk
from neocog.data import Dataset, cache, dataset, folder, open_source, room
from neocog.errors import DataError


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return make_folder(tmp_path / "pets", {"a": 6, "b": 6})


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "cache"


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pictures each decoding run took."""
    runs: list[int] = []
    real = folder.decode_all

    def counted(root: Path, names: list[str], *rest: object) -> None:
        runs.append(len(names))
        real(root, names, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(folder, "decode_all", counted)
    return runs


def load(root: Path, place: Path, **options: object) -> Dataset:
    return open_source(root, cache_dir=place, test=0, validation=0, **options).load(seed=0)  # type: ignore[arg-type]


def held(place: Path) -> Path:
    (folder_,) = (place / "pictures").iterdir()
    return folder_


def test_pictures_are_decoded_once(root: Path, place: Path, decoded: list[int]) -> None:
    first, second = load(root, place), load(root, place)
    assert decoded == [12]
    np.testing.assert_array_equal(first.train.images.numpy(), second.train.images.numpy())
    assert first.checksum == second.checksum
    assert sorted(path.name for path in held(place).iterdir()) == ["about.json", "pixels.npy"]


def test_another_preparation_is_another_set(root: Path, place: Path, decoded: list[int]) -> None:
    load(root, place)
    load(root, place, image_size=8)
    load(root, place, image_size=8, resize="stretch")
    assert decoded == [12, 12, 12]


def test_a_changed_picture_never_gives_stale_pixels(root: Path, place: Path, decoded: list[int]) -> None:
    """Even one of the same size in bytes and with its old date put back."""
    target = root / "a" / "3.png"
    Image.fromarray(noise(1, (12, 10))).save(target, compress_level=0)
    before, stat = load(root, place), target.stat()
    Image.fromarray(noise(2, (12, 10))).save(target, compress_level=0)
    os.utime(target, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert (target.stat().st_size, target.stat().st_mtime_ns) == (stat.st_size, stat.st_mtime_ns)
    after = load(root, place)
    np.testing.assert_array_equal(after.train.images[3].numpy(), noise(2, (12, 10)))
    assert before.checksum != after.checksum
    assert decoded == [12, 12]


def test_added_and_renamed_pictures_are_seen(root: Path, place: Path, decoded: list[int]) -> None:
    load(root, place)
    (root / "a" / "0.png").rename(root / "a" / "9.png")
    load(root, place)
    Image.fromarray(noise(5)).save(root / "b" / "new.png")
    assert len(load(root, place, image_size=8).train) == 13
    assert decoded == [12, 12, 13]


def test_pixels_of_files_since_changed_are_removed(root: Path, place: Path) -> None:
    load(root, place)
    load(root, place, image_size=8)
    other = make_folder(root.parent / "other" / "pets", {"a": 6, "b": 6})
    load(other, place)
    first = set((place / "pictures").iterdir())
    (root / "a" / "0.png").unlink()
    load(root, place)
    now = set((place / "pictures").iterdir())
    assert len(first) == len(now) == 3 and len(first & now) == 2


def test_what_a_killed_process_left_is_removed_after_a_day(root: Path, place: Path) -> None:
    load(root, place)
    left = [held(place).with_name(f".{held(place).name}-{name}") for name in ("old", "new")]
    for path in left:
        path.mkdir()
    os.utime(left[0], (0, 0))
    spoil_pixels(next(path for path in (place / "pictures").iterdir() if not path.name.startswith(".")))
    load(root, place)
    assert [path.exists() for path in left] == [False, True]


def spoil_pixels(folder_: Path) -> None:
    raw = bytearray((folder_ / "pixels.npy").read_bytes())
    raw[-5] ^= 1
    (folder_ / "pixels.npy").write_bytes(raw)


def cut_pixels(folder_: Path) -> None:
    (folder_ / "pixels.npy").write_bytes((folder_ / "pixels.npy").read_bytes()[:-7])


def wrong_shape(folder_: Path) -> None:
    np.save(folder_ / "pixels.npy", np.zeros((2, 2), np.uint8))
    about = json.loads((folder_ / "about.json").read_text())
    about["sizes"]["pixels.npy"] = (folder_ / "pixels.npy").stat().st_size
    (folder_ / "about.json").write_text(json.dumps(about))


def other_version(folder_: Path) -> None:
    about = json.loads((folder_ / "about.json").read_text())
    (folder_ / "about.json").write_text(json.dumps({**about, "version": 0}))


DAMAGE = {
    "one bit of a pixel": spoil_pixels,
    "truncated pixels": cut_pixels,
    "pixels of another shape": wrong_shape,
    "pixels missing": lambda folder_: (folder_ / "pixels.npy").unlink(),
    "about missing": lambda folder_: (folder_ / "about.json").unlink(),
    "about cut short": lambda folder_: (folder_ / "about.json").write_text('{"version": 1,'),
    "about of another kind": lambda folder_: (folder_ / "about.json").write_text("[]"),
    "another version": other_version,
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_set_is_made_anew(kind: str, root: Path, place: Path, decoded: list[int]) -> None:
    before = load(root, place)
    DAMAGE[kind](held(place))
    again = load(root, place)
    assert decoded == [12, 12]
    np.testing.assert_array_equal(before.train.images.numpy(), again.train.images.numpy())
    load(root, place)
    assert decoded == [12, 12]


def test_tensors_never_write_into_the_cache(
    root: Path, place: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cache, "IN_MEMORY", 100)  # so that the tensor lies on the mapped file itself
    data = load(root, place)
    data.train.images.zero_()
    np.testing.assert_array_equal(load(root, place).train.images[0].numpy(), noise(0, (12, 10)))


def test_what_does_not_fit_lies_in_a_file(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = open_source(root, cache_dir=place).load(seed=0)
    for module in (cache, room):
        monkeypatch.setattr(module, "IN_MEMORY", 100)
    data = open_source(root, cache_dir=place).load(seed=0)
    assert data.test is not None and whole.test is not None
    np.testing.assert_array_equal(data.train.images.numpy(), whole.train.images.numpy())
    np.testing.assert_array_equal(data.test.images.numpy(), whole.test.images.numpy())
    part = dataset.take(dataset.Part(np.zeros((9, 4, 4, 1), np.uint8), np.zeros(9, np.int64), ["x"] * 9), np.arange(9))
    assert isinstance(part.images, np.memmap)


def test_a_killed_run_leaves_nothing(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(text: str, done: int, total: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        open_source(root, cache_dir=place).load(seed=0, progress=interrupted)
    assert list((place / "pictures").iterdir()) == []


def test_a_place_that_cannot_be_written_costs_a_note_only(root: Path, place: Path, decoded: list[int]) -> None:
    place.write_text("a file where the cache should be")
    data = load(root, place)
    assert data.notes == (f"prepared pictures are not kept: cannot write '{place / 'pictures'}' (not a directory)",)
    np.testing.assert_array_equal(data.train.images[0].numpy(), noise(0, (12, 10)))
    load(root, place)
    assert decoded == [12, 12]


def test_a_full_disk_costs_a_note_only(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, size: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache, "reserve", full)
    monkeypatch.setattr(disk, "free", lambda place: 7)
    data = load(root, place)
    assert data.notes == (
        f"prepared pictures are not kept: disk full: a copy of them in '{place / 'pictures'}' found no room (free "
        "now: 7 bytes); make room, or set NEOCOG_CACHE to a folder with more",
    )
    assert list((place / "pictures").iterdir()) == []


def test_two_processes_may_make_the_same_set(place: Path) -> None:
    target = place / "sets" / "x"
    for _ in range(2):
        made = cache.scratch(target)
        cache.room(made, "pixels", (2, 3))[:] = 7
        assert cache.finish(made, target, {"checksum": "c"}) == ()
    found = cache.arrays(target)
    assert found is not None and (found[0]["pixels"] == 7).all() and found[1]["checksum"] == "c"


def test_nothing_is_mapped_when_a_set_gets_its_name(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows neither moves nor removes a file that is mapped."""
    maps: list[weakref.ref[np.ndarray]] = []
    counts: list[int] = []
    make, read, finish = cache.room, cache.arrays, cache.finish

    def noted(array: np.ndarray) -> np.ndarray:
        maps.append(weakref.ref(array))
        return array

    def read_and_note(folder_: Path) -> object:
        if found := read(folder_):
            return {name: noted(array) for name, array in found[0].items()}, found[1]
        return None

    def check_and_finish(*given: object) -> object:
        gc.collect()
        assert all(ref() is None for ref in maps)
        counts.append(len(maps))
        return finish(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(cache, "room", lambda *given: noted(make(*given)))
    monkeypatch.setattr(cache, "arrays", read_and_note)
    monkeypatch.setattr(cache, "finish", check_and_finish)
    load(root, place)
    spoil_pixels(held(place))
    load(root, place)
    assert counts == [1, 4]  # made, opened again; the spoilt one, made


def test_a_set_that_cannot_get_its_name_still_serves(root: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def held_fast(path: Path, target: Path) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "rename", held_fast)
    monkeypatch.setattr(cache, "IN_MEMORY", 100)
    data = load(root, place)
    assert data.notes == (f"prepared pictures are not kept: cannot write '{place / 'pictures'}' (permission denied)",)
    assert list((place / "pictures").iterdir()) == []
    np.testing.assert_array_equal(data.train.images[0].numpy(), noise(0, (12, 10)))


def test_a_set_that_another_process_is_putting_back_is_waited_for(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    naps: list[float] = []
    monkeypatch.setattr(cache.time, "sleep", naps.append)
    with pytest.raises(DataError) as error:
        cache.reopened(place / "made", place / "set")
    assert str(error.value) == f"'{place / 'set'}' vanished as soon as it was written; run it again"
    assert len(naps) == 20
