"""A run directory: everything a training leaves behind, each file under one name.

    recipe.toml           the recipe with every value, the classes and the preparation of a picture
    environment.json      versions, processor, threads, data checksum, git commit
    split.json            which pictures were held out
    metrics.csv           the learning curve
    weights.safetensors   the state dict of the network
    predictions.npz       probabilities for each picture of each measured part
    results.json          the figures, and how often the test part was opened for them; written last, so its presence
                          says that the run is complete
    evaluations.jsonl     each look at a part since then, one line each
    calibration.json      the temperature of the probabilities, once `neocog calibrate` has fitted one
    pictures.npz          the few pictures that figures show, so that they can be drawn again without the data
    figures/              what there is to look at, as PNG and SVG
    report.html           all of it in one file
    explanations/         what `neocog explain` has drawn
    checkpoint/           the last two checkpoints, from which `neocog resume` goes on
    run.lock, owner.txt   while it is trained: keeps other processes out, and says which one has it

Files are written to a temporary name beside their own and then renamed, so that none is ever half there.
"""

from __future__ import annotations

import csv
import errno
import itertools
import json
import math
import os
import platform
import shlex
import subprocess
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import MISSING, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zipfile import BadZipFile

import numpy as np

from neocog.errors import RunError
from neocog.recipe import Recipe
from neocog.training import Point

if TYPE_CHECKING:
    from torch import Tensor, nn

RUNS = Path("runs")  # where a run goes that isn't given a place
_OPTION = "--run"
_ANSWERS = {  # of a study, whose folder may be taken for a run
    "comparison.json": "comparison, not a run; give one of its runs, which comparison.json there names",
    "sweep.json": "sweep, not a run; give one of its runs, which sweep.json there names",
    "reproduction.json": f"reproduction, not a run; give one of its runs, which lie in '{RUNS / 'seeds'}'",
}
_FULL = (errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC))


