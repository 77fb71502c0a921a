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
)
from neocog.errors import OperationError, unknown
from neocog.ops.methods import METHODS
from neocog.tables import WIDTH

if TYPE_CHECKING:
    from torch import Tensor

    from neocog.filtering import Convolved

WHAT = {
    "result": "the picture before and after",
    "window": "one window and its arithmetic",
    "toeplitz": "the convolution as a matrix",
}

Out = Annotated[Path | None, typer.Option(help="Write a figure instead of drawing here.", metavar="FILE.png|.svg")]
Result = Annotated[Path | None, typer.Option(help="Write the filtered picture alone.", metavar="FILE.png|.npy")]


def convolve(
    image: Annotated[
        str,
        typer.Argument(
            help="A picture file; digit:0 to digit:9999, test pictures of MNIST; astronaut and more (scikit-image).",
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
            help="Zeros around: same, valid, N, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT (default: as same, at any stride).",
            metavar="ZEROS",
        ),
    ] = None,
    stride: Annotated[str, typer.Option(help="Pixels from window to window: N or ROWS,COLS.", metavar="N")] = "1",
    dilation: Annotated[str, typer.Option(help="Pixels from cell to cell: N or ROWS,COLS.", metavar="N")] = "1",
    method: Annotated[str, typer.Option(help=f"How to compute it: {', '.join(METHODS)}.", metavar="NAME")] = "im2col",
    grey: Annotated[
        bool | None, typer.Option("--grey/--rgb", help="Other colours than the picture's own.", show_default=False)
    ] = None,
    flip: Annotated[bool, typer.Option("--flip", help="True convolution: the kernel turned by 180°.")] = False,
    window: Annotated[
        str | None,
        typer.Option(help="The number to take apart (default: the strongest response).", metavar="ROW,COL"),
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
    zeros: Any = padding
    if padding not in (None, "same", "valid"):
        wanted = "same, valid, a number, ROWS,COLS or TOP,BOTTOM,LEFT,RIGHT, such as 1,2"
        zeros = _numbers("padding", padding, wanted, counts=(1, 2, 4))
    steps = _numbers("stride", stride, "a number, or ROWS,COLS, such as 2 or 2,1")
    gaps = _numbers("dilation", dilation, "a number, or ROWS,COLS, such as 2 or 2,1")
    which = _figure(figure, out, window)
    from neocog.files import check_target
    from neocog.filtering import RESULTS, save_result
    from neocog.filtering import convolve as convolve_picture
    from neocog.plots.saving import DRAWINGS

    for path, suffixes in ((out, DRAWINGS), (result, RESULTS)):
        if path is not None:
            check_target(path, suffixes, overwrite=overwrite)
    if out is not None and out == result:
        raise OperationError(f"--out and --result both name '{out}'; give two names")
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
    said: list[str] = []
    if out is not None:
        _draw(found, which, out, overwrite)
        said.append(f"wrote {out}: {WHAT[which]}")
    if result is not None:
        clipped = save_result(found.after, result, overwrite=overwrite)
        said.append(f"wrote {result}: {_kept(found.after, clipped)}")
    if json:
        from neocog.render import as_json

        typer.echo(as_json({**found.as_dict(), "written": [path for path in (out, result) if path is not None]}))
        return
    if out is None:
        from neocog.terminal import convolved_text

        columns = min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH)
        typer.echo(convolved_text(found, columns, colour=_in_colour()))
    for line in said:
        typer.echo(line)


def _numbers(option: str, text: str, wanted: str, counts: Sequence[int] = (1, 2)) -> Any:
    """One whole number, or several as a tuple."""
    try:
        parts = tuple(int(part) for part in text.split(","))
    except ValueError:
        parts = ()
    if len(parts) not in counts:
        raise OperationError(f"--{option} '{text}': write {wanted}")
    return parts[0] if len(parts) == 1 else parts


def _figure(figure: str | None, out: Path | None, window: str | None) -> str:
    if figure is None:
        return "result" if window is None else "window"
    if figure not in WHAT:
        raise OperationError(unknown("figure", figure, WHAT))
    if out is None:
        raise OperationError(f"--figure {figure}: give the file that it goes into, such as --out {figure}.png")
    return figure


def _draw(found: Convolved, which: str, path: Path, overwrite: bool) -> None:
    from neocog.plots import plot_convolution, plot_toeplitz, plot_window, save_figure

    if which == "toeplitz":
        # Each channel meets the same matrix, so that of one is shown.
        shape = (1, *found.before.shape[1:])
        drawn = plot_toeplitz(found.kernel.tensor()[None, None], shape, replace(found.spec, groups=1))
    else:
        drawn = plot_window(found) if which == "window" else plot_convolution(found)
    save_figure(drawn, path, overwrite=overwrite)


def _kept(after: Tensor, clipped: int) -> str:
    from neocog.ops.spec import times

    what = f"the result, {times(after.shape)}"
    if not clipped:
        return what
    return f"{what}; {clipped:,} of {after.numel():,} numbers lay outside 0…255 and were clipped; .npy keeps them all"


def _in_colour() -> bool:
    """Whether colours are for somebody to see, and can be."""
    from rich.console import Console

    console = Console()
    return sys.stdout.isatty() and not console.no_color and console.color_system == "truecolor"
