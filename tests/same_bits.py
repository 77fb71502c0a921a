"""Helpers for tests of stopping: what stops a training, and whether two runs hold the same bits."""

from __future__ import annotations

import csv
import os
import signal
from pathlib import Path

import numpy as np

from neocog.training import Observer


class Signals(Observer):
    """Sends this process a signal after a step, as Ctrl-C or a queue would."""

    def __init__(self, at: int, number: int = signal.SIGINT, times: int = 1) -> None:
        self.at, self.number, self.times = at, number, times

    def step(self, done: int) -> None:
        if done == self.at:
            for _ in range(self.times):
                os.kill(os.getpid(), self.number)


def curve(run: Path) -> list[list[str]]:
    """metrics.csv without its seconds, which no two trainings share."""
    rows = list(csv.reader((run / "metrics.csv").read_text().splitlines()))
    seconds = rows[0].index("seconds")
    return [row[:seconds] + row[seconds + 1 :] for row in rows]


def check_same(got: Path, want: Path) -> None:
    """Weights, curve and predictions, bit for bit."""
    assert (got / "weights.safetensors").read_bytes() == (want / "weights.safetensors").read_bytes()
    assert curve(got) == curve(want)
    with np.load(got / "predictions.npz") as ours, np.load(want / "predictions.npz") as theirs:
        assert sorted(ours) == sorted(theirs)
        for name in ours:
            np.testing.assert_array_equal(ours[name], theirs[name])
    assert (got / "split.json").read_bytes() == (want / "split.json").read_bytes()
