"""Convolution as one matrix: y.flatten() = A @ x.flatten(), with A doubly blocked Toeplitz.

A has a row for each number out and a column for each pixel. Where cell (r, s) of a kernel lies on pixel (h, v) for the
output (p, q), A holds w[r, s]; everywhere else, zero. At stride 1 the window moves along a row of the picture one pixel
at a time, and with it the numbers in A move one column to the right for each row further down: a block that is constant
along its diagonals, which is what Toeplitz means. There is one such block T_r for each row r of the kernel, of Q × W
numbers; and as the window moves down the picture, the blocks move in the same way, one block to the right:

    T_0  T_1   0    0
     0   T_0  T_1   0         P × H blocks, for a picture of H = 4 rows and a kernel of R = 2
     0    0   T_0  T_1

A dilation of 2 puts a block of zeros between T_0 and T_1, and a zero between the numbers inside of them; a stride
leaves out the rows of the numbers that are skipped; padding has no columns, so A takes the picture as it is. Channels
and kernels put such matrices side by side and below each other, K × C of them; with groups, most are zero.

Where an entry stands is a sum: column(row, cell) = first pixel of the row's window + offset of the cell in any window.
All kernels share this pattern, so it is worked out once, for one of them.

Gradients, with g = ∂L/∂y as a vector for each picture n:

    y_i = Σ_j A_ij·x_j    so    ∂L/∂x_j = Σ_i A_ij·g_i,         that is Aᵀ @ g
                          and   ∂L/∂A_ij = Σ_n g_ni·x_nj
    A_ij = w_cell(i,j)    so    ∂L/∂w_cell = Σ ∂L/∂A_ij over the entries (i, j) that this number of w stands in

Only stored entries are worked out for the last line: one that is always zero stands for no number of w.

Letters besides those of the package: D channels and J kernels of a group, E entries of A in the rows of one kernel,
I pixels that these may stand on (D·H·W).

Source: Goodfellow, Bengio & Courville, "Deep Learning" (2016), section 9.1; Gray, "Toeplitz and Circulant Matrices: A
Review" (2006), chapter 1.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from neocog.errors import OperationError
from neocog.ops.arguments import check_groups, check_most, several, shown, whole
from neocog.ops.checks import check_spec, check_tensor
from neocog.ops.contract import Algorithm, Cost
from neocog.ops.spec import ConvSpec, Pair, Shape4, times

_LARGEST_DENSE = 2**30  # bytes: above it, a mistake is likelier than a wish
_INT32_ENTRIES = 2**31  # int32 indices halve their memory and are what the fastest products take


def toeplitz_matrix(w: Tensor, input_shape: Sequence[int], spec: ConvSpec, *, sparse: bool = False) -> Tensor:
    """The doubly blocked Toeplitz matrix A of a convolution: y.flatten() = A @ x.flatten().

    One Toeplitz block for each row of a kernel, the blocks themselves arranged as a Toeplitz matrix; see the top of
    `neocog.ops.toeplitz`.

    Args:
        w: kernels (K, C/groups, R, S), of any float type.
        input_shape: (C, H, W) of one picture, without its padding.
        spec: how the kernels walk.
        sparse: keep only the entries that stand for a number of w, in torch's CSR layout.

    Returns:
        (K·P·Q, C·H·W), of w's type: rows in the order of y.flatten(), columns in that of x.flatten(). Padding needs no
        columns, since its zeros add nothing.

    Raises:
        OperationError: w, input_shape and spec don't fit together, or a dense matrix of more than 1 GiB.

    Source: Gray, "Toeplitz and Circulant Matrices: A Review" (2006).

    >>> w = torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])
    >>> toeplitz_matrix(w, (1, 3, 3), ConvSpec.make(2)).int()
    tensor([[1, 2, 0, 3, 4, 0, 0, 0, 0],
            [0, 1, 2, 0, 3, 4, 0, 0, 0],
            [0, 0, 0, 1, 2, 0, 3, 4, 0],
            [0, 0, 0, 0, 1, 2, 0, 3, 4]], dtype=torch.int32)
    """
    _check(w, input_shape, spec)
    input_size = (int(input_shape[1]), int(input_shape[2]))
    return _sparse(w, input_size, spec) if sparse else _dense(w, input_size, spec)


class _Toeplitz(Algorithm):
    """What the sparse and the dense way share: the gradient of the kernels, for which the pattern is enough."""

    def grad_w(self, g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
        """∂L/∂A_ij = Σ_n g_ni·x_nj for the entries of one kernel at a time, added up for each number of w."""
        (_, K, P, Q), G, (H, W) = g_NKPQ.shape, spec.groups, x_NCHW.shape[2:]
        D, J = x_NCHW.shape[1] // G, K // G
        pattern = _pattern(spec, D, (H, W), x_NCHW.device)
        E = len(pattern.cell_E)
        index = _index_type(E, P * Q, D * H * W)
        ends_PQ = pattern.row_E.bincount(minlength=P * Q).cumsum(0).to(index)
        entries = _csr(ends_PQ, pattern.column_E.to(index), x_NCHW.new_zeros(E), (P * Q, D * H * W))
        gw = x_NCHW.new_zeros(K, D * prod(spec.kernel_size))
        for group, x_NDHW in enumerate(x_NCHW.chunk(G, dim=1)):
            x_NI = x_NDHW.flatten(1).T.contiguous().T  # each sum reads one pixel of all pictures: side by side
            for k in range(group * J, (group + 1) * J):
                sums = torch.sparse.sampled_addmm(entries, g_NKPQ[:, k].flatten(1).T, x_NI)
                gw[k].index_add_(0, pattern.cell_E, sums.values())
        return gw.view(K, D, *spec.kernel_size)


class Sparse(_Toeplitz):
    """The entries alone: as many multiply-adds as the definition, less those with padding."""

    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """A @ x for each picture, a column each."""
        N, _, H, W = x_NCHW.shape
        y: Tensor = _sparse(w_KCRS, (H, W), spec) @ x_NCHW.flatten(1).T
        return y.T.contiguous().view(N, len(w_KCRS), *spec.output_size((H, W)))

    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """Aᵀ @ g for each picture, a column each."""
        g_GPQJN = torch.unflatten(g_NKPQ, 1, (spec.groups, -1)).permute(1, 3, 4, 2, 0)
        gx: Tensor = _sparse_transposed(w_KCRS, input_size, spec) @ g_GPQJN.flatten(0, 3)
        return gx.T.contiguous().view(len(g_NKPQ), -1, *input_size)

    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """One multiply-add for each stored entry and picture; the matrix, and its pattern or copies of x and y."""
        N, C, H, W = x_shape
        E, rows = _entries(spec, x_shape), out_channels * prod(spec.output_size((H, W)))
        entries = out_channels * E
        index = _index_type(entries, rows, C * H * W).itemsize
        matrix = entries * (itemsize + index) + rows * index
        building = matrix + rows * index + _PATTERN_BYTES * E
        product = matrix + (C * H * W + 2 * rows) * N * itemsize  # torch copies x, and works in a second y
        return Cost(entries * N, max(_PATTERN_PEAK * E, building, product))


class Dense(_Toeplitz):
    """The whole matrix with its zeros: to be looked at. Most of its multiply-adds add nothing."""

    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """A @ x for each picture, a row each."""
        N, _, H, W = x_NCHW.shape
        y = x_NCHW.flatten(1) @ _dense(w_KCRS, (H, W), spec).T
        return y.view(N, len(w_KCRS), *spec.output_size((H, W)))

    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """Aᵀ @ g for each picture, a row each."""
        gx = g_NKPQ.flatten(1) @ _dense(w_KCRS, input_size, spec)
        return gx.view(len(g_NKPQ), -1, *input_size)

    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """One multiply-add for each number of the matrix and picture; the matrix, and the pattern it is made of."""
        N, C, H, W = x_shape
        E, rows = _entries(spec, x_shape), out_channels * prod(spec.output_size((H, W)))
        building = rows * C * H * W * itemsize + out_channels * E * itemsize + (_PATTERN_BYTES + spec.groups * 8) * E
        return Cost(rows * C * H * W * N, max(_PATTERN_PEAK * E, building))


@dataclass(frozen=True)
class _Pattern:
    """Where the entries in the rows of one kernel stand, row after row: the same for all kernels."""

    row_E: Tensor  # which number out, p·Q + q
    cell_E: Tensor  # which number of the kernel, (d·R + r)·S + s
    column_E: Tensor  # which pixel, (d·H + h)·W + v


_PATTERN_BYTES = 3 * 8  # for each entry: three whole numbers of int64
_PATTERN_PEAK = 6 * 8  # and three more while they are worked out


def _pattern(spec: ConvSpec, channels: int, input_size: Pair, device: torch.device) -> _Pattern:
    (H, W), D, (R, S), (P, Q) = input_size, channels, spec.kernel_size, spec.output_size(input_size)
    (down, right), (row_gap, column_gap), (top, _, left, _) = spec.stride, spec.dilation, spec.padding
    p, q, d, r, s = (torch.arange(count, device=device) for count in (P, Q, D, R, S))
    h_PR = (p * down - top)[:, None] + r * row_gap
    v_QS = (q * right - left)[:, None] + s * column_gap
    inside_PR, inside_QS = (h_PR >= 0) & (h_PR < H), (v_QS >= 0) & (v_QS < W)
    inside = inside_PR[:, None, None, :, None] & inside_QS[None, :, None, None, :]
    entry_E = inside.expand(P, Q, D, R, S).flatten().nonzero().flatten()
    row_E, cell_E = entry_E // (D * R * S), entry_E % (D * R * S)
    start_PQ = h_PR[:, :1] * W + v_QS[:, 0]  # negative where a window begins in the padding
    offset_DRS = (d * (H * W))[:, None, None] + (r * (row_gap * W))[:, None] + s * column_gap
    return _Pattern(row_E, cell_E, start_PQ.flatten()[row_E] + offset_DRS.flatten()[cell_E])


def _entries(spec: ConvSpec, x_shape: Shape4) -> int:
    """How many entries one kernel's rows have."""
    inside = (
        sum(
            0 <= p * window.stride + r * window.dilation - window.before < size
            for p in range(count)
            for r in range(window.kernel)
        )
        for size, count, window in zip(x_shape[2:], spec.output_size(x_shape[2:]), spec.windows, strict=True)
    )
    return x_shape[1] // spec.groups * prod(inside)


