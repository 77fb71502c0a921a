"""Worker processes that share out the orders of one call, and one thread that hears of everything."""

from __future__ import annotations

import queue
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from threading import Lock, Thread
from typing import Any

import numpy as np

from neocog import disk
from neocog.errors import RunError
from neocog.studies.jobs import Job, Watcher
from neocog.studies.preparing import Arrays, Order, portable
from neocog.studies.worker import Worker

_LISTENED = 0.2  # seconds; Ctrl-C breaks into no endless wait on Windows


class Crew:
    """Worker processes, each with a thread that gives it one order after another; this thread hears of everything."""

    def __init__(
        self,
        orders: Sequence[Order],
        count: int,
        folder: Path,
        watcher: Watcher,
        finish: Callable[[Order, str | None], None],
    ) -> None:
        self._watcher, self._finish = watcher, finish
        self._waiting = iter(orders)
        self._arrays = _written({id(order.arrays): order.arrays for order in orders}, folder)
        self._threads = [Thread(target=self._serve, daemon=True) for _ in range(count)]
        self._events: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._workers: list[Worker] = []
        self._sharing = Lock()
        self._stopping = False

    def work(self) -> None:
        """Until all orders are done. What the threads find is told here, in the caller's own."""
        try:
            for thread in self._threads:
                thread.start()
            running = len(self._threads)
            while running:
                try:
                    event = self._events.get(timeout=_LISTENED)
                except queue.Empty:
                    continue
                if event is None:
                    running -= 1
                else:
                    event()
        finally:
            self._stop()
            while not self._events.empty():  # what was finished before the end came
                if event := self._events.get():
                    event()

    def _serve(self) -> None:
        try:
            worker: Worker | None = None
            while (order := self._next()) is not None:
                try:
                    worker = worker if worker and worker.alive else self._hired(order.threads, in_place_of=worker)
                except OSError as error:
                    self._events.put(partial(self._finish, order, f"no process can be started: {error.strerror}"))
                    continue
                self._events.put(partial(self._watcher.started, order.job))
                error_line = worker.train(self._message(order), partial(self._report, order.job))
                if error_line and self._stopping:
                    return  # it didn't fail: it was stopped
                self._events.put(partial(self._finish, order, error_line))
        except Exception as error:  # a fault of ours, to be seen where somebody looks
            self._events.put(partial(_raise, error))
        finally:
            self._events.put(None)

    def _next(self) -> Order | None:
        with self._sharing:
            return None if self._stopping else next(self._waiting, None)

    def _report(self, job: Job, done: int, total: int, loss: float | None) -> None:
        self._events.put(partial(self._watcher.progress, job, done, total, loss))

    def _hired(self, threads: int, in_place_of: Worker | None) -> Worker:
        with self._sharing:  # so that none is started once all are stopped
            if in_place_of in self._workers:  # the dead hold on to their pipes
                self._workers.remove(in_place_of)
                in_place_of.close()
            worker = Worker(threads)
            self._workers.append(worker)
            if self._stopping:
                worker.stop()
            return worker

    def _stop(self) -> None:
        with self._sharing:
            self._stopping = True
            for worker in self._workers:
                worker.stop()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        for worker in self._workers:
            worker.close()

    def _message(self, order: Order) -> dict[str, Any]:
        arrays = self._arrays.get(id(order.arrays))
        return {
            "place": str(order.place.absolute()),
            "recipe": order.recipe.as_table(),
            "model": order.model,
            "arrays": arrays and str(arrays),
            "open_test": order.job.open_test,
            "threads": order.threads,
        }


def _written(held: Mapping[int, Arrays | None], folder: Path) -> dict[int, Path]:
    """Each pair of arrays as a file for other processes."""
    files = {}
    for number, given in held.items():
        arrays = given and portable(given)
        if arrays is None:
            continue
        files[number] = folder.absolute() / f"{number}.npz"
        try:
            np.savez(files[number], images=arrays[0], labels=arrays[1])
        except Exception as error:
            if (cause := disk.cause(error)) is None:
                raise
            if disk.is_full(cause):
                needs = arrays[0].nbytes + arrays[1].nbytes
                raise RunError(disk.full("a copy of the pictures", folder, needs, "", cause)) from None
            raise RunError(f"cannot write '{files[number]}': {cause.strerror}; make room for the pictures") from None
    return files


def _raise(error: Exception) -> None:
    raise error
