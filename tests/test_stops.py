"""A signal at any stage: one line that says what there is, a run that goes on to the same bits, nothing half made."""

from __future__ import annotations

import errno
import json
import os
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from filelock import FileLock

import neocog
from conftest import STEPS, TINY, Answer
from neocog.checkpoint import CheckpointKeeper, Checkpoints
from neocog.errors import NeocogError, RunError
from neocog.run import RunDirectory
from neocog.stopping import Stopped
from neocog.training import Observer
from same_bits import Signals, check_same

Arrays = tuple[np.ndarray, np.ndarray]
Cli = Callable[..., Answer]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
BOTH = pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])


def train(data: Any, run: str, **options: Any) -> neocog.Run:
    options = {"model": TINY, "set": STEPS, "figures": False, "tell": lambda text: None, **options}
    return neocog.train("fast", data=data, run=run, **options)


def resume(run: str | Path, **options: Any) -> neocog.Run:
    return neocog.resume(run, **{"figures": False, "tell": lambda text: None, **options})


def signalled(place: str, number: int, patch: pytest.MonkeyPatch, after: bool = False) -> None:
    """The signal comes just before, or just after, that function is called the first time."""
    home, _, name = place.rpartition(".")
    owner: Any = {"RunDirectory": RunDirectory, "neocog.workflow": neocog.workflow}[home]
    function = getattr(owner, name)
    sent: list[int] = []

    def sending(*words: Any, **options: Any) -> Any:
        if not after and not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
        found = function(*words, **options)
        if after and not sent:
            sent.append(number)
            os.kill(os.getpid(), number)
        return found

    patch.setattr(owner, name, sending)


# ------------------------------------------------------------------------------------------------ after the last step


@BOTH
@pytest.mark.parametrize(
    ("place", "after"),
    [
        ("RunDirectory.write_weights", False),
        ("RunDirectory.write_weights", True),
        ("neocog.workflow.measured", False),
        ("RunDirectory.write_predictions", True),
        ("neocog.workflow.keep_pictures", True),
    ],
)
def test_while_results_are_measured_it_stops_at_once(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch, number: int, status: int, place: str, after: bool
) -> None:
    want = train(arrays, "whole")
    with monkeypatch.context() as patch, pytest.raises(Stopped) as caught:
        signalled(place, number, patch, after)
        train(arrays, "my run")
    assert str(caught.value) == "stopped while results were measured; go on with: neocog resume 'my run'"
    assert (caught.value.status, caught.value.run) == (status, Path("my run"))
    assert not {"results.json", "run.lock", "owner.txt"} & {path.name for path in Path("my run").iterdir()}
    check_same(resume("my run", data=arrays).path, want.path)


def test_a_signal_in_the_last_step_leaves_a_checkpoint_of_it(arrays: Arrays) -> None:
    want = train(arrays, "whole")
    with pytest.raises(Stopped) as caught:
        train(arrays, "run", observers=[Signals(6)], checkpoint_every=1e9)
    assert str(caught.value) == "stopped after step 6; go on with: neocog resume run"
    told: list[str] = []
    steps: list[int] = []

    class Steps(Observer):
        def step(self, done: int) -> None:
            steps.append(done)

    check_same(resume("run", data=arrays, observers=[Steps()], tell=told.append).path, want.path)
    assert (told, steps) == (["goes on after step 6"], [])


