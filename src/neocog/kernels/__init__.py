"""Kernels as people meet them: by name, from a file or a text, and learned from examples.

    rows      a kernel: a rectangle of numbers with a name, and how it is written
    named     the kernels with a name, each normalised by one rule, with its source
    reading   a name, a file or a text becomes a kernel
    learning  a kernel found from pictures before and after

One rule for all named kernels. Those that keep the picture's brightness (blurs, sharpening, emboss) sum to 1: a flat
picture stays as it is. Those that measure change (derivatives, outlines, stripes) sum to 0: a flat picture gives 0.
Derivatives are the published whole numbers, a known multiple of the change per pixel; `normalize=True` divides by it.

Kernels are laid on as they are, not turned round: cross-correlation, as in networks.

Where `neocog.convolve` makes colours grey, it takes their luma (ITU-R BT.601: 0.299 R + 0.587 G + 0.114 B), what the
eye finds as bright, and not the mean of the three, which some lessons take.
"""

from __future__ import annotations

from neocog.kernels.learning import LearnedKernel, learn_kernel
from neocog.kernels.named import KERNELS, NamedKernel, kernel
from neocog.kernels.reading import read_kernel
from neocog.kernels.rows import Kernel

__all__ = ["KERNELS", "Kernel", "LearnedKernel", "NamedKernel", "kernel", "learn_kernel", "read_kernel"]
