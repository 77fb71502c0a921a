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

import hashlib
import itertools
import json
import os
import platform
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog import disk
from neocog.errors import NeocogError, RunError
from neocog.recipe import Recipe
from neocog.results import Results, check_results
from neocog.untrusted import MOST_UNPACKED, MOST_WEIGHTS, Unreadable, arrays_of, content_of, json_object, tensors_of

if TYPE_CHECKING:
    from torch import Tensor, nn

RUNS = Path("runs")  # where a run goes that isn't given a place
_OPTION = "--run"
_ANSWERS = {  # of a study, whose folder may be taken for a run
    "comparison.json": "comparison, not a run; give one of its runs, which comparison.json there names",
    "sweep.json": "sweep, not a run; give one of its runs, which sweep.json there names",
    "reproduction.json": f"reproduction, not a run; give one of its runs, which lie in '{RUNS / 'seeds'}'",
}


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
            disk.check_writable(place)
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
            quoted = shlex.quote(str(place))
            raise RunError(
                f"run '{place}' is finished; `neocog evaluate {quoted}` measures it, and `neocog resume {quoted} "
                "--verify` trains it once more and compares"
            )
        for answer, what in _ANSWERS.items():
            if (place / answer).exists():
                raise RunError(f"'{place}' is a {what}")
        if not (place / "recipe.toml").is_file():
            raise RunError(f"'{place}' is no run: it has no recipe.toml; `neocog train` prints where a run lies")
        if not (place / "environment.json").is_file():
            raise RunError(f"'{place}' is no run that was stopped: it has no environment.json; train again")
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
            refusal = RunError(f"'{path}' can't be locked: {why}; train on another disk, or make it writable")
            if isinstance(error, OSError) and disk.is_full(error):
                refusal = cannot_write(path, error, needs=0)
            with suppress(OSError):
                self.path.rmdir()  # one that was just made: it is empty
            raise refusal from None
        try:
            if not (self.path / "results.json").exists():  # others write into a finished run, and ask for no lock
                disk.sweep(self.path)
            if before:
                tell(f"the lock of {before}, which is gone, was taken over; there is nothing to do")
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

    def begin(self, recipe: Recipe, split: Mapping[str, Any], environment: Mapping[str, Any]) -> None:
        """Writes what a training must have before it can go on after a stop; a place without that is given back.

        Raises RunError.
        """
        try:
            self.write_recipe(recipe)
            self.write_json("split.json", split)
            self.write_json("environment.json", environment)
        except BaseException:
            shutil.rmtree(self.path, ignore_errors=True)
            raise

    def write_recipe(self, recipe: Recipe) -> None:
        """The resolved recipe; `neocog train RUN/recipe.toml` repeats the run."""
        self._write("recipe.toml", recipe.to_toml().encode())

    def write_json(self, name: str, content: Mapping[str, Any]) -> None:
        """One JSON object."""
        self._write(name, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())

    def write_weights(self, model: nn.Module) -> str:
        """The state dict as safetensors, which any torch program can load without neocog; gives its SHA-256."""
        from safetensors.torch import save

        # Copies, because safetensors refuses tensors that share memory, as tied weights do.
        state = {name: value.cpu().contiguous().clone() for name, value in model.state_dict().items()}
        content = save(state)
        self._write("weights.safetensors", content)
        return hashlib.sha256(content).hexdigest()

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
        path, content = self.path / "evaluations.jsonl", f"{line}\n".encode()
        try:
            with path.open("ab", buffering=0) as file:
                disk.append(file, content)
        except OSError as error:
            if disk.is_full(error):
                text = disk.full(path.name, self.path, len(content), "", error)
                raise RunError(f"{text}; the evaluation was not noted") from None
            raise RunError(f"cannot write '{path}': {error.strerror}; the evaluation was not noted") from None

    def read_evaluations(self) -> list[dict[str, Any]]:
        """The log of looks at a part, oldest first; empty for a line that can't be read, which was a look as well."""
        path = self.path / "evaluations.jsonl"
        try:
            lines = content_of(path).split(b"\n")  # names may hold other line ends
        except FileNotFoundError:
            return []
        except (OSError, Unreadable) as error:
            why = getattr(error, "strerror", None) or error
            raise RunError(f"'{path}' can't be read: {why}; give a run that can be read") from None
        return [_json_object(line) for line in lines if line.strip()]

    def read_recipe(self) -> Recipe:
        """The recipe as it was run, with what training found out about its data."""
        try:
            recipe = Recipe.load(self.path / "recipe.toml")
        except NeocogError as error:
            text = str(error)
            if "; " in text or text.endswith("?"):  # it says how already
                raise
            raise type(error)(f"{text}; mend the line, or put the file back") from None
        if recipe.resolved is None:
            raise RunError(f"'{self.path / 'recipe.toml'}' has lost its [resolved] table; train again")
        return recipe

    def read_results(self) -> Results:
        """The figures. Raises RunError when one is no figure of its kind; see `Results` for one that is missing."""
        found, path = self.read_json("results.json"), self.path / "results.json"
        try:
            check_results(found)
        except Unreadable as error:
            raise _unreadable(path, error) from None
        return Results(found, path)

    def read_json(self, name: str) -> dict[str, Any]:
        """One JSON object. Raises RunError when the file is missing or damaged."""
        path = self.path / name
        try:
            return json_object(content_of(path))
        except (OSError, Unreadable) as error:
            raise _unreadable(path, error) from None

    def read_metrics(self) -> dict[str, np.ndarray[Any, Any]]:
        """The learning curve: a column for each field of `Point`, float64 (points,), NaN where nothing was measured.

        Columns that an older neocog didn't write are NaN throughout. Raises RunError when the file is damaged.
        """
        path = self.path / "metrics.csv"
        try:
            from neocog.curve import columns  # which needs torch, and others have to say sooner what is no run

            return columns(content_of(path).decode("utf-8"))
        except (OSError, ValueError) as error:
            raise _unreadable(path, error) from None

    def read_weights(self) -> dict[str, Tensor]:
        """The state dict. Raises RunError when the file is damaged, or is not the one that the training has noted.

        A run of an older neocog, and one that is just being finished, has noted none.
        """
        path = self.path / "weights.safetensors"
        noted = self.read_json("results.json").get("weights_sha256") if (self.path / "results.json").exists() else None
        try:
            return tensors_of(content_of(path, MOST_WEIGHTS), noted)
        except (OSError, Unreadable) as error:
            raise _unreadable(path, error) from None

    def read_predictions(self, part: str | None = None) -> dict[str, np.ndarray[Any, Any]]:
        """The stored predictions, or those of one part, by name. Raises RunError for a missing or damaged file."""
        return self.read_arrays("predictions.npz", "" if part is None else f"{part}_")

    def read_arrays(self, name: str, prefix: str = "") -> dict[str, np.ndarray[Any, Any]]:
        """The arrays of an archive whose names begin so. Raises RunError when the file is missing or damaged."""
        path = self.path / name
        try:
            return arrays_of(content_of(path, MOST_UNPACKED), prefix)
        except (OSError, Unreadable) as error:
            raise _unreadable(path, error) from None

    def _write(self, name: str, content: bytes) -> None:
        with self._replacing(name, len(content)) as path:
            path.write_bytes(content)

    @contextmanager
    def _replacing(self, name: str, needs: int | None = None) -> Iterator[Path]:
        """A temporary path in the same folder that takes the name once the block has succeeded."""
        try:
            with disk.replacing(self.path / name) as temporary:
                yield temporary
        except Exception as error:
            if (cause := disk.cause(error)) is None:
                raise
            raise cannot_write(self.path / name, cause, needs=needs) from None


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


def cannot_write(path: Path, error: OSError, option: str = _OPTION, *, needs: int | None = None) -> RunError:
    """The error for a run, or a file of one, that the system refuses; `needs` bytes, where that is known."""
    go_on = _go_on(path.parent)
    if disk.is_full(error):
        then = f"or give a {option} in another place" if go_on is None else go_on and f"and `{go_on}` goes on"
        return RunError(disk.full(path.name, path.parent, needs, then, error))
    mend = f"give a {option} in a place that can be written" if not go_on else f"make it writable, then: {go_on}"
    return RunError(f"cannot write '{path}': {error.strerror}; {mend}")


def _go_on(run: Path) -> str | None:
    """How a training there goes on; "" where it needs not or can't be told, None where there is none."""
    if run.name.startswith("."):  # a study's, which trains it again
        return ""
    try:
        if not ((run / "recipe.toml").exists() and (run / "environment.json").exists()):
            return None
        return "" if (run / "results.json").exists() else f"neocog resume {shlex.quote(str(run))}"
    except OSError:
        return None


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


def _json_object(line: bytes) -> dict[str, Any]:
    try:
        return json_object(line)
    except Unreadable:
        return {}
