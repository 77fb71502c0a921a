"""What makes sides comparable: one data set, the same pictures held out, and a difference of which one is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from neocog.device import choose
from neocog.errors import NeocogError, RecipeError, unknown
from neocog.finished import data_name
from neocog.recipe import Recipe
from neocog.steps import Step
from neocog.studies.sides import GivenSide, shortened

_NOT_COMPARED = ("name", "about", "published", "resolved", "train.seed")
_MOST_KEYS = 6  # of those in which two recipes differ, in a hint


def made_alike(sides: Sequence[GivenSide], vary: str | None = None) -> tuple[list[GivenSide], list[str]]:
    """The sides as they will be trained, and notes of what was changed in them to compare them.

    With `vary`, a table or dotted key, every side is the first but for that. All hold out the same pictures.
    Raises RecipeError when that can't be, or two sides would train the same thing.
    """
    for side in sides:
        _refuse_foreign_code(side)
    given, notes = _varied(sides, vary) if vary is not None else (list(sides), [])
    _refuse_other_data(given)
    for part in ("validation", "test"):
        given, more = _held_out_alike(given, part)
        notes += more
    _refuse_same(given)
    return given, [*notes, *_conditions_apart(given)]


def values_of(step: Step, prefix: str = "") -> dict[str, Any]:
    """Every dotted key of a recipe with its value, the tables themselves, too; no names, seeds and remarks."""
    found: dict[str, Any] = {}
    for name in type(step).model_fields:
        if prefix + name in _NOT_COMPARED:
            continue
        value = getattr(step, name)
        found[prefix + name] = value
        if isinstance(value, Step):
            found |= values_of(value, f"{prefix}{name}.")
    return found


def differences(first: Recipe, other: Recipe) -> dict[str, tuple[Any, Any]]:
    """The keys in which two recipes train differently, with the values of both.

    >>> differences(Recipe.load("model-a"), Recipe.load("model-a", {"optimizer.lr": 0.02, "train.seed": 5}))
    {'optimizer.lr': (0.01, 0.02)}
    """
    own, others = _settled(first), _settled(other)
    return {key: (own[key], others[key]) for key in own if own[key] != others[key]}


def same_pictures(first: Recipe, other: Recipe) -> bool:
    """Whether two recipes that were run saw the same data, as far as that can be told.

    The checksum is of the pictures as they were prepared; those of another size or colour have another one.
    """
    assert first.resolved and other.resolved
    if _preparation(first) == _preparation(other):
        return first.resolved.data_checksum == other.resolved.data_checksum
    return first.dataset.name == other.dataset.name and first.resolved.classes == other.resolved.classes


def _preparation(recipe: Recipe) -> tuple[Any, ...]:
    assert recipe.resolved
    return recipe.resolved.image_shape, recipe.dataset.resize, recipe.dataset.background


def _settled(recipe: Recipe) -> dict[str, Any]:
    """The values of a recipe, those alike that mean the same: layers, a folder's path, `auto`."""
    values = {key: value for key, value in values_of(recipe).items() if not isinstance(value, Step)}
    if recipe.layers is not None:
        values["model.layers"] = recipe.layers.text()
    compute = choose(recipe.train.device, recipe.train.precision)
    values |= {"train.device": str(compute.device), "train.precision": compute.precision}
    return values | {"dataset.name": data_name(recipe.dataset.name)}


def _varied(sides: Sequence[GivenSide], key: str) -> tuple[list[GivenSide], list[str]]:
    first, *others = sides
    known = values_of(first.recipe)
    if key not in known:
        raise RecipeError(f"--vary: {unknown('key', key, known)}")
    made, notes = [first], []
    for other in others:
        apart = differences(first.recipe, other.recipe)
        taken = [name for name in apart if name == key or name.startswith(f"{key}.")]
        if not taken:
            value = "" if isinstance(known[key], Step) else f", {_shown(known[key])}"
            hint = f"; they differ in {_some(list(apart))}" if apart else ""
            raise RecipeError(f"--vary {key}: {first.label} and {other.label} have the same there{value}{hint}")
        made.append(_with_part(first, other, key))
        if left := [f"{name} = {_shown(apart[name][1])}" for name in apart if name not in taken]:
            notes.append(f"--vary {key}: left out of {other.label}: {', '.join(left)}")
    return made, notes


