"""resuming: a training that was stopped, killed or damaged ends with the bits of one that never was."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
from collections.abc import Callable, Mapping
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from torch import nn

import neocog
from conftest import STEPS, TINY, fill
from neocog.checkpoint import CheckpointKeeper, Checkpoints
from neocog.curve import Point
from neocog.errors import NeocogError, RecipeError, RunError, TrainingError
from neocog.run import RunDirectory
from neocog.stopping import Stopped
from neocog.training import Observer
from same_bits import Signals, check_same, curve

Arrays = tuple[np.ndarray, np.ndarray]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
# Everything that has a state of its own: averages, dropout, augmentation, an optimizer's memory, a schedule.
MUCH: Mapping[str, Any] = {
    **STEPS,
    "optimizer.name": "adamw",
    "optimizer.weight_decay": 0.1,
    "schedule.name": "cosine",
    "train.ema": 0.9,
    "dataset.augment.shift": 1,
    "train.iterations": 9,
}
DROPPING = "conv 4 3 same | batchnorm | relu | dropout 0.3 | maxpool 2 | flatten | linear classes"


def network(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, 2, 3), nn.Flatten(), nn.Linear(72, classes))


def another(channels: int, classes: int) -> nn.Module:
    return network(channels, classes)


def train(data: Any, run: str, **options: Any) -> neocog.Run:
    options = {"model": TINY, "set": STEPS, "figures": False, "tell": lambda text: None, **options}
    return neocog.train(options.pop("recipe", "fast"), data=data, run=run, **options)


def stop(data: Any, run: str, at: int = 3, **options: Any) -> Path:
    """A run that was stopped after a step."""
    with pytest.raises(Stopped) as caught:
        train(data, run, observers=[*options.pop("observers", ()), Signals(at)], **options)
    assert str(caught.value) == f"stopped after step {at}; go on with: neocog resume {run}"
    return Path(run)


def resume(run: str | Path, **options: Any) -> neocog.Run:
    return neocog.resume(run, **{"figures": False, "tell": lambda text: None, **options})


def refusal(kind: type[NeocogError], run: str | Path, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        resume(run, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def edit(run: Path, before: str, after: str) -> None:
    text = (run / "recipe.toml").read_text()
    assert text.count(before) == 1
    (run / "recipe.toml").write_text(text.replace(before, after))


# ---------------------------------------------------------------------------------------------------- the same bits


@pytest.mark.parametrize("at", [1, 3, 4, 8])  # in the first epoch, inside of one, at an end, before the last step
def test_a_stopped_training_ends_with_the_same_bits(arrays: Arrays, at: int) -> None:
    options = {"set": MUCH, "model": DROPPING}
    want = train(arrays, "whole", **options)
    told: list[str] = []
    got = resume(stop(arrays, "stopped", at, **options), data=arrays, tell=told.append)
    assert told == [f"goes on after step {at}"]
    check_same(got.path, want.path)
    same = [name for name in want.results if name not in ("run", "train_seconds")]
    assert [got.results[name] for name in same] == [want.results[name] for name in same]
    assert not {"run.lock", "owner.txt"} & {path.name for path in got.path.iterdir()}


class Drawing(nn.Module):
    """A layer that draws from the generators of Python and numpy, and from torch's."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if not self.training:
            return x
        return x * random.uniform(0.5, 1.5) + 0.1 * float(np.random.normal()) + 0.1 * torch.randn_like(x)  # noqa: NPY002


def drawing(channels: int, classes: int) -> nn.Module:
    return nn.Sequential(Drawing(), network(channels, classes))


def test_a_network_may_draw_from_every_generator(arrays: Arrays) -> None:
    want = train(arrays, "whole", model=drawing)
    run = stop(arrays, "stopped", model=drawing)
    random.seed(99)
    np.random.seed(99)  # noqa: NPY002
    python, own = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    check_same(resume(run, data=arrays, model=drawing).path, want.path)
    assert (random.getstate(), np.random.get_state()[1].tolist()) == (python, own)  # the caller's are left alone  # noqa: NPY002


class Copies(Observer):
    """A run's folder as a kill in a step would leave it."""

    def __init__(self, run: Path, at: int) -> None:
        self.run, self.at = run, at

    def step(self, done: int) -> None:
        if done == self.at:
            shutil.copytree(self.run, "killed")


