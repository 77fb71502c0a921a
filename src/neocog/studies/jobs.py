"""One training among many: the job, what became of it, and those who watch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from neocog.finished import Data, Run
from neocog.networks import Model
from neocog.recipe import Recipe


@dataclass(frozen=True)
class Job:
    """One training: a recipe with its seed, on whose behalf, and what of it is in memory only.

    `label` is what a table of many calls it. `model` is as in `neocog.train`; code must be named here even where the
    recipe names it. `data` is (images, labels); names and folders stand in the recipe.
    """

    label: str
    recipe: Recipe
    model: Model | None = None
    data: Data | None = None
    open_test: bool = True

    @property
    def seed(self) -> int:
        """The seed of its recipe."""
        return self.recipe.train.seed


@dataclass(frozen=True)
class Outcome:
    """What became of a job: its finished run, or one line that says why there is none.

    `reused` says that the run was in the store already, or that another job of the same call is the same training.
    """

    job: Job
    run: Run | None
    error: str | None = None
    reused: bool = False


class Interrupted(KeyboardInterrupt):
    """Ctrl-C while jobs were trained; `outcomes` are those that were done, and finished runs stay where they are.

    `total` is how many jobs there were; None where Ctrl-C came before it was known which of them are finished.
    """

    def __init__(self, outcomes: Sequence[Outcome], total: int | None = None) -> None:
        super().__init__()
        self.outcomes = list(outcomes)
        self.total = total

    def __str__(self) -> str:
        """One line for people.

        >>> str(Interrupted([], 6))
        'interrupted: 0 of 6 runs are finished and kept; the same command goes on from there'
        """
        done = sum(outcome.run is not None for outcome in self.outcomes)
        what = f"{done} of {self.total} runs are finished and kept"
        if self.total is None:
            what = "nothing has been trained yet, and what was finished before is kept"
        return f"interrupted: {what}; the same command goes on from there"


class Watcher:
    """Something that watches `train_jobs`. Each method does nothing unless a subclass says otherwise.

    The order is: `planned` once; for each job `started`, `progress` now and then and `finished`, or `finished` alone
    when its run was there already; `close` last, also when all is stopped early. All come from the calling thread.
    """

    def planned(self, jobs: Sequence[Job]) -> None:
        """These are to be trained, or taken as they are where they are finished."""

    def started(self, job: Job) -> None:
        """A training has begun."""

    def progress(self, job: Job, done: int, total: int, loss: float | None) -> None:
        """So many of its steps are done; `loss` is the last point's mean training loss, None before the first."""

    def finished(self, outcome: Outcome) -> None:
        """A job is done: trained, found finished, or failed."""

    def remark(self, text: str) -> None:
        """Something worth knowing about how the jobs are trained."""

    def close(self) -> None:
        """There is nothing more to watch."""
