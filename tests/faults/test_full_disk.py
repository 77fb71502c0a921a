"""A disk that is full, or can only be read, at any write of a training: one line, and nothing lost."""

from __future__ import annotations

import re
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from disks import fill, make_room, read_only, resize, small_disk

import neocog
from conftest import STEPS, Answer
from neocog import disk
from neocog.checkpoint import Checkpoints
from neocog.errors import RunError
from neocog.run import RunDirectory
from neocog.training import Observer
from same_bits import check_same

MODEL = "conv 8 3 same | relu | maxpool 2 | flatten | linear 300 | relu | linear classes"
SETTINGS = {**STEPS, "train.iterations": 20}
Arrays = tuple[np.ndarray, np.ndarray]


@pytest.fixture
def a_disk(tmp_path: Path) -> Iterator[Path]:
    with small_disk(tmp_path / "disk", 4096) as found:
        yield found


@pytest.fixture
def without_asking(monkeypatch: pytest.MonkeyPatch) -> None:
    """As when others have written to the disk since a training has asked for its room."""
    monkeypatch.setattr(disk, "too_little", lambda *_: None)


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A checkpoint after each step, none of them left out because the one before takes long."""

    class Now:
        def __init__(self, target: Callable[..., Any], args: tuple[Any, ...], name: str) -> None:
            self.start = partial(target, *args)

        def is_alive(self) -> bool:
            return False

        def join(self) -> None:
            pass

    monkeypatch.setattr("neocog.checkpoint.Thread", Now)


def trained(run: Path, data: Arrays, **more: Any) -> neocog.Run:
    options = {"set": SETTINGS, "checkpoint_every": 0, "figures": False, **more}
    return neocog.train("fast", data=data, model=MODEL, run=run, **options)


def refusal(run: Path, data: Arrays, **more: Any) -> str:
    with pytest.raises(RunError) as caught:
        trained(run, data, **more)
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    assert "\n" not in str(caught.value)
    return str(caught.value)


def gone_on(run: Path, data: Arrays, **more: Any) -> None:
    """Finishes what a full disk has stopped, or begins again where nothing was begun."""
    if run.exists():
        neocog.resume(run, data=data, figures=False, tell=[].append)
    else:
        trained(run, data, **more)


def check_whole(run: Path) -> None:
    """Every file under its name is whole, and there is no other."""
    known = (
        r"recipe\.toml|split\.json|environment\.json|metrics\.csv|weights\.safetensors|predictions\.npz|pictures\.npz"
    )
    for path in run.rglob("*"):
        assert path.is_dir() or re.fullmatch(rf"{known}|step-\d+-\w{{64}}\.safetensors", path.name), path
    checkpoints = Checkpoints(run)
    for stored in checkpoints.stored():
        checkpoints.read(stored)  # checks the hash
    if run.exists():
        found = RunDirectory(run)
        assert found.read_recipe().resolved is not None
        found.read_json("split.json")
        found.read_json("environment.json")
        for name, read in (
            ("metrics.csv", found.read_metrics),
            ("weights.safetensors", found.read_weights),
            ("predictions.npz", found.read_predictions),
            ("pictures.npz", lambda: found.read_arrays("pictures.npz")),
        ):
            if (run / name).exists() and (name != "metrics.csv" or (run / name).read_text().count("\n") > 1):
                read()  # but a curve of no points yet


@pytest.mark.faults
@pytest.mark.usefixtures("without_asking")
def test_disks_of_all_sizes(tmp_path: Path, arrays: Arrays) -> None:
    whole = trained(tmp_path / "whole", arrays)
    refused, whole_ones = [], 0
    for kilobytes in range(64, 4096, 64):
        with small_disk(tmp_path / str(kilobytes), kilobytes) as place:
            run = place / "run"
            try:
                trained(run, arrays, tell=[].append)
            except RunError as error:
                found = re.fullmatch(
                    r"disk full: (.*) in '.*' .* there are .* (MB|bytes)( now)?; make room.*", str(error)
                )
                assert found, error
                refused.append(found[1])
                check_whole(run)
                resize(place, 16384)
                gone_on(run, arrays)
            else:
                whole_ones += 1
            check_same(run, whole.path)
        if whole_ones == 3:
            break
    assert {"a checkpoint"} <= set(refused)
    assert len(refused) > 10


@pytest.mark.faults
def test_disks_for_so_many_files(tmp_path: Path, arrays: Arrays) -> None:
    """There is room, but none for another name."""
    whole = trained(tmp_path / "whole", arrays)
    refused = []
    for files in range(1, 20):
        with small_disk(tmp_path / str(files), 16384, files) as place:
            run = place / "run"
            try:
                trained(run, arrays, tell=[].append)
            except RunError as error:
                assert re.match(rf"disk full: '{place}.*' takes no more files, however small; remove some", str(error))
                refused.append(str(error))
                check_whole(run)
                resize(place, 16384, 99)
                gone_on(run, arrays)
            check_same(run, whole.path)
    assert len(refused) >= 8  # the folder, the lock, five files and a folder of checkpoints


NOTHING_YET = "make room, or give a --run in another place"
GO_ON = "make room, and `neocog resume {run}` goes on"
WRITES = {
    "recipe.toml": (1, NOTHING_YET),
    "split.json": (1, NOTHING_YET),
    "environment.json": (1, NOTHING_YET),
    "metrics.csv": (1, GO_ON),
    "weights.safetensors": (1, GO_ON),
    "predictions.npz": (1, GO_ON),
    "results.json": (1, GO_ON),
}


@contextmanager
def full_at(name: str, count: int, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The disk is filled just before the so-manieth time that a file whose name begins so is written to."""
    left = [count]

    def before(path: str) -> None:
        if Path(path).name.startswith(name):
            left[0] -= 1
            if left[0] == 0:
                fill(place)

    replacing, append = disk.replacing, disk.append

    def filling(path: Path) -> Any:
        before(str(path))
        return replacing(path)

    def appending(file: Any, content: bytes) -> None:
        before(file.name if isinstance(file.name, str) else str(file.name))
        append(file, content)

    with monkeypatch.context() as patch:
        patch.setattr(disk, "replacing", filling)
        patch.setattr(disk, "append", appending)
        yield
    assert left[0] <= 0, f"{name} was never written so often"


