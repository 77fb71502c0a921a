"""Trainings in this process, without workers, for tests of what is done with them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from neocog import workflow
from neocog.errors import NeocogError
from neocog.finished import Run
from neocog.studies.jobs import Job, Outcome


def train_at_hand(jobs: Sequence[Job], **_: Any) -> list[Outcome]:
    """As `train_jobs`, one after another; a run lies in runs/seeds/LABEL/SEED and is taken as it is if it is there."""
    return [_outcome(job) for job in jobs]


def _outcome(job: Job) -> Outcome:
    place = Path("runs/seeds", job.label.replace("/", "_"), str(job.seed))
    if place.exists():
        return Outcome(job, Run.open(place), reused=True)
    try:
        return Outcome(job, workflow.train(job.recipe, data=job.data, model=job.model, run=place))
    except NeocogError as error:
        return Outcome(job, None, str(error))
