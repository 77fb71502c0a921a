"""A recipe: the seven steps of training a classifier as one typed object, read from and written to TOML.

    1 [dataset]  2 [loader]  3 and 4 [model]  5 [loss]  6 [optimizer] and [schedule]  7 [train]

Trying another model changes [model] alone; moving to another device changes `train.device` alone.
"""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, Field, ValidationError

from neocog.errors import LayerError, RecipeError, unknown
from neocog.layers import Layers, parse
from neocog.steps import (
    DatasetStep,
    LoaderStep,
    LossStep,
    ModelStep,
    OptimizerStep,
    Published,
    Resolved,
    ScheduleStep,
    Step,
    TrainStep,
)
from neocog.untrusted import MOST_RECIPE, Unreadable, content_of, toml_table


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
    published: Published | None = None
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
        return recipe if recipe.published is None else _with_changes_noted(recipe, table, changes)

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
        stop = "" if missing.endswith("?") else ";"
        raise RecipeError(f"{missing}{stop} `neocog recipes` lists them; a TOML file or a run directory will do, too")
    try:
        raw = content_of(path, MOST_RECIPE)
    except (OSError, Unreadable) as error:
        raise RecipeError(f"recipe file '{path}' can't be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        table = toml_table(raw)
    except Unreadable as error:
        raise RecipeError(f"recipe file '{path}' is no TOML: {error}") from None
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
        if name in ("published", "resolved"):
            continue
        if (inner := _table_kind(kind, name)) is not None:
            keys += _all_keys(inner, f"{prefix}{name}.")
        else:
            keys.append(prefix + name)
    return keys


# What makes a published recipe no other: words, chance, and where it runs.
_NO_CHANGE = ("name", "about", "published", "resolved", "train.seed", "train.device", "train.precision")


def _with_changes_noted(recipe: Recipe, table: Mapping[str, Any], changes: Mapping[str, Any]) -> Recipe:
    """A published recipe that says in which keys it is no longer the lesson's."""
    assert recipe.published is not None
    try:
        before = Recipe.model_validate(table)
    except ValidationError:  # it was whole only with its changes
        return recipe
    different = [
        key
        for key in changes
        if not key.startswith("published.") and key not in _NO_CHANGE and _at(recipe, key) != _at(before, key)
    ]
    changed = tuple(dict.fromkeys([*(recipe.published.changed or ()), *different])) or None
    return recipe.model_copy(update={"published": recipe.published.model_copy(update={"changed": changed})})


def _at(recipe: Recipe, dotted: str) -> Any:
    if dotted == "model.layers":
        return recipe.layers  # and not how they are written
    value: Any = recipe
    for part in dotted.split("."):
        value = getattr(value, part)
    return value


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
    message = message.partition(", unable to ")[0]  # it would be said twice
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
