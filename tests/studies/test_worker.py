"""worker: both ends of the pipes; what a process says while it trains, when it fails, and when it dies."""

from __future__ import annotations

import io
import os
import queue
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from conftest import STEPS, TINY
from neocog.curve import Plan, Point
from neocog.recipe import Recipe
from neocog.studies import worker as worker_module
from neocog.studies.store import finished, sweep
from neocog.studies.worker import Reporter, Worker, attempt

Arrays = tuple[np.ndarray, np.ndarray]
RECIPE = Recipe.load("fast", {**STEPS, "model.layers": TINY, "dataset.name": "arrays"})
# A network that does what users' code may do: it prints, asks, forks, and starts something that holds on to its pipes.
CODE = """
import os, sys, subprocess, time
from torch import nn

class Loud(nn.Module):
    def __init__(self, channels, classes):
        super().__init__()
        print("built", flush=True)
        os.write(1, b"built\\n")
        assert sys.stdin.read() == ""
        if hasattr(os, "fork") and os.fork() == 0:
            time.sleep(600)  # with copies of all pipes
        self.helper = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(60)"])
        self.linear = nn.Linear(channels * 64, classes)

    def forward(self, x):
        return self.linear(x.flatten(1))
"""


@pytest.fixture(scope="module")
def living(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Worker]]:
    """The process that the tests share, because each imports torch; another one where that has died."""
    folder = tmp_path_factory.mktemp("worker")
    (folder / "loud.py").write_text(CODE)
    started: list[Worker] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield started
    for worker in started:
        worker.close()
        assert not worker.alive


@pytest.fixture
def worker(living: list[Worker]) -> Worker:
    if not living or not living[-1].alive:
        living.append(Worker(1))
    return living[-1]


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
        "the loss became nan at step 2 of 6 (optimizer.lr = 1e+30; batch 2 of 4 in epoch 1: 'arrays/36', 'arrays/2', "
        "'arrays/20' and 5 more); resuming would come to the same, so train anew with a smaller rate, such as "
        "--set optimizer.lr=0.1; `neocog lr-find` looks for one"
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


@pytest.mark.skipif(os.name == "nt", reason="Windows knows of no process whether it lives")
def test_a_worker_goes_in_the_middle_of_a_training_when_its_orders_end(worker: Worker, arrays: Arrays) -> None:
    """As when the parent is killed, whose ends of the pipes the system closes. What it forked holds nobody up."""
    left: list[str] = []

    def end(done: int, *_: object) -> None:
        if done and not left:
            left.extend(path.name for path in Path("kept").iterdir())
            worker._process.stdin.close()

    long = RECIPE.changed({"model.factory": "loud:Loud", "train.iterations": 10**7})
    found = worker.train(order(arrays, "kept/0", long, "loud:Loud"), end)
    assert found is not None
    assert found.startswith("its process ended with status 0")
    assert not worker.alive
    assert [name.rpartition("-")[2] for name in left] == [str(worker._process.pid)]
    assert [path.name for path in Path("kept").iterdir()] == left
    Path("store").mkdir()
    Path("kept").rename("store/kept")
    sweep(Path("store"))
    assert list(Path("store").iterdir()) == []


# Processes that die at other moments, without torch.
HEAD = """
import os, signal, sys, time
def hear():
    sys.stdin.readline()
def say(text):
    os.write(1, text.encode())
"""
DEATHS = {
    "before it reads": ("os._exit(3)", [], "its process ended with status 3"),
    "in the middle of a line": (
        """hear(); say('{"done": 1, "total": 6, "loss": null}\\n{"done": 2, "to'); os._exit(3)""",
        [(1, 6, None)],
        "its process ended with status 3",
    ),
    "after the last line": ("""hear(); say('{"error": null}\\n'); os._exit(3)""", [], None),
    "of a signal": ("hear(); os.kill(os.getpid(), signal.SIGTERM)", [], "its process was ended by SIGTERM"),
    "of words": ("""hear(); raise SystemExit("no\\nmore  of this")""", [], (
        "its process ended with status 1; its last words: more of this"
    )),
    "not at all, but it speaks no more": (
        "hear(); os.close(1); time.sleep(600)",
        [],
        "its process closed its pipes; code of yours must leave those that it hasn't opened alone",
    ),
}  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="Windows has other signals")
@pytest.mark.parametrize("moment", DEATHS)
def test_death_at_any_moment_is_one_line(moment: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script, want_heard, want = DEATHS[moment]
    (tmp_path / "mortal.py").write_text(HEAD + script)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(worker_module, "_MODULE", "mortal")
    if moment.startswith("not at all"):
        monkeypatch.setattr(worker_module, "_GRACE", 0.1)
    heard: list[tuple[int, int, float | None]] = []
    mortal = Worker(1)
    try:
        assert mortal.train({"a": "x" * 10**6}, lambda *steps: heard.append(steps)) == want
        assert heard == want_heard
        assert mortal.train({}, lambda *steps: heard.append(steps)) is not None
        assert heard == want_heard
    finally:
        mortal.close()
    assert not mortal.alive


def test_a_signal_without_a_name_has_its_number() -> None:
    assert worker_module._signal_name(signal.SIGINT) == "SIGINT"
    assert worker_module._signal_name(1000) == "signal 1000"


def test_a_worker_goes_when_its_orders_end_in_the_middle_of_one(monkeypatch: pytest.MonkeyPatch) -> None:
    ends = []
    monkeypatch.setattr(os, "_exit", ends.append)
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    worker_module._listen(io.StringIO('{"a": 1}\n'), waiting)
    with pytest.raises(ValueError, match=r"^Unterminated string"):
        worker_module._listen(io.StringIO('{"a": 1}\n{"b'), waiting)
    assert (ends, waiting.qsize()) == ([0, 0], 2)


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


@pytest.mark.parametrize(
    ("raised", "want"),
    [
        (SystemExit("no licence"), "SystemExit: no licence"),
        (ValueError(), "ValueError"),
        (ValueError("1 " * 10**6), "ValueError: " + "1 " * 494 + "…"),
    ],
    ids=["an exit", "no words", "a million numbers"],
)
def test_whatever_the_users_code_raises_is_a_short_line(raised: BaseException, want: str, arrays: Arrays) -> None:
    def raising(model: torch.nn.Module, _: Any) -> None:
        if model.training:
            raise raised

    def build(channels: int, classes: int) -> torch.nn.Module:
        model = Broken(channels * 64, classes)
        model.register_forward_pre_hook(raising)
        return model

    assert attempt(Path("kept/0"), RECIPE, 1, lambda *_: None, data=arrays, model=build) == want


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
