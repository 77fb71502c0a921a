"""neocog data"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neocog.cli.options import Json, columns, data_progress, print_json, say, tell

app = typer.Typer(help="The data sets that can be had by name, and what is in a folder.", no_args_is_help=True)

Which = Annotated[str, typer.Argument(help="A name (neocog data list) or a folder.", metavar="NAME|FOLDER")]


@app.command("list")
def list_(json: Json = False) -> None:
    """List the data sets that can be had by name.

    Example: neocog data list
    """
    from neocog.data import catalogue
    from neocog.tables import table

    if json:
        keys = ("name", "title", "image_shape", "classes", "counts", "licence", "citation", "where")
        print_json({"data": [{key: getattr(entry, key) for key in keys} for entry in catalogue.values()]})
        return
    rows = [
        [
            entry.name,
            entry.title,
            "×".join(str(size) for size in entry.image_shape),
            f"{sum(entry.counts.values()):,}",
            str(len(entry.classes)),
            entry.where,
        ]
        for entry in catalogue.values()
    ]
    say(table(["name", "what", ">shape", ">pictures", ">classes", "from"], rows))


@app.command(no_args_is_help=True)
def show(what: Which, json: Json = False) -> None:
    """Show what a data set or folder holds: parts, classes and their counts, and every file that can't be read.

    Example: neocog data show photos/
    """
    from neocog.render.runs import dataset_text
    from neocog.workflow import describe_data

    with data_progress() as progress:
        facts = describe_data(what, progress=progress)
    if json:
        print_json(facts)
    else:
        say(dataset_text(facts))


@app.command(no_args_is_help=True)
def check(
    what: Which,
    sheet: Annotated[
        Path | None, typer.Option(help="Draw some pictures of each class: a .png, .svg or .pdf.", metavar="FILE")
    ] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
    recipe: Annotated[str, typer.Option(help="For whose training the data is checked.", metavar="RECIPE")] = "fast",
    json: Json = False,
) -> None:
    """Look at every picture: what can't be read, duplicates, leaks into the test, names, balance.

    The data is only read. The exit status is 1 where training would be refused, and the last line is what it would
    say; warnings and notes leave it 0.

    Example: neocog data check photos/ --sheet photos.png
    """
    from neocog.errors import NeocogError

    if overwrite and sheet is None:
        raise NeocogError("--overwrite replaces the file of --sheet; give it, too, such as: --sheet sheet.png")
    if sheet is not None:
        _check_sheet(what, sheet, overwrite=overwrite)
    from neocog.insight.data_checking import check_data
    from neocog.insight.data_checking import sheet as drawn
    from neocog.render.data_check import data_check_text

    with data_progress() as progress:
        found = check_data(what, recipe=recipe, progress=progress)
    if sheet is not None:
        from neocog.plots.saving import save_figure

        figure = drawn(found)
        if figure is None:
            tell(f"not drawn: {sheet}, as no class has a picture that can be read")
            sheet = None
        else:
            save_figure(figure, sheet, overwrite=overwrite)
            tell(f"drawn: {sheet}")
    if json:
        print_json({**found.as_dict(), "sheet": sheet and str(sheet)})
    else:
        say(data_check_text(found, columns()))
    raise typer.Exit(0 if found.ok else 1)


def _check_sheet(what: str, target: Path, *, overwrite: bool) -> None:
    """Raises NeocogError where the sheet can't be written, or would lie among the pictures that are only to be read."""
    from neocog.data import catalogue
    from neocog.errors import NeocogError
    from neocog.files import check_target
    from neocog.plots.saving import DRAWINGS

    path = check_target(target, DRAWINGS, overwrite=overwrite)
    root = None if what in catalogue else Path(what).expanduser().resolve()
    if root is not None and root.is_dir() and path.resolve().is_relative_to(root):
        raise NeocogError(f"'{target}' lies in '{what}', which is only read; give the sheet another place")


@app.command(no_args_is_help=True)
def fetch(name: Annotated[str, typer.Argument(help="A name from neocog data list.")], json: Json = False) -> None:
    """Fetch a data set now, checksum checked, for use without a network later.

    Example: neocog data fetch fashion-mnist
    """
    from neocog.data import fetch as fetch_data

    with data_progress() as progress:
        place: Any = fetch_data(name, progress=progress)
    if json:
        print_json({"name": name, "path": place and str(place)})
    elif place is None:
        tell(f"{name} needs no fetching: it comes with an installed package")
    else:
        say(str(place))