class RunDirectory:
    """Reads and writes the files of one run. Made by `create` or `open`, never over something that is there."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @staticmethod
    def check_place(path: str | Path | None, option: str = _OPTION) -> None:
        """Raises RunError when no run can be made at `path`, or in ./runs for None: worth knowing before any work.

        `option` is what the user gives `path` with.
        """
        place = RUNS if path is None else Path(path)
        try:
            if path is not None and (place.is_symlink() or place.exists()):
                raise _taken(place, option)
            if place.is_symlink() and not place.exists():
                raise RunError(f"'{place}' is a link to nothing; remove it, or give a {option} in another place")
            _check_writable(place)
        except OSError as error:
            raise cannot_write(place, error, option) from None

    @classmethod
    def create(cls, path: str | Path | None, name: str, option: str = _OPTION, *, within: Path = RUNS) -> RunDirectory:
        """A new, empty directory: at `path`, which must not exist, or as NAME-1, -2, … in ./runs. Raises RunError."""
        cls.check_place(path, option)
        if path is not None:
            try:
                return cls(_made(Path(path), option))
            except FileExistsError:  # another run has taken it since
                raise _taken(Path(path), option) from None
        for number in itertools.count(1):
            place = within / f"{name}-{number}"
            # Another run may take the name in between; then the next number is tried.
            with suppress(FileExistsError):
                return cls(_made(place, option))
        raise AssertionError("count() ended")

    @classmethod
    def unfinished(cls, path: str | Path) -> RunDirectory:
        """The directory of a run that was stopped. Raises RunError when it is none, or when it is finished."""
        place = Path(path)
        if not place.is_dir():
            raise RunError(f"there is no run directory '{place}'; `neocog train` prints where a run lies")
        if (place / "results.json").exists():
            raise RunError(f"run '{place}' is finished; `neocog evaluate {shlex.quote(str(place))}` measures it")
        for needed in ("recipe.toml", "environment.json"):
            if not (place / needed).is_file():
                raise RunError(f"'{place}' is no run that was stopped: it has no {needed}; train again")
        return cls(place)

    @contextmanager
    def owned(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Keeps other processes out of this run. The system takes the lock off a process that dies.

        Raises RunError when another process has it.
        """
        from filelock import FileLock, Timeout

        # Who has the lock stands beside it: asking for a lock may empty its file.
        path, owner = self.path / "run.lock", self.path / "owner.txt"
        before = _text(owner)
        lock = FileLock(path)
        try:
            lock.acquire(timeout=0)
        except Timeout:
            raise RunError(
                f"run '{self.path}' is being trained by {before or 'another process'}; wait for its end"
            ) from None
        except (OSError, NotImplementedError) as error:  # the latter where a disk has no locks
            why = getattr(error, "strerror", None) or error
            raise RunError(f"'{path}' can't be locked: {why}; train on another disk, or make it writable") from None
        try:
            if before:
                tell(f"the lock of {before}, which is gone, was taken over")
            with suppress(OSError):
                owner.write_text(f"process {os.getpid()} on {platform.node()}", encoding="utf-8")
            yield
        finally:
            for file in (owner, path):
                with suppress(OSError):  # Windows keeps what is open
                    file.unlink()
            lock.release()

    @classmethod
    def open(cls, path: str | Path) -> RunDirectory:
        """The directory of a finished run. Raises RunError when it is none."""
        place = Path(path)
        try:
            found = {item.name for item in place.iterdir() if item.is_file()}
        except (FileNotFoundError, NotADirectoryError):
            raise RunError(f"there is no run directory '{place}'; `neocog train` prints where a run lies") from None
        except OSError as error:
            raise RunError(f"run directory '{place}' can't be read: {error.strerror}; give another run") from None
        for answer, what in _ANSWERS.items():
            if answer in found:
                raise RunError(f"'{place}' is a {what}")
        if "results.json" not in found and {"recipe.toml", "environment.json"} <= found:
            raise RunError(
                f"run '{place}' is not finished; if it was stopped or killed, go on with: "
                f"neocog resume {shlex.quote(str(place))}"
            )
        for needed in ("recipe.toml", "weights.safetensors", "results.json"):
            if needed not in found and not found and (inside := sorted(place.glob("*/results.json"))):
                raise RunError(f"'{place}' holds runs and is none; give one of them, such as {inside[-1].parent}")
            if needed not in found:
                raise RunError(f"'{place}' is no finished run: it has no {needed}; train again into a new directory")
        return cls(place)

    def write_recipe(self, recipe: Recipe) -> None:
        """The resolved recipe; `neocog train RUN/recipe.toml` repeats the run."""
        self._write("recipe.toml", recipe.to_toml().encode())

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """One JSON object."""
        self._write(name, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())

    def write_weights(self, model: nn.Module) -> None:
        """The state dict as safetensors, which any torch program can load without neocog."""
        from safetensors.torch import save

        # Copies, because safetensors refuses tensors that share memory, as tied weights do.
        state = {name: value.cpu().contiguous().clone() for name, value in model.state_dict().items()}
        self._write("weights.safetensors", save(state))

    def write_predictions(self, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """The stored predictions, as numpy's compressed archive."""
        self.write_arrays("predictions.npz", arrays)

    def write_arrays(self, name: str, arrays: Mapping[str, np.ndarray[Any, Any]]) -> None:
        """Arrays as numpy's compressed archive."""
        with self._replacing(name) as path, path.open("wb") as file:
            np.savez_compressed(file, allow_pickle=False, **arrays)

    def write_text(self, name: str, text: str) -> None:
        """A text as UTF-8."""
        self._write(name, text.encode())

    def append_evaluation(self, record: Mapping[str, Any]) -> None:
        """One more line in the log of looks at a part; the log only grows."""
        line = json.dumps({"when": datetime.now(UTC).isoformat(timespec="seconds"), **record}, ensure_ascii=False)
        path = self.path / "evaluations.jsonl"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise RunError(f"cannot write '{path}': {error.strerror}; the evaluation was not noted") from None

    def read_evaluations(self) -> list[dict[str, Any]]:
        """The log of looks at a part, oldest first; empty for a line that can't be read, which was a look as well."""
        path = self.path / "evaluations.jsonl"
        try:
            lines = path.read_text(encoding="utf-8", errors="replace").split("\n")  # names may hold other line ends
        except FileNotFoundError:
            return []
        except OSError as error:
            raise RunError(f"'{path}' can't be read: {error.strerror}; give a run that can be read") from None
        return [_json_object(line) for line in lines if line.strip()]

    def read_recipe(self) -> Recipe:
        """The recipe as it was run, with what training found out about its data."""
        recipe = Recipe.load(self.path / "recipe.toml")
        if recipe.resolved is None:
            raise RunError(f"'{self.path / 'recipe.toml'}' has lost its [resolved] table; train again")
        return recipe

    def read_results(self) -> dict[str, Any]:
        """The figures."""
        return self.read_json("results.json")

    def read_json(self, name: str) -> dict[str, Any]:
        """One JSON object. Raises RunError when the file is missing or damaged."""
        path = self.path / name
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None
        if not isinstance(found, dict):
            raise RunError(f"'{path}' can't be read: it holds no figures; train again")
        return found

    def read_metrics(self) -> dict[str, np.ndarray[Any, Any]]:
        """The learning curve: a column for each field of `Point`, float64 (points,), NaN where nothing was measured.

        Columns that an older neocog didn't write are NaN throughout. Raises RunError when the file is damaged.
        """
        path = self.path / "metrics.csv"
        try:
            return _columns(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, csv.Error) as error:
            raise _unreadable(path, error) from None

    def read_weights(self) -> dict[str, Tensor]:
        """The state dict. Raises RunError when the file is damaged."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.path / "weights.safetensors"
        try:
            return load_file(path)
        except (OSError, SafetensorError, ValueError) as error:
            raise _unreadable(path, error) from None

    def read_predictions(self, part: str | None = None) -> dict[str, np.ndarray[Any, Any]]:
        """The stored predictions, or those of one part, by name. Raises RunError for a missing or damaged file."""
        return self.read_arrays("predictions.npz", "" if part is None else f"{part}_")

    def read_arrays(self, name: str, prefix: str = "") -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of an archive whose names begin so. Raises RunError when the file is missing or damaged."""
        path = self.path / name
        try:
            # Opened here, because numpy leaves a damaged archive open.
            with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
                return {key: arrays[key] for key in arrays.files if key.startswith(prefix)}
        except (OSError, ValueError, EOFError, KeyError, BadZipFile, zlib.error) as error:
            raise _unreadable(path, error) from None

    def _write(self, name: str, content: bytes) -> None:
        with self._replacing(name) as path:
            path.write_bytes(content)

    @contextmanager
    def _replacing(self, name: str) -> Iterator[Path]:
        """A temporary path in the same folder that takes the name once the block has succeeded."""
        try:
            handle, text = tempfile.mkstemp(prefix=f".{name}-", dir=self.path)
        except OSError as error:
            raise cannot_write(self.path / name, error) from None
        os.close(handle)
        temporary = Path(text)
        try:
            yield temporary
            temporary.chmod(0o644)
            temporary.replace(self.path / name)
        except OSError as error:
            raise cannot_write(self.path / name, error) from None
        finally:
            temporary.unlink(missing_ok=True)


def git_commit() -> str | None:
    """The commit of the folder one stands in, with '+' when there are changes; None outside of git."""
    try:
        commit = _git("rev-parse", "HEAD")
        return f"{commit}+" if _git("status", "--porcelain") else commit
    except (OSError, subprocess.SubprocessError):
        return None


def _git(*words: str) -> str:
    answer = subprocess.run(["git", *words], capture_output=True, text=True, timeout=5, check=True)
    return answer.stdout.strip()


def _check_writable(place: Path) -> None:
    """Raises OSError when nothing can be made at `place`, going by itself or the nearest folder above that is there."""
    folder = place
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
    if not os.access(folder, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))


