"""Many trainings at once: recipes over seeds, each finished run kept, so that none is trained twice."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from neocog.data import Progress
from neocog.errors import RecipeError
from neocog.finished import Data, Tell, warn
from neocog.networks import Model
from neocog.recipe import Recipe
from neocog.run import RUNS
from neocog.studies.crew import Crew
from neocog.studies.jobs import Interrupted, Job, Outcome, Watcher
from neocog.studies.preparing import Order, prepare
from neocog.studies.store import finished, open_for_work
from neocog.studies.worker import attempt

MOST_SEEDS = 10_000
SEEDS = RUNS / "seeds"  # where finished seeds are kept unless another place is given


def seeds_of(
    recipe: Recipe,
    seeds: int,
    label: str,
    *,
    model: Model | None = None,
    data: Data | None = None,
    open_test: bool = True,
) -> list[Job]:
    """The jobs of one recipe for the seeds 0 … seeds − 1. Raises RecipeError as `check_seeds` does.

    >>> [job.seed for job in seeds_of(Recipe.load("fast"), 3, "fast")]
    [0, 1, 2]
    """
    check_seeds(seeds)
    return [Job(label, recipe.changed({"train.seed": seed}), model, data, open_test) for seed in range(seeds)]


def train_jobs(
    jobs: Sequence[Job],
    *,
    processes: int | None = None,
    store: str | Path | None = None,
    watcher: Watcher | None = None,
    progress: Progress | None = None,
    tell: Tell | None = None,
) -> list[Outcome]:
    """Trains each job whose finished run is not in the store, several at once; outcomes in the order of the jobs.

    On a CPU every job is trained with one thread, by a process per core; on a GPU one after another with the usual
    threads. The numbers don't depend on how many processes there are. A model that is a callable can't go to another
    process, so it is trained in this one. A job that fails stops no other.

    Args:
        processes: how many at most.
        store: where finished runs are kept, as STORE/NAME-HASH/SEED; runs/seeds unless given.
        watcher: is told what happens, such as a `SeedTable`.
        progress, tell: as in `neocog.train`; for what is done before any training.

    Raises:
        NeocogError: a job can't be trained as it is; nothing has been trained then.
        Interrupted: Ctrl-C; what is finished is kept.
    """
    check_processes(processes)
    place = SEEDS if store is None else Path(store)
    study = _Study(watcher or Watcher())
    try:
        study.orders = prepare(jobs, place, progress, tell or warn)
        study.watcher.planned(jobs)
        study.take_finished()
        if todo := study.todo():
            with open_for_work(place) as folder:
                study.train(todo, processes, folder)
    except KeyboardInterrupt:
        if study.looked:
            study.take_finished(reused=False)  # a worker may have kept a run and been stopped before it said so
        raise Interrupted(study.outcomes(), len(jobs) if study.looked else None) from None
    finally:
        study.watcher.close()
    return study.outcomes()


class _Study:
    """The orders of one call and what has become of them."""

    def __init__(self, watcher: Watcher) -> None:
        self.watcher = watcher
        self.orders: list[Order] = []
        self.looked = False  # whether all that was finished before is known
        self.done: dict[Path, Outcome] = {}  # by place: the same training is wanted once, however many jobs want it

    def outcomes(self) -> list[Outcome]:
        return [self._for(order) for order in self.orders if order.place in self.done]

    def todo(self) -> list[Order]:
        missing: dict[Path, Order] = {}
        for order in self.orders:
            if order.place not in self.done:
                missing.setdefault(order.place, order)
        return list(missing.values())

    def take_finished(self, reused: bool = True) -> None:
        for order in self.todo():
            if run := finished(order.place):
                self._add(order, Outcome(order.job, run, reused=reused))
        self.looked = True

    def train(self, todo: Sequence[Order], processes: int | None, folder: Path) -> None:
        elsewhere = [order for order in todo if order.travels]
        here = [order for order in todo if not order.travels]
        if elsewhere:
            usual = _cores() if all(order.device == "cpu" for order in elsewhere) else 1
            Crew(elsewhere, min(processes or usual, len(elsewhere)), folder, self.watcher, self.finish).work()
        if here:
            self.watcher.remark(
                "what exists in this process only (a callable, labels that are objects) is trained in it, one after "
                "another; for many at once, give the network as 'module:factory' and labels as text or numbers"
            )
        for order in here:
            self.watcher.started(order.job)
            steps = partial(self.watcher.progress, order.job)
            options = {"model": order.model, "data": order.arrays, "open_test": order.job.open_test}
            self.finish(order, attempt(order.place, order.recipe, order.threads, steps, **options))

    def finish(self, order: Order, error: str | None) -> None:
        run = None if error else finished(order.place)
        if run is None and error is None:
            error = f"its run '{order.place}' has been taken away"
        self._add(order, Outcome(order.job, run, error))

    def _add(self, order: Order, outcome: Outcome) -> None:
        self.done[order.place] = outcome
        for each in self.orders:
            if each.place == order.place:
                self.watcher.finished(self._for(each))

    def _for(self, order: Order) -> Outcome:
        outcome = self.done[order.place]
        if order.job is outcome.job:
            return outcome
        return replace(outcome, job=order.job, reused=outcome.run is not None)


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def check_seeds(seeds: object) -> None:
    """Raises RecipeError when that is no number of seeds, or more than anyone can train."""
    _refuse_below_one("seeds", seeds)
    if isinstance(seeds, int) and seeds > MOST_SEEDS:
        raise RecipeError(
            f"seeds = {seeds}: give {MOST_SEEDS:,} or fewer; 1,000 tell differences that matter to nobody"
        )


def check_processes(processes: object) -> None:
    """Raises RecipeError when so many trainings can't go on at once; None is what suits the machine."""
    if processes is not None:
        _refuse_below_one("processes", processes)


def _refuse_below_one(what: str, number: object) -> None:
    if isinstance(number, bool) or not isinstance(number, int) or number < 1:
        raise RecipeError(f"{what} = {number!r}: give a whole number of 1 or more")