@pytest.mark.faults
@pytest.mark.usefixtures("without_asking", "at_once")
@pytest.mark.parametrize("name", WRITES)
def test_each_file_of_a_run(name: str, a_disk: Path, tmp_path: Path, arrays: Arrays, monkeypatch: Any) -> None:
    run = a_disk / "run"
    count, then = WRITES[name]
    with full_at(name, count, a_disk, monkeypatch):
        text = refusal(run, arrays, tell=[].append)
    known = r"needs [\d,.]+ \w+ and there are 0 bytes"
    needs = r"found no room \(free now: 0 bytes\)" if name.endswith("npz") else known
    end = re.escape(then.format(run=run))
    assert re.fullmatch(rf"disk full: {re.escape(name)} in '{run}' {needs}; {end}", text), text
    check_whole(run)
    make_room(a_disk)
    gone_on(run, arrays)
    check_same(run, trained(tmp_path / "whole", arrays).path)


@pytest.mark.usefixtures("without_asking", "at_once")
@pytest.mark.parametrize("count", [1, 2, pytest.param(9, marks=pytest.mark.faults)])
def test_a_checkpoint(count: int, a_disk: Path, tmp_path: Path, arrays: Arrays, monkeypatch: Any) -> None:
    run = a_disk / "run"
    with full_at("step-", count, a_disk, monkeypatch):
        text = refusal(run, arrays)
    kept = Checkpoints(run).stored()
    assert [each.step for each in kept] == [step for step in (count - 1, count - 2) if step > 0]
    then = f"goes on after step {kept[0].step}" if kept else "begins anew"
    assert re.fullmatch(
        rf"disk full: a checkpoint in '{run}/checkpoint' needs 0\.[56] MB and there are 0 bytes; make room, and "
        rf"`neocog resume {run}` {then}",
        text,
    ), text
    check_whole(run)
    make_room(a_disk)
    gone_on(run, arrays)
    check_same(run, trained(tmp_path / "whole", arrays).path)


@pytest.mark.faults
@pytest.mark.usefixtures("without_asking")
def test_a_curve_that_grows_beyond_its_block(a_disk: Path, tmp_path: Path, arrays: Arrays, monkeypatch: Any) -> None:
    run, more = a_disk / "run", {"set": {**SETTINGS, "train.iterations": 100}}
    with full_at("metrics.csv", 20, a_disk, monkeypatch):
        text = refusal(run, arrays, checkpoint_every=None, **more)
    assert re.fullmatch(
        rf"disk full: metrics\.csv in '{run}' needs \d\d bytes and there are 0 bytes; {GO_ON.format(run=run)}", text
    ), text
    assert (run / "metrics.csv").read_text().endswith("\n")
    assert len(RunDirectory(run).read_metrics()["step"]) > 30
    make_room(a_disk)
    gone_on(run, arrays)
    check_same(run, trained(tmp_path / "whole", arrays, **more).path)


@pytest.mark.faults
@pytest.mark.usefixtures("without_asking")
def test_pictures_are_no_reason_to_lose_a_training(a_disk: Path, arrays: Arrays, monkeypatch: Any) -> None:
    remarks: list[str] = []
    run = a_disk / "run"
    with full_at("pictures.npz", 1, a_disk, monkeypatch), full_at("results.json", 1, a_disk, monkeypatch):
        text = refusal(run, arrays, tell=remarks.append)
    assert text.startswith(f"disk full: results.json in '{run}' needs ")
    check_whole(run)


