"""The learning curve: when it has a point, what a point holds, the sums between two, and where it ends in no number."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import MISSING, dataclass, fields
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neocog.data.batches import Batches
from neocog.device import Compute
from neocog.errors import TrainingError
from neocog.recipe import Recipe

_POINTS = 100  # about how many times a run reports its training loss
_MEASUREMENTS = 20  # at most how many times it measures itself on the validation part
_MODEST = 0.1  # a rate that is tried where the one given is beyond all reason
_NAMED = 3  # how many pictures of a batch an error names


@dataclass(frozen=True)
class Plan:
    """How long a training is, and when it reports and measures itself."""

    total_steps: int
    steps_per_epoch: int
    log_every: int | None = None  # a published recipe's log has a line so often, and needs a point at each

    def measures_at(self, done: int) -> bool:
        """Whether the validation part is looked at after so many steps: at epoch ends, but not too often."""
        every = self.steps_per_epoch * math.ceil(self.total_steps / self.steps_per_epoch / _MEASUREMENTS)
        return done % every == 0 or done == self.total_steps

    def reports_at(self, done: int) -> bool:
        """Whether there is a point of the learning curve after so many steps."""
        logged = self.log_every is not None and done % self.log_every == 0
        return logged or done % math.ceil(self.total_steps / _POINTS) == 0 or self.measures_at(done)


@dataclass(frozen=True)
class Point:
    """A point of the learning curve; training figures are means since the point before, or of the last batch."""

    step: int  # steps done
    epoch: float
    seconds: float  # of training; measuring and what observers do with a point are not counted
    rate: float
    train_loss: float
    train_accuracy: float
    validation_loss: float | None = None
    validation_accuracy: float | None = None
    batch_loss: float | None = None
    batch_accuracy: float | None = None


def columns(text: str) -> dict[str, np.ndarray[Any, Any]]:
    """The points that metrics.csv has as text: for each field of `Point` its values, nan where there are none.

    Raises ValueError naming what is wrong with the text.
    """
    if not text.endswith("\n"):
        raise ValueError("its end is missing" if text else "it is empty")
    head, *rows = [line.split(",") for line in text.splitlines()]  # names and numbers, nothing between quotes
    for field in fields(Point):
        if field.default is MISSING and field.name not in head:
            raise ValueError(f"it has no column {field.name}")
    if not rows:
        raise ValueError("it has no points")
    for place, row in enumerate(rows):  # all of them before memory is taken for as many
        if len(row) != len(head):
            raise ValueError(f"line {place + 2} has {len(row)} values, not {len(head)}")
    found = {field.name: np.full(len(rows), math.nan) for field in fields(Point)}
    found |= {name: np.empty(len(rows)) for name in head}
    optional = {field.name for field in fields(Point) if field.default is not MISSING}
    for place, row in enumerate(rows):
        for name, value in zip(head, row, strict=True):
            try:
                found[name][place] = math.nan if name in optional and not value else float(value)
            except ValueError:
                raise ValueError(f"line {place + 2}: {name} is '{value}', which is no number") from None
    return found


class Curve:
    """Sums since the last point, kept on the device so that no step waits for a number."""

    def __init__(self) -> None:
        self.began = time.perf_counter()
        self.stopped: float | None = None
        self.losses: list[Tensor] = []
        self.correct: list[Tensor] = []
        self.seen = self.batch = 0

    def add(self, loss: Tensor, logits: Tensor, labels: Tensor) -> None:
        self.losses.append(loss.detach())
        self.correct.append((logits.detach().argmax(1) == labels).sum())
        self.batch = len(labels)
        self.seen += self.batch

    @contextmanager
    def paused(self) -> Iterator[None]:
        """The clock stands still: measuring is not training, nor is what observers do with a point."""
        if self.losses:
            self.losses[-1].item()  # a GPU works behind our back: let it finish what belongs to training
        self.stopped = time.perf_counter()
        try:
            yield
        finally:
            self.began += time.perf_counter() - self.stopped
            self.stopped = None

    def seconds(self) -> float:
        return (time.perf_counter() if self.stopped is None else self.stopped) - self.began

    def fault(self, done: int) -> tuple[int, float] | None:
        """The first step since the last point whose loss is infinite or not a number, and that loss."""
        losses = torch.stack(self.losses).tolist() if self.losses else []
        steps = enumerate(losses, done - len(losses) + 1)
        return next(((step, loss) for step, loss in steps if not math.isfinite(loss)), None)

    def tensors(self) -> dict[str, Tensor]:
        """The sums, as one tensor each; none just after a point."""
        return {"losses": torch.stack(self.losses), "correct": torch.stack(self.correct)} if self.losses else {}

    def numbers(self) -> dict[str, float]:
        return {"seen": self.seen, "batch": self.batch, "seconds": self.seconds()}

    def put(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Goes on with these sums; the clock, too."""
        self.losses, self.correct = (list(tensors[key]) if key in tensors else [] for key in ("losses", "correct"))
        self.seen, self.batch = int(numbers["seen"]), int(numbers["batch"])
        self.began = time.perf_counter() - float(numbers["seconds"])

    def point(self, done: int, plan: Plan, rate: float, measured: tuple[float, float] | None) -> Point:
        """The point after so many steps, where the sums begin anew."""
        losses = torch.stack(self.losses).tolist()
        correct = torch.stack(self.correct).tolist()
        seen, self.losses, self.correct, self.seen = self.seen, [], [], 0
        return Point(
            step=done,
            epoch=done / plan.steps_per_epoch,
            seconds=self.seconds(),
            rate=rate,
            train_loss=sum(losses) / len(losses),
            train_accuracy=sum(correct) / seen,
            validation_loss=measured[0] if measured else None,
            validation_accuracy=measured[1] if measured else None,
            batch_loss=losses[-1],
            batch_accuracy=correct[-1] / self.batch,
        )


