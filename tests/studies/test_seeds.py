"""seeds: many trainings give what one after another gives, whatever happens to some of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import neocog
from conftest import ENVIRONMENT, STEPS, TINY
from neocog.errors import NeocogError
from neocog.recipe import Recipe
from neocog.studies import crew, seeds
from neocog.studies.jobs import Interrupted, Job, Outcome, Watcher
from neocog.studies.seeds import seeds_of, train_jobs
from neocog.studies.store import sweep, train_into

Arrays = tuple[np.ndarray, np.ndarray]
PATIENCE = 120  # seconds for what takes a moment where nothing else runs
RECIPE = Recipe.load("fast", {**STEPS, "model.layers": TINY})
CODE = """
import os, signal, sys
from torch import nn

class Net(nn.Sequential):
    def __init__(self, channels, classes):
        super().__init__(nn.Flatten(), nn.Linear(channels * 64, classes))

def hungry(channels, classes):
    if (sys.modules["__main__"].__spec__ or sys).name == "neocog.studies.worker":
        os.kill(os.getpid(), signal.SIGKILL)  # as the system does when memory runs out
    return Net(channels, classes)

sys.name = ""
"""
# No `if __name__ == "__main__"`, as in a script that somebody writes in a minute.
SCRIPT = """
import sys
from neocog.recipe import Recipe
from neocog.studies.jobs import Watcher
from neocog.studies.seeds import seeds_of, train_jobs

class Loud(Watcher):
    def finished(self, outcome):
        print("finished", outcome.job.label, outcome.job.seed, flush=True)

    def progress(self, job, done, total, loss):
        if job.label == "long" and done:
            print("long", flush=True)

