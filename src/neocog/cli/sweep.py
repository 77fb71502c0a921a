"""neocog sweep"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Device, Json, Precision, Processes, many_trainings, say, whole_number


def sweep(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, a TOML file or a run directory.")],
    values: Annotated[
        list[str] | None,
        typer.Argument(help="A key and what to try for it: optimizer.lr=0.01,0.02.", metavar="KEY=V1,V2…"),
    ] = None,
    set_: Annotated[
        list[str] | None, typer.Option("--set", help="The same as KEY=V1,V2 without --set.", metavar="KEY=V1,V2")
    ] = None,
    random: Annotated[
        int | None,
        typer.Option(help="Draw so many; a range is LOW..HIGH.", parser=whole_number("--random"), metavar="N"),
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(help="How many times each configuration is trained.", parser=whole_number("--seeds"), metavar="N"),
    ] = 3,
    seed: Annotated[
        int, typer.Option(help="Where the drawing of --random starts.", parser=whole_number("--seed"), metavar="N")
    ] = 0,
    data: Annotated[
        str | None, typer.Option(help="A name (neocog data list) or a folder.", metavar="NAME|FOLDER")
    ] = None,
    metric: Annotated[str, typer.Option(help="On validation pictures.", metavar="accuracy|loss|macro-f1")] = "accuracy",
    device: Device = None,
    precision: Precision = None,
    processes: Processes = None,
    out: Annotated[
        Path | None, typer.Option(help="The directory to make (default: runs/sweep-RECIPE-1, -2, …).", metavar="DIR")
    ] = None,
    json: Json = False,
) -> None:
    """Try every combination of some values, and rank them by what they reach on validation pictures.

    Example: neocog sweep model-a optimizer.lr=0.01,0.02,0.05 optimizer.momentum=0,0.9
    """
    from neocog.render.runs import as_json
    from neocog.render.sweep import sweep_text
    from neocog.studies.grid import parse_choices
    from neocog.studies.sweeping import sweep as try_all

    with many_trainings() as shown:
        found = try_all(
            recipe,
            parse_choices([*(values or []), *(set_ or [])]),
            seeds=seeds,
            random=random,
            seed=seed,
            data=data,
            metric=metric,
            device=device,
            precision=precision,
            processes=processes,
            out=out,
            **shown,
        )
    say(as_json(found) if json else sweep_text(found))
