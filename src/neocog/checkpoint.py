"""Snapshots as files: RUN/checkpoint/step-380-SHA256.safetensors, the last two, each whole or not there at all.

A file is written under a temporary name, flushed to the disk, and then renamed; its name ends in the SHA-256 of its
bytes, because neither torch nor safetensors would notice a flipped one. Nothing in it is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

from neocog import disk
from neocog.curve import Plan
from neocog.data import Dataset
from neocog.errors import RunError
from neocog.recipe import Recipe
from neocog.snapshots import Snapshot
from neocog.stopping import Stopped
from neocog.training import Keeper
from neocog.untrusted import MOST_WEIGHTS, Unreadable, content_of, json_object, notes_of, tensors_and_notes

if TYPE_CHECKING:
    from torch import nn

FOLDER = "checkpoint"
EVERY = 30.0  # seconds
KEPT = 2
_NAME = re.compile(r"step-(\d+)-([0-9a-f]{64})\.safetensors")
_COST = 0.01  # of the time, at most, for checkpoints that are not yet due
_FIRST_COST = 0.1  # seconds; assumed until one was written
# Bytes, on the safe side; tests compare them with what is written.
_TENSOR_NAME = 200
_CURVE = 100_000  # as text, with the recipe
_PLACE = 32  # of a picture: its number, its class, its place in the data
_LONGEST, _PICTURES_KEPT = 112, 90  # of pictures.npz
_FIGURES = 5_000_000  # with the report
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
            names = [item.name for item in self.folder.iterdir() if not item.is_dir()]
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"'{self.folder}' can't be read: {error.strerror}; give a run that can be read") from None
        found = [(match, name) for name in names if (match := _NAME.fullmatch(name))]
        return sorted(
            (Stored(int(match[1]), self.folder / name, match[2]) for match, name in found),
            key=lambda each: (each.step, each.digest),  # of one step there may be two, after a kill
            reverse=True,
        )

    def write(self, snapshot: Snapshot, facts: Mapping[str, Any]) -> Stored:
        """Adds a checkpoint and removes all but the last two.

        Raises RunError where it can't be written, or could not be read again.
        """
        from safetensors.torch import save

        numbers = {"done": snapshot.done, "numbers": snapshot.numbers, "facts": facts}
        content = save(dict(snapshot.tensors), {_NUMBERS: json.dumps(numbers)})
        try:  # now, and not when it is needed
            json_object(notes_of(content)[_NUMBERS].encode(), finite=False)
        except Unreadable as error:
            raise RunError(
                f"a checkpoint of '{self.folder.parent}' could not be read again: {error}; "
                "change what `remembered` of your observer gives"
            ) from None
        digest = hashlib.sha256(content).hexdigest()
        path = self.folder / f"step-{snapshot.done}-{digest}.safetensors"
        try:
            if not self.folder.is_dir():
                self.folder.mkdir()
                disk.flush_folder(self.folder.parent)
            disk.sweep(self.folder)  # first, for it takes room
            with disk.replacing(path) as temporary:
                temporary.write_bytes(content)
        except OSError as error:
            raise self._cannot_write(error, len(content)) from None
        # Later steps are of no use to anybody: what now goes another way, from before a damaged one.
        others = [each for each in self.stored() if each.path != path]
        later = [each.path for each in others if each.step >= snapshot.done]
        earlier = [each.path for each in others if each.step < snapshot.done]
        for old in (*later, *earlier[KEPT - 1 :]):
            with suppress(OSError):
                old.unlink()
        return Stored(snapshot.done, path, digest)

    def before(self, stored: Stored) -> Stored | None:
        """The newest one of an earlier step."""
        return next((each for each in self.stored() if each.step < stored.step), None)

    def read(self, stored: Stored, mend: str | None = None) -> tuple[Snapshot, dict[str, Any]]:
        """A checkpoint and what was written beside it.

        Raises RunError when a single bit of it is wrong, with `mend` or with what `resume` can do.
        """
        try:
            content = content_of(stored.path, MOST_WEIGHTS)
        except (OSError, Unreadable) as error:
            why = getattr(error, "strerror", None) or error
            raise RunError(f"checkpoint '{stored.path}' can't be read: {why}; {mend or self._mend(stored)}") from None
        if hashlib.sha256(content).hexdigest() != stored.digest:
            raise RunError(f"checkpoint '{stored.path}' is damaged: {_damage(content)}; {mend or self._mend(stored)}")
        try:
            tensors, notes = tensors_and_notes(content)
            numbers = json_object(notes[_NUMBERS].encode(), finite=False)
            if numbers["done"] != stored.step:
                raise ValueError(f"it is of step {numbers['done']!r}")
            return Snapshot(stored.step, tensors, dict(numbers["numbers"])), dict(numbers["facts"])
        except (ValueError, KeyError, TypeError) as error:
            raise RunError(
                f"checkpoint '{stored.path}' is none of ours, though its name says so: {error}; "
                f"{mend or self._mend(stored)}"
            ) from None

    def _mend(self, stored: Stored) -> str:
        run = self.folder.parent
        whole = [each for each in self.stored() if each != stored and _is_whole(each)]
        if not whole:
            recipe = shlex.quote(str(run / "recipe.toml"))
            return f"no checkpoint of it is whole; train anew with: neocog train {recipe}"
        newest = self.stored()[0]
        if stored.step == newest.step and whole[0] == self.before(stored):
            return f"`{resume_command(run)} --previous` goes on from step {whole[0].step}"
        if whole[0] == newest:
            return f"`{resume_command(run)}` without --previous goes on from step {newest.step}"
        return f"remove what is damaged, and `{resume_command(run)}` goes on from step {whole[0].step}"

    def _cannot_write(self, error: OSError, size: int) -> RunError:
        run = self.folder.parent
        if not disk.is_full(error):
            return RunError(
                f"cannot write '{self.folder}': {error.strerror}; make it writable, then: {resume_command(run)}"
            )
        kept = self.stored()
        then = f"goes on after step {kept[0].step}" if kept else "begins anew"
        return RunError(disk.full("a checkpoint", self.folder, size, f"and `{resume_command(run)}` {then}", error))


@dataclass(frozen=True)
class RunSize:
    """About how many bytes a training will write, at most."""

    checkpoint: int
    checkpoints: int  # how many lie there at once
    weights: int
    predictions: int  # and which pictures were held out
    look: int  # the kept pictures, the figures and the report

    @classmethod
    def of(
        cls,
        recipe: Recipe,
        network: nn.Module,
        dataset: Dataset,
        *,
        keeping: bool = True,
        open_test: bool = True,
        figures: bool = True,
    ) -> RunSize:
        """Of a network that has its shapes and a recipe whose precision is known."""
        number = 8 if recipe.train.precision == "float64" else 4
        weights = sum(tensor.numel() for tensor in (*network.parameters(), *network.buffers())) * number
        trained = sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad) * number
        slots = 2 if recipe.optimizer.name != "sgd" else 1 if recipe.optimizer.momentum else 0
        names = _TENSOR_NAME * (slots + 2) * len([*network.parameters(), *network.buffers()])
        parts = [part for part in (dataset.validation, dataset.test if open_test else None) if part is not None]
        pictures = sum(len(part) for part in parts)
        name = max((len(name.encode()) for part in parts for name in part.names or ()), default=0)
        height, width = (min(side, _LONGEST) for side in dataset.image_shape[1:])
        kept = _PICTURES_KEPT * len(dataset.mean) * height * width
        return cls(
            checkpoint=weights + (slots + bool(recipe.train.ema)) * trained + names + _CURVE,
            checkpoints=KEPT + 1 if keeping else 0,
            weights=weights + names,
            predictions=pictures * (4 * len(dataset.classes) + 2 * name + _PLACE),
            look=kept + (_FIGURES + 2 * kept) * figures,
        )

    @property
    def total(self) -> int:
        """Of all files together."""
        of_checkpoints = self.checkpoint * self.checkpoints
        return of_checkpoints + self.weights + self.predictions + self.look + _CURVE

    @property
    def largest(self) -> int:
        """Of the largest file."""
        return max(self.checkpoint * bool(self.checkpoints), self.weights, self.predictions)

    def refuse(self, place: Path) -> None:
        """Raises RunError where a run at `place`, begun or to be begun, has no room for what it has not written yet."""
        begun = place.is_dir()
        needs = max(0, self.total - (disk.used(place) if begun else 0))
        then = f"and `{resume_command(place)}` goes on" if begun else "or give a --run in another place"
        found = disk.too_little(f"run '{place.name}'", place.parent, needs, self.largest, then)
        if found is not None:
            raise RunError(found)


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
        if self.stop_asked is not None:
            return True
        if self._error is not None:  # which `keep` raises; after the last step it is nothing to the training any more
            return done < plan.total_steps
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
        """The training is to stop after its step, because of that signal; at once, when it was asked before."""
        again, self.stop_asked = self.stop_asked is not None, number
        if again:
            run = self.checkpoints.folder.parent
            raise Stopped(run, number, f"stopped at once; go on with: {resume_command(run)}")

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


def _is_whole(stored: Stored) -> bool:
    try:
        return hashlib.sha256(content_of(stored.path, MOST_WEIGHTS)).hexdigest() == stored.digest
    except (OSError, Unreadable):
        return False


def _damage(content: bytes) -> str:
    if not content:
        return "it is empty"
    if content.lstrip()[:1] == b"<":
        return "it is a web page"
    return "its SHA-256 is not the one in its name"
