"""Published figures beside those of our seeds: a card a recipe, with its accuracies and its log of the loss."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import TYPE_CHECKING

import numpy as np

from neocog.errors import NeocogError
from neocog.plots.charts import (
    FAINT,
    FOOT,
    GAP,
    MARGIN,
    Look,
    Span,
    add_axes,
    add_chart,
    cut_text,
    fitted,
    heading,
    height_of,
    loss_span,
    plural,
    short_name,
    write,
)
from neocog.plots.keys import Key
from neocog.plots.numbers import POINTS, text_width
from neocog.plots.seeds import swarm
from neocog.plots.style import (
    BLACK,
    BLUE,
    GREEN,
    HEADING,
    SKY,
    SMALL,
    TEXT,
    VERMILION,
    WHITE,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure as Drawing

    from neocog.statistics.reproduction import Figure, LossLog, Reproduced, Reproduction

# Inches, unless said otherwise.
_CARD, _BETWEEN = 6.1, 0.4
_BODY = 1.5  # of the charts in a card
_STRIP = 3.25  # of the accuracies with the names of their rows, beside a log
_WIDER = 1.15  # times: bold letters
_MARK_POINTS, _BAR = 6.0, 0.09  # a mark; from a row's lowest marks down to its interval
_SWARM = 0.24  # of the tallest swarm

_PUBLISHED = Look(VERMILION, "D", (0, (5, 1.5)))
_MORE_THAN = Look(VERMILION, ">", "none")
_OURS = Look(BLUE, "o", "-")
_ON_TEST = Look(SKY, "^", "none")
_MENDED = Look(GREEN, "s", "none")


@dataclass(frozen=True)
class _Row:
    """A row of a card: what it is called and drawn in, its values, and where one more is to be expected."""

    name: str
    look: Look
    values: tuple[float, ...]
    interval: tuple[float, float] | None = None


@dataclass(frozen=True)
class _Card:
    """One recipe as it is shown."""

    name: str
    facts: str
    title: str  # of the axis of its accuracies
    rows: tuple[_Row, ...]
    log: LossLog | None

    @property
    def height(self) -> float:
        """Inches down to the lower axes of its charts."""
        charts = GAP + _BODY if self.drawn or self.log else 0.0
        return height_of(self.name, TEXT) + height_of(self.facts, SMALL) + charts

    @property
    def drawn(self) -> bool:
        """Whether any accuracy is known."""
        return any(row.values for row in self.rows)


@styled
def plot_reproduction(reproduction: Reproduction) -> Drawing:
    """A card for each recipe: accuracies, published and ours, a row each; and the log of its loss, published and ours.

    Below our seeds a bar is the 95 % prediction interval for one more of them. Where a lesson calls something else test
    accuracy, a row has our true test accuracy. The last row is the mended twin. In the log the line is the mean of our
    seeds, in a band from the lowest to the highest. A loss that spans more than a factor of 10 is on a logarithmic
    axis.

    Args:
        reproduction: what `neocog.reproduce` gives.

    Raises:
        NeocogError: no recipe in it, or nothing known of any.

    >>> from neocog.statistics.reproduction import Figure, LossLog, Reproduced, Reproduction
    >>> called = Figure("test accuracy", 0.9704, (0.969, 0.972))
    >>> each = Reproduced("model-a", (0, 1), (called,), LossLog(), called.ours, (9.0, 9.1), 5)
    >>> [axes.get_label() for axes in plot_reproduction(Reproduction((each,))).axes]
    ['model-a: accuracy']
    """
    cards = [_card(each) for each in reproduction.recipes]
    if not any(card.drawn or card.log for card in cards):
        raise NeocogError("no reproduction to plot: no seed finished and nothing was published; mend what failed first")
    columns = min(2, len(cards))
    width = 2 * MARGIN + columns * _CARD + (columns - 1) * _BETWEEN
    lines = [cards[first : first + columns] for first in range(0, len(cards), columns)]
    heights = [max(card.height for card in line) + FOOT for line in lines]
    inner = width - 2 * MARGIN
    title = heading(_title(reproduction), inner)
    caption = fitted(_caption(reproduction), SMALL, inner)
    key = Key(_entries(cards), inner, lined=False)
    foot = MARGIN + height_of(caption, SMALL) + GAP
    head = MARGIN + height_of(title, HEADING) + GAP + key.height
    figure = new_figure(width, foot + sum(heights) + 2 * GAP * len(lines) + head)
    write(figure, MARGIN, figure.get_figheight() - MARGIN, title, size=HEADING, va="top")
    key.draw(figure, MARGIN, figure.get_figheight() - head + key.height)
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    top = figure.get_figheight() - head
    for line, height in zip(lines, heights, strict=True):
        top -= 2 * GAP
        for column, card in enumerate(line):
            _draw_card(figure, card, MARGIN + column * (_CARD + _BETWEEN), top, top - height + FOOT)
        top -= height
    return figure


def _card(each: Reproduced) -> _Card:
    figure = each.called_test
    honest = figure.what == "test accuracy"
    published = "more than" if figure.at_least else "published"
    rows = []
    if figure.published is not None:
        look = _MORE_THAN if figure.at_least else _PUBLISHED
        rows.append(_Row(published, look, (figure.published,)))
    rows.append(_Row("ours" if honest else "ours, as published", _OURS, figure.ours, figure.prediction))
    if not honest:
        rows.append(_Row("ours, test set", _ON_TEST, each.accuracy))
    if each.twin:
        rows.append(_Row("mended", _MENDED, each.twin_accuracy))
    log = each.log if each.log.published or each.log.ours else None
    title = "test accuracy in %" if honest else "accuracy in %"
    return _Card(fitted(short_name(each.name), _WIDER * TEXT, _CARD), _facts(each), title, tuple(rows), log)


def _facts(each: Reproduced) -> str:
    figure = each.called_test
    lines = []
    published = "no accuracy published"
    if figure.published is not None:
        published = f"published {'more than ' if figure.at_least else ''}{figure.published * 100:.{figure.digits}f} %"
    lines.append(f"{published}; ours: {_spread(figure.ours)}")
    if where := _where(figure):
        lines.append(where)
    if figure.what != "test accuracy":
        lines.append(f"what it calls test accuracy: {figure.what}; on the test set {_spread(each.accuracy)}")
    if each.twin:
        lines.append(f"mended, {each.twin}: {_spread(each.twin_accuracy)}")
    if each.failures:
        lines.append(f"{plural(len(each.failures), 'training')} failed")
    return "\n".join(fitted(line, SMALL, _CARD) for line in lines)


def _where(figure: Figure) -> str:
    """Where the published figure lies beside ours, in words."""
    if figure.at_least and figure.in_range is not None:
        return f"the published figure is {'true' if figure.in_range else 'not true'} of all our seeds"
    if figure.expected is None:
        return ""
    lies = f"the published figure lies {'in' if figure.expected else 'outside'} the 95 % interval"
    return f"{lies}, but outside our range" if figure.expected and figure.out_of_range else lies


def _spread(shares: Sequence[float]) -> str:
    if not shares:
        return "no seed finished"
    spread = f" ± {100 * stdev(shares):.2f}" if len(shares) > 1 else ""
    return f"{100 * fmean(shares):.2f}{spread} % (n = {len(shares)})"


def _title(reproduction: Reproduction) -> str:
    """How many published accuracies lie in our interval; "more than 98 %" has no place in it, nor beside one seed."""
    told = {
        each.name: each.called_test.expected
        for each in reproduction.recipes
        if not each.called_test.at_least and each.called_test.expected is not None
    }
    if not told:
        return "Published accuracies beside ours"
    if len(told) == 1:
        ((name, inside),) = told.items()
        return f"{short_name(name)}: the published accuracy lies {'in' if inside else 'outside'} the 95 % interval"
    count = sum(map(bool, told.values()))
    return f"{count} of {len(told)} published accuracies lie in the 95 % interval for one more seed of ours"


def _caption(reproduction: Reproduction) -> str:
    most = max(len(each.seeds) for each in reproduction.recipes)
    spread = "bars: 95 % prediction interval for one more seed; bands: from the lowest to the highest seed"
    if most < 2:
        spread = "one seed has no interval and no band"
    elif cut := cut_text(_whole_intervals(reproduction), (0, 100), "%"):
        spread = spread.replace("one more seed;", f"one more seed, {cut};")
    logged = any(each.log.published or each.log.ours for each in reproduction.recipes)
    losses = (
        " Losses as the lessons print them: of the last batch, or its mean since the line before." if logged else ""
    )
    return f"Each mark of ours is one seed; ±: standard deviation; {spread}.{losses}"


def _whole_intervals(reproduction: Reproduction) -> list[tuple[float, float]]:
    """The prediction intervals in per cent, before they end where an accuracy does."""
    from neocog.statistics.reproduction import prediction_interval

    called = [each.called_test.ours for each in reproduction.recipes if each.called_test.n > 1]
    return [(100 * low, 100 * high) for low, high in map(prediction_interval, called)]


def _entries(cards: Sequence[_Card]) -> tuple[tuple[str, Look], ...]:
    """What the marks stand for, of those that are there."""
    names = {
        _PUBLISHED: "published",
        _MORE_THAN: "published: more than this",
        _OURS: "our seeds, trained and measured as published",
        _ON_TEST: "our seeds on the test set",
        _MENDED: "mended twin on the test set",
    }
    seen = {row.look for card in cards for row in card.rows}
    if any(card.log and card.log.published for card in cards):
        seen.add(_PUBLISHED)
    return tuple((name, look) for look, name in names.items() if look in seen)


def _draw_card(figure: Drawing, card: _Card, left: float, top: float, foot: float) -> None:
    write(figure, left, top, card.name, size=TEXT, weight="bold", va="top")
    write(figure, left, top - height_of(card.name, TEXT), card.facts, va="top", **FAINT)
    if card.drawn:
        _draw_rows(figure, card, left, foot, _CARD if card.log is None else _STRIP)
    if card.log:
        _draw_log(figure, card, left + _STRIP + 2 * GAP, foot, _CARD - _STRIP - 2 * GAP)


def _draw_rows(figure: Drawing, card: _Card, left: float, foot: float, width: float) -> None:
    names = max(text_width(row.name, SMALL) for row in card.rows) + GAP
    length = width - names
    ends = [end for row in card.rows for end in (*row.values, *(row.interval or ()))]
    span = Span.linear([100 * end for end in ends], length, (0, 100))
    axes = add_axes(figure, (left + names, foot, length, _BODY), f"{card.name}: accuracy")
    axes.set_ylim(0, _BODY)  # inches
    span.put_on(axes, "x")
    axes.set_xlabel(card.title)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    for position, row in enumerate(card.rows):
        middle = _BODY * (1 - (position + 0.5) / len(card.rows))
        write(figure, left + names - GAP, foot + middle, row.name, ha="right", va="center", **FAINT)
        _draw_row(axes, row, span, length, middle)
    if card.rows[0].look in (_PUBLISHED, _MORE_THAN):
        # Down through ours, so that it is seen whether they lie about it.
        axes.axvline(100 * card.rows[0].values[0], color=VERMILION, linewidth=0.8, linestyle=_PUBLISHED.line, zorder=1)


def _draw_row(axes: Axes, row: _Row, span: Span, length: float, middle: float) -> None:
    shown = [100 * value for value in row.values]
    levels = swarm({number: span.share(value) * length for number, value in enumerate(shown)})
    highest = max(levels.values(), default=0)
    step = min(_MARK_POINTS / POINTS, _SWARM / max(highest, 1))
    base = middle - highest * step / 2 + (_BAR / 2 if row.interval else 0.0)
    axes.plot(
        shown,
        [base + levels[number] * step for number, _ in enumerate(shown)],
        row.look.mark,
        color=row.look.colour,
        markersize=_MARK_POINTS,
        markeredgecolor=WHITE,
        markeredgewidth=0.6 if step > _MARK_POINTS / POINTS / 2 else 0.0,
        clip_on=False,
        zorder=3,
        gid=row.name,
    )
    if row.interval:
        ends, height = [100 * end for end in row.interval], base - _BAR
        axes.plot(ends, [height] * 2, color=BLACK, linewidth=1.6, zorder=2, gid="interval")
        axes.plot(ends, [height] * 2, "|", color=BLACK, markersize=5, markeredgewidth=1.6, zorder=2, gid="ends")


def _draw_log(figure: Drawing, card: _Card, left: float, foot: float, width: float) -> None:
    log = card.log
    assert log is not None
    count = max(len(log.published), *(len(losses) for losses in log.ours), 1)
    lines = list(log.steps[:count]) if log.every else list(range(1, count + 1))
    values = [value for losses in (log.published, *log.ours) for value in losses]
    up = loss_span(values, _BODY)
    length = width - up.side
    across = Span.linear([0, *lines], length, (0, math.inf), whole=True)
    titles = "steps" if log.every else "epochs", "loss in nats"
    axes = add_chart(figure, (left + up.side, foot, length, _BODY), f"{card.name}: loss", (across, up), titles)
    if log.ours:
        ours_SL = np.array(log.ours)
        places = lines[: ours_SL.shape[1]]
        if len(ours_SL) > 1:
            axes.fill_between(places, ours_SL.min(0), ours_SL.max(0), color=BLUE, alpha=0.2, linewidth=0, gid="band")
        _draw_line(axes, places, ours_SL.mean(0), _OURS, "ours")
    if log.published:
        _draw_line(axes, lines[: len(log.published)], log.published, _PUBLISHED, "published")


def _draw_line(axes: Axes, places: Sequence[float], losses: Sequence[float], look: Look, name: str) -> None:
    axes.plot(
        places,
        losses,
        color=look.colour,
        linestyle=look.line,
        linewidth=1.4,
        marker=look.mark,
        markersize=4.5,
        markeredgecolor=WHITE,
        markeredgewidth=0.5,
        gid=name,
    )
