"""A process that trains one job after another: both ends of the pipes between it and the one that wants the runs.

An order is one line of JSON on the worker's standard input, an answer one on its standard output: how many steps are
done, or that a job is, with an error or none. The worker goes when its input ends, so it never outlives its parent.
"""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path
from threading import Thread
from typing import Any, TextIO

import numpy as np
import torch

from neocog.curve import Plan, Point
from neocog.errors import NeocogError
from neocog.recipe import Recipe
from neocog.studies.store import train_into
from neocog.training import Observer

Steps = Callable[[int, int, float | None], None]
"""Called as steps(done, total, loss), the loss None before the first point."""

_EVERY = 0.1  # seconds between two reports of progress
_LAST_WORDS = 4096  # bytes
_LONGEST_ERROR = 1000  # signs; an exception of the user's own may quote a whole array
_GRACE = 5  # seconds from a process's last word to its end
_MODULE = "neocog.studies.worker"


class Reporter(Observer):
    """Tells how far a training is, at most ten times a second."""

    def __init__(self, steps: Steps) -> None:
        self._steps = steps
        self._last = 0.0
        self._loss: float | None = None

    def start(self, plan: Plan) -> None:
        self._total = plan.total_steps
        self._steps(0, self._total, None)

    def step(self, done: int) -> None:
        if done == self._total or time.monotonic() - self._last >= _EVERY:
            self._last = time.monotonic()
            self._steps(done, self._total, self._loss)

    def point(self, point: Point) -> None:
        self._loss = point.train_loss


def attempt(place: Path, recipe: Recipe, threads: int, steps: Steps, **options: Any) -> str | None:
    """Trains a run into its place in this process, with so many threads; the reason in one line when it fails."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        train_into(place, recipe, observers=[Reporter(steps)], tell=lambda _: None, **options)
    except NeocogError as error:
        return _short(str(error))
    except (Exception, SystemExit) as error:  # code of the user's own, or no memory: the other seeds go on
        return _short(f"{type(error).__name__}: {' '.join(str(error).split())}".removesuffix(": "))
    finally:
        torch.set_num_threads(before)
    return None


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_ERROR else f"{text[:_LONGEST_ERROR]}…"


class Worker:
    """The parent's end: starts the process, gives it orders and hears its answers."""

    def __init__(self, threads: int) -> None:
        with ExitStack() as undo:
            self._errors = undo.enter_context(tempfile.TemporaryFile())
            self._process = subprocess.Popen(
                # The same modules are found in the same order, but none in the folder one happens to stand in.
                [sys.executable, "-P", "-m", _MODULE],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=self._errors,
                encoding="utf-8",
                env={**os.environ, "PYTHONPATH": _search_path(), "OMP_NUM_THREADS": str(threads)},
                # Ctrl-C reaches the parent alone, which stops the workers in its own way.
                start_new_session=True,
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),
            )
            undo.pop_all()  # it lives as long as the process

    @property
    def alive(self) -> bool:
        """Whether it can take another order."""
        return self._process.poll() is None

    def train(self, order: Mapping[str, Any], steps: Steps) -> str | None:
        """Waits for one job; the reason in one line when it fails, or when the process dies of it."""
        assert self._process.stdin and self._process.stdout
        with suppress(OSError):  # a pipe that nobody reads: it died, which the silence says, too
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            for line in self._process.stdout:
                if not line.endswith("\n"):  # it died in the middle of a word
                    break
                answer = json.loads(line)
                if "done" not in answer:
                    error: str | None = answer["error"]
                    return error
                steps(answer["done"], answer["total"], answer["loss"])
        return self._death()

    def stop(self) -> None:
        """Ends the process and what it started, at once."""
        with suppress(OSError):
            if hasattr(os, "killpg"):
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        self._process.wait()

    def close(self) -> None:
        """Ends the process, and lets go of its pipes."""
        self.stop()
        for pipe in (self._process.stdin, self._process.stdout, self._errors):
            if pipe is not None:
                with suppress(OSError):  # of what could not be sent
                    pipe.close()

    def _death(self) -> str:
        try:
            status = self._process.wait(_GRACE)
        except subprocess.TimeoutExpired:  # its pipe is gone, so it is of no more use
            self.stop()
            return "its process closed its pipes; code of yours must leave those that it hasn't opened alone"
        self._errors.seek(max(0, self._errors.seek(0, os.SEEK_END) - _LAST_WORDS))
        lines = self._errors.read().decode(errors="replace").split("\n")
        words = [" ".join(line.split()) for line in lines if line.strip()]
        last = f"; its last words: {words[-1]}" if words else ""
        if status >= 0:
            return f"its process ended with status {status}{last}"
        name = _signal_name(-status)
        mend = "; where memory ran out, give fewer processes" if name == "SIGKILL" else ""
        return f"its process was ended by {name}{mend}{last}"


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:  # some real-time signals have none
        return f"signal {number}"


def _search_path() -> str:
    return os.pathsep.join(str(Path(place).absolute()) for place in sys.path)


def _main() -> None:
    orders, answers = _private_pipes()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    waiting: queue.SimpleQueue[dict[str, Any]] = queue.SimpleQueue()
    Thread(target=_listen, args=(orders, waiting), daemon=True).start()

    def answer(content: Mapping[str, Any]) -> None:
        answers.write(json.dumps(content) + "\n")
        answers.flush()

    while True:
        order = waiting.get()
        error = attempt(
            Path(order["place"]),
            Recipe.make(order["recipe"], {}, "order"),
            order["threads"],
            lambda done, total, loss: answer({"done": done, "total": total, "loss": loss}),
            data=_arrays(order["arrays"]),
            model=order["model"],
            open_test=order["open_test"],
        )
        answer({"error": error})


def _listen(orders: TextIO, waiting: queue.SimpleQueue[dict[str, Any]]) -> None:
    try:
        for line in orders:
            waiting.put(json.loads(line))
    finally:
        os._exit(0)  # the parent has gone, maybe in the middle of a word: whatever is half done is for nobody


def _private_pipes() -> tuple[TextIO, TextIO]:
    """Orders and answers on descriptors of our own; code of the user's reads nothing and prints to standard error."""
    orders, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)
    os.close(nothing)
    if hasattr(os, "register_at_fork"):  # or a copy that code of the user's makes would speak on when we are dead
        os.register_at_fork(after_in_child=partial(_point_to_nothing, (orders, answers)))
    return os.fdopen(orders, encoding="utf-8"), os.fdopen(answers, "w", encoding="utf-8")


def _point_to_nothing(descriptors: Sequence[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in descriptors:
        os.dup2(nothing, descriptor)
    os.close(nothing)


def _arrays(path: str | None) -> tuple[Any, Any] | None:
    if path is None:
        return None
    with np.load(path, allow_pickle=False) as held:
        return held["images"], held["labels"]


if __name__ == "__main__":
    _main()
