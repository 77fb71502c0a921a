"""Observers that write the learning curve down: metrics.csv, and what TensorBoard reads."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from io import FileIO
from typing import Any, cast

from neocog import disk
from neocog.curve import Plan, Point
from neocog.errors import NeocogError
from neocog.run import RunDirectory, cannot_write
from neocog.training import Observer


class MetricsLog(Observer):
    """Writes each point of the learning curve to metrics.csv as it is known."""

    def __init__(self, directory: RunDirectory) -> None:
        self._path = directory.path / "metrics.csv"
        self._text = ""

    def start(self, plan: Plan) -> None:
        with self._written("wb") as file:
            disk.append(file, self._text.encode())  # the points before a training that goes on
        if not self._text:
            self._add(field.name for field in fields(Point))

    def point(self, point: Point) -> None:
        self._add(_number(value) for value in asdict(point).values())

    def flush(self) -> None:
        """Onto the disk with all that was written. Raises RunError."""
        with self._written("ab") as file:
            os.fsync(file.fileno())

    def remembered(self) -> str:
        return self._text

    def remember(self, what: str) -> None:
        if not isinstance(what, str):  # in a checkpoint that somebody else has made
            raise TypeError(f"metrics.csv is {what!r}")
        self._text = what

    def _add(self, row: Iterable[str]) -> None:
        line = ",".join(row) + "\n"  # names and numbers, nothing to put between quotes
        with self._written("ab", len(line)) as file:
            disk.append(file, line.encode())
        self._text += line

    @contextmanager
    def _written(self, mode: str, needs: int | None = None) -> Iterator[FileIO]:
        """The file, open for no longer than a line takes, so that nothing is in the way of a disk that is unmounted."""
        try:
            with self._path.open(mode, buffering=0) as file:
                yield cast("FileIO", file)
        except OSError as error:
            raise cannot_write(self._path, error, needs=needs) from None


class TensorBoardLog(Observer):
    """Writes the learning curve for TensorBoard, which the extra `neocog[tensorboard]` brings."""

    def __init__(self, directory: RunDirectory, after: int = 0) -> None:
        # What a killed training wrote after its checkpoint comes once more; TensorBoard then drops the first.
        purge = {"purge_step": after + 1} if after else {}
        self._path = directory.path / "tensorboard"
        with self._written():
            self._writer = _summary_writer()(str(self._path), **purge)

    @staticmethod
    def check() -> None:
        """Raises NeocogError when TensorBoard is not installed: worth knowing before any work."""
        _summary_writer()

    def point(self, point: Point) -> None:
        with self._written():
            for name, value in asdict(point).items():
                if name not in ("step", "epoch") and value is not None:
                    self._writer.add_scalar(name, value, point.step)

    def end(self) -> None:
        with self._written():
            self._writer.close()

    @contextmanager
    def _written(self) -> Iterator[None]:
        """TensorBoard writes in a thread of its own, which gives back what went wrong when it is asked again."""
        try:
            yield
        except OSError as error:
            raise cannot_write(self._path, error) from None


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise NeocogError("TensorBoard is not installed; pip install 'neocog[tensorboard]'") from None
    return SummaryWriter


def _number(value: float | int | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
