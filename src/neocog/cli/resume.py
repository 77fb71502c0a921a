"""neocog resume"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import CheckpointEvery, Code, Figures, Json, data_progress, print_json, say, stoppable, tell
from neocog.cli.train import answer, complete
from neocog.errors import RunError


def resume(
    run: Annotated[Path, typer.Argument(help="The directory of a run that was stopped.")],
    previous: Annotated[bool, typer.Option("--previous", help="From the checkpoint before the last.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Also where recipe or data are no longer the same.")] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only train a stretch again, and compare it with what was kept.")
    ] = False,
    data: Annotated[
        str | None, typer.Option(help="Where the pictures lie now, if they were moved.", metavar="FOLDER")
    ] = None,
    model: Code = None,
    figures: Figures = True,
    checkpoint_every: CheckpointEvery = 30.0,
    json: Json = False,
) -> None:
    """Go on with a training that was stopped or killed, to the same bits.

    With --verify nothing in the run is changed: a stopped or finished run is trained again, in memory, from the
    earlier of its checkpoints to the later, and to its end if it has one. Exit status 0 means the same bits, 1 others.

    Example: neocog resume runs/fast-mnist-1
    """
    from neocog.run import RunDirectory

    if verify and (previous or force):
        raise RunError(f"--verify goes on with nothing, so it takes no {'--previous' if previous else '--force'}")
    if not (verify and (run / "results.json").exists()):
        RunDirectory.unfinished(run)  # before torch is read, which takes seconds
    with stoppable(*(["stopped; verifying has changed nothing"] if verify else [])) as signals:
        from neocog.progress import ProgressBar
        from neocog.resuming import resume as resume_training
        from neocog.verifying import verify as verify_run

        if verify:
            with data_progress() as progress:
                found = verify_run(run, data=data, model=model, observers=[ProgressBar()], progress=progress, tell=tell)
            if json:
                print_json(found.as_dict())
            else:
                say(str(found))
            raise typer.Exit(0 if found.same else 1)
        with data_progress() as progress:
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
        signals.does(complete(finished))
        answer(finished, figures, json)
