"""What each side reaches beside what it costs, and which sides no other beats at both."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, pairwise, takewhile
from typing import TYPE_CHECKING, Literal

from neocog.errors import NeocogError, unknown
from neocog.plots.charts import (
    FAINT,
    FOOT,
    GAP,
    MARGIN,
    Look,
    Span,
    add_chart,
    axis_title,
    cut_text,
    fitted,
    heading,
    height_of,
    metric_span,
    possible,
    short_name,
    unit_of,
    within,
    write,
)
from neocog.plots.keys import Key
from neocog.plots.numbers import text_width
from neocog.plots.style import BLACK, GREY, HEADING, SMALL, WHITE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neocog.statistics.comparison import Comparison, Side

AXES = {
    "parameters": "parameters",
    "macs": "multiply-adds for one picture",
    "seconds": "training time in seconds",
}

# Inches, unless said otherwise.
_WIDTH, _TALL = 8.0, 4.0
_MARK, _NAME = 0.15, 1.9  # what a mark takes; the widest line of a name
_LOG_FROM = 10.0  # times the least cost
_BESIDE, _BESIDE_ALL = 0.12, 0.8  # between sides of the same cost; all of them take no more than this
_MOST_NAMED = 12  # sides; more have numbers, and a list of their names
# How far from its mark a name may stand; from _LED on, a line leads to it.
_DISTANCES, _LED = tuple(0.02 + 0.05 * step for step in range(70)), 0.15
_NEAR = 0.3  # farther off, a name rather lies on a line
_DIRECTIONS = 16
_NO_MARK = Look(BLACK, "", "none")

Place = tuple[float, float]  # to the right and up, in inches from the corner of the chart
Box = tuple[float, float, float, float]  # left, bottom, right and top, likewise


@dataclass(frozen=True)
class _Spot:
    """A side as it is shown: cost and value, each with the ends of its interval, equal without one."""

    name: str
    cost: float
    cost_ends: tuple[float, float]
    value: float
    value_ends: tuple[float, float]
    n: int


@styled
def plot_cost(comparison: Comparison, axis: Literal["parameters", "macs", "seconds"] = "parameters") -> Figure:
    """The mean of each side over its cost, with its interval; the seconds are a mean with an interval, too.

    A cost that spans more than a factor of 10 is on a logarithmic axis. Filled marks, joined by a line, are the sides
    than which no other is better without costing more (Pareto's front). Sides of the same cost stand beside each
    other, so that their intervals can be told apart. An interval ends where its metric does, such as at 100 %.

    Args:
        comparison: what `neocog.compare` gives.
        axis: the cost: "parameters", "macs" (multiply-adds for one picture) or "seconds" (of training).

    Raises:
        NeocogError: an unknown axis, or no side that finished a seed and has this cost.

    >>> from neocog.statistics.comparison import METRICS, Side, compare_sides
    >>> sides = [Side(name, {0: low, 1: low + 0.01}, {}, {}, 29034) for name, low in (("a", 0.96), ("b", 0.93))]
    >>> figure = plot_cost(compare_sides(sides, METRICS["accuracy"]))
    >>> figure.axes[0].get_xlabel()
    'parameters'
    """
    if axis not in AXES:
        raise NeocogError(unknown("cost", axis, AXES))
    metric = comparison.metric
    spots = [spot for side in comparison.sides if (spot := _spot(side, axis, metric.scale))]
    if not spots:
        raise NeocogError(f"no cost to plot: no side that finished a seed has {AXES[axis]}; give another axis")
    limits = possible(metric)
    cut = cut_text([spot.value_ends for spot in spots], limits, unit_of(metric))
    spots = [
        replace(spot, value_ends=within(*spot.value_ends, limits), cost_ends=within(*spot.cost_ends, (0, math.inf)))
        for spot in spots
    ]
    ends = [end for spot in spots for end in spot.value_ends]
    up = metric_span([spot.value for spot in spots], ends, metric, _TALL, upright=True)
    left = MARGIN + up.side
    length = _WIDTH - MARGIN - left
    across = _cost_span(spots, length)
    leads = front([(spot.cost, spot.value) for spot in spots], higher_is_better=metric.higher_is_better)
    shown = _beside(spots, across, length)
    steps = _steps([spot for spot, leading in zip(shown, leads, strict=True) if leading], across.high)

    def inches(cost: float, value: float) -> Place:
        return across.share(cost) * length, up.share(value) * _TALL

    marks = [inches(spot.cost, spot.value) for spot in shown]
    lines = [(*inches(*begin), *inches(*end)) for begin, end in [*pairwise(steps), *_bars(shown)]]
    labels, places, key = _labels(spots, marks, lines, length)

    missing = len(comparison.sides) - len(spots)
    title = heading(_title(comparison, axis), _WIDTH - 2 * MARGIN)
    caption = fitted(_caption(spots, axis, missing, cut, beside=shown != spots), SMALL, _WIDTH - 2 * MARGIN)
    foot = MARGIN + height_of(caption, SMALL) + (GAP + key.height if key else 0.0) + GAP + FOOT
    figure = new_figure(_WIDTH, foot + _TALL + 2 * GAP + height_of(title, HEADING) + MARGIN)
    write(figure, MARGIN, foot + _TALL + 2 * GAP, title, size=HEADING, va="bottom")
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    if key:
        key.draw(figure, MARGIN, foot - FOOT)
    axes = add_chart(figure, (left, foot, length, _TALL), axis, (across, up), (AXES[axis], axis_title(metric)))
    axes.plot(*zip(*steps, strict=True), color=GREY, linewidth=1, linestyle=(0, (2, 2)), zorder=1, gid="front")
    for position, (spot, leading) in enumerate(zip(shown, leads, strict=True)):
        _draw_spot(axes, spot, Look.of(position), filled=leading)
    for label, mark, place in zip(labels, marks, places, strict=True):
        _draw_label(axes, label, mark, place, (length, _TALL))
    return figure


def front(points: Sequence[tuple[float, float]], *, higher_is_better: bool) -> list[bool]:
    """Whether each (cost, value) is on Pareto's front: no other is as cheap and as good, and better at one of both.

    >>> front([(1, 90), (2, 95), (3, 93), (2, 95)], higher_is_better=True)
    [True, True, False, True]
    """
    sign = -1 if higher_is_better else 1
    lower = [(cost, sign * value) for cost, value in points]
    return [not any(other[0] <= one[0] and other[1] <= one[1] and other != one for other in lower) for one in lower]


def placed(marks: Sequence[Place], labels: Sequence[str], lines: Sequence[Box], area: Place) -> list[Box] | None:
    """A free box for each label, as near to its mark as there is one; None if one of them finds none.

    Right of the mark comes first, then left, above, below and between, then farther off. No label lies on a mark or on
    another label, and none on a line unless it would stand far from its mark.
    """
    taken: list[Box] = [(x - _MARK / 2, y - _MARK / 2, x + _MARK / 2, y + _MARK / 2) for x, y in marks]
    lines = [(min(x, end), min(y, top), max(x, end), max(y, top)) for x, y, end, top in lines]
    boxes: list[Box] = []
    for mark, label in zip(marks, labels, strict=True):
        size = text_width(label, SMALL) + 0.04, height_of(label, SMALL)
        near = (box for box in _around(mark, size, _NEAR) if _is_free(box, [*taken, *lines], area))
        anywhere = (box for box in _around(mark, size, math.inf) if _is_free(box, taken, area))
        free = next(chain(near, anywhere), None)
        if free is None:
            return None
        taken.append(free)
        boxes.append(free)
    return boxes


def _around(mark: Place, size: Place, farthest: float) -> Iterator[Box]:
    turns = sorted(range(_DIRECTIONS), key=lambda turn: (turn % 8 != 0, turn % 4 != 0, turn % 2 != 0, turn))
    for distance in takewhile(lambda distance: distance <= farthest, _DISTANCES):
        for turn in turns:
            right, up = math.cos(2 * math.pi * turn / _DIRECTIONS), math.sin(2 * math.pi * turn / _DIRECTIONS)
            x = mark[0] + right * (distance + (_MARK + size[0]) / 2)
            y = mark[1] + up * (distance + (_MARK + size[1]) / 2)
            yield x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2


def _is_free(box: Box, taken: Sequence[Box], area: Place) -> bool:
    left, bottom, right, top = box
    inside = left >= 0 and bottom >= 0 and right <= area[0] and top <= area[1]
    return inside and all(
        right <= other[0] or left >= other[2] or top <= other[1] or bottom >= other[3] for other in taken
    )


def _labels(
    spots: Sequence[_Spot], marks: Sequence[Place], lines: Sequence[Box], length: float
) -> tuple[list[str], list[Box], Key | None]:
    """Names beside the marks where there is room for them, or else numbers, which the key tells the names of."""
    alike = len({spot.n for spot in spots}) == 1
    names = [short_name(spot.name) + ("" if alike else f", n = {spot.n}") for spot in spots]
    if len(spots) <= _MOST_NAMED:
        labels = [fitted(name, SMALL, _NAME) for name in names]
        if (places := placed(marks, labels, lines, (length, _TALL))) is not None:
            return labels, places, None
    labels = [str(number) for number in range(1, len(spots) + 1)]
    places = placed(marks, labels, lines, (length, _TALL))
    assert places is not None, "numbers find room"
    entries = [(f"{label}  {name}", _NO_MARK) for label, name in zip(labels, names, strict=True)]
    return labels, places, Key(tuple(entries), _WIDTH - 2 * MARGIN, lined=False)


def _spot(side: Side, axis: str, scale: float) -> _Spot | None:
    from neocog.evaluation import mean_interval

    found = side.interval
    costs = list(side.seconds.values()) if axis == "seconds" else [getattr(side, axis)]
    if found is None or not costs or costs[0] is None:
        return None
    cost = mean_interval(costs)
    value, value_half, cost_half = found.mean * scale, (found.half_width or 0.0) * scale, cost.half_width or 0.0
    cost_ends, value_ends = (cost.mean - cost_half, cost.mean + cost_half), (value - value_half, value + value_half)
    return _Spot(side.name, cost.mean, cost_ends, value, value_ends, found.n)


def _beside(spots: Sequence[_Spot], across: Span, length: float) -> list[_Spot]:
    """The same, but those of one cost a little to the left and to the right of it.

    A cost that was measured has an interval of its own, which says where it stands; it is never moved.
    """
    shown = []
    for position, spot in enumerate(spots):
        exact = (spot.cost, spot.cost) == spot.cost_ends
        same = [n for n, other in enumerate(spots) if n == position or (exact and other.cost_ends == spot.cost_ends)]
        step = min(_BESIDE, _BESIDE_ALL / len(same))
        shift = (same.index(position) - (len(same) - 1) / 2) * step
        # What stands alone stays exactly where it is.
        cost = across.at(across.share(spot.cost) + shift / length) if shift else spot.cost
        shown.append(replace(spot, cost=cost))
    return shown


def _cost_span(spots: Sequence[_Spot], length: float) -> Span:
    costs = [spot.cost for spot in spots]
    ends = [end for spot in spots for end in spot.cost_ends]
    if min(costs) > 0 and max(costs) > _LOG_FROM * min(costs):
        return Span.decades([*costs, *(end for end in ends if end >= min(costs))], length)
    if min(ends) == max(ends):  # one cost: a tenth to either side
        ends = [0.9 * ends[0], 1.1 * ends[0]]
    return Span.linear(ends, length, (0, math.inf))


def _steps(leading: Sequence[_Spot], end: float) -> list[Place]:
    """What can be had at most for a cost: flat from each side of the front to the next, and up to the chart's end."""
    spots = sorted(leading, key=lambda spot: spot.cost)
    corners = [place for one, after in pairwise(spots) for place in ((one.cost, one.value), (after.cost, one.value))]
    return [*corners, (spots[-1].cost, spots[-1].value), (end, spots[-1].value)]


def _bars(spots: Sequence[_Spot]) -> Iterator[tuple[Place, Place]]:
    """The intervals, each from end to end."""
    for spot in spots:
        (low, high), (least, most) = spot.value_ends, spot.cost_ends
        if low < high:
            yield (spot.cost, low), (spot.cost, high)
        if least < most:
            yield (least, spot.value), (most, spot.value)


def _draw_spot(axes: Axes, spot: _Spot, look: Look, *, filled: bool) -> None:
    for begin, end in _bars([spot]):
        axes.plot(*zip(begin, end, strict=True), color=look.colour, linewidth=1.4, zorder=2, gid="interval")
    # A hollow mark lies on a filled one, which is seen through it.
    face, edge, order = (look.colour, WHITE, 3) if filled else ("none", look.colour, 4)
    (mark,) = axes.plot([spot.cost], [spot.value], look.mark, markersize=8, gid="side")
    mark.set(markerfacecolor=face, markeredgecolor=edge, zorder=order)


def _draw_label(axes: Axes, label: str, mark: Place, box: Box, area: Place) -> None:
    from matplotlib.patheffects import withStroke

    middle = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    gap = max(abs(mark[0] - middle[0]) - (box[2] - box[0]) / 2, abs(mark[1] - middle[1]) - (box[3] - box[1]) / 2)
    if gap > _LED + _MARK / 2:
        end = min(max(mark[0], box[0]), box[2]), min(max(mark[1], box[1]), box[3])
        across, up = (
            [place / whole for place in places] for places, whole in zip(zip(mark, end, strict=True), area, strict=True)
        )
        axes.plot(across, up, color=GREY, linewidth=0.6, transform=axes.transAxes, zorder=1.5, gid="leader")
    axes.text(
        middle[0] / area[0],
        middle[1] / area[1],
        label,
        size=SMALL,
        color=BLACK,
        ha="center",
        va="center",
        transform=axes.transAxes,
        parse_math=False,
        zorder=5,
        path_effects=[withStroke(linewidth=2, foreground=WHITE)],
    )


def _title(comparison: Comparison, axis: str) -> str:
    metric = comparison.metric.title
    return f"{metric[0].upper()}{metric[1:]} against {AXES[axis].partition(' in ')[0]}"


def _caption(spots: Sequence[_Spot], axis: str, missing: int, cut: str, *, beside: bool) -> str:
    counts = sorted({spot.n for spot in spots})
    parts = ["Filled: no cheaper or equal side has a better mean. Dotted line: the best mean for that cost or less."]
    if counts[-1] > 1:
        bars = f"Bars: 95 % intervals of the means (Student's t){f', {cut}' * bool(cut)}"
        parts.append(f"{bars}{f', n = {counts[0]}' if len(counts) == 1 else ''}.")
    else:
        parts.append("One seed each has no interval.")
    if beside:
        parts.append("Sides of the same cost are drawn a little apart.")
    if missing:
        sides = f"{missing} side{'s' if missing > 1 else ''}"
        parts.append(f"Not shown: {sides} without a finished seed{' or this cost' if axis == 'macs' else ''}.")
    return " ".join(parts)
