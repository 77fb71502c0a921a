"""One number of a layer taken apart: what it is made of, what each part adds, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum, isfinite
from typing import TYPE_CHECKING, Any

import numpy as np

from neocog.plots.cells import Panel, Scale
from neocog.plots.charts import FAINT, GAP, MARGIN, fitted, heading, height_of, plural, write
from neocog.plots.convolution import weights_panel
from neocog.plots.numbers import number, text_width, written
from neocog.plots.style import (
    BLACK,
    BLUE,
    GREY,
    HEADING,
    LIGHT,
    OPERATOR,
    ORANGE,
    SMALL,
    TEXT,
    WHITE,
    new_figure,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neocog.explanations.arithmetic import Step, Term
    from neocog.explanations.trace import NeuronTrace

# Inches.
_WIDTH = 8.0
_BLOCK = ("the body", "the shortcut")  # the two numbers of a residual block
_CHANNELS, _BARS = 3, 12  # of more, only the strongest are drawn
_PATCH, _LARGEST_CELL = 1.75, 0.5  # a patch's longer side, at most; of one of its cells
_SIGN, _TICKS, _HEAD = 0.45, 0.34, 0.28  # between patches; for row numbers beside and below them; above them
_BAR, _BOX, _ARROW = 0.24, 0.5, 0.34  # a bar's row; a box of the chain; the way to the next
_PAD = 0.14  # inside of a box


@styled
def plot_trace(trace: NeuronTrace) -> Figure:
    """A number's parts on top, their sum and what later layers make of it below, and the arithmetic in words.

    Of a convolution the three channels that add most are drawn, patch × weights = products; of a window or group, its
    values, with the largest framed where that is what goes on; of a vector, the largest parts as bars. Orange adds,
    blue takes away.

    Args:
        trace: what `neocog.explanations.trace.trace` gives.
    """
    blocks = _blocks(trace.steps[0])
    windows = [
        block for step in trace.steps[1:] for block in _blocks(step)
    ]  # of the maxima that the chain goes through
    inner = _WIDTH - 2 * MARGIN
    title = heading(f"{trace.layer}: {_where(trace.neuron)} = {_text(trace.value)}", inner)
    chain = _Chain.of(trace, inner)
    formulas = [fitted(f"{step.layer}: {step.formula}", SMALL, inner) for step in trace.steps]
    caption = fitted(_caption(trace), SMALL, inner)
    shares = _shares(trace.steps[0])
    texts = "\n".join(formulas)
    down = [
        height_of(title, HEADING),
        *(block.height for block in blocks),
        *([height_of(shares, TEXT)] if shares else []),
        *(block.height for block in windows),
    ]
    down += [chain.height, height_of(texts, SMALL), height_of(caption, SMALL)]
    figure = new_figure(_WIDTH, sum(down) + (len(down) - 1) * 2 * GAP + 2 * MARGIN)
    top = float(figure.get_size_inches()[1]) - MARGIN
    write(figure, MARGIN, top, title, va="top", size=HEADING)
    top -= down[0] + 2 * GAP
    for block in blocks:
        block.draw(figure, top)
        top -= block.height + 2 * GAP
    if shares:
        write(figure, MARGIN, top, shares, va="top", size=TEXT)
        top -= height_of(shares, TEXT) + 2 * GAP
    for block in windows:
        block.draw(figure, top)
        top -= block.height + 2 * GAP
    chain.draw(figure, top)
    top -= chain.height + 2 * GAP
    write(figure, MARGIN, top, texts, va="top", size=SMALL)
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    return figure


# ---------------------------------------------------------------------------------------------------------- the parts


@dataclass(frozen=True)
class _Patches:
    """One channel: the numbers of its window, and where there are weights, weights and products."""

    title: str
    panels: tuple[Panel, ...]
    total: str

    @property
    def height(self) -> float:
        return _HEAD + max(panel.size[1] for panel in self.panels) + (_TICKS if self.panels[0].numbered else 0.0)

    def draw(self, figure: Figure, top: float) -> None:
        width, height = figure.get_size_inches()
        write(figure, MARGIN, top, self.title, va="top", size=TEXT)
        left, tall = MARGIN + _TICKS, max(panel.size[1] for panel in self.panels)
        middle = top - _HEAD - tall / 2
        for panel, sign in zip(self.panels, ["×", "=", ""] if len(self.panels) > 1 else [""], strict=True):
            across, down = panel.size
            panel.draw(figure.add_axes((left / width, (middle - down / 2) / height, across / width, down / height)))
            left += across
            if sign:
                write(figure, left + _SIGN / 2, middle, sign, size=OPERATOR, ha="center", va="center")
                left += _SIGN
        write(figure, left + GAP * 2, middle, self.total, size=TEXT, va="center")


@dataclass(frozen=True)
class _Bars:
    """The largest parts of a sum as bars from 0, and what the others add."""

    names: tuple[str, ...]
    values: tuple[float, ...]
    details: tuple[str, ...]

    @property
    def height(self) -> float:
        return len(self.values) * _BAR

    def draw(self, figure: Figure, top: float) -> None:
        from matplotlib.patches import Rectangle

        names = max(text_width(name, SMALL) for name in self.names)
        details = max(text_width(detail, SMALL) for detail in self.details)
        left, room = MARGIN + names + 0.15, _WIDTH - 2 * MARGIN - names - details - 0.4
        most = max(*self.values, 0.0) - min(*self.values, 0.0) or 1.0
        zero = left + room * -min(*self.values, 0.0) / most
        width, height = figure.get_size_inches()
        for place, (name, value, detail) in enumerate(zip(self.names, self.values, self.details, strict=True)):
            middle = top - (place + 0.5) * _BAR
            write(figure, left - 0.15, middle, name, size=SMALL, ha="right", va="center")
            write(figure, left + room + 0.15, middle, detail, size=SMALL, va="center", color=GREY)
            start, long = zero + min(value, 0.0) * room / most, abs(value) * room / most
            corner = start / width, (middle - _BAR * 0.36) / height
            colour = ORANGE if value >= 0 else BLUE
            figure.add_artist(
                Rectangle(corner, long / width, 0.72 * _BAR / height, facecolor=colour, gid="part", linewidth=0)
            )
        corner = (zero - 0.005) / width, (top - self.height) / height
        figure.add_artist(Rectangle(corner, 0.01 / width, self.height / height, facecolor=GREY, linewidth=0))


def _blocks(step: Step) -> list[_Patches] | list[_Bars]:
    """What is drawn of the step that mixes numbers; nothing where none does."""
    if not step.terms:
        return []
    by_channel: dict[int, list[Term]] = {}
    for term in step.terms:
        by_channel.setdefault(term.place[0], []).append(term)
    if len(step.terms[0].place) != 3 or any(term.mark in _BLOCK for term in step.terms):
        return [_bars(step)]

    def strength(channel: int) -> tuple[bool, float]:
        terms = by_channel[channel]
        return any(term.mark for term in terms), abs(_sum(terms))

    count = 1 if any(term.mark for term in step.terms) else _CHANNELS
    strongest = sorted(by_channel, key=strength, reverse=True)[:count]
    return [_patches(channel, by_channel[channel], _word(step.layer)) for channel in sorted(strongest)]


def _patches(channel: int, terms: Sequence[Term], word: str) -> _Patches:
    rows, columns = (list(dict.fromkeys(term.place[axis] for term in terms)) for axis in (1, 2))
    shape = len(rows), len(terms) // len(rows) if len(terms) % len(rows) == 0 else 1
    if len(terms) != len(rows) * len(columns):  # a padding that reads a row twice
        rows, columns = list(range(shape[0])), list(range(shape[1]))
    edge = min(_LARGEST_CELL, _PATCH / max(shape))
    given = np.array([term.input if isfinite(term.input) else 0.0 for term in terms]).reshape(shape)
    inputs = _values_panel("input", given, rows, columns, edge, terms)
    total = f"Σ = {number(_sum(terms))}"
    if terms[0].weight is None:
        marked = next((f"{term.mark} is {number(term.input)}" for term in terms if term.mark), "")
        return _Patches(f"channel {channel}: what {word} takes", (inputs,), marked or total)
    weights = np.array([term.weight for term in terms]).reshape(shape)
    products = np.array([term.product for term in terms]).reshape(shape)
    panels = inputs, weights_panel("weights", "", weights, edge), weights_panel("products", "", products, edge)
    return _Patches(f"channel {channel}: input × weights = products", panels, total)


def _shares(step: Step) -> str:
    """What the channels that are drawn, the others and the bias add, each together; empty for other layers."""
    sums: dict[int, float] = {}
    for term in step.terms:
        sums[term.place[0]] = sums.get(term.place[0], 0.0) + term.product
    if not step.terms or len(step.terms[0].place) != 3 or step.terms[0].weight is None:
        return ""
    order = sorted(sums.values(), key=abs, reverse=True)
    drawn, others = order[:_CHANNELS], order[_CHANNELS:]
    parts = [f"{'this channel adds' if len(drawn) == 1 else f'these {len(drawn)} add'} {number(fsum(drawn))}"]
    if others:
        parts.append(f"the {plural(len(others), 'other channel')} {number(fsum(others))}")
    if step.bias is not None:
        parts.append(f"the bias {number(step.bias)}")
    return ", ".join(parts)


def _values_panel(
    head: str, given: Any, rows: Sequence[int], columns: Sequence[int], edge: float, terms: Sequence[Term]
) -> Panel:
    """Numbers with their rows and columns along the sides; those of the padding are 0, or nothing."""
    texts, scale = written(given[..., None], edge), Scale.of(given)
    mark = next((index for index, term in enumerate(terms) if term.mark), None)
    regular = list(rows) == list(range(rows[0], rows[0] + len(rows))) and list(columns) == list(
        range(columns[0], columns[0] + len(columns))
    )
    first = (rows[0], columns[0]) if regular else (0, 0)
    across = given.shape[1]
    return Panel(
        head,
        "",
        scale.paint(given),
        edge,
        range(first[0], first[0] + given.shape[0]),
        range(first[1], first[1] + across),
        first,
        texts,
        None if mark is None else (first[0] + mark // across, first[1] + mark % across, 1, 1),
        numbered=regular,
    )


def _bars(step: Step) -> _Bars:
    """The marked and the largest parts, in their order."""
    terms = step.terms
    order = sorted(range(len(terms)), key=lambda index: (not terms[index].mark, -abs(terms[index].product)))
    few, others = sorted(order[:_BARS]), [terms[index] for index in order[_BARS:]]
    top = max(term.input for term in terms)
    names = [_named(terms[index]) for index in few]
    values = [terms[index].product for index in few]
    details = [_product(terms[index], top) for index in few]
    if others:
        names.append(f"{plural(len(others), 'other')} together")
        values.append(fsum(term.product for term in others))
        details.append(number(values[-1]))
    if step.bias is not None:
        names.append("bias")
        values.append(step.bias)
        details.append(number(step.bias))
    return _Bars(tuple(names), tuple(values), tuple(details))


def _named(term: Term) -> str:
    if term.mark in _BLOCK:
        return term.mark
    return f"{term.mark}, {_where(term.place)}" if term.mark else _where(term.place)


def _product(term: Term, top: float) -> str:
    """What gave a part, with three digits; where that is a power, of the largest input."""
    if term.weight is not None:
        return f"{number(term.input, 3)} × {_bracketed(number(term.weight, 3))} = {number(term.product, 3)}"
    if term.product != term.input:
        return f"e^({number(term.input, 3)} − {_bracketed(number(top, 3))}) = {number(term.product, 3)}"
    return number(term.product)


def _bracketed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _sum(terms: Sequence[Term]) -> float:
    return fsum(term.product for term in terms if isfinite(term.product))


# ---------------------------------------------------------------------------------------------------------- the chain


@dataclass(frozen=True)
class _Chain:
    """What becomes of the number: a box for each layer, with what it gives, in one row or more."""

    rows: tuple[tuple[tuple[str, str], ...], ...]
    sign: str  # between our number and the network's

    @classmethod
    def of(cls, trace: NeuronTrace, room: float) -> _Chain:
        boxes = [(_word(step.layer), _text(step.value)) for step in trace.steps]
        boxes.append(("network", _text(trace.network_value)))
        rows: list[list[tuple[str, str]]] = [[]]
        for box in boxes:
            if rows[-1] and sum(_across(each) + _ARROW for each in [*rows[-1], box]) - _ARROW > room:
                rows.append([])
            rows[-1].append(box)
        sign = "=" if trace.value == trace.network_value else "≈" if trace.agrees else "≠"
        return cls(tuple(tuple(row) for row in rows), sign)

    @property
    def height(self) -> float:
        return len(self.rows) * (_BOX + GAP) - GAP

    def draw(self, figure: Figure, top: float) -> None:
        from matplotlib.patches import FancyBboxPatch

        for count, row in enumerate(self.rows):
            left, middle = MARGIN, top - count * (_BOX + GAP) - _BOX / 2
            for place, (name, value) in enumerate(row):
                across, last = _across((name, value)), count == len(self.rows) - 1 and place == len(row) - 1
                if count or place:
                    sign = self.sign if last else "→"
                    write(figure, left + _ARROW / 2, middle, sign, size=TEXT, ha="center", va="center", color=GREY)
                    left += _ARROW
                box = FancyBboxPatch(
                    (left, middle - _BOX / 2),
                    across,
                    _BOX,
                    boxstyle="round,pad=0,rounding_size=0.06",
                    transform=figure.dpi_scale_trans,
                    facecolor=WHITE,
                    edgecolor=LIGHT if last else GREY,
                    linewidth=0.8,
                )
                figure.add_artist(box)
                write(figure, left + across / 2, middle + 0.11, name, size=SMALL, ha="center", va="center", color=GREY)
                write(figure, left + across / 2, middle - 0.1, value, size=TEXT, ha="center", va="center", color=BLACK)
                left += across


def _across(box: tuple[str, str]) -> float:
    return max(text_width(box[0], SMALL), text_width(box[1], TEXT)) + 2 * _PAD


def _word(layer: str) -> str:
    """What a layer is, in a word: conv, batchnorm, Linear; the words themselves where it is no layer."""
    found = re.search(r"'([\w.]+)", layer)
    return found[1] if found and layer.startswith("layer ") else "begins with"


def _where(place: tuple[int, ...]) -> str:
    from neocog.explanations.arithmetic import place_text

    return place_text(place)


def _text(value: float) -> str:
    return number(value, 6)


def _caption(trace: NeuronTrace) -> str:
    """Which numbers these are, and how well the network agrees."""
    apart, limit = f"{abs(trace.value - trace.network_value):.1e}", f"{trace.rounding:.1e}"
    if trace.value == trace.network_value:
        facts = ["the network's own number is this one, to the last digit"]
    elif trace.agrees:
        facts = [f"the network's own number is {apart} away, less than the {limit} that rounding explains"]
    else:
        facts = [f"the network's own number is {apart} away, more than the {limit} that rounding explains"]
    facts = [fact.replace("e-", "e−") for fact in facts]
    if trace.steps[0].source:
        facts.insert(0, f"input: {trace.steps[0].source}")
    beyond = [term for step in trace.steps for term in step.terms if not term.inside]
    if any(term.weight is not None for term in beyond):
        facts.append("padding counts as 0")
    if any(term.weight is None for term in beyond):
        facts.append("padding of a window is drawn as 0")
    if trace.steps[0].terms:
        several = len(trace.steps[0].terms[0].place) == 3 and trace.steps[0].terms[0].weight is not None
        facts.append(f"orange is above 0, blue below{', each square on its own scale' if several else ''}")
    return "; ".join(facts)
