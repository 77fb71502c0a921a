"""Convolution by shifting: for each cell of the kernel, what it reads everywhere is one shifted slice of the pictures.

The loops over pictures, kernels and places are left to tensors; only the R·S cells of the kernel are walked in Python.
Cell (r, s) adds to every output number at once,

    y[n, k, p, q] += Σ_c  x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] · w[k, c, r, s]

which is a product of two matrices: the kernels' cell (K × C) with the slice (C × N·P·Q). Groups are a batch of them.
Letters besides those of `spec`: D channels and J kernels of one group, M = N·P·Q places.
"""

from __future__ import annotations

from itertools import product
from math import prod

from torch import Tensor

from neocog.ops.contract import Algorithm, Cost, definition_macs
from neocog.ops.padding import cell_view, padded, padded_bytes, unpadded
from neocog.ops.spec import ConvSpec, Pair, Shape4


class Shift(Algorithm):
    """One product of matrices for each cell of the kernel."""

    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """Each cell adds its weights times the slice it reads."""
        output_size = spec.output_size(x_NCHW.shape[2:])
        x_CNHW, w_RSGJD = padded(x_NCHW, spec).transpose(0, 1), _by_cell(w_KCRS, spec)
        y_GJM = x_NCHW.new_zeros(*w_RSGJD.shape[2:4], len(x_NCHW) * prod(output_size))
        for r, s in _cells(spec):
            slice_CNPQ = cell_view(x_CNHW, spec, output_size, r, s)
            y_GJM.baddbmm_(w_RSGJD[r, s], _by_group(slice_CNPQ, spec))
        return y_GJM.view(len(w_KCRS), len(x_NCHW), *output_size).transpose(0, 1).contiguous()

    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """Each cell gives back to the slice it read: y += w·slice means ∂L/∂slice = wᵀ·g.

        Slices of different cells overlap, and a number of the picture sums what all of them give:

            gx[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] += Σ_k w[k, c, r, s] · g[n, k, p, q]
        """
        output_size = (g_NKPQ.shape[2], g_NKPQ.shape[3])
        g_GJM, w_RSGJD = _by_group(g_NKPQ.transpose(0, 1), spec), _by_cell(w_KCRS, spec)
        channels = w_KCRS.shape[1] * spec.groups
        gx_NCHW = g_NKPQ.new_zeros(len(g_NKPQ), channels, *spec.padded_size(input_size))
        for r, s in _cells(spec):
            slice_CNPQ = cell_view(gx_NCHW.transpose(0, 1), spec, output_size, r, s)
            slice_CNPQ += (w_RSGJD[r, s].mT @ g_GJM).view(slice_CNPQ.shape)
        return unpadded(gx_NCHW, spec, input_size)

    def grad_w(self, g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
        """Each cell stood in every output number beside the number it read: y += w·slice means ∂L/∂w = g·sliceᵀ.

        gw[k, c, r, s] = Σ_n Σ_p Σ_q g[n, k, p, q] · x[n, c, p·stride + r·dilation − top, q·stride + …]
        """
        output_size = (g_NKPQ.shape[2], g_NKPQ.shape[3])
        g_GJM, x_CNHW = _by_group(g_NKPQ.transpose(0, 1), spec), padded(x_NCHW, spec).transpose(0, 1)
        channels = x_NCHW.shape[1] // spec.groups
        gw_RSGJD = g_NKPQ.new_empty(*spec.kernel_size, *g_GJM.shape[:2], channels)
        for r, s in _cells(spec):
            slice_CNPQ = cell_view(x_CNHW, spec, output_size, r, s)
            gw_RSGJD[r, s] = g_GJM @ _by_group(slice_CNPQ, spec).mT
        return gw_RSGJD.permute(2, 3, 4, 0, 1).reshape(-1, channels, *spec.kernel_size).contiguous()

    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """The definition's multiply-adds; the padded pictures, the kernels by cell, and one slice.

        When the slices are done with, the output of several pictures is brought into its order, which takes a copy. A
        1×1 kernel on a single picture takes less: it reads the picture in place.
        """
        N, C = x_shape[:2]
        kernels = out_channels * (C // spec.groups) * prod(spec.kernel_size)
        channels = max(C, out_channels if N > 1 else 0)
        numbers = kernels + N * channels * prod(spec.output_size(x_shape[2:]))
        extra = padded_bytes(spec, x_shape, itemsize) + numbers * itemsize
        return Cost(definition_macs(spec, x_shape, out_channels), extra)


def _cells(spec: ConvSpec) -> product[tuple[int, int]]:
    return product(range(spec.kernel_size[0]), range(spec.kernel_size[1]))


def _by_cell(w_KDRS: Tensor, spec: ConvSpec) -> Tensor:
    """The kernels as one small matrix (J, D) for each cell and group."""
    return w_KDRS.reshape(spec.groups, -1, *w_KDRS.shape[1:]).permute(3, 4, 0, 1, 2).contiguous()


def _by_group(x_CNPQ: Tensor, spec: ConvSpec) -> Tensor:
    """One matrix for each group: a row for each of its channels, a column for each place of each picture."""
    return x_CNPQ.reshape(spec.groups, x_CNPQ.shape[0] // spec.groups, -1)


SHIFT = Shift()
