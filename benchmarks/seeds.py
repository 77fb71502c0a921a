"""Eight seeds of `fast`: two processes of one thread at once, against one process of two threads after another."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

import neocog
from benchmarks.common import Report
from neocog.recipe import Recipe
from neocog.studies.seeds import seeds_of, train_jobs

SEEDS = 8
ROUNDS = 3
TOGETHER = 2


def at_once(recipe: Recipe, seeds: int, folder: Path) -> list[float]:
    """One thread each, several processes; that they must start first is counted. Gives the seconds of each training."""
    outcomes = train_jobs(seeds_of(recipe, seeds, recipe.name), processes=TOGETHER, store=folder)
    failed = [outcome.error for outcome in outcomes if outcome.error or outcome.reused]
    if failed:
        raise RuntimeError(f"{len(failed)} of {seeds} seeds were not trained: {failed[0]}")
    return [outcome.run.train_seconds for outcome in outcomes if outcome.run]


def one_by_one(recipe: Recipe, seeds: int, folder: Path) -> list[float]:
    """As many threads, in this process, which has imported everything before. Gives the seconds of each training."""
    return [neocog.train(recipe, seed=seed, run=folder / str(seed)).train_seconds for seed in range(seeds)]


def measured(recipe: Recipe, seeds: int, rounds: int) -> list[dict[str, tuple[float, float]]]:
    """For each round and way, seconds of everything and the median second of a training; who begins alternates."""
    torch.set_num_threads(TOGETHER)
    ways = (at_once, one_by_one)
    return [
        {way.__name__: _seconds(way, recipe, seeds) for way in (ways[::-1] if number % 2 else ways)}
        for number in range(rounds)
    ]


def _seconds(way: Callable[[Recipe, int, Path], list[float]], recipe: Recipe, seeds: int) -> tuple[float, float]:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        trained = way(recipe, seeds, Path(folder))
        return time.perf_counter() - began, median(trained)


def main() -> None:
    torch.set_num_threads(TOGETHER)
    report = Report("seeds", f"{SEEDS} seeds of fast: {TOGETHER} processes of one thread, or {TOGETHER} threads in one")
    found = measured(Recipe.load("fast"), SEEDS, ROUNDS)
    ratios = {"all": [], "training": []}
    for number, times in enumerate(found, 1):
        (together, trained_together), (alone, trained_alone) = times["at_once"], times["one_by_one"]
        ratios["all"].append(alone / together)
        ratios["training"].append(TOGETHER * trained_alone / trained_together)
        report(
            f"round {number}: at once {together:.1f} s (a training {trained_together:.2f} s), one by one {alone:.1f} s "
            f"(a training {trained_alone:.2f} s)"
        )
    report("")
    report(f"throughput, start of the processes and measuring included: {median(ratios['all']):.2f} ×")
    report(f"throughput of the trainings alone: {median(ratios['training']):.2f} × (medians of {ROUNDS} rounds)")
    report.figures["rounds"] = found
    report.save()


if __name__ == "__main__":
    main()
