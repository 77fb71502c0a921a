"""neocog reproduce"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Device, Json, Processes, many_trainings, say, whole_number


def reproduce(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="Published recipes; all that are shipped unless given.", metavar="NAME", show_default=False
        ),
    ] = None,
    seeds: Annotated[
        int, typer.Option(help="Trainings of each recipe: seeds 0, 1, …", parser=whole_number("--seeds"), metavar="N")
    ] = 5,
    twins: Annotated[bool, typer.Option("--twins/--no-twins", help="Train the mended twins, too.")] = True,
    device: Device = None,
    processes: Processes = None,
    out: Annotated[
        Path | None, typer.Option(help="The folder to make (default: runs/reproduce-1, -2, …).", metavar="DIR")
    ] = None,
    json: Json = False,
) -> None:
    """Train published recipes over seeds and hold them against the figures of their lessons.

    Each is trained exactly as published, its mistakes included; its mended twin shows what they cost.

    Finished seeds are kept: a second call, or one with more seeds, goes on.

    Example: neocog reproduce lenet-softmax --seeds 5
    """
    from neocog.render.reproduction import reproduction_text
    from neocog.render.runs import as_json
    from neocog.studies.reproducing import reproduce as reproduce_recipes

    with many_trainings() as shown:
        found = reproduce_recipes(
            *(names or ()), seeds=seeds, twins=twins, device=device, processes=processes, out=out, **shown
        )
    if json:
        say(as_json(found))
    else:
        say(f"{reproduction_text(found)}\n\nsaved in {found.conditions['saved']}")