def test_a_signal_while_the_last_checkpoint_is_written(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    want = train(arrays, "whole")
    wait = CheckpointKeeper.wait

    def waiting(self: CheckpointKeeper) -> None:
        os.kill(os.getpid(), signal.SIGTERM)
        wait(self)

    with monkeypatch.context() as patch, pytest.raises(Stopped) as caught:
        patch.setattr(CheckpointKeeper, "wants", lambda self, done, plan: False)
        patch.setattr(CheckpointKeeper, "wait", waiting)
        train(arrays, "run")
    assert str(caught.value) == "stopped while results were measured; go on with: neocog resume run"
    check_same(resume("run", data=arrays).path, want.path)


@BOTH
def test_once_the_results_are_there_the_run_is_complete(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    write = RunDirectory.write_json

    def writing(self: RunDirectory, name: str, content: Any) -> None:
        write(self, name, content)
        if name == "results.json":
            os.kill(os.getpid(), number)

    monkeypatch.setattr(RunDirectory, "write_json", writing)
    with pytest.raises(Stopped) as caught:
        train(arrays, "run")
    assert str(caught.value) == "stopped, but the run is complete; look at it with: neocog report run"
    assert caught.value.status == status
    assert neocog.Run.open("run").results["steps"] == 6


# -------------------------------------------------------------------------------------------------- before the first


@BOTH
def test_while_the_run_is_made_it_waits_for_its_first_step(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    want = train(arrays, "whole")
    with monkeypatch.context() as patch, pytest.raises(Stopped) as caught:
        signalled("RunDirectory.write_recipe", number, patch)
        train(arrays, "run")
    assert (str(caught.value), caught.value.status) == ("stopped after step 1; go on with: neocog resume run", status)
    check_same(resume("run", data=arrays).path, want.path)


@BOTH
def test_while_data_is_read_there_is_no_run_yet(
    cli: Cli, shapes: Path, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    def reading(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), number)

    before = sorted(Path().iterdir())
    monkeypatch.setattr("neocog.insight.ready.open_data", reading)
    assert cli("train", "--data", shapes) == Answer(status, "", "stopped before anything was begun\n")
    assert sorted(Path().iterdir()) == before


@BOTH
def test_before_a_resumed_training_goes_on(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch, number: int, status: int
) -> None:
    want = train(arrays, "whole")
    with pytest.raises(Stopped):
        train(arrays, "run", observers=[Signals(3)])
    before = sorted(path.name for path in Path("run").iterdir())

    def reading(*_: Any, **__: Any) -> Any:
        os.kill(os.getpid(), number)

    with monkeypatch.context() as patch, pytest.raises(Stopped) as caught:
        patch.setattr("neocog.conditions.open_data", reading)
        resume("run", data=arrays)
    assert str(caught.value) == "stopped before training went on; go on with: neocog resume run"
    assert caught.value.status == status
    assert sorted(path.name for path in Path("run").iterdir()) == before
    check_same(resume("run", data=arrays).path, want.path)


# --------------------------------------------------------------------------------------------- clocks, places, machines


def test_a_clock_that_is_set_back(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the moments of checkpoints nor which one is the last depend on the time of day."""
    want = train(arrays, "whole")
    now = [4e9]

    def back() -> float:
        now[0] -= 86_400.0
        return now[0]

    monkeypatch.setattr(time, "time", back)
    with pytest.raises(Stopped):
        train(arrays, "run", observers=[Signals(2)])
    with pytest.raises(Stopped):
        resume("run", data=arrays, observers=[Signals(4)])
    for age, each in enumerate(Checkpoints(Path("run")).stored()):  # the newest looks oldest, and from before 1970
        os.utime(each.path, (age - 1e6, age - 1e6))
    told: list[str] = []
    found = resume("run", data=arrays, tell=told.append)
    assert told == ["goes on after step 4"]
    check_same(found.path, want.path)
    assert (np.diff(found.metrics["seconds"]) > 0).all()


def test_checkpoints_are_due_by_a_clock_that_nobody_sets(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: ticks[0])
    monkeypatch.setattr(time, "time", lambda: 0.0)
    keeper = CheckpointKeeper(Checkpoints(Path("run")), {}, every=30.0)
    plan = neocog.Plan(total_steps=1000, steps_per_epoch=1000)
    assert not keeper.wants(1, plan)
    ticks[0] += 29.0
    assert not keeper.wants(2, plan)
    ticks[0] += 1.0
    assert keeper.wants(3, plan)


def test_relative_paths_from_another_folder(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want = train(shapes, "whole").path.resolve()
    with pytest.raises(Stopped):
        train("shapes", "runs/one", observers=[Signals(3)])
    Path("deep/er").mkdir(parents=True)
    monkeypatch.chdir("deep/er")
    with pytest.raises(Stopped) as caught:
        resume("../../runs/one", observers=[Signals(5)])
    assert str(caught.value) == "stopped after step 5; go on with: neocog resume ../../runs/one"
    shutil.move("../../runs/one", "renamed run")
    assert neocog.verify("renamed run").same
    check_same(resume("renamed run").path, want)


def test_a_run_that_can_only_be_read(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Stopped):
        train(arrays, "run", observers=[Signals(3)])

    def refused(self: FileLock, *_: Any, **__: Any) -> None:  # as a file system does; the administrator may do all
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), self.lock_file)

    monkeypatch.setattr(FileLock, "acquire", refused)
    for verb in (resume, neocog.verify):
        with pytest.raises(RunError) as caught:
            verb("run", data=arrays)
        assert str(caught.value) == (
            "'run/run.lock' can't be locked: Permission denied; train on another disk, or make it writable"
        )


def test_data_that_is_gone_is_named(shapes: Path) -> None:
    with pytest.raises(Stopped):
        train(shapes, "run", observers=[Signals(3)])
    place = shapes.resolve()
    shutil.move(shapes, "moved")
    for verb in (resume, neocog.verify):
        with pytest.raises(NeocogError) as caught:
            verb("run")
        assert str(place) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert neocog.verify("run", data="moved").same
    assert resume("run", data="moved").results["steps"] == 6


def test_a_reader_knows_where_a_run_went_on(arrays: Arrays) -> None:
    train(arrays, "whole")
    assert "resumed" not in json.loads(Path("whole/environment.json").read_text())
    with pytest.raises(Stopped):
        train(arrays, "run", observers=[Signals(2)])
    was = json.loads(Path("run/environment.json").read_text())
    with pytest.raises(Stopped):
        resume("run", data=arrays, observers=[Signals(4)])
    resume("run", data=arrays)
    found = json.loads(Path("run/environment.json").read_text())
    notes = found.pop("resumed")
    assert found == was
    assert [note["step"] for note in notes] == [2, 4]
    now = neocog.device.environment()
    for note in notes:
        assert note.pop("when").endswith("+00:00")
        assert note == {**now, "step": note["step"]}
