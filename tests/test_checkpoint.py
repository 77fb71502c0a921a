"""checkpoint: files that are whole or not there, and never wrong without anybody noticing."""

from __future__ import annotations

import errno
import json
import math
import os
import re
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save

from neocog import checkpoint, disk
from neocog.checkpoint import CheckpointKeeper, Checkpoints, Stored
from neocog.curve import Plan
from neocog.errors import RunError
from neocog.snapshots import Snapshot
from neocog.stopping import Stopped

FACTS = {"recipe": {"train": {"seed": 1}}, "model": {"weight": [2]}}
PLAN = Plan(100, 10)


def snapshot(done: int) -> Snapshot:
    return Snapshot(done, {"model.weight": torch.tensor([done, math.nan])}, {"curve": {"seconds": 1.5}})


@pytest.fixture
def stored() -> Checkpoints:
    """The run 'my run' with checkpoints at steps 10 and 20."""
    Path("my run").mkdir()
    found = Checkpoints(Path("my run"))
    for done in (10, 20):
        found.write(snapshot(done), FACTS)
    return found


def refusal(action: Callable[..., Any], *arguments: Any) -> str:
    with pytest.raises(RunError) as caught:
        action(*arguments)
    return str(caught.value)


# ------------------------------------------------------------------------------------------------------------ files


def test_what_was_written_is_read_and_two_are_kept(stored: Checkpoints) -> None:
    written = stored.write(snapshot(30), FACTS)
    assert [each.step for each in stored.stored()] == [30, 20]
    assert stored.stored()[0] == written
    assert re.fullmatch(r"step-30-[0-9a-f]{64}\.safetensors", written.path.name)
    got, facts = stored.read(written)
    assert (got.done, got.numbers, facts) == (30, {"curve": {"seconds": 1.5}}, FACTS)
    torch.testing.assert_close(dict(got.tensors), dict(snapshot(30).tensors), rtol=0, atol=0, equal_nan=True)


def test_a_training_that_goes_back_takes_the_place_of_later_steps(stored: Checkpoints) -> None:
    other = Snapshot(20, {"model.weight": torch.zeros(2)}, {})
    assert [each.step for each in stored.stored()] == [20, 10]
    again = stored.write(other, FACTS)
    assert [each.step for each in stored.stored()] == [20, 10]
    assert stored.stored()[0] == again
    stored.write(snapshot(15), FACTS)
    assert [each.step for each in stored.stored()] == [15, 10]


def test_files_that_are_not_checkpoints_are_no_checkpoints(stored: Checkpoints) -> None:
    assert Checkpoints(Path("nowhere")).stored() == []
    for name in ("step-30-abc.safetensors", "notes.txt", ".writing-killed"):
        (stored.folder / name).write_bytes(b"x")
    assert [each.step for each in stored.stored()] == [20, 10]
    stored.write(snapshot(30), FACTS)
    assert not (stored.folder / ".writing-killed").exists()  # what a killed process left
    assert (stored.folder / "notes.txt").exists()


