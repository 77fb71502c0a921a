"""Figures, drawn by matplotlib without pyplot or any other global state, and imported when one is drawn.

convolution   picture ∗ kernel = result, and one kernel by itself
window        one number that comes out, product by product
toeplitz      a convolution as one matrix
seeds         every seed of every side compared, with the mean and its interval
curves        learning curves, as the mean over seeds in a band
cost          what each side reaches beside what it costs
rates         a range test of learning rates, with its suggestion
reproduction  published figures beside those of our seeds
saving        figures as files
style         how all of them look; begin a new figure here
cells         maps of cells side by side, and the numbers in them (numbers)
charts        axes of numbers, the looks of series, and texts that fit
keys          which look stands for what
"""

from __future__ import annotations

from neocog.plots.convolution import plot_convolution, plot_kernel
from neocog.plots.cost import plot_cost
from neocog.plots.curves import plot_curves
from neocog.plots.rates import plot_rates
from neocog.plots.reproduction import plot_reproduction
from neocog.plots.saving import save_figure
from neocog.plots.seeds import plot_seeds
from neocog.plots.toeplitz import plot_toeplitz
from neocog.plots.window import plot_window

__all__ = [
    "plot_convolution",
    "plot_cost",
    "plot_curves",
    "plot_kernel",
    "plot_rates",
    "plot_reproduction",
    "plot_seeds",
    "plot_toeplitz",
    "plot_window",
    "save_figure",
]
