"""A progress bar for training, the same on the command line and in Python."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

from neocog.curve import Plan, Point
from neocog.training import Observer


class ProgressBar(Observer):
    """A live bar on standard error, silent where that is no terminal: `train("fast", observers=[ProgressBar()])`."""

    def __init__(self) -> None:
        self.bar = Progress(
            TextColumn("training"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %  {task.description}"),
            TimeRemainingColumn(),
            console=Console(stderr=True),
            disable=not sys.stderr.isatty(),
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
