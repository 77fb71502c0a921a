"""neocog convolve"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from neocog.cli.options import (
    Amount,
    Angle,
    Aspect,
    Direction,
    Json,
    Length,
    Neighbours,
    Normalize,
    Phase,
    Seed,
    Sigma,
    Size,
    Wavelength,
    say,
)
from neocog.errors import OperationError, unknown
from neocog.ops.arguments import shown
from neocog.ops.methods import METHODS
from neocog.tables import WIDTH

if TYPE_CHECKING:
    from neocog.filtering import Convolved

WHAT = {
    "result": "the picture before and after",
    "window": "one window and its arithmetic",
    "toeplitz": "the convolution as a matrix",
}

Out = Annotated[
    Path | None,
    typer.Option(help="Write a figure, as .png, .svg or .pdf, instead of drawing here.", metavar="FILE"),
]
Result = Annotated[
    Path | None,
    typer.Option(help="Write the result alone: .png as it is drawn, .npy the exact numbers.", metavar="FILE"),
]


def convolve(
    image: Annotated[
        str,
        typer.Argument(
            help="A picture file; digit:0 to digit:9999, MNIST's test pictures by number (digit:7 is the eighth, a "
            "nine); or astronaut and more, which need: pip install scikit-image.",
            metavar="IMAGE",
        ),
    ],
    kernel: Annotated[
        str,
        typer.Option(help='A name (neocog kernels), a file of rows, or "1 0 -1; 2 0 -2; 1 0 -1".', metavar="KERNEL"),
    ],
    padding: Annotated[
        str | None,
        typer.Option(
            help="Zeros around: same, valid (none; the result lacks the frame), N, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT "
            "(default: as many as same, at any stride).",
            metavar="ZEROS",
        ),
    ] = None,
    stride: Annotated[str, typer.Option(help="Pixels from window to window: N or ROWS,COLS.", metavar="N")] = "1",
    dilation: Annotated[str, typer.Option(help="Pixels from cell to cell: N or ROWS,COLS.", metavar="N")] = "1",
    method: Annotated[
        str,
        typer.Option(
            help=f"How to compute it: {', '.join(METHODS)}; auto is im2col below 9×9, else fft.", metavar="NAME"
        ),
    ] = "auto",
    grey: Annotated[
        bool | None, typer.Option("--grey/--rgb", help="Other colours than the picture's own.", show_default=False)
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="True convolution: the kernel turned by 180°.")] = False,
    window: Annotated[
        str | None,
        typer.Option(
            help="The number to take apart, rows and columns from 0 (default: the strongest response whose window lies "
            "on the picture).",
            metavar="ROW,COL",
        ),
    ] = None,
    out: Out = None,
    figure: Annotated[
        str | None,
        typer.Option(help="Which: result, window or toeplitz (default: window with --window).", metavar="FIGURE"),
    ] = None,
    result: Result = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace files that exist.")] = False,
    json: Json = False,
    size: Size = None,
    sigma: Sigma = None,
    amount: Amount = None,
    direction: Direction = None,
    normalize: Normalize = None,
    neighbours: Neighbours = None,
    length: Length = None,
    angle: Angle = None,
    wavelength: Wavelength = None,
    phase: Phase = None,
    aspect: Aspect = None,
    seed: Seed = None,
) -> None:
    """Lay a kernel on a picture: before and after, and one number taken apart, product by product.

    Each channel is convolved by itself, on pixel values from 0 to 255.

    Example: neocog convolve digit:7 --kernel sobel
    """
    place = None if window is None else _numbers("window", window, "a row and a column, such as 12,7", counts=(2,))
    steps = _numbers("stride", stride, "a number, or ROWS,COLS, such as 2 or 2,1")
    gaps = _numbers("dilation", dilation, "a number, or ROWS,COLS, such as 2 or 2,1")
    zeros = _zeros(padding, steps)
    which = _figure(figure, out, window)
    _check_files(image, out, result, overwrite)
    from neocog.filtering import convolve as convolve_picture

    found = convolve_picture(
        image,
        kernel,
        padding=zeros,
        stride=steps,
        dilation=gaps,
        method=method,
        color="auto" if grey is None else "grey" if grey else "rgb",
        flip=flip,
        window=place,
        size=size,
        sigma=sigma,
        amount=amount,
        direction=direction,
        normalize=normalize,
        neighbours=neighbours,
        length=length,
        angle=angle,
        wavelength=wavelength,
        phase=phase,
        aspect=aspect,
        seed=seed,
    )
    written: list[dict[str, Any]] = []
    if out is not None:
        written.append({"file": out, "holds": _draw(found, which, out, overwrite), "clipped": 0})
    if result is not None:
        written.append(_save(found, result, overwrite))
    if json:
        from neocog.render.runs import as_json

        say(as_json({**found.as_dict(), "written": written}))
        return
    if not written:
        from neocog.terminal import convolved_text, in_256_colours

        columns, colours = min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH), _colours()
        text = convolved_text(found, columns, colour=bool(colours), every=window is not None)
        # Not by `say`, which would escape the colours.
        typer.echo(in_256_colours(text) if colours == "256" else text)
    for each in written:
        say(f"wrote {each['file']}: {each['holds']}")


def _numbers(option: str, text: str, wanted: str, counts: Sequence[int] = (1, 2), note: str = "") -> Any:
    """One whole number, or several as a tuple."""
    try:
        parts = tuple(int(part) for part in text.split(","))
    except ValueError:
        parts = ()
    if len(parts) not in counts:
        raise OperationError(f"--{option} {shown(text)}: {note}write {wanted}")
    return parts[0] if len(parts) == 1 else parts


def _zeros(padding: str | None, steps: Any) -> Any:
    """The padding as the library takes it."""
    if padding == "same" and steps not in (1, (1, 1)):
        raise OperationError(
            "--padding same keeps the size only at stride 1; leave --padding out, which puts the same zeros around at "
            "any stride, or give numbers"
        )
    if padding in (None, "same", "valid"):
        return padding
    kinds = "same, valid, a number, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT, such as 1,2"
    only = "" if any(letter.isdigit() for letter in padding) else "the padding is always zeros; "
    return _numbers("padding", padding, kinds, counts=(1, 2, 4), note=only)


def _figure(figure: str | None, out: Path | None, window: str | None) -> str:
    if figure is None:
        return "result" if window is None else "window"
    if figure not in WHAT:
        raise OperationError(unknown("figure", figure, WHAT))
    if out is None:
        raise OperationError(f"--figure {figure}: give the file that it goes into, such as --out {figure}.png")
    if figure == "toeplitz" and window is not None:
        raise OperationError("--figure toeplitz shows all windows at once; leave --window out")
    return figure


def _check_files(image: str, out: Path | None, result: Path | None, overwrite: bool) -> None:
    """Refuse places that can't be written to before anything is computed."""
    from neocog.files import check_target, same_file
    from neocog.filtering import RESULTS
    from neocog.plots.saving import DRAWINGS

    for option, path, suffixes in (("out", out, DRAWINGS), ("result", result, RESULTS)):
        if path is not None:
            if same_file(path, image):
                raise OperationError(f"--{option}: '{path}' is the picture itself; give another name")
            check_target(path, suffixes, overwrite=overwrite)
    if out is not None and result is not None and same_file(out, result):
        both = f"both name '{out}'" if out == result else f"name one file, '{out}' and '{result}'"
        raise OperationError(f"--out and --result {both}; give two names")


