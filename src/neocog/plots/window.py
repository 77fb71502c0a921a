"""One number that came out of a convolution, taken apart: its window, the kernel, each product, and the sum."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

import numpy as np

from neocog.plots.cells import LARGEST, side_by_side
from neocog.plots.convolution import (
    CHANNELS,
    HATCHED,
    padded_ranges,
    picture_panel,
    shades,
    short,
    taps,
    value_text,
    walk_text,
    weights_panel,
    window_text,
)
from neocog.plots.numbers import is_exact, number
from neocog.plots.style import styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neocog.filtering import Convolved
    from neocog.ops.trace import Term, Trace

# Inches: across, for window, kernel and products together, and for the result; and down.
_ROOM, _RESULT, _TALLEST = 8.0, 2.25, 4.5
_AROUND, _AROUND_RESULT = 1, 2  # cells seen around the window and around the result
_MOST_ROWS, _LARGEST_TERMS = 9, 5  # of a kernel with more rows or columns, only the largest products are listed


@styled
def plot_window(convolved: Convolved) -> Figure:
    """One window: picture × kernel = products, cell by cell, then their sum, and where it stands in the result.

    Of three channels the one with the strongest result is drawn; what the others give is said below. A sum is written
    with ≈ where one of its numbers is rounded; beyond 9×9 cells only its largest products are listed.

    Args:
        convolved: what `neocog.filtering.convolve` gives.

    >>> from neocog.filtering import convolve
    >>> figure = plot_window(convolve("digit:7", "1 0; 2 -1", padding="valid", window=(12, 8)))
    >>> figure.texts[-2].get_text().splitlines()
    ['   86·1 + 253·0', '+ 175·2 + 253·(−1)', '= 183']
    """
    spec, kernel, (p, q) = convolved.spec, convolved.kernel, convolved.window
    channel = int(np.argmax([abs(trace.value) for trace in convolved.traces]))
    before, after = (drawn.channel(channel) for drawn in shades(convolved))
    name = f", {CHANNELS[channel]}" if len(convolved.traces) > 1 else ""
    trace, (row, column, down, across) = convolved.traces[channel], convolved.box
    all_rows, all_columns = padded_ranges(spec, convolved.before.shape[1:])
    rows, columns = _around(row, down, _AROUND, all_rows), _around(column, across, _AROUND, all_columns)
    result_rows, result_columns = (
        _around(place, 1, _AROUND_RESULT, range(length))
        for place, length in zip((p, q), convolved.after.shape[1:], strict=True)
    )
    edge = min(LARGEST, _ROOM / (len(columns) + 2 * kernel.shape[1]), _TALLEST / len(rows))
    result_edge = min(LARGEST, _RESULT / max(len(result_rows), len(result_columns)))
    products_RS = np.zeros(kernel.shape)
    for term in trace.terms:
        products_RS[term.r, term.s] = term.product

    window = picture_panel(
        before,
        edge,
        (rows, columns),
        head=short(convolved.picture) + name,
        detail="window",
        marked=convolved.box,
        dotted=taps(convolved),
    )
    result = picture_panel(
        after,
        result_edge,
        (result_rows, result_columns),
        head="result" + name,
        detail=f"row {p}, column {q}",
        marked=(p, q, 1, 1),
    )
    laid = weights_panel(short(kernel.name), walk_text(spec), np.array(kernel.rows), edge)
    products = weights_panel("products", "cell by cell", products_RS, edge)
    facts = [window_text(convolved)]
    seen = zip((rows, columns), convolved.before.shape[1:], strict=True)
    if any(places[0] < 0 or places[-1] >= length for places, length in seen):
        facts.append(HATCHED)
    facts += before.text("the picture") + after.text("the result")
    return side_by_side(
        [window, "×", laid, "=", products, "Σ →", result], arithmetic=arithmetic(trace), caption="\n".join(facts)
    )


def arithmetic(trace: Trace) -> str:
    """The sum in lines, one for each row of the kernel, such as `12·1 + 0·0 + 30·(−1)`, and what it comes to."""
    long = max(term.r for term in trace.terms) >= _MOST_ROWS or max(term.s for term in trace.terms) >= _MOST_ROWS
    if long:
        rows = [sorted(trace.terms, key=lambda term: -abs(term.product))[:_LARGEST_TERMS]]
    else:
        rows = [[*row] for _, row in groupby(trace.terms, key=lambda term: term.r)]
    columns = [_products(column) for column in zip(*rows, strict=True)]
    lines = [" + ".join(row) for row in zip(*columns, strict=True)]
    if long:
        lines.append(f"… {len(trace.terms) - _LARGEST_TERMS} smaller products")
    signs = [" ", *["+"] * (len(lines) - 1), "=" if _is_exact(trace) else "≈"]
    return "\n".join(f"{sign} {line}".rstrip() for sign, line in zip(signs, [*lines, value_text(trace)], strict=True))


def _products(terms: Sequence[Term]) -> list[str]:
    """Pixel·weight, equally long."""
    pixels = [_signed(number(term.pixel)) for term in terms]
    weights = [_signed(number(term.weight)) for term in terms]
    wide = max(map(len, pixels)), max(map(len, weights))
    return [f"{pixel:>{wide[0]}}·{weight:<{wide[1]}}" for pixel, weight in zip(pixels, weights, strict=True)]


def _is_exact(trace: Trace) -> bool:
    """Whether every number of the sum is written in full, and every order of adding gives the same."""
    values = [value for term in trace.terms for value in (term.pixel, term.weight)]
    return trace.rounding == 0 and all(is_exact(number(value), value) for value in values)


def _signed(text: str) -> str:
    return f"({text})" if text.startswith("−") else text


def _around(start: int, length: int, more: int, all_: range) -> range:
    """A stretch with so many cells more at both ends, as far as there are any."""
    return range(max(all_.start, start - more), min(all_.stop, start + length + more))
