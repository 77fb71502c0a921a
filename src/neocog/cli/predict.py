"""neocog predict"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Code, Device, Json, print_json, say, tell


def predict(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    pictures: Annotated[list[Path], typer.Argument(help="Picture files, or folders of them.", metavar="IMAGE…")],
    top: Annotated[int, typer.Option(help="How many classes to show for each picture.", min=1, metavar="K")] = 3,
    model: Code = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Name what is in pictures, with probabilities.

    Example: neocog predict runs/fast-mnist-1 seven.png --top 3
    """
    from neocog.finished import Run, load
    from neocog.render.runs import predictions_text, temperature_text

    classifier = load(run, model=model, device=device)
    answers = classifier.ranked(pictures, top, tell)
    if json:
        print_json({"run": str(run), "temperature": classifier.temperature, "predictions": answers})
        return
    say(predictions_text(answers))
    if softened := temperature_text(classifier.temperature, Run.open(run).calibration):
        say(softened)
