"""The training loop. `fit` is meant to be read: everything that happens in a step stands in it, in order."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

from neocog.data.augment import Augmentation
from neocog.data.batches import Batches, Normalization, class_weights
from neocog.data.dataset import Split
from neocog.device import Compute
from neocog.errors import RecipeError, TrainingError
from neocog.inference import logits_of
from neocog.optim import WeightAverage, build_optimizer, rate_factor, set_rate
from neocog.randomness import seed_torch
from neocog.recipe import Recipe
from neocog.snapshots import Snapshot, copied, found_under, put_state, put_weights, state_of, weights_of
from neocog.speed import fastest, keep_freed_memory

_POINTS = 100  # about how many times a run reports its training loss
_MEASUREMENTS = 20  # at most how many times it measures itself on the validation part


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


@dataclass(frozen=True)
class Trained:
    """What a finished training took; the seconds leave out the same as those of a `Point`."""

    steps: int
    steps_per_epoch: int
    seconds: float


class Observer:
    """Something that watches a run. Each method does nothing unless a subclass says otherwise.

    The order is always: `start` once, then `step` after each step with `point` after some of them, then `end` once,
    also when training stops early. The clock of training runs during `step`, and stands still during `point`.
    """

    def start(self, plan: Plan) -> None:
        """Training is about to begin."""

    def step(self, done: int) -> None:
        """A step is done."""

    def point(self, point: Point) -> None:
        """A point of the learning curve is known; the model holds the weights that are measured, averaged or not."""

    def end(self) -> None:
        """Training is over."""

    def remembered(self) -> Any:
        """What a resumed training gives back to `remember`, as JSON can hold it; None for nothing."""
        return None

    def remember(self, what: Any) -> None:
        """Called before `start` when a training goes on, with what `remembered` gave at that step."""


def fit(
    model: nn.Module,
    training: Split,
    recipe: Recipe,
    normalization: Normalization,
    compute: Compute,
    validation: Split | None = None,
    observers: Sequence[Observer] = (),
    *,
    log_every: int | None = None,
    keeper: Keeper | None = None,
    start: Snapshot | None = None,
) -> Trained:
    """Trains `model` in place, as the recipe says.

    The model is moved to the device. On a CPU the same seed and number of threads give the same weights, bit for bit.
    `log_every` asks for a point of the curve at each multiple of so many steps, too. `keeper` gets a snapshot when it
    wants one, and `start` is one to go on from: the bits at the end are those of a training that was never stopped.
    Raises TrainingError when the loss is no longer a number.
    """
    keep_freed_memory()
    forward = fastest(model, compute)
    batches = _batches(training, recipe, normalization, compute)
    plan = _plan(recipe, batches.per_epoch, log_every)
    optimizer = build_optimizer(model, **_given(recipe.optimizer))
    schedule = _given(recipe.schedule)
    weights = _class_weights(recipe, training, compute)
    average = WeightAverage(model, recipe.train.ema) if recipe.train.ema else None
    curve = _Curve()
    state = _State(model, optimizer, average, curve, observers)
    first = 0 if start is None else state.put(start)

    with _conditions(compute), _watched(observers, plan):
        model.train()
        for step, (x, labels) in zip(range(first, plan.total_steps), batches.from_step(first), strict=False):
            seed_torch(compute.device, recipe.train.seed, "dropout", step)
            set_rate(
                optimizer,
                rate_factor(step=step, total_steps=plan.total_steps, steps_per_epoch=plan.steps_per_epoch, **schedule),
            )
            with compute.autocast():
                logits = forward(x.to(compute.dtype))
            loss = functional.cross_entropy(
                logits.to(compute.dtype), labels, weights, label_smoothing=recipe.loss.label_smoothing
            )
            optimizer.zero_grad()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            if average:
                average.update()

            done = step + 1
            curve.add(loss, logits, labels)
            _notify(observers, "step", done)
            if plan.reports_at(done):
                measured = None
                with curve.paused(), average.applied() if average else nullcontext():
                    if validation is not None and plan.measures_at(done):
                        measured = _measure(model, validation, normalization)
                    _notify(observers, "point", curve.point(done, plan, optimizer, measured))
            if keeper is not None and keeper.wants(done, plan):
                with curve.paused():
                    curve.refuse_no_number(done, plan, optimizer)
                    if state.is_finite():  # or else the next loss says what is wrong
                        keeper.keep(state.snapshot(done))
        if average:
            average.copy_into_model()
    return Trained(plan.total_steps, plan.steps_per_epoch, curve.seconds())


def refuse_unfit(model: nn.Module, recipe: Recipe, classes: int) -> None:
    """Raises now each RecipeError that `fit` would raise once the data is read and the run has its directory."""
    build_optimizer(model, **_given(recipe.optimizer))
    _check_class_weights(recipe, classes)
    if recipe.loader.batch_size == 1 and any(isinstance(module, _BatchNorm) for module in model.modules()):
        raise RecipeError("loader.batch_size = 1: batch normalisation needs two pictures or more in a batch; give 2")


class Keeper:
    """Keeps snapshots of a training. Each method does nothing unless a subclass says otherwise."""

    def wants(self, done: int, plan: Plan) -> bool:
        """Asked after each step: whether a snapshot is to be made now."""
        return False

    def keep(self, snapshot: Snapshot) -> None:
        """A snapshot, whose tensors are copies; the clock of training stands still. What this raises stops it."""


class _State:
    """What changes from step to step, taken down and put back."""

    def __init__(
        self,
        model: nn.Module,
        optimizer: torch.optim.Optimizer,
        average: WeightAverage | None,
        curve: _Curve,
        observers: Sequence[Observer],
    ) -> None:
        self.model, self.optimizer, self.average, self.curve = model, optimizer, average, curve
        # Under the names of their classes, counted where there are several of one.
        names = [type(observer).__name__ for observer in observers]
        self.observers = {f"{name}-{names[:place].count(name)}": observers[place] for place, name in enumerate(names)}

    def is_finite(self) -> bool:
        """Whether every parameter is a number; a loss is computed before the step that may have spoiled them."""
        return all(bool(torch.isfinite(parameter).all()) for parameter in self.model.parameters())

    def snapshot(self, done: int) -> Snapshot:
        tensors = copied(weights_of(self.model), "model") | copied(state_of(self.optimizer), "optimizer")
        numbers: dict[str, Any] = {"curve": self.curve.numbers(), "observers": {}}
        if self.average:
            tensors |= copied({str(place): value for place, value in enumerate(self.average.average)}, "average")
            numbers["updates"] = self.average.updates
        for name, observer in self.observers.items():
            if (remembered := observer.remembered()) is not None:
                numbers["observers"][name] = remembered
        return Snapshot(done, tensors | copied(self.curve.tensors(), "curve"), numbers)

    def put(self, snapshot: Snapshot) -> int:
        put_weights(self.model, found_under(snapshot, "model"))
        put_state(self.optimizer, found_under(snapshot, "optimizer"))
        if self.average:
            torch._foreach_copy_(self.average.average, self.average.live)  # for a training that had no average before
            for name, value in found_under(snapshot, "average").items():
                self.average.average[int(name)].copy_(value)
            self.average.updates = snapshot.numbers.get("updates", 0)
        device = next(self.model.parameters()).device
        sums = {name: value.to(device) for name, value in found_under(snapshot, "curve").items()}
        self.curve.put(sums, snapshot.numbers["curve"])
        for name, observer in self.observers.items():
            if (remembered := snapshot.numbers["observers"].get(name)) is not None:
                observer.remember(remembered)
        return snapshot.done


class _Curve:
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

    def refuse_no_number(self, done: int, plan: Plan, optimizer: torch.optim.Optimizer) -> None:
        """Raises TrainingError when a loss since the last point is infinite or not a number."""
        losses = torch.stack(self.losses).tolist() if self.losses else []
        full = float(optimizer.param_groups[0]["initial_lr"])
        for step, loss in enumerate(losses, done - len(losses) + 1):
            if not math.isfinite(loss):
                raise TrainingError(
                    f"the loss became {loss} at step {step} of {plan.total_steps} (optimizer.lr = {full:g}); "
                    f"try a smaller rate, such as --set optimizer.lr={full / 10:.1g}"
                )

    def tensors(self) -> dict[str, Tensor]:
        """The sums, as one tensor each; none just after a point."""
        return {"losses": torch.stack(self.losses), "correct": torch.stack(self.correct)} if self.losses else {}

    def numbers(self) -> dict[str, float]:
        return {"seen": self.seen, "batch": self.batch, "seconds": self.seconds()}

    def put(self, tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> None:
        """Goes on with these sums; the clock, too."""
        self.losses, self.correct = (list(tensors[key]) if key in tensors else [] for key in ("losses", "correct"))
        self.seen, self.batch = numbers["seen"], numbers["batch"]
        self.began = time.perf_counter() - numbers["seconds"]

    def point(
        self, done: int, plan: Plan, optimizer: torch.optim.Optimizer, measured: tuple[float, float] | None
    ) -> Point:
        self.refuse_no_number(done, plan, optimizer)
        losses = torch.stack(self.losses).tolist()
        rate = float(optimizer.param_groups[0]["lr"])
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


def _plan(recipe: Recipe, steps_per_epoch: int, log_every: int | None) -> Plan:
    epochs, iterations = recipe.train.epochs, recipe.train.iterations
    total = iterations if iterations is not None else max(1, round((epochs or 1) * steps_per_epoch))
    if recipe.published:  # a long training isn't measured at each epoch's end, where a lesson's log may have its lines
        log_every = recipe.published.every or steps_per_epoch
    return Plan(total, steps_per_epoch, log_every)


def _batches(training: Split, recipe: Recipe, normalization: Normalization, compute: Compute) -> Batches:
    return Batches(
        images=_resident(training.images, compute),
        labels=_resident(training.labels, compute),
        batch_size=recipe.loader.batch_size,
        seed=recipe.train.seed,
        normalization=normalization,
        augmentation=Augmentation(**recipe.dataset.augment.model_dump()),
        shuffle=recipe.loader.shuffle,
        device=compute.device,
    )


def _resident(tensor: Tensor, compute: Compute) -> Tensor:
    """The data on the device, unless that would take more than half of a GPU's free memory."""
    if compute.device.type == "cuda" and 2 * tensor.nbytes > torch.cuda.mem_get_info(compute.device)[0]:
        return tensor
    return tensor.to(compute.device)


