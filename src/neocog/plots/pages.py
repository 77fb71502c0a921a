"""What figures of one run share: a page with title and caption, and an axis that spreads accuracies close to 100 %."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.plots.charts import FAINT, GAP, MARGIN, Span, fitted, heading, height_of, write
from neocog.plots.numbers import text_width
from neocog.plots.style import HEADING, SMALL, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

_TICK_ROOM = 0.12  # inches from the label of 100 % to the next
_LONGEST = 200  # letters of a name that are looked at, from both of its ends
NUMBERED = "Names that look alike have the number of the class in front, from 0."


def page(width: float, tall: float, title: str, caption: str) -> tuple[Figure, float]:
    """A figure with a title above and a faint caption below, and the inches below the `tall` ones between them."""
    inner = width - 2 * MARGIN
    title, caption = heading(title, inner), fitted(caption, SMALL, inner)
    foot = MARGIN + height_of(caption, SMALL) + GAP
    figure = new_figure(width, foot + tall + 2 * GAP + height_of(title, HEADING) + MARGIN)
    write(figure, MARGIN, foot + tall + 2 * GAP, title, size=HEADING, va="bottom")
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    return figure, foot


def shortened(name: str, width: float, size: float = SMALL) -> str:
    """A name on one line of at most so many inches, a longer one without its middle.

    >>> shortened("great white shark", 0.8), shortened("frog", 0.8)
    ('great…hark', 'frog')
    """
    line = " ".join(name.split())
    line = line if len(line) <= _LONGEST else line[: _LONGEST // 2] + line[-_LONGEST // 2 :]

    def without_middle(kept: int) -> str:
        return f"{line[: (kept + 1) // 2].rstrip()}…{line[len(line) - kept // 2 :].lstrip()}"

    if text_width(line, size) <= width:
        return line
    return without_middle(
        bisect_right(range(len(line)), width, lo=1, key=lambda kept: text_width(without_middle(kept), size)) - 1
    )


def told_apart(names: Mapping[int, str], width: float, size: float = SMALL) -> list[str]:
    """Names of numbered classes, shortened; those that look alike then begin with their numbers.

    >>> told_apart({4: "great white shark", 7: "great black-tip shark", 9: "frog"}, 0.8)
    ['4: gr…shark', '7: gr…shark', 'frog']
    """
    short = {number: shortened(name, width, size) for number, name in names.items()}
    times = Counter(short.values())
    return [
        text if times[text] == 1 else shortened(f"{number}: {names[number]}", width, size)
        for number, text in short.items()
    ]


@dataclass(frozen=True)
class Accuracies:
    """An axis of accuracies in per cent, linear, or on a logarithmic scale of the error, which parts 99 from 99.9."""

    span: Span
    floor: float = 0.0  # the error that stands for none; a logarithmic scale has no 0

    @classmethod
    def spread(cls, values: Iterable[float], length: float, *, upright: bool = False) -> Accuracies:
        """Logarithmic, around accuracies in per cent, of which one at least is below 100.

        >>> axis = Accuracies.spread([50, 90, 99, 100], 3, upright=True)
        >>> axis.span.labels
        ('100', '99', '98', '95', '90', '80', '50')
        >>> axis.places([90, 100]).tolist()
        [10.0, 0.5]
        """
        errors = [100 - value for value in values]
        some = [error for error in errors if error > 0]
        full, floor = len(some) < len(errors), min(some) / 2
        span = Span.decades([*some, floor] if full else some, length, upright=upright)
        labels = {tick: f"{100 - tick:.10g}" for tick in span.ticks if tick <= 100}
        if full:

            def free(tick: float) -> bool:
                sizes = [
                    height_of("100", SMALL) if upright else text_width(each, SMALL) for each in (labels[tick], "100")
                ]
                return (span.share(tick) - span.share(floor)) * length > sum(sizes) / 2 + _TICK_ROOM

            labels = {floor: "100", **{tick: label for tick, label in labels.items() if free(tick)}}
        # The other way round: 100 % is at the upper or right end.
        turned = replace(span, low=span.high, high=span.low, ticks=tuple(labels), labels=tuple(labels.values()))
        return cls(turned, floor)

    @classmethod
    def fitting(cls, values: Iterable[float], length: float, *, upright: bool = False, spread: bool) -> Accuracies:
        """Logarithmic where that is asked for and the errors span more than a factor of 10, else linear."""
        known = list(values)
        some = [100 - value for value in known if value < 100]
        if spread and some and max(some) > 10 * min(some):
            return cls.spread(known, length, upright=upright)
        return cls(Span.linear(known, length, (0, 100), upright=upright))

    @property
    def is_spread(self) -> bool:
        """Whether it is on a logarithmic scale of the error."""
        return self.floor > 0

    def places(self, values: ArrayLike) -> NDArray[Any]:
        """Where accuracies in per cent are drawn on this axis."""
        shown = np.asarray(values, dtype=np.float64)
        return np.maximum(100 - shown, self.floor) if self.is_spread else shown
