"""neocog evaluate"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Code, Device, Json, data_progress, print_json, say, tell


def evaluate(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    split: Annotated[str, typer.Option(help="Which part: val or test.", metavar="val|test")] = "test",
    data: Annotated[str | None, typer.Option(help="Other data with the same classes.", metavar="NAME|FOLDER")] = None,
    model: Code = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Measure a trained classifier: accuracy, macro F1, kappa, top-k, loss and calibration with their intervals,
    every class, the confusions.

    Example: neocog evaluate runs/fast-mnist-1 --split val
    """
    from neocog.finished import Run
    from neocog.finished import evaluate as evaluate_run
    from neocog.render.runs import evaluation_text

    with data_progress() as progress:
        found = evaluate_run(run, split=split, data=data, model=model, device=device, progress=progress, tell=tell)
    measured = Run.open(run)
    openings = measured.test_openings
    if json:
        print_json({"run": str(run), **found.as_dict(), "test_openings": openings})
    else:
        say(evaluation_text(found, measured.calibration))
        if found.split == "test":
            say(f"\nthe run's own test part: opened {openings} time{'s' * (openings > 1)}")
