"""What charts of numbers share: axes with ticks that are known beforehand, looks of series, texts of a given width."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from neocog.plots.numbers import LINE, POINTS, number, text_width
from neocog.plots.style import BLACK, BLUE, FONT, GREEN, GREY, LIGHT, ORANGE, PURPLE, SKY, SMALL, VERMILION, WHITE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

    from neocog.statistics.comparison import Metric

# Inches; FOOT is below a chart, for the labels and the title of its lower axis.
MARGIN, GAP, FOOT = 0.2, 0.1, 0.5
_UPRIGHT_TITLE, _TICK = 0.24, 0.16
EDGE = 0.07  # of an axis, free beyond its first and its last number
_TICK_ROOM, _ACROSS_ROOM, _UP_ROOM = 0.3, 0.2, 0.1  # inches: from tick to tick; between their labels
_LEAST_SPAN = 1e-3  # of the largest number: an axis shows no less, however equal the numbers
_LONGEST_NAME = 72  # letters
_LOG_FROM = 30.0  # times the least loss
_HUGE = 1e5  # from here on, decimals say nothing
_WORDS = re.compile("(?<![=±]) (?![=±%])")  # between words: "n = 9" and "97 ± 1 %" are one each

# Seven colours and eight marks, so that the 8th series differs from the 1st in its mark.
_COLOURS = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, BLACK)
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "p")
_LINES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1.2, 1.2)), (0, (6, 1.5, 1.2, 1.5)))


@dataclass(frozen=True)
class Look:
    """What one series is drawn in. Two that share a colour differ in mark and line."""

    colour: str
    mark: str
    line: Any

    @classmethod
    def of(cls, position: int) -> Look:
        """The look of the series at that position, from 0."""
        line = position + position // len(_COLOURS)
        return cls(_COLOURS[position % len(_COLOURS)], _MARKS[position % len(_MARKS)], _LINES[line % len(_LINES)])


@dataclass(frozen=True)
class Span:
    """An axis: from where to where, and what is written at it."""

    low: float
    high: float
    ticks: tuple[float, ...]
    labels: tuple[str, ...]
    log: bool = False

    @classmethod
    def linear(
        cls,
        values: Iterable[float],
        length: float,
        within: tuple[float, float] = (-math.inf, math.inf),
        *,
        upright: bool = False,
        whole: bool = False,
    ) -> Span:
        """Around all values, with ticks for an axis of so many inches; none of them beyond what is possible.

        `upright` is the axis at the left side, whose labels lie one over the other. `whole` asks for whole numbers as
        ticks, which it has where there are two of them.
        """
        from matplotlib.ticker import MaxNLocator

        numbers = list(values)
        low, high = min(numbers), max(numbers)
        least = _LEAST_SPAN * max(abs(low), abs(high), 1e-9)
        if high - low < least:
            low, high = (low + high - least) / 2, (low + high + least) / 2
        low, high = low - EDGE * (high - low), high + EDGE * (high - low)
        spans = []
        for most in range(max(2, int(length / _TICK_ROOM)), 0, -1):
            steps = MaxNLocator(most, steps=[1, 2, 2.5, 5, 10], min_n_ticks=2).tick_values(low, high)
            found = [float(f"{tick:.12g}") for tick in steps]  # 100, not 100.00000000000001
            ticks = tuple(tick for tick in found if max(low, within[0]) <= tick <= min(high, within[1]))
            spans.append(cls(low, high, ticks, _linear_labels(ticks)))
        if whole:
            spans = [each for each in spans if len(each.ticks) > 1 and all(map(float.is_integer, each.ticks))] or spans
        return _densest(spans, length, upright)

    @classmethod
    def decades(cls, values: Iterable[float], length: float, *, upright: bool = False) -> Span:
        """Around all values, which are above 0, on a logarithmic axis of so many inches."""
        numbers = list(values)
        low, high = math.log10(min(numbers)), math.log10(max(numbers))
        low, high = low - EDGE * max(high - low, 0.3), high + EDGE * max(high - low, 0.3)
        spans = [
            cls(10**low, 10**high, ticks, tuple(plain(tick) for tick in ticks), log=True)
            for ticks in _log_ticks(low, high)
        ]
        return _densest(spans, length, upright)

    def share(self, value: float) -> float:
        """How far along the axis a value lies, from 0 to 1, which are also where all beyond the ends lies."""
        ends = self.low, self.high, min(max(value, self.low), self.high)
        low, high, value = map(math.log10, ends) if self.log else ends
        return (value - low) / (high - low)

    @property
    def labels_width(self) -> float:
        """Inches of the longest label."""
        return max((text_width(label, SMALL) for label in self.labels), default=0.0)

    @property
    def side(self) -> float:
        """Inches that its labels and its title take beside a chart."""
        return _UPRIGHT_TITLE + self.labels_width + _TICK

    def put_on(self, axes: Axes, side: Literal["x", "y"]) -> None:
        """Gives these limits, ticks and labels to one axis of a chart."""
        from matplotlib.ticker import FixedFormatter, FixedLocator, NullLocator

        axis: Axis = axes.xaxis if side == "x" else axes.yaxis
        (axes.set_xscale if side == "x" else axes.set_yscale)("log" if self.log else "linear")
        (axes.set_xlim if side == "x" else axes.set_ylim)(self.low, self.high)
        axis.set_major_locator(FixedLocator(list(self.ticks)))
        axis.set_major_formatter(FixedFormatter(list(self.labels)))
        axis.set_minor_locator(NullLocator())


def _linear_labels(ticks: Sequence[float]) -> tuple[str, ...]:
    """Plain numbers, all with as many decimals as the step between them needs."""
    largest = max(map(abs, ticks), default=0.0)
    step = min((after - before for before, after in pairwise(ticks)), default=largest)
    if not step or largest >= 1e7 or largest < 1e-4:
        return tuple(plain(tick) for tick in ticks)
    places = next((n for n in range(12) if math.isclose(step * 10**n, round(step * 10**n), abs_tol=1e-6)), 12)
    return tuple(f"{tick:,.{places}f}".replace("-", "−") for tick in ticks)


def _log_ticks(low: float, high: float) -> list[tuple[float, ...]]:
    """Ever fewer ticks: 1, 2, 3 and 5, and so on to every so many powers of ten, from 10^low to 10^high."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    choices = [
        [factor * 10.0**power for power in powers for factor in factors]
        for factors in ((1, 2, 3, 4, 5, 6, 8), (1, 2, 3, 5), (1, 2, 5), (1, 3))
    ]
    choices += [[10.0**power for power in powers if power % step == 0] for step in range(1, len(powers) + 1)]
    return [tuple(tick for tick in ticks if 10**low <= tick <= 10**high) for ticks in choices]


