"""A stretch of a run is trained once more, and every bit of it compared with what the run has kept."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch import Tensor

from neocog.checkpoint import Checkpoints, Stored, resume_command
from neocog.conditions import restored
from neocog.curve import Plan
from neocog.data import Progress
from neocog.device import environment
from neocog.errors import RunError
from neocog.finished import Data, Tell, warn
from neocog.logs import MetricsLog
from neocog.networks import Model
from neocog.run import RunDirectory
from neocog.snapshots import Snapshot
from neocog.statistics.verification import Verification, compared_of
from neocog.training import Keeper, Observer, fit

_CURVE = "metrics.csv"


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
        command = f"{resume_command(place)} --verify"
        with restored(directory, [facts for _, facts in read], data, model, progress, tell, command) as ready:
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
