"""One number that came out of a convolution, taken apart: its window, the kernel, each product, and the sum."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from neocog.plots.cells import LARGEST, side_by_side
from neocog.plots.convolution import (
    CHANNELS,
    padded_ranges,
    picture_panel,
    short,
    value_text,
    walk_text,
    weights_panel,
    window_box,
    window_text,
)
from neocog.plots.numbers import is_exact, number
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neocog.filtering import Convolved
    from neocog.ops.trace import Trace

# Inches: across, for window, kernel and products together, and for the result; and down.
_ROOM, _RESULT, _TALLEST = 7.75, 2.25, 4.5
_AROUND, _AROUND_RESULT = 1, 2  # cells seen around the window and around the result
_MOST_ROWS, _LARGEST_TERMS = 7, 5  # of a kernel with more rows or columns, only the largest products are listed


@styled
def plot_window(convolved: Convolved) -> Figure:
    """One window: picture × kernel = products, cell by cell, then their sum, and where it stands in the result.

    Of three channels the one with the strongest result is drawn; what the others give is said below. A sum is written
    with ≈ where one of its numbers is rounded; beyond 7×7 cells only its largest products are listed.

    Args:
        convolved: what `neocog.filtering.convolve` gives.

    >>> from neocog.filtering import convolve
    >>> figure = plot_window(convolve("digit:7", "1 0; 2 -1", padding="valid", window=(12, 8)))
    >>> figure.texts[-2].get_text().splitlines()
    ['   86·1 + 253·0', '+ 175·2 − 253·1', '= 183']
    """
    spec, kernel, (p, q) = convolved.spec, convolved.kernel, convolved.window
    channel = int(np.argmax([abs(trace.value) for trace in convolved.traces]))
    x_1HW, y_1PQ = convolved.before[channel : channel + 1], convolved.after[channel : channel + 1]
    name = f", {CHANNELS[channel]}" if len(convolved.traces) > 1 else ""
    trace, box = convolved.traces[channel], window_box(spec, convolved.window)
    (row, column, down, across), (all_rows, all_columns) = box, padded_ranges(spec, x_1HW.shape[1:])
    rows, columns = _around(row, down, _AROUND, all_rows), _around(column, across, _AROUND, all_columns)
    result_rows, result_columns = (
        _around(place, 1, _AROUND_RESULT, range(length)) for place, length in zip((p, q), y_1PQ.shape[1:], strict=True)
    )
    edge = min(LARGEST, _ROOM / (len(columns) + 2 * kernel.shape[1]), _TALLEST / len(rows))
    result_edge = min(LARGEST, _RESULT / max(len(result_rows), len(result_columns)))
    taps = [(term.row, term.column, 1, 1) for term in trace.terms] if max(spec.dilation) > 1 else []
    products_RS = np.zeros(kernel.shape)
    for term in trace.terms:
        products_RS[term.r, term.s] = term.product

    window = picture_panel(
        x_1HW, edge, (rows, columns), head=short(convolved.picture) + name, detail="window", marked=box, dotted=taps
    )
    result = picture_panel(
        y_1PQ,
        result_edge,
        (result_rows, result_columns),
        head="result" + name,
        detail=f"row {p}, column {q}",
        marked=(p, q, 1, 1),
    )
    laid = weights_panel(short(kernel.name), walk_text(spec), np.array(kernel.rows), edge)
    products = weights_panel("products", "cell by cell", products_RS, edge)
    caption = window_text(convolved)
    if not all(term.inside for term in trace.terms):
        caption += "\nhatched: padding, which counts as 0"
    return side_by_side(
        [window, "×", laid, "=", products, "Σ →", result], arithmetic=arithmetic(trace), caption=caption
    )


def arithmetic(trace: Trace) -> str:
    """The sum in lines, one for each row of the kernel, such as `12·1 + 0·0 − 30·1`, and what it comes to."""
    long = max(term.r for term in trace.terms) >= _MOST_ROWS or max(term.s for term in trace.terms) >= _MOST_ROWS
    terms = sorted(trace.terms, key=lambda term: -abs(term.product))[:_LARGEST_TERMS] if long else trace.terms
    factors = [(_signed(number(term.pixel)), number(abs(term.weight))) for term in terms]
    wide = [max(len(text) for text in texts) for texts in zip(*factors, strict=True)]
    products = [
        f"{'−' if term.weight < 0 else '+'} {pixel:>{wide[0]}}·{weight:<{wide[1]}}"
        for term, (pixel, weight) in zip(terms, factors, strict=True)
    ]
    if long:
        lines = [" ".join(products), f"+ … {len(trace.terms) - len(terms)} smaller products"]
    else:
        rows = groupby(zip(terms, products, strict=True), key=lambda pair: pair[0].r)
        lines = [" ".join(product for _, product in row) for _, row in rows]
    if trace.bias is not None:
        lines.append(f"{'−' if trace.bias < 0 else '+'} {number(abs(trace.bias))}  (bias)")
    lines.append(f"{'=' if _is_exact(trace) else '≈'} {value_text(trace)}")
    lines[0] = f"{' ' if lines[0][0] == '+' else '−'}{lines[0][1:]}"  # no plus before the first product
    return "\n".join(line.rstrip() for line in lines)


def _is_exact(trace: Trace) -> bool:
    """Whether every number of the sum is written in full."""
    values = [value for term in trace.terms for value in (term.pixel, term.weight)]
    return all(is_exact(number(value), value) for value in [*values, trace.bias or 0.0]) and is_exact(
        value_text(trace), trace.value
    )


def _signed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _around(start: int, length: int, more: int, all_: range) -> range:
    """A stretch with so many cells more at both ends, as far as there are any."""
    return range(max(all_.start, start - more), min(all_.stop, start + length + more))
