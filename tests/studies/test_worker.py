"""worker: both ends of the pipes; what a process says while it trains, when it fails, and when it dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import STEPS, TINY
from neocog.recipe import Recipe
from neocog.studies.store import finished
from neocog.studies.worker import Reporter, Worker, attempt
from neocog.training import Plan, Point

Arrays = tuple[np.ndarray, np.ndarray]
RECIPE = Recipe.load("fast", {**STEPS, "model.layers": TINY, "dataset.name": "arrays"})
# A network that does what users' code may do: it prints, asks, and starts something that holds on to its pipes.
CODE = """
import os, sys, subprocess
from torch import nn

class Loud(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        print("built", flush=True)
        os.write(1, b"built\\n")
        assert sys.stdin.read() == ""
        self.helper = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        self.linear = nn.Linear(channels * 64, classes)

    def forward(self, x):
        return self.linear(x.flatten(1))

class Last(Loud):
    def forward(self, x):
        if self.training:
            os.write(2, b"out of order\\n\\n")
            os._exit(3)
        return super().forward(x)
"""


@pytest.fixture(scope="module")
def worker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Worker]:
    """One process for all tests that leave it alive."""
    folder = tmp_path_factory.mktemp("worker")
    (folder / "loud.py").write_text(CODE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        patch.chdir(folder)
        started = Worker(1)
    yield started
    started.close()
    assert not started.alive


def order(arrays: Arrays, place: str, recipe: Recipe = RECIPE, model: str | None = None) -> dict[str, Any]:
    np.savez("pictures.npz", images=arrays[0], labels=arrays[1])
    return {
        "place": str(Path(place).absolute()),
        "recipe": recipe.as_table(),
        "model": model,
        "arrays": str(Path("pictures.npz").absolute()),
        "open_test": False,
        "threads": 1,
    }


def test_a_worker_trains_and_tells_how_far_it_is(worker: Worker, arrays: Arrays) -> None:
    heard: list[tuple[int, int, float | None]] = []
    assert worker.train(order(arrays, "kept/0"), lambda *steps: heard.append(steps)) is None
    run = finished(Path("kept/0"))
    assert run is not None
    assert (run.results["threads"], run.results["test_accuracy"]) == (1, None)
    assert (heard[0], heard[-1][:2]) == ((0, 6, None), (6, 6))
    assert [done for done, _, _ in heard] == sorted(done for done, _, _ in heard)
    assert worker.alive


def test_a_job_that_fails_leaves_the_worker_to_the_next(worker: Worker, arrays: Arrays) -> None:
    bad = RECIPE.changed({"optimizer.name": "sgd", "optimizer.lr": 1e30, "schedule.name": "constant"})
    assert worker.train(order(arrays, "kept/0", bad), lambda *_: None) == (
        "the loss became nan at step 2 of 6 (optimizer.lr = 1e+30); "
        "try a smaller rate, such as --set optimizer.lr=1e+29"
    )
    assert worker.train(order(arrays, "kept/1"), lambda *_: None) is None
    assert [path.name for path in Path("kept").iterdir()] == ["1"]


def test_code_may_print_and_ask(worker: Worker, arrays: Arrays) -> None:
    recipe = RECIPE.changed({"model.factory": "loud:Loud"})
    assert worker.train(order(arrays, "kept/0", recipe, "loud:Loud"), lambda *_: None) is None
    assert finished(Path("kept/0")) is not None


def test_interrupts_are_for_the_parent(worker: Worker, arrays: Arrays) -> None:
    def interrupt(*_: object) -> None:
        os.kill(worker._process.pid, signal.SIGINT)

    assert worker.train(order(arrays, "kept/0"), interrupt) is None


def test_a_worker_that_dies_says_how(tmp_path: Path, arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "loud.py").write_text(CODE)
    monkeypatch.syspath_prepend(tmp_path)
    recipe = RECIPE.changed({"model.factory": "loud:Last"})
    dying = Worker(1)
    try:
        want = "its process ended with status 3; its last words: out of order"
        assert dying.train(order(arrays, "kept/0", recipe, "loud:Last"), lambda *_: None) == want
        assert not dying.alive
        assert dying.train(order(arrays, "kept/0"), lambda *_: None) == want, "the dead take no orders"
    finally:
        dying.close()


class Broken(torch.nn.Linear):
    """Fails as the user's own code may, once it is trained."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.training:
            raise ValueError("no such\nthing")
        return super().forward(x.flatten(1))


def test_a_trial_here_gives_the_threads_back_and_one_line(arrays: Arrays) -> None:
    torch.set_num_threads(2)  # conftest puts it back
    threads = []

    def build(channels: int, classes: int) -> torch.nn.Module:
        threads.append(torch.get_num_threads())
        return Broken(channels * 64, classes)

    error = attempt(Path("kept/0"), RECIPE, 1, lambda *_: None, data=arrays, model=build)
    assert error == "ValueError: no such thing"
    assert (threads, torch.get_num_threads()) == ([1], 2)
    assert list(Path().iterdir()) == []


def test_progress_is_told_ten_times_a_second_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr(time, "monotonic", lambda: next(clock) * 0.04)  # asked once or twice a step
    heard: list[tuple[int, int, float | None]] = []
    reporter = Reporter(lambda *steps: heard.append(steps))
    reporter.start(Plan(total_steps=20, steps_per_epoch=5))
    for done in range(1, 21):
        reporter.step(done)
        if done == 10:
            reporter.point(Point(10, 2.0, 1.0, 0.1, train_loss=0.5, train_accuracy=0.9))
    assert heard[0] == (0, 20, None)
    assert heard[-1] == (20, 20, 0.5)
    assert 6 <= len(heard) <= 12
    assert [loss for done, _, loss in heard if 0 < done <= 10] == [None] * sum(0 < done <= 10 for done, _, _ in heard)
