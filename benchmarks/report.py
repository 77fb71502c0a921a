"""What figures and report cost after a training: seconds for `fast` on MNIST, and memory as the measured part grows.

`python -m benchmarks.report look RUN` draws them once and prints the seconds; `… train N yes|no` trains on synthetic
pictures, of which N are measured, with figures or without. Both run in processes of their own, where nothing has been
imported or allocated before.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

import neocog
from benchmarks.common import Report, seconds
from benchmarks.memory import peak_megabytes

ROUNDS = 5
PICTURES = (10_000, 100_000)
TRAINED = 2_000  # synthetic pictures that are not measured
CLASSES = 10


def look(path: str) -> None:
    """Prints the seconds that a finished run's figures and report take, imports included."""
    start = time.perf_counter()
    from neocog.finished import Run
    from neocog.insight.reporting import look

    written = look(Run.open(path), print)
    print(f"{time.perf_counter() - start:.3f} {written[-1].stat().st_size}")


def train(count: int, figures: bool) -> None:
    """Trains a few steps on noise, of which `count` are the test part; no label has to do with its picture."""
    random = np.random.default_rng(0)
    labels = np.arange(TRAINED + count) % CLASSES
    images = random.integers(0, 255, (TRAINED + count, 28, 28), dtype=np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        neocog.train(
            "fast",
            data=(images, labels),
            set={"train.iterations": 20, "dataset.test": count, "dataset.validation": TRAINED // 2},
            run=Path(folder) / "run",
            figures=figures,
            tell=lambda text: None,
        )


def main() -> None:
    report = Report("report", "figures and report of a run")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run"
        neocog.train("fast", run=path, figures=False)
        # Once without counting, because matplotlib lists the machine's fonts when it has no list yet.
        command = [sys.executable, "-m", "benchmarks.report", "look", str(path)]
        found = [subprocess.run(command, capture_output=True, text=True, check=True) for _ in range(ROUNDS + 1)][1:]
    times, sizes = zip(*(map(float, each.stdout.split()[-2:]) for each in found), strict=True)
    report(f"`fast` on MNIST, imports included  {seconds(times)}")
    report(f"report.html                        {sizes[-1] / 1e3:,.0f} KB")
    report("")
    report("peak memory of a whole training on synthetic pictures, measuring included")
    peaks = {}
    for count in PICTURES:
        for figures in ("no", "yes"):
            peaks[count, figures] = peak_megabytes(
                [sys.executable, "-m", "benchmarks.report", "train", str(count), figures]
            )
        without, with_figures = peaks[count, "no"], peaks[count, "yes"]
        report(f"{count:>7,} pictures  {without:.0f} MB, with figures and report {with_figures:.0f} MB")
    report.figures |= {"seconds": times, "bytes": sizes[-1]}
    report.figures["peak_megabytes"] = {f"{count} {figures}": peak for (count, figures), peak in peaks.items()}
    report.save()


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["look", path]:
            look(path)
        case ["train", count, figures]:
            train(int(count), figures == "yes")
        case _:
            main()