def test_stopped_twice_between_two_points_of_the_curve(arrays: Arrays) -> None:
    """The points before are in the file and in the checkpoint each time, though none was added since."""
    options = {"set": {**STEPS, "train.iterations": 201}}  # a point at each third step
    want = train(arrays, "whole", **options)
    run = stop(arrays, "stopped", 49, **options)
    with pytest.raises(Stopped):
        resume(run, data=arrays, observers=[Copies(run, 50), Signals(50)])
    assert [row[0] for row in curve(Path("killed"))[-2:]] == ["45", "48"]
    for each in (run, Path("killed")):
        got = resume(each, data=arrays)
        check_same(got.path, want.path)
        assert (np.diff(got.metrics["seconds"]) > 0).all()  # its clock goes on, too


def test_stopped_three_times_over(arrays: Arrays) -> None:
    options = {"set": {**MUCH, "train.precision": "float64"}, "model": DROPPING}
    want = train(arrays, "whole", **options)
    run = stop(arrays, "stopped", 2, **options)
    for at in (3, 7):
        with pytest.raises(Stopped):
            resume(run, data=arrays, observers=[Signals(at, signal.SIGTERM)])
    check_same(resume(run, data=arrays).path, want.path)


def test_a_published_recipe_keeps_its_log(arrays: Arrays) -> None:
    images = np.kron(arrays[0], np.ones((1, 4, 4), np.uint8))[:, 2:30, 2:30]
    data = (images, (np.arange(40) % 10))
    options = {"recipe": "model-a", "model": None, "set": {**STEPS, "published.every": 2}}
    want = train(data, "whole", **options)
    got = resume(stop(data, "stopped", 3, **options), data=data)
    check_same(got.path, want.path)
    assert got.results["as_published"] == want.results["as_published"]
    assert [line["step"] for line in got.results["as_published"]["log"]] == [2, 4, 6]
    assert got.test_openings == want.test_openings


def test_without_a_checkpoint_it_begins_anew(arrays: Arrays) -> None:
    want = train(arrays, "whole")
    run = stop(arrays, "stopped")
    shutil.rmtree(run / "checkpoint")
    told: list[str] = []
    check_same(resume(run, data=arrays, tell=told.append).path, want.path)
    assert told == ["run 'stopped' has no checkpoint, so it begins anew"]


