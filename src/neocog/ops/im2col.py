"""Patches as a matrix: every window becomes a column, and the convolution is one product of two matrices.

The picture 0…8 as 3×3 has four windows of 2×2; below they are columns, read from left to right and from top to bottom.
Row r·S + s of the matrix is what cell (r, s) of a kernel reads, window by window. The kernel 0…3 is a row:

                0  1  3  4      window 0 reads 0 1
    0 1 2 3  ·  1  2  4  5                     3 4  =  19 25 37 43
                3  4  6  7
                4  5  7  8

With C channels a window is a column of C·R·S numbers; K kernels are K rows; N pictures stand side by side. Groups are a
batch of smaller products, as kernels see no channels but those of their group.

A number of the picture stands in up to R·S columns, so the whole matrix can be R·S times as large as the picture. It is
never needed at once: a block of columns is copied together and multiplied while it is still in the cache.

Letters besides those of `spec`: D channels and J kernels of one group, L = D·R·S rows of the matrix, M its columns.

Source: Chellapilla, Puri & Simard, "High performance convolutional neural networks for document processing" (2006).
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from math import prod

from torch import Tensor

from neocog.ops.arguments import check_groups
from neocog.ops.checks import check_pictures, check_spec
from neocog.ops.contract import Algorithm, Cost, definition_macs
from neocog.ops.padding import padded, padded_bytes, unpadded
from neocog.ops.spec import ConvSpec, Pair, Shape4

# Half of a common second-level cache: with smaller blocks there are too many calls, with larger ones the product reads
# its patches from memory.
_BLOCK_BYTES = 2**20


class Im2col(Algorithm):
    """The product of kernels and patches, a block of patches at a time."""

    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """y = w · patches."""
        windows_CRSNPQ = _windows(padded(x_NCHW, spec), spec)
        N, P, Q = windows_CRSNPQ.shape[3:]
        w_GJL = w_KCRS.reshape(spec.groups, -1, prod(w_KCRS.shape[1:]))
        y_NKPQ = x_NCHW.new_empty(N, len(w_KCRS), P, Q)
        for pictures, rows in _blocks(windows_CRSNPQ.shape, len(w_KCRS), x_NCHW.itemsize):
            y_KNPQ = y_NKPQ[pictures, :, rows].transpose(0, 1)
            patches_CRSNPQ = windows_CRSNPQ[:, :, :, pictures, rows]
            y_KNPQ.copy_((w_GJL @ _matrix(patches_CRSNPQ, spec)).view(y_KNPQ.shape))
        return y_NKPQ

    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """∂L/∂patches = wᵀ · g, as y = w · patches; then each number sums up what its copies got ("col2im").

        x[n, c, h, w] was copied to row (c, r, s) and column (n, p, q) wherever p·stride + r·dilation − top = h, and so
        for w: those are the terms of ∂L/∂x.
        """
        w_GLJ = w_KCRS.reshape(spec.groups, -1, prod(w_KCRS.shape[1:])).mT
        channels = w_KCRS.shape[1] * spec.groups
        gx_NCHW = g_NKPQ.new_zeros(len(g_NKPQ), channels, *spec.padded_size(input_size))
        windows_CRSNPQ = _windows(gx_NCHW, spec)
        for pictures, rows in _blocks(windows_CRSNPQ.shape, g_NKPQ.shape[1], g_NKPQ.itemsize):
            g_KNPQ = g_NKPQ[pictures, :, rows].transpose(0, 1)
            _add_back(w_GLJ @ _matrix(g_KNPQ, spec), windows_CRSNPQ[:, :, :, pictures, rows])
        return unpadded(gx_NCHW, spec, input_size)

    def grad_w(self, g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
        """∂L/∂w = g · patchesᵀ, as y = w · patches: every column of the matrix adds its part, so blocks add up."""
        windows_CRSNPQ = _windows(padded(x_NCHW, spec), spec)
        C, R, S = windows_CRSNPQ.shape[:3]
        K, D, G = g_NKPQ.shape[1], C // spec.groups, spec.groups
        gw_GJL = g_NKPQ.new_zeros(G, K // G, D * R * S)
        for pictures, rows in _blocks(windows_CRSNPQ.shape, K, g_NKPQ.itemsize):
            g_KNPQ = g_NKPQ[pictures, :, rows].transpose(0, 1)
            patches_CRSNPQ = windows_CRSNPQ[:, :, :, pictures, rows]
            gw_GJL.baddbmm_(_matrix(g_KNPQ, spec), _matrix(patches_CRSNPQ, spec).mT)
        return gw_GJL.view(K, D, R, S)

    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """The definition's multiply-adds; the padded pictures, and one block of patches with its product.

        A 1×1 kernel takes less where a block is one picture: its patches are the picture itself, in place.
        """
        (N, C), (R, S), (P, Q) = x_shape[:2], spec.kernel_size, spec.output_size(x_shape[2:])
        pictures, rows = _block((C, R, S, N, P, Q), out_channels, itemsize)
        block = pictures * rows * Q * (C * R * S + out_channels) * itemsize
        return Cost(definition_macs(spec, x_shape, out_channels), padded_bytes(spec, x_shape, itemsize) + block)


def patch_matrix(x: Tensor, spec: ConvSpec) -> Tensor:
    """All patches as a matrix: a column for each window, a row for each number in it, whose product with w is conv2d.

    Column (n·P + p)·Q + q holds x[n, c, p·stride + r·dilation − top, q·stride + s·dilation − left] in the row
    (c·R + r)·S + s, where c counts the channels of the group.

    Args:
        x: pictures (N, C, H, W), or one (C, H, W), of any float type.
        spec: how the kernels walk.

    Returns:
        (G, C/G·R·S, N·P·Q), a matrix for each group: w.reshape(G, K/G, −1) @ it is y as (G, K/G, N·P·Q).

    Raises:
        OperationError: x is no such tensor, the groups don't divide its channels, or the kernel doesn't fit.

    Source: Chellapilla, Puri & Simard (2006).

    >>> import torch
    >>> patch_matrix(torch.arange(9.0).reshape(1, 1, 3, 3), ConvSpec.make(2)).int().tolist()
    [[[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]]]
    """
    check_spec(spec)
    check_pictures("patch_matrix", x)
    x_NCHW = x if x.ndim == 4 else x[None]
    check_groups(spec.groups, (x_NCHW.shape[1], "channels of x"))
    spec.output_size(x_NCHW.shape[2:])
    return _matrix(_windows(padded(x_NCHW, spec), spec), spec)


def _windows(padded_NCHW: Tensor, spec: ConvSpec) -> Tensor:
    """Every window as a view (C, R, S, N, P, Q): numbers stand in it as often as windows read them, none is copied."""
    (height, width), (down, right), (row_gap, column_gap) = spec.extent, spec.stride, spec.dilation
    spans_NCPQHW = padded_NCHW.unfold(2, height, down).unfold(3, width, right)
    return spans_NCPQHW[..., ::row_gap, ::column_gap].permute(1, 4, 5, 0, 2, 3)


def _matrix(numbers: Tensor, spec: ConvSpec) -> Tensor:
    """(C, …, N, P, Q) as one matrix for each group, a column for each place. Patches are copied together here."""
    G, columns = spec.groups, prod(numbers.shape[-3:])
    return numbers.reshape(G, prod(numbers.shape[:-3]) // G, columns)


def _add_back(patches_GLM: Tensor, windows_CRSNPQ: Tensor) -> None:
    """Adds each number of the patches to the number of the picture that it was read from.

    At one r, all places p read different rows of the picture; and at one p, all r do. So either may be walked, and
    columns alike, while everything else is added at once: kernels are mostly smaller, but not than a block of one row.
    """
    shape = windows_CRSNPQ.shape
    walked = [min(axes, key=lambda axis: shape[axis]) for axes in ((1, 4), (2, 5))]  # R or P, S or Q
    patches, windows = (full.movedim(walked, (0, 1)) for full in (patches_GLM.view(shape), windows_CRSNPQ))
    for i, j in product(range(len(windows)), range(windows.shape[1])):
        windows[i, j] += patches[i, j]


def _block(windows_shape: tuple[int, ...], kernels: int, itemsize: int) -> Pair:
    """How many pictures one block has, and how many rows of their windows: whole pictures, or rows of one."""
    C, R, S, N, P, Q = windows_shape
    rows = max(1, _BLOCK_BYTES // (Q * (C * R * S + kernels) * itemsize))
    return (min(N, rows // P), P) if rows >= P else (1, rows)


def _blocks(windows_shape: tuple[int, ...], kernels: int, itemsize: int) -> Iterator[tuple[slice, slice]]:
    """Slices of pictures and rows that together cover all."""
    pictures, rows = _block(windows_shape, kernels, itemsize)
    _, _, _, N, P, _ = windows_shape
    for n, p in product(range(0, N, pictures), range(0, P, rows)):
        yield slice(n, n + pictures), slice(p, p + rows)


IM2COL = Im2col()
