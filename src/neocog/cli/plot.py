"""neocog plot"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Json, print_json, say, tell


def plot(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    only: Annotated[
        str | None,
        typer.Option(
            help="Some of samples, curves, confusion, classes, reliability, kernels, mistakes.", metavar="NAME,NAME"
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder (default: RUN/figures, made anew).", metavar="DIR")
    ] = None,
    format_: Annotated[
        str | None, typer.Option("--format", help="One of the two kinds of files (default: both).", metavar="png|svg")
    ] = None,
    json: Json = False,
) -> None:
    """Draw the figures of a run again, from what it has kept; the data is not needed.

    Example: neocog plot runs/fast-mnist-1 --only curves,confusion --out figures/
    """
    from neocog.errors import NeocogError, unknown
    from neocog.finished import Run
    from neocog.insight.figures import FORMATS, check_folder, draw, write_figures

    kinds = [suffix[1:] for suffix in FORMATS]
    if format_ is not None and format_ not in kinds:
        raise NeocogError(unknown("format", format_, kinds))
    finished = Run.open(run)
    check_folder(finished, out)
    drawn, left_out = draw(finished, only)
    if not drawn:
        raise NeocogError("; ".join(left_out))
    for line in left_out:
        tell(line)
    written = write_figures(finished, drawn, out, FORMATS if format_ is None else (f".{format_}",))
    if json:
        print_json({"run": str(run), "figures": [str(path) for path in written], "left_out": left_out})
        return
    for path in written:
        say(str(path))
