"""The confusion matrix: which class is taken for which, as counts and as shares of the true class."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.plots.cells import Panel
from neocog.plots.charts import GAP, MARGIN, height_of, plural, write
from neocog.plots.numbers import POINTS, Written, number, text_width
from neocog.plots.pages import NUMBERED, page, shortened, told_apart
from neocog.plots.style import BLACK, GREY, LEAST, LIGHT, SKY, SMALL, TEXT, WHITE, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import Colormap
    from matplotlib.figure import Figure
    from numpy.typing import NDArray

    from neocog.evaluation import Evaluation

# From nothing to the most: around vermilion, and ever darker, so that it reads in grey print.
_WRONG = (WHITE, "#F8CFAB", "#E68A4A", "#C4580A", "#8F3A00")
_RIGHT = (WHITE, SKY)

_NUMBERED = 20  # classes; the counts of more don't fit into their cells
_PAIRS = 20  # named beside a map without numbers, at most

_FILLED = 0.92  # of a cell, by the longest number

# Inches.
_SIDE, _LARGEST = 5.6, 0.8  # of the map, and of a cell
_LEAST_WIDTH = 6.4
_NAMES = 1.7  # the widest name of a class
_COLUMN = 0.66  # beside the map: pictures and recall of each row
_LIST, _LINE = 3.3, 3.1  # beside a map without numbers, and the widest line there
_TITLE = 0.26  # of the rows, of the columns
_KEY, _KEY_FOOT, _KEY_HEAD = 0.13, 0.24, 0.22  # how tall the colour key is, the numbers below it, the title above it
_KEY_WIDTH, _KEY_GAP = 2.1, 0.4
_LINE_POINTS = 1.3  # from name to name, in sizes of the font
_ROW_NAMED = LEAST * _LINE_POINTS / POINTS  # the lowest row that a name fits beside


@dataclass(frozen=True)
class _Map:
    """The counts with their colours: the share of the true class, (C, C), NaN in the row of a class without pictures.

    Errors are coloured by the square root of their share, so that one of 0.1 % is seen beside one of 10 %.
    """

    shares_CC: NDArray[np.float64]
    most: float  # the largest share of an error; 0 without errors

    @classmethod
    def of(cls, counts_CC: NDArray[np.int64]) -> _Map:
        totals_C1 = counts_CC.sum(axis=1, keepdims=True)
        shares = np.divide(counts_CC, totals_C1, out=np.full(counts_CC.shape, np.nan), where=totals_C1 > 0)
        wrong = np.nan_to_num(shares * (1 - np.eye(len(counts_CC))))
        return cls(shares, float(wrong.max()))

    def colours(self) -> NDArray[np.uint8]:
        """Red, green and blue, (C, C, 3)."""
        shares = np.nan_to_num(self.shares_CC)
        wrong = _scale(_WRONG)(np.sqrt(np.clip(shares / (self.most or 1.0), 0, 1)), bytes=True)[..., :3]
        right = _scale(_RIGHT)(shares, bytes=True)[..., :3]
        return np.asarray(np.where(np.eye(len(shares), dtype=bool)[..., None], right, wrong), dtype=np.uint8)


@styled
def plot_confusion(evaluation: Evaluation) -> Figure:
    """Which class was taken for which: the number of pictures in each cell, coloured by the share of the true class.

    A row is a true class, a column an answer. Right answers are blue, errors from white over orange to brown, by the
    square root of their share, so that rare ones are seen. Beside each row stand its pictures and its recall, the
    share that was right. From 21 classes on the cells have no numbers, and the pairs that are confused most stand
    beside the map.

    Args:
        evaluation: such as `run.test`.

    >>> from neocog.evaluation import evaluate_predictions
    >>> right = evaluate_predictions([[0.8, 0.2], [0.6, 0.4], [0.1, 0.9]], [0, 1, 1], ["cat", "dog"], "test")
    >>> plot_confusion(right).texts[0].get_text()
    'Confusion on test: 1 of 3 pictures wrong'
    """
    count = len(evaluation.classes)
    numbered = count <= _NUMBERED
    edge = min(_LARGEST, _SIDE / count)
    digits = _numbers(evaluation.confusion) if numbered else None
    if digits is not None:
        edge = max(edge, _needed(digits))
    side = edge * count
    named = edge >= _ROW_NAMED
    size = min(SMALL, edge * POINTS / _LINE_POINTS)
    names = told_apart(dict(enumerate(evaluation.classes)), _NAMES, size) if named else []
    widest = max((text_width(name, size) for name in names), default=text_width(str(count), SMALL)) + GAP
    upright = max((text_width(name, size) for name in names), default=0) > 0.9 * edge
    below = widest if upright and named else height_of("0", SMALL) + GAP / 2
    left = MARGIN + _TITLE + widest
    beside = 2 * _COLUMN if numbered else _LIST
    width = max(_LEAST_WIDTH, left + max(side + beside, 2 * _KEY_WIDTH + _KEY_GAP) + GAP + MARGIN)
    under = below + _TITLE + _KEY_HEAD + _KEY + _KEY_FOOT + GAP
    above = height_of("recall", SMALL) + GAP / 2 if numbered else 0.0
    caption = _caption(evaluation, numbered=numbered, named=named)
    if names and names != [shortened(name, _NAMES, size) for name in evaluation.classes]:
        caption += f" {NUMBERED}"
    figure, foot = page(width, side + under + above, _title(evaluation), caption)
    bottom, top = foot + under, foot + under + side

    mapped = _Map.of(evaluation.confusion)
    axes = _add_axes(figure, (left, bottom, side, side))
    texts = None if digits is None else Written(digits, min(TEXT, LEAST * edge / _needed(digits)))
    Panel("confusion", "", mapped.colours(), edge, range(count), range(count), written=texts, numbered=False).draw(axes)
    axes.spines[:].set(visible=True, color=LIGHT)
    if named:
        for place, name in enumerate(names):
            middle = top - (place + 0.5) * edge
            write(figure, left - GAP / 2, middle, name, size=size, ha="right", va="center_baseline")
            foot_of = bottom - GAP / 2 if upright else bottom - GAP / 2 - size / POINTS
            how = {"rotation": 90, "va": "top"} if upright else {"va": "baseline"}
            write(figure, left + (place + 0.5) * edge, foot_of, name, size=size, ha="center", **how)
    else:
        _number_rows(axes, count)
    true = {"size": TEXT, "rotation": 90, "ha": "center", "va": "center"}
    write(figure, MARGIN + 0.08, bottom + side / 2, "true class", **true)
    answer = {"size": TEXT, "ha": "center", "va": "top"}
    write(figure, left + side / 2, bottom - below, "answer of the network", **answer)
    if numbered:
        _write_rows(figure, evaluation, left + side, top, edge)
    else:
        _write_pairs(figure, evaluation, left + side + 2 * GAP, top, side, named=named)
    _draw_keys(figure, mapped, left, bottom - below - _TITLE - GAP / 2)
    return figure


def _add_axes(figure: Figure, box: tuple[float, float, float, float], label: str = "confusion") -> Axes:
    width, height = figure.get_size_inches()
    return figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height), label=label)


def _scale(colours: tuple[str, ...]) -> Colormap:
    from matplotlib.colors import LinearSegmentedColormap

    return LinearSegmentedColormap.from_list("share", list(colours))


def _numbers(counts_CC: NDArray[np.int64]) -> NDArray[Any]:
    """The counts as texts, none for 0."""
    return np.array([[f"{count}" if count else "" for count in row] for row in counts_CC.tolist()], dtype=object)


def _needed(texts_CC: NDArray[Any]) -> float:
    """The inches of a cell in which the longest text is just large enough to be read."""
    return max(text_width(text, LEAST) for text in set(texts_CC.flat)) / _FILLED


def _number_rows(axes: Axes, count: int) -> None:
    """Classes by number, every so many: there is no room for their names."""
    step = next(step for step in (10, 20, 50, 100, 200, 500, 1000, 10_000, 100_000) if count <= 12 * step)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_ticks(range(0, count, step))
    axes.tick_params(length=3, pad=2)


def _write_rows(figure: Figure, evaluation: Evaluation, left: float, top: float, edge: float) -> None:
    how: dict[str, Any] = {"size": SMALL, "ha": "right"}
    ends = left + _COLUMN, left + 2 * _COLUMN
    for end, head in zip(ends, ("pictures", "recall"), strict=True):
        write(figure, end, top + GAP, head, va="baseline", color=GREY, **how)
    for place, (total, recall) in enumerate(zip(evaluation.support, evaluation.recall, strict=True)):
        middle = top - (place + 0.5) * edge
        shown = f"{100 * recall:.1f} %" if total else "–"
        for end, text in zip(ends, (f"{total:,}", shown), strict=True):
            write(figure, end, middle, text, va="center_baseline", color=BLACK, **how)


def _write_pairs(figure: Figure, evaluation: Evaluation, left: float, top: float, side: float, *, named: bool) -> None:
    """The pairs that are confused most, one below the other, as many as there is room for."""
    pairs = evaluation.most_confused(_PAIRS)
    number_of = {name: place for place, name in enumerate(evaluation.classes)}
    totals = dict(zip(evaluation.classes, evaluation.support.tolist(), strict=True))
    head = "Confused most: true class → answer" if pairs else "No picture was taken for another."
    write(figure, left, top, head, size=SMALL, va="top", color=GREY)
    at = top - height_of(head, SMALL) - GAP / 2
    for true, answer, times in pairs:
        first, second = (name if named else f"{number_of[name]}: {name}" for name in (true, answer))
        pair = f"{first} → {second}"
        if text_width(pair, SMALL) > _LINE:
            pair = f"{shortened(first, _LINE)}\n{shortened(f'→ {second}', _LINE)}"
        fact = f"{plural(times, 'time')}, {number(100 * times / totals[true], 3)} % of {totals[true]:,}"
        need = height_of(pair, SMALL) + height_of(fact, LEAST) + GAP / 2
        if at - need < top - side:
            break
        write(figure, left, at, pair, size=SMALL, va="top")
        write(figure, left, at - height_of(pair, SMALL), fact, size=LEAST, va="top", color=GREY)
        at -= need


def _draw_keys(figure: Figure, mapped: _Map, left: float, top: float) -> None:
    """Which colour stands for which share: errors, and right answers beside them."""
    keys: list[tuple[str, str, tuple[str, ...], float, int]] = [
        ("right", "right answers, % of the true class", _RIGHT, 100.0, 1)
    ]
    if mapped.most:
        keys.insert(0, ("errors", "errors, % of the true class", _WRONG, 100 * mapped.most, 2))
    places = 0.0, 0.25, 0.5, 1.0
    for name, title, colours, most, power in keys:
        axes = _add_axes(figure, (left, top - _KEY_HEAD - _KEY, _KEY_WIDTH, _KEY), label=f"key of {name}")
        ramp = _scale(colours)(np.linspace(0, 1, 256))[None, :, :3]
        axes.imshow(ramp, extent=(0, 1, 0, 1), aspect="auto", interpolation="nearest")
        axes.set(yticks=[], xticks=places)
        axes.set_xticklabels([number(most * place**power, 2) for place in places])
        axes.tick_params(length=2, pad=2)
        axes.spines[:].set(visible=True, linewidth=0.5)
        write(figure, left, top - _KEY_HEAD + 0.04, title, size=SMALL, va="bottom", color=GREY)
        left += _KEY_WIDTH + _KEY_GAP


def _title(evaluation: Evaluation) -> str:
    head = f"Confusion on {evaluation.split}: "
    if not evaluation.errors:
        return f"{head}all {plural(evaluation.n, 'picture')} right"
    wrong = f"{head}{evaluation.errors:,} of {plural(evaluation.n, 'picture')} wrong"
    pairs = evaluation.most_confused(2)
    (true, answer, times), second = pairs[0], pairs[1][2] if len(pairs) > 1 else 0
    if times == 1 or times == second:
        return wrong
    return f"{wrong}, most often {shortened(true, 2)} taken for {shortened(answer, 2)} ({times:,} times)"


def _caption(evaluation: Evaluation, *, numbered: bool, named: bool) -> str:
    low, high = (f"{100 * end:.2f}" for end in evaluation.interval)
    accuracy = f"Accuracy {100 * evaluation.accuracy:.2f} % (95 % Wilson interval {low}–{high}, n = {evaluation.n:,})."
    what = "Numbers: pictures; empty cells: none. Recall: share of the true class that was right. " if numbered else ""
    classes = "" if numbered else f"{len(evaluation.classes)} classes{'' if named else ', numbered from 0'}. "
    rare = (
        "Colour of errors: by the square root of their share, so that rare ones are seen. " if evaluation.errors else ""
    )
    return f"{what}{classes}{rare}{accuracy}"
