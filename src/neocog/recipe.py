"""A recipe: the seven steps of training a classifier as one typed object, read from and written to TOML.

    1 [dataset]  2 [loader]  3 and 4 [model]  5 [loss]  6 [optimizer] and [schedule]  7 [train]

Trying another model changes [model] alone; moving to another device changes `train.device` alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from neocog.errors import LayerError, RecipeError, unknown
from neocog.layers import Layers, parse
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

    name: Literal["constant", "step", "cosine", "linear", "one-cycle"] = "constant"
    warmup: float | None = Field(None, ge=0, le=1, description="the share of the steps on the way up")
    start: float | None = Field(None, ge=0, le=1, description="the first rate as a share of optimizer.lr")
    end: float | None = Field(None, ge=0, le=1, description="the last rate as a share of optimizer.lr")
    gamma: float | None = Field(None, gt=0, le=1)
    step_epochs: int | None = Field(None, ge=1)

    @model_validator(mode="after")
    def _only_its_own_keys(self) -> ScheduleStep:
        _refuse_foreign(self, "schedule", SCHEDULES)
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


class Recipe(Step):
    """The seven steps, checked. `Recipe.load` reads one, `changed` gives another with some values replaced."""

    name: str = Field("unnamed", min_length=1, max_length=100, pattern=r"^[^/\\\x00]+$")
    about: str = ""
    dataset: DatasetStep = Field(default_factory=DatasetStep)
    loader: LoaderStep = Field(default_factory=LoaderStep)
    model: ModelStep
    loss: LossStep = Field(default_factory=LossStep)
    optimizer: OptimizerStep = Field(default_factory=OptimizerStep)
    schedule: ScheduleStep = Field(default_factory=ScheduleStep)
    train: TrainStep
    resolved: Resolved | None = None

    @property
    def layers(self) -> Layers | None:
        """The parsed layer text, or None for a network of the user's own."""
        return None if self.model.layers is None else parse(self.model.layers)

    @classmethod
    def load(cls, what: str | Path, changes: Mapping[str, Any] | None = None) -> Recipe:
        """The recipe of that name or file, with changes as in `changed`. Raises RecipeError.

        >>> Recipe.load("fast", {"optimizer.lr": 0.02}).optimizer.lr
        0.02
        """
        table, where = _read(what)
        return cls.make(table, changes or {}, where)

    @classmethod
    def make(cls, table: Mapping[str, Any], changes: Mapping[str, Any], where: str) -> Recipe:
        """Checks a recipe given as nested tables; `where` starts each error."""
        _refuse_unknown(table, cls, where, "")
        changed = _with_changes(table, changes)
        _refuse_unknown(changed, cls, where, "")
        try:
            recipe = cls.model_validate(changed)
            if recipe.layers is not None:
                _ = recipe.layers
        except ValidationError as error:
            raise RecipeError(f"{where}: {_first_fault(error)}") from None
        except LayerError as error:
            raise LayerError(f"{where}: {error}") from None
        return recipe

    def changed(self, changes: Mapping[str, Any]) -> Recipe:
        """This recipe with some values replaced, by dotted key.

        A new `optimizer.name` or `schedule.name` leaves the other settings of that step behind (the rate stays), as
        they were meant for another algorithm; `train.epochs` and `train.iterations` replace each other, and so do
        `model.layers` and `model.factory`.
        """
        return type(self).make(self.as_table(), changes, f"recipe '{self.name}'")

    def as_table(self) -> dict[str, Any]:
        """The recipe as nested tables, everything that has a value written out."""
        table: dict[str, Any] = self.model_dump(mode="json", exclude_none=True)
        return table

    def to_toml(self) -> str:
        """The whole recipe as TOML; loading it gives this recipe again."""
        import tomli_w

        table = self.as_table()
        if (layers := self.layers) is not None:
            table["model"]["layers"] = layers.text("\n") + "\n"
        return tomli_w.dumps(table, multiline_strings=True)


def shipped_recipes() -> list[str]:
    """The names of the recipes that come with neocog."""
    folder = resources.files("neocog.recipes")
    return sorted(item.name.removesuffix(".toml") for item in folder.iterdir() if item.name.endswith(".toml"))


def parse_changes(assignments: Iterable[str]) -> dict[str, Any]:
    """`--set` texts as a mapping; values are read as TOML, and as plain text where they are none.

    >>> parse_changes(["optimizer.lr=0.02", "dataset.name=photos", "dataset.augment={rotate=10}"])
    {'optimizer.lr': 0.02, 'dataset.name': 'photos', 'dataset.augment': {'rotate': 10}}
    """
    changes: dict[str, Any] = {}
    for assignment in assignments:
        key, equals, text = assignment.partition("=")
        if not equals or not key.strip():
            raise RecipeError(f"--set '{assignment}': write it as key=value, such as optimizer.lr=0.02")
        try:
            changes[key.strip()] = tomllib.loads(f"value = {text}")["value"]
        except (tomllib.TOMLDecodeError, KeyError):
            changes[key.strip()] = text.strip()
    return changes


def _read(what: str | Path) -> tuple[dict[str, Any], str]:
    """The tables of a shipped recipe, a TOML file or a run directory, and how to call it in an error."""
    name = str(what)
    if name in shipped_recipes():
        text = (resources.files("neocog.recipes") / f"{name}.toml").read_text(encoding="utf-8")
        return {"name": name, **tomllib.loads(text)}, f"recipe '{name}'"
    path = Path(what)
    try:
        if path.is_dir():
            path = path / "recipe.toml"
        found = path.is_file()
    except OSError:  # a name too long for a file, or a place that may not be looked into
        found = False
    if not found:
        if path.suffix == ".toml" or len(path.parts) > 1:
            raise RecipeError(f"there is no recipe file '{path}'; give a recipe's name, a TOML file or a run directory")
        missing = unknown("recipe", name, shipped_recipes())
        raise RecipeError(f"{missing}; give one of these names, a TOML file or a run directory")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RecipeError(f"recipe file '{path}' is no TOML: {error}") from None
    except OSError as error:
        raise RecipeError(f"recipe file '{path}' can't be read: {error.strerror}") from None
    return {"name": path.stem, **table}, f"recipe file '{path}'"