def _densest(spans: Sequence[Span], length: float, upright: bool) -> Span:
    """The first whose labels stay apart on an axis of so many inches; where none do, one tick alone.

    A label below the axis that would reach beyond its end by more than the margin is left out.
    """

    def inside(span: Span) -> Span:
        kept = [
            (tick, label)
            for tick, label in zip(span.ticks, span.labels, strict=True)
            if upright or abs(2 * span.share(tick) - 1) * length + text_width(label, SMALL) <= length + 2 * MARGIN
        ]
        return replace(span, ticks=tuple(tick for tick, _ in kept), labels=tuple(label for _, label in kept))

    def apart(span: Span) -> bool:
        sizes = [height_of(label, SMALL) if upright else text_width(label, SMALL) for label in span.labels]
        places = [span.share(tick) * length for tick in span.ticks]
        room = _UP_ROOM if upright else _ACROSS_ROOM
        return all(
            (size + after) / 2 + room <= right - left
            for (left, size), (right, after) in pairwise(zip(places, sizes, strict=True))
        )

    ticked = [span for span in map(inside, spans) if span.ticks] or list(spans)
    last = ticked[-1]
    return next((span for span in ticked if apart(span)), replace(last, ticks=last.ticks[:1], labels=last.labels[:1]))


def plain(value: float) -> str:
    """A number as one says it, exact to four figures.

    >>> plain(29_034), plain(2_500_000), plain(0.0005), plain(3e9), plain(1e-7)
    ('29,034', '2.5 million', '0.0005', '3 billion', '1e−7')
    """
    size = abs(value)
    for unit, name in ((1e9, "billion"), (1e6, "million")):
        if unit <= size < 1000 * unit:
            return f"{number(value / unit)} {name}"
    if 1000 <= size < 1e6:
        return f"{value:,.0f}".replace("-", "−")
    if 1e-4 <= size < 1:
        return f"{value:.4g}".replace("-", "−")
    return number(value)


def axis_title(metric: Metric) -> str:
    """A metric with its unit: differences of accuracies are in points, the accuracies themselves in per cent."""
    return f"{metric.title} in {unit_of(metric)}"


def unit_of(metric: Metric) -> str:
    """The unit of a metric itself, which for an accuracy isn't that of a difference."""
    return "%" if metric.unit == "points" else metric.unit


def value_text(value: float, metric: Metric) -> str:
    """A value with the decimals of its metric, a huge one with four figures."""
    return f"{value:.{metric.digits}f}".replace("-", "−") if abs(value) < _HUGE else number(value)


def possible(metric: Metric) -> tuple[float, float]:
    """The least and the largest value that a metric can have, as it is shown."""
    return (0.0, metric.scale) if metric.higher_is_better else (0.0, math.inf)


def metric_span(
    values: Sequence[float], ends: Sequence[float], metric: Metric, length: float, *, upright: bool = False
) -> Span:
    """The axis of a metric, around values and ends of intervals; logarithmic for losses of very different size.

    An interval that has no end on a logarithmic axis reaches to the axis' own.
    """
    if not metric.higher_is_better and 0 < _LOG_FROM * min(values) < max(values):
        inside = [end for end in ends if end >= min(values)]
        return Span.decades([*values, *inside], length, upright=upright)
    return Span.linear([*values, *ends], length, possible(metric), upright=upright)


def loss_span(values: Sequence[float], length: float) -> Span:
    """The upright axis of a loss while training, logarithmic where it spans more than a factor of 10."""
    if 0 < 10 * min(values) < max(values):
        return Span.decades(values, length, upright=True)
    return Span.linear(values, length, (0, math.inf), upright=True)


