"""How long the embedded MNIST takes to load: from the compressed file to pictures in memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from benchmarks.common import Report
from neocog.data import mnist, open_source


def seconds(work: Callable[[], object]) -> float:
    """Wall time of one call."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def main() -> None:
    report = Report("load", "loading the embedded MNIST: from the compressed file to uint8 pictures in memory")
    works: dict[str, Callable[[], object]] = {
        "training part": lambda: mnist.read("train"),
        "both parts": lambda: (mnist.read("train"), mnist.read("test")),
        "as a run does": lambda: open_source("mnist").load(seed=0),
    }
    for work in works.values():  # once before, so that the file lies in the system's memory for all
        work()
    times: dict[str, list[float]] = {name: [] for name in works}
    for _ in range(9):
        for name, work in works.items():
            times[name].append(seconds(work))
    for name, found in times.items():
        spread = f"median of {len(found)}, from {min(found):.3f} to {max(found):.3f}"
        report(f"{name:14} {median(found):.3f} s ({spread})")
    report("")
    report("as a run does: 5,000 validation pictures carved off the training part, the test part left unread")
    report.figures["seconds"] = times
    report.save()


if __name__ == "__main__":
    main()
