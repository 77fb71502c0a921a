"""How far a network holds when its pictures change: accuracy over the strength of each change."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from neocog.errors import NeocogError
from neocog.plots.charts import FOOT, GAP, MARGIN, Span, add_chart, fitted, height_of, plain, plural, write
from neocog.plots.pages import page
from neocog.plots.style import BLUE, GREY, MARK, TEXT, WHITE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neocog.statistics.stress import StressCurve, StressTest

# Inches.
_WIDTH, _COLUMNS = 9.0, 4
_TALL = 1.5
_BETWEEN = 0.22  # from panel to panel
_LEAST_WIDTH = 5.0


@styled
def plot_stress(stress_test: StressTest) -> Figure:
    """Accuracy over the strength of each change of the pictures, a small chart a change, all on one scale.

    The band is the 95 % Wilson interval. The solid grey line is the accuracy of unchanged pictures, the dotted one that
    of guessing. A diamond marks the strength at which half of what lies between them is lost. The stronger change is at
    the right, also where its number is lower, such as that of a contrast.

    Args:
        stress_test: what `neocog.stress` gives.

    Raises:
        NeocogError: no change was tried.

    >>> from neocog.statistics.stress import StressCurve, StressTest
    >>> curve = StressCurve("shift", "pixels", (0, 1, 2), (90, 80, 20), 100, 0.1)
    >>> figure = plot_stress(StressTest("runs/1", "test", 100, 0.9, (curve,), ()))
    >>> [axes.get_xlabel() for axes in figure.axes]
    ['pixels']
    """
    curves = stress_test.curves
    if not curves:
        raise NeocogError("no stress curves to plot: not one change was tried; leave only=… out to try all of them")
    columns = min(_COLUMNS, len(curves))
    values = [100 * end for curve in curves for interval in curve.intervals for end in interval]
    up = Span.linear([*values, *(100 * curve.guess for curve in curves)], _TALL, (0, 100), upright=True)
    inner = max(_LEAST_WIDTH, _WIDTH * columns / _COLUMNS) - 2 * MARGIN
    length = (inner - up.side - (columns - 1) * _BETWEEN - GAP) / columns
    heads = [fitted(curve.name, TEXT, length) for curve in curves]
    head = max(height_of(text, TEXT) for text in heads) + GAP / 2
    rows = -(-len(curves) // columns)
    row = head + _TALL + FOOT
    tall = rows * row + (rows - 1) * GAP
    figure, foot = page(inner + 2 * MARGIN, tall, _title(stress_test), _caption(stress_test))
    for position, (curve, text) in enumerate(zip(curves, heads, strict=True)):
        down, across = divmod(position, columns)
        left = MARGIN + up.side + across * (length + _BETWEEN)
        bottom = foot + tall - down * (row + GAP) - head - _TALL
        span = _strengths(curve, length)
        titles = curve.unit, "accuracy in %" if across == 0 else ""
        axes = add_chart(figure, (left, bottom, length, _TALL), curve.name, (span, up), titles)
        if across:
            axes.tick_params(axis="y", labelleft=False)
        _draw(axes, curve, stress_test.accuracy)
        write(figure, left, bottom + _TALL + GAP / 2, text, size=TEXT, va="bottom")
    return figure


def _strengths(curve: StressCurve, length: float) -> Span:
    """The axis of the strengths, with the last one at its right end.

    >>> from neocog.statistics.stress import StressCurve
    >>> span = _strengths(StressCurve("contrast", "×", (1, 0.5, 0.2), (9, 8, 7), 10), 2)
    >>> span.low > 1 > 0.2 > span.high
    True
    """
    span = Span.linear(curve.strengths, length)
    first, last = curve.strengths[0], curve.strengths[-1]
    return span if first <= last else replace(span, low=span.high, high=span.low)


def _draw(axes: Axes, curve: StressCurve, accuracy: float) -> None:
    low, high = zip(*curve.intervals, strict=True)
    axes.axhline(100 * accuracy, color=GREY, linewidth=0.9, gid="unchanged")
    if curve.guess:
        axes.axhline(100 * curve.guess, color=GREY, linewidth=1.1, linestyle=(0, (1, 1.5)), gid="guessing")
    axes.fill_between(
        curve.strengths,
        [100 * end for end in low],
        [100 * end for end in high],
        color=BLUE,
        alpha=0.2,
        linewidth=0,
        gid="interval",
    )
    axes.plot(
        curve.strengths,
        [100 * share for share in curve.accuracies],
        "o-",
        color=BLUE,
        linewidth=1.6,
        markersize=4.5,
        markeredgecolor=WHITE,
        markeredgewidth=0.6,
        clip_on=False,
        zorder=3,
        gid="curve",
    )
    if curve.half_lost is not None:
        half = 50 * (curve.accuracies[0] + curve.guess)
        axes.plot(
            [curve.half_lost],
            [half],
            "D",
            color=MARK,
            markersize=6,
            markeredgecolor=WHITE,
            markeredgewidth=0.8,
            zorder=4,
            gid="half lost",
        )


def _title(stress_test: StressTest) -> str:
    worst = min(stress_test.curves, key=lambda curve: min(curve.accuracies))
    return (
        f"Stress on {stress_test.part}: {100 * stress_test.accuracy:.2f} % right unchanged, "
        f"{100 * min(worst.accuracies):.2f} % at worst ({worst.name})"
    )


def _caption(stress_test: StressTest) -> str:
    parts = [
        f"Bands: 95 % Wilson intervals, n = {plural(stress_test.n, 'picture')} at each strength.",
        "Grey line: the pictures unchanged.",
    ]
    guess = {curve.guess for curve in stress_test.curves if curve.guess}
    if guess:
        parts.append(f"Dotted: guessing, {plain(100 * max(guess))} %.")
    if any(curve.half_lost is not None for curve in stress_test.curves):
        parts.append("Diamond: half of the lead over guessing is lost.")
    return " ".join(parts)
