"""Options that several verbs share, so that they read the same everywhere."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from neocog.errors import RecipeError
from neocog.stopping import FirstSignal, Stopped, heeding
from neocog.tables import WIDTH
from neocog.untrusted import shown, shown_lines

if TYPE_CHECKING:
    from neocog.data import Progress

Json = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
Device = Annotated[str | None, typer.Option("--device", help="auto, cpu, cuda, cuda:1 or mps.", metavar="DEVICE")]
Precision = Annotated[
    str | None, typer.Option("--precision", help="auto, bf16, float32 or float64.", metavar="PRECISION")
]


def whole_number(option: str) -> Callable[[str | int], int]:
    """What reads that option; how large its number may be says the library, in the same words as from Python."""

    def read(text: str | int) -> int:
        try:
            return int(text)
        except ValueError:
            raise RecipeError(f"{option} '{text}': give a whole number, such as 3") from None

    return read


Processes = Annotated[
    int | None,
    typer.Option(
        "--processes",
        help="Trainings at once (default: one for each core).",
        parser=whole_number("--processes"),
        metavar="N",
    ),
]
Code = Annotated[
    str | None,
    typer.Option("--model", help="module:factory, when the run's network is code of your own.", metavar="CODE"),
]
CheckpointEvery = Annotated[
    float, typer.Option(help="Seconds from one checkpoint to the next.", min=0.0, metavar="SECONDS")
]
Figures = Annotated[bool, typer.Option("--figures/--no-figures", help="Draw figures and write a report.")]
Set = Annotated[
    list[str] | None,
    typer.Option("--set", help="Another value for a key, such as optimizer.lr=0.02.", metavar="KEY=VALUE"),
]


def _setting(help_: str, metavar: str | None = None, *names: str) -> Any:
    """An option that goes to the maker of a named kernel, which refuses what it doesn't take."""
    panel = "Settings of named kernels"
    return typer.Option(*names, help=help_, metavar=metavar, rich_help_panel=panel, show_default=False)


# The settings of named kernels, which `convolve` and `kernels` both take.
Size = Annotated[int | None, _setting("Rows and columns of the kernel.", "N")]
Sigma = Annotated[float | None, _setting("gaussian, unsharp, gabor: width of the bell.", "PIXELS")]
Amount = Annotated[float | None, _setting("unsharp: how much to sharpen.", "X")]
Direction = Annotated[str | None, _setting("sobel, prewitt, scharr.", "x|y")]
Normalize = Annotated[bool | None, _setting("Derivatives: scaled to the change per pixel.", None, "--normalize")]
Neighbours = Annotated[int | None, _setting("laplacian.", "4|8")]
Length = Annotated[int | None, _setting("motion: pixels along the line.", "N")]
Angle = Annotated[float | None, _setting("motion, gabor: 0 is to the right, 90 is up.", "DEGREES")]
Wavelength = Annotated[float | None, _setting("gabor: from stripe to stripe.", "PIXELS")]
Phase = Annotated[float | None, _setting("gabor: shift of the stripes.", "DEGREES")]
Aspect = Annotated[float | None, _setting("gabor: width over length of the bell.", "X")]
Seed = Annotated[int | None, _setting("gaussian-as-published: names its random numbers.", "N")]


def say(text: str, *, err: bool = False, nl: bool = True) -> None:
    """Lines on standard output; what a strange run may hold to move the cursor or change the colours is escaped."""
    typer.echo(shown_lines(text), err=err, nl=nl)


def print_json(content: Any) -> None:
    """One JSON object on standard output, whose strange signs are escaped as JSON does it and not as `say` would."""
    text = json.dumps(content, ensure_ascii=False, indent=2)
    typer.echo("".join(sign if sign == "\n" or shown(sign) == sign else json.dumps(sign)[1:-1] for sign in text))


def tell(text: str) -> None:
    """A remark, on standard error."""
    say(text, err=True)


def columns() -> int:
    """How wide a text may be."""
    return max(40, min(shutil.get_terminal_size((WIDTH, 24)).columns, WIDTH))


def on_terminal() -> bool:
    """Whether bars are for somebody to see. Rich would say yes wherever FORCE_COLOR is set."""
    return sys.stderr.isatty()


@contextmanager
def data_progress() -> Iterator[Progress]:
    """A bar for fetching and decoding, on standard error; silent where that is no terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    bars = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not on_terminal(),
        transient=True,
    )
    tasks: dict[str, Any] = {}

    def progress(what: str, done: int, total: int) -> None:
        bars.start()
        if what not in tasks:
            tasks[what] = bars.add_task(what, total=total)
        bars.update(tasks[what], completed=done, total=total)
        if done >= total:
            bars.remove_task(tasks.pop(what))
        if not tasks:
            bars.stop()  # or it would wipe away the training's bar, which comes next

    try:
        yield progress
    finally:
        bars.stop()


@contextmanager
def stoppable(text: str = "stopped before anything was begun") -> Iterator[FirstSignal]:
    """A training that is asked to stop says in one line how to go on, and ends with the signal's exit status.

    Where no training is under way a signal ends the command, so that nothing half made is left behind; what is given
    back may say something else than `text`.
    """

    def end(number: int) -> NoReturn:
        raise Stopped(Path(), number, text)

    signals = FirstSignal()
    signals.does(end)
    try:
        with heeding(signals):
            yield signals
    except Stopped as stopped:
        tell(str(stopped))
        raise typer.Exit(stopped.status) from None


@contextmanager
def many_trainings() -> Iterator[dict[str, Any]]:
    """The watcher, progress and tell of a study. Ctrl-C in it is one line of what is kept, and exit status 130."""
    from neocog.studies.jobs import Interrupted
    from neocog.studies.watching import SeedTable

    try:
        with data_progress() as progress:
            yield {"watcher": SeedTable() if on_terminal() else None, "progress": progress, "tell": tell}
    except Interrupted as stopped:
        tell(str(stopped))
        raise typer.Exit(130) from None