def _draw(found: Convolved, which: str, path: Path, overwrite: bool) -> str:
    """Write a figure, and say what it holds."""
    from neocog.plots import plot_convolution, plot_toeplitz, plot_window, save_figure

    holds = WHAT[which]
    if which == "toeplitz":
        # Each channel meets the same matrix, so one is shown.
        one, title = found.before[:1], f"{found.picture} under {found.kernel.name}"
        drawn = plot_toeplitz(
            found.kernel.tensor()[None, None], one.shape, replace(found.spec, groups=1), one, title=title
        )
        if len(found.before) > 1:
            holds += ", for the red channel; --grey makes one of all three"
    else:
        drawn = plot_window(found) if which == "window" else plot_convolution(found)
    save_figure(drawn, path, overwrite=overwrite)
    return holds


def _save(found: Convolved, path: Path, overwrite: bool) -> dict[str, Any]:
    """Write the result, and say what the file holds."""
    from neocog.filtering import GREYS, save_result
    from neocog.ops.spec import times

    clipped = save_result(found, path, overwrite=overwrite)
    holds = f"the result, {times(found.after.shape)}"
    low, high = found.after_range
    if path.suffix.lower() == ".png":
        if (low, high) != GREYS:
            holds += f"; {low:.6g} is black, " + ("0 mid grey, " if low < 0 else "") + f"{high:.6g} white"
        if clipped:
            holds += f"; clipped: {clipped:,} of {found.after.numel():,} numbers; .npy keeps them all"
    return {"file": path, "holds": holds, "clipped": clipped}


def _colours() -> str:
    """The colours that somebody sees: "truecolor", "256", or "" for none."""
    from rich.console import Console

    console = Console()
    if not sys.stdout.isatty() or console.no_color or console.color_system not in ("truecolor", "256"):
        return ""
    return console.color_system