changes = {"model.layers": "flatten | linear classes", "train.device": "cpu", "train.iterations": 6}
short = Recipe.load("fast", {**changes, "dataset.name": sys.argv[1]})
jobs = seeds_of(short, 1, "short") + seeds_of(short.changed({"train.iterations": 10**7}), 2, "long")
train_jobs(jobs, processes=2, store="kept", watcher=Loud())
"""


@dataclass
class Heard(Watcher):
    """Everything that was told."""

    events: list[tuple[str, Any]] = field(default_factory=list)

    def planned(self, jobs: Any) -> None:
        self.events.append(("planned", len(jobs)))

    def started(self, job: Job) -> None:
        self.events.append(("started", (job.label, job.seed)))

    def progress(self, job: Job, done: int, total: int, loss: float | None) -> None:
        self.events.append(("progress", (job.label, job.seed, done, total)))

    def finished(self, outcome: Outcome) -> None:
        self.events.append(("finished", (outcome.job.label, outcome.job.seed)))

    def remark(self, text: str) -> None:
        self.events.append(("remark", text))

    def close(self) -> None:
        self.events.append(("close", None))

    def names(self, label: str, seed: int) -> list[str]:
        """What was told of one job, repetitions left out."""
        found = [name for name, what in self.events if isinstance(what, tuple) and what[:2] == (label, seed)]
        return [name for place, name in enumerate(found) if found[place - 1 : place] != [name]]


@dataclass
class Done:
    """One call with two processes for many tests, because each process imports torch."""

    store: Path
    jobs: list[Job]
    outcomes: list[Outcome]
    heard: Heard

    def of(self, label: str) -> list[Outcome]:
        return [outcome for outcome in self.outcomes if outcome.job.label == label]


@pytest.fixture(scope="module")
def done(arrays: Arrays, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Done]:
    folder = tmp_path_factory.mktemp("seeds")
    (folder / "nets_of_mine.py").write_text(CODE)
    images, labels = arrays
    words = (images, np.where(labels == 0, "Ähre", "Baum").astype(object))
    bad = RECIPE.changed({"optimizer.name": "sgd", "optimizer.lr": 1e30, "schedule.name": "constant"})
    jobs = [
        *seeds_of(RECIPE, 3, "plain", data=arrays),
        *seeds_of(bad, 1, "bad", data=arrays),
        *seeds_of(RECIPE, 1, "code", data=arrays, model="nets_of_mine:Net"),
        *seeds_of(RECIPE, 1, "words", data=words, open_test=False),
        *seeds_of(RECIPE, 1, "again", data=arrays),
        *seeds_of(
            RECIPE, 1, "hungry", data=arrays, model="nets_of_mine:hungry"
        ),  # last, so that none must be hired anew
    ]
    heard = Heard()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        sys.path.insert(0, str(folder))  # still there when a test trains the same code in this process
        patch.setenv("NEOCOG_CACHE", str(folder / "cache"))
        outcomes = train_jobs(jobs, processes=2, store=folder / "kept", watcher=heard)
    yield Done(folder / "kept", jobs, outcomes, heard)
    sys.path.remove(str(folder))
    sys.modules.pop("nets_of_mine")


def same(first: neocog.Run, second: neocog.Run) -> bool:
    """Whether weights, curve and predictions are the same to the last bit."""
    weights = [(run.path / "weights.safetensors").read_bytes() for run in (first, second)]
    stored = [run.directory.read_predictions() for run in (first, second)]
    return (
        weights[0] == weights[1]
        and list(first.metrics) == list(second.metrics)
        and all(
            np.array_equal(first.metrics[name], second.metrics[name], equal_nan=True)
            for name in first.metrics
            if name != "seconds"
        )
        and list(stored[0]) == list(stored[1])
        and all(np.array_equal(stored[0][name], stored[1][name]) for name in stored[0])
    )


def run_of(outcome: Outcome) -> neocog.Run:
    assert outcome.run is not None, outcome.error
    return outcome.run


# --------------------------------------------------------------------------------------------------------- one call


def test_outcomes_come_in_the_order_of_the_jobs(done: Done) -> None:
    assert [outcome.job for outcome in done.outcomes] == done.jobs
    assert [outcome.error is None for outcome in done.outcomes] == [True] * 3 + [False] + [True] * 3 + [False]


def test_a_worker_gives_what_one_thread_here_gives_bit_for_bit(done: Done) -> None:
    for outcome in [*done.of("plain"), *done.of("code"), *done.of("words")]:
        job = outcome.job
        here = neocog.train(job.recipe, data=job.data, model=job.model, open_test=job.open_test)
        assert same(run_of(outcome), here), job.label
        mine, theirs = ({**run.results} for run in (here, run_of(outcome)))
        apart = {"run", "train_seconds"}
        assert {name: mine[name] for name in mine.keys() - apart} == {
            name: theirs[name] for name in mine.keys() - apart
        }
        assert mine.keys() == theirs.keys()
    first, second, _ = done.of("plain")
    assert not same(run_of(first), run_of(second))


def test_runs_lie_where_they_say(done: Done) -> None:
    for outcome in done.of("plain"):
        run = run_of(outcome)
        assert run.results["run"] == str(run.path)
        assert run.path.name == str(outcome.job.seed)
        assert run.path.parent.parent == done.store
        assert run.recipe.train.seed == outcome.job.seed


def test_labels_and_the_closed_test_part_reach_the_worker(done: Done) -> None:
    (outcome,) = done.of("words")
    run = run_of(outcome)
    assert run.recipe.resolved is not None
    assert run.recipe.resolved.classes == ("Baum", "Ähre")
    assert (run.results["test_accuracy"], run.results["test_openings"]) == (None, 0)


def test_a_seed_that_fails_and_a_worker_that_is_killed_stop_no_other(done: Done) -> None:
    (bad,), (hungry,) = done.of("bad"), done.of("hungry")
    assert (bad.run, bad.error) == (
        None,
        "the loss became nan at step 2 of 6 (optimizer.lr = 1e+30; batch 2 of 4 in epoch 1: 'arrays/36', 'arrays/2', "
        "'arrays/20' and 5 more); resuming would come to the same, so train anew with a smaller rate, such as "
        "--set optimizer.lr=0.1; `neocog lr-find` looks for one",
    )
    assert (hungry.run, hungry.error) == (
        None,
        "its process was ended by SIGKILL; where memory ran out, give fewer processes",
    )
    assert run_of(done.of("code")[0]).results["recipe"] == "fast"


def test_the_same_training_wanted_twice_is_done_once(done: Done) -> None:
    (again,), first = done.of("again"), done.of("plain")[0]
    assert again.run is first.run
    assert (again.reused, first.reused) == (True, False)


def test_the_watcher_hears_of_everything_in_order(done: Done) -> None:
    assert (done.heard.events[0], done.heard.events[-1]) == (("planned", 8), ("close", None))
    for seed in range(3):
        assert done.heard.names("plain", seed) == ["started", "progress", "finished"]
    assert done.heard.names("hungry", 0) == ["started", "finished"]
    assert done.heard.names("again", 0) == ["finished"]
    assert ("progress", ("plain", 0, 6, 6)) in done.heard.events


def test_nothing_half_done_is_left(done: Done) -> None:
    assert list(done.store.rglob(".working*")) == []
    assert {*done.store.glob("*/*")} == {outcome.run.path for outcome in done.outcomes if outcome.run}
    assert len(list(done.store.iterdir())) == 3, "what failed leaves no folder"


# --------------------------------------------------------------------------------------------------- what came before


def test_what_is_finished_is_not_trained_again(done: Done, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seeds, "Crew", None)
    jobs = [outcome.job for outcome in done.outcomes if outcome.run]
    heard = Heard()
    outcomes = train_jobs(jobs, store=done.store, watcher=heard)
    assert all(outcome.reused for outcome in outcomes)
    assert [run_of(one).path.name for one in outcomes] == ["0", "1", "2", "0", "0", "0"]
    assert [name for name, _ in heard.events] == ["planned", *["finished"] * 6, "close"]


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_one_process_gives_what_two_give_until_ctrl_c(done: Done, arrays: Arrays) -> None:
    class Impatient(Watcher):
        def progress(self, job: Job, done: int, total: int, loss: float | None) -> None:
            if job.label == "long" and done:
                os.kill(os.getpid(), signal.SIGINT)

    first, second, _ = done.of("plain")
    half = Path("kept", run_of(first).path.parent.name, "0")
    half.mkdir(parents=True)
    (half / "recipe.toml").write_bytes((run_of(first).path / "recipe.toml").read_bytes())
    long = seeds_of(RECIPE.changed({"train.iterations": 10**7}), 2, "long", data=arrays)
    with pytest.raises(Interrupted) as caught:
        train_jobs([second.job, first.job, *long], processes=1, store="kept", watcher=Impatient())
    assert str(caught.value) == ("interrupted: 2 of 4 runs are finished and kept; the same command goes on from there")
    assert [outcome.reused for outcome in caught.value.outcomes] == [False, False]
    for outcome, before in zip(caught.value.outcomes, (second, first), strict=True):
        assert same(run_of(outcome), run_of(before))
        assert run_of(outcome).path.parent.name == run_of(before).path.parent.name
    assert sorted(path.name for path in Path("kept").glob("*/*")) == ["0", "1"]
    assert len(list(Path("kept").iterdir())) == 1


def test_ctrl_c_before_anything_is_known_claims_nothing(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(seeds, "prepare", stopped)
    with pytest.raises(Interrupted) as caught:
        train_jobs(seeds_of(RECIPE, 3, "plain", data=arrays), store="kept")
    assert (caught.value.outcomes, caught.value.total) == ([], None)
    assert str(caught.value) == (
        "interrupted: nothing has been trained yet, and what was finished before is kept; the same command goes on "
        "from there"
    )


# ---------------------------------------------------------------------------------------------- what stays in this one


class Net(nn.Sequential):
    def __init__(self, channels: int, classes: int) -> None:
        super().__init__(nn.Flatten(), nn.Linear(channels * 64, classes))


def test_a_callable_is_trained_in_this_process_with_one_thread(arrays: Arrays) -> None:
    torch.set_num_threads(2)  # conftest puts it back
    jobs = seeds_of(RECIPE, 2, "mine", data=arrays, model=Net)
    heard = Heard()
    outcomes = train_jobs(jobs, watcher=heard)
    assert torch.get_num_threads() == 2
    torch.set_num_threads(1)
    for outcome in outcomes:
        assert same(run_of(outcome), neocog.train(outcome.job.recipe, data=arrays, model=Net))
        assert run_of(outcome).results["threads"] == 1
        assert heard.names("mine", outcome.job.seed) == ["started", "progress", "finished"]
    assert {run_of(outcome).path.parent.parent for outcome in outcomes} == {Path("runs/seeds")}
    assert [what for name, what in heard.events if name == "remark"] == [
        "what exists in this process only (a callable, labels that are objects) is trained in it, one after another; "
        "for many at once, give the network as 'module:factory' and labels as text or numbers"
    ]
    assert all(outcome.reused for outcome in train_jobs(jobs))


def test_an_interrupt_here_keeps_what_is_finished(arrays: Arrays) -> None:
    class Impatient(Watcher):
        def progress(self, job: Job, done: int, total: int, loss: float | None) -> None:
            if job.seed == 1 and done:
                raise KeyboardInterrupt

    with pytest.raises(Interrupted) as caught:
        train_jobs(seeds_of(RECIPE, 3, "mine", data=arrays, model=Net), store="kept", watcher=Impatient())
    assert [run_of(outcome).path.name for outcome in caught.value.outcomes] == ["0"]
    assert [path.name for path in Path("kept").glob("*/*")] == ["0"]


def test_a_fault_of_the_watcher_stops_everything(arrays: Arrays) -> None:
    class Faulty(Watcher):
        def started(self, job: Job) -> None:
            raise LookupError("a fault of the watcher")

    with pytest.raises(LookupError, match=r"^a fault of the watcher$"):
        train_jobs(seeds_of(RECIPE, 1, "plain", data=arrays), store="kept", watcher=Faulty())
    assert list(Path("kept").rglob(".working*")) == []


def test_where_no_process_can_be_started_each_seed_says_so(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(threads: int) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(crew, "Worker", refused)
    outcomes = train_jobs(seeds_of(RECIPE, 2, "plain", data=arrays), processes=2)
    assert [outcome.error for outcome in outcomes] == [
        "no process can be started: Resource temporarily unavailable"
    ] * 2


@dataclass
class Mortal:
    """A worker that dies of every order."""

    threads: int
    alive: bool = True
    closed: bool = False

    def train(self, order: Any, steps: Any) -> str:
        self.alive = False
        return "its process died"

    def stop(self) -> None:
        self.alive = False

    def close(self) -> None:
        self.closed = True


def test_the_dead_are_let_go_of_before_another_is_hired(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    hired: list[Mortal] = []

    def hire(threads: int) -> Mortal:
        assert all(worker.closed for worker in hired)
        hired.append(Mortal(threads))
        return hired[-1]

    monkeypatch.setattr(crew, "Worker", hire)
    outcomes = train_jobs(seeds_of(RECIPE, 4, "plain", data=arrays), processes=1)
    assert [outcome.error for outcome in outcomes] == ["its process died"] * 4
    assert [(worker.threads, worker.closed) for worker in hired] == [(1, True)] * 4


class Speechless(Mortal):
    """A worker that is stopped between a run that it keeps and its word of it."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.stopped = Event()

    def train(self, order: Any, steps: Any) -> str:
        with np.load(order["arrays"]) as held:
            data = held["images"], held["labels"]
        train_into(Path(order["place"]), RECIPE, data=data, tell=lambda _: None)
        os.kill(os.getpid(), signal.SIGINT)
        assert self.stopped.wait(PATIENCE)
        return "its process was ended by SIGKILL"

    def stop(self) -> None:
        super().stop()
        self.stopped.set()


@pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")
def test_a_run_that_is_kept_counts_though_nobody_said_so(arrays: Arrays, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crew, "Worker", Speechless)
    with pytest.raises(Interrupted) as caught:
        train_jobs(seeds_of(RECIPE, 2, "plain", data=arrays), processes=1, store="kept")
    assert [(outcome.job.seed, outcome.reused) for outcome in caught.value.outcomes] == [(0, False)]
    assert str(caught.value) == "interrupted: 1 of 2 runs are finished and kept; the same command goes on from there"


# ------------------------------------------------------------------------------------------------------- being stopped


def alive(process: int) -> bool:
    """Whether it runs; one that has ended and that nobody has asked about is dead, too."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def started(folder: str) -> tuple[subprocess.Popen[str], list[int]]:
    """The script, once its first seed is finished and two others are under way; and its workers."""
    Path("script.py").write_text(SCRIPT)
    process = subprocess.Popen(
        [sys.executable, "script.py", folder],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
        start_new_session=True,
    )
    assert process.stdout is not None
    waited = {"finished short 0\n", "long\n"}
    while waited:
        line = process.stdout.readline()
        assert line, process.communicate()
        waited.discard(line)
    workers: set[int] = set()
    deadline = time.monotonic() + PATIENCE
    while len(workers) < 2 and time.monotonic() < deadline:
        workers |= {int(path.name.rpartition("-")[2]) for path in Path("kept").glob("*/.working-*")}
    assert len(workers - {process.pid}) == 2
    return process, sorted(workers)


def wait_for_death(workers: list[int]) -> None:
    deadline = time.monotonic() + PATIENCE
    while any(alive(worker) for worker in workers) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [worker for worker in workers if alive(worker)] == []


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="processes are looked up in /proc")
def test_workers_do_not_outlive_a_parent_that_was_killed(shapes: Path) -> None:
    process, workers = started(str(shapes))
    process.kill()
    process.communicate(timeout=PATIENCE)
    wait_for_death(workers)
    left = [path.name for path in Path("kept").rglob(".working-*")]
    assert len(left) >= 2
    for path in Path("kept").rglob(".working-*"):
        path.rename(
            path.with_name(path.name.rpartition("-")[0] + f"-{process.pid}")
        )  # nobody collects the workers here
    sweep(Path("kept"))
    assert [path.name for path in Path("kept").glob("*/*")] == ["0"]
    assert list(Path("kept").rglob(".working-*")) == []


# --------------------------------------------------------------------------------------------------- what is refused


@pytest.mark.parametrize("number", [0, -1, True, 1.5, "2"])
def test_numbers_below_one_are_refused_in_one_line(number: Any) -> None:
    for what, call in (
        ("processes", lambda: train_jobs([Job("a", RECIPE)], processes=number)),
        ("seeds", lambda: seeds_of(RECIPE, number, "a")),
    ):
        with pytest.raises(NeocogError) as caught:
            call()
        assert str(caught.value) == f"{what} = {number!r}: give a whole number of 1 or more"
    assert list(Path().iterdir()) == []


def test_more_seeds_than_anyone_can_train_are_refused() -> None:
    with pytest.raises(NeocogError) as caught:
        seeds_of(RECIPE, 10_001, "a")
    assert str(caught.value) == ("seeds = 10001: give 10,000 or fewer; 1,000 tell differences that matter to nobody")


def test_no_jobs_are_done_at_once() -> None:
    assert train_jobs([]) == []
    assert list(Path().iterdir()) == []


def test_seeds_count_from_zero_and_change_nothing_else() -> None:
    jobs = seeds_of(RECIPE, 2, "a", open_test=False)
    assert [job.seed for job in jobs] == [0, 1]
    assert replace(jobs[1], recipe=RECIPE) == replace(jobs[0], recipe=RECIPE) == Job("a", RECIPE, open_test=False)


def test_a_process_per_core_that_this_one_may_use() -> None:
    want = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    assert seeds._cores() == want
