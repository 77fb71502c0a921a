"""A stopped training goes on: to the same bits as if it had never been stopped, which can be verified."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor, nn

from neocog.checkpoint import EVERY, Checkpoints, RunSize, Stored, resume_command
from neocog.curve import Plan
from neocog.data import Dataset, Progress, catalogue
from neocog.data.batches import Normalization
from neocog.data.dataset import PARTS
from neocog.device import Compute, choose, environment
from neocog.errors import RecipeError, RunError
from neocog.finished import Data, Run, Tell, data_name, open_data, warn
from neocog.insight import reporting
from neocog.logs import MetricsLog, TensorBoardLog
from neocog.networks import Model, build, code_name, refuse_foreign_code
from neocog.recipe import Recipe
from neocog.run import RunDirectory
from neocog.snapshots import Snapshot
from neocog.statistics.verification import Verification, compared_of
from neocog.stopping import FirstSignal, heeding
from neocog.training import Keeper, Observer, fit, memory_notes
from neocog.workflow import facts_of, stops_at_once, train_in

# What the last bits may depend on besides the recipe and the threads.
_BITS = ("neocog", "torch", "cpu", "gpu", "numpy")
_CURVE = "metrics.csv"
_MOST_THREADS = 4096
_SHOWN = 3  # pictures named in a line


def resume(
    run: str | Path,
    *,
    previous: bool = False,
    force: bool = False,
    data: Data | None = None,
    model: Model | None = None,
    figures: bool = True,
    checkpoint_every: float = EVERY,
    observers: Sequence[Observer] = (),
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Run:
    """Goes on with a training that was stopped or killed, from its last checkpoint, and finishes it.

    Weights, curve and predictions are, bit for bit, those of a training that was never stopped, on the same processor
    and torch; the number of threads is the run's own. Without a checkpoint it begins anew. The run's environment.json
    notes under "resumed" when, after which step and where it went on.

    Args:
        previous: from the checkpoint before the last, where the last is damaged.
        force: also when the recipe or the data are no longer those of the checkpoint; into a network of other shapes
            nothing goes on.
        data: the pictures again, where they were given as arrays; or where they lie now.
        model: the network's code again, where it was the user's own.

    Raises a NeocogError when there is nothing to go on with, something else than what was begun, or another process
    at it.
    """
    report = tell or (lambda text: None)  # what is as it should be is no warning
    tell = tell or warn
    directory = RunDirectory.unfinished(run)
    signals = FirstSignal()
    with heeding(signals), directory.owned(tell):
        signals.does(stops_at_once(directory, "before training went on"))
        RunDirectory.unfinished(run)  # still: another process may have finished it a moment ago
        finished = _resumed(
            directory, previous, force, data, model, checkpoint_every, observers, progress, tell, report, signals
        )
    if figures:
        reporting.look(finished, tell)
    return finished


def verify(
    run: str | Path,
    *,
    data: Data | None = None,
    model: Model | None = None,
    observers: Sequence[Observer] = (),
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> Verification:
    """Trains a stretch of a run again, in memory, and compares every bit with what the run has kept.

    From the checkpoint before the last, or without one from the beginning, to the last checkpoint; in a finished run to
    its end, whose weights and learning curve are compared, too. Seconds are not compared. Threads, device and precision
    are the run's own, as for `resume`. The run stays as it is, and the test part closed.

    Raises a NeocogError when there is nothing to compare, when recipe, data or network are no longer those of the
    checkpoints, or when another process is at the run.
    """
    tell = tell or warn
    place = Path(run)
    ended = (place / "results.json").exists()
    directory = RunDirectory.open(place) if ended else RunDirectory.unfinished(place)
    with directory.owned(tell), TemporaryDirectory(prefix="neocog-") as scratch:
        checkpoints = Checkpoints(directory.path)
        # The first is where it begins and the last what is compared.
        stored = [*{each.step: each for each in checkpoints.stored()[::-1]}.values()][-2:]
        if not stored and not ended:
            raise RunError(
                f"run '{place}' has no checkpoint to compare with; finish it with `{resume_command(place)}`, and "
                "verify it then"
            )
        read = [_read(checkpoints, each, needed=not ended and each is stored[-1]) for each in stored]
        start = read[0][0] if len(read) == 2 else None
        again = f"{resume_command(place)} --verify"
        with _ready(directory, [facts for _, facts in read], data, model, progress, tell, again) as ready:
            if ready.changes:
                forced = len(read) == 2 and read[0][1] != read[1][1]
                mend = (
                    "it went on with --force, and is no longer one training" if forced else "put back what was changed"
                )
                raise RunError(f"run '{place}' can't be verified: {'; '.join(ready.changes)}; {mend}")
            log = MetricsLog(RunDirectory(Path(scratch)))
            keeper = _Again(read[-1][0].done if read else None, ends_there=not ended)
            with suppress(_Reached):
                fit(
                    *(ready.network, ready.dataset.train, ready.recipe, ready.normalization, ready.compute),
                    *(ready.dataset.validation, [log, *observers]),
                    keeper=keeper,
                    start=start,
                )
            compared = [compared_of("checkpoint", read[-1][0].done, _parts(read[-1][0]), keeper.parts)] if read else []
            if ended:
                directory.read_metrics()  # which says what is wrong with it
                kept = _tensors(directory.read_weights()) | _rows((place / _CURVE).read_text(encoding="utf-8"))
                again = _tensors(ready.network.state_dict()) | _rows(log.remembered())
                compared.append(compared_of("weights and curve", keeper.steps, kept, again))
            conditions = {**environment(), "device": str(ready.compute.device), "precision": ready.compute.precision}
    return Verification(place, start.done if start else 0, tuple(compared), conditions)


def _read(checkpoints: Checkpoints, stored: Stored, needed: bool) -> tuple[Snapshot, Mapping[str, Any]]:
    """A checkpoint to compare with; the mend for one that `resume` doesn't need is another."""
    return checkpoints.read(stored, None if needed else "remove it, and verify what is left")


