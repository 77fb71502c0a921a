"""Figures, drawn by matplotlib without pyplot or any other global state, and imported when one is drawn.

convolution   picture ∗ kernel = result, and one kernel by itself
window        one number that comes out, product by product
toeplitz      a convolution as one matrix
seeds         every seed of every side compared, with the mean and its interval
curves        learning curves, as the mean over seeds in a band
cost          what each side reaches beside what it costs
rates         a range test of learning rates, with its suggestion
reproduction  published figures beside those of our seeds
learning      one training: loss, accuracy and rate
confusion     what was taken for what
classes       each class: recall, precision and F1
reliability   how often it is right beside how sure it is
stress        accuracy as pictures change more and more
samples       what the network really sees while it trains
mistakes      the worst mistakes; broken has the pictures that break first, listed those that one lists
layer_kernels the kernels of a layer
trace         one number of a layer, taken apart
feature_maps  what comes out of a layer
fields        the pixels that a number depends on
attributions  what speaks for a class, with the verdict of each map
neighbours    the training pictures most alike
flips         the smallest changes that turn an answer
grid          pictures in rows
pages         a title above, a caption below, and axes of accuracies
saving        figures as files
style         how all of them look; begin a new figure here
cells         maps of cells side by side, and the numbers in them (numbers)
charts        axes of numbers, the looks of series, and texts that fit
keys          which look stands for what
"""

from __future__ import annotations

from neocog.plots.attributions import plot_attributions
from neocog.plots.broken import plot_broken
from neocog.plots.classes import plot_classes
from neocog.plots.confusion import plot_confusion
from neocog.plots.convolution import plot_convolution, plot_kernel
from neocog.plots.cost import plot_cost
from neocog.plots.curves import plot_curves
from neocog.plots.feature_maps import plot_feature_maps
from neocog.plots.fields import plot_receptive_field
from neocog.plots.flips import plot_flips
from neocog.plots.layer_kernels import plot_layer_kernels
from neocog.plots.learning import plot_learning
from neocog.plots.listed import plot_duplicates, plot_label_errors, plot_listed
from neocog.plots.mistakes import plot_mistakes
from neocog.plots.neighbours import plot_neighbours
from neocog.plots.rates import plot_rates
from neocog.plots.reliability import plot_reliability
from neocog.plots.reproduction import plot_reproduction
from neocog.plots.samples import plot_samples
from neocog.plots.saving import save_figure
from neocog.plots.seeds import plot_seeds
from neocog.plots.stress import plot_stress
from neocog.plots.toeplitz import plot_toeplitz
from neocog.plots.trace import plot_trace
from neocog.plots.window import plot_window

__all__ = [
    "plot_attributions",
    "plot_broken",
    "plot_classes",
    "plot_confusion",
    "plot_convolution",
    "plot_cost",
    "plot_curves",
    "plot_duplicates",
    "plot_feature_maps",
    "plot_flips",
    "plot_kernel",
    "plot_label_errors",
    "plot_layer_kernels",
    "plot_learning",
    "plot_listed",
    "plot_mistakes",
    "plot_neighbours",
    "plot_rates",
    "plot_receptive_field",
    "plot_reliability",
    "plot_reproduction",
    "plot_samples",
    "plot_seeds",
    "plot_stress",
    "plot_toeplitz",
    "plot_trace",
    "plot_window",
    "save_figure",
]
