"""A stopped training goes on: to the same bits as if it had never been stopped."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from neocog.checkpoint import EVERY, Checkpoints
from neocog.data import Progress
from neocog.device import choose, environment
from neocog.errors import RecipeError, RunError
from neocog.finished import Data, Run, Tell, data_name, open_data, warn
from neocog.insight import reporting
from neocog.logs import TensorBoardLog
from neocog.networks import Model, build, code_name, refuse_foreign_code
from neocog.run import RunDirectory
from neocog.snapshots import Snapshot
from neocog.training import Observer
from neocog.workflow import facts_of, train_in

# What the last bits may depend on besides the recipe and the threads.
_BITS = ("neocog", "torch", "cpu", "gpu", "numpy")


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
    and torch; the number of threads is the run's own. Without a checkpoint it begins anew.

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
    with directory.owned(tell):
        RunDirectory.unfinished(run)  # still: another process may have finished it a moment ago
        finished = _resumed(
            directory, previous, force, data, model, checkpoint_every, observers, progress, tell, report
        )
    if figures:
        reporting.look(finished, tell)
    return finished


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
) -> Run:
    recipe = directory.read_recipe()
    assert recipe.resolved is not None
    refuse_foreign_code(recipe, model)
    if model is not None and recipe.model.factory is None:
        raise RecipeError("this run's network is a layer text, which it knows itself; leave --model out")
    was = _conditions(directory)
    snapshot, facts = _chosen(Checkpoints(directory.path), previous)
    if was.get("tensorboard"):
        TensorBoardLog.check()
    compute = choose(was["device"], was["precision"])
    with _threads(was["threads"]):
        now = environment()
        for name in _BITS:
            if was.get(name) != now.get(name):
                tell(
                    f"{name} is {now.get(name)} and was {was.get(name)}: the last bits may differ from those of one "
                    "training"
                )
        elsewhere = {"dataset.name": data_name(data)} if isinstance(data, str | Path) else {}
        source = open_data(recipe.changed(elsewhere), data)
        network = build(recipe, source.image_shape, len(source.classes), model)
        dataset = source.load(seed=recipe.train.seed, progress=progress)
        own = facts_of(recipe, network)
        changes = _changes(facts, own) if facts else []
        if model is not None and code_name(model) != recipe.model.factory:
            changes.append(f"the network is {code_name(model)} and was {recipe.model.factory}")
        if dataset.checksum != recipe.resolved.data_checksum:
            changes.append(f"data '{dataset.name}' has other pictures or labels")
        # Weights have no place in a network of other shapes.
        other = bool(facts) and facts.get("model") != own["model"]
        if changes and (other or not force):
            mend = "or train anew" if other else "or go on all the same with --force"
            raise RunError(f"run '{directory.path}' can't go on as it was: {'; '.join(changes)}; put it back, {mend}")
        for change in changes:
            tell(f"goes on all the same: {change}")
        if dataset.checksum != recipe.resolved.data_checksum:
            resolved = {"data_checksum": dataset.checksum, "classes": dataset.classes}
            recipe = recipe.model_copy(update={"resolved": recipe.resolved.model_copy(update=resolved)})
            directory.write_recipe(recipe)
        if snapshot is None:
            tell("has no checkpoint, so it begins anew")
        else:
            report(f"goes on after step {snapshot.done}")
            if any(line.startswith("optimizer.") and not line.startswith("optimizer.lr ") for line in changes):
                tell("the optimizer begins anew: what it remembers is another one's")
                snapshot = snapshot.without("optimizer")
        done = snapshot.done if snapshot else 0
        logs = [TensorBoardLog(directory, after=done)] if was.get("tensorboard") else []
        return train_in(
            *(directory, recipe, dataset, network, compute),
            model=model,
            open_test=bool(was.get("open_test", True)),
            observers=[*observers, *logs],
            checkpoint_every=checkpoint_every,
            tell=tell,
            start=snapshot,
        )


def _conditions(directory: RunDirectory) -> dict[str, Any]:
    """What the run has noted of its machine. Raises RunError where that is not what a training writes."""
    was = directory.read_json("environment.json")
    for name, kind in (("device", str), ("precision", str), ("threads", int)):
        if not isinstance(was.get(name), kind) or not was[name]:
            raise RunError(f"'{directory.path / 'environment.json'}' has lost its {name}; train again")
    return was


def _chosen(checkpoints: Checkpoints, previous: bool) -> tuple[Snapshot | None, Mapping[str, Any]]:
    """The snapshot to go on from with what it belongs to; None to begin anew."""
    stored = checkpoints.stored()
    if previous and len(stored) < 2:
        raise RunError(f"'{checkpoints.folder}' has no checkpoint before the last; leave --previous out")
    if not stored:
        return None, {}
    return checkpoints.read(stored[1 if previous else 0])


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
