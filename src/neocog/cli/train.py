"""neocog train"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from neocog.cli.options import (
    CheckpointEvery,
    Device,
    Figures,
    Json,
    Precision,
    Set,
    data_progress,
    print_json,
    say,
    stoppable,
    tell,
)
from neocog.stopping import Stopped

if TYPE_CHECKING:
    from neocog.finished import Run


def train(
    recipe: Annotated[str, typer.Argument(help="A recipe's name, a TOML file or a run directory.")] = "fast",
    data: Annotated[
        str | None, typer.Option(help="A name (neocog data list) or a folder.", metavar="NAME|FOLDER")
    ] = None,
    model: Annotated[
        str | None, typer.Option(help="Another network: a layer text or module:factory.", metavar="TEXT|CODE")
    ] = None,
    set_: Set = None,
    seed: Annotated[int | None, typer.Option(help="Where all random numbers start.", min=0)] = None,
    run: Annotated[
        Path | None, typer.Option(help="The directory to make (default: runs/RECIPE-DATA-1, -2, …).", metavar="DIR")
    ] = None,
    device: Device = None,
    precision: Precision = None,
    tensorboard: Annotated[bool, typer.Option(help="Write the curve for TensorBoard, too.")] = False,
    figures: Figures = True,
    checkpoint_every: CheckpointEvery = 30.0,
    json: Json = False,
) -> None:
    """Train a classifier, measure it, and keep everything in a run directory.

    Example: neocog train fast --data photos/ --set train.iterations=1000
    """
    with stoppable() as signals:
        from neocog.progress import ProgressBar  # here, as reading torch takes a while in which one may stop
        from neocog.recipe import parse_changes
        from neocog.workflow import train as train_classifier

        with data_progress() as progress:
            finished = train_classifier(
                recipe,
                data=data,
                model=model,
                set=parse_changes(set_ or []),
                seed=seed,
                run=run,
                device=device,
                precision=precision,
                tensorboard=tensorboard,
                checkpoint_every=checkpoint_every,
                figures=False,  # after the answer, which nobody should wait for
                observers=[ProgressBar()],
                progress=progress,
                tell=tell,
            )
        signals.does(complete(finished))
        answer(finished, figures, json)


def complete(finished: Run) -> Callable[[int], NoReturn]:
    """What a signal does once a run is complete, and only figures are missing."""

    def stop(number: int) -> NoReturn:
        made = f"neocog report {shlex.quote(str(finished.path))}"
        raise Stopped(finished.path, number, f"stopped while figures were drawn; the run is complete: {made}")

    return stop


def answer(finished: Run, figures: bool, json: bool) -> None:
    """What a training ends with: the numbers first, then what there is to look at."""
    from neocog.insight.reporting import look
    from neocog.render.runs import train_text

    if not json:
        say(train_text(finished.results))
        sys.stdout.flush()
    written = look(finished, tell) if figures else []
    report = next((str(path) for path in written if path.suffix == ".html"), None)
    drawn = [str(path) for path in written if path.suffix != ".html"]
    if json:
        print_json({**finished.results, "report": report, "figures": drawn})
        return
    for label, text in (("figures", str(Path(drawn[0]).parent) if drawn else None), ("report", report)):
        if text:
            say(f"{label:<20}{text}")