def test_a_training_that_was_killed_while_it_was_measured(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    want = train(arrays, "whole")

    def killed(*_: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("neocog.workflow.measured", killed)
        train(arrays, "killed", checkpoint_every=0)
    assert (Path("killed") / "weights.safetensors").exists()
    check_same(resume("killed", data=arrays).path, want.path)


def test_the_last_step_is_a_place_to_go_on_from_too(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    want = train(arrays, "whole", set=MUCH, model=DROPPING)
    with monkeypatch.context() as patch, pytest.raises(ZeroDivisionError):
        patch.setattr(CheckpointKeeper, "wants", lambda self, done, plan: done == plan.total_steps)
        patch.setattr("neocog.workflow.measured", lambda *_: 1 / 0)
        train(arrays, "killed", set=MUCH, model=DROPPING)
    told: list[str] = []
    check_same(resume("killed", data=arrays, tell=told.append).path, want.path)
    assert told == ["goes on after step 9"]


# --------------------------------------------------------------------------------------------------- stopping it


def test_in_a_thread_it_trains_and_takes_no_signals(arrays: Arrays) -> None:
    before = signal.getsignal(signal.SIGINT)
    seen: list[Any] = []

    class Looks(Observer):
        def step(self, done: int) -> None:
            seen.append(signal.getsignal(signal.SIGINT))

    thread = Thread(target=lambda: train(arrays, "threaded", observers=[Looks()]))
    thread.start()
    thread.join()
    assert (Path("threaded") / "results.json").exists()
    assert set(seen) == {before}


def test_without_checkpoints_ctrl_c_is_what_it_was(arrays: Arrays) -> None:
    with pytest.raises(KeyboardInterrupt) as caught:
        train(arrays, "stopped", checkpoint_every=None, observers=[Signals(2)])
    assert caught.type is KeyboardInterrupt
    assert not (Path("stopped") / "checkpoint").exists()
    assert not (Path("stopped") / "run.lock").exists()


def test_the_second_signal_stops_at_once(arrays: Arrays) -> None:
    with pytest.raises(Stopped) as caught:
        train(arrays, "stopped", checkpoint_every=0, observers=[Signals(4, times=2)])
    assert (str(caught.value), caught.value.status) == ("stopped at once; go on with: neocog resume stopped", 130)
    stored = Checkpoints(Path("stopped")).stored()
    assert stored[0].step <= 3
    for each in stored:  # whole
        Checkpoints(Path("stopped")).read(each)


def test_a_loss_that_is_no_number_is_never_kept(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    class Spoils(Observer):
        """Makes the weights infinite after a step whose loss was fine."""

        def step(self, done: int) -> None:
            if done == 4:
                next(self.network.parameters()).data.fill_(float("inf"))

    monkeypatch.setattr(CheckpointKeeper, "wants", lambda self, done, plan: True)
    spoils = Spoils()

    def made(channels: int, classes: int) -> nn.Module:
        spoils.network = network(channels, classes)
        return spoils.network

    with pytest.raises(TrainingError) as caught:
        train(arrays, "spoiled", model=made, checkpoint_every=0, observers=[spoils])
    assert str(caught.value) == (
        "weights in '0.weight' are infinite or nan after step 4 of 6 (optimizer.lr = 0.01, at this step 0.00538; batch "
        "4 of 4 in epoch 1: 'arrays/34', 'arrays/33', 'arrays/37' and 2 more); resuming would come to the same, so "
        "train anew with a smaller rate, such as --set optimizer.lr=0.001; `neocog lr-find` looks for one"
    )
    checkpoints = Checkpoints(Path("spoiled"))
    for each in checkpoints.stored():
        snapshot, _ = checkpoints.read(each)
        assert all(bool(torch.isfinite(value).all()) for value in snapshot.tensors.values())
    assert [each.step for each in checkpoints.stored()] == [3, 2]


def test_observers_of_one_class_remember_each_their_own(arrays: Arrays) -> None:
    class Remembers(Observer):
        def __init__(self, add: int) -> None:
            self.add, self.sum = add, 0

        def point(self, point: Point) -> None:
            self.sum += self.add

        def remembered(self) -> int:
            return self.sum

        def remember(self, what: int) -> None:
            self.sum = what

    run = stop(arrays, "stopped", 3, observers=[Remembers(1), Remembers(10)])
    pair = [Remembers(1), Remembers(10)]
    resume(run, data=arrays, observers=pair)
    assert [each.sum for each in pair] == [6, 60]


# ---------------------------------------------------------------------------------------------- what is not as it was


def test_what_is_no_stopped_run_is_refused(arrays: Arrays) -> None:
    assert refusal(RunError, "nowhere") == "there is no run directory 'nowhere'; `neocog train` prints where a run lies"
    finished = train(arrays, "a run").path
    assert refusal(RunError, finished) == (
        "run 'a run' is finished; `neocog evaluate 'a run'` measures it, and `neocog resume 'a run' --verify` trains "
        "it once more and compares"
    )
    Path("empty").mkdir()  # killed between the directory and its first file
    assert refusal(RunError, "empty") == (
        "'empty' is no run: it has no recipe.toml; `neocog train` prints where a run lies"
    )
    Path("empty/sweep.json").touch()
    assert refusal(RunError, "empty") == (
        "'empty' is a sweep, not a run; give one of its runs, which sweep.json there names"
    )
    Path("empty/sweep.json").unlink()
    shutil.copy(finished / "recipe.toml", "empty")
    assert refusal(RunError, "empty") == "'empty' is no run that was stopped: it has no environment.json; train again"
    assert not (Path("empty") / "run.lock").exists()
    run = stop(arrays, "stopped")
    with pytest.raises(RunError) as caught:
        neocog.load(run)
    assert str(caught.value) == (
        "run 'stopped' is not finished; if it was stopped or killed, go on with: neocog resume stopped"
    )
    (run / "environment.json").write_text(json.dumps({"device": "cpu", "precision": "float32", "threads": 0}))
    assert refusal(RunError, run) == "'stopped/environment.json' has lost its threads; train again"
    for threads in (-1, 10**9):  # torch raises for the one, and the process dies of the other
        (run / "environment.json").write_text(json.dumps({"device": "cpu", "precision": "float32", "threads": threads}))
        assert refusal(RunError, run) == f"'stopped/environment.json' has {threads} threads; train again"
    (run / "environment.json").write_text("{")
    assert refusal(RunError, run).startswith(
        "'stopped/environment.json' can't be read: it is no JSON: Expecting property"
    )


def test_two_processes_are_kept_out_of_one_run(arrays: Arrays) -> None:
    run = stop(arrays, "stopped")
    with FileLock(run / "run.lock"):
        text = "run 'stopped' is being trained by another process; wait for its end"
        assert refusal(RunError, run, data=arrays) == text
    (run / "owner.txt").write_text("process 7 on a-machine")
    with FileLock(run / "run.lock"):
        for _ in range(2):  # asking leaves who has it readable
            text = "run 'stopped' is being trained by process 7 on a-machine; wait for its end"
            assert refusal(RunError, run, data=arrays) == text
    told: list[str] = []
    resume(run, data=arrays, tell=told.append)
    assert told == [
        "the lock of process 7 on a-machine, which is gone, was taken over; there is nothing to do",
        "goes on after step 3",
    ]


def test_a_run_that_another_process_has_just_finished(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    run = stop(arrays, "stopped")
    owned = RunDirectory.owned

    def late(self: RunDirectory, tell: Callable[[str], None]) -> Any:
        (run / "results.json").write_text("{}")
        return owned(self, tell)

    monkeypatch.setattr(RunDirectory, "owned", late)
    assert refusal(RunError, run) == (
        "run 'stopped' is finished; `neocog evaluate stopped` measures it, and `neocog resume stopped --verify` trains "
        "it once more and compares"
    )


def test_a_disk_without_locks_is_one_line(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise NotImplementedError("FileSystem does not appear to support flock")

    monkeypatch.setattr(FileLock, "acquire", none)
    with pytest.raises(RunError) as caught:
        train(arrays, "run")
    assert str(caught.value) == (
        "'run/run.lock' can't be locked: FileSystem does not appear to support flock; train on another disk, or make "
        "it writable"
    )


def test_a_damaged_checkpoint_and_the_one_before(arrays: Arrays) -> None:
    want = train(arrays, "whole")
    run = stop(arrays, "stopped", 2)
    assert refusal(RunError, run, data=arrays, previous=True) == (
        "'stopped/checkpoint' has no checkpoint before the last; leave --previous out"
    )
    with pytest.raises(Stopped):
        resume(run, data=arrays, observers=[Signals(5)])
    last, before = Checkpoints(run).stored()
    assert (last.step, before.step) == (5, 2)
    last.path.write_bytes(last.path.read_bytes()[:-1])
    assert refusal(RunError, run, data=arrays) == (
        f"checkpoint '{last.path}' is damaged: its SHA-256 is not the one in its name; "
        "`neocog resume stopped --previous` goes on from step 2"
    )
    with pytest.raises(Stopped):
        resume(run, data=arrays, previous=True, observers=[Signals(4)])
    assert [each.step for each in Checkpoints(run).stored()] == [4, 2]  # the damaged one is in nobody's way
    check_same(resume(run, data=arrays).path, want.path)


def test_a_changed_recipe_is_listed_and_needs_force(arrays: Arrays) -> None:
    run = stop(arrays, "stopped", set={**STEPS, "optimizer.lr": 0.02})
    files = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    edit(run, "lr = 0.02", "lr = 0.01")
    edit(run, "iterations = 6", "iterations = 8")
    text = (
        "run 'stopped' can't go on as it was: optimizer.lr is 0.01 and was 0.02; train.iterations is 8 and was 6; "
        "put it back, or go on all the same with --force"
    )
    assert refusal(RunError, run, data=arrays) == text
    now = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
    assert [path.name for path in files if files[path] != now[path]] == ["recipe.toml"]
    told: list[str] = []
    got = resume(run, data=arrays, force=True, tell=told.append)
    assert told == [
        "goes on all the same: optimizer.lr is 0.01 and was 0.02",
        "goes on all the same: train.iterations is 8 and was 6",
        "goes on after step 3",
    ]
    assert [row[0] for row in curve(got.path)] == ["step", *"12345678"]


def test_a_training_that_would_end_before_its_checkpoint_does_not_go_on(arrays: Arrays) -> None:
    run = stop(arrays, "stopped")
    edit(run, "iterations = 6", "iterations = 2")
    want = "the checkpoint is of step 3, and the training ends at 2; let it be longer"
    assert refusal(RunError, run, data=arrays, force=True) == want
    assert not (run / "results.json").exists()


def test_another_optimizer_begins_with_no_memory(arrays: Arrays) -> None:
    run = stop(arrays, "stopped", set={**STEPS, "optimizer.name": "adam", "train.ema": None})
    edit(run, 'name = "adam"', 'name = "muon"')
    recipe = (run / "recipe.toml").read_text()
    (run / "recipe.toml").write_text(recipe.replace("[train]", "[train]\nema = 0.9"))
    told: list[str] = []
    got = resume(run, data=arrays, force=True, tell=told.append)
    assert told[-2:] == ["goes on after step 3", "the optimizer begins anew: what it remembers is another one's"]
    assert got.results["steps"] == 6


def test_another_network_has_no_place_for_the_weights(arrays: Arrays) -> None:
    run = stop(arrays, "stopped")
    edit(run, "conv 4 3 same", "conv 5 3 same")
    for force in (False, True):
        text = refusal(RunError, run, data=arrays, force=force)
        assert text.startswith("run 'stopped' can't go on as it was: model.")
        assert " is [5] and was [4]; " in text
        assert text.endswith("; put it back, or train anew")


def test_pictures_that_are_gone_are_asked_for(shapes: Path) -> None:
    run, place = stop(shapes, "gone").rename("a run"), shapes.resolve()
    shutil.move(shapes, "moved")
    text = f"the pictures of run 'a run' are no longer at '{place}'; say where they are with: neocog resume 'a run'"
    assert refusal(RunError, run) == f"{text} --data FOLDER"
    with pytest.raises(RunError) as caught:
        neocog.verify(run)
    assert str(caught.value) == f"{text} --verify --data FOLDER"
    assert resume(run, data="moved").results["steps"] == 6


def test_what_is_known_of_other_pictures_is_said(shapes: Path) -> None:
    run = stop(shapes, "run")
    split = json.loads((run / "split.json").read_text())
    held_out = [*split["validation"], *split["test"]]
    said = "run 'run' can't go on as it was: data 'shapes' has other pictures or labels"
    mend = "; put it back, or go on all the same with --force"
    assert (len(split["validation"]), len(split["test"])) == (2, 6)
    was = json.loads((run / "environment.json").read_text())
    was.pop("pictures", None)
    (run / "environment.json").write_text(json.dumps(was))  # as of an older neocog
    first = held_out[0]
    fill(shapes / "more", ("cross",), 1)
    spare = next((shapes / "more").rglob("*.png"))
    shutil.move(spare, shapes / first)  # another picture under an old name
    shutil.rmtree(shapes / "more")
    assert refusal(RunError, run) == f"{said}{mend}"
    (run / "environment.json").write_text(json.dumps({**was, "pictures": {"train": 22, "validation": 2}}))
    assert refusal(RunError, run) == f"{said} (as many as before){mend}"
    for name in held_out[:5]:
        (shapes / name).unlink()
    gone = ", ".join(repr(name) for name in [*split["validation"], *split["test"]][:3])
    assert refusal(RunError, run) == f"{said} (18 in train and 22 before; gone: {gone} and 2 more){mend}"
    assert resume(run, force=True).results["steps"] == 6
    assert json.loads((run / "environment.json").read_text())["pictures"] == {"train": 18, "validation": 2}


def test_a_broken_recipe_of_a_run_is_to_be_mended(arrays: Arrays) -> None:
    run = stop(arrays, "stopped")
    text = (run / "recipe.toml").read_text()
    mend = "; mend the line, or put the file back"
    (run / "recipe.toml").write_text(f"{text}\nseed = = 3\n")
    found = refusal(RecipeError, run, data=arrays)
    assert found.startswith("recipe file 'stopped/recipe.toml' is no TOML: ") and found.endswith(mend)
    (run / "recipe.toml").write_text(text.replace("seed = 0", "seed = -1"))
    assert refusal(RecipeError, run, data=arrays) == (
        f"recipe file 'stopped/recipe.toml': train.seed = -1: must be greater than or equal to 0{mend}"
    )
    (run / "recipe.toml").write_text(text.replace("seed = 0", "sed = 0"))
    assert refusal(RecipeError, run, data=arrays) == (
        "recipe file 'stopped/recipe.toml': unknown key 'train.sed'; did you mean 'train.seed'? Known: train.device, "
        "train.ema, train.epochs, train.iterations, train.precision, train.seed"
    )


def test_two_checkpoints_of_one_step_count_as_one(arrays: Arrays) -> None:
    want = train(arrays, "whole")
    run = stop(arrays, "stopped", 2)
    with pytest.raises(Stopped):
        resume(run, data=arrays, observers=[Signals(5)])
    last = Checkpoints(run).stored()[0]
    snapshot, facts = Checkpoints(run).read(last)
    again = Checkpoints(Path("elsewhere"))
    Path("elsewhere").mkdir()
    twin = again.write(snapshot, {**facts, "twin": 1})
    shutil.copy(twin.path, last.path.with_name(twin.path.name))
    assert [each.step for each in Checkpoints(run).stored()] == [5, 5, 2]
    shutil.copytree(run, "other")
    told: list[str] = []
    check_same(resume("other", data=arrays, previous=True, tell=told.append).path, want.path)
    assert told == ["goes on after step 2"]


def test_other_data_needs_force(arrays: Arrays) -> None:
    run = stop(arrays, "stopped")
    other = (255 - arrays[0], arrays[1])
    assert refusal(RunError, run, data=other) == (
        "run 'stopped' can't go on as it was: data 'arrays' has other pictures or labels (as many as before); put it "
        "back, or go on all the same with --force"
    )
    before = RunDirectory(run).read_recipe().resolved.data_checksum
    got = resume(run, data=other, force=True)
    assert got.recipe.resolved.data_checksum == train(other, "other").recipe.resolved.data_checksum != before
    assert refusal(RecipeError, stop(arrays, "again")) == (
        "this recipe was made for arrays in memory; give them again as data=(images, labels)"
    )


def test_code_is_asked_for_again(arrays: Arrays) -> None:
    want = train(arrays, "whole", model=network)
    run = stop(arrays, "stopped", model=network)
    named = f"{__name__}:network"
    assert refusal(RecipeError, run, data=arrays) == (
        f"this recipe's network is code, '{named}', and files may not choose code to run; allow it with --model {named}"
    )
    assert refusal(RunError, run, data=arrays, model=another) == (
        f"run 'stopped' can't go on as it was: the network is {__name__}:another and was {named}; put it back, or go "
        "on all the same with --force"
    )
    check_same(resume(run, data=arrays, model=network).path, want.path)
    assert refusal(RecipeError, stop(arrays, "text"), data=arrays, model=network) == (
        "this run's network is a layer text, which it knows itself; leave --model out"
    )


def test_another_machine_is_a_remark(arrays: Arrays) -> None:
    run = stop(arrays, "stopped")
    was = json.loads((run / "environment.json").read_text())
    (run / "environment.json").write_text(json.dumps({**was, "torch": "1.0", "threads": 2}))
    told: list[str] = []
    got = resume(run, data=arrays, tell=told.append)
    assert told == [
        f"torch is {torch.__version__} and was 1.0: the last bits may differ from those of one training",
        "goes on after step 3",
    ]
    assert got.results["threads"] == 2
    assert torch.get_num_threads() == 1


def test_a_run_that_was_moved(shapes: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    want = train(shapes, "whole").path.resolve()
    stop(shapes, "stopped")
    Path("elsewhere").mkdir()
    moved = shutil.move("stopped", "elsewhere/moved")
    monkeypatch.chdir("elsewhere")
    assert moved == "elsewhere/moved"
    check_same(resume("moved").path, want)
    run = stop("../shapes", "pictures-moved")
    shutil.move("../shapes", "pictures")
    with pytest.raises(NeocogError):
        resume(run)
    told: list[str] = []
    check_same(resume(run, data="pictures", tell=told.append).path, want)
    assert told == ["goes on after step 3"]
    shutil.move("pictures", "../shapes")
    monkeypatch.chdir("..")
    check_same(resume(stop(shapes, "there").resolve()).path, want)


def test_nothing_is_a_warning_when_all_is_as_it_was(arrays: Arrays) -> None:
    run = stop(arrays, "stopped")
    assert neocog.resume(run, data=arrays, figures=False).path == run  # warnings are errors


def test_tensorboard_drops_what_comes_twice(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    class Writer:
        def __init__(self, folder: str, purge_step: int | None = None) -> None:
            made.append((folder, purge_step))

        def add_scalar(self, *_: Any) -> None:
            pass

        def close(self) -> None:
            pass

    monkeypatch.setattr("neocog.logs._summary_writer", lambda: Writer)
    run = stop(arrays, "stopped", tensorboard=True)
    resume(run, data=arrays)
    assert made == [("stopped/tensorboard", None), ("stopped/tensorboard", 4)]
