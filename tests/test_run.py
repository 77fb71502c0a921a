"""run: the directory's files, its numbering, and what happens where it can't be written or read."""

from __future__ import annotations

import csv
import errno
import json
import os
import stat
import sys
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import neocog
from conftest import STEPS, TINY
from neocog import disk
from neocog.curve import Plan, Point
from neocog.errors import NeocogError, RunError
from neocog.logs import MetricsLog, TensorBoardLog
from neocog.recipe import Recipe
from neocog.run import RunDirectory, git_commit
from neocog.steps import Published, Resolved


@contextmanager
def nobody() -> Iterator[None]:
    """As a user whom permissions bind; root writes everywhere."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


def refusal(action: Any, *arguments: Any) -> str:
    with pytest.raises(RunError) as caught:
        action(*arguments)
    return str(caught.value)


@pytest.fixture
def directory(tmp_path: Path) -> RunDirectory:
    return RunDirectory.create("a-run", "unused")


def files(directory: RunDirectory) -> list[str]:
    return sorted(path.name for path in directory.path.iterdir())


# ------------------------------------------------------------------------------------------------ the place itself


def test_numbering_goes_on_and_fills_no_gap_it_does_not_find() -> None:
    assert [str(RunDirectory.create(None, "fast-mnist").path) for _ in range(3)] == [
        "runs/fast-mnist-1",
        "runs/fast-mnist-2",
        "runs/fast-mnist-3",
    ]
    assert str(RunDirectory.create(None, "other").path) == "runs/other-1"


def test_a_given_place_is_made_with_its_parents_and_never_twice() -> None:
    assert RunDirectory.create("a/b/c", "unused").path.is_dir()
    text = "run directory 'a/b/c' exists already and is never overwritten; give another --run"
    assert refusal(RunDirectory.create, "a/b/c", "unused") == text
    assert refusal(RunDirectory.check_place, Path("a/b/c")) == text
    RunDirectory.check_place(None)
    RunDirectory.check_place("a/b/d")
    assert not Path("runs").exists()
    assert not Path("a/b/d").exists()


def test_a_place_that_another_run_takes_meanwhile_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    def check_place(path: str | Path | None, option: str) -> None:
        assert path is not None
        Path(path).mkdir()

    monkeypatch.setattr(RunDirectory, "check_place", staticmethod(check_place))
    want = "run directory 'mine' exists already and is never overwritten; give another --run"
    assert refusal(RunDirectory.create, "mine", "unused") == want


def test_a_folder_around_it_that_is_swept_away_meanwhile_is_made_again(monkeypatch: pytest.MonkeyPatch) -> None:
    real, calls = Path.mkdir, []

    def overtaken(self: Path, *arguments: Any, **options: Any) -> None:
        calls.append(str(self))
        if len(calls) == 1:
            raise FileNotFoundError(2, "No such file or directory")
        real(self, *arguments, **options)

    monkeypatch.setattr(Path, "mkdir", overtaken)
    assert RunDirectory.create("a/b", "unused").path.is_dir()
    assert calls[:2] == ["a/b", "a/b"]


def test_who_gives_the_place_by_another_option_reads_of_that_one() -> None:
    Path("mine").mkdir()
    Path("file").touch()
    want = "directory 'mine' exists already and is never overwritten; give another --out"
    for action in (RunDirectory.check_place, lambda place, option: RunDirectory.create(place, "unused", option)):
        assert refusal(action, "mine", "--out") == want
        assert refusal(action, "file/mine", "--out") == (
            "cannot write 'file/mine': Not a directory; give a --out in a place that can be written"
        )
    Path("runs").symlink_to("nowhere")
    want = "'runs' is a link to nothing; remove it, or give a --out in another place"
    assert refusal(RunDirectory.check_place, None, "--out") == want


def test_a_file_or_a_dangling_link_is_taken_too() -> None:
    Path("file").write_text("mine")
    Path("link").symlink_to("nowhere")
    for name in ("file", "link"):
        want = f"run directory '{name}' exists already and is never overwritten; give another --run"
        assert refusal(RunDirectory.create, name, "unused") == want
    assert Path("file").read_text() == "mine"


def test_a_place_below_a_file_is_refused() -> None:
    Path("file").write_text("mine")
    want = "cannot write 'file/run': Not a directory; give a --run in a place that can be written"
    assert refusal(RunDirectory.create, "file/run", "unused") == want
    Path("runs").write_text("mine")
    want = "cannot write 'runs': Not a directory; give a --run in a place that can be written"
    assert refusal(RunDirectory.create, None, "x") == want
    assert refusal(RunDirectory.check_place, None) == want


def test_runs_being_a_link_to_nothing_does_not_hang() -> None:
    Path("runs").symlink_to("nowhere")
    want = "'runs' is a link to nothing; remove it, or give a --run in another place"
    assert refusal(RunDirectory.create, None, "x") == want


@pytest.mark.parametrize("action", [RunDirectory.check_place, lambda place: RunDirectory.create(place, "unused")])
def test_a_place_that_may_not_be_written_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, action: Callable[[str | None], Any]
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o555)
    tmp_path.chmod(0o755)
    end = ": Permission denied; give a --run in a place that can be written"
    with nobody():
        for place in ("locked/run", "locked/new/run"):
            assert refusal(action, place) == f"cannot write '{place}'{end}"
    monkeypatch.chdir(locked)
    with nobody():
        assert refusal(action, None) == f"cannot write 'runs'{end}"
    assert list(locked.iterdir()) == []


def test_a_place_that_may_not_be_looked_into_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "locked" / "run").mkdir(parents=True)
    (tmp_path / "locked").chmod(0o600)
    tmp_path.chmod(0o755)
    with nobody():
        for place in ("locked/run", "locked/new"):
            want = f"cannot write '{place}': Permission denied; give a --run in a place that can be written"
            assert refusal(RunDirectory.check_place, place) == want
            want = f"run directory '{place}' can't be read: Permission denied; give another run"
            assert refusal(RunDirectory.open, place) == want
    (tmp_path / "locked").chmod(0o700)


# ---------------------------------------------------------------------------------------------------- the writing


def test_json_is_readable_text_with_an_end(directory: RunDirectory) -> None:
    directory.write_json("results.json", {"class": "三", "value": 0.5})
    text = (directory.path / "results.json").read_text(encoding="utf-8")
    assert text == '{\n  "class": "三",\n  "value": 0.5\n}\n'
    assert files(directory) == ["results.json"]
    assert stat.S_IMODE((directory.path / "results.json").stat().st_mode) == 0o644


def test_weights_are_safetensors_of_the_plain_state_dict(directory: RunDirectory) -> None:
    from safetensors.torch import load_file

    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4)).to(memory_format=torch.channels_last)
    directory.write_weights(model)
    stored = load_file(directory.path / "weights.safetensors")
    assert set(stored) == set(model.state_dict())
    for name, value in model.state_dict().items():
        assert torch.equal(stored[name], value), name
    assert set(directory.read_weights()) == set(stored)


def test_tied_weights_are_written_twice(directory: RunDirectory) -> None:
    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    directory.write_weights(model)
    stored = directory.read_weights()
    assert set(stored) == {"0.weight", "0.bias", "1.weight", "1.bias"}
    assert torch.equal(stored["1.weight"], model[0].weight)


def test_predictions_come_back_as_they_went(directory: RunDirectory) -> None:
    arrays = {"test_index": np.arange(3), "test_name": np.array(["a", "bé", "c"])}
    directory.write_predictions(arrays)
    back = directory.read_predictions()
    assert set(back) == set(arrays)
    for name, value in arrays.items():
        np.testing.assert_array_equal(back[name], value)


def test_of_one_part_nothing_else_is_read(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    directory.write_predictions({f"{part}_{name}": np.arange(3) for part in ("test", "validation") for name in "ab"})
    read: list[str] = []
    whole = zipfile.ZipFile.open

    def noting(archive: Any, member: Any, *rest: Any) -> Any:
        read.append(member.filename)
        return whole(archive, member, *rest)

    monkeypatch.setattr(zipfile.ZipFile, "open", noting)
    assert set(directory.read_predictions("test")) == {"test_a", "test_b"}
    assert read == ["test_a.npy", "test_b.npy"]
    assert directory.read_predictions("train") == {}


@pytest.mark.parametrize("moment", ["while writing", "while renaming"])
def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    directory.write_json("results.json", {"old": 1})

    def full(*_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes" if moment == "while writing" else "replace", full)
    monkeypatch.setattr(disk, "free", lambda place: 12)
    want = "disk full: results.json in 'a-run' needs 15 bytes and there are 12 bytes; make room, or give a --run in "
    want += "another place"
    assert refusal(directory.write_json, "results.json", {"new": 2}) == want
    assert files(directory) == ["results.json"]
    assert json.loads((directory.path / "results.json").read_text()) == {"old": 1}


def test_a_write_that_is_interrupted_leaves_nothing(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(np, "savez_compressed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        directory.write_predictions({"a": np.arange(3)})
    assert files(directory) == []


def test_a_directory_that_vanished_is_one_line(directory: RunDirectory) -> None:
    directory.path.rmdir()
    end = ": No such file or directory; give a --run in a place that can be written"
    assert refusal(directory.write_json, "results.json", {}) == f"cannot write 'a-run/results.json'{end}"
    assert refusal(directory.append_evaluation, {}) == (
        "cannot write 'a-run/evaluations.jsonl': No such file or directory; the evaluation was not noted"
    )
    assert refusal(MetricsLog(directory).start, Plan(1, 1)) == f"cannot write 'a-run/metrics.csv'{end}"


def test_looks_at_a_part_are_only_ever_added(directory: RunDirectory) -> None:
    directory.append_evaluation({"split": "test"})
    directory.append_evaluation({"split": "validation"})
    lines = [json.loads(line) for line in (directory.path / "evaluations.jsonl").read_text().splitlines()]
    assert [line["split"] for line in lines] == ["test", "validation"]
    assert all(line["when"].endswith("+00:00") for line in lines)


def test_metrics_have_these_columns_and_are_there_at_once(directory: RunDirectory) -> None:
    log = MetricsLog(directory)
    log.start(Plan(2, 1))
    log.point(Point(1, 0.5, 1.25, 0.1, 2.3, 0.25))
    path = directory.path / "metrics.csv"
    first = "1,0.5,1.25,0.1,2.3,0.25,,,,"
    head = "step,epoch,seconds,rate,train_loss,train_accuracy,validation_loss,validation_accuracy"
    head += ",batch_loss,batch_accuracy"
    assert path.read_text() == f"{head}\n{first}\n"  # flushed, for those who watch
    log.point(Point(2, 1.0, 2.5, 0.1, 1 / 3, 1.0, 0.5, 0.75, 0.25, 1.0))
    log.end()
    assert path.read_text() == f"{head}\n{first}\n2,1,2.5,0.1,0.333333,1,0.5,0.75,0.25,1\n"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is always full")
def test_a_full_disk_is_one_line(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("metrics.csv", "evaluations.jsonl"):
        (directory.path / name).symlink_to("/dev/full")
    monkeypatch.setattr(disk, "free", lambda place: 12)
    want = "disk full: metrics.csv in 'a-run' needs {}; make room, or give a --run in another place"
    log = MetricsLog(directory)
    assert refusal(log.start, Plan(1, 1)) == want.format("112 bytes and there are 12 bytes")
    assert refusal(log.point, Point(1, 0.5, 1.25, 0.1, 2.3, 0.25)) == want.format("28 bytes and there are 12 bytes")
    log.end()
    want = (
        "disk full: evaluations.jsonl in 'a-run' needs 55 bytes and there are 12 bytes; make room; the evaluation was "
    )
    want += "not noted"
    assert refusal(directory.append_evaluation, {"split": "test"}) == want


@pytest.mark.parametrize("moment", ["__init__", "add_scalar", "close"])
def test_tensorboard_on_a_full_disk_is_one_line(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    methods = {name: lambda *_: None for name in ("__init__", "add_scalar", "close")}
    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = type("SummaryWriter", (), {**methods, moment: full})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    monkeypatch.setattr(disk, "free", lambda place: 12)

    def logged() -> None:
        log = TensorBoardLog(directory)
        log.point(Point(1, 0.5, 1.25, 0.1, 2.3, 0.25))
        log.end()

    assert refusal(logged) == (
        "disk full: tensorboard in 'a-run' found no room (free now: 12 bytes); make room, or give a --run in "
        "another place"
    )


def test_a_run_that_was_not_begun_gives_its_place_back(
    directory: RunDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    directory.write_json("split.json", {})
    monkeypatch.setattr(Path, "write_bytes", full)
    assert refusal(directory.begin, Recipe.load("fast"), {}, {}).startswith("disk full: recipe.toml in 'a-run' ")
    assert not directory.path.exists()


def test_tensorboard_gets_each_figure_of_a_point(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[Any] = []

    class SummaryWriter:
        def __init__(self, place: str) -> None:
            written.append(place)

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def close(self) -> None:
            written.append("closed")

    fake = ModuleType("torch.utils.tensorboard")
    fake.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", fake)
    TensorBoardLog.check()
    log = TensorBoardLog(directory)
    log.start(Plan(2, 1))
    log.point(Point(1, 0.5, 1.25, 0.1, 2.3, 0.25))
    log.point(Point(2, 1.0, 2.5, 0.05, 1.5, 0.75, 1.75, 0.5))
    log.end()
    assert written == [
        str(directory.path / "tensorboard"),
        ("seconds", 1.25, 1),
        ("rate", 0.1, 1),
        ("train_loss", 2.3, 1),
        ("train_accuracy", 0.25, 1),
        ("seconds", 2.5, 2),
        ("rate", 0.05, 2),
        ("train_loss", 1.5, 2),
        ("train_accuracy", 0.75, 2),
        ("validation_loss", 1.75, 2),
        ("validation_accuracy", 0.5, 2),
        "closed",
    ]


def test_tensorboard_is_asked_for_where_it_is_missing(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    for action in (TensorBoardLog.check, lambda: TensorBoardLog(directory)):
        with pytest.raises(NeocogError) as caught:
            action()
        assert str(caught.value) == "TensorBoard is not installed; pip install 'neocog[tensorboard]'"
    assert files(directory) == []


def test_the_curve_is_on_the_disk_when_it_is_flushed(directory: RunDirectory, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MetricsLog(directory)
    log.start(Plan(1, 1))
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.fstat(handle).st_ino))
    log.flush()
    assert flushed == [(directory.path / "metrics.csv").stat().st_ino]

    def broken(handle: int) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(os, "fsync", broken)
    assert refusal(log.flush) == (
        "cannot write 'a-run/metrics.csv': Input/output error; give a --run in a place that can be written"
    )


def test_what_others_write_into_a_finished_run_is_not_swept_away(directory: RunDirectory) -> None:
    begun = directory.path / f"{disk.WRITING}calibration"
    for finished in (True, False):
        begun.touch()
        if finished:
            directory.write_json("results.json", {})
        else:
            (directory.path / "results.json").unlink()
        with directory.owned(print):
            assert begun.exists() == finished


def test_a_log_that_never_started_can_end(directory: RunDirectory) -> None:
    MetricsLog(directory).end()
    assert files(directory) == []


# ---------------------------------------------------------------------------------------------------- the reading


def test_what_is_no_run_is_refused() -> None:
    want = "there is no run directory 'nowhere'; `neocog train` prints where a run lies"
    assert refusal(RunDirectory.open, "nowhere") == want
    Path("file").write_text("")
    assert refusal(RunDirectory.open, "file") == want.replace("nowhere", "file")


def test_an_unfinished_run_is_refused_naming_what_it_lacks(directory: RunDirectory) -> None:
    for name in ("recipe.toml", "weights.safetensors", "results.json"):
        want = f"'a-run' is no finished run: it has no {name}; train again into a new directory"
        assert refusal(RunDirectory.open, "a-run") == want
        (directory.path / name).write_text("")
    assert RunDirectory.open("a-run").path == Path("a-run")


@pytest.mark.parametrize("damage", ["empty", "cut", "text", "flipped"])
def test_damaged_files_are_named(directory: RunDirectory, damage: str) -> None:
    directory.write_predictions({"test_label": np.arange(1000)})
    noted = {"weights_sha256": directory.write_weights(nn.Linear(20, 20))}
    directory.write_json("results.json", noted)
    for path in directory.path.iterdir():
        content = path.read_bytes()
        middle = len(content) // 2
        path.write_bytes(
            {
                "empty": b"",
                "cut": content[:middle],
                "text": b"<html>not found</html>",
                "flipped": content[:middle] + bytes([content[middle] ^ 255]) * 40 + content[middle + 40 :],
            }[damage]
        )
    readers = {
        "predictions.npz": directory.read_predictions,
        "results.json": directory.read_results,
        "weights.safetensors": directory.read_weights,
    }
    for name, read in readers.items():
        if name == "weights.safetensors":  # whose SHA-256 stands in results.json
            directory.write_json("results.json", noted)
        text = refusal(read)
        assert text.startswith(f"'a-run/{name}' can't be read: "), text
        assert text.endswith("; train again"), text
        assert "\n" not in text


def test_missing_files_are_named(directory: RunDirectory) -> None:
    for name, read in (
        ("predictions.npz", directory.read_predictions),
        ("results.json", directory.read_results),
        ("weights.safetensors", directory.read_weights),
    ):
        assert refusal(read) == f"run 'a-run' has no {name}; train again"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows gives another reason")
def test_what_the_system_refuses_names_its_file_once(directory: RunDirectory) -> None:
    (directory.path / "predictions.npz").mkdir()
    want = "'a-run/predictions.npz' can't be read: Is a directory; train again"
    assert refusal(directory.read_predictions) == want


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("comparison.json", "comparison, not a run; give one of its runs, which comparison.json there names"),
        ("sweep.json", "sweep, not a run; give one of its runs, which sweep.json there names"),
        ("reproduction.json", f"reproduction, not a run; give one of its runs, which lie in '{Path('runs/seeds')}'"),
    ],
)
def test_the_folder_of_an_answer_is_no_run(file: str, text: str) -> None:
    Path("answer").mkdir()
    (Path("answer") / file).write_text("{}")
    assert refusal(RunDirectory.open, "answer") == f"'answer' is a {text}"


def test_a_recipe_comes_back_whole(directory: RunDirectory) -> None:
    resolved = Resolved(
        classes=("0", "1"), image_shape=(1, 8, 8), mean=(0.3,), std=(0.2,), data_checksum="sha256:1", neocog="0.1"
    )
    published = Published(source="a lesson", faults=("one", "two"), losses=(0.5, 0.25), batch_epochs=(6, 9))
    recipe = Recipe.load("fast", {"optimizer.lr": 0.02})
    directory.write_recipe(recipe)
    assert refusal(directory.read_recipe) == "'a-run/recipe.toml' has lost its [resolved] table; train again"
    for more in ({"resolved": resolved}, {"resolved": resolved, "published": published}):
        whole = recipe.model_copy(update=more)
        directory.write_recipe(whole)
        assert directory.read_recipe().to_toml() == whole.to_toml()


@pytest.mark.parametrize("text", ["[]", "null", "1", '"accuracy"'])
def test_results_that_are_no_table_are_named(directory: RunDirectory, text: str) -> None:
    (directory.path / "results.json").write_text(text)
    assert refusal(directory.read_results) == (
        "'a-run/results.json' can't be read: it holds no object, as in {…}; train again"
    )


HEAD = "step,epoch,seconds,rate,train_loss,train_accuracy,validation_loss,validation_accuracy,batch_loss,batch_accuracy"
ROW = "1,0.5,1.25,0.1,2.3,0.25,,,2.5,0.125"


def test_metrics_come_back_as_columns(directory: RunDirectory) -> None:
    log = MetricsLog(directory)
    log.start(Plan(2, 1))
    log.point(Point(1, 0.5, 1.25, 0.1, 2.3, 0.25))
    log.point(Point(2, 1.0, 2.5, 0.1, 1 / 3, 1.0, 0.5, 0.75, 0.25, 1.0))
    log.end()
    got = directory.read_metrics()
    assert list(got) == HEAD.split(",")
    nan = float("nan")
    want = [[1, 2], [0.5, 1], [1.25, 2.5], [0.1, 0.1], [2.3, 0.333333], [0.25, 1], *[[nan, value] for value in
            (0.5, 0.75, 0.25, 1)]]  # fmt: skip
    np.testing.assert_array_equal(list(got.values()), want)
    assert {column.dtype for column in got.values()} == {np.dtype(np.float64)}


def test_metrics_of_another_neocog_have_all_columns(directory: RunDirectory) -> None:
    older = ("step,epoch,seconds,rate,train_loss,train_accuracy", "1,0.5,1.25,0.1,2.3,0.25")
    newer = (f"norm,{HEAD}", f"7,{ROW}")
    for (head, row), more in ((older, []), (newer, ["norm"])):
        (directory.path / "metrics.csv").write_text(f"{head}\n{row}\n{row}\n")
        got = directory.read_metrics()
        assert list(got) == [*HEAD.split(","), *more]
        np.testing.assert_array_equal(got["train_loss"], [2.3, 2.3])
        assert np.isnan(got["batch_loss"]).all() == (head == older[0])


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is empty"),
        (HEAD, "its end is missing"),
        (f"{HEAD}\n{ROW}\n{ROW[:-1]}", "its end is missing"),
        (f"{HEAD}\n", "it has no points"),
        ("\n", "it has no column step"),
        ("<html>\nnot found\n", "it has no column step"),
        (f"{ROW}\n{ROW}\n", "it has no column step"),
        (HEAD.replace("train_loss", "loss") + f"\n{ROW}\n", "it has no column train_loss"),
        (f"{HEAD}\n{ROW}\n1,0.5,1.25\n", "line 3 has 3 values, not 10"),
        (f"{HEAD}\n{ROW},7\n", "line 2 has 11 values, not 10"),
        (f"{HEAD}\n{ROW}\n\n{ROW}\n", "line 3 has 1 values, not 10"),
        (f"{HEAD}\n{ROW.replace('2.3', 'two')}\n", "line 2: train_loss is 'two', which is no number"),
        (f"{HEAD}\n{ROW.replace('2.3', '')}\n", "line 2: train_loss is '', which is no number"),
        (f"{HEAD}\n{ROW.replace('2.5', 'x')}\n", "line 2: batch_loss is 'x', which is no number"),
        (f'{HEAD}\n"{ROW}\n', "line 2: step is '\"1', which is no number"),
    ],
)
def test_damaged_metrics_are_one_line(directory: RunDirectory, text: str, why: str) -> None:
    (directory.path / "metrics.csv").write_text(text)
    assert refusal(directory.read_metrics) == f"'a-run/metrics.csv' can't be read: {why}; train again"


def test_metrics_that_are_no_text_or_not_there_are_one_line(directory: RunDirectory) -> None:
    assert refusal(directory.read_metrics) == ("run 'a-run' has no metrics.csv; train again")
    (directory.path / "metrics.csv").write_bytes(b"\xff\xfe\n")
    assert refusal(directory.read_metrics) == (
        "'a-run/metrics.csv' can't be read: 'utf-8' codec can't decode byte 0xff in position 0: invalid start byte; "
        "train again"
    )


def test_looks_come_back_and_damaged_ones_still_count(directory: RunDirectory, tmp_path: Path) -> None:
    assert directory.read_evaluations() == []
    directory.append_evaluation({"split": "test", "n": 3})
    path = directory.path / "evaluations.jsonl"
    with path.open("ab") as file:
        file.write(b'{"split": "validation", "n"\n\n\xff\n[1]\n')
    directory.append_evaluation({"split": "bé\u2028"})
    looks = directory.read_evaluations()
    assert [{key: value for key, value in look.items() if key != "when"} for look in looks] == [
        {"split": "test", "n": 3}, {}, {}, {}, {"split": "bé\u2028"},
    ]  # fmt: skip
    path.chmod(0)
    tmp_path.chmod(0o755)
    with nobody():
        assert refusal(directory.read_evaluations) == (
            "'a-run/evaluations.jsonl' can't be read: Permission denied; give a run that can be read"
        )


# ------------------------------------------------------------------------------------------------- a run as a whole


@pytest.fixture
def run(arrays: tuple[np.ndarray, np.ndarray]) -> neocog.Run:
    return neocog.train("fast", data=arrays, set=STEPS, model=TINY)


def test_a_run_leaves_these_files_and_no_others(run: neocog.Run) -> None:
    assert sorted(path.name for path in run.path.iterdir()) == [
        "environment.json",
        "metrics.csv",
        "pictures.npz",
        "predictions.npz",
        "recipe.toml",
        "results.json",
        "split.json",
        "weights.safetensors",
    ]
    with (run.path / "metrics.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["step"] for row in rows] == ["1", "2", "3", "4", "5", "6"]
    assert rows[-1]["validation_accuracy"] == f"{run.validation.accuracy:.6g}"
    environment = json.loads((run.path / "environment.json").read_text())
    assert environment["precision"] == "float32"
    assert environment["device"] == "cpu"
    assert environment["threads"] == 1
    assert environment["data"] == run.recipe.resolved.data_checksum
    assert "git_commit" in environment


def test_the_metrics_of_a_run_are_its_curve(run: neocog.Run) -> None:
    with (run.path / "metrics.csv").open() as lines:
        rows = list(csv.DictReader(lines))
    for name, column in run.metrics.items():
        np.testing.assert_array_equal(column, [float(row[name] or "nan") for row in rows])
    assert run.metrics["step"].tolist() == [1, 2, 3, 4, 5, 6]
    assert np.isnan(run.metrics["validation_accuracy"]).tolist() == [True, True, True, False, True, False]
    assert run.metrics["validation_accuracy"][-1] == pytest.approx(run.validation.accuracy, rel=1e-5)


def test_the_weights_load_into_plain_torch(run: neocog.Run) -> None:
    from safetensors.torch import load_file

    plain = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), nn.Linear(64, 2))
    stored = load_file(run.path / "weights.safetensors")
    assert {name: value.shape for name, value in stored.items()} == {
        name: value.shape for name, value in plain.state_dict().items()
    }


def test_a_run_directory_trains_again_to_the_same_bits(run: neocog.Run, arrays: tuple[np.ndarray, np.ndarray]) -> None:
    again = neocog.train(run.path, data=arrays, run="again")
    for name in ("weights.safetensors", "recipe.toml", "split.json"):
        assert (again.path / name).read_bytes() == (run.path / name).read_bytes(), name
    assert again.results["test_accuracy"] == run.results["test_accuracy"]


def test_the_commit_is_noted_inside_git_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import subprocess

    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    assert git_commit() is None
    identity = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run(["git", "init", "-q"], check=True)
    subprocess.run(["git", *identity, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
    commit = git_commit()
    assert commit is not None
    assert len(commit) == 40
    Path("new").write_text("")
    assert git_commit() == f"{commit}+"
    monkeypatch.setenv("PATH", "")
    assert git_commit() is None
