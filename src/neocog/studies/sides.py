"""What may stand on a side of a comparison: a recipe, a file, a run, or one of these with changes of its own."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from neocog.errors import RecipeError
from neocog.finished import Run, opened
from neocog.networks import Model, code_name, model_changes
from neocog.recipe import Recipe, parse_changes, shipped_recipes

Plain = str | Path | Recipe | Run
Given = Plain | tuple[Plain, Mapping[str, Any]]
"""A side as the user gives it; a pair is one of the others with changes of its own, by dotted key."""

_HALF_LABEL = 24  # signs of a long label that stay, at each end
_RIVALS = {"train.epochs": "train.iterations", "model.layers": "model.factory"}  # one of each pair, never both
_RIVALS |= {other: key for key, other in _RIVALS.items()}


@dataclass(frozen=True)
class GivenSide:
    """A side that can be trained: what people call it, its recipe, and the code that the user named for it."""

    label: str
    text: str  # as it was given
    recipe: Recipe
    model: Model | None = None
    run: Run | None = None  # where a finished run was given, without changes of its own
    lesson: str | None = None  # the recipe's name where it had a [published] table, which is no part of a comparison
    asked: tuple[str, ...] = ()  # the keys that were set in this very call


def read_sides(
    given: Sequence[Given], shared: Mapping[str, Any], forced: Mapping[str, Any] | None = None
) -> list[GivenSide]:
    """Each side with a label that no other has; `shared` changes all of them where they don't say otherwise.

    `forced` wins over what a side says. Raises a NeocogError for what is no side, or a directory that is no run.

    >>> [side.label for side in read_sides(["model-a", "model-a optimizer.lr=0.02"], {})]
    ['model-a', 'model-a optimizer.lr=0.02']
    """
    sides = [_read_side(each, shared, forced or {}) for each in given]
    short = [side.label for side in sides]
    named: list[GivenSide] = []
    for side in sides:
        label = start = side.label if short.count(side.label) == 1 else shortened(side.text)
        number = 1
        while any(label == other.label for other in named):
            number += 1
            label = f"{start} ({number})"
        named.append(replace(side, label=label))
    return named


def shortened(text: str) -> str:
    """A text on one line, its middle left out where it is too long for a table or a sentence.

    >>> shortened("model-a model.layers='conv 16 5 same | relu | maxpool 2' optimizer.lr=0.02")
    "model-a model.layers='co…ool 2' optimizer.lr=0.02"
    """
    text = " ".join(text.split())
    return text if len(text) <= 2 * _HALF_LABEL else f"{text[:_HALF_LABEL]}…{text[-_HALF_LABEL:]}"


def _read_side(given: Given, shared: Mapping[str, Any], forced: Mapping[str, Any]) -> GivenSide:
    what, own, text = _taken_apart(given)
    for key in ("train.seed", "name"):
        if key in own or key in shared:
            raise RecipeError(f"{key} can't be set in a comparison, which gives each side the same seeds; leave it out")
    changes = {key: value for key, value in shared.items() if _RIVALS.get(key) not in own} | own | dict(forced)
    # Code is allowed where the user names it in this very call: a side's own text, or --set. A file can't.
    model: Model | None = changes.get("model.factory")
    if model is not None and not isinstance(model, str):
        changes |= model_changes(model)
    run = None
    if isinstance(what, Recipe):
        recipe = what.changed(changes)
    elif isinstance(what, Run) or _is_folder(what):
        run = opened(what)
        recipe = run.recipe.changed(changes)
    else:
        recipe = Recipe.load(what, changes)
    return GivenSide(
        label=_label(what, text),
        text=text,
        recipe=recipe.model_copy(update={"published": None, "resolved": None}),
        model=model,
        run=None if own else run,
        lesson=recipe.name if recipe.published else None,
        asked=tuple(changes),
    )


def _taken_apart(given: Given) -> tuple[Plain, dict[str, Any], str]:
    """What a side starts from, its own changes, and the whole as a text."""
    if isinstance(given, Path | Recipe | Run):
        return given, {}, _start(given)
    if isinstance(given, tuple) and len(given) == 2 and isinstance(given[1], Mapping):
        what, changes, text = _taken_apart(given[0])
        own = dict(given[1])
        words = [f"{key}={code_name(value) if callable(value) else value}" for key, value in own.items()]
        return what, changes | own, " ".join([text, *words])
    if not isinstance(given, str):
        raise RecipeError(
            f"a side is of type {type(given).__name__}; give a recipe's name, a file, a run, a Recipe, or a pair of "
            'one of these and its changes, such as ("model-a", {"optimizer.lr": 0.02})'
        )
    if not given.strip():
        raise RecipeError("a side is empty; give a recipe's name, a TOML file or a run directory")
    if given in shipped_recipes() or exists(given):
        return given, {}, given
    start, *own_words = _words(given)
    if "=" in start and not exists(start):
        raise RecipeError(
            f"'{given}' is a change without its recipe; put both into one pair of quotes, such as \"model-a {start}\""
        )
    for word in own_words:
        if "=" not in word:
            raise RecipeError(
                f"side '{given}': '{word}' is no change; write key=value, such as optimizer.lr=0.02, with quotes "
                "around a value that has spaces"
            )
    return start, parse_changes(own_words), given


def _words(text: str) -> list[str]:
    """A text split as a shell does it, but for the backslash, which is part of a path on Windows."""
    lexer = shlex.shlex(text, posix=True)
    lexer.whitespace_split, lexer.commenters, lexer.escape = True, "", ""
    try:
        return list(lexer)
    except ValueError:
        raise RecipeError(f"side '{text}': a quote is opened and not closed; close it") from None


def _start(what: Plain) -> str:
    return what.name if isinstance(what, Recipe) else str(what.path if isinstance(what, Run) else what)


def _label(what: Plain, text: str) -> str:
    """The text of a side, its path cut to what tells it from others."""
    start = _start(what)
    if isinstance(what, Recipe) or start in shipped_recipes():
        return shortened(text)
    path = Path(start).absolute()
    # recipe.toml is what every run calls its recipe: its folder says more.
    short = path.parent.name if path.name == "recipe.toml" else path.stem if path.suffix == ".toml" else path.name
    if short.isdecimal():  # a seed of many: its folder says of what
        short = f"{path.parent.name}/{short}"
    return shortened(text.replace(start, short, 1))


def _is_folder(what: str | Path) -> bool:
    return str(what) not in shipped_recipes() and exists(what) and Path(what).is_dir()


def exists(what: str | Path) -> bool:
    """Whether there is such a file or folder; a text that can't be a path is none."""
    try:
        return Path(what).exists()
    except (OSError, ValueError):  # too long for a name, or with a zero byte
        return False