def _made(place: Path, option: str) -> Path:
    """The new directory. Raises FileExistsError, and RunError where nothing can be made."""
    try:
        try:
            place.mkdir(parents=True)
        except FileNotFoundError:  # another process has swept the new folder around it away, as it was empty
            place.mkdir(parents=True)
    except FileExistsError:
        raise
    except OSError as error:
        raise cannot_write(place, error, option) from None
    return place


def _taken(path: Path, option: str) -> RunError:
    what = "run directory" if option == _OPTION else "directory"
    return RunError(f"{what} '{path}' exists already and is never overwritten; give another {option}")


def cannot_write(path: Path, error: OSError, option: str = _OPTION) -> RunError:
    mend = "make room there" if error.errno in _FULL else f"give a {option} in a place that can be written"
    return RunError(f"cannot write '{path}': {error.strerror}; {mend}")


def _unreadable(path: Path, error: Exception) -> RunError:
    if isinstance(error, FileNotFoundError):
        return RunError(f"run '{path.parent}' has no {path.name}; train again")
    why = error.strerror if isinstance(error, OSError) and error.strerror else error  # without the path once more
    return RunError(f"'{path}' can't be read: {why}; train again")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError):
        return ""


def _json_object(line: str) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _columns(text: str) -> dict[str, np.ndarray[Any, Any]]:
    """The columns of metrics.csv. Raises ValueError naming what is wrong with them."""
    if not text.endswith("\n"):
        raise ValueError("its end is missing" if text else "it is empty")
    head, *rows = csv.reader(text.splitlines(), strict=True)
    for field in fields(Point):
        if field.default is MISSING and field.name not in head:
            raise ValueError(f"it has no column {field.name}")
    if not rows:
        raise ValueError("it has no points")
    columns: dict[str, Any] = {field.name: np.full(len(rows), math.nan) for field in fields(Point)}
    columns |= {name: np.empty(len(rows)) for name in head}
    optional = {field.name for field in fields(Point) if field.default is not MISSING}
    for place, row in enumerate(rows):
        if len(row) != len(head):
            raise ValueError(f"line {place + 2} has {len(row)} values, not {len(head)}")
        for name, value in zip(head, row, strict=True):
            try:
                columns[name][place] = math.nan if name in optional and not value else float(value)
            except ValueError:
                raise ValueError(f"line {place + 2}: {name} is '{value}', which is no number") from None
    return columns
