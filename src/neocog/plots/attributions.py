"""What speaks for a class, by several methods: each map over the picture, its curves and its verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from neocog.plots.charts import FAINT, FOOT, GAP, MARGIN, Look, Span, add_chart, fitted, heading, height_of, write
from neocog.plots.grid import Tile
from neocog.plots.keys import Key
from neocog.plots.numbers import LINE, POINTS, number
from neocog.plots.style import BLACK, BLUE, GREEN, GREY, HEADING, LIGHT, MARK, ORANGE, SMALL, TEXT, new_figure, styled

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from neocog.explanations.attributions import Attribution

# Inches.
_WIDTH, _SIDE, _CHART, _APART = 8.0, 1.5, 1.75, 0.35
_UPRIGHT = 0.62  # beside a chart, for its axis
_DELETION, _INSERTION = Look(BLUE, "", "-"), Look(ORANGE, "", (0, (5, 1.5)))
_PASSED, _FAILED = "✓", "✗"
_CAPTION = (
    "Orange speaks for the class, blue against it, each map up to its own largest value. Probabilities at "
    "temperature 1, as pixels change to the baseline, or from it to the picture, in the order of the map, the most "
    "positive first."
)


@styled
def plot_attributions(
    picture_HWC: NDArray[np.uint8], attributions: Sequence[Attribution], title: str = "What speaks for the class"
) -> Figure:
    """Maps with their verdicts, one row for each method.

    A row has the map over the grey picture, the class's probability as pixels are deleted and inserted by the map, and
    the checks, each with its number and its bound. A map that fails is framed in a broken line and says so.

    Args:
        picture_HWC: the picture as prepared for the network, uint8 (H, W, 1) or (H, W, 3).
        attributions: what `neocog.explanations.attributions.attributions` gives, for this picture.
        title: one line above the figure.
    """
    inner = _WIDTH - 2 * MARGIN
    title, caption = heading(title, inner), fitted(_CAPTION, SMALL, inner)
    charts = any(each.deletion is not None for each in attributions)
    head = height_of(title, HEADING) + GAP + _SIDE + _APART
    rows = [max(_SIDE + _APART, _words(each)) for each in attributions]
    foot = (FOOT - _APART + GAP if charts else 0.0) + height_of(caption, SMALL)
    figure = new_figure(_WIDTH, 2 * MARGIN + head + sum(rows) + foot)
    top = float(figure.get_size_inches()[1]) - MARGIN
    write(figure, MARGIN, top, title, va="top", size=HEADING)
    write(figure, MARGIN, MARGIN, caption, va="bottom", **FAINT)
    top -= head
    _draw_picture(figure, Tile(picture_HWC), "picture", top + _SIDE + _APART)
    if charts:
        key = Key((("pixels deleted", _DELETION), ("pixels inserted", _INSERTION)), inner - _SIDE)
        key.draw(figure, MARGIN + _SIDE + _APART + _UPRIGHT, top + key.height + GAP / 2)
    for attribution, height in zip(attributions, rows, strict=True):
        tile = Tile(picture_HWC, heat=attribution.map_HW, marked=bool(attribution.failed))
        _draw_picture(figure, tile, f"map {attribution.method}", top)
        left = MARGIN + _SIDE + _APART
        if attribution.deletion is not None and attribution.insertion is not None:
            _draw_curves(figure, attribution, left + _UPRIGHT, top, titled=attribution is attributions[-1])
        left += _UPRIGHT + _CHART + _APART if charts else 0.0
        _write_checks(figure, attribution, left, top)
        top -= height
    return figure


def _draw_picture(figure: Figure, tile: Tile, name: str, top: float) -> None:
    """In a square of _SIDE at the left edge; one that is marked has a thick and broken frame."""
    width, height = figure.get_size_inches()
    rows, columns = tile.size
    down, across = _SIDE * rows / max(rows, columns), _SIDE * columns / max(rows, columns)
    left, bottom = MARGIN + (_SIDE - across) / 2, top - (_SIDE + down) / 2
    axes = figure.add_axes((left / width, bottom / height, across / width, down / height), label=name)
    # Sharp where pixels are enlarged; a picture of more pixels than dots is made smaller smoothly.
    axes.imshow(tile.colours(), interpolation="auto", aspect="auto")
    axes.set(xticks=[], yticks=[])
    frame = {"edgecolor": MARK, "linewidth": 3.0, "linestyle": (0, (2, 1))} if tile.marked else {"edgecolor": LIGHT}
    for spine in axes.spines.values():
        spine.set(visible=True, capstyle="butt", **frame)


def _draw_curves(figure: Figure, attribution: Attribution, left: float, top: float, *, titled: bool) -> None:
    spans = (
        Span(0, 100, (0, 50, 100), ("0", "50", "100")),
        Span(-4, 104, (0, 50, 100), ("0", "50", "100")),
    )
    axes = add_chart(
        figure,
        (left, top - _SIDE, _CHART, _SIDE),
        f"curves {attribution.method}",
        spans,
        ("share of the pixels (%)" if titled else "", "probability (%)"),
    )
    for name, curve, look in (
        ("deletion", attribution.deletion, _DELETION),
        ("insertion", attribution.insertion, _INSERTION),
    ):
        assert curve is not None
        shares = np.linspace(0, 100, len(curve))
        axes.plot(shares, 100 * curve, color=look.colour, linestyle=look.line, linewidth=1.6, gid=name)


def _told(attribution: Attribution) -> list[tuple[str, str, float]]:
    """The lines beside a map: text, colour and size."""
    largest = float(np.abs(attribution.map_HW).max())
    lines = [(attribution.title, BLACK, TEXT)]
    if not attribution.checks:
        lines.append(("not checked", GREY, SMALL))
    elif attribution.failed:
        count = len(attribution.failed)
        lines.append((f"{_FAILED} fails {count} of {len(attribution.checks)} checks", MARK, TEXT))
    else:
        lines.append((f"{_PASSED} passes its checks", GREEN, TEXT))
    for check in attribution.checks:
        sign, colour = (_PASSED, BLACK) if check.passed else (_FAILED, MARK)
        lines.append((f"{sign} {check.name} {check.short}", colour, SMALL))
    lines.append(
        (f"largest value {number(largest, 2)}" if largest else "the map is empty: all values are 0", GREY, SMALL)
    )
    return lines


def _words(attribution: Attribution) -> float:
    """Inches that the lines beside a map take."""
    return sum(size * LINE / POINTS for _, _, size in _told(attribution)) + _APART


def _write_checks(figure: Figure, attribution: Attribution, left: float, top: float) -> None:
    for text, colour, size in _told(attribution):
        write(figure, left, top, text, va="top", size=size, color=colour)
        top -= size * LINE / POINTS
