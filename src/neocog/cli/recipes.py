"""neocog recipes"""

from __future__ import annotations

from typing import Annotated

import typer

from neocog.cli.options import Json, print_json


def recipes(
    name: Annotated[str | None, typer.Argument(help="Show this one whole, as TOML.")] = None,
    json: Json = False,
) -> None:
    """List the recipes that come with neocog, or show one as TOML, ready to be saved and changed.

    Example: neocog recipes fast > mine.toml
    """
    from neocog.recipe import Recipe, shipped_recipes
    from neocog.tables import table

    if name is not None:
        recipe = Recipe.load(name)
        print_json(recipe.as_table()) if json else typer.echo(recipe.to_toml(), nl=False)
        return
    all_recipes = [Recipe.load(each) for each in shipped_recipes()]
    if json:
        print_json({recipe.name: recipe.as_table() for recipe in all_recipes})
    else:
        typer.echo(table(["recipe", "about"], [[recipe.name, recipe.about.split("\n")[0]] for recipe in all_recipes]))
