"""How far a network is as often right as it is sure: accuracy over confidence."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from neocog.plots.charts import FOOT, GAP, MARGIN, Span, add_chart, plural
from neocog.plots.numbers import number
from neocog.plots.pages import Accuracies, page
from neocog.plots.style import BLUE, GREY, SKY, WHITE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.evaluation import Evaluation

# Inches.
_SQUARE, _COUNTS = 3.1, 0.9  # a chart, and the histogram below it
_BETWEEN, _ASIDE = 0.14, 0.3  # from a chart to its histogram, and to the chart beside it
_LEAST_WIDTH = 5.6

_SURE = 0.9  # a confidence, above which a linear axis shows little
_MOST_SURE = 0.5  # of the pictures; with more above it, a chart beside spreads them
_GROUPS, _STEPS = 10, 24  # of that chart, and the steps of its histogram
_LOG_FROM = 100.0  # times the least count


@dataclass(frozen=True)
class _Points:
    """Pictures in groups of like confidence: mean confidence, accuracy and its interval, in per cent."""

    confidence: NDArray[np.float64]
    accuracy: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]


@styled
def plot_reliability(evaluation: Evaluation) -> Figure:
    """How often the answers of like confidence are right; below, how many answers are that sure.

    Confidence is the highest probability of a picture. On the dashed diagonal an answer of 90 % is right in 90 % of
    the cases; above it the network is right more often than it says, below it less often. Bars are 95 % Wilson
    intervals. Where more than half of the confidences lie above 90 % and some answers are wrong, a second chart spreads
    them on a logarithmic scale of the doubt, 100 % − confidence, in ten steps of that scale.

    Args:
        evaluation: such as `run.test`.

    Source: Guo et al. 2017, On Calibration of Modern Neural Networks.

    >>> from neocog.evaluation import evaluate_predictions
    >>> found = evaluate_predictions([[0.8, 0.2], [0.6, 0.4], [0.3, 0.7]], [0, 1, 1], ["cat", "dog"], "test")
    >>> [axes.get_label() for axes in plot_reliability(found).axes]
    ['reliability', 'confidences']
    """
    confidences = 100 * evaluation.confidences.astype(np.float64)
    linear = (
        Accuracies(Span.linear((0.0, 100.0), _SQUARE, (0, 100))),
        Accuracies(Span.linear((0.0, 100.0), _SQUARE, (0, 100), upright=True)),
    )
    close = evaluation.errors and np.mean(confidences > 100 * _SURE) > _MOST_SURE
    spread = _groups(evaluation, confidences) if close else None
    charts = [("reliability", "confidences", _bins(evaluation), *linear)]
    if spread:
        around = [float(value) for values in (spread.confidence, spread.low, spread.high) for value in values]
        across, up = (Accuracies.spread(around, _SQUARE, upright=upright) for upright in (False, True))
        charts.append(("reliability, spread", "confidences, spread", spread, across, up))
    counted = [_counted(evaluation, confidences, across) for _, _, _, across, _ in charts]
    sides = [max(up.span.side, span.side) for (*_, up), (_, _, span) in zip(charts, counted, strict=True)]
    width = max(_LEAST_WIDTH, 2 * MARGIN + sum(sides) + len(charts) * _SQUARE + (len(charts) - 1) * _ASIDE + GAP)
    tall = _SQUARE + _BETWEEN + _COUNTS + FOOT
    figure, foot = page(width, tall, _title(evaluation, confidences), _caption(evaluation, spread=spread is not None))

    left, bottom = MARGIN, foot + FOOT
    for (name, below, points, across, up), (counts, edges, span), side in zip(charts, counted, sides, strict=True):
        left += side
        box = left, bottom + _COUNTS + _BETWEEN, _SQUARE, _SQUARE
        titles = "", "accuracy in %"
        axes = add_chart(figure, box, name, (across.span, up.span), titles)
        axes.set_xlabel("")
        axes.tick_params(axis="x", labelbottom=False)
        _draw(axes, points, across, up)
        lower = left, bottom, _SQUARE, _COUNTS
        histogram = add_chart(figure, lower, below, (across.span, span), ("confidence in %", ""))
        histogram.set_ylabel("pictures, log" if span.log else "pictures")
        histogram.stairs(
            np.maximum(counts, span.low), edges, baseline=span.low, fill=True, color=SKY, edgecolor=BLUE, gid="counts"
        )
        left += _SQUARE + _ASIDE
    return figure


def _bins(evaluation: Evaluation) -> _Points:
    found = evaluation.reliability
    columns = np.array([(each.confidence, each.accuracy, *each.interval) for each in found], dtype=np.float64)
    return _Points(*(100 * columns.T))


def _groups(evaluation: Evaluation, confidences: NDArray[np.float64]) -> _Points:
    """Groups of equal width on the logarithmic scale of the doubt, those that have pictures."""
    from neocog.evaluation import wilson_interval

    doubts = 100 - confidences
    some = doubts[doubts > 0]
    floor = float(some.min()) if some.size else 1.0
    logs = np.log(np.maximum(doubts, floor))
    width = (logs.max() - logs.min()) / _GROUPS or 1.0
    group = np.minimum((logs - logs.min()) / width, _GROUPS - 1).astype(int)
    sizes = np.bincount(group, minlength=_GROUPS)
    filled = np.flatnonzero(sizes)
    n = sizes[filled]
    right = np.bincount(group, evaluation.predictions == evaluation.labels, _GROUPS)[filled]
    sure = np.bincount(group, confidences, _GROUPS)[filled] / n
    ends = np.array([wilson_interval(float(count), int(of)) for count, of in zip(right, n, strict=True)])
    return _Points(sure, 100 * right / n, *(100 * ends.T))


def _counted(
    evaluation: Evaluation, confidences: NDArray[np.float64], across: Accuracies
) -> tuple[NDArray[np.int64], NDArray[np.float64], Span]:
    """How many confidences lie in each step of an axis, where the steps end, and the axis of the counts."""
    if across.is_spread:
        edges = np.geomspace(across.span.low, across.span.high, _STEPS + 1)[::-1]
        places = np.clip(across.places(confidences), edges[0], edges[-1])
    else:
        edges, places = np.linspace(0, 100, 21), confidences
    counts, _ = np.histogram(places, edges)
    least, most = float(counts[counts > 0].min()), float(counts.max())
    if most > _LOG_FROM * least:
        span = Span.decades([0.8 * least, most], _COUNTS, upright=True)
    else:
        span = replace(Span.linear([0.0, most], _COUNTS, (0, np.inf), upright=True, whole=True), low=0.0)
    return counts, edges, span


def _draw(axes: Axes, points: _Points, across: Accuracies, up: Accuracies) -> None:
    ends = [max(across.span.low, up.span.low), min(across.span.high, up.span.high)]
    ends = [0.0, 100.0] if not across.is_spread else ends
    axes.plot(ends, ends, color=GREY, linewidth=1, linestyle=(0, (4, 2)), gid="diagonal")
    places = across.places(points.confidence)
    axes.vlines(places, up.places(points.low), up.places(points.high), colors=BLUE, linewidth=1.6, gid="interval")
    axes.plot(
        places,
        up.places(points.accuracy),
        "o",
        color=BLUE,
        markersize=6,
        markeredgecolor=WHITE,
        markeredgewidth=0.6,
        clip_on=False,
        zorder=3,
        gid="groups",
    )


def _title(evaluation: Evaluation, confidences: NDArray[np.float64]) -> str:
    sure, (low, high) = float(confidences.mean()), (100 * end for end in evaluation.interval)
    verdict = "too unsure, " if sure < low else "too sure, " if sure > high else ""
    right = f"{100 * evaluation.accuracy:.2f} % right"
    return f"Reliability on {evaluation.split}: {verdict}{right}, {sure:.2f} % sure on average"


def _caption(evaluation: Evaluation, *, spread: bool) -> str:
    low, high = (f"{100 * end:.2f}" for end in evaluation.ece_interval)
    parts = [
        f"Expected calibration error {100 * evaluation.ece:.2f} points (95 % bootstrap interval {low}–{high}, "
        f"n = {plural(evaluation.n, 'picture')}; a network as right as it is sure would have "
        f"{100 * evaluation.ece_by_chance:.2f} by chance). Bars: 95 % Wilson intervals. Dashed: as often right as "
        "sure; above it right more often."
    ]
    if spread:
        parts.append("At the right the same pictures, logarithmic in 100 % − x.")
    if evaluation.temperature != 1:
        parts.append(f"Probabilities at temperature {number(evaluation.temperature, 3)}.")
    return " ".join(parts)