class Soundness:
    """Stops a training that has come to numbers that are not finite, and says where and what may help."""

    def __init__(
        self,
        first: int,  # the steps that were done before, after which all was finite
        curve: Curve,
        spoilt: Callable[[], str | None],  # what else holds a number that isn't finite
        plan: Plan,
        factor: Callable[..., float],  # what the schedule multiplies the rate by, at a `step` counted from 0
        batches: Batches,
        class_weights: Tensor | None,
        names: Sequence[str],
        recipe: Recipe,
        compute: Compute,
    ) -> None:
        self.fine, self.curve, self.spoilt, self.plan, self.batches = first, curve, spoilt, plan, batches
        self.factor, self.class_weights, self.names = factor, class_weights, names
        self.full = recipe.optimizer.lr
        self.precise = " or --precision float32" if compute.precision == "bf16" else ""

    def check(self, done: int, *, state: bool = True) -> None:
        """Raises TrainingError for a loss since the last point; with `state`, for what the last step left, too."""
        if (fault := self.curve.fault(done)) is not None:
            step, loss = fault
            raise TrainingError(f"the loss {self._told(step, loss)}")
        if not state:
            return
        if (spoilt := self.spoilt()) is not None:
            where = self._where(done) if done - self.fine <= 1 else self._among(self.fine + 1, done)
            raise TrainingError(f"{spoilt} are infinite or nan after {where}; {self._mend()}")
        self.fine = done

    def check_measured(self, done: int, loss: float) -> None:
        """Raises TrainingError for a loss on validation pictures that is infinite or not a number."""
        if not math.isfinite(loss):
            now = f"step {done} of {self.plan.total_steps} (optimizer.lr = {self.full:g})"
            raise TrainingError(f"the loss on validation pictures is {loss} after {now}; {self._mend()}")

    def _told(self, step: int, loss: float) -> str:
        where = f"{loss} at {self._where(step)}"
        if self.class_weights is not None and not self.class_weights[self._labels(step)].any():
            return (
                f"became {where}: all pictures of this batch are of classes with loss.class_weights of 0, so there is "
                "nothing to take a mean of; give them a weight above 0, or take a larger loader.batch_size"
            )
        if step == 1:
            return (
                f"is {where}, before anything was learned: the network's first answers are not finite, or far too "
                f"large; no other rate helps, but other layers or first weights{self.precise}"
            )
        return f"became {where}; {self._mend()}"

    def _where(self, step: int) -> str:
        now, plan = self.full * self.factor(step=step - 1), self.plan
        rate = f"optimizer.lr = {self.full:g}" + (f", at this step {now:g}" if now != self.full else "")
        epoch, batch = divmod(step - 1, plan.steps_per_epoch)
        place = f"batch {batch + 1} of {plan.steps_per_epoch} in epoch {epoch + 1}"
        chosen = self.batches.places(step - 1).tolist()
        if names := [f"'{name}'" for number in chosen[:_NAMED] if (name := self.names[number])]:
            more = f" and {len(chosen) - len(names)} more" if len(chosen) > len(names) else ""
            place += f": {', '.join(names)}{more}"
        return f"step {step} of {plan.total_steps} ({rate}; {place})"

    def _among(self, first: int, last: int) -> str:
        # A ReLU makes 0 of a nan, so no loss told, and which of these steps and batches it was nobody knows.
        steps = f"since one of the steps {first} to {last}"
        return f"step {last} of {self.plan.total_steps}, {steps} (optimizer.lr = {self.full:g})"

    def _labels(self, step: int) -> Tensor:
        return self.batches.labels[self.batches.places(step - 1).to(self.batches.labels.device)]

    def _mend(self) -> str:
        smaller = min(self.full / 10, _MODEST)  # a tenth of 1e30 would come to the same once more
        return (
            "resuming would come to the same, so train anew with a smaller rate, such as "
            f"--set optimizer.lr={smaller:.1g}{self.precise}; `neocog lr-find` looks for one"
        )
