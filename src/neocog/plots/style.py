"""How every figure looks, in one place: colours, sizes and lines. A new figure is a function under `@styled`."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

if TYPE_CHECKING:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

Given = ParamSpec("Given")
Result = TypeVar("Result")

# Okabe & Ito's palette ("Color Universal Design", 2008), which colour-blind people can tell apart, in their order.
BLACK, ORANGE, SKY, GREEN = "#000000", "#E69F00", "#56B4E9", "#009E73"
YELLOW, BLUE, VERMILION, PURPLE = "#F0E442", "#0072B2", "#D55E00", "#CC79A7"
GREY, LIGHT, WHITE = "#666666", "#C4C4C4", "#FFFFFF"
MARK = VERMILION  # what a figure points at
# Less than nothing, nothing, more than nothing. Without colour, blue is still the darker end.
SIGNED = (BLUE, WHITE, ORANGE)

# Points. At 1200 pixels the widest figure shows LEAST as 8 pixels, below which digits run together.
FONT, FIXED = "DejaVu Sans", "DejaVu Sans Mono"  # come with matplotlib, and have ×, ·, − and ⌊
OPERATOR, HEADING, TEXT, SMALL, LEAST = 22.0, 12.0, 10.0, 9.0, 7.0
STAR = 36.0  # the sign ⋆, which the font draws small
DOTS = 160  # for each inch of a PNG

STYLE: dict[str, Any] = {
    "font.family": FONT,
    "font.size": TEXT,
    "axes.titlesize": TEXT,
    "axes.labelsize": TEXT,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": GREY,
    "ytick.color": GREY,
    "axes.edgecolor": GREY,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "hatch.linewidth": 0.6,
    "savefig.dpi": DOTS,
    "svg.hashsalt": "neocog",  # ids in an SVG come from its content, not from chance
}


def styled(draw: Callable[Given, Result]) -> Callable[Given, Result]:
    """Runs a function under matplotlib's defaults and our style; what the user has set is back afterwards."""

    @wraps(draw)
    def drawn(*args: Given.args, **kwargs: Given.kwargs) -> Result:
        import matplotlib.style

        with matplotlib.style.context(["default", STYLE]), warnings.catch_warnings():
            # A picture's name may have letters that the font lacks; it shows boxes for them.
            warnings.filterwarnings("ignore", "Glyph .* missing from")
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """An empty white figure of that many inches, with a canvas of its own and none of pyplot's global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=DOTS, facecolor=WHITE)
    canvas: FigureCanvasAgg = FigureCanvasAgg(figure)
    assert figure.canvas is canvas
    return figure
