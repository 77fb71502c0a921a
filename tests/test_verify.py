"""verify: a stretch of a run trained again is the same bits, and anything else is named."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import load, save

import neocog
import neocog.verifying
from conftest import STEPS, TINY
from neocog.checkpoint import CheckpointKeeper, Checkpoints, Stored
from neocog.errors import NeocogError, RecipeError, RunError
from neocog.resuming import resume
from neocog.run import RunDirectory
from neocog.statistics.verification import Verification, compared_of
from neocog.stopping import Stopped
from neocog.training import Observer
from neocog.verifying import verify
from same_bits import Signals

Arrays = tuple[np.ndarray, np.ndarray]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
MUCH: Mapping[str, Any] = {
    **STEPS,
    "optimizer.name": "adamw",
    "schedule.name": "cosine",
    "train.ema": 0.9,
    "dataset.augment.shift": 1,
    "train.iterations": 9,
}
DROPPING = "conv 4 3 same | batchnorm | relu | dropout 0.3 | maxpool 2 | flatten | linear classes"


def train(data: Any, run: str, **options: Any) -> neocog.Run:
    options = {"model": DROPPING, "set": MUCH, "figures": False, "tell": lambda text: None, **options}
    return neocog.train("fast", data=data, run=run, **options)


def stop(data: Any, run: str, *at: int, **options: Any) -> Path:
    """A run that was stopped after these steps, at each of which it has a checkpoint."""
    first, *others = at
    with pytest.raises(Stopped):
        train(data, run, observers=[Signals(first)], **options)
    for step in others:
        with pytest.raises(Stopped):
            resume(run, data=data, observers=[Signals(step)], figures=False, tell=lambda text: None)
    return Path(run)


def contents(run: Path) -> dict[str, bytes]:
    return {str(path.relative_to(run)): path.read_bytes() for path in run.rglob("*") if path.is_file()}


def verified(run: str | Path, **options: Any) -> Verification:
    """Also that the run is as it was, byte for byte."""
    before = contents(Path(run))
    found = verify(run, **{"tell": lambda text: None, **options})
    assert contents(Path(run)) == before
    return found


def refusal(kind: type[NeocogError], run: str | Path, **options: Any) -> str:
    with pytest.raises(kind) as caught:
        verified(run, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def changed(stored: Stored, **values: torch.Tensor) -> None:
    """Another checkpoint in the place of one, with a name that says that it is whole."""
    content = stored.path.read_bytes()
    with safe_open(stored.path, "pt") as file:
        metadata = file.metadata()
    other = save({**load(content), **{name.replace("__", "."): value for name, value in values.items()}}, metadata)
    stored.path.unlink()
    (stored.path.parent / f"step-{stored.step}-{hashlib.sha256(other).hexdigest()}.safetensors").write_bytes(other)


# ---------------------------------------------------------------------------------------------------- the same bits


def test_from_one_checkpoint_to_the_next(arrays: Arrays) -> None:
    found = verified(stop(arrays, "run", 3, 6), data=arrays)
    assert (found.same, found.from_step, found.to_step, found.differing) == (True, 3, 6, ())
    (only,) = found.compared
    assert only.kept == only.again
    now = neocog.device.environment()
    assert str(found) == (
        "the same bits: run 'run' trained again from step 3 to 6; SHA-256 of all but seconds: checkpoint of step 6 "
        f"{only.kept[:12]}\n"
        f"1 thread, float32 on cpu, torch {torch.__version__}, {now['cpu']}"
    )
    assert json.loads(json.dumps(found.as_dict())) == {
        "run": "run",
        "same": True,
        "from_step": 3,
        "to_step": 6,
        "compared": [
            {"what": "checkpoint", "step": 6, "kept": only.kept, "again": only.again, "differing": []},
        ],
        "conditions": {**now, "device": "cpu", "precision": "float32"},
    }


def test_with_one_checkpoint_from_the_beginning(arrays: Arrays) -> None:
    found = verified(stop(arrays, "run", 4), data=arrays)
    assert (found.same, found.from_step, found.to_step) == (True, 0, 4)


@pytest.mark.parametrize(
    ("kept", "begins", "steps"), [((), 0, [9]), ((4,), 0, [4, 9]), ((2, 4), 2, [4, 9]), ((9,), 0, [9, 9])]
)
def test_a_finished_run_to_its_end(
    arrays: Arrays, monkeypatch: pytest.MonkeyPatch, kept: tuple[int, ...], begins: int, steps: list[int]
) -> None:
    monkeypatch.setattr(CheckpointKeeper, "wants", lambda self, done, plan: done in kept)
    run = train(arrays, "run").path
    found = verified(run, data=arrays)
    assert (found.same, found.from_step, [each.step for each in found.compared]) == (True, begins, steps)
    assert [each.what for each in found.compared][-1] == "weights and curve"


def test_a_published_recipe_keeps_its_test_part_closed(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    data = (np.kron(arrays[0], np.ones((1, 4, 4), np.uint8))[:, 2:30, 2:30], np.arange(40) % 10)
    options = {"data": data, "run": "run", "figures": False, "tell": lambda text: None}
    with pytest.raises(Stopped):
        neocog.train("model-a", set={**STEPS, "published.every": 2}, observers=[Signals(4)], **options)
    monkeypatch.setattr("neocog.published.PublishedLog._opened_test", lambda *_: 1 / 0)
    assert verified("run", data=data).same


def test_user_observers_and_the_curve_between_two_points(arrays: Arrays) -> None:
    class Remembers(Observer):
        def remembered(self) -> str:
            return "something that no verification can know"

    set_ = {**STEPS, "train.iterations": 110}  # a point at each second step
    with pytest.raises(Stopped):
        train(arrays, "run", set=set_, observers=[Remembers(), Signals(51)])
    assert verified("run", data=arrays).same


def test_nothing_is_said_when_all_is_as_it_was(arrays: Arrays) -> None:
    told: list[str] = []
    assert verify(stop(arrays, "run", 4), data=arrays, tell=told.append).same
    assert told == []


# ---------------------------------------------------------------------------------------------------- other bits


def test_one_other_bit_at_the_start_is_named_at_the_end(arrays: Arrays) -> None:
    run = stop(arrays, "run", 3, 6)
    earlier = Checkpoints(run).stored()[1]
    weight = load(earlier.path.read_bytes())["model.0.weight"].clone()
    weight.view(torch.int32)[0, 0, 0, 0] ^= 1
    changed(earlier, model__0__weight=weight)
    found = verified(run, data=arrays)
    assert not found.same
    assert "model.0.weight" in found.differing
    (only,) = found.compared
    first = str(found).splitlines()[0]
    assert first.startswith(
        "NOT the same bits: run 'run' trained again from step 3 to 6; SHA-256 of all but seconds: checkpoint of step 6 "
        f"{only.kept[:12]} came out as {only.again[:12]}, in "
    )
    assert first.endswith(f" and {len(found.differing) - 5} more")


def test_one_tensor_of_the_later_one(arrays: Arrays) -> None:
    run = stop(arrays, "run", 3, 6)
    later = Checkpoints(run).stored()[0]
    weight = load(later.path.read_bytes())["average.1"].clone()
    weight[0] = -0.0 if weight[0] == 0 else -weight[0]
    changed(later, average__1=weight)
    assert verified(run, data=arrays).differing == ("average.1",)


def test_a_sum_in_another_order_is_found(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    """As another number of threads would: the last bit of a gradient, once."""
    run = stop(arrays, "run", 3, 6)
    place = torch.nn.functional.cross_entropy
    calls: list[int] = []

    def other(*words: Any, **options: Any) -> torch.Tensor:
        calls.append(1)
        loss = place(*words, **options)
        return loss * (1 + 2**-22) if len(calls) == 1 else loss

    monkeypatch.setattr("torch.nn.functional.cross_entropy", other)
    found = verified(run, data=arrays)
    assert not found.same
    assert any(name.startswith("model.") for name in found.differing)


def test_the_end_of_a_finished_run(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    run = train(arrays, "run", checkpoint_every=1e9).path
    state = load((run / "weights.safetensors").read_bytes())
    state["6.bias"] = state["6.bias"].view(torch.int32).bitwise_xor(1).view(torch.float32)
    with monkeypatch.context() as patch:
        patch.setattr(RunDirectory, "read_weights", lambda self: state)  # it wouldn't read a file that was changed
        found = verified(run, data=arrays)
    assert (found.differing, found.compared[-1].what) == (("6.bias",), "weights and curve")
    curve = run / "metrics.csv"
    lines = curve.read_text().splitlines()
    values = lines[7].split(",")
    curve.write_text("\n".join([*lines[:7], ",".join([*values[:4], "0.5", *values[5:]]), *lines[8:]]) + "\n")
    assert verified(run, data=arrays).differing == ("metrics.csv line 8",)
    curve.write_text("\n".join(lines[:-1]) + "\n")
    assert verified(run, data=arrays).differing == ("metrics.csv line 10",)


def test_seconds_are_nobodys_bits(arrays: Arrays) -> None:
    run = train(arrays, "run", checkpoint_every=1e9).path
    lines = [line.split(",") for line in (run / "metrics.csv").read_text().splitlines()]
    for line in lines[1:]:
        line[2] = "7"
    (run / "metrics.csv").write_text("\n".join(map(",".join, lines)) + "\n")
    assert verified(run, data=arrays).same


def test_digests_by_hand() -> None:
    found = compared_of("checkpoint", 3, {"b": b"2", "a": b"1"}, {"a": b"1", "c": b"3"})
    assert found.differing == ("c", "b")
    assert found.kept == hashlib.sha256(b"a\x001b\x002").hexdigest()
    assert found.again == hashlib.sha256(b"a\x001c\x003").hexdigest()
    same = compared_of("checkpoint", 3, {"a": b"1"}, {"a": b"1"})
    bits = {"threads": 2, "precision": "float32", "device": "cuda", "torch": "2.0", "cpu": "a", "gpu": "b"}
    text = str(Verification(Path("r"), 0, (same, found), bits))
    assert text == (
        "NOT the same bits: run 'r' trained again from step 0 to 3; SHA-256 of all but seconds: checkpoint of step 3 "
        f"{same.kept[:12]}; "
        f"checkpoint of step 3 {found.kept[:12]} came out as {found.again[:12]}, in c, b\n"
        "2 threads, float32 on cuda, torch 2.0, b"
    )


# ------------------------------------------------------------------------------------------------ what can't be done


def test_what_cannot_be_verified_is_one_line(arrays: Arrays) -> None:
    assert refusal(RunError, "nowhere") == "there is no run directory 'nowhere'; `neocog train` prints where a run lies"
    run = stop(arrays, "run", 3, 6)
    with FileLock(run / "run.lock"), pytest.raises(RunError) as caught:
        verify(run, data=arrays)
    assert str(caught.value) == "run 'run' is being trained by another process; wait for its end"
    (run / "run.lock").unlink()
    assert refusal(RecipeError, run) == (
        "this recipe was made for arrays in memory; give them again as data=(images, labels)"
    )
    assert refusal(RecipeError, run, data=arrays, model=TINY) == (
        "this run's network is a layer text, which it knows itself; leave --model out"
    )
    assert refusal(RunError, run, data=(255 - arrays[0], arrays[1])) == (
        "run 'run' can't be verified: data 'arrays' has other pictures or labels (as many as before); put back what "
        "was changed"
    )
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("seed = 0", "seed = 1"))
    assert refusal(RunError, run, data=arrays) == (
        "run 'run' can't be verified: train.seed is 1 and was 0; put back what was changed"
    )
    shutil.rmtree(run / "checkpoint")
    assert refusal(RunError, run, data=arrays) == (
        "run 'run' has no checkpoint to compare with; finish it with `neocog resume run`, and verify it then"
    )


def test_a_run_that_went_on_with_force_is_not_one_training(arrays: Arrays) -> None:
    run = stop(arrays, "run", 3)
    recipe = run / "recipe.toml"
    recipe.write_text(recipe.read_text().replace("iterations = 9", "iterations = 8"))
    options = {"data": arrays, "figures": False, "tell": lambda text: None}
    with pytest.raises(Stopped):
        resume(run, force=True, observers=[Signals(5)], **options)
    assert refusal(RunError, run, data=arrays) == (
        "run 'run' can't be verified: train.iterations is 8 and was 9; it went on with --force, and is no longer one "
        "training"
    )
    with pytest.raises(Stopped):
        resume(run, observers=[Signals(7)], **options)
    found = verified(run, data=arrays)  # from the second checkpoint to the third all was the same
    assert (found.same, found.from_step, found.to_step) == (True, 5, 7)


def test_a_damaged_checkpoint_is_named_with_the_mend_that_helps(arrays: Arrays) -> None:
    run = stop(arrays, "run", 3, 6)
    later, earlier = Checkpoints(run).stored()
    whole = earlier.path.read_bytes()
    earlier.path.write_bytes(whole[:-1])
    assert refusal(RunError, run, data=arrays) == (
        f"checkpoint '{earlier.path}' is damaged: its SHA-256 is not the one in its name; remove it, and verify what "
        "is left"
    )
    earlier.path.unlink()
    found = verified(run, data=arrays)
    assert (found.same, found.from_step, found.to_step) == (True, 0, 6)
    earlier.path.write_bytes(whole)
    later.path.write_bytes(b"")
    assert refusal(RunError, run, data=arrays) == (
        f"checkpoint '{later.path}' is damaged: it is empty; `neocog resume run --previous` goes on from step 3"
    )


def test_a_stopped_verification_leaves_nothing(arrays: Arrays) -> None:
    run = stop(arrays, "run", 3, 6)
    before = contents(run)
    with pytest.raises(KeyboardInterrupt):
        verify(run, data=arrays, observers=[Signals(4, signal.SIGINT)], tell=lambda text: None)
    assert contents(run) == before


def test_a_dead_owners_lock_is_taken_over(arrays: Arrays) -> None:
    run = stop(arrays, "run", 4)
    (run / "owner.txt").write_text("process 7 on a-machine")
    told: list[str] = []
    assert verify(run, data=arrays, tell=told.append).same
    assert told == ["the lock of process 7 on a-machine, which is gone, was taken over; there is nothing to do"]
    assert not {"run.lock", "owner.txt"} & {path.name for path in run.iterdir()}