class _Reached(Exception):
    """A training in memory is where it was to go."""


class _Again(Keeper):
    """Takes one snapshot down in memory."""

    def __init__(self, at: int | None, ends_there: bool) -> None:
        self.at, self.ends_there = at, ends_there
        self.parts: dict[str, bytes] = {}  # nothing, where that step isn't reached
        self.steps = 0

    def wants(self, done: int, plan: Plan) -> bool:
        self.steps = done
        return done == self.at

    def keep(self, snapshot: Snapshot) -> None:
        self.parts = _parts(snapshot)
        if self.ends_there:
            raise _Reached


def _parts(snapshot: Snapshot) -> dict[str, bytes]:
    """The hash of each thing in a snapshot by its name, but for seconds and what observers other than ours remember."""
    numbers = {key: value for key, value in snapshot.numbers.items() if key != "observers"}
    curve = snapshot.numbers.get("observers", {}).get(f"{MetricsLog.__name__}-0", "")
    return _tensors(snapshot.tensors) | _numbers(numbers) | _rows(curve)


def _tensors(tensors: Mapping[str, Tensor]) -> dict[str, bytes]:
    found = {}
    for name, tensor in tensors.items():
        value = tensor.detach().cpu().contiguous()
        bits = value.reshape(-1).view(torch.uint8).numpy()
        found[name] = hashlib.sha256(f"{value.dtype} {list(value.shape)}\n".encode() + bits.tobytes()).digest()
    return found


def _numbers(numbers: Mapping[str, Any], under: str = "") -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for key, value in numbers.items():
        if isinstance(value, Mapping):
            found |= _numbers(value, f"{under}{key}.")
        elif key != "seconds":
            found[under + key] = hashlib.sha256(json.dumps(value).encode()).digest()
    return found


def _rows(curve: str) -> dict[str, bytes]:
    """The lines of metrics.csv without their seconds."""
    rows = list(csv.reader(curve.splitlines()))
    clock = rows[0].index("seconds") if rows and "seconds" in rows[0] else None
    return {
        f"{_CURVE} line {number}": hashlib.sha256(
            "\0".join(value for place, value in enumerate(row) if place != clock).encode()
        ).digest()
        for number, row in enumerate(rows, 1)
    }


