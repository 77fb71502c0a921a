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
ROUNDS = 5
TOGETHER = 2


def at_once(recipe: Recipe, seeds: int, folder: Path) -> None:
    """One thread each, several processes; that they must start first is counted."""
    outcomes = train_jobs(seeds_of(recipe, seeds, recipe.name), processes=TOGETHER, store=folder)
    failed = [outcome.error for outcome in outcomes if outcome.error or outcome.reused]
    if failed:
        raise RuntimeError(f"{len(failed)} of {seeds} seeds were not trained: {failed[0]}")


def one_by_one(recipe: Recipe, seeds: int, folder: Path) -> None:
    """As many threads, in this process, which has imported everything before."""
    for seed in range(seeds):
        neocog.train(recipe, seed=seed, run=folder / str(seed))


def measured(recipe: Recipe, seeds: int, rounds: int) -> list[tuple[float, float]]:
    """(at once, one by one) in seconds for each round; who begins alternates."""
    torch.set_num_threads(TOGETHER)
    ways = (at_once, one_by_one)
    found = []
    for number in range(rounds):
        times = {way: _seconds(way, recipe, seeds) for way in (ways[::-1] if number % 2 else ways)}
        found.append((times[at_once], times[one_by_one]))
    return found


def _seconds(way: Callable[[Recipe, int, Path], None], recipe: Recipe, seeds: int) -> float:
    with tempfile.TemporaryDirectory() as folder:
        began = time.perf_counter()
        way(recipe, seeds, Path(folder))
        return time.perf_counter() - began


def main() -> None:
    torch.set_num_threads(TOGETHER)
    report = Report("seeds", f"{SEEDS} seeds of fast: {TOGETHER} processes of one thread, or {TOGETHER} threads in one")
    times = measured(Recipe.load("fast"), SEEDS, ROUNDS)
    for number, (together, alone) in enumerate(times, 1):
        report(f"round {number}: at once {together:.1f} s, one by one {alone:.1f} s, {alone / together:.2f} ×")
    report("")
    report(f"at once     {SEEDS / median(together for together, _ in times) * 60:.1f} seeds a minute, start included")
    report(f"one by one  {SEEDS / median(alone for _, alone in times) * 60:.1f} seeds a minute")
    report(f"throughput  {median(alone / together for together, alone in times):.2f} × (median of {len(times)} rounds)")
    report.figures["seconds"] = times
    report.save()


if __name__ == "__main__":
    main()
