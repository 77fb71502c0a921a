"""neocog explain"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from neocog.cli.options import Code, Device, Json, data_progress, say, tell
from neocog.errors import ExplanationError


def explain(
    run: Annotated[Path, typer.Argument(help="A run directory.")],
    picture: Annotated[
        str,
        typer.Argument(help="A picture file, or digit:7 for one of MNIST's test part.", metavar="IMAGE|digit:INDEX"),
    ],
    layer: Annotated[
        str | None,
        typer.Option(help="Look into this layer, by its number in `neocog summary`.", metavar="LAYER"),
    ] = None,
    neuron: Annotated[
        str | None,
        typer.Option(help="Which of its numbers to take apart (default: the largest).", metavar="CHANNEL,ROW,COLUMN"),
    ] = None,
    class_: Annotated[
        str | None, typer.Option("--class", help="The class to explain (default: the answer).", metavar="NAME")
    ] = None,
    method: Annotated[
        list[str] | None,
        typer.Option(help="One of the maps alone; may be given again (default: all that fit).", metavar="METHOD"),
    ] = None,
    baseline: Annotated[str, typer.Option(help="What counts as nothing.", metavar="black|mean|white")] = "black",
    data: Annotated[
        str | None,
        typer.Option(help="Where the training pictures are now, if they have moved.", metavar="NAME|FOLDER"),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="The directory to make (default: RUN/explanations/IMAGE-1, -2, …).", metavar="DIR"),
    ] = None,
    model: Code = None,
    device: Device = None,
    json: Json = False,
) -> None:
    """Show why a network gives its answer for a picture, or take one number of a layer apart.

    Example: neocog explain runs/fast-mnist-1 digit:7 --layer 5 --neuron 3,4,6
    """
    from neocog.insight.explaining import explain as explain_picture
    from neocog.insight.explaining import folder_name
    from neocog.plots.saving import save_figure
    from neocog.render.explanation import answer_text
    from neocog.render.runs import as_json
    from neocog.run import RunDirectory

    if layer is not None and (method or class_):
        raise ExplanationError("--method and --class ask why of the picture as a whole; leave --layer out, or them")
    place = _neuron(layer, neuron)
    RunDirectory.check_place(out, "--out")
    with data_progress() as progress:
        found = explain_picture(
            run,
            picture,
            target=class_,
            methods=method,
            baseline=baseline,
            nearest=layer is None,
            data=data,
            model=model,
            device=device,
            progress=progress,
            tell=tell,
        )
        shown: Any = found if layer is None else found.trace(layer, place)
        texts = (
            {"explanation.txt": str(found)}
            if layer is None
            else {"trace.txt": shown.text(), "trace.py": shown.python()}
        )
    if json:
        say(as_json(shown))
    else:
        say("\n\n".join(texts.values() if layer is None else [answer_text(found), *texts.values()]))
    folder = RunDirectory.create(out, folder_name(found.name), "--out", within=run / "explanations")
    for name, text in {**texts, "explanation.json": as_json(shown)}.items():
        folder.write_text(name, f"{text}\n")
    figures = found.figures() if layer is None else found.layer_figures(layer, place)
    for name, figure in figures.items():
        save_figure(figure, folder.path / f"{name}.png")
    tell(f"wrote {len(figures)} figures: {folder.path}")


def _neuron(layer: str | None, text: str | None) -> tuple[int, ...] | None:
    """The numbers of --neuron."""
    if text is None:
        return None
    if layer is None:
        raise ExplanationError(f"--neuron {text}: say in which layer with --layer; `neocog summary RUN` numbers them")
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise ExplanationError(f"--neuron '{text}': write channel, row and column, such as 3,4,6") from None
