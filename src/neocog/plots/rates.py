"""A range test of learning rates: the loss while the rate grows, and the rate that it suggests."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from neocog.errors import NeocogError
from neocog.plots.charts import (
    FAINT,
    FOOT,
    GAP,
    MARGIN,
    Span,
    add_chart,
    fitted,
    heading,
    height_of,
    plain,
    plural,
    write,
)
from neocog.plots.numbers import text_width
from neocog.plots.style import BLACK, BLUE, GREY, HEADING, LIGHT, MARK, SKY, SMALL, TEXT, WHITE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neocog.statistics.rates import RateRange

_WIDTH, _TALL = 8.0, 3.6  # inches; of the figure and of the chart
_HEADROOM = 1.5  # times the highest smoothed loss of the fall; what lies above is cut off
_REACHED = "last rate reached"

Line = list[tuple[float, float]]  # rates and losses


@styled
def plot_rates(found: RateRange) -> Figure:
    """The loss of each batch over the rate it was trained with, smoothed, with the suggestion and where the test ended.

    Faint dots are single batches. The line is their running mean; with several seeds it is the mean of theirs, which
    are thin lines. The rates between which the loss falls are shaded. Rates are on a logarithmic axis, losses in nats.

    Args:
        found: what `neocog.lr_find` gives.

    Raises:
        NeocogError: no step with a finite loss.

    >>> from neocog.statistics.rates import RateCurve, range_of
    >>> curve = RateCurve(0, (0.01, 0.1), (2.3, 2.1), (2.3, 2.2), "last rate reached", None)
    >>> plot_rates(range_of([curve], recipe="fast", data="mnist")).axes[0].get_xscale()
    'log'
    """
    dots = [_finite(curve.rates, curve.losses) for curve in found.curves]
    lines = [_finite(curve.rates, curve.smoothed) for curve in found.curves]
    mean = _finite(found.rates, found.smoothed)
    if not mean:
        raise NeocogError("no rates to plot: no step had a finite loss; begin with a lower rate, --low in the shell")
    lowest = min(range(len(mean)), key=lambda step: mean[step][1])
    most = _HEADROOM * max(loss for _, loss in mean[: lowest + 1])
    losses = [loss for line in [mean, *dots, *lines] for _, loss in line]
    up = Span.linear([min(loss, most) for loss in losses], _TALL, (0, math.inf), upright=True)
    left = MARGIN + up.side
    length = _WIDTH - left - MARGIN
    across = Span.decades([rate for curve in found.curves for rate in curve.rates], length)

    title = heading(str(found), _WIDTH - 2 * MARGIN)
    caption = fitted(_caption(found, cut=max(losses) > most), SMALL, _WIDTH - 2 * MARGIN)
    foot = MARGIN + height_of(caption, SMALL) + GAP + FOOT
    figure = new_figure(_WIDTH, foot + _TALL + 2 * GAP + height_of(title, HEADING) + MARGIN)
    write(figure, MARGIN, foot + _TALL + 2 * GAP, title, size=HEADING, va="bottom")
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    titles = "learning rate", "loss of a batch in nats"
    axes = add_chart(figure, (left, foot, length, _TALL), "rates", (across, up), titles)

    if found.falls:
        axes.axvspan(*found.falls, color=LIGHT, alpha=0.35, linewidth=0, zorder=0.4, gid="falls")
    for line in filter(None, dots):
        axes.plot(*zip(*line, strict=True), "o", color=SKY, markersize=3, markeredgewidth=0, alpha=0.6, gid="batches")
    if len(lines) > 1:
        for line in filter(None, lines):
            axes.plot(*zip(*line, strict=True), color=GREY, linewidth=0.7, alpha=0.8, gid="seed")
    axes.plot(*zip(*mean, strict=True), color=BLUE, linewidth=2, gid="smoothed")
    for line, curve in zip(lines, found.curves, strict=True):
        if line and curve.ending != _REACHED:
            place = line[-1][0], min(line[-1][1], up.high)
            axes.plot(
                *([end] for end in place),
                "X",
                color=BLACK,
                markeredgecolor=WHITE,
                markersize=8,
                clip_on=False,
                zorder=4,
                gid="end",
            )
    if found.suggestion is not None:
        _mark_suggestion(axes, found.suggestion, mean)
        taken = [*_filled(mean), *(dot for line in dots for dot in line)]
        _name_suggestion(axes, found.suggestion, taken, (across, up), length)
    return figure


def _mark_suggestion(axes: Axes, rate: float, mean: Line) -> None:
    axes.axvline(rate, color=MARK, linewidth=1.2, linestyle=(0, (5, 2)), zorder=3, gid="suggestion")
    rates, losses = zip(*mean, strict=True)
    on_line = np.interp(math.log(rate), np.log(rates), losses)
    axes.plot([rate], [on_line], "D", color=MARK, markeredgecolor=WHITE, markersize=8, zorder=5, gid="suggestion")


def _name_suggestion(axes: Axes, rate: float, points: Line, spans: tuple[Span, Span], length: float) -> None:
    """The rate beside its line, where it lies on the least of the curve and of the dots, as high up as it can."""
    from matplotlib.patheffects import withStroke

    across, up = spans
    text, share = f"suggested: {plain(rate)}", across.share(rate)
    beside, width, height = GAP / length, text_width(text, TEXT) / length, height_of(text, TEXT) / _TALL
    taken = [(across.share(x), up.share(y)) for x, y in points]

    def hidden(place: tuple[bool, float]) -> int:
        right, top = place
        left = share + beside if right else share - beside - width
        near = (left - beside, left + width + beside), (top - height - beside, top + beside)
        return sum(near[0][0] <= x <= near[0][1] and near[1][0] <= y <= near[1][1] for x, y in taken)

    sides = [right for right in (True, False) if (share - beside - width > 0, share + beside + width < 1)[right]]
    right, top = min(((side, 0.97 - 0.05 * step) for step in range(18) for side in sides or (False,)), key=hidden)
    axes.text(
        share + (beside if right else -beside),
        top,
        text,
        transform=axes.transAxes,
        size=TEXT,
        color=BLACK,
        ha="left" if right else "right",
        va="top",
        path_effects=[withStroke(linewidth=3, foreground=WHITE)],
        zorder=6,
    )


def _filled(line: Line) -> Line:
    """The points of a line, and so many between them that none of it is passed over."""
    if len(line) < 2:
        return line
    rates, losses = zip(*line, strict=True)
    between = np.geomspace(rates[0], rates[-1], 200)
    return [*line, *zip(between.tolist(), np.interp(np.log(between), np.log(rates), losses).tolist(), strict=True)]


def _finite(rates: Sequence[float], losses: Sequence[float]) -> Line:
    return [(rate, loss) for rate, loss in zip(rates, losses, strict=True) if math.isfinite(loss)]


def _caption(found: RateRange, *, cut: bool) -> str:
    several = len(found.curves) > 1
    parts = [
        "Dots: single batches; line: their running mean"
        + (f" over {plural(len(found.curves), 'seed')}; thin lines: each seed." if several else ", one seed.")
    ]
    if found.falls:
        parts.append("Shaded: the loss falls.")
    if several and found.spread:
        low, high = map(plain, found.spread)
        parts.append(f"Single seeds suggest {low}." if low == high else f"Single seeds suggest {low} to {high}.")
    endings = sorted({curve.ending for curve in found.curves} - {_REACHED})
    parts.append(f"Cross: {' or '.join(endings)}." if endings else "The test went on to its last rate.")
    if cut:
        parts.append("Losses above the chart are cut off.")
    return " ".join(parts)
