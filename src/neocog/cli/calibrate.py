"""neocog calibrate"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Json, print_json, say


def calibrate(run: Annotated[Path, typer.Argument(help="A run directory.")], json: Json = False) -> None:
    """Fit the temperature that makes a run's probabilities as sure as they are right.

    It is fitted on the validation part and kept with the run; from then on predict and evaluate use it. The class
    that a picture gets never changes.

    Example: neocog calibrate runs/fast-mnist-1
    """
    from neocog.insight.calibrating import calibrate as calibrate_run
    from neocog.render.runs import calibration_text

    found = calibrate_run(run)
    if json:
        print_json({"run": str(run), **found.as_dict()})
    else:
        say(calibration_text(found, run))
