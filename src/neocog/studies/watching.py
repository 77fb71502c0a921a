"""A live table of many trainings, for the terminal."""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev

from rich.console import Console
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from neocog.studies.jobs import Job, Outcome, Watcher

_EVERY = 0.1  # seconds between two pictures of the table
_RUNNING = 4  # seeds that are named; the others are counted


class SeedTable(Watcher):
    """A live table on standard error, one line a label; silent where that is no terminal, unless a console is given.

        model-a    3 of 10          97.91 ± 0.12 %   ━━━━━━━━━━━━━━━━  seed 3 45 %, seed 4 12 %
        model-b    0 of 10                           ━━━━━━━━━━━━━━━━

    The accuracy is mean ± standard deviation over the seeds finished so far.
    """

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True)
        self._shown = console is not None or sys.stderr.isatty()
        self._lines: dict[str, _Line] = {}
        self._live: Live | None = None
        self._drawn = 0.0

    def planned(self, jobs: Sequence[Job]) -> None:
        self._lines = {}
        for job in jobs:
            self._lines.setdefault(job.label, _Line()).jobs += 1
        if self._shown:
            self._live = Live(self, console=self._console, auto_refresh=False, transient=True)
            self._live.start(refresh=True)

    def started(self, job: Job) -> None:
        self._lines[job.label].running[job.seed] = 0
        self._draw()

    def progress(self, job: Job, done: int, total: int, loss: float | None) -> None:
        self._lines[job.label].running[job.seed] = done / total
        self._draw()

    def finished(self, outcome: Outcome) -> None:
        line = self._lines[outcome.job.label]
        line.running.pop(outcome.job.seed, None)
        line.done += 1
        line.kept += outcome.reused
        line.failed += outcome.run is None
        accuracy = None if outcome.run is None else outcome.run.results["val_accuracy"]
        if accuracy is not None:
            line.accuracies.append(accuracy)
        self._draw(always=True)

    def remark(self, text: str) -> None:
        if self._shown:
            self._console.print(text, highlight=False, markup=False)

    def close(self) -> None:
        if self._live is not None:
            self._live.stop()
            self._live = None

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 2, 0, 0))
        for _ in range(4):
            table.add_column(no_wrap=True)
        table.add_column()  # the only one that gives way where the terminal is narrow
        for label, line in self._lines.items():
            bar = ProgressBar(line.jobs, line.done + sum(line.running.values()), width=16)
            table.add_row(
                Text(label),
                Text(line.counts()),
                Text(line.accuracy()),
                bar,
                Text(line.seeds(), no_wrap=True, overflow="ellipsis"),
            )
        return table

    def _draw(self, always: bool = False) -> None:
        now = time.monotonic()
        if self._live is not None and (always or now - self._drawn >= _EVERY):
            self._drawn = now
            self._live.refresh()


@dataclass
class _Line:
    """What is known of one label."""

    jobs: int = 0
    done: int = 0
    kept: int = 0
    failed: int = 0
    accuracies: list[float] = field(default_factory=list)
    running: dict[int, float] = field(default_factory=dict)  # the share that is done, by seed

    def counts(self) -> str:
        more = [f"{number} {what}" for number, what in ((self.kept, "kept"), (self.failed, "failed")) if number]
        return f"{self.done - self.failed} of {self.jobs}" + (f" ({', '.join(more)})" if more else "")

    def accuracy(self) -> str:
        if not self.accuracies:
            return ""
        spread = f" ± {stdev(self.accuracies) * 100:.2f}" if len(self.accuracies) > 1 else ""
        return f"{mean(self.accuracies) * 100:.2f}{spread} %"

    def seeds(self) -> str:
        named = [f"seed {seed} {share * 100:.0f} %" for seed, share in list(self.running.items())[:_RUNNING]]
        more = len(self.running) - len(named)
        return ", ".join([*named, f"{more} more"] if more else named)
