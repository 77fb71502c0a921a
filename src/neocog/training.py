"""The training loop. `fit` is meant to be read: everything that happens in a step stands in it, in order."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from traceback import clear_frames
from typing import Any

import torch
from pydantic import BaseModel
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm, _NormBase

from neocog import memory
from neocog.curve import Curve, Plan, Point, Soundness
from neocog.data.augment import Augmentation
from neocog.data.batches import Batches, Normalization, class_weights
from neocog.data.dataset import Split
from neocog.device import Compute
from neocog.errors import DeviceError, RecipeError, RunError
from neocog.inference import logits_of
from neocog.optim import WeightAverage, build_optimizer, rate_factor, set_rate
from neocog.randomness import seed_shared, shared_kept
from neocog.recipe import Recipe
from neocog.snapshots import Snapshot, copied, found_under, put_state, put_tensors, put_weights, state_of, weights_of
from neocog.speed import fastest, keep_freed_memory


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
        """What a resumed training gives back to `remember`, as JSON can hold it; None for nothing.

        Whole numbers below 2**63 and less than 16 MB: a checkpoint that could not be read again is a RunError.
        """
        return None

    def remember(self, what: Any) -> None:
        """Called before `start` when a training goes on, with what `remembered` gave at that step."""


_TRIED = 3  # pictures from which the need of memory is found out: batch normalisation wants more than one


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
    Raises TrainingError when the loss is no longer a number, or the weights are none after the last step, and
    DeviceError when memory runs out.
    """
    keep_freed_memory()
    forward = fastest(model, compute)
    batches = _batches(training, recipe, normalization, compute)
    plan = _plan(recipe, batches.per_epoch, log_every)
    optimizer = build_optimizer(model, **_given(recipe.optimizer))
    factor = _factor(recipe, plan)
    weights = _class_weights(recipe, training, compute)
    average = WeightAverage(model, recipe.train.ema) if recipe.train.ema else None
    curve = Curve()
    state = _State(model, optimizer, average, curve, observers)
    first = 0 if start is None else state.put(start)
    if first > plan.total_steps:
        raise RunError(
            f"the checkpoint is of step {first}, and the training ends at {plan.total_steps}; let it be longer"
        )
    sound = Soundness(first, curve, state.fault, plan, factor, batches, weights, training.names, recipe, compute)

    with _memory_named(model, training, recipe, compute), _conditions(compute), _watched(observers, plan):
        model.train()
        for step, (x, labels) in zip(range(first, plan.total_steps), batches.from_step(first), strict=False):
            seed_shared(compute.device, recipe.train.seed, "dropout", step)
            set_rate(optimizer, factor(step=step))
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
                measures, measured = validation is not None and plan.measures_at(done), None
                with curve.paused():
                    sound.check(done, state=measures)
                    with average.applied() if average else nullcontext():
                        if validation is not None and measures:
                            measured = _measure(model, validation, normalization)
                            sound.check_measured(done, measured[0])
                        rate = float(optimizer.param_groups[0]["lr"])
                        _notify(observers, "point", curve.point(done, plan, rate, measured))
            if keeper is not None and keeper.wants(done, plan):
                with curve.paused():
                    sound.check(done)
                    keeper.keep(state.snapshot(done))
        sound.check(plan.total_steps)
        if average:
            average.copy_into_model()
    return Trained(plan.total_steps, plan.steps_per_epoch, curve.seconds())


def refuse_unfit(model: nn.Module, recipe: Recipe, classes: int) -> None:
    """Raises now each RecipeError that `fit` would raise once the data is read and the run has its directory."""
    build_optimizer(model, **_given(recipe.optimizer))
    _check_class_weights(recipe, classes)
    if recipe.loader.batch_size < _smallest_batch(model):
        raise RecipeError("loader.batch_size = 1: batch normalisation needs two pictures or more in a batch; give 2")


