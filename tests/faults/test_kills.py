"""Trainings that are killed in the midst of a step, a measurement or a checkpoint, and end with the bits of one that
was not."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle
from pathlib import Path

import pytest
from processes import killed, moments
from whole_run import hashes

import neocog
from conftest import STEPS, TINY, fill

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")
KILLS = 10  # trainings of each recipe on each data set, so 40 in all
KILLED_THRICE = 2  # of the ten
TRIES = 100  # to kill one training as often as wanted, before it comes to its end
OFTEN = "0.1"  # seconds from checkpoint to checkpoint: more of them to be killed in
DROPOUT = '''
[dataset]
name = "mnist"
augment = { shift = 2, rotate = 10 }

[loader]
batch_size = 100

[model]
layers = """
conv 8 3 same | batchnorm | relu | maxpool 2
conv 16 3 same | relu | maxpool 2
flatten | dropout 0.5 | linear classes
"""

[optimizer]
name = "adam"
lr = 0.005

[schedule]
name = "cosine"

[train]
iterations = 300
ema = 0.99
'''
CASES = [(recipe, data) for recipe in ("fast", "dropout") for data in ("mnist", "folder")]


def check_survives(
    train: Sequence[object], every: str, moments: Iterator[tuple[str, int, float]], times: int, want: dict[str, str]
) -> list[str]:
    """Kills a training, and what goes on with it, so many times; at the end it has the hashes of the whole one.

    A checkpoint is due `every` so many seconds. One that came to its end before it was killed so often is begun again.
    Gives what was going on each time.
    """
    run, met = Path("killed"), list[str]()
    often = ("--no-figures", "--checkpoint-every", every)
    for _ in range(TRIES):
        if len(met) == times:
            break
        if not run.exists() or (run / "results.json").exists():
            shutil.rmtree(run, ignore_errors=True)
            words, met = [*train, *often, "--run", run], []
        end = killed(words, *next(moments))
        assert end.status in (-signal.SIGKILL, 0), end.error
        if end.status:
            met.append(" and ".join(sorted(end.during)) or "a step")
            words = ["resume", run, *often]
    assert len(met) == times, f"after {TRIES} tries"
    if not (run / "results.json").exists():
        neocog.resume(run, figures=False, tell=[].append)  # which says whose lock it takes over
    assert hashes(run) == want
    shutil.rmtree(run)
    return met


def test_killed_twice(shapes: Path) -> None:
    settings = {**STEPS, "train.iterations": 100}  # so that none is over before it is killed
    changes = [word for key, value in settings.items() for word in ("--set", f"{key}={value}")]
    train = ["train", "fast", "--data", shapes, "--model", TINY, *changes]
    whole = neocog.train("fast", data=shapes, model=TINY, set=settings, run="whole", figures=False)
    moments = cycle([("step", 9, 0.0), ("checkpoint", 2, 0.0)])
    assert len(check_survives(train, "0", moments, 2, hashes(whole.path))) == 2


@pytest.mark.faults
@pytest.mark.parametrize(("recipe", "data"), CASES)
def test_killed_at_random(recipe: str, data: str, record_property: Callable[[str, object], None]) -> None:
    Path("dropout.toml").write_text(DROPOUT)
    given = ["--data", fill(Path("pictures"), each=200, size=28)] if data == "folder" else []
    name = "dropout.toml" if recipe == "dropout" else "fast"
    train = ["train", name, *given]
    whole = killed([*train, "--no-figures", "--checkpoint-every", OFTEN, "--run", "whole"])
    assert whole.status == 0, whole.error
    want, seed = hashes(Path("whole")), CASES.index((recipe, data))
    once = moments(seed, whole.begun)
    often = moments(seed, whole.begun, ("step", "checkpoint"), 0.25)  # so that steps are left to be killed in
    for place in range(KILLS):
        met = check_survives(train, OFTEN, *((often, 3) if place < KILLED_THRICE else (once, 1)), want)
        record_property(f"{recipe}, {data}, {place}", ", then ".join(met))