def test_damage_is_named_and_the_one_before_offered(stored: Checkpoints) -> None:
    last = stored.stored()[0]
    whole = last.path.read_bytes()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    differs, mend = "its SHA-256 is not the one in its name", "`neocog resume 'my run' --previous` goes on from step 10"
    damages = {b"": "it is empty", b"\n <!doctype html>": "it is a web page", bytes(flipped): differs}
    damages |= {whole[: len(whole) * tenth // 10]: differs for tenth in range(1, 10)}
    for content, why in damages.items():
        last.path.write_bytes(content)
        assert refusal(stored.read, last) == f"checkpoint '{last.path}' is damaged: {why}; {mend}"
    assert stored.read(stored.stored()[1])[0].done == 10
    stored.stored()[1].path.unlink()
    mend = "no checkpoint of it is whole; train anew with: neocog train 'my run/recipe.toml'"
    assert refusal(stored.read, last) == f"checkpoint '{last.path}' is damaged: {why}; {mend}"
    last.path.unlink()
    assert refusal(stored.read, last) == f"checkpoint '{last.path}' can't be read: No such file or directory; {mend}"


def test_the_one_before_is_offered_only_if_it_is_whole(stored: Checkpoints) -> None:
    last, before = stored.stored()
    whole = last.path.read_bytes(), before.path.read_bytes()
    for each, content in zip((last, before), whole, strict=True):
        each.path.write_bytes(content[:-1])
    damaged = "is damaged: its SHA-256 is not the one in its name;"
    for each in (last, before):
        assert refusal(stored.read, each) == (
            f"checkpoint '{each.path}' {damaged} no checkpoint of it is whole; train anew with: neocog train 'my "
            "run/recipe.toml'"
        )
    last.path.write_bytes(whole[0])
    assert refusal(stored.read, before) == (
        f"checkpoint '{before.path}' {damaged} `neocog resume 'my run'` without --previous goes on from step 20"
    )
    assert refusal(lambda each: stored.read(each, "mend it"), before) == f"checkpoint '{before.path}' {damaged} mend it"


def test_two_of_one_step_are_told_apart_by_their_names(stored: Checkpoints) -> None:
    """As a kill between the renaming of one and the removal of another leaves them."""
    last, before = stored.stored()
    content = last.path.read_bytes()
    twins = [Stored(20, stored.folder / f"step-20-{sign * 64}.safetensors", sign * 64) for sign in "0f"]
    for twin in twins:
        twin.path.write_bytes(b"")
    assert stored.stored() == [twins[1], last, twins[0], before]
    assert [stored.before(each) for each in (*twins, last, before)] == [before, before, before, None]
    assert refusal(stored.read, twins[1]) == (
        f"checkpoint '{twins[1].path}' is damaged: it is empty; remove what is damaged, and `neocog resume 'my run'` "
        "goes on from step 20"
    )
    last.path.write_bytes(content[:-1])
    assert refusal(stored.read, twins[1]) == (
        f"checkpoint '{twins[1].path}' is damaged: it is empty; `neocog resume 'my run' --previous` goes on from step "
        "10"
    )


@pytest.mark.parametrize(
    "content",
    [
        b"not safetensors",
        b"\xff" * 8 + b"{}",
        save({"a": torch.ones(1)}),
        save({"a": torch.ones(1)}, {"neocog": "{"}),
        save({"a": torch.ones(1)}, {"neocog": "[]"}),
        save({"a": torch.ones(1)}, {"neocog": json.dumps({"done": "x", "numbers": {}, "facts": {}})}),
    ],
)
def test_a_forged_checkpoint_is_refused(stored: Checkpoints, content: bytes) -> None:
    digest = checkpoint.hashlib.sha256(content).hexdigest()
    forged = Stored(30, stored.folder / f"step-30-{digest}.safetensors", digest)
    forged.path.write_bytes(content)
    text = refusal(stored.read, forged)
    assert text.startswith(f"checkpoint '{forged.path}' is none of ours, though its name says so: ")
    assert text.endswith("; `neocog resume 'my run' --previous` goes on from step 20")


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (2**64, "the number 18446744073709551616 is too large"),
        ("\ud800", "it holds half a sign, '\\ud800'"),
        ("x" * 16_000_000, "its header holds more than 16 MB"),
    ],
)
def test_what_could_not_be_read_again_is_not_kept(stored: Checkpoints, what: Any, why: str) -> None:
    before = [each.path.name for each in stored.stored()]
    with pytest.raises(RunError) as caught:
        stored.write(Snapshot(30, {}, {"observers": {"Mine-0": what}}), FACTS)
    assert str(caught.value) == (
        f"a checkpoint of 'my run' could not be read again: {why}; change what `remembered` of your observer gives"
    )
    assert [each.path.name for each in stored.stored()] == before


def test_a_full_disk_leaves_the_one_before_whole(stored: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: Any) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    monkeypatch.setattr(disk, "free", lambda place: 1_250_000)
    before = {path: path.read_bytes() for path in stored.folder.iterdir()}
    big = Snapshot(30, {"model.weight": torch.zeros(1_000_000)}, {})
    assert refusal(stored.write, big, FACTS) == (
        "disk full: a checkpoint in 'my run/checkpoint' needs 4.1 MB and there are 1.2 MB; make room, and "
        "`neocog resume 'my run'` goes on after step 20"
    )
    assert {path: path.read_bytes() for path in stored.folder.iterdir()} == before
    Path("new").mkdir()
    assert refusal(Checkpoints(Path("new")).write, big, FACTS) == (
        "disk full: a checkpoint in 'new/checkpoint' needs 4.1 MB and there are 1.2 MB; make room, and "
        "`neocog resume new` begins anew"
    )
    Path("taken").mkdir()
    Path("taken/checkpoint").touch()
    assert refusal(Checkpoints(Path("taken")).write, big, FACTS) == (
        "cannot write 'taken/checkpoint': File exists; make it writable, then: neocog resume taken"
    )


def test_what_is_no_file_is_no_checkpoint(stored: Checkpoints) -> None:
    folder = stored.folder / f"step-25-{'0' * 64}.safetensors"
    folder.mkdir()
    assert [each.step for each in stored.stored()] == [20, 10]
    stored.write(snapshot(30), FACTS)
    assert [each.step for each in stored.stored()] == [30, 20]
    assert folder.is_dir()