def memory_notes(model: nn.Module, training: Split, recipe: Recipe, compute: Compute) -> list[str]:
    """A remark where the memory that is free is likely too small for this training."""
    need, free = _need(model, training, recipe, compute), memory.free_memory(compute.device)
    if need is None or free is None:
        return []
    remark = memory.doubt(*_batch_and_shape(training, recipe), need, free, _smallest_batch(model))
    return [remark] if remark else []


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
        curve: Curve,
        observers: Sequence[Observer],
    ) -> None:
        self.model, self.optimizer, self.average, self.curve = model, optimizer, average, curve
        # Under the names of their classes, counted where there are several of one.
        names = [type(observer).__name__ for observer in observers]
        self.observers = {f"{name}-{names[:place].count(name)}": observers[place] for place, name in enumerate(names)}

    def tensors(self) -> Iterator[tuple[str, Tensor]]:
        """All that must stay finite, and what to call it.

        Buffers of the user's own are not among it: an infinite one may be what it should be, such as a mask.
        """
        for name, parameter in self.model.named_parameters():
            yield f"weights in '{name}'", parameter.detach()
        for name, module in self.model.named_modules():
            if isinstance(module, _NormBase):
                yield from ((f"statistics in '{name}.{key}'", value) for key, value in module.named_buffers())
        for key, value in state_of(self.optimizer).items():
            yield f"numbers that the optimizer remembers ('{key.partition('.')[2]}')", value
        if self.average:
            yield from (("averaged weights", value) for value in self.average.average)

    def fault(self) -> str | None:
        """What holds a number that isn't finite."""
        named = [(name, tensor) for name, tensor in self.tensors() if tensor.is_floating_point()]
        device = next(self.model.parameters()).device
        fine = torch.stack([torch.isfinite(tensor).all().to(device) for _, tensor in named])  # one wait for a GPU
        return None if bool(fine.all()) else named[fine.tolist().index(False)][0]

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
        try:
            return self._put(snapshot)
        except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
            what = " ".join(str(error).split()) or type(error).__name__
            raise RunError(f"the checkpoint holds what no training writes ({what}); train again") from None

    def _put(self, snapshot: Snapshot) -> int:
        put_weights(self.model, found_under(snapshot, "model"))
        put_state(self.optimizer, found_under(snapshot, "optimizer"))
        if self.average:
            torch._foreach_copy_(self.average.average, self.average.live)  # for a training that had no average before
            if kept := found_under(snapshot, "average"):
                put_tensors({str(place): value for place, value in enumerate(self.average.average)}, kept)
            self.average.updates = int(snapshot.numbers.get("updates", 0))
        device = next(self.model.parameters()).device
        sums = {name: value.to(device) for name, value in found_under(snapshot, "curve").items()}
        self.curve.put(sums, snapshot.numbers["curve"])
        for name, observer in self.observers.items():
            if (remembered := snapshot.numbers["observers"].get(name)) is not None:
                observer.remember(remembered)
        return snapshot.done


def _plan(recipe: Recipe, steps_per_epoch: int, log_every: int | None) -> Plan:
    epochs, iterations = recipe.train.epochs, recipe.train.iterations
    total = iterations if iterations is not None else max(1, round((epochs or 1) * steps_per_epoch))
    if recipe.published:  # a long training isn't measured at each epoch's end, where a lesson's log may have its lines
        log_every = recipe.published.every or steps_per_epoch
    return Plan(total, steps_per_epoch, log_every)


def _factor(recipe: Recipe, plan: Plan) -> Callable[..., float]:
    """What the schedule multiplies the rate by at a `step`, counted from 0."""
    schedule = _given(recipe.schedule)
    return partial(rate_factor, total_steps=plan.total_steps, steps_per_epoch=plan.steps_per_epoch, **schedule)


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


def _need(model: nn.Module, training: Split, recipe: Recipe, compute: Compute) -> memory.Need | None:
    """What the training needs, from a copy of the network on a CPU; None where that can't be found out."""
    if recipe.model.convolution == "loops":  # even two pictures take too long
        return None
    try:
        cpu = Compute(torch.device("cpu"), compute.precision)
        trial = copy.deepcopy(model).train()
        forward = fastest(trial, cpu)
        _, height, width, channels = training.images.shape
        with shared_kept(), torch.random.fork_rng(devices=[]), cpu.autocast():
            return memory.need_of(forward, trial, torch.zeros(_TRIED, channels, height, width, dtype=cpu.dtype))
    except Exception:  # a network that can't do this may train all the same
        return None


def _batch_and_shape(training: Split, recipe: Recipe) -> tuple[int, tuple[int, int, int]]:
    _, height, width, channels = training.images.shape
    return min(recipe.loader.batch_size, len(training)), (channels, height, width)


def _smallest_batch(model: nn.Module) -> int:
    return 2 if any(isinstance(module, _BatchNorm) for module in model.modules()) else 1


@contextmanager
def _memory_named(model: nn.Module, training: Split, recipe: Recipe, compute: Compute) -> Iterator[None]:
    """Running out of memory, on a CPU or a GPU, as a DeviceError that suggests another batch size."""
    free = memory.free_memory(compute.device)
    try:
        yield
    except Exception as error:
        if not memory.out_of_memory(error):
            raise
        clear_frames(error.__traceback__)  # which hold on to all that the step had computed
        need = _need(model, training, recipe, compute)
        batch, shape = _batch_and_shape(training, recipe)
        line = memory.refusal(batch, shape, compute.device, need, free, _smallest_batch(model))
        raise DeviceError(line) from None


@contextmanager
def _conditions(compute: Compute) -> Iterator[None]:
    """Torch set up for training, and all back as it was afterwards: random states, denormals."""
    with shared_kept(), torch.random.fork_rng(devices=[compute.device] if compute.device.type == "cuda" else []):
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
