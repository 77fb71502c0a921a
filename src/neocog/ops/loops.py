"""Convolution as it is defined: one loop for each index, on plain Python numbers. For reading, and as the yardstick."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Any

import torch
from torch import Tensor

from neocog.ops.contract import Algorithm, Cost, definition_macs
from neocog.ops.padding import padded, padded_bytes, unpadded
from neocog.ops.spec import ConvSpec, Pair, Shape4


class Loops(Algorithm):
    """The definition, index by index. Products and sums are made in float64, one after the other, and what
    comes out is then rounded to the type.

    D counts the channels of one group and d runs over them; kernel k belongs to group k // (K/G), so its channel d is
    the picture's channel k // (K/G) · D + d.
    """

    def forward(self, x_NCHW: Tensor, w_KCRS: Tensor, spec: ConvSpec) -> Tensor:
        """Each number out is the sum, over its window, of picture times kernel."""
        (N, _, H, W), (K, D, R, S) = x_NCHW.shape, w_KCRS.shape
        (P, Q), (down, right), (row_gap, column_gap) = spec.output_size((H, W)), spec.stride, spec.dilation
        x, w, y = padded(x_NCHW, spec).tolist(), w_KCRS.tolist(), _zeros(N, K, P, Q)
        for n, k, p, q in product(range(N), range(K), range(P), range(Q)):
            first = k // (K // spec.groups) * D
            total = 0.0
            for d, r, s in product(range(D), range(R), range(S)):
                total += x[n][first + d][p * down + r * row_gap][q * right + s * column_gap] * w[k][d][r][s]
            y[n][k][p][q] = total
        return _tensor(y, (N, K, P, Q), x_NCHW)

    def grad_x(self, g_NKPQ: Tensor, w_KCRS: Tensor, spec: ConvSpec, input_size: Pair) -> Tensor:
        """Each number of the picture gets, from every product it stood in, the other factor times that output's g."""
        (N, K, P, Q), (_, D, R, S) = g_NKPQ.shape, w_KCRS.shape
        (down, right), (row_gap, column_gap) = spec.stride, spec.dilation
        shape = (N, D * spec.groups, *spec.padded_size(input_size))
        g, w, gx = g_NKPQ.tolist(), w_KCRS.tolist(), _zeros(*shape)
        for n, k, p, q in product(range(N), range(K), range(P), range(Q)):
            first = k // (K // spec.groups) * D
            for d, r, s in product(range(D), range(R), range(S)):
                gx[n][first + d][p * down + r * row_gap][q * right + s * column_gap] += g[n][k][p][q] * w[k][d][r][s]
        return unpadded(_tensor(gx, shape, g_NKPQ), spec, input_size)

    def grad_w(self, g_NKPQ: Tensor, x_NCHW: Tensor, spec: ConvSpec) -> Tensor:
        """Each number of a kernel gets, from every window, the number it lay on times that output's g."""
        (N, K, P, Q), (R, S), D = g_NKPQ.shape, spec.kernel_size, x_NCHW.shape[1] // spec.groups
        (down, right), (row_gap, column_gap) = spec.stride, spec.dilation
        g, x, gw = g_NKPQ.tolist(), padded(x_NCHW, spec).tolist(), _zeros(K, D, R, S)
        for k, d, r, s in product(range(K), range(D), range(R), range(S)):
            c = k // (K // spec.groups) * D + d
            total = 0.0
            for n, p, q in product(range(N), range(P), range(Q)):
                total += g[n][k][p][q] * x[n][c][p * down + r * row_gap][q * right + s * column_gap]
            gw[k][d][r][s] = total
        return _tensor(gw, (K, D, R, S), g_NKPQ)

    def _cost(self, spec: ConvSpec, x_shape: Shape4, out_channels: int, itemsize: int) -> Cost:
        """The definition's multiply-adds; all numbers as lists, and the result in float64 before it's rounded.

        Where the output is small, the peak is at the beginning: the padded picture beside its list.
        """
        (N, C, H, W), K = x_shape, out_channels
        x_shape_padded = (N, C, *spec.padded_size((H, W)))
        w_shape = (K, C // spec.groups, *spec.kernel_size)
        y_shape = (N, K, *spec.output_size((H, W)))
        at_first = _list_bytes(x_shape_padded) + padded_bytes(spec, x_shape, itemsize)
        at_last = sum(_list_bytes(shape) for shape in (x_shape_padded, w_shape, y_shape))
        if itemsize < 8:
            at_last += 8 * prod(y_shape)
        return Cost(definition_macs(spec, x_shape, out_channels), max(at_first, at_last))


def _list_bytes(shape: tuple[int, ...]) -> int:
    """Nested lists in CPython: 24 for a number, 8 for a place in a list, and about 64 for each list itself."""
    lists = [prod(shape[:depth]) for depth in range(len(shape))]
    return 24 * prod(shape) + sum((64 + 8 * size) * count for count, size in zip(lists, shape, strict=True))


def _zeros(*shape: int) -> Any:
    """Nested lists of zeros."""
    return [_zeros(*shape[1:]) for _ in range(shape[0])] if shape else 0.0


def _tensor(numbers: Any, shape: tuple[int, ...], like: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=torch.float64).reshape(shape).to(like)


LOOPS = Loops()
