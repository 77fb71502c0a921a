"""The tables of a recipe: one class a step, what is published of it, and what a run finds out about its data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from neocog.errors import unknown
from neocog.ops import METHODS

# What each algorithm listens to besides its name; a key that it doesn't know is refused, never ignored.
OPTIMIZERS: dict[str, tuple[str, ...]] = {
    "sgd": ("lr", "momentum", "nesterov", "weight_decay"),
    "adam": ("lr", "betas", "eps", "weight_decay"),
    "adamw": ("lr", "betas", "eps", "weight_decay"),
    "adadelta": ("lr", "rho", "eps", "weight_decay"),
    "muon": ("lr", "momentum", "nesterov", "betas", "eps", "other_lr", "weight_decay"),
}
SCHEDULES: dict[str, tuple[str, ...]] = {
    "constant": (),
    "step": ("gamma", "step_epochs"),
    "cosine": ("warmup", "start", "end"),
    "linear": ("warmup", "start", "end"),
    "one-cycle": ("warmup", "start", "end"),
    "exponential": ("start", "end"),
}
CONVOLUTIONS = ("torch", *METHODS)

Carve = Literal["auto"] | Annotated[int, Field(strict=True, ge=0)] | Annotated[float, Field(ge=0, lt=1)]
Size = Annotated[int, Field(ge=1)]
Beta = Annotated[float, Field(ge=0, lt=1)]


class Step(BaseModel):
    """A table of the recipe; unknown keys are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=(), allow_inf_nan=False)


class Augment(Step):
    """Random changes of the training pictures, drawn anew for each picture at each step."""

    shift: float = Field(0, ge=0, description="up to so many pixels along each axis")
    rotate: float = Field(0, ge=0, le=180, description="up to so many degrees either way")
    scale: float = Field(0, ge=0, lt=1, description="up to this share larger or smaller, height and width each")
    shear: float = Field(0, ge=0, le=45, description="up to so many degrees either way")
    flip: bool = Field(False, description="mirrored left to right half of the time")
    crop: float = Field(0, ge=0, lt=1, description="up to this share of the side cut away, the rest enlarged")
    erase: float = Field(0, ge=0, lt=1, description="a square of up to this share of the side set to the mean")
    elastic: float = Field(0, ge=0, description="smooth distortion of about so many pixels (Simard et al., 2003)")


class DatasetStep(Step):
    """Step 1: the pictures, how they are prepared, and what is held out."""

    name: str = Field("mnist", description="a name from `neocog data list`, or a folder")
    validation: Carve = Field("auto", description="held out of the training part: a count, a share, or auto")
    test: Carve = Field("auto", description="held out where the data has no test part of its own")
    image_size: Size | tuple[Size, Size] | None = Field(None, description="height and width, or one number for both")
    resize: Literal["crop", "letterbox", "stretch"] = "crop"
    color: Literal["auto", "grey", "rgb"] = "auto"
    background: str = Field("white", description="the colour under transparency and letterbox bars")
    normalize: bool = Field(True, description="to mean 0 and deviation 1 over the training part, channel by channel")
    augment: Augment = Field(default_factory=Augment)


class LoaderStep(Step):
    """Step 2: batches."""

    batch_size: int = Field(128, ge=1)
    shuffle: bool = True


class ModelStep(Step):
    """Steps 3 and 4: the network, as a layer text or as a callable of the user's own."""

    layers: str | None = None
    factory: str | None = Field(None, description="module:factory, called with (in_channels, classes)")
    init: Literal["torch", "kaiming", "xavier", "normal"] = Field(
        "torch", description="the first weights of convolutions and linear layers"
    )
    convolution: str = Field("torch", description="what computes the convolutions: torch, or a method of neocog.ops")

    @field_validator("convolution")
    @classmethod
    def _known(cls, method: str) -> str:
        if method not in CONVOLUTIONS:
            raise ValueError(f"model.convolution: {unknown('value', method, CONVOLUTIONS)}")
        return method

    @model_validator(mode="after")
    def _one_of_two(self) -> ModelStep:
        if (self.layers is None) == (self.factory is None):
            raise ValueError("give either model.layers or model.factory")
        return self


class LossStep(Step):
    """Step 5: cross-entropy."""

    label_smoothing: float = Field(0, ge=0, lt=1)
    class_weights: Literal["none", "balanced"] | tuple[Annotated[float, Field(ge=0)], ...] = "none"


