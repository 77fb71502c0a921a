"""Where finished seeds are kept: STORE/NAME-HASH/SEED, each an ordinary run directory.

The hash is over everything that decides the numbers, so a run that lies there is the one that would be trained again.
A run is trained in a hidden folder beside its place and takes the place when it is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import platform
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

from neocog import disk, workflow
from neocog.errors import NeocogError, RunError
from neocog.finished import Run
from neocog.recipe import Recipe

WORKING = ".working-"  # and -MACHINE-PID at the end: whose it is
_LETTERS = 8
_FIGURES = (  # of results.json, that are read of a kept run
    "val_accuracy", "val_loss", "val_pictures", "test_accuracy", "train_seconds", "steps", "steps_per_epoch", "notes",
    "parameters", "data", "device", "precision", "threads",
)  # fmt: skip


def place_of(store: Path, name: str, facts: Mapping[str, Any], seed: int) -> Path:
    """Where the run of that seed lies or will lie; `facts` is all that its numbers depend on besides the seed.

    >>> place_of(Path("runs/seeds"), "fast", {"threads": 1}, 3).as_posix()
    'runs/seeds/fast-c9520b0d/3'
    """
    text = json.dumps(facts, sort_keys=True)
    return store / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:_LETTERS]}" / str(seed)


def finished(place: Path) -> Run | None:
    """The finished run that lies there; None where there is none, or a file of it is lost or damaged."""
    try:
        run = Run.open(place)
        _ = run.recipe, run.metrics
        for name in ("split.json", "environment.json"):
            run.directory.read_json(name)
        run.directory.read_weights()
        run.directory.read_predictions()
        return run if all(name in run.results for name in _FIGURES) else None
    except (NeocogError, OSError):
        return None


def working_folder(place: Path) -> Path:
    """Where the run of a place is trained by this process."""
    return place.with_name(f"{WORKING}{place.name}{_owner()}")


def train_into(place: Path, recipe: Recipe, **options: Any) -> None:
    """Trains a run as `workflow.train` does, but for its figures.

    A place that another process has filled meanwhile stays as it is. Whatever is raised, nothing half done is left
    behind.
    """
    working = working_folder(place)
    shutil.rmtree(working, ignore_errors=True)  # a dead process may have had our number
    try:
        workflow.train(recipe, run=working, figures=False, checkpoint_every=None, **options)
        _keep(working, place)
    finally:
        shutil.rmtree(working, ignore_errors=True)
        _remove_empty(place.parent)


@contextmanager
def open_for_work(store: Path) -> Iterator[Path]:
    """The store made ready to be written to, rid of what dead processes left in it; a folder in it for the meanwhile.

    Raises RunError when it can't be written.
    """
    try:
        store.mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix=WORKING, suffix=_owner(), dir=store))
    except OSError as error:
        if disk.is_full(error):
            raise RunError(disk.full(store.name, store.parent, None, "", error)) from None
        raise RunError(f"cannot write '{store}': {error.strerror}; work in a folder that can be written") from None
    sweep(store)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        sweep(store)


def sweep(store: Path) -> None:
    """Removes the unfinished folders of this machine's processes that are no more.

    A store may lie on a disk that several machines share, and their processes are none of ours to judge.
    """
    seeds = [found for found in store.glob("*") if found.is_dir() and not found.name.startswith(WORKING)]
    for folder in (store, *seeds):
        for left in folder.glob(f"{WORKING}*"):
            name, _, process = left.name.rpartition("-")
            if name.endswith(f"-{_machine()}") and process.isdecimal() and not _alive(int(process)):
                shutil.rmtree(left, ignore_errors=True)
    for folder in seeds:
        _remove_empty(folder)


def _keep(working: Path, place: Path) -> None:
    """Gives a complete run its place, unless another complete one has it."""
    if place.exists() and not finished(place):
        shutil.rmtree(place, ignore_errors=True)  # damaged: it would be in the way forever
    try:
        working.rename(place)
    except OSError as error:
        if not finished(place) and disk.is_full(error):
            raise RunError(disk.full(f"run '{place.name}'", place.parent, None, "", error)) from None
        if not finished(place):
            raise RunError(f"cannot write '{place}': {error.strerror}; make room there") from None


def _owner() -> str:
    return f"-{_machine()}-{os.getpid()}"


@cache
def _machine() -> str:
    return re.sub(r"[^\w.]", "_", platform.node())


def _remove_empty(folder: Path) -> None:
    with suppress(OSError):
        folder.rmdir()


def _alive(process: int) -> bool:
    if os.name == "nt":  # where os.kill ends a process, whatever the signal
        return True
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except (OSError, OverflowError):  # somebody else's, or no process number at all
        return True
    return True
