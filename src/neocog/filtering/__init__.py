"""One picture under one kernel: what went in, what came out, and one of its numbers taken apart.

convolve("photo.png", "sobel")       a Convolved: before, after, kernel, spec, and the arithmetic of one window
displayed(convolved.after, convolved.after_range)   numbers as grey values that can be looked at
save_result(convolved, "edges.png")

    given    what people give: pictures, kernels and places, as numbers
    greys    numbers as grey values
    convolved   the convolution itself
"""

from __future__ import annotations

from neocog.filtering.convolved import AUTO, MOST_PRODUCTS, RESULTS, Convolved, convolve, inner, save_result, strongest
from neocog.filtering.greys import GREYS, clipped, displayed, grey_range

__all__ = [
    "AUTO",
    "GREYS",
    "MOST_PRODUCTS",
    "RESULTS",
    "Convolved",
    "clipped",
    "convolve",
    "displayed",
    "grey_range",
    "inner",
    "save_result",
    "strongest",
]
