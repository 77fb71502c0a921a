"""Figures, drawn by matplotlib without pyplot or any other global state, and imported when one is drawn.

convolution  picture ∗ kernel = result, and one kernel by itself
window       one number that comes out, product by product
toeplitz     a convolution as one matrix
saving       figures as files
style        how all of them look; begin a new figure here
cells        maps of cells side by side, and the numbers in them (numbers)
"""

from __future__ import annotations

from neocog.plots.convolution import plot_convolution, plot_kernel
from neocog.plots.saving import save_figure
from neocog.plots.toeplitz import plot_toeplitz
from neocog.plots.window import plot_window

__all__ = ["plot_convolution", "plot_kernel", "plot_toeplitz", "plot_window", "save_figure"]
