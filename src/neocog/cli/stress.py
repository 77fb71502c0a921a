"""neocog stress"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Code, Device, Json, data_progress, print_json, say, tell


def stress(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    split: Annotated[str, typer.Option(help="Which part: val or test.", metavar="val|test")] = "val",
    only: Annotated[
        str | None, typer.Option(help="Some of the changes, such as shift,noise.", metavar="NAME,NAME")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for the curves, the pictures and all numbers.", metavar="FOLDER")
    ] = None,
    data: Annotated[str | None, typer.Option(help="Other data with the same classes.", metavar="NAME|FOLDER")] = None,
    model: Code = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """See how a classifier stands changed pictures: shift, rotation, scale, noise, blur, contrast, inversion.

    Each change has graded strengths, so every picture is classified about 40 times; --only takes less. What --split
    test measures is noted as an opening of the test part.

    Example: neocog stress runs/fast-mnist-1 --only shift,noise --out stress
    """
    from neocog.finished import Run
    from neocog.insight.stressing import stress as stress_run
    from neocog.render.stress import stress_text
    from neocog.run import RunDirectory

    if out is not None:
        RunDirectory.check_place(out, "--out")
    with data_progress() as progress:
        found = stress_run(
            run,
            split=split,
            only=only,
            data=data,
            model=model,
            device=device,
            progress=progress,
            tell=tell,
        )
    if out is not None:
        from neocog.plots.broken import plot_broken
        from neocog.plots.saving import save_figure
        from neocog.plots.stress import plot_stress

        curves, broken = plot_stress(found), plot_broken(found)
        folder = RunDirectory.create(out, "stress", "--out")
        folder.write_json("stress.json", found.as_dict())
        for name in ("stress.png", "stress.svg"):
            save_figure(curves, folder.path / name)
        if broken is not None:
            save_figure(broken, folder.path / "broken.png")
        tell(f"written: {out}")
    openings = Run.open(run).test_openings
    if json:
        print_json({**found.as_dict(), "test_openings": openings})
    else:
        say(stress_text(found))
        if found.part == "test":
            say(f"\nthe run's own test part: opened {openings} time{'s' * (openings > 1)}")