def _class_weights(recipe: Recipe, training: Split, compute: Compute) -> Tensor | None:
    wanted, classes = recipe.loss.class_weights, len(recipe.resolved.classes if recipe.resolved else ())
    if wanted == "none":
        return None
    if wanted == "balanced":
        wanted = tuple(class_weights(training.labels, classes))
    _check_class_weights(recipe, classes)
    return torch.tensor(wanted, dtype=compute.dtype, device=compute.device)


def _check_class_weights(recipe: Recipe, classes: int) -> None:
    wanted = recipe.loss.class_weights
    if isinstance(wanted, str):
        return
    if len(wanted) != classes:
        raise RecipeError(f"loss.class_weights has {len(wanted)} numbers but the data has {classes} classes")
    if not any(wanted):
        raise RecipeError("loss.class_weights are all 0, so nothing would be learned; give one class a weight above 0")


def _measure(model: nn.Module, split: Split, normalization: Normalization) -> tuple[float, float]:
    """Mean cross-entropy and accuracy."""
    logits = logits_of(model, split.images, normalization)
    loss = float(functional.cross_entropy(logits, split.labels))
    return loss, float((logits.argmax(1) == split.labels).double().mean())


@contextmanager
def _conditions(compute: Compute) -> Iterator[None]:
    """Torch set up for training, and back as it was afterwards: random state, denormals."""
    with torch.random.fork_rng(devices=[compute.device] if compute.device.type == "cuda" else []):
        tiny = torch.tensor(1e-310, dtype=torch.float64)
        flushed = float(tiny + tiny) == 0  # torch has no function that tells
        torch.set_flush_denormal(True)
        try:
            yield
        finally:
            torch.set_flush_denormal(flushed)


@contextmanager
def _watched(observers: Sequence[Observer], plan: Plan) -> Iterator[None]:
    started: list[Observer] = []
    try:
        for observer in observers:
            started.append(observer)
            observer.start(plan)
        yield
    finally:
        _notify(started, "end")


def _notify(observers: Sequence[Observer], event: str, *what: Any) -> None:
    for observer in observers:
        getattr(observer, event)(*what)


def _given(step: BaseModel) -> dict[str, Any]:
    """The values of a recipe step that are set."""
    return step.model_dump(exclude_none=True)