def test_a_checkpoint_that_lies_elsewhere_behind_a_link_is_read_and_never_written_over(stored: Checkpoints) -> None:
    last = stored.stored()[0]
    last.path.rename("elsewhere")
    last.path.symlink_to(Path("elsewhere").absolute())
    content = Path("elsewhere").read_bytes()
    assert stored.read(last)[0].done == 20
    assert stored.write(snapshot(20), FACTS).path == last.path  # the same bits have the same name
    assert not last.path.is_symlink()
    assert Path("elsewhere").read_bytes() == content
    last.path.unlink()
    last.path.symlink_to("nowhere")
    assert refusal(stored.read, last) == (
        f"checkpoint '{last.path}' can't be read: No such file or directory; `neocog resume 'my run' --previous` goes "
        "on from step 10"
    )


def test_a_folder_in_the_way_of_a_checkpoint_is_one_line(stored: Checkpoints) -> None:
    path = stored.write(snapshot(30), FACTS).path
    path.unlink()
    path.mkdir()
    assert refusal(stored.write, snapshot(30), FACTS) == (
        "cannot write 'my run/checkpoint': Is a directory; make it writable, then: neocog resume 'my run'"
    )
    assert sorted(each.name for each in stored.folder.iterdir() if each.name.startswith(".")) == []


def test_the_checkpoints_may_lie_on_another_disk_behind_a_link(stored: Checkpoints) -> None:
    stored.folder.rename("elsewhere")
    stored.folder.symlink_to(Path("elsewhere").absolute())
    stored.write(snapshot(30), FACTS)
    assert [each.step for each in stored.stored()] == [30, 20]
    assert stored.folder.is_symlink()


def test_what_killed_processes_left_makes_room_before_it_is_needed(
    stored: Checkpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = stored.folder / ".writing-killed"
    left.touch()

    def full(*_: Any) -> None:
        assert not left.exists()
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(Path, "write_bytes", full)
    assert refusal(stored.write, snapshot(30), FACTS).startswith(
        "disk full: a checkpoint in 'my run/checkpoint' needs "
    )


def test_a_share_that_can_not_flush_folders_is_fine(stored: Checkpoints, monkeypatch: pytest.MonkeyPatch) -> None:
    flush = os.fsync

    def refused(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112 - a handle
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        flush(handle)

    monkeypatch.setattr(os, "fsync", refused)
    assert stored.write(snapshot(30), FACTS).path.exists()


# ------------------------------------------------------------------------------------------------------------- when


def test_checkpoints_are_due_by_a_clock_that_nobody_sets_back(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "time", lambda: -now[0])
    keeper = CheckpointKeeper(Checkpoints(Path()), FACTS, every=30)
    now[0] = 1029.9
    assert not keeper.wants(7, PLAN)
    now[0] = 1030
    assert keeper.wants(7, PLAN)


def test_an_epoch_end_is_due_when_it_costs_next_to_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    keeper = CheckpointKeeper(Checkpoints(Path()), FACTS, every=30)
    now[0] = 9.9  # 0.1 s is thought to be needed: more than a hundredth
    assert not keeper.wants(10, PLAN)
    now[0] = 10.1
    assert keeper.wants(10, PLAN)
    assert not keeper.wants(11, PLAN)
    assert keeper.wants(100, Plan(100, 7))  # the last step


def test_a_stop_is_due_at_once_after_whichever_step(stored: Checkpoints) -> None:
    keeper = CheckpointKeeper(stored, FACTS)
    assert not keeper.wants(33, PLAN)
    keeper.ask_to_stop(signal.SIGTERM)
    assert keeper.wants(33, PLAN)
    assert keeper.wants(100, PLAN)  # what comes then is measured later
    with pytest.raises(Stopped) as caught:
        keeper.keep(snapshot(33))
    assert str(caught.value) == "stopped after step 33; go on with: neocog resume 'my run'"
    assert (caught.value.run, caught.value.status) == (Path("my run"), 143)
    assert stored.stored()[0].step == 33


@pytest.mark.parametrize("error", [RunError("disk full"), MemoryError("no room"), TypeError("not JSON")])
def test_what_goes_wrong_in_the_thread_reaches_the_training(
    stored: Checkpoints, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise error

    monkeypatch.setattr(stored, "write", fail)
    keeper = CheckpointKeeper(stored, FACTS)
    keeper.keep(snapshot(30))
    keeper.wait()
    assert keeper.wants(31, PLAN)  # the next step, not the next checkpoint
    assert not keeper.wants(100, PLAN)  # a training that is done needs none
    with pytest.raises(type(error)) as caught:
        keeper.keep(snapshot(31))
    assert caught.value is error
    keeper.finish()
