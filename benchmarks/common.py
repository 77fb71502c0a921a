"""What the benchmarks share: conditions, repeated training of a recipe, and a place for the results."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from statistics import median
from typing import Any

import neocog
from neocog.device import environment

RESULTS = Path(__file__).parent / "results"


class Report:
    """Prints each line as it is known and keeps all of them in results/NAME.txt, raw figures beside it in NAME.json."""

    def __init__(self, name: str, title: str) -> None:
        self.path = RESULTS / f"{name}.txt"
        self.lines: list[str] = []
        self.figures: dict[str, Any] = {}
        found = environment()
        self(title)
        self(
            f"{date.today()} · {found['cpu']}, {os.cpu_count()} cores, {found['threads']} threads · "
            f"torch {found['torch']}, Python {found['python']} · neocog {neocog.__version__}"
        )
        self("")

    def __call__(self, line: str) -> None:
        print(line, flush=True)
        self.lines.append(line)

    def save(self) -> None:
        """Writes the file, once everything has been measured."""
        RESULTS.mkdir(exist_ok=True)
        self.path.write_text("\n".join(self.lines) + "\n", encoding="utf-8")
        self.path.with_suffix(".json").write_text(json.dumps(self.figures, indent=1) + "\n", encoding="utf-8")


def train(recipe: str, seed: int, **options: Any) -> neocog.Run:
    """One training run in a directory that is thrown away; its figures are read before."""
    with tempfile.TemporaryDirectory() as folder:
        run = neocog.train(recipe, seed=seed, run=Path(folder) / "run", **options)
        _ = run.results, run.test, run.validation
        return run


def raw(runs: Sequence[neocog.Run]) -> list[list[float]]:
    """[seconds, test accuracy, validation accuracy] of each run."""
    return [[run.train_seconds, run.results["test_accuracy"], run.results["val_accuracy"]] for run in runs]


def percent(values: Sequence[float]) -> str:
    """The mean of accuracies over seeds with Student's interval, and their range."""
    return f"{neocog.mean_interval(values).text('%')}, from {min(values) * 100:.2f} to {max(values) * 100:.2f} %"


def seconds(values: Sequence[float]) -> str:
    """Median and range of times."""
    return f"median {median(values):.2f} s, from {min(values):.2f} to {max(values):.2f} s (n = {len(values)})"


def recipe_over_seeds(name: str, recipe: str, seeds: int, title: str) -> None:
    """The benchmark of a recipe: validation and test accuracy at the last step, and time, over seeds."""
    report = Report(name, title)
    runs = []
    for seed in range(seeds):
        run = train(recipe, seed)
        runs.append(run)
        report(
            f"seed {seed}: test {run.results['test_accuracy'] * 100:.2f} %, "
            f"validation {run.results['val_accuracy'] * 100:.2f} %, {run.train_seconds:.1f} s"
        )
    report("")
    report(f"test accuracy        {percent([run.results['test_accuracy'] for run in runs])}")
    report(f"validation accuracy  {percent([run.results['val_accuracy'] for run in runs])}")
    report(f"training time        {seconds([run.train_seconds for run in runs])}")
    report(f"parameters           {runs[0].parameters:,}")
    report(f"precision            {runs[0].results['precision']}")
    report.figures["runs"] = raw(runs)
    report.save()