def _resumed(
    directory: RunDirectory,
    previous: bool,
    force: bool,
    data: Data | None,
    model: Model | None,
    checkpoint_every: float,
    observers: Sequence[Observer],
    progress: Progress | None,
    tell: Tell,
    report: Tell,
    signals: FirstSignal,
) -> Run:
    stored = _chosen(Checkpoints(directory.path), previous)
    snapshot, facts = Checkpoints(directory.path).read(stored) if stored else (None, {})
    again = resume_command(directory.path)
    with _ready(directory, [facts] if stored else [], data, model, progress, tell, again) as ready:
        if ready.was.get("tensorboard"):
            TensorBoardLog.check()
        # Weights have no place in a network of other shapes.
        other = bool(facts) and facts.get("model") != facts_of(ready.recipe, ready.network)["model"]
        if ready.changes and (other or not force):
            mend = "or train anew" if other else "or go on all the same with --force"
            changes = "; ".join(ready.changes)
            raise RunError(f"run '{directory.path}' can't go on as it was: {changes}; put it back, {mend}")
        for change in ready.changes:
            tell(f"goes on all the same: {change}")
        recipe, dataset = ready.recipe, ready.dataset
        open_test = bool(ready.was.get("open_test", True))
        RunSize.of(recipe, ready.network, dataset, open_test=open_test, figures=False).refuse(directory.path)
        assert recipe.resolved is not None
        if dataset.checksum != recipe.resolved.data_checksum:
            resolved = {"data_checksum": dataset.checksum, "classes": dataset.classes}
            recipe = recipe.model_copy(update={"resolved": recipe.resolved.model_copy(update=resolved)})
            directory.write_recipe(recipe)
        if snapshot is None:
            tell(f"run '{directory.path}' has no checkpoint, so it begins anew")
        else:
            report(f"goes on after step {snapshot.done}")
            if any(line.startswith("optimizer.") and not line.startswith("optimizer.lr ") for line in ready.changes):
                tell("the optimizer begins anew: what it remembers is another one's")
                snapshot = snapshot.without("optimizer")
        for note in memory_notes(ready.network, dataset.train, recipe, ready.compute):
            tell(note)
        done = snapshot.done if snapshot else 0
        now = {"when": datetime.now(UTC).isoformat(timespec="seconds"), "step": done, **environment()}
        before = ready.was.get("resumed")
        resumed = [*(before if isinstance(before, list) else ()), now]
        noted = {"pictures": _pictures(dataset)} if "pictures" in ready.was else {}  # others than before, if forced
        directory.write_json("environment.json", {**ready.was, **noted, "resumed": resumed})
        logs = [TensorBoardLog(directory, after=done)] if ready.was.get("tensorboard") else []
        return train_in(
            *(directory, recipe, dataset, ready.network, ready.compute),
            model=model,
            open_test=open_test,
            observers=[*observers, *logs],
            checkpoint_every=checkpoint_every,
            tell=tell,
            signals=signals,
            start=snapshot,
        )


@dataclass(frozen=True)
class _Ready:
    """Everything that a run's training needs to take place once more, and what is no longer as it was."""

    recipe: Recipe
    dataset: Dataset
    network: nn.Module
    compute: Compute
    was: Mapping[str, Any]
    changes: Sequence[str]

    @property
    def normalization(self) -> Normalization:
        assert self.recipe.resolved is not None
        return Normalization(self.recipe.resolved.mean, self.recipe.resolved.std)


@contextmanager
def _ready(
    directory: RunDirectory,
    facts: Sequence[Mapping[str, Any]],
    data: Data | None,
    model: Model | None,
    progress: Progress | None,
    tell: Tell,
    again: str,
) -> Iterator[_Ready]:
    """Makes a run's training ready, with its own threads; `facts` are those of the checkpoints that it begins from or
    is compared with, and `again` is the command that is under way."""
    recipe = directory.read_recipe()
    assert recipe.resolved is not None
    refuse_foreign_code(recipe, model)
    if model is not None and recipe.model.factory is None:
        raise RecipeError("this run's network is a layer text, which it knows itself; leave --model out")
    was = _conditions(directory)
    compute = choose(was["device"], was["precision"])
    with _threads(was["threads"]):
        now = environment()
        for name in _BITS:
            if was.get(name) != now.get(name):
                tell(
                    f"{name} is {now.get(name)} and was {was.get(name)}: the last bits may differ from those of one "
                    "training"
                )
        if data is None and _is_gone(recipe.dataset.name):
            raise RunError(
                f"the pictures of run '{directory.path}' are no longer at '{recipe.dataset.name}'; say where they are "
                f"with: {again} --data FOLDER"
            )
        elsewhere = {"dataset.name": data_name(data)} if isinstance(data, str | Path) else {}
        source = open_data(recipe.changed(elsewhere), data)
        network = build(recipe, source.image_shape, len(source.classes), model)
        dataset = source.load(seed=recipe.train.seed, progress=progress)
        own = facts_of(recipe, network)
        changes = list(dict.fromkeys(line for each in facts for line in _changes(each, own)))
        if model is not None and code_name(model) != recipe.model.factory:
            changes.append(f"the network is {code_name(model)} and was {recipe.model.factory}")
        if dataset.checksum != recipe.resolved.data_checksum:
            known = _what_changed(directory, was, dataset)
            changes.append(f"data '{dataset.name}' has other pictures or labels{known}")
        yield _Ready(recipe, dataset, network, compute, was, changes)


