"""A stopped training goes on: to the same bits as if it had never been stopped."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from neocog.checkpoint import EVERY, Checkpoints, RunSize, Stored, resume_command
from neocog.conditions import restored
from neocog.data import Progress
from neocog.device import environment
from neocog.errors import RunError
from neocog.finished import Data, Run, Tell, warn
from neocog.insight import reporting
from neocog.logs import TensorBoardLog
from neocog.networks import Model
from neocog.run import RunDirectory
from neocog.stopping import FirstSignal, heeding
from neocog.training import Observer, memory_notes
from neocog.workflow import facts_of, pictures_of, stops_at_once, train_in


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
    with restored(directory, [facts] if stored else [], data, model, progress, tell, again) as ready:
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
        noted = {"pictures": pictures_of(dataset)} if "pictures" in ready.was else {}  # others than before, if forced
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


def _chosen(checkpoints: Checkpoints, previous: bool) -> Stored | None:
    """The checkpoint to go on from; None to begin anew."""
    last = next(iter(checkpoints.stored()), None)
    if not previous:
        return last
    before = last and checkpoints.before(last)
    if before is None:
        raise RunError(f"'{checkpoints.folder}' has no checkpoint before the last; leave --previous out")
    return before