class OptimizerStep(Step):
    """Step 6: how a gradient moves the weights."""

    name: Literal["sgd", "adam", "adamw", "adadelta", "muon"] = "adam"
    lr: float = Field(0.001, gt=0)
    momentum: float | None = Field(None, ge=0, lt=1)
    nesterov: bool | None = None
    betas: tuple[Beta, Beta] | None = None
    rho: float | None = Field(None, ge=0, le=1)
    eps: float | None = Field(None, gt=0)
    other_lr: float | None = Field(None, gt=0, description="muon: the rate of its AdamW part")
    weight_decay: float | None = Field(None, ge=0)

    @model_validator(mode="after")
    def _only_its_own_keys(self) -> OptimizerStep:
        _refuse_foreign(self, "optimizer", OPTIMIZERS)
        return self


class ScheduleStep(Step):
    """Step 6, too: the learning rate over time."""

    name: Literal["constant", "step", "cosine", "linear", "one-cycle", "exponential"] = "constant"
    warmup: float | None = Field(None, ge=0, le=1, description="the share of the steps on the way up")
    start: float | None = Field(None, ge=0, le=1, description="the first rate as a share of optimizer.lr")
    end: float | None = Field(None, ge=0, le=1, description="the last rate as a share of optimizer.lr")
    gamma: float | None = Field(None, gt=0, le=1)
    step_epochs: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _only_its_own_keys(self) -> ScheduleStep:
        _refuse_foreign(self, "schedule", SCHEDULES)
        for key in ("start", "end"):
            if self.name == "exponential" and getattr(self, key) == 0:
                raise ValueError(f"schedule.{key} = 0: no constant ratio leads to 0; give a small share, such as 1e-4")
        return self


class TrainStep(Step):
    """Step 7: how long, where, and from which seed."""

    epochs: float | None = Field(None, gt=0)
    iterations: int | None = Field(None, ge=1, description="optimizer steps, whatever the size of the data")
    seed: int = Field(0, ge=0)
    device: str = "auto"
    precision: Literal["auto", "float64", "float32", "bf16"] = "auto"
    ema: float | None = Field(None, gt=0, lt=1, description="decay of an average of the weights, used at the end")

    @model_validator(mode="after")
    def _one_length(self) -> TrainStep:
        if (self.epochs is None) == (self.iterations is None):
            raise ValueError("give either train.epochs or train.iterations")
        return self


class Published(Step):
    """What a lesson reports of this recipe, how it measured that, and what is wrong with it.

    A run of such a recipe measures itself in the same way, beside neocog's own; `neocog reproduce` holds our seeds
    against the figures. Accuracies are shares from 0 to 1.
    """

    source: str = Field(min_length=1)
    faults: tuple[str, ...] = Field((), description="each in one line")
    twin: str | None = Field(None, description="the recipe that mends them")
    accuracy: float | None = Field(None, ge=0, le=1, description="what the lesson calls test accuracy")
    at_least: bool = Field(False, description="the lesson only says that it is more than `accuracy`")
    part: Literal["test", "train"] = Field("test", description="the pictures that it was measured on")
    dropout: bool = Field(False, description="dropout stays on while it is measured")
    train_accuracy: bool = Field(False, description="the lesson measures the training part, too")
    every: int | None = Field(None, ge=1, description="steps between two lines of its log; epochs unless given")
    losses: tuple[float, ...] = Field((), description="its log")
    loss: Literal["batch", "mean"] = Field("mean", description="of the last batch, or since the line before")
    accuracies: tuple[float, ...] = Field((), description="its log, cut to whole per cent")
    batch_accuracies: tuple[float, float] | None = Field(None, description="lowest and highest, of the last batches …")
    batch_epochs: tuple[int, int] | None = Field(None, description="… of these epochs, counted from 0")
    meter: bool = Field(False, description="the accuracy on the test part is measured at each line of the log")
    seconds_per_epoch: float | None = Field(None, gt=0)
    changed: tuple[str, ...] | None = Field(None, description="keys in which it is no longer the lesson's")


class Resolved(Step):
    """What training found out about its data: all that a prediction needs besides the weights."""

    classes: tuple[str, ...]
    image_shape: tuple[int, int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    brightness: tuple[float, float] = Field(
        (0, 1), description="means of the darkest and the brightest picture, 0 to 1"
    )
    data_checksum: str
    neocog: str


def _refuse_foreign(step: Step, table: str, known: Mapping[str, tuple[str, ...]]) -> None:
    name: str = getattr(step, "name")  # noqa: B009 - Step itself has no name
    own = known[name]
    for key in type(step).model_fields:
        if key != "name" and key not in own and getattr(step, key) is not None:
            users = [other for other, keys in known.items() if key in keys]
            raise ValueError(f"{table}.{key} means nothing to {name}, only to {', '.join(users)}; leave it out")
