"""neocog resume"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import CheckpointEvery, Code, Figures, Json, data_progress, stoppable, tell
from neocog.cli.train import answer


def resume(
    run: Annotated[Path, typer.Argument(help="The directory of a run that was stopped.")],
    previous: Annotated[bool, typer.Option("--previous", help="From the checkpoint before the last.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where recipe or data are no longer the same.")] = False,
    data: Annotated[
        str | None, typer.Option(help="Where the pictures lie now, if they were moved.", metavar="FOLDER")
    ] = None,
    model: Code = None,
    figures: Figures = True,
    checkpoint_every: CheckpointEvery = 30.0,
    json: Json = False,
) -> None:
    """Go on with a training that was stopped or killed, to the same bits.

    Example: neocog resume runs/fast-mnist-1
    """
    from neocog.progress import ProgressBar
    from neocog.resuming import resume as resume_training

    with stoppable(), data_progress() as progress:
        finished = resume_training(
            run,
            previous=previous,
            force=force,
            data=data,
            model=model,
            figures=False,  # after the answer, which nobody should wait for
            checkpoint_every=checkpoint_every,
            observers=[ProgressBar()],
            progress=progress,
            tell=tell,
        )
    answer(finished, figures, json)
