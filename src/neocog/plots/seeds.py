"""Every seed of every side as one mark, with the mean and its interval."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import TYPE_CHECKING

from neocog.errors import NeocogError
from neocog.plots.charts import (
    FAINT,
    FOOT,
    GAP,
    MARGIN,
    Look,
    add_axes,
    axis_title,
    cut_text,
    fitted,
    heading,
    height_of,
    metric_span,
    plural,
    possible,
    scaled_title,
    short_name,
    unit_of,
    value_text,
    within,
    write,
)
from neocog.plots.numbers import text_width
from neocog.plots.style import BLACK, GREY, HEADING, LIGHT, SMALL, TEXT, WHITE, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neocog.statistics.comparison import Comparison, Metric, Side

# Inches, unless said otherwise.
_WIDTH = 8.0
_NAMES, _MANY, _MANY_NAMES = 2.4, 8, 3.4  # the widest names; more sides have wider and so lower ones
_MARK, _MARK_POINTS = 0.09, 6.0  # from mark to mark in a swarm, and how large one is
_SWARM = 0.6  # of the tallest swarm; the marks of a taller one overlap
_MEAN = 0.22  # below the swarm, for the mean with its interval
_ROW_GAP = 0.18
_JOINED = range(2, 5)  # so many sides; among more, lines can't be followed
_MOST_NAMED = 3  # failed seeds


@dataclass(frozen=True)
class _Row:
    """One side as it is shown: the mean, the ends of its interval, texts, its seeds and their levels in the swarm."""

    mean: float | None
    interval: tuple[float, float] | None  # the mean itself where there is none; None without a mean
    name: str
    facts: str
    values: Mapping[int, float]
    levels: Mapping[int, int] = field(default_factory=dict)

    @property
    def step(self) -> float:
        """Inches from level to level of the swarm."""
        return min(_MARK, _SWARM / self._levels)

    @property
    def _levels(self) -> int:
        return max(self.levels.values(), default=0) + 1

    @property
    def text_height(self) -> float:
        return height_of(self.name, TEXT) + height_of(self.facts, SMALL)

    @property
    def drawn_height(self) -> float:
        return self._levels * self.step + _MEAN

    @property
    def height(self) -> float:
        return max(self.text_height, self.drawn_height) + _ROW_GAP


@styled
def plot_seeds(comparison: Comparison) -> Figure:
    """Each seed of each side as a mark, the best side on top; below its marks the mean with its interval, as a bar.

    Marks that would overlap lie on one another. With two to four sides, thin lines join the marks of one seed. The
    title is the verdict. Each side has, below its name, its mean ± the standard deviation over its seeds, and n. An
    interval ends where its metric does, such as at 100 %, and the caption says so.

    Args:
        comparison: what `neocog.compare` gives.

    Raises:
        NeocogError: no seed of any side finished.

    >>> from neocog.statistics.comparison import METRICS, Side, compare_sides
    >>> sides = [Side(name, {0: low, 1: low + 0.01}, {}, {}, 29034) for name, low in (("a", 0.96), ("b", 0.93))]
    >>> figure = plot_seeds(compare_sides(sides, METRICS["accuracy"]))
    >>> figure.axes[0].get_xlabel()
    'validation accuracy in %'
    """
    metric, sides = comparison.metric, comparison.ordered
    shown = [{seed: value * metric.scale for seed, value in side.values.items()} for side in sides]
    if not any(shown):
        raise NeocogError("no seeds to plot: not one of any side finished; mend what failed and compare again")
    rows = [_row(side, values, metric, len(sides)) for side, values in zip(sides, shown, strict=True)]
    names = max(max(text_width(row.name, TEXT), text_width(row.facts, SMALL)) for row in rows)
    length = _WIDTH - names - 2 * MARGIN - 2 * GAP
    limits, intervals = possible(metric), [row.interval for row in rows if row.interval]
    cut = cut_text(intervals, limits, unit_of(metric))
    ends = [end for interval in intervals for end in within(*interval, limits)]
    span = metric_span([value for values in shown for value in values.values()], ends, metric, length)
    places = [{seed: span.share(value) * length for seed, value in row.values.items()} for row in rows]
    rows = [replace(row, levels=swarm(across)) for row, across in zip(rows, places, strict=True)]

    title = heading(comparison.verdict, _WIDTH - 2 * MARGIN)
    caption = fitted(_caption(comparison, rows, cut), SMALL, _WIDTH - 2 * MARGIN)
    tall = sum(row.height for row in rows)
    foot = MARGIN + height_of(caption, SMALL) + GAP + FOOT
    figure = new_figure(_WIDTH, foot + tall + 2 * GAP + height_of(title, HEADING) + MARGIN)
    write(figure, MARGIN, foot + tall + 2 * GAP, title, size=HEADING, va="bottom")
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    axes = add_axes(figure, (_WIDTH - MARGIN - length, foot, length, tall), "seeds")
    axes.set_ylim(0, tall)  # inches
    span.put_on(axes, "x")
    axes.set_xlabel(scaled_title(axis_title(metric), span))
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    _draw_rows(axes, rows, limits)
    _write_names(figure, rows, MARGIN + names, foot + tall)
    return figure


def _row(side: Side, values: Mapping[int, float], metric: Metric, sides: int) -> _Row:
    mean, interval, found = None, None, side.interval
    facts = ["no seed finished"]
    if found:
        mean, half = found.mean * metric.scale, (found.half_width or 0.0) * metric.scale
        interval = mean - half, mean + half
        spread = "" if found.sd is None else f" ± {value_text(found.sd * metric.scale, metric)}"
        facts = [f"{value_text(mean, metric)}{spread} {unit_of(metric)}, n = {len(values)}"]
    if side.failures:
        facts.append(_failed(side.failures))
    widest = _MANY_NAMES if sides > _MANY else _NAMES
    name = fitted(short_name(side.name), TEXT, widest)
    return _Row(mean, interval, name, fitted("; ".join(facts), SMALL, widest), values)


def _draw_rows(axes: Axes, rows: Sequence[_Row], limits: tuple[float, float]) -> None:
    top, places = axes.get_ylim()[1], []
    for position, row in enumerate(rows):
        middle = top - row.height / 2
        base = middle - row.drawn_height / 2 + _MEAN
        heights = {seed: base + (level + 0.5) * row.step for seed, level in row.levels.items()}
        places.append({seed: (row.values[seed], height) for seed, height in heights.items()})
        look = Look.of(position)
        axes.plot(
            [row.values[seed] for seed in heights],
            [*heights.values()],
            look.mark,
            color=look.colour,
            markersize=_MARK_POINTS,
            markeredgecolor=WHITE,
            markeredgewidth=0.6 if row.step > _MARK / 2 else 0.0,
            zorder=3,
            gid="seeds",
        )
        if row.mean is not None and row.interval:
            height = base - _MEAN / 2
            axes.plot(within(*row.interval, limits), [height] * 2, color=BLACK, linewidth=1.6, zorder=4, gid="interval")
            axes.plot([row.mean], [height], "|", color=BLACK, markersize=9, markeredgewidth=1.8, zorder=4, gid="mean")
        top -= row.height
        if position + 1 < len(rows):
            axes.axhline(top, color=LIGHT, linewidth=0.5)
    if len(rows) in _JOINED:
        for upper, lower in pairwise(places):
            for seed in sorted(upper.keys() & lower.keys()):
                across, up = zip(upper[seed], lower[seed], strict=True)
                axes.plot(across, up, color=GREY, alpha=0.5, linewidth=0.6, zorder=2, gid="same seed")


def _write_names(figure: Figure, rows: Sequence[_Row], right: float, top: float) -> None:
    for row in rows:
        begin = top - row.height / 2 + row.text_height / 2
        write(figure, right, begin, row.name, size=TEXT, ha="right", va="top")
        write(figure, right, begin - height_of(row.name, TEXT), row.facts, size=SMALL, color=GREY, ha="right", va="top")
        top -= row.height


def swarm(places: Mapping[int, float]) -> dict[int, int]:
    """The level of each mark, from 0: the lowest on which it lies beside all others, taken from left to right.

    >>> swarm({0: 1.0, 1: 1.05, 2: 1.1, 3: 2.0})
    {0: 0, 1: 1, 2: 0, 3: 0}
    """
    ends: list[float] = []  # of each level, to the right
    levels = {}
    for seed in sorted(places, key=lambda seed: (places[seed], seed)):
        level = next((n for n, end in enumerate(ends) if places[seed] >= end), len(ends))
        ends[level : level + 1] = [places[seed] + _MARK * (1 - 1e-9)]
        levels[seed] = level
    return levels


def _failed(seeds: Collection[int]) -> str:
    """
    >>> _failed([3]), _failed([5, 3]), _failed(range(4))
    ('seed 3 failed', 'seeds 3 and 5 failed', '4 seeds failed')
    """
    if len(seeds) > _MOST_NAMED:
        return f"{plural(len(seeds), 'seed')} failed"
    *first, last = map(str, sorted(seeds))
    return f"seeds {', '.join(first)} and {last} failed" if first else f"seed {last} failed"


def _caption(comparison: Comparison, rows: Sequence[_Row], cut: str) -> str:
    most = max(len(row.values) for row in rows)
    parts = ["Each mark is one seed"]
    if len(rows) in _JOINED and len(comparison.sides) > 1:
        parts.append("thin lines join the same seed")
    if most > 1:
        interval = f"{100 * comparison.confidence:g} % interval of the mean (Student's t){f', {cut}' * bool(cut)}"
        parts.append(f"bar: {interval}; ±: standard deviation over seeds")
    else:
        parts.append("one seed has no interval")
    return "; ".join(parts) + "."
