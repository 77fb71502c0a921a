"""Recall, precision and F1 of every class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.plots.charts import FOOT, GAP, MARGIN, Look, Span, add_axes, plural, write
from neocog.plots.numbers import text_width
from neocog.plots.pages import NUMBERED, page, shortened, told_apart
from neocog.plots.style import BLACK, GREY, SMALL, TEXT, WHITE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.evaluation import Evaluation

_MOST, _LOWEST = 40, 20  # of more classes than the first, only so many are drawn

# Inches.
_WIDTH = 8.5
_NAMES, _COUNT = 2.0, 0.75  # the widest name; the number of pictures beside it
_ROW, _ROWS = 0.3, 7.0  # a row, lower where there are so many that they would take more than this
_HEAD = 0.3  # above a panel, for its title
_BETWEEN = 0.2


@dataclass(frozen=True)
class _Measure:
    """One measure of the classes that are drawn, in per cent; NaN where there is none."""

    title: str
    values: NDArray[np.float64]
    intervals: NDArray[np.float64] | None  # (classes, 2)
    together: float  # of all classes


@styled
def plot_classes(evaluation: Evaluation) -> Figure:
    """Recall, precision and F1 of each class, the lowest F1 on top, with 95 % Wilson intervals of the first two.

    Recall is the share of the pictures of a class that were found, precision the share of the pictures given a class
    that are of it, F1 their harmonic mean. A dashed line is the value of all classes together: the accuracy, and the
    macro-F1. Of more than 40 classes the 20 with the lowest F1 are drawn.

    Args:
        evaluation: such as `run.test`.

    >>> from neocog.evaluation import evaluate_predictions
    >>> found = evaluate_predictions([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]], [0, 1, 1], ["cat", "dog"], "test")
    >>> [axes.get_label() for axes in plot_classes(found).axes]
    ['recall', 'precision', 'F1']
    """
    drawn = _lowest_first(evaluation)
    measures = _measures(evaluation, drawn)
    given = {int(place): evaluation.classes[place] for place in drawn}
    names = told_apart(given, _NAMES)
    left = MARGIN + max(text_width(name, SMALL) for name in names) + _COUNT + GAP
    length = (_WIDTH - left - MARGIN - 2 * _BETWEEN) / 3
    row = min(_ROW, _ROWS / len(drawn))
    tall = row * len(drawn)
    caption = _caption(evaluation, len(drawn))
    if names != [shortened(name, _NAMES) for name in given.values()]:
        caption += f" {NUMBERED}"
    figure, foot = page(_WIDTH, tall + FOOT + _HEAD, _title(evaluation, drawn), caption)
    bottom = foot + FOOT

    ends = [end for measure in measures if measure.intervals is not None for end in measure.intervals.ravel().tolist()]
    values = [value for measure in measures for value in [*measure.values.tolist(), measure.together]]
    span = Span.linear([value for value in [*ends, *values] if np.isfinite(value)], length, (0, 100))
    for position, measure in enumerate(measures):
        at = left + position * (length + _BETWEEN)
        axes = add_axes(figure, (at, bottom, length, tall), measure.title)
        span.put_on(axes, "x")
        axes.set(ylim=(len(drawn) - 0.5, -0.5), xlabel=f"{measure.title} in %")
        axes.tick_params(left=False, labelleft=False)
        axes.set_yticks(range(len(drawn)))
        axes.spines["left"].set_visible(False)
        _draw(axes, measure, Look.of(position), row)
        write(figure, at, bottom + tall + 0.07, _together(measure), size=SMALL, color=GREY, va="baseline")
    _write_names(figure, evaluation, drawn, names, (left, bottom + tall, row))
    return figure


def _lowest_first(evaluation: Evaluation) -> NDArray[np.int64]:
    """The classes that are drawn: the lowest F1 first, equal ones as they come, those without pictures last."""
    order = np.lexsort((evaluation.f1, evaluation.support == 0))
    some = order[evaluation.support[order] > 0]
    return np.asarray(order if len(order) <= _MOST else some[:_LOWEST], dtype=np.int64)


def _measures(evaluation: Evaluation, drawn: NDArray[np.int64]) -> list[_Measure]:
    def shares(values: NDArray[Any], ends: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        known = np.isfinite(ends[drawn, 0])  # else it is 0/0
        return np.where(known, 100 * values[drawn], np.nan), 100 * ends[drawn]

    f1 = np.where(evaluation.support[drawn] > 0, 100 * evaluation.f1[drawn], np.nan)
    accuracy = 100 * evaluation.accuracy
    return [
        _Measure("recall", *shares(evaluation.recall, evaluation.recall_intervals), accuracy),
        _Measure("precision", *shares(evaluation.precision, evaluation.precision_intervals), accuracy),
        _Measure("F1", f1, None, 100 * evaluation.macro_f1),
    ]


def _draw(axes: Axes, measure: _Measure, look: Look, row: float) -> None:
    known = np.flatnonzero(np.isfinite(measure.values))
    axes.axvline(measure.together, color=GREY, linewidth=1, linestyle=(0, (4, 2)), gid="together")
    if measure.intervals is not None:
        low, high = measure.intervals[known].T
        axes.hlines(known, low, high, colors=look.colour, linewidth=1.8, alpha=0.55, gid="interval")
    axes.plot(
        measure.values[known],
        known,
        look.mark,
        color=look.colour,
        markersize=min(7.0, 45 * row),
        markeredgecolor=WHITE,
        markeredgewidth=0.6,
        clip_on=False,
        zorder=3,
        gid="classes",
    )


def _together(measure: _Measure) -> str:
    """
    >>> _together(_Measure("F1", np.zeros(1), None, 99.256))
    '┆ macro-F1 99.26 %'
    """
    return f"┆ {'macro-F1' if measure.title == 'F1' else 'accuracy'} {measure.together:.2f} %"


def _write_names(
    figure: Figure, evaluation: Evaluation, drawn: NDArray[np.int64], names: Sequence[str], where: tuple[float, ...]
) -> None:
    left, top, row = where
    right = left - GAP - _COUNT
    write(figure, left - GAP, top + 0.07, "pictures", size=SMALL, ha="right", va="baseline", color=GREY)
    for place, (number, name) in enumerate(zip(drawn, names, strict=True)):
        middle = top - (place + 0.5) * row
        write(figure, right, middle, name, size=SMALL, ha="right", va="center_baseline", color=BLACK)
        count = f"{evaluation.support[number]:,}"
        write(figure, left - GAP, middle, count, size=SMALL, ha="right", va="center_baseline", color=GREY)


def _title(evaluation: Evaluation, drawn: NDArray[np.int64]) -> str:
    lowest, every = int(drawn[0]), len(evaluation.classes)
    which = f", the {len(drawn)} of {every} with the lowest F1" if len(drawn) < every else ""
    if evaluation.f1[lowest] == 1:
        return f"Classes on {evaluation.split}{which}: none below an F1 of 100 %"
    name = shortened(evaluation.classes[lowest], 2.5, TEXT)
    return f"Classes on {evaluation.split}{which}: '{name}' has the lowest F1, {100 * evaluation.f1[lowest]:.2f} %"


def _caption(evaluation: Evaluation, drawn: int) -> str:
    parts = [
        f"Lowest F1 first. Bars: 95 % Wilson intervals, recall of the pictures of a class, precision of those given "
        f"the class. Dashed: all classes together. n = {plural(evaluation.n, 'picture')}."
    ]
    if drawn < len(evaluation.classes):
        parts.append(f"The other {len(evaluation.classes) - drawn} classes have no lower F1, or no pictures.")
    elif (evaluation.support == 0).any():
        parts.append("A class without pictures has neither recall nor F1.")
    if ((evaluation.confusion.sum(axis=0) == 0) & (evaluation.support > 0)).any():
        parts.append("A class that was never an answer has no precision.")
    return " ".join(parts)
