"""neocog recipes"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from neocog.cli.options import Json, print_json, say

if TYPE_CHECKING:
    from neocog.recipe import Recipe

_MAIN = ("fast", "small", "accurate")


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one whole, as TOML.")] = None,
    json: Json = False,
) -> None:
    """List the recipes that come with neocog, or show one as TOML, ready to be saved and changed.

    Example: neocog recipes fast > mine.toml
    """
    from neocog.recipe import Recipe, shipped_recipes

    if name is not None:
        recipe = Recipe.load(name)
        if json:
            print_json(recipe.as_table())
        else:
            say(_explained(recipe.to_toml()) if name in shipped_recipes() else recipe.to_toml(), nl=False)
        return
    all_recipes = [Recipe.load(each) for each in shipped_recipes()]
    if json:
        print_json({recipe.name: recipe.as_table() for recipe in all_recipes})
    else:
        say(_listed(_grouped(all_recipes)))


def _explained(toml: str) -> str:
    """A recipe's TOML where each key of its last table, [published], says what it means."""
    from neocog.steps import Published

    plain, heading, published = toml.partition("[published]\n")
    lines = []
    for line in published.splitlines(keepends=True):
        field = Published.model_fields.get(line.partition(" = ")[0])
        lines += [f"# {field.description}\n"] if field and field.description else []
        lines.append(line)
    return "".join([plain, heading, *lines])


def _grouped(recipes: Sequence[Recipe]) -> dict[str, list[Recipe]]:
    """The recipes by what they are for; the lessons in order, each mended twin at its original's place."""
    by_name = {recipe.name: recipe for recipe in recipes}
    main = [by_name.pop(name) for name in _MAIN]
    lessons = [(recipe, recipe.published) for recipe in by_name.values() if recipe.published]
    lessons.sort(key=lambda pair: pair[1].source.split(",")[0])  # "lesson 2"; equal ones stay in order of their names
    for recipe, _ in lessons:
        del by_name[recipe.name]
    mended = [by_name.pop(published.twin) for _, published in lessons if published.twin]
    return {
        "For your own pictures, and MNIST": main,
        "The lessons, as published": [recipe for recipe, _ in lessons],
        "The lessons, mended": mended,
        "Variations and exercises": [recipe for recipe in by_name.values() if recipe.dataset.name == "mnist"],
        "Famous relatives, for colour pictures of 32×32": [
            recipe for recipe in by_name.values() if recipe.dataset.name != "mnist"
        ],
    }


def _listed(groups: Mapping[str, Sequence[Recipe]]) -> str:
    """One table, with a heading and an empty line around each group."""
    from neocog.tables import table

    rows = [["  " + recipe.name, recipe.about.split("\n")[0]] for group in groups.values() for recipe in group]
    _, *lines = table(["recipe", "about"], rows).split("\n")
    listed = iter(lines)
    return "\n\n".join("\n".join([heading, *(next(listed) for _ in group)]) for heading, group in groups.items())
