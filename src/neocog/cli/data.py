"""neocog data"""

from __future__ import annotations

from typing import Annotated, Any

import typer

from neocog.cli.options import Json, data_progress, print_json, tell

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
    typer.echo(table(["name", "what", ">shape", ">pictures", ">classes", "from"], rows))


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
        typer.echo(dataset_text(facts))


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
        typer.echo(str(place))