def _refuse_unknown(table: Mapping[str, Any], kind: type[BaseModel], where: str, prefix: str) -> None:
    for key, value in table.items():
        if key not in kind.model_fields:
            known = [prefix + name for name in kind.model_fields]
            raise RecipeError(f"{where}: {unknown('key', prefix + key, known)}")
        inner = _table_kind(kind, key)
        if inner is None or value is None:
            continue
        if not isinstance(value, Mapping):
            example = f"{prefix}{key}.{next(iter(inner.model_fields))}"
            raise RecipeError(f"{where}: {prefix}{key} is a table, not {value!r}; give its keys, such as {example}")
        _refuse_unknown(value, inner, where, f"{prefix}{key}.")


def _table_kind(kind: type[BaseModel], key: str) -> type[BaseModel] | None:
    """The class of the table under that key, or None where the key has a plain value."""
    annotation = kind.model_fields[key].annotation
    inner = [choice for choice in get_args(annotation) or (annotation,) if isinstance(choice, type)]
    return next((choice for choice in inner if issubclass(choice, BaseModel)), None)


def _with_changes(table: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    changed = {key: dict(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    for key in changes:
        _refuse_unknown_key(key)
    for step, kind in (("optimizer", OptimizerStep), ("schedule", ScheduleStep)):
        old = changed.get(step, {})
        name = old.get("name", kind.model_fields["name"].default)
        if changes.get(f"{step}.name", name) != name:
            changed[step] = {"lr": old["lr"]} if "lr" in old else {}
    for one, other in (("train.epochs", "train.iterations"), ("model.layers", "model.factory")):
        for given, dropped in ((one, other), (other, one)):
            if changes.get(given) is not None and dropped not in changes:
                step, key = dropped.split(".")
                changed.get(step, {}).pop(key, None)
    for key, value in changes.items():
        *steps, last = key.split(".")
        inner = changed
        for step in steps:
            known = inner.get(step)
            inner[step] = dict(known) if isinstance(known, Mapping) else {}
            inner = inner[step]
        inner[last] = value
    return changed


def _refuse_unknown_key(dotted: str) -> None:
    kind: type[BaseModel] = Recipe
    prefix = ""
    parts = dotted.split(".")
    for position, part in enumerate(parts):
        if part not in kind.model_fields:
            raise RecipeError(unknown("key", dotted, _all_keys(Recipe)))
        inner = _table_kind(kind, part)
        prefix += part
        if position < len(parts) - 1:
            if inner is None:
                raise RecipeError(f"key '{dotted}': '{prefix}' is one value, not a table; write --set {prefix}=…")
            kind = inner
            prefix += "."


def _all_keys(kind: type[BaseModel], prefix: str = "") -> list[str]:
    keys: list[str] = []
    for name in kind.model_fields:
        if name == "resolved":
            continue
        if (inner := _table_kind(kind, name)) is not None:
            keys += _all_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


def _refuse_foreign(step: Step, table: str, known: Mapping[str, tuple[str, ...]]) -> None:
    name: str = getattr(step, "name")  # noqa: B009 - Step itself has no name
    own = known[name]
    for key in type(step).model_fields:
        if key != "name" and key not in own and getattr(step, key) is not None:
            users = [other for other, keys in known.items() if key in keys]
            raise ValueError(f"{table}.{key} means nothing to {name}, only to {', '.join(users)}; leave it out")


_WRONG_KIND = {"literal_error", "int_type", "tuple_type"}


def _first_fault(error: ValidationError) -> str:
    """The first of pydantic's complaints as one line of ours."""
    faults = error.errors()
    fault = faults[0]
    # A value that may be of several kinds has a fault for each; a wrong number says more than "this is no tuple".
    same_field = [other for other in faults if _key(other["loc"], whole=False) == _key(fault["loc"], whole=False)]
    if not isinstance(fault["input"], str):
        fault = next((other for other in same_field if other["type"] not in _WRONG_KIND), fault)
    key = _key(fault["loc"])
    message = fault["msg"].removeprefix("Value error, ")
    if fault["type"] == "value_error":
        return message
    if fault["type"] == "literal_error" and isinstance(fault["input"], str):
        choices = [choice.strip("' ") for choice in str(fault["ctx"]["expected"]).replace(" or ", ",").split(",")]
        otherwise = ", or numbers" if len(same_field) > 1 else ""
        return f"{key}: {unknown('value', fault['input'], choices)}{otherwise}"
    if fault["type"] == "missing":
        return f"{key} is missing; add it"
    message = message.replace("Input should be", "must be").replace("Input", "it")
    return f"{key} = {fault['input']!r}: {message[0].lower()}{message[1:]}"


def _key(where: tuple[int | str, ...], *, whole: bool = True) -> str:
    """The dotted key of a fault, without pydantic's names for the kinds that were tried; `whole` with positions."""
    kind: type[BaseModel] | None = Recipe
    parts: list[str] = []
    for part in where:
        if isinstance(part, int):
            parts += [str(part)] if whole else []
        elif kind is not None and part in kind.model_fields:
            parts.append(part)
            kind = _table_kind(kind, part)
    return ".".join(parts)