def short_name(name: str) -> str:
    """A name on one line, a very long one without its middle."""
    line = " ".join(name.split())
    half = _LONGEST_NAME // 2
    return line if len(line) <= _LONGEST_NAME else f"{line[:half]}…{line[-half:]}"


def fitted(text: str, size: float, width: float, family: str = FONT) -> str:
    """A text broken into lines of at most so many inches, between words where it can be.

    >>> fitted("one two three", 10, 0.6)
    'one two\\nthree'
    """
    lines, line = [], ""
    for word in _WORDS.split(" ".join(text.split())):
        longer = f"{line} {word}" if line else word
        if text_width(longer, size, family) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while text_width(line, size, family) > width and len(line) > 1:
            fits = next((n for n in range(len(line) - 1, 1, -1) if text_width(line[:n], size, family) <= width), 1)
            lines.append(line[:fits])
            line = line[fits:]
    return "\n".join([*lines, line])


def height_of(text: str, size: float) -> float:
    """Inches that the lines of a text take; none of an empty one."""
    return (text.count("\n") + 1) * size * LINE / POINTS if text else 0.0


def write(figure: Figure, at: float, height: float, text: str, **how: Any) -> None:
    """Text at so many inches from the left and from the bottom of a figure; $ and _ stand for themselves."""
    width_inches, height_inches = figure.get_size_inches()
    style = {"linespacing": LINE, "parse_math": False, **how}
    figure.text(at / width_inches, height / height_inches, text, **style)


def add_axes(figure: Figure, box: tuple[float, float, float, float], name: str) -> Axes:
    """A chart at left, bottom, width and height in inches, with faint lines behind what is drawn."""
    width, height = figure.get_size_inches()
    axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height), label=name)
    axes.set_axisbelow(True)
    axes.grid(color=LIGHT, linewidth=0.5, alpha=0.6)
    axes.tick_params(length=3)
    return axes


def add_chart(
    figure: Figure,
    box: tuple[float, float, float, float],
    name: str,
    spans: tuple[Span, Span],
    titles: tuple[str, str],
) -> Axes:
    """A chart with two axes of numbers, the lower one first; FOOT and `side` inches around it hold their texts."""
    axes, (across, up) = add_axes(figure, box, name), spans
    across.put_on(axes, "x")
    up.put_on(axes, "y")
    axes.set_xlabel(titles[0])
    axes.set_ylabel(titles[1])
    axes.yaxis.set_label_coords(-(up.labels_width + _TICK) / box[2], 0.5)
    return axes


def draw_mark(figure: Figure, at: float, height: float, look: Look, *, lined: bool, size: float = 5.0) -> None:
    """A mark at a place in inches, with a piece of its line where the series has one: the sample of a key."""
    from matplotlib.lines import Line2D

    width_inches, height_inches = figure.get_size_inches()
    half = KEY_LINE / 2 if lined else 0.0
    places = [at - half, at, at + half]
    figure.add_artist(
        Line2D(
            [place / width_inches for place in places],
            [height / height_inches] * 3,
            color=look.colour,
            linestyle=look.line if lined else "none",
            linewidth=1.6,
            marker=look.mark,
            markevery=[1],
            markersize=size,
            markeredgecolor=WHITE,
            markeredgewidth=0.6,
        )
    )


KEY_LINE = 0.42  # inches of line in a key
_KEY_ROW = 0.21


@dataclass(frozen=True)
class Key:
    """Which look stands for what: samples and names, in one row or in columns."""

    entries: tuple[tuple[str, Look], ...]  # names on one line each
    width: float
    lined: bool = True

    @property
    def height(self) -> float:
        """Inches from the first row's top to the last one's foot."""
        return max((row for row, _ in self._places), default=-1) * _KEY_ROW + _KEY_ROW

    @property
    def _sample(self) -> float:
        return KEY_LINE if self.lined else 0.1

    @property
    def _places(self) -> list[tuple[int, float]]:
        """Row and inches from the left of each entry: all in one row, or else in columns of one width."""
        widths = [self._sample + text_width(name, SMALL) + 2.5 * GAP for name, _ in self.entries]
        if sum(widths) <= self.width:
            return [(0, sum(widths[:position])) for position in range(len(widths))]
        columns = max(1, int(self.width / max(widths)))
        return [(position // columns, position % columns * max(widths)) for position in range(len(widths))]

    def draw(self, figure: Figure, left: float, top: float) -> None:
        """Beginning at so many inches from the left and the bottom."""
        for (name, look), (row, across) in zip(self.entries, self._places, strict=True):
            at, height = left + across, top - (row + 0.5) * _KEY_ROW
            draw_mark(figure, at + self._sample / 2, height, look, lined=self.lined)
            write(figure, at + self._sample + 0.06, height, name, size=SMALL, va="center_baseline", color=BLACK)


def plural(count: int, word: str) -> str:
    """A count with its word.

    >>> plural(1, "seed"), plural(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


FAINT = {"size": SMALL, "color": GREY}  # captions