def test_too_little_room_is_said_before_any_work(a_disk: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    resize(a_disk, 1024)
    monkeypatch.setattr("neocog.workflow.fit", lambda *_, **__: pytest.fail("it was trained"))
    text = refusal(a_disk / "run", arrays)
    assert re.fullmatch(
        rf"disk full: run 'run' in '{a_disk}' needs 2\.\d MB and there are 1\.0 MB; make room, or give a --run in "
        "another place",
        text,
    ), text
    assert list(a_disk.iterdir()) == []


@pytest.mark.faults
def test_what_is_made_of_a_finished_run(
    a_disk: Path, arrays: Arrays, cli: Callable[..., Answer], monkeypatch: pytest.MonkeyPatch
) -> None:
    resize(a_disk, 8192)
    run = trained(a_disk / "run", arrays)
    before = sorted(path for path in a_disk.rglob("*") if path.is_file())
    fill(a_disk)
    nothing = "found no room (free now: 0 bytes); make room, or give another place"
    ends = {
        ("report", run.path): f"report.html in '{run.path}' {nothing}",
        ("plot", run.path, "--only", "curves"): f"curves.png in '{run.path}/figures' {nothing}",
    }
    for words, end in ends.items():
        answer = cli(*words)
        assert (answer.status, answer.out) == (2, ""), words
        *remarks, error = answer.err.splitlines()
        assert all(line.startswith("no figure 'mistakes': there is no mistake among ") for line in remarks)
        assert error == f"error: disk full: {end}"
    unnoted: list[str] = []
    assert neocog.evaluate(run, data=arrays, tell=unnoted.append).n == 8
    end = r"needs \d+ bytes and there are 0 bytes; make room; the evaluation was not noted"
    assert re.fullmatch(rf"disk full: evaluations\.jsonl in '{run.path}' {end}", unnoted[0]), unnoted
    (run.path / "evaluations.jsonl").unlink()  # which is empty
    monkeypatch.undo()  # which draws figures again
    from neocog.insight.reporting import look

    remarks = []
    look(run, remarks.append)
    assert remarks == [
        f"not all there is to look at was made: disk full: samples.png in '{run.path}/figures' {nothing}; "
        f"`neocog report {run.path}` tries again"
    ]
    make_room(a_disk)
    assert sorted(path for path in a_disk.rglob("*") if path.is_file()) == before


class At(Observer):
    """Does something after a step, once."""

    def __init__(self, step: int, what: Callable[[], Any]) -> None:
        self.at, self.what = step, what

    def step(self, done: int) -> None:
        if done == self.at:
            self.what()


def test_a_disk_that_turns_read_only(a_disk: Path, tmp_path: Path, arrays: Arrays) -> None:
    run = a_disk / "run"
    turned = read_only(run)
    try:
        text = refusal(run, arrays, observers=[At(7, turned.__enter__)], checkpoint_every=1e9)
    finally:
        turned.__exit__(None, None, None)
    end = f"Read-only file system; make it writable, then: neocog resume {run}"
    assert text == f"cannot write '{run}/metrics.csv': {end}"
    for left in ("run.lock", "owner.txt"):  # which could not be removed; no process has it
        (run / left).unlink()
    check_whole(run)
    gone_on(run, arrays)
    check_same(run, trained(tmp_path / "whole", arrays).path)


def test_a_disk_that_can_only_be_read(a_disk: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neocog.workflow.fit", lambda *_, **__: pytest.fail("it was trained"))
    with read_only(a_disk):
        end = "Read-only file system; give a --run in a place that can be written"
        assert refusal(a_disk / "run", arrays) == f"cannot write '{a_disk}/run': {end}"
    assert list(a_disk.iterdir()) == []


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.usefixtures("at_once")
def test_a_limit_on_files_is_known_before_and_named_later(tmp_path: Path, arrays: Arrays) -> None:
    with largest_file(200_000):
        text = refusal(tmp_path / "run", arrays)
    assert re.fullmatch(
        rf"file too large: a file of run 'run' in '{tmp_path}' needs 0\.6 MB, and a file may have 0\.2 MB at most; "
        r"raise the limit \(ulimit -f\), or give a --run in another place",
        text,
    ), text
    limit = largest_file(200_000)
    run = tmp_path / "run"
    try:
        text = refusal(run, arrays, observers=[At(7, limit.__enter__)])
    finally:
        limit.__exit__(None, None, None)
    assert Checkpoints(run).stored()[0].step == 6
    assert re.fullmatch(
        rf"file too large: a checkpoint in '{run}/checkpoint' needs 0\.[56] MB, and a file may have 0\.2 MB at most; "
        rf"raise the limit \(ulimit -f\), and `neocog resume {run}` goes on after step 6",
        text,
    ), text
    check_whole(run)
    gone_on(run, arrays)
    check_same(run, trained(tmp_path / "whole", arrays).path)