def _with_part(first: GivenSide, other: GivenSide, key: str) -> GivenSide:
    """The first side with one table or value of the other."""
    value = values_of(other.recipe)[key]
    if isinstance(value, Step):
        value = value.model_dump(mode="json", exclude_none=True)
    try:
        recipe = first.recipe.changed({key: value})
    except NeocogError as error:
        raise RecipeError(f"--vary {key}: {error}") from None
    # What is not all of the other side must not bear its name.
    whole = not differences(recipe, other.recipe)
    return replace(
        other,
        label=other.label if whole else f"{first.label} with {key} of {other.label}",
        text=f"{first.text} with {key} of {other.text}",
        recipe=recipe,
        model=other.model if recipe.model.factory == other.recipe.model.factory else first.model,
    )


def _refuse_foreign_code(side: GivenSide) -> None:
    factory = side.recipe.model.factory
    if factory is not None and side.model is None:
        raise RecipeError(
            f"the network of {side.label} is code, '{factory}', and files may not choose code to run; allow it by "
            f'naming it yourself, as in "{side.text} model.factory={factory}"'
        )


def _refuse_other_data(sides: Sequence[GivenSide]) -> None:
    first, *others = sides
    for other in others:
        if data_name(first.recipe.dataset.name) != data_name(other.recipe.dataset.name):
            raise RecipeError(
                f"compare needs one data set: {first.label} is on {first.recipe.dataset.name}, {other.label} on "
                f"{other.recipe.dataset.name}; give --data NAME for all"
            )


def _held_out_alike(sides: Sequence[GivenSide], part: str) -> tuple[list[GivenSide], list[str]]:
    """A side that holds out no such part takes what the others do; some validation pictures there must be."""
    own = [getattr(side.recipe.dataset, part) for side in sides]
    some = [(side, value) for side, value in zip(sides, own, strict=True) if value != 0]
    for side, value in some[1:]:
        first, wanted = some[0]
        if value != wanted:
            raise RecipeError(
                f"compare needs the same pictures held out: dataset.{part} is {wanted} for {first.label} and {value} "
                f"for {side.label}; give --set dataset.{part}={wanted} for all"
            )
    value = some[0][1] if some else "auto" if part == "validation" else 0
    given_none = [side for side, own_value in zip(sides, own, strict=True) if own_value != value]
    without = [side.label for side in given_none]
    if not without:
        return list(sides), []
    made = [replace(side, recipe=side.recipe.changed({f"dataset.{part}": value})) for side in sides]
    if part == "validation" and any("dataset.validation" in side.asked for side in given_none):
        return made, [
            "dataset.validation = 0 was asked for, but sides are compared on validation pictures: "
            f"dataset.validation = {value} for all sides"
        ]
    hold, their = ("holds", "its") if len(without) == 1 else ("hold", "their")
    return made, [
        f"{', '.join(without)} {hold} out no {part} part of {their} own: dataset.{part} = {value} for all sides"
    ]


def _conditions_apart(sides: Sequence[GivenSide]) -> list[str]:
    """A note where sides are not trained in the same numbers, or not in the same place."""
    settled = [_settled(side.recipe) for side in sides]
    notes = []
    for name in ("device", "precision"):
        own = [values[f"train.{name}"] for values in settled]
        if len(set(own)) > 1:
            each = ", ".join(f"{side.label} {value}" for side, value in zip(sides, own, strict=True))
            notes.append(f"sides differ in {name} ({each}); give --{name} for all")
    return notes


def _refuse_same(sides: Sequence[GivenSide]) -> None:
    for place, side in enumerate(sides):
        for other in sides[:place]:
            if not differences(other.recipe, side.recipe) and other.model == side.model:
                lesson = (side.lesson or other.lesson) if side.lesson != other.lesson else None
                once = " once both are measured in one way" if lesson else ""  # most often a lesson and its mended twin
                what = f"{other.label} and {side.label} train one and the same thing{once}, so their numbers are equal"
                if other.text == side.text:
                    what = f"{side.text} is given twice, and its numbers would be equal"
                mend = f'change something in one of them, as in "{other.text} '
                mend += f'optimizer.lr={2 * other.recipe.optimizer.lr:g}"'
                if lesson:
                    mend += f", or see what the lesson's way of measuring makes of it: neocog reproduce {lesson}"
                raise RecipeError(f"{what}; {mend}")


def _some(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - _MOST_KEYS} more keys" if len(keys) > _MOST_KEYS else ""
    return f"{', '.join(keys[:_MOST_KEYS])}{more}"


def _shown(value: Any) -> str:
    return "unset" if value is None else shortened(str(value))
