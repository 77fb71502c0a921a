"""neocog compare"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Device, Json, Precision, Processes, Set, many_trainings, say, whole_number


def compare(
    sides: Annotated[
        list[str],
        typer.Argument(help='Recipes, TOML files or runs; with changes in quotes: "model-a optimizer.lr=0.02".'),
    ],
    seeds: Annotated[
        int | None,
        typer.Option(
            help="How many times each side is trained (default: 10).", parser=whole_number("--seeds"), metavar="N"
        ),
    ] = None,
    vary: Annotated[
        str | None,
        typer.Option(help="All sides are the first but for this table or key, such as model.", metavar="KEY"),
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="One data set for all: a name or a folder.", metavar="NAME|FOLDER")
    ] = None,
    metric: Annotated[
        str | None, typer.Option(help="On validation pictures (default: accuracy).", metavar="accuracy|loss|macro-f1")
    ] = None,
    set_: Set = None,
    split: Annotated[
        str | None, typer.Option(help="Finished runs alone: which part (default: test).", metavar="val|test")
    ] = None,
    device: Device = None,
    precision: Precision = None,
    processes: Processes = None,
    out: Annotated[
        Path | None, typer.Option(help="The directory to make (default: runs/compare-A-B-1, -2, …).", metavar="DIR")
    ] = None,
    json: Json = False,
) -> None:
    """Train sides with the same seeds and say which is better, by how much, and how sure that is.

    Finished runs alone, without --seeds, are compared picture by picture from their stored predictions.

    Example: neocog compare model-a "model-a optimizer.lr=0.02" --seeds 5
    """
    from neocog.recipe import parse_changes
    from neocog.render.comparison import comparison_text, run_comparison_text
    from neocog.render.runs import as_json
    from neocog.statistics.comparison import Comparison
    from neocog.studies.comparing import compare as compare_sides

    with many_trainings() as shown:
        found = compare_sides(
            *sides,
            seeds=seeds,
            vary=vary,
            data=data,
            metric=metric,
            set=parse_changes(set_ or []),
            split=split,
            device=device,
            precision=precision,
            processes=processes,
            out=out,
            **shown,
        )
    if json:
        say(as_json(found))
    else:
        say(comparison_text(found) if isinstance(found, Comparison) else run_comparison_text(found))
        if out is not None and not isinstance(found, Comparison):
            say(f"\nsaved in {out}")
