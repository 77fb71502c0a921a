"""Snapshots as files: RUN/checkpoint/step-380-SHA256.safetensors, the last two, each whole or not there at all.

A file is written under a temporary name, flushed to the disk, and then renamed; its name ends in the SHA-256 of its
bytes, because neither torch nor safetensors would notice a flipped one. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shlex
import shutil
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import Any

from neocog.errors import RunError
from neocog.snapshots import Snapshot
from neocog.stopping import Stopped
from neocog.training import Keeper, Plan

FOLDER = "checkpoint"
EVERY = 30.0  # seconds
KEPT = 2
_NAME = re.compile(r"step-(\d+)-([0-9a-f]{64})\.safetensors")
_COST = 0.01  # of the time, at most, for checkpoints that are not yet due
_FIRST_COST = 0.1  # seconds; assumed until one was written
_UNFINISHED = ".writing-"
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))
_NUMBERS = "neocog"  # the key of all that is no tensor, in the file's header


def resume_command(run: Path) -> str:
    """What to type to go on with a run.

    >>> resume_command(Path("my runs/one"))
    "neocog resume 'my runs/one'"
    """
    return f"neocog resume {shlex.quote(str(run))}"


@dataclass(frozen=True)
class Stored:
    """One checkpoint on the disk."""

    step: int
    path: Path
    digest: str


class Checkpoints:
    """The checkpoints of one run."""

    def __init__(self, run: Path) -> None:
        self.folder = run / FOLDER

    def stored(self) -> list[Stored]:
        """What there is, newest first."""
        try:
            names = [item.name for item in self.folder.iterdir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"'{self.folder}' can't be read: {error.strerror}; give a run that can be read") from None
        found = [(match, name) for name in names if (match := _NAME.fullmatch(name))]
        return sorted(
            (Stored(int(match[1]), self.folder / name, match[2]) for match, name in found),
            key=lambda each: each.step,
            reverse=True,
        )

    def write(self, snapshot: Snapshot, facts: Mapping[str, Any]) -> Stored:
        """Adds a checkpoint and removes all but the last two. Raises RunError where it can't be written."""
        from safetensors.torch import save

        numbers = {"done": snapshot.done, "numbers": snapshot.numbers, "facts": facts}
        content = save(dict(snapshot.tensors), {_NUMBERS: json.dumps(numbers)})
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / f"step-{snapshot.done}-{digest}.safetensors"
        try:
            if not self.folder.is_dir():
                self.folder.mkdir()
                _flush_folder(self.folder.parent)
            _write_through(path, content)
        except OSError as error:
            raise self._cannot_write(error, len(content)) from None
        # Of no use to anybody: what a killed process was just writing, and later steps of what now goes another way,
        # from before a damaged one.
        left = list(self.folder.glob(f"{_UNFINISHED}*"))
        others = [each for each in self.stored() if each.path != path]
        later = [each.path for each in others if each.step >= snapshot.done]
        earlier = [each.path for each in others if each.step < snapshot.done]
        for old in (*left, *later, *earlier[KEPT - 1 :]):
            with suppress(OSError):
                old.unlink()
        return Stored(snapshot.done, path, digest)

    def read(self, stored: Stored) -> tuple[Snapshot, dict[str, Any]]:
        """A checkpoint and what was written beside it. Raises RunError when a single bit of it is wrong."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            content = stored.path.read_bytes()
        except OSError as error:
            raise RunError(f"checkpoint '{stored.path}' can't be read: {error.strerror}{self._mend(stored)}") from None
        if hashlib.sha256(content).hexdigest() != stored.digest:
            raise RunError(f"checkpoint '{stored.path}' is damaged: {_damage(content)}{self._mend(stored)}")
        try:
            tensors = load(content)
            head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
            numbers = json.loads(head["__metadata__"][_NUMBERS])
            return Snapshot(int(numbers["done"]), tensors, dict(numbers["numbers"])), dict(numbers["facts"])
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"checkpoint '{stored.path}' is none of ours, though its name says so: {error}{self._mend(stored)}"
            ) from None

    def _mend(self, stored: Stored) -> str:
        newest, *older = self.stored()
        if stored != newest or not older:
            return "; there is no earlier one, so train again"
        return f"; `{resume_command(self.folder.parent)} --previous` goes on from step {older[0].step}"

    def _cannot_write(self, error: OSError, size: int) -> RunError:
        run = self.folder.parent
        if error.errno not in _FULL:
            return RunError(
                f"cannot write '{self.folder}': {error.strerror}; make it writable, then: {resume_command(run)}"
            )
        kept = self.stored()
        then = f"goes on after step {kept[0].step}" if kept else "begins anew"
        return RunError(
            f"disk full: a checkpoint in '{self.folder}' needs {_megabytes(size)} and there are "
            f"{_megabytes(shutil.disk_usage(run).free)}; make room, and `{resume_command(run)}` {then}"
        )


class CheckpointKeeper(Keeper):
    """Writes snapshots in a thread of its own: by time, at the ends of epochs, and when the training is to stop.

    At an epoch's end one is due only if all of them together cost less than a hundredth of the time, because an epoch
    may be a few steps long.
    """

    def __init__(self, checkpoints: Checkpoints, facts: Mapping[str, Any], every: float = EVERY) -> None:
        self.checkpoints, self.facts, self.every = checkpoints, facts, every
        self.stop_asked: int | None = None  # the signal
        self._last = time.monotonic()
        self._cost = _FIRST_COST
        self._thread: Thread | None = None
        self._error: Exception | None = None

    def wants(self, done: int, plan: Plan) -> bool:
        if self.stop_asked is not None or self._error is not None:  # which `keep` raises
            return done < plan.total_steps  # after its last step a training is done sooner than stopped
        since = time.monotonic() - self._last
        due = since >= self.every
        if not due and (done % plan.steps_per_epoch == 0 or done == plan.total_steps):
            due = self._cost <= _COST * since
        return due and not (self._thread is not None and self._thread.is_alive())

    def keep(self, snapshot: Snapshot) -> None:
        self.finish()
        self._last = time.monotonic()
        self._thread = Thread(target=self._write, args=(snapshot,), name="neocog-checkpoint")
        self._thread.start()
        if self.stop_asked is not None:
            self.finish()
            run = self.checkpoints.folder.parent
            raise Stopped(
                run,
                self.stop_asked,
                f"stopped after step {snapshot.done}; go on with: {resume_command(run)}",
            )

    def ask_to_stop(self, number: int) -> None:
        """The training is to stop after its step, because of that signal."""
        self.stop_asked = number

    def wait(self) -> None:
        """Until the last one is written, or can't be, which is nothing to a training that is over anyway."""
        if self._thread is not None:
            self._thread.join()

    def finish(self) -> None:
        """Waits for the last one. Raises RunError when it couldn't be written."""
        self.wait()
        if self._error is not None:
            error, self._error = self._error, None
            raise error

    def _write(self, snapshot: Snapshot) -> None:
        began = time.monotonic()
        try:
            self.checkpoints.write(snapshot, self.facts)
        except Exception as error:  # whatever it is, it belongs into the thread that trains
            self._error = error
        self._cost = time.monotonic() - began


def _write_through(path: Path, content: bytes) -> None:
    """The file under its name, on the disk and not only in the system's memory; or nothing, and OSError."""
    handle, name = tempfile.mkstemp(prefix=_UNFINISHED, dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o644)
        temporary.replace(path)
        _flush_folder(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def _flush_folder(folder: Path) -> None:
    """The folder's list of names, too, where the system has a way to ask for it."""
    if not hasattr(os, "O_DIRECTORY"):
        return
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # shares know nothing of it
            raise
    finally:
        os.close(handle)


def _megabytes(size: int) -> str:
    return f"{size / 1e6:,.1f} MB"


def _damage(content: bytes) -> str:
    if not content:
        return "it is empty"
    if content.lstrip()[:1] == b"<":
        return "it is a web page"
    return "its SHA-256 is not the one in its name"
