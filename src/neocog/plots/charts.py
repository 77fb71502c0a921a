"""What charts of numbers share: axes with ticks that are known beforehand, looks of series, texts of a given width."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

from neocog.plots.numbers import LINE, POINTS, number, text_width
from neocog.plots.style import (
    BLACK,
    BLUE,
    FONT,
    GREEN,
    GREY,
    HEADING,
    LIGHT,
    ORANGE,
    PURPLE,
    SKY,
    SMALL,
    VERMILION,
)

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
_TITLE = 0.92  # of the width, which the lines of a title take at most
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

    def at(self, share: float) -> float:
        """The value that lies so far along the axis, from 0 to 1."""
        if self.log:
            return float(self.low ** (1 - share) * self.high**share)
        return self.low + share * (self.high - self.low)

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


def within(low: float, high: float, limits: tuple[float, float]) -> tuple[float, float]:
    """The ends of an interval, no farther than is possible.

    >>> within(97.5, 101.2, (0, 100))
    (97.5, 100)
    """
    return max(low, limits[0]), min(high, limits[1])


def cut_text(intervals: Iterable[tuple[float, float]], limits: tuple[float, float], unit: str) -> str:
    """Where intervals were cut, for a caption; empty where none was.

    >>> cut_text([(97.5, 101.2), (-0.1, 2.0)], (0, 100), "%"), cut_text([(1, 2)], (0, 100), "%")
    ('cut at 0 and 100 %', '')
    """
    ends = list(intervals)
    beyond = [min(low for low, _ in ends) < limits[0], max(high for _, high in ends) > limits[1]] if ends else []
    at = [f"{limit:g}" for limit, cut in zip(limits, beyond, strict=False) if cut]
    return f"cut at {' and '.join(at)} {unit}" if at else ""


def scaled_title(title: str, span: Span) -> str:
    """The title of an axis, which says so where it is logarithmic."""
    return f"{title}, log scale" if span.log else title


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


def heading(text: str, width: float, size: float = HEADING) -> str:
    """A title broken into lines that end well before so many inches: drawn, letters are wider than measured."""
    return fitted(text, size, _TITLE * width)


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
    axes.set_xlabel(scaled_title(titles[0], across))
    axes.set_ylabel(scaled_title(titles[1], up))
    axes.yaxis.set_label_coords(-(up.labels_width + _TICK) / box[2], 0.5)
    return axes


def plural(count: int, word: str) -> str:
    """A count with its word.

    >>> plural(1, "seed"), plural(3, "seed")
    ('1 seed', '3 seeds')
    """
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"


FAINT = {"size": SMALL, "color": GREY}  # captions
