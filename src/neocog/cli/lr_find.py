"""neocog lr-find"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Device, Json, Set, data_progress, say, tell, whole_number


def lr_find(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, a TOML file or a run directory.")] = "fast",
    data: Annotated[
        str | None, typer.Option(help="A name (neocog data list) or a folder.", metavar="NAME|FOLDER")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Another network: a layer text or module:factory.", metavar="TEXT|CODE")
    ] = None,
    set_: Set = None,
    low: Annotated[float, typer.Option(help="The first rate.", metavar="RATE")] = 1e-7,
    high: Annotated[float, typer.Option(help="The last rate.", metavar="RATE")] = 10.0,
    steps: Annotated[
        int,
        typer.Option(
            help="How many steps lead from the first rate to the last.", parser=whole_number("--steps"), metavar="N"
        ),
    ] = 100,
    seed: Annotated[
        int | None, typer.Option(help="Where all random numbers start.", parser=whole_number("--seed"), metavar="N")
    ] = None,
    seeds: Annotated[
        int,
        typer.Option(help="How many tests, whose curves are averaged.", parser=whole_number("--seeds"), metavar="N"),
    ] = 1,
    device: Device = None,
    out: Annotated[Path | None, typer.Option(help="Draw the curve: a .png, .svg or .pdf.", metavar="FILE")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace FILE if it exists.")] = False,
    json: Json = False,
) -> None:
    """Find a learning rate: it grows step by step, and the loss shows where the network learns.

    Example: neocog lr-find fast --set optimizer.name=sgd
    """
    from neocog.files import check_target
    from neocog.recipe import parse_changes
    from neocog.render.rates import rates_text
    from neocog.render.runs import as_json
    from neocog.studies.rate_finding import lr_find as find_rate

    if out is not None:
        from neocog.plots.saving import DRAWINGS

        check_target(out, DRAWINGS, overwrite=overwrite)
    with data_progress() as progress:
        found = find_rate(
            recipe,
            data=data,
            model=model,
            set=parse_changes(set_ or []),
            low=low,
            high=high,
            steps=steps,
            seed=seed,
            seeds=seeds,
            device=device,
            watch=lambda done, total, _: progress("range test", done, total),
            progress=progress,
            tell=tell,
        )
    if out is not None:
        from neocog.plots.rates import plot_rates
        from neocog.plots.saving import save_figure

        save_figure(plot_rates(found), out, overwrite=overwrite)
        tell(f"drawn: {out}")
    say(as_json(found) if json else rates_text(found))
