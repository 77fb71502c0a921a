"""neocog sweep: through the worker processes, as text and JSON."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from neocog.studies import sweeping
from neocog.studies.jobs import Interrupted

SETTINGS = ("train.iterations=6", "loader.batch_size=8", "optimizer.name=sgd")
WORDS = ["sweep", "fast", "optimizer.lr=0.1,1e-7", "--data", "shapes", "--seeds", 2, "--device", "cpu"]
WORDS += ["--precision", "float32", "--processes", 1, *(word for each in SETTINGS for word in ("--set", each)), "--set"]
MODEL = "model.layers=flatten | linear classes"


def test_a_sweep_from_its_words_to_its_files(cli, shapes):
    answer = cli(*WORDS, MODEL)
    assert answer.status == 0, answer.err
    assert "2 configurations with 2 seeds each: 4 trainings\n" in answer.err
    assert "optimizer.lr=0.1 is the best of 2 tried on validation (2 seeds each): " in answer.out
    assert "saved in runs/sweep-fast-1\n" in answer.out
    assert answer.out.endswith(
        "neocog train fast --data shapes --device cpu --precision float32 --set optimizer.lr=0.1 "
        "--set train.iterations=6 --set loader.batch_size=8 --set optimizer.name=sgd "
        "--set 'model.layers=flatten | linear classes'\n"
    )

    again = cli(*WORDS, MODEL, "--json", "--out", "here")
    read = json.loads(again.out)
    assert (read["conditions"]["kept"], read["conditions"]["saved"]) == (4, "here")
    assert json.loads(Path("here/sweep.json").read_text(encoding="utf-8")) == read


def test_ctrl_c_says_what_is_kept(cli, shapes, monkeypatch):
    def stopped(*_, **__):
        raise Interrupted([], 4)

    monkeypatch.setattr(sweeping, "train_jobs", stopped)
    answer = cli(*WORDS, MODEL)
    assert answer.status == 130
    assert answer.err.endswith("interrupted: 0 of 4 runs are finished and kept; the same command goes on from there\n")


REFUSED = [
    (["sweep", "fast"], "a sweep needs a key and the values to try, such as optimizer.lr=0.01,0.001"),
    (
        ["sweep", "fast", "optimizer.lr=1,2", "--set", "optimizer.lr=3"],
        "optimizer.lr is given twice; write all its values behind one optimizer.lr=, with commas between",
    ),
    (["sweep", "fast", "a.b=1,2"], "unknown key 'a.b'"),
    (
        ["sweep", "fast", "optimizer.lr=1,2", "--data", "nowhere"],
        "'nowhere' is no data set neocog knows, and there is no such folder; Known: ",
    ),
    (["sweep", "fast", "model.factory=a:b,c:d"], "model.factory=a:b: model 'a:b': cannot import 'a': No module named"),
    (["sweep", "fast", "optimizer.lr=1,2", "--metric", "f1"], "unknown metric 'f1'; did you mean 'macro-f1'?"),
    (
        ["sweep", "optimizer.lr=1,2"],
        "'optimizer.lr=1,2' is a key with its values, and the recipe before it is missing; ",
    ),
    (["sweep", "fast", "optimizer.lr=1,2", "--random", "0"], "random = 0: give a whole number of 1 or more"),
    (["sweep", "fast", "optimizer.lr=1,2", "--random", "1.5"], "--random '1.5': give a whole number, such as 3"),
    (["sweep", "fast", "optimizer.lr=1,2", "--seed", "x"], "--seed 'x': give a whole number, such as 3"),
    (["sweep", "fast", "optimizer.lr=1,2", "--seeds", "-1"], "seeds = -1: give a whole number of 1 or more"),
]


@pytest.mark.parametrize(("words", "want"), REFUSED)
def test_what_cannot_be_tried_is_one_line(cli, words, want):
    answer = cli(*words)
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith(f"error: {want}") and answer.err.count("\n") == 1
