"""neocog train"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from neocog.cli.options import Device, Json, Set, data_progress, on_terminal, print_json, tell

if TYPE_CHECKING:
    from neocog.training import Observer


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
    precision: Annotated[str | None, typer.Option(help="auto, float32 or bf16.", metavar="PRECISION")] = None,
    tensorboard: Annotated[bool, typer.Option(help="Write the curve for TensorBoard, too.")] = False,
    json: Json = False,
) -> None:
    """Train a classifier, measure it, and keep everything in a run directory.

    Example: neocog train fast --data photos/ --set train.iterations=1000
    """
    from neocog.recipe import parse_changes
    from neocog.render import train_text
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
            observers=[_bar()],
            progress=progress,
            tell=tell,
        )
    if json:
        print_json(finished.results)
    else:
        typer.echo(train_text(finished.results))


def _bar() -> Observer:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    from neocog.training import Observer, Plan, Point

    class Bar(Observer):
        """A live progress bar on standard error; silent where that is no terminal."""

        def __init__(self) -> None:
            self.bar = Progress(
                TextColumn("training"),
                BarColumn(),
                TextColumn("{task.percentage:>3.0f} %  {task.description}"),
                TimeRemainingColumn(),
                console=Console(stderr=True),
                disable=not on_terminal(),
                transient=True,
            )
            self.task = self.bar.add_task("")
            self.validation = ""

        def start(self, plan: Plan) -> None:
            self.bar.update(self.task, total=plan.total_steps)
            self.bar.start()

        def step(self, done: int) -> None:
            if done % 10 == 0:
                self.bar.update(self.task, completed=done)

        def point(self, point: Point) -> None:
            if point.validation_accuracy is not None:
                self.validation = f"  validation {point.validation_accuracy * 100:.2f} %"
            self.bar.update(
                self.task,
                completed=point.step,
                description=f"epoch {point.epoch:.1f}  loss {point.train_loss:.4f}{self.validation}",
            )

        def end(self) -> None:
            self.bar.stop()

    return Bar()
