"""Pooling: each window of a picture becomes one number, its largest or its average; channels are pooled apart.

A window is a rectangle, so its columns can be gone through first and its rows then: R + S steps in place of R·S, each
of which takes one cell of all windows at once.

    max_rs x[r, s] = max_r max_s x[r, s]        Σ_rs x[r, s] = Σ_r Σ_s x[r, s]

Gradients, with g = ∂L/∂y. The maximum of window (p, q) is the number at one place, its winner, and a small enough
change leaves the winner where it is. So ∂y[p, q]/∂x[h, w] is 1 at the winner and 0 elsewhere:

    y[p, q] = x[winner(p, q)]        ∂L/∂x[h, w] = Σ_{p, q: winner(p, q) = (h, w)} g[p, q]

Where several numbers are largest the maximum has a kink; all of g then goes to the first of them, which is one of its
subgradients. The average is linear in x. With A(p) the rows and B(q) the columns that window (p, q) reads, and d the
divisor,

    y[p, q] = Σ_{h ∈ A(p)} Σ_{w ∈ B(q)} x[h, w] / d[p, q]
    ∂L/∂x[h, w] = Σ_{p: h ∈ A(p)} Σ_{q: w ∈ B(q)} g[p, q] / d[p, q]

Of each two, the second takes every number back to where the first had read it: they are each other's gradients, which
is why torch may differentiate them any number of times.

Shape letters as in `neocog.ops.spec`; one picture (C, H, W) is taken wherever pictures (N, C, H, W) are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.autograd import Function

from neocog.errors import OperationError
from neocog.ops.arguments import check_most, flag, shown, whole
from neocog.ops.checks import HALF, check_pictures
from neocog.ops.pool_spec import PoolSpec, Reads, adaptive_reads
from neocog.ops.spec import Pair

Number = int | Sequence[int]
OutputSize = int | Sequence[int | None]


def max_pool2d(
    x: Tensor,
    kernel_size: Number,
    stride: Number | None = None,
    padding: Number = 0,
    dilation: Number = 1,
    *,
    ceil_mode: bool = False,
    return_indices: bool = False,
) -> Any:
    """The largest number of each window: y[p, q] = max_rs x[p·stride + r·dilation − padding, q·stride + …].

    Padding is −∞: it is never the largest. Of equal numbers the first wins, row by row; NaN beats every number, and the
    last NaN of a window those before it. All as torch does.

    Args:
        x: pictures (N, C, H, W), or one (C, H, W), of any float type.
        kernel_size: rows and columns of the window, R and S: one number, or two. The others likewise.
        stride: how far the window moves; its own size unless told.
        padding: rows above and below, columns left and right; at most half of the window.
        dilation: how far apart the pixels are that a window reads.
        ceil_mode: whether P and Q are rounded up, so that a last window may hang over the end; it must still begin on
            the picture or the padding before it.
        return_indices: whether to give also where each largest number stood.

    Returns:
        y (N, C, P, Q) with P = ⌊(H + 2·padding − dilation·(R − 1) − 1)/stride⌋ + 1, and Q alike; with `return_indices`
        the tuple (y, indices): indices (N, C, P, Q) are int64, h·W + w in the picture without its padding.

    Raises:
        OperationError: shapes, types or numbers that don't fit.

    Source: Scherer, Müller & Behnke, "Evaluation of Pooling Operations in Convolutional Architectures for Object
    Recognition", ICANN 2010.

    >>> x = torch.arange(9.0).reshape(1, 1, 3, 3)
    >>> max_pool2d(x, 2, stride=1).tolist()
    [[[[4.0, 5.0], [7.0, 8.0]]]]
    """
    size = _checked_size("max_pool2d", x)
    spec = PoolSpec.make(kernel_size, stride, padding, dilation, ceil_mode)
    both = flag("return_indices", return_indices)
    y, indices = _maximum(x, *spec.reads(size))
    return (y, indices) if both else y


def avg_pool2d(
    x: Tensor,
    kernel_size: Number,
    stride: Number | None = None,
    padding: Number = 0,
    *,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Tensor:
    """The average of each window: y[p, q] = Σ_rs x[p·stride + r − padding, q·stride + s − padding] / d[p, q].

    Padding is 0. The divisor d is the number of cells that the window has on the picture and its padding, so R·S but
    where `ceil_mode` lets it hang over the end of both.

    Args:
        x: pictures (N, C, H, W), or one (C, H, W), of any float type. Half types are computed in float32 and rounded
            once.
        kernel_size: rows and columns of the window, R and S: one number, or two. The others likewise.
        stride: how far the window moves; its own size unless told.
        padding: rows above and below, columns left and right; at most half of the window.
        ceil_mode: whether P and Q are rounded up, so that a last window may hang over the end; it must still begin on
            the picture or the padding before it.
        count_include_pad: whether cells on the padding count in d; otherwise y is the mean of the picture's own pixels.
        divisor_override: a d for all windows, any whole number but 0.

    Returns:
        (N, C, P, Q) with P = ⌊(H + 2·padding − R)/stride⌋ + 1, and Q alike.

    Raises:
        OperationError: shapes, types or numbers that don't fit.

    Source: LeCun et al., "Handwritten Digit Recognition with a Back-Propagation Network", NIPS 1989.

    >>> x = torch.arange(9.0).reshape(1, 1, 3, 3)
    >>> avg_pool2d(x, 2, stride=1).tolist()
    [[[[2.0, 3.0], [5.0, 6.0]]]]
    """
    size = _checked_size("avg_pool2d", x)
    spec = PoolSpec.make(kernel_size, stride, padding, ceil_mode=ceil_mode)
    pad_counts = flag("count_include_pad", count_include_pad)
    if divisor_override is not None and (not whole(divisor_override) or divisor_override == 0):
        raise OperationError(
            f"divisor_override = {shown(divisor_override)}: give a whole number other than 0, or None for the number "
            "of cells"
        )
    check_most("divisor_override", divisor_override, [divisor_override or 1])
    rows, columns = spec.reads(size)
    cells = spec.cells(size) if pad_counts else (_lengths(rows), _lengths(columns))
    return _average(x, rows, columns, cells, divisor_override)


def adaptive_max_pool2d(x: Tensor, output_size: OutputSize, *, return_indices: bool = False) -> Any:
    """The largest number of each of P×Q windows that share the picture out: window p reads rows ⌊p·H/P⌋ to ⌈(p+1)·H/P⌉.

    Args:
        x: pictures (N, C, H, W), or one (C, H, W), of any float type.
        output_size: P and Q: one number, or two, where None keeps the picture's size.
        return_indices: whether to give also where each largest number stood.

    Returns:
        y (N, C, P, Q), or (y, indices), as from `max_pool2d`.

    Raises:
        OperationError: a shape, a type or a size that doesn't fit.

    Source: He, Zhang, Ren & Sun, "Spatial Pyramid Pooling in Deep Convolutional Networks for Visual Recognition",
    2014, arXiv:1406.4729.

    >>> adaptive_max_pool2d(torch.arange(9.0).reshape(1, 1, 3, 3), 2).tolist()
    [[[[4.0, 5.0], [7.0, 8.0]]]]
    """
    size = _checked_size("adaptive_max_pool2d", x)
    both = flag("return_indices", return_indices)
    y, indices = _maximum(x, *adaptive_reads(output_size, size))
    return (y, indices) if both else y


def adaptive_avg_pool2d(x: Tensor, output_size: OutputSize) -> Tensor:
    """The mean of each of P×Q windows that share the picture out: window p reads rows ⌊p·H/P⌋ to ⌈(p+1)·H/P⌉.

    Arguments, errors and source are those of `adaptive_max_pool2d`; half types as in `avg_pool2d`.

    Returns:
        (N, C, P, Q), or (C, P, Q) for one picture.

    >>> adaptive_avg_pool2d(torch.arange(9.0).reshape(1, 1, 3, 3), (1, None)).tolist()
    [[[[3.0, 4.0, 5.0]]]]
    """
    size = _checked_size("adaptive_avg_pool2d", x)
    rows, columns = adaptive_reads(output_size, size)
    return _average(x, rows, columns, (_lengths(rows), _lengths(columns)))


def global_max_pool2d(x: Tensor) -> Tensor:
    """The largest number of each channel: (N, C, H, W) becomes (N, C), and (C, H, W) becomes (C).

    Raises:
        OperationError: x is no tensor of pictures, or not of a float type.

    Source: Oquab, Bottou, Laptev & Sivic, "Is object localization for free?", CVPR 2015.

    >>> global_max_pool2d(torch.arange(8.0).reshape(1, 2, 2, 2)).tolist()
    [[3.0, 7.0]]
    """
    rows, columns = adaptive_reads(1, _checked_size("global_max_pool2d", x))
    return _maximum(x, rows, columns)[0][..., 0, 0]


def global_avg_pool2d(x: Tensor) -> Tensor:
    """The mean of each channel: (N, C, H, W) becomes (N, C), and (C, H, W) becomes (C).

    Raises:
        OperationError: x is no tensor of pictures, or not of a float type.

    Source: Lin, Chen & Yan, "Network in Network", 2014, arXiv:1312.4400.

    >>> global_avg_pool2d(torch.arange(8.0).reshape(1, 2, 2, 2)).tolist()
    [[1.5, 5.5]]
    """
    rows, columns = adaptive_reads(1, _checked_size("global_avg_pool2d", x))
    return _average(x, rows, columns, (_lengths(rows), _lengths(columns)))[..., 0, 0]


# ------------------------------------------------------------------------------------------------------------- maximum


def _maximum(x_NCHW: Tensor, rows: Reads, columns: Reads) -> tuple[Tensor, Tensor]:
    """The largest number of each window, and its place h·W + w."""
    W = x_NCHW.shape[-1]
    # Columns first: then the first row whose largest number is the largest of all holds the first of the window.
    largest_NCHQ, column_NCHQ = _largest(x_NCHW.detach(), columns, -1)
    _, row_NCPQ = _largest(largest_NCHQ, rows, -2)
    index_NCPQ = row_NCPQ * W + column_NCHQ.gather(-2, row_NCPQ)
    y_NCPQ: Tensor = _Pick.apply(x_NCHW, index_NCPQ)  # type: ignore[no-untyped-call]
    return y_NCPQ, index_NCPQ


def _largest(x: Tensor, windows: Reads, axis: int) -> tuple[Tensor, Tensor]:
    """The largest number of each window along one axis, and where on that axis it stands."""
    # A window with fewer cells than others reads its last one again, which changes nothing.
    turns = [[window[min(turn, len(window) - 1)] for window in windows] for turn in range(max(_lengths(windows)))]
    first, *others = torch.tensor(turns, device=x.device)
    best = x.index_select(axis, first)
    winner = _along(axis, first).expand_as(best)
    for cell in others:
        value = x.index_select(axis, cell)
        wins = (value > best) | value.isnan()
        best, winner = torch.where(wins, value, best), torch.where(wins, _along(axis, cell), winner)
    return best, winner


def _along(axis: int, places: Tensor) -> Tensor:
    """Places on the axis −1 or −2, so that they broadcast along it."""
    return places if axis == -1 else places[:, None]


class _Pick(Function):
    """y[p, q] = x[index[p, q]], for planes laid out row by row."""

    @staticmethod
    def forward(ctx: Any, x_NCHW: Tensor, index_NCPQ: Tensor) -> Tensor:
        ctx.save_for_backward(index_NCPQ)
        ctx.size = tuple(x_NCHW.shape[-2:])
        return x_NCHW.flatten(-2).gather(-1, index_NCPQ.flatten(-2)).reshape(index_NCPQ.shape)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (g_NCPQ,), (index_NCPQ,) = grads, ctx.saved_tensors
        return _PutBack.apply(g_NCPQ, index_NCPQ, ctx.size), None  # type: ignore[no-untyped-call]


class _PutBack(Function):
    """gx[h, w] = Σ g[p, q] over the windows whose index is h·W + w: what `_Pick` took, back in its place."""

    @staticmethod
    def forward(ctx: Any, g_NCPQ: Tensor, index_NCPQ: Tensor, size: Pair) -> Tensor:
        ctx.save_for_backward(index_NCPQ)
        H, W = size
        exact_NCPQ = _at_least_float32(g_NCPQ)
        gx = exact_NCPQ.new_zeros((*g_NCPQ.shape[:-2], H * W))
        gx.scatter_add_(-1, index_NCPQ.flatten(-2), exact_NCPQ.flatten(-2))
        return gx.reshape((*g_NCPQ.shape[:-2], H, W)).to(g_NCPQ.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        (h_NCHW,), (index_NCPQ,) = grads, ctx.saved_tensors
        return _Pick.apply(h_NCHW, index_NCPQ), None, None  # type: ignore[no-untyped-call]


# ------------------------------------------------------------------------------------------------------------- average


def _average(
    x_NCHW: Tensor, rows: Reads, columns: Reads, cells: tuple[Sequence[int], Sequence[int]], divisor: int | None = None
) -> Tensor:
    """The sum of each window, divided by its cells or by `divisor`."""
    rows_P, columns_Q = (torch.tensor(counts, device=x_NCHW.device) for counts in cells)
    divisor_PQ = torch.outer(rows_P, columns_Q) if divisor is None else torch.tensor(int(divisor), device=x_NCHW.device)
    y_NCPQ: Tensor = _Average.apply(x_NCHW, rows, columns, divisor_PQ)  # type: ignore[no-untyped-call]
    return y_NCPQ


class _Average(Function):
    """y[p, q] = Σ_{h ∈ A(p)} Σ_{w ∈ B(q)} x[h, w] / d[p, q]."""

    @staticmethod
    def forward(ctx: Any, x_NCHW: Tensor, rows: Reads, columns: Reads, divisor_PQ: Tensor) -> Tensor:
        ctx.windows, ctx.size = (rows, columns, divisor_PQ), tuple(x_NCHW.shape[-2:])
        sum_NCPW = _gathered(_at_least_float32(x_NCHW), rows, -2)
        return (_gathered(sum_NCPW, columns, -1) / divisor_PQ).to(x_NCHW.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gx_NCHW = _Spread.apply(grads[0], *ctx.windows, ctx.size)  # type: ignore[no-untyped-call]
        return gx_NCHW, None, None, None


class _Spread(Function):
    """gx[h, w] = Σ_{p: h ∈ A(p)} Σ_{q: w ∈ B(q)} g[p, q] / d[p, q]: to each pixel what it had given."""

    @staticmethod
    def forward(ctx: Any, g_NCPQ: Tensor, rows: Reads, columns: Reads, divisor_PQ: Tensor, size: Pair) -> Tensor:
        ctx.windows = (rows, columns, divisor_PQ)
        share_NCPQ = _at_least_float32(g_NCPQ) / divisor_PQ
        sum_NCPW = _scattered(share_NCPQ, columns, -1, size[1])
        return _scattered(sum_NCPW, rows, -2, size[0]).to(g_NCPQ.dtype)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        gg_NCPQ = _Average.apply(grads[0], *ctx.windows)  # type: ignore[no-untyped-call]
        return gg_NCPQ, None, None, None, None


def _gathered(x: Tensor, windows: Reads, axis: int) -> Tensor:
    """For each window along one axis, the sum of what it reads."""
    total = x.new_zeros(_resized(x, axis, len(windows)))
    for window, pixel in _turns(windows, x.device):
        total.index_add_(axis, window, x.index_select(axis, pixel))
    return total


def _scattered(g: Tensor, windows: Reads, axis: int, size: int) -> Tensor:
    """For each of `size` pixels along one axis, the sum over the windows that read it."""
    total = g.new_zeros(_resized(g, axis, size))
    for window, pixel in _turns(windows, g.device):
        total.index_add_(axis, pixel, g.index_select(axis, window))
    return total


def _turns(windows: Reads, device: torch.device) -> Iterator[tuple[Tensor, Tensor]]:
    """Cell by cell: the windows that have so many, and the pixel that each of them reads there."""
    for turn in range(max(_lengths(windows))):
        having = [number for number, window in enumerate(windows) if turn < len(window)]
        pixels = [windows[number][turn] for number in having]
        yield torch.tensor(having, device=device), torch.tensor(pixels, device=device)


def _resized(x: Tensor, axis: int, size: int) -> list[int]:
    shape = list(x.shape)
    shape[axis] = size
    return shape


# -------------------------------------------------------------------------------------------------------- what both use


def _lengths(windows: Reads) -> tuple[int, ...]:
    return tuple(len(window) for window in windows)


def _at_least_float32(x: Tensor) -> Tensor:
    """Sums of half types are kept in float32 and rounded once."""
    return x.float() if x.dtype in HALF else x


def _checked_size(name: str, x: Any) -> Pair:
    """Rows and columns of pictures that can be pooled."""
    check_pictures(name, x)
    return x.shape[-2], x.shape[-1]
