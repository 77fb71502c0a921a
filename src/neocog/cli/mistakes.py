"""neocog mistakes"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from neocog.cli.options import Json, data_progress, print_json, say, tell, whole_number


def mistakes(
    runs: Annotated[
        list[Path], typer.Argument(help="Run directories; several tell wrong labels from bad luck.", metavar="RUN...")
    ],
    true: Annotated[str | None, typer.Option(help="Only pictures of this class.", metavar="CLASS")] = None,
    pred: Annotated[str | None, typer.Option(help="Only pictures taken for this class.", metavar="CLASS")] = None,
    top: Annotated[int, typer.Option(help="How many are listed.", parser=whole_number("--top"), metavar="N")] = 20,
    split: Annotated[str, typer.Option(help="Which part: test or val.", metavar="test|val")] = "test",
    duplicates: Annotated[
        bool | None,
        typer.Option(
            "--duplicates/--no-duplicates",
            help="Look for them among the training pictures (default: if it takes seconds, without --true, --pred).",
            show_default=False,
        ),
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help="A new folder for the pictures and all numbers.", metavar="FOLDER")
    ] = None,
    data: Annotated[
        str | None, typer.Option(help="The data, where they have been moved to.", metavar="NAME|FOLDER")
    ] = None,
    json: Json = False,
) -> None:
    """Show what a classifier got wrong, labels that may be wrong, and test pictures that were trained on.

    Example: neocog mistakes runs/fast-mnist-1 --true 4 --pred 9 --out fours
    """
    from neocog.insight.mistake_finding import mistakes as find
    from neocog.render.mistakes import mistakes_text
    from neocog.run import RunDirectory

    if out is not None:
        RunDirectory.check_place(out, "--out")
    with data_progress() as progress:
        found = find(
            *runs, true=true, pred=pred, top=top, split=split, duplicates=duplicates, data=data, progress=progress
        )
    if out is not None:
        from neocog.plots.listed import plot_duplicates, plot_label_errors, plot_listed
        from neocog.plots.saving import save_figure

        figures = {
            "mistakes": plot_listed(found),
            "label_errors": plot_label_errors(found),
            "duplicates": plot_duplicates(found),
        }
        folder = RunDirectory.create(out, "mistakes", "--out")
        folder.write_json("mistakes.json", found.as_dict())
        for name, figure in figures.items():
            if figure is not None:
                save_figure(figure, folder.path / f"{name}.png")
        tell(f"written: {out}")
    if json:
        print_json(found.as_dict())
    else:
        say(mistakes_text(found))