def _is_gone(name: str) -> bool:
    """Whether that is a folder of pictures that is no longer there."""
    if name == "arrays" or name in catalogue:
        return False
    try:
        return not Path(name).expanduser().exists()
    except (OSError, RuntimeError):  # `open_data` tells it
        return False


def _pictures(dataset: Dataset) -> dict[str, int]:
    return {"train": len(dataset.train), "validation": len(dataset.validation or ())}


def _what_changed(directory: RunDirectory, was: Mapping[str, Any], dataset: Dataset) -> str:
    """All that the run has kept of its pictures: how many there were, and the names of those that it held out."""
    found = []
    now, before = _pictures(dataset), was.get("pictures")
    if isinstance(before, Mapping) and before.keys() == now.keys():
        other = [f"{now[part]} in {part} and {before.get(part)} before" for part in now if now[part] != before[part]]
        found.append(", ".join(other) or f"{now['train']} in train and {now['validation']} in validation, as before")
    try:
        held_out = directory.read_json("split.json")
    except RunError:
        held_out = {}
    splits = [split for split in (dataset.train, dataset.validation) if split is not None]
    there = {name for split in splits for name in split.names} | set(dataset.carved.get("test", ()))
    names = [name for part in PARTS for name in _list(held_out.get(part)) if isinstance(name, str)]
    gone = [name for name in names if name not in there]
    if gone:
        more = f" and {len(gone) - _SHOWN} more" if len(gone) > _SHOWN else ""
        found.append(f"gone: {', '.join(repr(name) for name in gone[:_SHOWN])}{more}")
    return f" ({'; '.join(found)})" if found else ""


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _conditions(directory: RunDirectory) -> dict[str, Any]:
    """What the run has noted of its machine. Raises RunError where that is not what a training writes."""
    was = directory.read_json("environment.json")
    for name, kind in (("device", str), ("precision", str), ("threads", int)):
        if not isinstance(was.get(name), kind) or not was[name]:
            raise RunError(f"'{directory.path / 'environment.json'}' has lost its {name}; train again")
    if not 1 <= was["threads"] <= _MOST_THREADS:  # torch would crash
        raise RunError(f"'{directory.path / 'environment.json'}' has {was['threads']} threads; train again")
    return was


def _chosen(checkpoints: Checkpoints, previous: bool) -> Stored | None:
    """The checkpoint to go on from; None to begin anew."""
    last = next(iter(checkpoints.stored()), None)
    if not previous:
        return last
    before = last and checkpoints.before(last)
    if before is None:
        raise RunError(f"'{checkpoints.folder}' has no checkpoint before the last; leave --previous out")
    return before


def _changes(was: Mapping[str, Any], now: Mapping[str, Any], under: str = "") -> list[str]:
    """What differs, one line each."""
    lines = []
    for key in sorted({*was, *now}):
        before, after = was.get(key), now.get(key)
        if isinstance(before, Mapping) and isinstance(after, Mapping):
            lines += _changes(before, after, f"{under}{key}.")
        elif before != after:
            lines.append(f"{under.removeprefix('recipe.')}{key} is {_shown(after)} and was {_shown(before)}")
    return lines


def _shown(value: Any) -> str:
    return "not there" if value is None else " | ".join(str(value).splitlines())


@contextmanager
def _threads(count: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
