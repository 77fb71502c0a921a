"""neocog summary"""

from __future__ import annotations

from typing import Annotated

import typer

from neocog.cli.options import Code, Json, say


def summary(
    what: Annotated[str, typer.Argument(help="A recipe, a run directory, a layer text or module:factory.")],
    input_: Annotated[
        str | None,
        typer.Option("--input", help="The picture's shape (default: the recipe's data's).", metavar="1x28x28"),
    ] = None,
    classes: Annotated[int | None, typer.Option(help="How many classes.", min=1)] = None,
    model: Code = None,
    json: Json = False,
) -> None:
    """Show each layer's shape with its formula, parameters, multiply-adds and receptive field.

    Example: neocog summary "conv 16 5 same | relu | maxpool 2 | flatten | linear 10" --input 1x28x28
    """
    from neocog.render.runs import as_json, summary_text
    from neocog.workflow import summarize

    found = summarize(what, _shape(input_), classes, model=model)
    say(as_json(found) if json else summary_text(found))


def _shape(text: str | None) -> tuple[int, int, int] | None:
    if text is None:
        return None
    from neocog.errors import LayerError

    parts = text.replace("×", "x").split("x")
    if len(parts) != 3 or not all(part.isdigit() and int(part) > 0 for part in parts):
        raise LayerError(f"--input '{text}': write channels, height and width, such as 1x28x28")
    channels, height, width = (int(part) for part in parts)
    return channels, height, width
