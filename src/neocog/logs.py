"""Observers that write the learning curve down: metrics.csv, and what TensorBoard reads."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import asdict, fields
from typing import Any, TextIO

from neocog.errors import NeocogError
from neocog.run import RunDirectory, cannot_write
from neocog.training import Observer, Plan, Point


class MetricsLog(Observer):
    """Writes each point of the learning curve to metrics.csv as it is known."""

    def __init__(self, directory: RunDirectory) -> None:
        self._path = directory.path / "metrics.csv"
        self._file: TextIO | None = None
        self._kept = ""  # the points before a training that goes on

    def start(self, plan: Plan) -> None:
        try:
            self._file = self._path.open("w", encoding="utf-8", newline="")
            self._file.write(self._kept)
        except OSError as error:
            raise cannot_write(self._path, error) from None
        self._rows = csv.writer(self._file, lineterminator="\n")
        if not self._kept:
            self._add(field.name for field in fields(Point))

    def point(self, point: Point) -> None:
        self._add(_number(value) for value in asdict(point).values())

    def remembered(self) -> str:
        return self._path.read_text(encoding="utf-8")

    def remember(self, what: str) -> None:
        self._kept = what

    def end(self) -> None:
        if self._file is not None:
            with suppress(OSError):  # each row was written out, or refused, when it came
                self._file.close()

    def _add(self, row: Iterable[str]) -> None:
        assert self._file is not None
        try:
            self._rows.writerow(row)
            self._file.flush()
        except OSError as error:
            raise cannot_write(self._path, error) from None


class TensorBoardLog(Observer):
    """Writes the learning curve for TensorBoard, which the extra `neocog[tensorboard]` brings."""

    def __init__(self, directory: RunDirectory, after: int = 0) -> None:
        # What a killed training wrote after its checkpoint comes once more; TensorBoard then drops the first.
        purge = {"purge_step": after + 1} if after else {}
        self._writer = _summary_writer()(str(directory.path / "tensorboard"), **purge)

    @staticmethod
    def check() -> None:
        """Raises NeocogError when TensorBoard is not installed: worth knowing before any work."""
        _summary_writer()

    def point(self, point: Point) -> None:
        for name, value in asdict(point).items():
            if name not in ("step", "epoch") and value is not None:
                self._writer.add_scalar(name, value, point.step)

    def end(self) -> None:
        self._writer.close()


def _summary_writer() -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise NeocogError("TensorBoard is not installed; pip install 'neocog[tensorboard]'") from None
    return SummaryWriter


def _number(value: float | int | None) -> str:
    return "" if value is None else f"{value:.6g}" if isinstance(value, float) else str(value)