def _sparse(w_KCRS: Tensor, input_size: Pair, spec: ConvSpec) -> Tensor:
    """A in the CSR layout: entries row after row, and where each row ends."""
    (K, D), G, pixels, rows = w_KCRS.shape[:2], spec.groups, prod(input_size), prod(spec.output_size(input_size))
    pattern = _pattern(spec, D, input_size, w_KCRS.device)
    E = len(pattern.cell_E)
    index = _index_type(K * E, K * rows, G * D * pixels)
    kernel_K = torch.arange(K, dtype=index, device=w_KCRS.device)
    ends = (kernel_K * E)[:, None] + pattern.row_E.bincount(minlength=rows).cumsum(0).to(index)
    columns_KE = (kernel_K // (K // G) * (D * pixels))[:, None] + pattern.column_E.to(index)
    return _csr(ends, columns_KE, w_KCRS.flatten(1)[:, pattern.cell_E], (K * rows, G * D * pixels))


def _sparse_transposed(w_KCRS: Tensor, input_size: Pair, spec: ConvSpec) -> Tensor:
    """Aᵀ in the CSR layout, with its columns in the order (groups, P, Q, J) and not (groups, J, P, Q).

    Torch would sort all entries to transpose A, which takes twenty times as long as the product. The kernels of a group
    share one pattern, so here only that is sorted; with the kernels side by side, columns ascend within each row.
    """
    (K, D), G, pixels, rows = w_KCRS.shape[:2], spec.groups, prod(input_size), prod(spec.output_size(input_size))
    pattern, J = _pattern(spec, D, input_size, w_KCRS.device), K // G
    E, order_E = len(pattern.cell_E), pattern.column_E.argsort(stable=True)
    index = _index_type(K * E, K * rows, G * D * pixels)
    group_G, kernel_J = (torch.arange(count, dtype=index, device=w_KCRS.device) for count in (G, J))
    ends = (group_G * (E * J))[:, None] + (pattern.column_E.bincount(minlength=D * pixels).cumsum(0) * J).to(index)
    columns_EJ = (pattern.row_E[order_E] * J).to(index)[:, None] + kernel_J
    columns_GEJ = (group_G * (rows * J))[:, None, None] + columns_EJ
    w_GCJ = w_KCRS.reshape(G, J, -1).mT
    return _csr(ends, columns_GEJ, w_GCJ[:, pattern.cell_E[order_E]], (G * D * pixels, K * rows))


def _dense(w_KCRS: Tensor, input_size: Pair, spec: ConvSpec) -> Tensor:
    """A with its zeros.

    Raises:
        OperationError: it is larger than 1 GiB.
    """
    (K, D), G, pixels, rows = w_KCRS.shape[:2], spec.groups, prod(input_size), prod(spec.output_size(input_size))
    shape = (K * rows, G * D * pixels)
    if prod(shape) * w_KCRS.itemsize > _LARGEST_DENSE:
        raise OperationError(
            f"the dense matrix of {times(shape)} numbers would take {prod(shape) * w_KCRS.itemsize / 1e9:.1f} GB, "
            "too much to look at; use sparse=True, or in conv2d the method 'toeplitz'"
        )
    pattern = _pattern(spec, D, input_size, w_KCRS.device)
    group_G = torch.arange(G, device=w_KCRS.device)
    place_GE = (group_G * (D * pixels))[:, None] + (pattern.row_E * shape[1] + pattern.column_E)
    values_GJE = w_KCRS.reshape(G, K // G, -1)[..., pattern.cell_E]
    blocks = w_KCRS.new_zeros(G, K // G, rows * shape[1])
    return blocks.scatter_(2, place_GE[:, None].expand_as(values_GJE), values_GJE).view(shape)


def _csr(ends: Tensor, columns: Tensor, values: Tensor, shape: Pair) -> Tensor:
    _take_the_warning()
    starts_and_end = functional.pad(ends.flatten(), (1, 0))
    return torch.sparse_csr_tensor(starts_and_end, columns.flatten(), values.flatten(), shape, check_invariants=False)


@cache
def _take_the_warning() -> None:
    """Torch warns once in a process that its CSR layout is in beta. That is said here, and heard by nobody."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta", category=UserWarning)
        torch.eye(1).to_sparse_csr()


def _index_type(*counts: int) -> torch.dtype:
    return torch.int32 if max(counts) < _INT32_ENTRIES else torch.int64


def _check(w: Any, input_shape: Any, spec: Any) -> None:
    check_spec(spec)
    check_tensor("w", w)
    if w.ndim != 4 or 0 in w.shape:
        raise OperationError(
            f"w has the shape {tuple(w.shape)}: toeplitz_matrix takes (K, C/groups, R, S), none of it 0"
        )
    sizes = several(input_shape)
    if len(sizes) != 3 or not all(whole(size, 1) for size in sizes):
        raise OperationError(
            f"input_shape = {shown(input_shape)}: give one picture's (channels, rows, columns), such as (1, 28, 28)"
        )
    check_most("input_shape", input_shape, sizes)
    check_spec(spec, w)
    check_groups(spec.groups, (len(w), "kernels of w"))
    if sizes[0] != w.shape[1] * spec.groups:
        channels = "channel" if w.shape[1] == 1 else "channels"
        each = f" in each of {spec.groups} groups" if spec.groups > 1 else ""
        raise OperationError(
            f"w {tuple(w.shape)} has kernels of {w.shape[1]} {channels}{each}, but input_shape {shown(sizes)} "
            f"has {sizes[0]}; it must have {w.shape[1] * spec.groups}"
        )


SPARSE, DENSE = Sparse(), Dense()
