"""`neocog reproduce` from the command line."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import pytest

import neocog
from at_hand import train_at_hand
from conftest import Answer
from neocog.studies import reproducing
from neocog.studies.jobs import Interrupted, Job, Outcome
from neocog.studies.reproducing import published_recipes

Command = Callable[..., Answer]
LESSON = """
about = "Tiny."
[dataset]
name = "shapes"
validation = 0
[loader]
batch_size = 8
[model]
layers = "conv 4 3 same | relu | maxpool 2 | flatten | linear classes"
[train]
iterations = 4
precision = "float32"
device = "cpu"
[published]
source = "lesson 9"
accuracy = 0.5
every = 2
losses = [1.25, 1.1]
"""


@pytest.fixture
def lesson(shapes: Path) -> str:
    """A published recipe on the drawn shapes, without a twin."""
    Path("lesson.toml").write_text(LESSON, encoding="utf-8")
    return "lesson.toml"


def test_trains_prints_keeps_and_saves(cli: Command, lesson: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproducing, "train_jobs", train_at_hand)
    answer = cli("reproduce", lesson, "--seeds", 2)
    assert answer.status == 0
    heading, row, log, *_ = answer.out.split("\n")
    assert heading.split("  ")[0] == "recipe"
    assert row.startswith("lesson  test accuracy    50.00 %  ")
    assert log.split()[:5] == ["loss", "log", "2", "lines", "2"]
    assert answer.out.endswith("\nsaved in runs/reproduce-1\n")
    assert max(len(line) for line in answer.out.split("\n")) <= 100
    assert Path("runs/reproduce-1/reproduction.png").read_bytes().startswith(b"\x89PNG")
    again = cli("reproduce", lesson, "--seeds", 2, "--out", "again", "--json")
    found = json.loads(again.out)
    assert (again.status, found["conditions"]["kept"], found["conditions"]["saved"]) == (0, 2, "again")
    assert [len(figure["ours"]) for figure in found["recipes"][0]["figures"]] == [2, 2, 2]
    assert json.loads(Path("again/reproduction.json").read_text(encoding="utf-8")) == found


def test_options_reach_the_trainings(cli: Command, lesson: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def train(jobs: Sequence[Job], **options: Any) -> list[Outcome]:
        seen.update(options, jobs=[(job.recipe.name, job.seed, job.recipe.train.device) for job in jobs])
        return [Outcome(job, None, "not now") for job in jobs]

    monkeypatch.setattr(reproducing, "train_jobs", train)
    answer = cli("reproduce", "model-a", "lesson.toml", "--seeds", 2, "--no-twins", "--processes", 3, "--device", "cpu")
    assert seen["processes"] == 3
    assert seen["jobs"] == [(name, seed, "cpu") for seed in (0, 1) for name in ("model-a", "lesson")]
    assert answer == Answer(2, "", "error: none of the 4 trainings finished; the first: model-a, seed 0: not now\n")


def test_stopped_by_hand_says_what_is_kept(cli: Command, lesson: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def train(jobs: Sequence[Job], **options: Any) -> list[Outcome]:
        run = neocog.train(jobs[0].recipe, run="kept")
        raise Interrupted([Outcome(jobs[0], run), Outcome(jobs[1], None, "the loss is nan")], len(jobs))

    monkeypatch.setattr(reproducing, "train_jobs", train)
    answer = cli("reproduce", lesson, "--seeds", 3)
    assert answer == Answer(
        130, "", "interrupted: 1 of 3 runs are finished and kept; the same command goes on from there\n"
    )
    assert not Path("runs/reproduce-1").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("fast",),
            "recipe 'fast' has no [published] table, so there is nothing to hold it against; these can be reproduced, "
            f"the nearest first: {', '.join(get_close_matches('fast', published_recipes(), 99, 0))}",
        ),
        (("model-a", "--seeds", "two"), "--seeds 'two': give a whole number, such as 3"),
        (("model-a", "--seeds", 0), "seeds = 0: give a whole number of 1 or more"),
        (("model-a", "--processes", 0), "processes = 0: give a whole number of 1 or more"),
        (("model-a", "--out", "."), "directory '.' exists already and is never overwritten; give another --out"),
    ],
)
def test_refusals(cli: Command, words: tuple[str, ...], message: str) -> None:
    assert cli("reproduce", *words) == Answer(2, "", f"error: {message}\n")


def test_help_names_what_is_kept(cli: Command) -> None:
    answer = cli("reproduce", "--help")
    assert answer.status == 0
    assert "Finished seeds are kept" in " ".join(answer.out.split())
