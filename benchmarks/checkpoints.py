"""What checkpoints cost a training, and what resuming adds to one.

Each training runs in a process of its own, with checkpoints and without in turn. `python -m benchmarks.checkpoints
train STEPS SECONDS|none` prints how long one took from its first step to its last, and how many checkpoints it wrote;
`… first train|RUN` how long it took from the start of Python to the first step of a training, or of the training that
goes on in RUN.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from shutil import copytree
from statistics import median

from benchmarks.common import Report

ROUNDS = 7
LONG = 2000  # steps of `fast`: 380 are over before a checkpoint is due
HALF = 190  # of 380 steps, where the run that goes on was stopped


def train(steps: str, every: str) -> None:
    """Prints the seconds of one training, its measuring included, and how often it wrote a checkpoint."""
    import neocog
    from neocog.checkpoint import Checkpoints
    from neocog.training import Observer, Plan

    class Clock(Observer):
        def start(self, plan: Plan) -> None:
            self.began = time.perf_counter()

        def end(self) -> None:
            self.took = time.perf_counter() - self.began

    clock, written = Clock(), 0
    write = Checkpoints.write

    def counted(*words: object, **named: object) -> object:
        nonlocal written
        written += 1
        return write(*words, **named)  # type: ignore[arg-type]

    Checkpoints.write = counted  # type: ignore[assignment,method-assign]
    with tempfile.TemporaryDirectory() as folder:
        seconds = None if every == "none" else float(every)
        neocog.train(
            "fast",
            set={"train.iterations": int(steps)},
            run=Path(folder) / "run",
            observers=[clock],
            figures=False,
            checkpoint_every=seconds,
        )
    print(f"{clock.took:.4f} {written}")


def first(what: str) -> None:
    """Prints the seconds from here to the first step that is done, imports included, and leaves."""
    start = time.perf_counter()
    import neocog
    from neocog.training import Observer

    class First(Observer):
        def step(self, done: int) -> None:
            print(f"{time.perf_counter() - start:.4f} {done}", flush=True)
            os._exit(0)

    if what == "train":
        with tempfile.TemporaryDirectory() as folder:
            neocog.train("fast", run=Path(folder) / "run", observers=[First()])
    else:
        neocog.resume(what, observers=[First()])


def stopped(run: Path) -> None:
    """Makes a run of `fast` that was stopped half-way."""
    import neocog
    from neocog.stopping import Stopped
    from neocog.training import Observer

    class Stop(Observer):
        def step(self, done: int) -> None:
            if done == HALF:
                os.kill(os.getpid(), signal.SIGINT)

    try:
        neocog.train("fast", run=run, observers=[Stop()])
    except Stopped:
        return
    raise AssertionError("the training was not stopped")


def in_a_process(*words: object) -> tuple[float, int]:
    """The two numbers that this script prints when it is called with those words."""
    command = [sys.executable, "-m", "benchmarks.checkpoints", *(str(word) for word in words)]
    answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(answer[0]), int(answer[1])


def main() -> None:
    report = Report("checkpoints", "what checkpoints cost a training, and what resuming adds to one")
    pairs = []
    for number in range(ROUNDS):
        pair = {every: in_a_process("train", LONG, every) for every in (("30", "none"), ("none", "30"))[number % 2]}
        pairs.append((pair["30"], pair["none"]))
        (took, written), (plain, _) = pairs[-1]
        report(f"{took:.2f} s with {written} checkpoints, {plain:.2f} s without: {(took / plain - 1) * 100:+.1f} %")
    ratios = [with_them[0] / without[0] for with_them, without in pairs]
    report(f"fast, {LONG:,} steps: median {(median(ratios) - 1) * 100:+.1f} % (n = {ROUNDS} pairs)")
    report.figures["pairs"] = pairs
    # So often that the cost of one stands out of the noise.
    often = [(in_a_process("train", 380, "0"), in_a_process("train", 380, "none")) for _ in range(ROUNDS)]
    costs = [(many[0] - none[0]) / many[1] for many, none in often]
    report(
        f"fast, 380 steps, as many as can be written: {median(many[1] for many, _ in often):.0f} checkpoints, "
        f"median {median(costs) * 1e3:.1f} ms each, which every 30 s is {median(costs) / 30 * 100:.2f} %"
    )
    report.figures["often"] = often
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "stopped"
        stopped(run)
        times: dict[str, list[float]] = {"train": [], "resume": []}
        for number in range(ROUNDS):
            times["train"].append(in_a_process("first", "train")[0])
            times["resume"].append(in_a_process("first", copytree(run, Path(folder) / str(number)))[0])
    added = [later - sooner for later, sooner in zip(times["resume"], times["train"], strict=True)]
    report(
        f"from the start of Python to the first step of fast: train {median(times['train']):.2f} s, resume after step "
        f"{HALF} {median(times['resume']):.2f} s; resume adds {median(added) * 1e3:+.0f} ms "
        f"(from {min(added) * 1e3:+.0f} to {max(added) * 1e3:+.0f}, n = {len(added)} pairs)"
    )
    report.figures["first step"] = times
    report.save()


if __name__ == "__main__":
    if sys.argv[1:2] == ["train"]:
        train(*sys.argv[2:])
    elif sys.argv[1:2] == ["first"]:
        first(*sys.argv[2:])
    else:
        main()
