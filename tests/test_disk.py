"""disk: the one sentence for a full disk, and files that are whole or not there."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

import neocog
from conftest import STEPS
from neocog import disk
from neocog.checkpoint import Checkpoints, RunSize
from neocog.run import RunDirectory
from neocog.snapshots import Snapshot


def refused(number: int) -> OSError:
    return OSError(number, os.strerror(number))


def raising(number: int) -> Callable[..., Any]:
    def raises(*_: Any, **__: Any) -> None:
        raise refused(number)

    return raises


@pytest.fixture
def nine_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(total=10**9, free=9_099_999))


# --------------------------------------------------------------------------------------------------- the sentence


@pytest.mark.usefixtures("nine_megabytes")
@pytest.mark.parametrize(
    ("needs", "number", "want"),
    [
        (9_100_000, errno.ENOSPC, "disk full: x in 'a' needs 9.1 MB and there are 9.0 MB; make room, and go on"),
        (9_100_001, None, "disk full: x in 'a' needs 9.2 MB and there are 9.0 MB; make room, and go on"),
        (
            99_999,
            errno.ENOSPC,
            "disk full: x in 'a' needs 99,999 bytes and found no room (free now: 9.0 MB); make room, and go on",
        ),
        (None, errno.ENOSPC, "disk full: x in 'a' found no room (free now: 9.0 MB); make room, and go on"),
        (
            7,
            errno.EDQUOT,
            "disk full: x in 'a' needs 7 bytes, and your share of the disk is used up; make room, and go on",
        ),
        (
            None,
            errno.EDQUOT,
            "disk full: x in 'a' needs more, and your share of the disk is used up; make room, and go on",
        ),
        (
            7,
            errno.EFBIG,
            "file too large: x in 'a' needs 7 bytes, and a file may have fewer; raise the limit (ulimit -f), and go on",
        ),
    ],
)
def test_the_sentence(needs: int | None, number: int | None, want: str) -> None:
    assert disk.full("x", Path("a"), needs, "and go on", None if number is None else refused(number)) == want
    assert number is None or disk.is_full(refused(number))


def test_a_disk_with_room_but_no_names_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "statvfs", lambda place: SimpleNamespace(f_files=100, f_favail=0, f_bavail=9, f_frsize=1))
    want = "disk full: 'a' takes no more files, however small; remove some"
    assert disk.full("x", Path("a"), 7, "", refused(errno.ENOSPC)) == want


def test_the_room_is_that_of_the_nearest_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []
    monkeypatch.setattr(shutil, "disk_usage", lambda place: (asked.append(place), SimpleNamespace(free=5))[1])
    Path("here").mkdir()
    Path("file").touch()
    assert [disk.free(Path(place)) for place in ("here", "here/a/b", "nowhere", "file/x")] == [5, 5, 5, 5]
    here = Path.cwd()
    assert asked == [here / "here", here / "here", here, here]


def test_there_is_enough_where_nobody_knows(monkeypatch: pytest.MonkeyPatch) -> None:
    for found in (lambda place: SimpleNamespace(total=0, free=0), raising(errno.EACCES)):
        monkeypatch.setattr(shutil, "disk_usage", found)
        assert disk.too_little("x", Path(), 10, 10, "") is None
    monkeypatch.setattr(shutil, "disk_usage", lambda place: SimpleNamespace(total=99, free=9))
    assert disk.too_little("x", Path(), 9, 9, "") is None
    want = "disk full: x in '.' needs 10 bytes and there are 9 bytes; make room"
    assert disk.too_little("x", Path(), 10, 10, "") == want


# -------------------------------------------------------------------------------------------------------- writing


def test_bytes_reach_the_disk_before_their_name_and_that_before_all_is_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """In this order alone a power cut leaves the old file or the new one."""
    calls: list[str] = []
    fsync, replace = os.fsync, os.replace

    def flushed(handle: int) -> None:
        calls.append(f"fsync {Path(f'/proc/self/fd/{handle}').readlink().relative_to(Path.cwd())}")
        fsync(handle)

    def renamed(old: Any, new: Any) -> None:
        calls.append(f"rename {Path(old).relative_to(Path.cwd())} to {new}")
        replace(old, new)

    monkeypatch.setattr(os, "fsync", flushed)
    monkeypatch.setattr(os, "replace", renamed)
    monkeypatch.setattr(os, "rename", renamed)
    Path("run").mkdir()
    stored = Checkpoints(Path("run")).write(Snapshot(3, {"a": torch.ones(2)}, {}), {})
    made, written, named, kept = calls
    temporary = written.removeprefix("fsync ")
    assert made == "fsync run"  # where the folder was just made
    assert temporary.startswith("run/checkpoint/.writing-")
    assert (named, kept) == (f"rename {temporary} to {stored.path}", "fsync run/checkpoint")
    calls.clear()
    RunDirectory(Path("run")).write_json("results.json", {})
    assert [call.split()[0] for call in calls] == ["fsync", "rename", "fsync"]


@pytest.mark.parametrize("call", ["fsync", "replace", "open"])
def test_a_disk_that_fails_leaves_the_old_file(call: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Path("a").write_text("old")
    with monkeypatch.context() as patch:
        patch.setattr(os, call, raising(errno.EIO))
        with pytest.raises(OSError, match="Input/output error"), disk.replacing(Path("a")) as temporary:
            temporary.write_text("new")
    assert Path("a").read_text() == "old"
    assert [path.name for path in Path().iterdir()] == ["a"]


def test_a_line_is_added_or_not_at_all() -> None:
    class Slow:
        """A file that takes three bytes at a time, and no more than `room`."""

        def __init__(self, room: int) -> None:
            self.held, self.room = b"old\n", room

        def seek(self, *_: int) -> int:
            return len(self.held)

        def write(self, content: bytes) -> int:
            taken = bytes(content[: min(3, self.room - len(self.held))])
            if not taken:
                raise refused(errno.ENOSPC)
            self.held += taken
            return len(taken)

        def truncate(self, size: int) -> None:
            self.held = self.held[:size]

    file: Any = Slow(100)
    disk.append(file, b"a new line\n")
    assert file.held == b"old\na new line\n"
    file = Slow(10)
    with pytest.raises(OSError, match="No space left"):
        disk.append(file, b"a new line\n")
    assert file.held == b"old\n"


def test_the_system_is_found_behind_what_writers_say_while_they_close() -> None:
    try:
        try:
            raise refused(errno.ENOSPC)
        finally:
            raise ValueError("an open handle")
    except ValueError as error:
        found = disk.cause(error)
    assert found is not None
    assert found.errno == errno.ENOSPC
    assert disk.cause(ValueError()) is None


# ------------------------------------------------------------------------------------------------------- what it needs


@pytest.mark.parametrize("optimizer", ["sgd", "sgd with momentum", "adam", "adamw", "adadelta", "muon"])
def test_what_a_run_needs_is_not_far_from_what_it_takes(
    optimizer: str, arrays: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[RunSize] = []
    monkeypatch.setattr(RunSize, "refuse", lambda size, place: sizes.append(size))
    settings = {"optimizer.name": optimizer.split()[0], "train.ema": 0.9, **STEPS, "train.iterations": 4}
    if optimizer == "sgd with momentum":
        settings["optimizer.momentum"] = 0.9
    model = "conv 8 3 same | batchnorm | relu | flatten | linear 200 | relu | linear classes"
    run = neocog.train(
        "fast",
        data=arrays,
        model=model,
        set=settings,
        run="run",
        checkpoint_every=0,
        figures=False,
        tell=[].append,
    )
    (size,) = sizes
    for path in (*run.path.glob("checkpoint/*"), run.path / "weights.safetensors", run.path / "predictions.npz"):
        kind = {"checkpoint": size.checkpoint, run.path.name: size.weights}[path.parent.name]
        kind = size.predictions + 10_000 if path.name == "predictions.npz" else kind
        taken = path.stat().st_size
        # Muon remembers one number for most parameters and two for others; it is taken to remember two for all.
        assert taken <= kind <= (1.5 if optimizer == "muon" else 1.1) * taken + 110_000, path.name
    assert disk.used(run.path) <= size.total
    assert size.largest == size.checkpoint
